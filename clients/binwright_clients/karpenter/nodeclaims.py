"""A decision as Karpenter v1 NodeClaim manifests.

What Karpenter's provisioner would write had it come to the same decision
(``NodeClaimTemplate.ToNodeClaim`` in sigs.k8s.io/karpenter), with these choices:

- The requirement on ``node.kubernetes.io/instance-type`` lists the chosen type first and then, by
  price, the other types that hold the same pods: one exact type would fail whenever that type is
  sold out. Karpenter launches the cheapest that is available, which is the chosen one unless it is
  sold out.
- Zone and capacity type are exact: the decision's cost depends on both, and Karpenter left to
  itself takes spot wherever it may.
- ``spec.resources.requests`` are those of the pods and the daemons, as Karpenter counts them.
- ``metadata.name`` is made from the NodePool and the pods, so that applying twice buys once, and the claims
  of another decision do not collide with these.
- Owner reference and hash annotation are left out: they need the NodePool's UID and spec as the
  cluster holds them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping

from binwright.v1 import decision_pb2, problem_pb2
from binwright_optimizer.model import labels
from binwright_optimizer.model.quantity import format_quantity, parse_quantity

from binwright_clients.karpenter.lifetimes import NodeLifetime
from binwright_clients.karpenter.nodeclasses import DEFAULT_NODE_CLASSES, NodeClassRef

API_VERSION = "karpenter.sh/v1"

MAX_INSTANCE_TYPES = 60
"""Types listed per NodeClaim: Karpenter's AWS provider looks at no more (``maxInstanceTypes`` in
pkg/providers/instance), and thousands of NodeClaims with every type would be megabytes."""

_HASH_DIGITS = 10

COST_ANNOTATION = "binwright.dev/hourly-cost-usd"
PODS_ANNOTATION = "binwright.dev/pods"

_PROVIDED = re.compile(
    r"^([^/]+\.)?(kubernetes\.io|k8s\.io|karpenter\.sh|karpenter\.k8s\.aws|karpenter\.azure\.com"
    r"|karpenter\.k8s\.gcp|cloud\.google\.com|kubernetes\.azure\.com)/"
)
"""Labels that Kubernetes, Karpenter or its providers put on nodes."""

Manifest = dict[str, object]


def node_claim_manifests(
    decision: decision_pb2.Decision,
    node_pools: Iterable[problem_pb2.NodePool] = (),
    node_classes: Mapping[str, NodeClassRef] | None = None,
    cloud: str = "aws",
    *,
    lifetimes: Mapping[str, NodeLifetime] | None = None,
    most_types: int = MAX_INSTANCE_TYPES,
) -> Iterator[Manifest]:
    """NodeClaim manifests in the order of the decision.

    Parameters
    ----------
    node_pools
        NodePools of the problem, for their taints.
    node_classes
        Node class by NodePool name, as far as known.
    cloud
        Whose default node class the other NodePools get; an unknown cloud counts as ``aws``.
    lifetimes
        How long nodes live, by NodePool name; Karpenter's default elsewhere.
    most_types
        Instance types a claim may name, the chosen one first.
    """
    pools = {pool.name: pool for pool in node_pools}
    known = node_classes or {}
    default = DEFAULT_NODE_CLASSES.get(cloud, DEFAULT_NODE_CLASSES["aws"])
    for claim in decision.node_claims:
        lifetime = (lifetimes or {}).get(claim.node_pool, NodeLifetime())
        yield _manifest(
            claim, pools.get(claim.node_pool), known.get(claim.node_pool, default), lifetime, most_types
        )


def _manifest(
    claim: decision_pb2.NodeClaim,
    pool: problem_pb2.NodePool | None,
    node_class: NodeClassRef,
    lifetime: NodeLifetime,
    most_types: int,
) -> Manifest:
    spec: Manifest = {
        "nodeClassRef": {"group": node_class.group, "kind": node_class.kind, "name": node_class.name},
        "requirements": list(_requirements(claim, most_types)),
        "resources": {"requests": _sum(claim.requests, claim.daemon_overhead)},
    }
    if pool is not None and pool.taints:
        spec["taints"] = [_taint(taint) for taint in pool.taints]
    if pool is not None and pool.startup_taints:
        spec["startupTaints"] = [_taint(taint) for taint in pool.startup_taints]
    spec |= lifetime.fields()
    return {
        "apiVersion": API_VERSION,
        "kind": "NodeClaim",
        "metadata": {
            "name": _name(claim),
            "labels": _labels(claim, pool),
            "annotations": {
                COST_ANNOTATION: f"{claim.price_microusd_per_hour / 1e6:.6f}",
                PODS_ANNOTATION: str(len(claim.pods)),
            },
        },
        "spec": spec,
    }


def _name(claim: decision_pb2.NodeClaim) -> str:
    """One for the same pods on a node of the NodePool; a node for no pod keeps its name in the decision."""
    return digest_name(claim.node_pool, sorted(claim.pods)) if claim.pods else claim.name


def digest_name(node_pool: str, parts: Iterable[str]) -> str:
    """A NodeClaim's name that the NodePool and texts determine.

    Examples
    --------
    >>> digest_name("gpu", ["web-0", "web-1"]) == digest_name("gpu", ["web-0", "web-1"])
    True
    """
    return f"{node_pool}-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:_HASH_DIGITS]}"


def _requirements(claim: decision_pb2.NodeClaim, most_types: int) -> Iterator[Manifest]:
    # dict.fromkeys keeps the order and the chosen type once, even if the ranking lacks it.
    ranked = dict.fromkeys([claim.instance_type, *(ranked.name for ranked in claim.instance_types)])
    yield _is_in(labels.INSTANCE_TYPE, list(ranked)[:most_types])
    yield _is_in(labels.ZONE, [claim.zone])
    yield _is_in(labels.CAPACITY_TYPE, [claim.capacity_type])
    for key in (labels.ARCH, labels.OS):
        if key in claim.labels:
            yield _is_in(key, [claim.labels[key]])
    yield _is_in(labels.NODE_POOL, [claim.node_pool])


def _is_in(key: str, values: list[str]) -> Manifest:
    return {"key": key, "operator": "In", "values": values}


def _labels(claim: decision_pb2.NodeClaim, pool: problem_pb2.NodePool | None) -> dict[str, str]:
    """The NodePool's own labels and its name; the provider adds those of the instance type.

    A label that is nobody else's but which the NodePool requires (``team In [a, b]``) has the value that
    the decision chose; without it on the node, the pods that asked for it would not be scheduled.
    """
    own = dict(pool.labels) if pool is not None else {}
    for requirement in pool.requirements if pool is not None else ():
        if requirement.key in claim.labels and not _PROVIDED.search(requirement.key):
            own[requirement.key] = claim.labels[requirement.key]
    return {**{key: own[key] for key in sorted(own)}, labels.NODE_POOL: claim.node_pool}


def _taint(taint: problem_pb2.Taint) -> dict[str, str]:
    manifest = {"key": taint.key, "value": taint.value, "effect": taint.effect}
    if not taint.value:
        del manifest["value"]
    return manifest


def _sum(requests: Mapping[str, str], overhead: Mapping[str, str]) -> dict[str, str]:
    return {
        name: format_quantity(
            sum(parse_quantity(amounts[name], name) for amounts in (requests, overhead) if name in amounts),
            name,
        )
        for name in sorted({*requests, *overhead})
    }

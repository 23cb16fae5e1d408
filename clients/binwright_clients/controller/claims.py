"""From a decision to the NodeClaims that carry it out.

The name of a NodeClaim is made from the pods it is for and from the earlier claims that were for any
of them and came to nothing. Whoever tries to create it a second time, after a crash, a lost answer or a
change of leader, meets the first one; and a claim that failed does not stand in the way of the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from binwright.v1 import decision_pb2, problem_pb2

from binwright_clients.cluster.api import Json
from binwright_clients.controller.observation import (
    MANAGED_BY,
    MANAGER,
    NOMINATED_ANNOTATION,
    ClaimView,
    Offered,
    PendingPod,
    instance_type_of,
    offered_by,
)
from binwright_clients.karpenter.lifetimes import lifetime_of
from binwright_clients.karpenter.nodeclaims import digest_name, node_claim_manifests
from binwright_clients.karpenter.nodeclasses import NodeClassRef

DECISION_ANNOTATION = "binwright.dev/decision"
BOUND_ANNOTATION = "binwright.dev/decision-lower-bound-usd"
DECISION_COST_ANNOTATION = "binwright.dev/decision-hourly-cost-usd"
_COPIED_ANNOTATIONS = ("karpenter.sh/nodepool-hash", "karpenter.sh/nodepool-hash-version")
"""By these Karpenter sees whether a node has drifted from its NodePool."""


@dataclass(frozen=True, slots=True)
class PlannedClaim:
    """A NodeClaim to create.

    Parameters
    ----------
    pods
        The pods it is for.
    reason
        What it costs and why it is this one, for people.
    """

    manifest: Json
    pods: tuple[PendingPod, ...]
    reason: str

    @property
    def name(self) -> str:
        """Name of the NodeClaim."""
        return str(self.manifest["metadata"]["name"])

    @property
    def instance_type(self) -> str:
        """The chosen type, which is named first."""
        return instance_type_of(self.manifest)

    @property
    def offered(self) -> frozenset[Offered]:
        """All that it may be launched as."""
        return offered_by(self.manifest)


def planned_claims(
    decision: decision_pb2.Decision,
    pods: Iterable[PendingPod],
    node_pools: Mapping[str, Json],
    problem_pools: Sequence[problem_pb2.NodePool],
    node_classes: Mapping[str, NodeClassRef],
    earlier: Iterable[ClaimView] = (),
    *,
    cloud: str = "aws",
    most_types: int = 1,
) -> tuple[PlannedClaim, ...]:
    """The NodeClaims of a decision that hold pods, in its order.

    Nodes without pods, which a NodePool's minimum may ask for, are left out: their number is not this
    controller's to keep.

    Parameters
    ----------
    pods
        Pods of the question.
    node_pools
        The NodePools as the cluster holds them.
    problem_pools
        The same as the question had them.
    earlier
        NodeClaims in the cluster; what is on its way is not for these pods.
    most_types
        Instance types a claim may name: the chosen one, then dearer ones that hold the same pods.
    """
    by_name = {pod.decision_name: pod for pod in pods}
    lapsed = tuple(earlier)
    manifests = node_claim_manifests(
        decision,
        problem_pools,
        node_classes,
        cloud,
        lifetimes={name: lifetime_of(_template_spec(pool)) for name, pool in node_pools.items()},
        most_types=most_types,
    )
    found = [
        (claim, manifest, tuple(by_name[name] for name in claim.pods))
        for claim, manifest in zip(decision.node_claims, manifests, strict=True)
        if claim.pods
    ]
    decision_id = _digest(
        f"{claim.instance_type} {claim.zone} {claim.capacity_type} {_key(held)}" for claim, _, held in found
    )
    return tuple(
        _planned(decision, decision_id, claim, manifest, held, lapsed, node_pools.get(claim.node_pool, {}))
        for claim, manifest, held in found
    )


def _planned(
    decision: decision_pb2.Decision,
    decision_id: str,
    claim: decision_pb2.NodeClaim,
    manifest: dict[str, Any],
    pods: tuple[PendingPod, ...],
    lapsed: tuple[ClaimView, ...],
    pool: Json,
) -> PlannedClaim:
    metadata = manifest["metadata"]
    pool_metadata = pool.get("metadata") or {}
    pool_annotations = pool_metadata.get("annotations") or {}
    metadata["name"] = claim_name(claim.node_pool, pods, lapsed)
    metadata["labels"][MANAGED_BY] = MANAGER
    metadata["annotations"] |= {
        DECISION_ANNOTATION: decision_id,
        DECISION_COST_ANNOTATION: f"{decision.hourly_cost_usd:.6f}",
        BOUND_ANNOTATION: f"{decision.lower_bound_usd:.6f}",
        NOMINATED_ANNOTATION: json.dumps(sorted(pod.uid for pod in pods)),
        **{key: pool_annotations[key] for key in _COPIED_ANNOTATIONS if key in pool_annotations},
    }
    if pool_metadata.get("uid"):
        metadata["ownerReferences"] = [
            {
                "apiVersion": "karpenter.sh/v1",
                "kind": "NodePool",
                "name": claim.node_pool,
                "uid": pool_metadata["uid"],
            }
        ]
    reason = (
        f"{claim.instance_type} in {claim.zone}, {claim.capacity_type}, {claim.hourly_price_usd:.4f} $/h "
        f"for {len(pods)} pod{'s' if len(pods) > 1 else ''}; decision {decision_id}: "
        f"{decision.hourly_cost_usd:.4f} $/h, proven bound {decision.lower_bound_usd:.4f} $/h"
    )
    return PlannedClaim(manifest, pods, reason)


def _template_spec(pool: Json) -> Json:
    template: Json = ((pool.get("spec") or {}).get("template") or {}).get("spec") or {}
    return template


def claim_name(node_pool: str, pods: Iterable[PendingPod], earlier: Iterable[ClaimView]) -> str:
    """Name of the NodeClaim for these pods, after the ``earlier`` ones that name any of them."""
    uids = {pod.uid for pod in pods}
    failed = sorted(claim.name for claim in earlier if uids & claim.pods)
    return digest_name(node_pool, [*sorted(uids), *failed])


def _key(pods: Iterable[PendingPod]) -> str:
    return " ".join(sorted(pod.uid for pod in pods))


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

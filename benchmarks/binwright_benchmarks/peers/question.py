"""A problem in the words of the original programs: quantities, pod specs and NodePools as JSON.

Both sides get the same instance types with the same capacity and allocatable amounts, the same offerings
and prices. What cannot be said exactly is refused: a comparison on other pods would be worth nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np
from binwright_optimizer.model import (
    DaemonSet,
    InstanceType,
    NodePool,
    Operator,
    PodTemplate,
    Policies,
    Problem,
    Requirement,
    Resources,
    Taint,
    Toleration,
    Workload,
    labels,
)
from binwright_optimizer.model.resources import CPU, PODS

from binwright_benchmarks.baselines.market import Market
from binwright_benchmarks.baselines.standing import fill_standing

Json = dict[str, Any]

_TRANSLATED = frozenset({
    "requests", "node_selector", "node_affinity", "tolerations", "labels", "priority", "do_not_disrupt",
})  # fmt: skip
"""Fields of a pod that `pod_spec` says, or that no provisioner looks at."""
_NODE_POOL = frozenset({
    "name", "requirements", "labels", "taints", "startup_taints", "weight", "limits", "min_nodes",
    "max_nodes", "overhead",
})  # fmt: skip
_PROBLEM = frozenset({"workloads", "node_pools", "catalog", "daemon_sets"})
_NO_LIMIT = "1000000"
"""Pod slots of a type that does not tell them."""


class UnsaidError(Exception):
    """Something in the problem has no counterpart in the original program."""


def question(market: Market) -> Json:
    """What the original program is asked.

    Minimum nodes stand already, bought as the baselines buy them (the cheapest), and empty.

    Raises
    ------
    UnsaidError
        Where the problem cannot be put exactly.
    """
    problem = market.instance.problem
    # Pods that state preferences are refused one by one; what a preference is worth then says nothing.
    policies = Policies(microusd_per_weight_hour=problem.policies.microusd_per_weight_hour)
    plain = Problem((), (), problem.catalog, policies=policies)
    _refuse_other_fields(problem, plain, _PROBLEM, "the problem")
    return {
        "nodePools": [_node_pool(pool) for pool in problem.node_pools],
        "instanceTypes": [_instance_type(kind) for kind in _in_some_pool(market)],
        "workloads": [_workload(workload) for workload in problem.workloads],
        "daemonSets": _daemon_sets(problem),
        "standingNodes": _standing(market),
    }


def pod_spec(template: PodTemplate) -> Json:
    """A pod of this template, with one container."""
    _refuse_other_fields(template, PodTemplate(), _TRANSLATED, "a pod")
    spec: Json = {
        "containers": [{"name": "main", "resources": {"requests": quantities(template.requests)}}],
        "tolerations": [_toleration(toleration) for toleration in template.tolerations],
    }
    selector = [_expression(requirement) for requirement in template.node_selector]
    terms = [[_expression(r) for r in term] for term in template.node_affinity] or [[]]
    if selector or template.node_affinity:
        required = [{"matchExpressions": selector + term} for term in terms]
        spec["affinity"] = {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": required}
            }
        }
    return spec


def quantities(amounts: Resources | Iterable[tuple[str, int]]) -> dict[str, str]:
    """Kubernetes quantities: milli-CPU as ``m``, all else as plain integers."""
    return {name: f"{amount}m" if name == CPU else str(amount) for name, amount in amounts}


def _refuse_other_fields(value: Any, plain: Any, said: frozenset[str], what: str) -> None:
    """Refuse fields that are set and that nobody translates, those the model may gain included."""
    for field in fields(value):
        if field.name not in said and getattr(value, field.name) != getattr(plain, field.name):
            raise UnsaidError(f"{what} sets {field.name}, which is not put to the original program")


def _node_pool(pool: NodePool) -> Json:
    _refuse_other_fields(pool, NodePool(pool.name), _NODE_POOL, f"NodePool {pool.name}")
    limits = quantities(pool.limits)
    if pool.max_nodes is not None:
        limits["nodes"] = str(pool.max_nodes)
    return {
        "name": pool.name,
        "weight": pool.weight,
        "labels": dict(pool.labels),
        "requirements": [
            _expression(r) | ({} if r.min_values is None else {"minValues": r.min_values})
            for r in pool.requirements
        ],
        "taints": [_taint(taint) for taint in pool.taints],
        "limits": limits,
    }


def _in_some_pool(market: Market) -> list[InstanceType]:
    """Types that some NodePool may buy, in the catalogue's order; Karpenter drops the others first thing."""
    shelf, rows = market.instance.shelf, market.instance.row_of[: market.n_bought]
    kinds = market.instance.problem.catalog.instance_types
    return [kinds[t] for t in sorted({int(t) for t in shelf.type_of[rows]})]


def _instance_type(kind: InstanceType) -> Json:
    regions = {offering.region for offering in kind.offerings}
    if len(regions) > 1:
        raise UnsaidError(f"{kind.name} is sold in {len(regions)} regions; an autoscaler lives in one")
    if any(offering.available is not None for offering in kind.offerings):
        raise UnsaidError(f"{kind.name} has limited supply, which the original program is not told")
    own = dict(kind.labels) | {labels.ARCH: kind.arch, labels.OS: kind.os, labels.REGION: regions.pop()}
    own.pop(labels.INSTANCE_TYPE, None)
    # Karpenter charges a claim with the largest capacity among its types and forgets that each is one
    # node, so that within one run the number of nodes has no limit; here a node counts as one of itself.
    more = {"nodes": "1"} | ({} if kind.allocatable[PODS] else {PODS: _NO_LIMIT})
    return {
        "name": kind.name,
        "labels": own,
        "capacity": quantities(kind.capacity) | more,
        "allocatable": quantities(kind.allocatable) | more,
        "offerings": [
            {
                "zone": offering.zone,
                "capacityType": offering.capacity_type.value,
                "price": offering.price_microusd_per_hour / 1e6,
            }
            for offering in kind.offerings
        ],
    }


def _workload(workload: Workload) -> Json:
    template = workload.template
    return {
        "name": workload.name,
        "replicas": workload.replicas,
        "labels": dict(template.labels),
        "spec": pod_spec(template),
    }


def _daemon_sets(problem: Problem) -> list[Json]:
    """DaemonSets, and the flat overhead of each NodePool as one that runs on its nodes only."""
    daemons = [_daemon(daemon) for daemon in problem.daemon_sets]
    for pool in problem.node_pools:
        if pool.overhead:
            on_pool = Requirement(labels.NODE_POOL, Operator.IN, (pool.name,))
            everywhere = PodTemplate(pool.overhead, (on_pool,), tolerations=(Toleration(exists=True),))
            spec = pod_spec(everywhere)
            daemons.append({"name": f"overhead-{pool.name}", "replicas": 1, "labels": {}, "spec": spec})
    return daemons


def _daemon(daemon: DaemonSet) -> Json:
    return {
        "name": daemon.name,
        "replicas": 1,
        "labels": dict(daemon.template.labels),
        "spec": pod_spec(daemon.template),
    }


def _standing(market: Market) -> list[Json]:
    """The minimum nodes of the NodePools, as running nodes named so that they sort as they were bought."""
    instance = market.instance
    if len(instance.problem.existing_nodes):
        raise UnsaidError("nodes that exist already have pods and labels the market does not keep")
    minimum = fill_standing(market, np.empty(0, dtype=np.int64)).filled.candidates.tolist()
    if minimum and (instance.problem.daemon_sets or any(p.overhead for p in instance.problem.node_pools)):
        raise UnsaidError("daemons of nodes that stand already would be counted twice")
    kinds, shelf = instance.problem.catalog.instance_types, instance.shelf
    nodes = []
    for number, candidate in enumerate(minimum):
        row = instance.row_of[candidate]
        kind = kinds[shelf.type_of[row]]
        offering = kind.offerings[shelf.offering_of[row]]
        variant = instance.variants[instance.variant_of[candidate]]
        pool = instance.problem.node_pools[variant.pool]
        own = dict(kind.labels) | {
            labels.ARCH: kind.arch,
            labels.OS: kind.os,
            labels.REGION: offering.region,
            labels.ZONE: offering.zone,
            labels.CAPACITY_TYPE: offering.capacity_type.value,
            labels.INSTANCE_TYPE: kind.name,
        }
        own |= {key: value for key, value in variant.fixed if value is not None}
        free = zip(instance.resources, instance.allocatable[candidate].tolist(), strict=True)
        nodes.append(
            {
                "name": f"standing-{number:05d}",
                "labels": own,
                "taints": [_taint(taint) for taint in pool.taints],
                "capacity": quantities(kind.capacity),
                "free": quantities(free),
            }
        )
    return nodes


def _expression(requirement: Requirement) -> Json:
    return {
        "key": requirement.key,
        "operator": requirement.operator.value,
        "values": list(requirement.values),
    }


def _taint(taint: Taint) -> Json:
    return {"key": taint.key, "value": taint.value, "effect": taint.effect.value}


def _toleration(toleration: Toleration) -> Json:
    said: Json = (
        {"operator": "Exists"} if toleration.exists else {"operator": "Equal", "value": toleration.value}
    )
    if toleration.key:
        said["key"] = toleration.key
    if toleration.effect is not None:
        said["effect"] = toleration.effect.value
    return said

"""Bounds on spot capacity: how many pods of a workload may be on it, and in one pool of it."""

from __future__ import annotations

from binwright_optimizer.instance.domains.counting import Counting
from binwright_optimizer.model import CapacityType, labels


def add_spot(counting: Counting) -> None:
    """Rows of every spot policy; each workload that has one is a kind of its own."""
    for k, cells in counting.local.items():
        policy, workload = counting.kinds.stated[k].spot
        if workload < 0:
            continue
        replicas = counting.problem.workloads[workload].replicas
        spot = [(v, scope) for v, scope in cells if scope[labels.CAPACITY_TYPE] == CapacityType.SPOT.value]
        if policy.min_on_demand is not None:
            most = replicas - policy.min_on_demand.at_least(replicas)
            counting.builder.row([v for v, _ in spot], upper=float(most))
        if policy.max_per_pool is not None:
            most = policy.max_per_pool.at_most(replicas)
            pools: dict[tuple[str | None, str | None], list[int]] = {}
            for v, scope in spot:  # pools that are not told apart count as one
                named = scope.get(labels.INSTANCE_TYPE)
                pool = (named, scope.get(labels.ZONE)) if named is not None else (None, None)
                pools.setdefault(pool, []).append(v)
            for mine in pools.values():
                counting.builder.row(mine, upper=float(most))

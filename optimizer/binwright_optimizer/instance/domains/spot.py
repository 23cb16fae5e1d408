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
            least = policy.min_on_demand.at_least(replicas)
            counting.builder.row([v for v, _ in spot], upper=float(replicas - least))
            others = [v for v, _ in cells if v not in dict(spot)]
            some = counting.builder.variable(0.0, 1.0, is_integer=True)  # whether any pod is on spot
            counting.builder.row(
                {**dict.fromkeys((v for v, _ in spot), 1.0), some: -float(replicas)}, upper=0.0
            )
            counting.builder.row({**dict.fromkeys(others, 1.0), some: -float(least)}, lower=0.0)
        if policy.max_per_pool is not None:
            most = policy.max_per_pool.at_most(replicas)
            pools: dict[tuple[str | None, str | None], list[int]] = {}
            for v, scope in spot:  # pools that are not told apart count as one
                named = scope.get(labels.INSTANCE_TYPE)
                pool = (named, scope.get(labels.ZONE)) if named is not None else (None, None)
                pools.setdefault(pool, []).append(v)
            for pods in pools.values():
                counting.builder.row(pods, upper=float(most))

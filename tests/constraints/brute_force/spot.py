"""Spot policies, bounds on loss, and what interruptions cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

from binwright_optimizer.model import CapacityType, Problem, labels

from brute_force.nodes import Node, Pod


def spot_holds(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Spot policies: enough pods of a workload off spot, and not too many in one pool."""
    for w, workload in enumerate(problem.workloads):
        policy = workload.spot or problem.policies.spot
        mine = [pod for pod in placed if pod.workload == w]
        on_spot = [p for p in mine if p.node.labels.get(labels.CAPACITY_TYPE) == CapacityType.SPOT.value]
        if policy.min_on_demand is not None:
            least = min(len(mine), policy.min_on_demand.at_least(workload.replicas))
            if len(mine) - len(on_spot) < least:
                return False
        if policy.max_per_pool is not None:
            most = policy.max_per_pool.at_most(workload.replicas)
            pools = [
                (p.node.labels.get(labels.INSTANCE_TYPE), p.node.labels.get(labels.ZONE)) for p in on_spot
            ]
            if any(pools.count(pool) > most for pool in pools):
                return False
    return True


def losses_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Bounds on loss: every set of pools that may be reclaimed is tried."""
    for w, workload in enumerate(problem.workloads):
        bound = (workload.spot or problem.policies.spot).loss
        on_spot = [p for p in placed if p.workload == w and p.node.labels.get(labels.CAPACITY_TYPE) == "spot"]
        if bound is None or not on_spot:
            continue
        pool_of = [(p.node.labels.get(labels.INSTANCE_TYPE), p.node.labels.get(labels.ZONE)) for p in on_spot]
        chance = {}
        for pool in set(pool_of):
            [rate] = [
                o.interruption_ppm_per_month
                for kind in problem.catalog.instance_types
                for o in kind.offerings
                if (kind.name, o.zone, o.capacity_type.value) == (*pool, "spot")
            ] or [None]
            months = bound.window_s / (730 * 3600)
            left = math.exp(-months) if rate is None else (1 - rate / 1_000_000) ** months
            chance[pool] = 1 - left
        too_much = 0.0
        for reclaimed in itertools.product((False, True), repeat=len(chance)):
            taken = dict(zip(chance, reclaimed, strict=True))
            lost = sum(taken[pool] for pool in pool_of)
            if lost > bound.share.at_most(workload.replicas):
                too_much += math.prod(q if taken[pool] else 1 - q for pool, q in chance.items())
        if too_much > bound.probability_ppm / 1_000_000 * (1 + 1e-6):
            return False
    return True


def interruptions(problem: Problem, placed: Sequence[Pod]) -> int:
    """What interruptions of pods on spot nodes cost on average; of a rate not known, one a month."""
    total = 0
    for pod in placed:
        own = pod.node.labels
        if own.get(labels.CAPACITY_TYPE) != CapacityType.SPOT.value:
            continue
        [rate] = [
            o.interruption_ppm_per_month
            for kind in problem.catalog.instance_types
            for o in kind.offerings
            if (kind.name, o.zone) == (own.get(labels.INSTANCE_TYPE), own.get(labels.ZONE))
            and o.capacity_type is CapacityType.SPOT
        ] or [None]
        cost = pod.template.restart_cost_microusd or problem.policies.restart_cost_microusd
        total += math.ceil(Fraction(cost * (1_000_000 if rate is None else rate), 1_000_000 * 730))
    return total

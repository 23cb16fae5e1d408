"""Bounds on spot capacity: how many pods of a workload may be on it, and in one pool of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.domains.counting import Counting
from binwright_optimizer.instance.domains.localize import Localized
from binwright_optimizer.instance.domains.spot_loss import (
    Pool,
    largest_boxes,
    plans,
    reclaim_chance,
    reclaim_rates,
)
from binwright_optimizer.model import CapacityType, Problem, labels
from binwright_optimizer.model.spot import LossBound

UNNAMED: Pool = ("*", None)
"""All pools that are not told apart. Running nodes without a type or a zone are pools of their own."""


def alone_on_spot(kinds: Kinds, localized: Localized, n_placements: int) -> NDArray[np.bool_]:
    """Placements of local kinds that are counted by spot pool: bool array (placement,).

    For a node with such pods no other type may be launched, as that is another pool.
    """
    result = np.zeros(n_placements, dtype=bool)
    for placement, content in zip(localized.placement_of.tolist(), localized.contents, strict=True):
        result[placement] |= any(kinds.stated[k].spot[0].counts_pools for k, _ in content)
    return result


def add_spot(counting: Counting) -> None:
    """Rows of every spot policy; each workload that has one is a kind of its own."""
    for k, cells in counting.local.items():
        policy, workload = counting.kinds.stated[k].spot
        if workload < 0:
            continue
        replicas = counting.problem.workloads[workload].replicas
        spot = [cell for cell in cells if cell[2][labels.CAPACITY_TYPE] == CapacityType.SPOT.value]
        on_spot = {v: float(pods) for v, pods, _ in spot}
        if policy.min_on_demand is not None:
            least = policy.min_on_demand.at_least(replicas)
            counting.builder.row(on_spot, upper=float(replicas - least))
            others = {v: float(pods) for v, pods, _ in cells if v not in on_spot}
            some = counting.builder.variable(0.0, 1.0, is_integer=True)  # whether any pod is on spot
            counting.builder.row({**on_spot, some: -float(replicas)}, upper=0.0)
            counting.builder.row({**others, some: -float(least)}, lower=0.0)
        pools: dict[Pool, dict[int, float]] = {}
        for v, count, scope in spot if policy.counts_pools else ():  # those not told apart count as one
            pool = UNNAMED
            if labels.INSTANCE_TYPE in scope:
                pool = scope[labels.INSTANCE_TYPE], scope.get(labels.ZONE)
            pools.setdefault(pool, {})[v] = float(count)
        if policy.max_per_pool is not None:
            most = policy.max_per_pool.at_most(replicas)
            for pods in pools.values():
                counting.builder.row(pods, upper=float(most))
                for v, each in pods.items():  # half a node with twice as many pods is no node
                    counting.most[v] = min(counting.most[v], most // int(each))
        if policy.loss is not None and pools:
            _add_loss(counting, policy.loss, replicas, pools)


def _running_pools(problem: Problem) -> list[Pool]:
    """Pools of the running spot nodes, of which the catalogue may know nothing."""
    stated = (dict(node.labels) for node in problem.existing_nodes)
    return [
        (own.get(labels.INSTANCE_TYPE), own.get(labels.ZONE))
        for own in stated
        if own.get(labels.CAPACITY_TYPE) == CapacityType.SPOT.value
    ]


def _add_loss(
    counting: Counting, bound: LossBound, replicas: int, pools: dict[Pool, dict[int, float]]
) -> None:
    """Rows of the chance bound on what is lost."""
    builder = counting.builder
    known = reclaim_rates(counting.problem.catalog, bound.window_s)
    unknown = reclaim_chance(None, bound.window_s)
    running = (known.get(pool, unknown) for pool in _running_pools(counting.problem))
    worst = max((*known.values(), *running), default=unknown)
    named = sorted((pool for pool in pools if pool != UNNAMED), key=str)
    rates = [known.get(pool, unknown) for pool in named]
    boxes = None if UNNAMED in pools else largest_boxes(bound, replicas, rates)
    if boxes is not None:
        chosen = [builder.variable(0.0, 1.0, is_integer=True) for _ in boxes]
        builder.row(chosen, upper=1.0)
        for p, pool in enumerate(named):
            room = {z: -float(box[p]) for z, box in zip(chosen, boxes, strict=True)}
            builder.row({**pools[pool], **room}, upper=0.0)
        return
    choices = plans(bound, replicas, [*rates, worst])
    if any(plan.pools >= replicas and plan.cap >= replicas and plan.rate >= worst for plan in choices):
        return
    chosen = [builder.variable(0.0, 1.0, is_integer=True) for _ in choices]
    builder.row(chosen, upper=1.0)
    used: dict[int, float] = {}
    for pool, rate in [*zip(named, rates, strict=True), *((p, worst) for p in pools if p == UNNAMED)]:
        pods = pools[pool]
        suits = [(z, plan) for z, plan in zip(chosen, choices, strict=True) if plan.rate >= rate]
        builder.row({**pods, **{z: -float(plan.cap) for z, plan in suits}}, upper=0.0)
        if pool == UNNAMED:
            used |= dict.fromkeys(pods, 1.0)  # each of them may be in a pool of its own
        else:
            is_used = builder.variable(0.0, 1.0, is_integer=True)
            builder.row({**pods, is_used: -float(replicas)}, upper=0.0)
            used[is_used] = 1.0
    builder.row({**used, **{z: -float(p.pools) for z, p in zip(chosen, choices, strict=True)}}, upper=0.0)

"""Options that some cheapest decision never buys, because another holds as much for no more.

Where nothing but room and admission binds pods to nodes, a node may be exchanged for one of another option
that is no dearer, is sold without limit, admits the same pods and has room for whatever the first could hold.
So some cheapest decision buys only options that none other replaces. What a node can hold of one resource is
bounded by its room in another: of 390 slots on 16 CPUs pods of half a CPU use 32.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import PodTemplate, Policies, Problem, SpotPolicy, TaintEffect
from binwright_optimizer.verify.knapsack import undominated
from binwright_optimizer.verify.market import Int64Array, Market


def is_exchangeable(problem: Problem) -> bool:
    """Whether nothing but room and admission binds pods to nodes, and nodes to each other.

    No rules between pods, zones or nodes, no wishes, no devices, no limits, minimums or commitments, and no
    costs but prices. Whatever is not known to be harmless counts as a tie.
    """
    policies = replace(problem.policies, microusd_per_weight_hour=0, preferences=Policies().preferences)
    return (
        not problem.existing_nodes  # whose pods may keep others away
        and not problem.gangs
        and not problem.reservations
        and not problem.savings_plans
        and replace(policies, min_values=Policies().min_values) == Policies()
        and all(_is_free(workload.template) for workload in problem.workloads)
        and all(not one.gang and one.spot == SpotPolicy() for one in problem.workloads)
        and all(
            not pool.limits
            and not pool.min_nodes
            and pool.max_nodes is None
            and all(requirement.min_values is None for requirement in pool.requirements)
            and all(taint.effect is not TaintEffect.PREFER_NO_SCHEDULE for taint in pool.taints)
            for pool in problem.node_pools
        )
    )


def _is_free(template: PodTemplate) -> bool:
    """Whether pods of a template ask for nothing but room and an admission that depends on the node alone."""
    usual = PodTemplate()
    asked = replace(
        template,
        requests=usual.requests,
        node_selector=(),
        node_affinity=(),
        tolerations=(),
        labels=(),
        priority=usual.priority,
        priority_class=usual.priority_class,
        preempts=usual.preempts,
        do_not_disrupt=usual.do_not_disrupt,
        grace_s=usual.grace_s,
    )
    return asked == usual


def without_replaceable(shop: Market, demand: Int64Array) -> Market:
    """The market with the options that no other replaces for these pods.

    Parameters
    ----------
    demand
        (class,) pods placed; classes without any bind nothing.
    """
    active = np.flatnonzero(demand > 0)
    if not len(active):
        return shop
    admitted = shop.is_admitted[:, active].astype(np.float32)
    is_subset = (admitted @ (1 - admitted.T)) == 0
    room = usable(shop.room, shop.requests[active])
    order = np.lexsort((-room[:, -1], shop.price))
    kept = undominated(room, shop.price, shop.row_of, is_subset, order, shop.available < 0)
    return replace(
        shop,
        pool_of=shop.pool_of[kept],
        price=shop.price[kept],
        available=shop.available[kept],
        room=shop.room[kept],
        row_of=shop.row_of[kept],
        use={key: use[kept] for key, use in shop.use.items()},
    )


def usable(room: Int64Array, requests: Int64Array) -> Int64Array:
    """Most of each resource that pods on a node can use, (option, resource), at most its room.

    Parameters
    ----------
    requests
        (class, resource); whatever mixture of the classes it is, each unit of one resource brings at most the
        largest ratio of requests in another.

    Examples
    --------
    Slots and milli-CPU; pods of half a CPU:

    >>> usable(np.array([[390, 16_000]]), np.array([[1, 500]])).tolist()
    [[32, 16000]]
    """
    found: NDArray[np.object_] = room.astype(object)
    for r in range(room.shape[1]):
        for s in range(room.shape[1]):
            ratio = _most_ratio(requests[:, r].tolist(), requests[:, s].tolist())
            if r != s and ratio is not None:
                most = room[:, s].astype(object) * ratio.numerator // ratio.denominator
                found[:, r] = np.minimum(found[:, r], most)
    return found.astype(np.int64)


def _most_ratio(wanted: list[int], beside: list[int]) -> Fraction | None:
    """The largest wanted / beside of the classes; None if one wants without any beside it."""
    if any(amount and not other for amount, other in zip(wanted, beside, strict=True)):
        return None
    return max((Fraction(a, b) for a, b in zip(wanted, beside, strict=True) if b), default=Fraction(0))

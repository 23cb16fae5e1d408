"""Commitments held: what is kept for us, and what nodes cost when commitments pay for some of them.

Each node uses at most one reservation, or takes from the savings plan, of which there is at most one;
nodes that run already come first, in the order they are listed.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction

from binwright_optimizer.model import (
    CapacityType,
    InstanceType,
    Offering,
    PriceSource,
    Problem,
    Reservation,
    labels,
)

from brute_force.nodes import Node


def kept_for_us(problem: Problem, kind: InstanceType) -> list[tuple[Offering, Reservation]]:
    """Reserved capacity of a type, in every zone where it may be; whoever sells it there is of no account."""
    found = []
    for held in problem.reservations:
        if held.capacity_type is CapacityType.RESERVED and held.instance_type == kind.name:
            zones = sorted({o.zone for o in kind.offerings if o.region == held.region})
            for zone in zones:
                if held.zone in ("", zone):
                    price = held.price_microusd_per_hour
                    source = PriceSource("held", "")
                    offering = Offering(held.region, zone, CapacityType.RESERVED, price, source)
                    found.append((offering, held))
    return found


def paid(problem: Problem, nodes: Sequence[Node]) -> int:
    """Micro-dollars per hour of the nodes bought, commitments used in the cheapest way.

    Savings of a node in part on the plan are whole micro-dollars in all problems drawn here.
    """
    bought = [node for node in nodes if node.option is not None]
    price = {id(n): n.option.offering.price_microusd_per_hour for n in bought if n.option is not None}
    ordinary = [n for n in bought if n.labels[labels.CAPACITY_TYPE] == CapacityType.ON_DEMAND.value]
    if not ordinary or not (problem.reservations or problem.savings_plans):
        return sum(price.values())
    left, budget = _left(problem)
    discounts = [k for k, r in enumerate(problem.reservations) if r.capacity_type is CapacityType.ON_DEMAND]
    ways = [
        [None, *(k for k in discounts if left[k] and _is_for(problem.reservations[k], node.labels))]
        for node in ordinary
    ]
    costs = []
    for chosen in itertools.product(*ways):
        if any(chosen.count(k) > left[k] for k in discounts):
            continue
        cost, covered = sum(price.values()), 0
        for node, k in zip(ordinary, chosen, strict=True):
            if k is not None:
                cost += problem.reservations[k].price_microusd_per_hour - price[id(node)]
            elif _is_on_plan(problem, node.labels):
                covered += price[id(node)]
        for plan in problem.savings_plans:
            share = Fraction(1_000_000 - plan.discount_ppm, 1_000_000)
            cost -= int(min(covered, budget / share))
        costs.append(cost)
    return min(costs)


def reserved_nodes_left(problem: Problem) -> list[int]:
    """Nodes of each reservation that running nodes do not use."""
    return _left(problem)[0]


@functools.lru_cache(maxsize=16)
def _left(problem: Problem) -> tuple[list[int], Fraction]:
    """The same, and micro-dollars an hour of the savings plan, if there is one."""
    assert len(problem.savings_plans) <= 1
    left = [held.count for held in problem.reservations]
    budget = Fraction(sum(plan.microusd_per_hour for plan in problem.savings_plans))
    for node in problem.existing_nodes:
        own = dict(node.labels)
        mine = [k for k, held in enumerate(problem.reservations) if left[k] and _is_for(held, own)]
        if mine:
            left[mine[0]] -= 1
            continue
        prices = [
            offering.price_microusd_per_hour
            for kind in problem.catalog.instance_types
            for offering in kind.offerings
            if kind.name == own.get(labels.INSTANCE_TYPE)
            and (offering.region, offering.zone) == (own.get(labels.REGION), own.get(labels.ZONE))
            and offering.capacity_type.value == "on-demand" == own.get(labels.CAPACITY_TYPE)
        ]
        if prices and _is_on_plan(problem, own):
            [plan] = problem.savings_plans
            budget -= min(budget, prices[0] * Fraction(1_000_000 - plan.discount_ppm, 1_000_000))
    return left, budget


def _is_for(held: Reservation, own: Mapping[str, str]) -> bool:
    """Whether a node with these labels may use a reservation."""
    return (
        own.get(labels.INSTANCE_TYPE) == held.instance_type
        and own.get(labels.REGION) == held.region
        and held.zone in ("", own.get(labels.ZONE))
        and own.get(labels.CAPACITY_TYPE) == held.capacity_type.value
    )


def _is_on_plan(problem: Problem, own: Mapping[str, str]) -> bool:
    return any(all(own.get(r.key) in r.values for r in plan.requirements) for plan in problem.savings_plans)

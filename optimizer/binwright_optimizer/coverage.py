"""What savings plans pay of nodes bought at their ordinary price, once it is known what is bought.

The search buys whole nodes on a plan (`instance.held`). What is left of a plan then is less than a node
takes, or belongs to nodes that were bought at their ordinary price: here it is spent on those, plans of
larger discount first. Relaxed, a node in part on a plan is a part of a node on the plan and a part of one
at its ordinary price, so that the bound of the search holds for such nodes, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.choices import pools_with_choice
from binwright_optimizer.model import CommitmentUse, Cover, NodeClaim, Problem
from binwright_optimizer.model.commitments import left_by_running, saved


@dataclass(frozen=True, slots=True)
class Priced:
    """``count`` nodes of column ``p`` that cost so much each, micro-dollars per hour, after ``covers``."""

    p: int
    count: int
    price: int
    covers: tuple[Cover, ...] = ()


def priced(instance: Instance, candidates: NDArray[np.intp], counts: NDArray[np.int64]) -> list[Priced]:
    """The nodes of every column by what they cost.

    Parameters
    ----------
    candidates, counts
        intp and int64 arrays (p,).
    """
    shelf, names = instance.shelf, [row.commitment for row in instance.limits if row.commitment]
    closed = pools_with_choice(instance.problem)
    done: list[Priced] = []
    open_nodes: list[tuple[Priced, Fraction]] = []  # with the share that no plan pays for yet
    for p, (j, count) in enumerate(zip(candidates.tolist(), counts.tolist(), strict=True)):
        row = int(instance.row_of[j])
        nodes = Priced(p, count, int(instance.price[j]))
        if row < 0 or not names or int(instance.pool_of[j]) in closed:
            done.append(nodes)
        elif shelf.held_limit[row] >= 0:
            name = names[shelf.held_limit[row]]
            is_plan = shelf.held_limit[row] in shelf.plan_limit
            spent = int(shelf.held_use[row]) if is_plan else 0
            done.append(Priced(p, count, nodes.price, (Cover(name, spent),)))
        else:
            open_nodes.append((nodes, Fraction(1)))
    plans = instance.problem.savings_plans
    for c in sorted(range(len(plans)), key=lambda c: -plans[c].discount_ppm):
        limit = int(shelf.plan_limit[c]) if len(shelf.plan_limit) else -1
        if limit >= 0:
            left = _left(instance, names[limit], candidates, counts)
            open_nodes = _spent(instance, candidates, c, left, open_nodes)
    return done + [nodes for nodes, _ in open_nodes]


def _left(instance: Instance, name: str, candidates: NDArray[np.intp], counts: NDArray[np.int64]) -> int:
    """What the columns leave of a commitment."""
    k = next(k for k, row in enumerate(instance.limits) if row.commitment == name)
    used: int = sum(
        int(use) * n for use, n in zip(instance.limit_use[candidates, k], counts.tolist(), strict=True)
    )
    return instance.limits[k].room - used


def _spent(
    instance: Instance,
    candidates: NDArray[np.intp],
    c: int,
    left: int,
    open_nodes: list[tuple[Priced, Fraction]],
) -> list[tuple[Priced, Fraction]]:
    """The nodes after ``left`` micro-dollars per hour of savings plan ``c`` are spent on them."""
    name = instance.problem.savings_plans[c].name
    result: list[tuple[Priced, Fraction]] = []
    for nodes, share in open_nodes:
        j = candidates[nodes.p]
        price, draw = int(instance.price[j]), int(instance.shelf.plan_draw[c, instance.row_of[j]])
        each = int(share * draw)
        whole = min(nodes.count, left // each) if each else 0
        partly = int(whole < nodes.count and 0 < left - whole * each < each)
        for count, spent in ((whole, each), (partly, left - whole * each)):
            if count:
                now = nodes.price - saved(price, draw, spent)
                paid = Priced(nodes.p, count, now, (*nodes.covers, Cover(name, spent)))
                result.append((paid, share - Fraction(spent, draw)))
        left = 0 if partly else left - whole * each
        rest = nodes.count - whole - partly
        if rest:
            result.append((Priced(nodes.p, rest, nodes.price, nodes.covers), share))
    return result


def commitment_uses(problem: Problem, claims: Sequence[NodeClaim]) -> tuple[CommitmentUse, ...]:
    """How much of each commitment running nodes and claims use; reservations first."""
    running = [dict(node.labels) for node in problem.existing_nodes]
    nodes, spend = left_by_running(problem.catalog, problem.reservations, problem.savings_plans, running)
    used = Counter[str]()
    for claim in claims:
        for cover in claim.covers:
            used[cover.commitment] += cover.microusd_per_hour or 1  # a node of a reservation
    of_nodes = [
        CommitmentUse(held.name, True, held.count, held.count - left, used[held.name])
        for held, left in zip(problem.reservations, nodes, strict=True)
    ]
    of_spend = [
        CommitmentUse(
            plan.name, False, plan.microusd_per_hour, plan.microusd_per_hour - left, used[plan.name]
        )
        for plan, left in zip(problem.savings_plans, spend, strict=True)
    ]
    return (*of_nodes, *of_spend)

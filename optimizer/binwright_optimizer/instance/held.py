"""Commitments held, as rows of the shelf: what is paid already is on sale again at its sunk price.

A reservation adds a row for each place where it may be used, and all its rows share its count. A savings
plan adds a row for each on-demand offering that it covers, at no price: each node takes its discounted
price from what is committed. Shared counts and spend are limits like those of NodePools (`LimitRow`), so
that greedy steps, the master's duals and the bound treat them as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.instance.limits import LimitRow
from binwright_optimizer.instance.shelf import UNLIMITED, Shelf
from binwright_optimizer.model import CapacityType, ExistingNode, InstanceType, Offering, Problem, labels
from binwright_optimizer.model.commitments import left_by_running, saved, sold_labels

SPEND = "micro-dollars"
"""What a savings plan's limit counts."""
NODES_HELD = "reserved nodes"
"""What a reservation's limit counts."""


def shelf_with_held(shelf: Shelf, problem: Problem) -> tuple[Shelf, tuple[LimitRow, ...]]:
    """The shelf with the rows of the problem's commitments, and what is left of each.

    Raises
    ------
    InvalidProblemError
        If two commitments have one name.
    """
    if not problem.reservations and not problem.savings_plans:
        return shelf, ()
    _refuse_repeated_names(problem)
    nodes, spend = left_by_running(
        problem.catalog, problem.reservations, problem.savings_plans, running_labels(problem.existing_nodes)
    )
    rows: list[_Row] = []
    limits: list[LimitRow] = []
    for index, left in enumerate(nodes):
        if left:
            rows += _of_reservation(problem, index, len(limits))
            limits.append(LimitRow(-1, NODES_HELD, left, commitment=problem.reservations[index].name))
    plan_draw = np.zeros((len(spend), len(shelf.price)), dtype=np.int64)
    plan_limit = np.full(len(spend), -1, dtype=np.intp)
    for index, left in enumerate(spend):
        if left:
            plan_limit[index] = len(limits)
            rows += _of_plan(problem, index, left, len(limits), plan_draw[index])
            limits.append(LimitRow(-1, SPEND, left, commitment=problem.savings_plans[index].name))
    return _extended(shelf, rows, plan_draw, plan_limit), tuple(limits)


def running_labels(nodes: tuple[ExistingNode, ...]) -> list[Mapping[str, str]]:
    """Labels of the nodes that run."""
    return [dict(node.labels) for node in nodes]


def _refuse_repeated_names(problem: Problem) -> None:
    names = [r.name for r in problem.reservations]
    for index, plan in enumerate(problem.savings_plans):
        if plan.name in names:
            raise InvalidProblemError.of(
                f"savings_plans[{index}].name", plan.name, "is already the name of another commitment"
            )


@dataclass(frozen=True, slots=True)
class _Row:
    """A row to add: like shelf row ``base``, bought as ``sold_as`` and using so much of a limit."""

    base: int
    sold_as: CapacityType
    price: int
    limit: int
    use: int


def _on_sale(problem: Problem) -> Iterator[tuple[int, InstanceType, Offering]]:
    """Shelf row, type and offering of everything on sale."""
    kinds = problem.catalog.instance_types
    pairs = ((kind, offering) for kind in kinds for offering in kind.offerings)
    for row, (kind, offering) in enumerate(pairs):
        yield row, kind, offering


def _of_reservation(problem: Problem, index: int, limit: int) -> list[_Row]:
    """A row for each place where the reservation may be used."""
    held = problem.reservations[index]
    found: list[_Row] = []
    seen: set[str] = set()
    for row, kind, offering in _on_sale(problem):
        sold_as = offering.capacity_type
        if held.capacity_type is CapacityType.RESERVED:
            sold_as = CapacityType.RESERVED  # kept for us wherever the type exists
        if not held.covers(kind.name, offering.region, offering.zone, sold_as) or offering.zone in seen:
            continue
        seen.add(offering.zone)
        found.append(_Row(row, held.capacity_type, held.price_microusd_per_hour, limit, 1))
    return found


def _of_plan(problem: Problem, index: int, left: int, limit: int, draw: NDArray[np.int64]) -> list[_Row]:
    """A row for each on-demand offering that the plan covers; ``draw`` is filled in place.

    A node that would take more than is left has one more, at the price that is left of it. The relaxation
    needs the first as well: fractions of it are what the bound is about.
    """
    plan = problem.savings_plans[index]
    found: list[_Row] = []
    for row, kind, offering in _on_sale(problem):
        price = offering.price_microusd_per_hour
        whole = plan.discounted(price)
        if offering.capacity_type is not CapacityType.ON_DEMAND or not whole:
            continue
        if plan.covers(sold_labels(kind, offering)):
            draw[row] = whole
            found.append(_Row(row, CapacityType.ON_DEMAND, 0, limit, whole))
            if whole > left:
                rest = price - saved(price, whole, left)
                found.append(_Row(row, CapacityType.ON_DEMAND, rest, limit, left))
    return found


def _extended(
    shelf: Shelf, rows: list[_Row], plan_draw: NDArray[np.int64], plan_limit: NDArray[np.intp]
) -> Shelf:
    """The shelf with more rows."""
    base = np.array([row.base for row in rows], dtype=np.intp)
    sold_as = [row.sold_as for row in rows]
    is_reserved = np.array([kind is CapacityType.RESERVED for kind in sold_as], dtype=bool)
    every = np.concatenate([np.arange(len(shelf.price)), base]).astype(np.intp)
    columns = shelf.labels.expand(every)
    capacity_type = shelf.labels.columns[labels.CAPACITY_TYPE]
    kinds = [str(capacity_type.vocabulary[code]) for code in capacity_type.codes]
    columns = columns.with_column(labels.CAPACITY_TYPE, [*kinds, *(kind.value for kind in sold_as)])
    width = len(shelf.price)
    own = width + np.arange(len(rows), dtype=np.intp)
    return replace(
        shelf,
        type_of=shelf.type_of[every],
        offering_of=shelf.offering_of[every],
        price=np.concatenate([shelf.price, np.array([row.price for row in rows], dtype=np.int64)]),
        available=np.concatenate([shelf.available, np.where(is_reserved, UNLIMITED, shelf.available[base])]),
        labels=columns,
        supplied_by=np.concatenate([shelf.supplied_by, np.where(is_reserved, own, base)]),
        held_limit=np.concatenate([shelf.held_limit, np.array([row.limit for row in rows], dtype=np.intp)]),
        held_use=np.concatenate([shelf.held_use, np.array([row.use for row in rows], dtype=np.int64)]),
        plan_draw=np.pad(plan_draw, ((0, 0), (0, len(rows)))),
        plan_limit=plan_limit,
    )

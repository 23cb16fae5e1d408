"""Commitments held: what they let a problem buy at sunk prices, and whether a decision uses them rightly.

A reservation of capacity is on sale wherever its type exists, one of instances wherever that is sold on
demand; a savings plan pays for on-demand nodes that it covers. `sold_columns` shows them as offerings of
their own, which draw on what running nodes leave. A node in part on a plan is, for the bound, a part of a
node on the plan and a part of one at its ordinary price: it never costs less than they do together, as
savings are rounded down.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from weakref import WeakKeyDictionary

import numpy as np

from binwright_optimizer.model import (
    CapacityType,
    CommitmentUse,
    Decision,
    NodeClaim,
    Offering,
    PriceSource,
    Problem,
    Reservation,
    SavingsPlan,
)
from binwright_optimizer.model.commitments import left_by_running, saved, sold_labels
from binwright_optimizer.verify.offerings import OfferingColumns, offering_columns

PAID = PriceSource("paid already", "")
"""Source of the price of what a reservation pays for."""


@dataclass(frozen=True, slots=True)
class HeldTerms:
    """A commitment, and what running nodes leave of it: nodes, or micro-dollars per hour."""

    commitment: Reservation | SavingsPlan
    left: int

    @property
    def held(self) -> int:
        """All there is of it."""
        if isinstance(self.commitment, Reservation):
            return self.commitment.count
        return self.commitment.microusd_per_hour


def held_terms(problem: Problem) -> tuple[HeldTerms, ...]:
    """The reservations of a problem, then its savings plans."""
    running = [dict(node.labels) for node in problem.existing_nodes]
    nodes, spend = left_by_running(problem.catalog, problem.reservations, problem.savings_plans, running)
    return (
        *map(HeldTerms, problem.reservations, nodes),
        *map(HeldTerms, problem.savings_plans, spend),
    )


_cache: WeakKeyDictionary[Problem, OfferingColumns] = WeakKeyDictionary()
_cache_lock = threading.Lock()


def sold_columns(problem: Problem) -> OfferingColumns:
    """Offerings of the catalogue, and after them those that commitments pay for."""
    columns = offering_columns(problem.catalog)
    if not problem.reservations and not problem.savings_plans:
        return columns
    with _cache_lock:
        known = _cache.get(problem)
    if known is None:
        known = _with_held(problem, columns)
        with _cache_lock:
            _cache[problem] = known
    return known


@dataclass(frozen=True, slots=True)
class _Row:
    """Something on sale like offering ``like`` of the catalogue, on a commitment that it takes ``use`` of."""

    like: int
    capacity_type: CapacityType
    price: int
    available: int
    held: int
    use: int


def _with_held(problem: Problem, columns: OfferingColumns) -> OfferingColumns:
    rows = [row for number, terms in enumerate(held_terms(problem)) for row in _rows(problem, number, terms)]
    return columns.with_rows(
        like=np.array([row.like for row in rows], dtype=np.intp),
        capacity_types=[row.capacity_type.value for row in rows],
        price=np.array([row.price for row in rows], dtype=np.int64),
        available=np.array([row.available for row in rows], dtype=np.int64),
        held=np.array([row.held for row in rows], dtype=np.intp),
        use=np.array([row.use for row in rows], dtype=np.int64),
    )


def _rows(problem: Problem, number: int, terms: HeldTerms) -> Iterator[_Row]:
    """What one commitment pays for."""
    if not terms.left:
        return
    held, zones = terms.commitment, set()
    sold = [(kind, o) for kind in problem.catalog.instance_types for o in kind.offerings]
    for row, (kind, o) in enumerate(sold):
        supply = -1 if o.available is None else o.available
        if isinstance(held, SavingsPlan):
            draw = held.discounted(o.price_microusd_per_hour)
            is_covered = o.capacity_type is CapacityType.ON_DEMAND and held.covers(sold_labels(kind, o))
            if draw and is_covered:
                yield _Row(row, CapacityType.ON_DEMAND, 0, supply, number, draw)
            continue
        is_kept = held.capacity_type is CapacityType.RESERVED
        sold_as = CapacityType.RESERVED if is_kept else o.capacity_type
        if held.covers(kind.name, o.region, o.zone, sold_as) and o.zone not in zones:
            zones.add(o.zone)
            yield _Row(row, sold_as, held.price_microusd_per_hour, -1 if is_kept else supply, number, 1)


def offering_on_commitments(problem: Problem, claim: NodeClaim, sold: list[Offering]) -> Offering | str:
    """What a claim buys that commitments pay for, at the claim's price, or why there is no such thing.

    Parameters
    ----------
    sold
        Offerings of its type, region, zone and capacity type in the catalogue.
    """
    reservations = {held.name: held for held in problem.reservations}
    plans = {plan.name: plan for plan in problem.savings_plans}
    names = [cover.commitment for cover in claim.covers]
    if len(set(names)) < len(names):
        return f"a commitment covers it twice: {', '.join(names)}"
    for name in names:
        if name not in reservations and name not in plans:
            return f"commitment {name} does not exist"
    kind = next((kind for kind in problem.catalog.instance_types if kind.name == claim.instance_type), None)
    if kind is None:
        return f"instance type {claim.instance_type} does not exist"
    if any(name in reservations for name in names):
        held = reservations.get(names[0])
        if held is None or len(names) > 1 or claim.covers[0].microusd_per_hour:
            return f"a reservation pays for whole nodes only, not beside others: {', '.join(names)}"
        place = (kind.name, claim.region, claim.zone, claim.capacity_type)
        exists = any((o.region, o.zone) == place[1:3] for o in kind.offerings)
        if not held.covers(*place) or not (exists if held.capacity_type is CapacityType.RESERVED else sold):
            return f"reservation {held.name} does not cover it"
        if claim.price_microusd_per_hour != held.price_microusd_per_hour:
            asked = held.price_microusd_per_hour
            return f"a node of reservation {held.name} costs {asked}, not {claim.price_microusd_per_hour}"
        return Offering(claim.region, claim.zone, claim.capacity_type, held.price_microusd_per_hour, PAID)
    reasons = []
    for o in sold:
        price, share = o.price_microusd_per_hour, Fraction(0)
        reason = "" if o.capacity_type is CapacityType.ON_DEMAND else "savings plans pay for on-demand nodes"
        for cover in claim.covers:
            plan = plans[cover.commitment]
            whole = plan.discounted(o.price_microusd_per_hour)
            if not plan.covers(sold_labels(kind, o)) or not 0 < cover.microusd_per_hour <= whole:
                reason = reason or f"savings plan {plan.name} does not cover {cover.microusd_per_hour} of it"
                break
            price -= saved(o.price_microusd_per_hour, whole, cover.microusd_per_hour)
            share += Fraction(cover.microusd_per_hour, whole)
        if not reason and share > 1:
            reason = "savings plans cover more than the whole node"
        if not reason and price != claim.price_microusd_per_hour:
            reason = f"costs {price} after savings plans, not {claim.price_microusd_per_hour}"
        if not reason:
            return o
        reasons.append(reason)
    return "; ".join(reasons) or "is not offered there"


def commitment_findings(problem: Problem, decision: Decision) -> Iterator[str]:
    """Commitments used beyond what is left, and wrong statements about their use."""
    used: Counter[str] = Counter()
    reservations = {held.name for held in problem.reservations}
    for claim in decision.node_claims:
        for cover in claim.covers:
            used[cover.commitment] += 1 if cover.commitment in reservations else cover.microusd_per_hour
    expected = []
    for terms in held_terms(problem):
        name = terms.commitment.name
        is_reservation = isinstance(terms.commitment, Reservation)
        if used[name] > terms.left:
            unit = "nodes" if is_reservation else "micro-dollars per hour"
            yield f"{used[name]} {unit} of commitment {name} are used, {terms.left} are left"
        running = terms.held - terms.left
        expected.append(CommitmentUse(name, is_reservation, terms.held, running, used[name]))
    if decision.commitments != tuple(expected):
        yield f"the use of commitments is stated as {decision.commitments}, should be {tuple(expected)}"

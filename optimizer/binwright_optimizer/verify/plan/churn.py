"""What changing an earlier plan's nodes costs, and what nodes and changes cost together at least.

Where the earlier plan names nodes for a block of hours (the same region or zone, period, future and shares of
the busiest hour), every on-demand node that it does not have of that type and zone costs the churn price once
a period: micro-dollars an hour of it, rounded up.

**Bound.** With q_g of list prices, h_j nodes held of kind j and a surcharge s for each further one, a block
is a packing problem in which the nodes held are reservations with a price. What its certificate proves, A, is
a bound on sum_g q_g V_g + s sum_j max(0, n_j - h_j). At factors f_g, and churn of k an hour at full price W,
r A is a bound for any r with r q_g <= f_g and r s <= k W.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from binwright_optimizer.model import CapacityType, Catalog, Problem, Reservation
from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.model.mixes import PackedMix
from binwright_optimizer.verify.mixes import proven_by
from binwright_optimizer.verify.plan.commitments import Instruments
from binwright_optimizer.verify.plan.demand import Future, Hours
from binwright_optimizer.verify.plan.document import ChurnRecord, FamilyRecord
from binwright_optimizer.verify.plan.places import Site

Cell = tuple[int, int, int]
BlockName = tuple[str, str, int, str, tuple[tuple[str, int], ...]]
"""Region, zone, period, future by name, and share of the busiest hour by profile in parts per million."""
HeldNodes = Mapping[BlockName, Mapping[tuple[str, str], int]]
"""On-demand nodes of an earlier plan by (instance type, zone); blocks that it did not plan are left out."""


@dataclass(frozen=True, slots=True)
class _Proven:
    """Micro-dollars an hour proven of nodes at parts of list prices and of surcharges."""

    amount: int
    surcharge: int
    ppm: Mapping[int, int]


@dataclass(slots=True)
class Churn:
    """The churn of a plan, and the proofs that its certificate holds of it."""

    forecast: Forecast
    instruments: Instruments
    futures: Sequence[Future]
    blocks: Sequence[Hours]
    record: ChurnRecord
    held: HeldNodes
    _known: dict[tuple[int, tuple[tuple[int, int], ...], tuple[object, ...]], int] = field(
        default_factory=dict
    )
    _proven: dict[int, _Proven] = field(default_factory=dict)

    def nodes_held(self, site: Site, cell: Cell) -> Mapping[tuple[str, str], int] | None:
        """What the earlier plan has there; None if it says nothing of these hours."""
        period, future, block = cell
        names = (profile.name for profile in self.forecast.profiles)
        shares = tuple(sorted(zip(names, self.blocks[block].ppm, strict=True)))
        return self.held.get((site.region, site.zone, period, self.futures[future].name, shares))

    def of_node(self, cell: Cell) -> Fraction:
        """What a node that is not held costs an hour in a cell, where anything is held."""
        return Fraction(self.record.microusd_per_node, self.forecast.periods[cell[0]].hours)

    def hourly(self, site: Site, cell: Cell, mix: PackedMix) -> int:
        """Micro-dollars an hour for the nodes of a mix that the earlier plan does not have, rounded up."""
        held = self.nodes_held(site, cell)
        if held is None:
            return 0
        counts: Counter[tuple[str, str]] = Counter()
        for pattern, count in mix.nodes:
            if pattern.capacity_type is CapacityType.ON_DEMAND:
                counts[pattern.instance_type, pattern.zone] += count
        added = sum(max(0, count - held.get(kind, 0)) for kind, count in counts.items())
        return -(-added * self.record.microusd_per_node // self.forecast.periods[cell[0]].hours)

    def wrong_shape(self, n_answers: int, n_families: int, *, is_split: bool) -> Iterator[str]:
        """Whether every answer has a proof or none, and all proofs are of something."""
        record = self.record
        if record.microusd_per_node < 0:
            yield "a node that is added costs less than nothing"
        if len(record.of_answers) != n_answers:
            yield f"{len(record.of_answers)} answers have a proof of churn or none, {n_answers} are wanted"
        if any(number is not None and number >= len(record.proofs) for number in record.of_answers):
            yield "an answer names a proof of churn that is not there"
        if is_split and any(number is not None for number in record.of_answers):
            yield "where pods are split over places, churn is no part of the proof"
        if any(proof.family >= n_families or proof.surcharge < 0 for proof in record.proofs):
            yield "a proof of churn is of a family that is not there, or of a surcharge below zero"

    def findings(
        self,
        number: int,
        site: Site,
        cell: Cell,
        wanted: Mapping[int, int],
        families: Sequence[FamilyRecord],
        problem_of: Callable[[FamilyRecord], Problem],
    ) -> Iterator[str]:
        """What is wrong with the proof of an answer, if it has one.

        Parameters
        ----------
        number
            Of the answer.
        problem_of
            What a family packs, at its prices.
        """
        at = self.record.of_answers[number]
        if at is None:
            return
        proof, held = self.record.proofs[at], self.nodes_held(site, cell)
        family = families[proof.family]
        if held is None or Site(family.region, family.zone) != site:
            yield "the earlier plan says nothing of it"
            return
        if not set(wanted) <= set(family.workloads):
            yield "the proof does not know all workloads"
            return
        key = at, tuple(sorted(wanted.items())), tuple(sorted(held.items()))
        if key not in self._known:
            counts = [wanted.get(workload, 0) for workload in family.workloads]
            problem = beside(held, proof.surcharge, problem_of(family))
            self._known[key] = proven_by(problem, proof.certificate, counts)
        amount = self._known[key]
        if amount != proof.bound:
            yield f"{amount} micro-dollars an hour are proven, not {proof.bound} as certified"
        ppm = {self.instruments.keys[covers, price]: share for covers, price, share in family.ppm}
        self._proven[number] = _Proven(amount, proof.surcharge, ppm)

    def least(
        self, number: int, region: str, cell: Cell, factors: Mapping[int, Fraction], full: Fraction
    ) -> Fraction:
        """What nodes and churn of an answer's block cost at least; 0 where nothing is proven of both.

        Parameters
        ----------
        factors
            What a micro-dollar of list price costs, by group.
        full
            What it costs where no commitment pays.
        """
        found = self._proven.get(number)
        if found is None:
            return Fraction(0)
        ratio = full
        for group in self.instruments.region_groups[region]:
            own = Fraction(found.ppm.get(group, PPM), PPM)
            if own:
                ratio = min(ratio, factors[group] / own)
        if found.surcharge:
            ratio = min(ratio, full * self.of_node(cell) / found.surcharge)
        return ratio * found.amount


def _surcharged(catalog: Catalog, surcharge: int) -> Catalog:
    """The price list with so much more for each on-demand node."""
    if not surcharge:
        return catalog
    kinds = []
    for kind in catalog.instance_types:
        offers = tuple(
            replace(o, price_microusd_per_hour=o.price_microusd_per_hour + surcharge)
            if o.capacity_type is CapacityType.ON_DEMAND
            else o
            for o in kind.offerings
        )
        kinds.append(replace(kind, offerings=offers))
    return Catalog(catalog.name, tuple(kinds))


def beside(held: Mapping[tuple[str, str], int], surcharge: int, problem: Problem) -> Problem:
    """The packing problem in which nodes held are on sale at their price, and further ones cost more."""
    reservations = tuple(
        Reservation(
            f"{kind.name}/{o.zone}",
            kind.name,
            o.region,
            held[kind.name, o.zone],
            o.zone,
            CapacityType.ON_DEMAND,
            o.price_microusd_per_hour,
        )
        for kind in problem.catalog.instance_types
        for o in kind.offerings
        if o.capacity_type is CapacityType.ON_DEMAND and held.get((kind.name, o.zone))
    )
    return replace(problem, catalog=_surcharged(problem.catalog, surcharge), reservations=reservations)

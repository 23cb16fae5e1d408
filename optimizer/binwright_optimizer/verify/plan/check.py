"""The checks of a plan: its mixes hold what the forecast wants, its cost and bound are what the numbers give.

**Cost.** For each site (a region, or a zone of it: `places`), period, future and block of hours the mix named
holds the pods wanted, node by node, at list prices. Where pods are split over sites, the splits keep every
promise and quota (`split`), and the mixes hold what they say. Nodes that an earlier plan does not have cost
more (`churn`). With the units bought, every future then has
one exact cost, and the objective is their risk-weighted mean (1 - a) mean + a CVaR.

**Bound.** A unit of commitment c costs mu_c >= 0 in a cell (a period, future and block); where these sum to
more than a purchase costs, they are scaled down. A micro-dollar of list price in group g then costs f_g =
min(W, min_c mu_c / w_cg), with W the cell's hours times its weight in the objective, and each region's pods
are an ordinary packing problem. Its certificate proves a bound at some prices, and the least ratio of prices
carries it over; where pods are split over sites, `split` proves a bound on all of a cell. What is held earns
mu_c. The sum over all cells, spot pods at their full price, is a bound on the mean by these weights, and the
objective is no smaller than such a mean (Rockafellar and Uryasev 2000).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from binwright_optimizer.model import Catalog, NodePool, Problem, Workload
from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.verify.mixes import MixChecker
from binwright_optimizer.verify.plan.accounts import Account, Bought, Usage, accounts, units_by_period
from binwright_optimizer.verify.plan.churn import Churn, HeldNodes
from binwright_optimizer.verify.plan.commitments import Instruments
from binwright_optimizer.verify.plan.demand import Future, Hours, Wanted, blocks_of, futures_of, template_of
from binwright_optimizer.verify.plan.document import (
    AnswerRecord,
    CertificateRecord,
    FamilyRecord,
    UnverifiableError,
    read_certificate,
)
from binwright_optimizer.verify.plan.dual_prices import affordable, are_weights, factors_of
from binwright_optimizer.verify.plan.places import Site, is_placed_together, sold_at
from binwright_optimizer.verify.plan.shape import wrong_shape
from binwright_optimizer.verify.plan.statement import Recomputed, Statement
from binwright_optimizer.verify.plan.together import Together

_Answer = tuple[int, Site, AnswerRecord]
"""Its number in the certificate, where it is, and what it says."""
MOST_FINDINGS = 20
"""Findings after which no more are looked for."""


@dataclass(frozen=True, slots=True)
class PlanFindings:
    """What the verification of a plan found.

    Parameters
    ----------
    findings
        What is wrong; empty if cost and bound are proven.
    total_microusd, bound_microusd
        Micro-dollars over the horizon, worked out from the certificate; None after findings in it.
    mixes
        Different mixes checked, node by node.
    """

    findings: tuple[str, ...]
    total_microusd: int | None
    bound_microusd: int | None
    mixes: int


def verify_plan(
    forecast: Forecast,
    catalogs: Mapping[str, Catalog],
    node_pools: Sequence[NodePool],
    document: Mapping[str, Any],
    held: HeldNodes | None = None,
) -> PlanFindings:
    """Whether a saved plan serves the forecast at the cost it states, and its bound is proven.

    Parameters
    ----------
    catalogs
        Price list by region, in the order of the forecast.
    node_pools
        What nodes may be bought from.
    document
        The plan as ``binwright plan -o json`` writes it.
    held
        Nodes of the earlier plan that it was made from, if any.

    Raises
    ------
    UnverifiableError
        If the plan has no certificate that can be read, or counts changes to an earlier plan's nodes and that
        plan is not given.
    """
    record = read_certificate(document)
    return _Check(forecast, catalogs, node_pools, record, held).run(document)


class _Check:
    """One verification; ``findings`` grow while it runs."""

    def __init__(
        self,
        forecast: Forecast,
        catalogs: Mapping[str, Catalog],
        node_pools: Sequence[NodePool],
        record: CertificateRecord,
        held: HeldNodes | None,
    ) -> None:
        self._forecast = forecast
        self._catalogs = catalogs
        self._node_pools = tuple(node_pools)
        self._record = record
        self._futures: tuple[Future, ...] = futures_of(forecast)
        try:
            self._blocks: tuple[Hours, ...] = blocks_of(forecast, record.block_of_hour)
        except ValueError as error:
            raise UnverifiableError(f"the certificate cannot be read: {error}") from error
        self._instruments = Instruments(forecast, catalogs, charges_whole_term=record.charges_whole_term)
        self._wanted = Wanted(forecast, self._futures, self._blocks)
        self._churn: Churn | None = None
        if record.churn is not None:
            if held is None:
                raise UnverifiableError(
                    "the plan counts what it costs to change an earlier plan's nodes: it is verified with "
                    "that plan (--from)"
                )
            self._churn = Churn(forecast, self._instruments, self._futures, self._blocks, record.churn, held)
        self._together: Together | None = None
        if is_placed_together(forecast):
            self._together = Together(forecast, catalogs, node_pools, record, self._instruments, self._churn)
        self._sites = tuple(map(Site, forecast.regions)) if self._together is None else self._together.sites
        self._checkers: dict[int, MixChecker] = {}
        self._proven: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
        self._findings: list[str] = []

    def run(self, document: Mapping[str, Any]) -> PlanFindings:
        """All checks, the cheap ones first."""
        self._shape()
        if not self._findings and self._together is not None:
            self._splits(self._together)
        if not self._findings:
            self._mixes()
        if self._findings:
            return PlanFindings(tuple(self._findings[:MOST_FINDINGS]), None, None, len(self._proven))
        costs = self._costs(self._units(), lambda answer: answer.on_demand)
        total = -(-self._objective(costs) // 1)
        bound = min(self._bound(), Fraction(total)) // 1
        stated = self._record
        if total != stated.total:
            self._findings.append(f"the plan costs {total} micro-dollars, not {stated.total} as certified")
        if bound != stated.bound:
            self._findings.append(f"{bound} micro-dollars are proven, not {stated.bound} as certified")
        chances = [Fraction(future.permille, 1000) for future in self._futures]
        recomputed = Recomputed(
            total,
            bound,
            tuple(-(-cost // 1) for cost in costs),
            -(-sum((p * c for p, c in zip(chances, costs, strict=True)), Fraction(0)) // 1),
            -(-self._objective(self._costs([], lambda answer: answer.alone, is_alone=True)) // 1),
            self._expected_churn(chances),
            self._accounts(),
        )
        self._findings += Statement(
            document, self._forecast, self._catalogs, self._sites, self._futures, self._blocks,
            self._instruments, stated, recomputed,
        ).contradictions()  # fmt: skip
        return PlanFindings(tuple(self._findings[:MOST_FINDINGS]), total, bound, len(self._proven))

    def _keys(self) -> Iterator[tuple[Site, int, int, int]]:
        """Site, period, future and block of every answer, in order."""
        for site in self._sites:
            for cell in self._cells():
                yield site, *cell

    def _cells(self) -> Iterator[tuple[int, int, int]]:
        """Period, future and block of every cell, in order."""
        for period in range(len(self._forecast.periods)):
            for future in range(len(self._futures)):
                for block in range(len(self._blocks)):
                    yield period, future, block

    def _shape(self) -> None:
        """Whether the certificate has a part for everything, and names nothing that is not there."""
        record, n_cells = self._record, len(list(self._cells()))
        is_split = self._together is not None
        self._findings += wrong_shape(
            record,
            self._forecast,
            self._instruments,
            self._sites,
            len(self._futures),
            n_cells,
            is_split=is_split,
        )
        if self._churn is not None:
            sizes = len(record.answers), len(record.families)
            self._findings += self._churn.wrong_shape(*sizes, is_split=is_split)

    def _splits(self, together: Together) -> None:
        """Whether pods are split over sites as promised."""
        for number, (period, future, block) in enumerate(self._cells()):
            where = f"{self._forecast.periods[period].name}, {self._futures[future].name}"
            cell = period, future, block
            pods = self._wanted.by_demand(period, future, block)
            self._findings += [f"{where}: {f}" for f in together.findings(cell, number, pods)]
            if len(self._findings) >= MOST_FINDINGS:
                return

    def _pods(
        self, site: Site, cell: tuple[int, int, int]
    ) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
        """Pods by workload that a site must hold: on demand, on spot, on demand with nothing bought."""
        if self._together is None:
            on_demand, spot = self._wanted.pods(site.region, *cell)
            return on_demand, spot, on_demand
        return self._together.pods(site, cell)

    def _mixes(self) -> None:
        """Whether the mixes of every block hold its pods; what their certificates prove is kept."""
        for number, (key, answer) in enumerate(zip(self._keys(), self._record.answers, strict=True)):
            site, period, future, block = key
            on_demand, spot, alone = self._pods(site, (period, future, block))
            where = f"{site.name}, {self._forecast.periods[period].name}, {self._futures[future].name}"
            self._holds(f"{where}, on demand", site, answer.on_demand, on_demand, is_listed=True)
            self._holds(f"{where}, spot", site, answer.spot, spot, is_listed=True)
            self._holds(f"{where}, alone", site, answer.alone, alone, is_listed=True)
            if self._together is None:
                self._holds(f"{where}, proof", site, answer.proof, on_demand, is_listed=False)
            if self._churn is not None:
                wrong = self._churn.findings(
                    number, site, key[1:], on_demand, self._record.families, self._problem
                )
                self._findings += [f"{where}, proof with churn: {line}" for line in wrong]
            if len(self._findings) >= MOST_FINDINGS:
                return

    def _holds(
        self, where: str, site: Site, number: int | None, wanted: Mapping[int, int], *, is_listed: bool
    ) -> None:
        """Check one mix for one demand, once."""
        if number is None:
            if wanted:
                self._findings.append(f"{where}: {sum(wanted.values())} pods are wanted and none are held")
            return
        family = self._record.families[self._record.family_of_mix[number]]
        if Site(family.region, family.zone) != site or (is_listed and family.ppm):
            self._findings.append(f"{where}: the mix was chosen elsewhere or by other prices")
            return
        asked = tuple(sorted(wanted.items()))
        if (number, asked) in self._proven:
            return
        if not set(wanted) <= set(family.workloads):
            self._findings.append(f"{where}: the mix does not know all workloads")
            return
        counts = [wanted.get(at, 0) for at in family.workloads]
        checker, mix = self._checker(self._record.family_of_mix[number]), self._record.mixes[number]
        self._findings += [f"{where}: {finding}" for finding in checker.findings(mix, counts)]
        proven = checker.proven_bound(mix, counts)
        if proven != mix.bound_microusd_per_hour:
            self._findings.append(
                f"{where}: {proven} micro-dollars an hour are proven, "
                f"not {mix.bound_microusd_per_hour} as certified"
            )
        self._proven[number, asked] = proven

    def _checker(self, number: int) -> MixChecker:
        found = self._checkers.get(number)
        if found is None:
            found = self._checkers[number] = MixChecker(self._problem(self._record.families[number]))
        return found

    def _problem(self, family: FamilyRecord) -> Problem:
        """The packing problem of a family, one pod of each workload."""
        workloads = tuple(
            Workload(self._forecast.workloads[at].name, template_of(self._forecast, at), 1)
            for at in family.workloads
        )
        catalog = sold_at(self._catalogs, Site(family.region, family.zone))
        priced = self._instruments.repriced(catalog, family.region, family.ppm)
        return Problem(workloads, self._node_pools, priced)

    def _hours(self, period: int, block: int) -> Fraction:
        """Hours of a cell."""
        return Fraction(self._forecast.periods[period].hours * self._blocks[block].count, 168)

    def _by_cell(self) -> dict[tuple[int, int, int], list[_Answer]]:
        """Answers of each cell, period by period, future by future."""
        found: dict[tuple[int, int, int], list[_Answer]] = {}
        for number, (key, answer) in enumerate(zip(self._keys(), self._record.answers, strict=True)):
            site, period, future, block = key
            found.setdefault((period, future, block), []).append((number, site, answer))
        return found

    def _units(self) -> list[Bought]:
        """What is bought ahead."""
        return [Bought(*entry) for entry in self._record.units]

    def _usage(
        self, which: Callable[[AnswerRecord], int | None], *, is_alone: bool = False
    ) -> Iterator[Usage]:
        """What runs in each cell, micro-dollars an hour at list prices."""
        for cell, answers in self._by_cell().items():
            values: dict[int, int] = {}
            other = 0
            if self._together is not None:
                other = (self._together.egress_alone if is_alone else self._together.egress)[cell]
            for _, site, answer in answers:
                number = which(answer)
                if number is not None:
                    other += self._churn_of(site, cell, number)
                    for pattern, count in self._record.mixes[number].nodes:
                        group = self._instruments.group_of[site.region, pattern.instance_type, pattern.zone]
                        amount = count * pattern.price_microusd_per_hour
                        values[group] = values.get(group, 0) + amount
                if answer.spot is not None:
                    other += self._record.mixes[answer.spot].cost_microusd_per_hour
            period, future, block = cell
            yield Usage(period, future, self._hours(period, block), values, other)

    def _churn_of(self, site: Site, cell: tuple[int, int, int], number: int) -> int:
        """Micro-dollars an hour for nodes of a mix that an earlier plan does not have."""
        return 0 if self._churn is None else self._churn.hourly(site, cell, self._record.mixes[number])

    def _expected_churn(self, chances: Sequence[Fraction]) -> int:
        """Micro-dollars over the horizon for nodes that an earlier plan does not have, rounded up."""
        total = Fraction(0)
        for (period, future, block), answers in self._by_cell().items():
            for _, site, answer in answers:
                if answer.on_demand is not None:
                    hourly = self._churn_of(site, (period, future, block), answer.on_demand)
                    total += chances[future] * self._hours(period, block) * hourly
        return -(-total // 1)

    def _costs(
        self,
        units: Sequence[Bought],
        which: Callable[[AnswerRecord], int | None],
        *,
        is_alone: bool = False,
    ) -> list[Fraction]:
        """Exact cost of each future."""
        fixed = sum(one.units * self._instruments.cost(one.instrument, one.period) for one in units)
        costs = [Fraction(fixed)] * len(self._futures)
        paying = units_by_period(self._instruments, self._forecast, units)
        for used in self._usage(which, is_alone=is_alone):
            paid = sum(self._instruments.paid_for(paying[used.period], used.values), Fraction(0))
            costs[used.future] += used.hours * (sum(used.values.values()) - paid + used.other)
        return costs

    def _accounts(self) -> tuple[Account, ...]:
        """What the expected cost of each period is made of."""
        chances = [Fraction(future.permille, 1000) for future in self._futures]
        usage = list(self._usage(lambda answer: answer.on_demand))
        return accounts(self._forecast, self._instruments, self._units(), usage, chances)

    def _objective(self, costs: Sequence[Fraction]) -> Fraction:
        """The risk-weighted cost."""
        chances = [Fraction(future.permille, 1000) for future in self._futures]
        mean = sum((p * c for p, c in zip(chances, costs, strict=True)), Fraction(0))
        tail, left = Fraction(0), Fraction(1)
        for cost, chance in sorted(zip(costs, chances, strict=True), reverse=True):
            share = min(left, chance / (1 - self._record.level))
            tail += share * cost
            left -= share
        return (1 - self._record.aversion) * mean + self._record.aversion * tail

    def _bound(self) -> Fraction:
        """What the certificate proves; 0 if its weights are none of the objective's."""
        if not are_weights(self._record, self._futures):
            self._findings.append("the scenario weights are none by which the objective is at least the mean")
            return Fraction(0)
        by_cell = self._by_cell()
        prices = affordable(self._record.prices, sorted(by_cell), self._instruments, self._forecast)
        try:
            return max(Fraction(0), self._proven_of_all(by_cell, prices))
        except ValueError as error:
            self._findings.append(f"the proof of a split is none: {error}")
            return Fraction(0)

    def _proven_of_all(
        self,
        by_cell: Mapping[tuple[int, int, int], list[_Answer]],
        prices: Sequence[Sequence[Fraction]],
    ) -> Fraction:
        """The sum over all cells."""
        record, total = self._record, Fraction(0)
        for (cell, answers), mine in zip(sorted(by_cell.items()), prices, strict=True):
            period, future, block = cell
            weight = record.weights[future] * self._hours(period, block)
            for one, price in zip(self._instruments.all, mine, strict=True):
                total -= price * one.held.get(period, Fraction(0))
            factors = factors_of(self._instruments, period, weight, mine)
            if self._together is not None:
                total += self._together.proven(cell, factors, weight)
                continue
            for number, site, answer in answers:
                least = self._proven_on_demand(site.region, answer, cell, factors, weight)
                if self._churn is not None:
                    least = max(least, self._churn.least(number, site.region, cell, factors, weight))
                total += least + self._proven_on_spot(site.region, answer, cell, weight)
        return total

    def _proven_on_spot(
        self, region: str, answer: AnswerRecord, cell: tuple[int, int, int], weight: Fraction
    ) -> Fraction:
        """What one region's pods on spot cost at least in a cell."""
        if answer.spot is None:
            return Fraction(0)
        return weight * self._proven[answer.spot, tuple(sorted(self._wanted.pods(region, *cell)[1].items()))]

    def _proven_on_demand(
        self,
        region: str,
        answer: AnswerRecord,
        cell: tuple[int, int, int],
        factors: Mapping[int, Fraction],
        weight: Fraction,
    ) -> Fraction:
        """What one region's pods on demand cost at least in a cell at dual prices of commitments."""
        on_demand, _ = self._wanted.pods(region, *cell)
        if answer.proof is None:
            return Fraction(0)
        family = self._record.families[self._record.family_of_mix[answer.proof]]
        ppm = {self._instruments.keys[covers, price]: share for covers, price, share in family.ppm}
        ratio = weight
        for group in self._instruments.region_groups[region]:
            own = Fraction(ppm.get(group, PPM), PPM)
            if own:
                ratio = min(ratio, factors[group] / own)
        return ratio * self._proven[answer.proof, tuple(sorted(on_demand.items()))]

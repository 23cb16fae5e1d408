"""A forecast in, a plan out: node mixes for every block, commitments over all, one proven bound.

Blocks are (region, period, scenario, hours of the week). On-demand and spot pods never share a node, so
that each block is two packing problems; a commitment discounts every on-demand node alike and therefore
changes no mix, only what is paid for it. The engine solves each different problem once, `commit` chooses
what to commit to, and the bounds of both meet in one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import CapacityType, Catalog, PriceSource, Workload, labels
from binwright_optimizer.model.forecast import (
    HOURS_OF_WEEK,
    PPM,
    CommitmentOffer,
    Forecast,
    Period,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.blocks import HourBlock, hour_blocks
from binwright_optimizer.planning.commit import Commitments, Risk, choose, risk_weighted, scenario_costs
from binwright_optimizer.planning.mix import Mix, cheapest_mix, sources_of, with_headroom, without_giants
from binwright_optimizer.planning.programme import UNIT_MICROUSD, Cell, Purchasable, Sunk
from binwright_optimizer.planning.scenarios import PERMILLE, Scenario, scenarios
from binwright_optimizer.planning.sizing import size

GAP = 0.002
"""Gap at which a block's solve ends; the deadline may end it sooner."""
LEAST_SOLVE_S = 0.1


@dataclass(frozen=True, slots=True)
class BlockMix:
    """The nodes of one region, period, scenario and block of hours."""

    region: str
    period: int
    scenario: int
    block: int
    on_demand: Mix
    spot: Mix


@dataclass(frozen=True, slots=True)
class Purchase:
    """A commitment to buy at the start of a period.

    ``cost_microusd`` is what the plan's total counts, ``obligation_microusd`` what the whole term costs.
    """

    offer: CommitmentOffer
    period: int
    start: date
    end: date
    microusd_per_hour: int
    cost_microusd: int

    @property
    def obligation_microusd(self) -> int:
        """What the whole term costs."""
        return self.microusd_per_hour * 24 * (self.end - self.start).days


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan with its bound; amounts in micro-dollars over the horizon.

    Parameters
    ----------
    total
        The objective: expected cost, or its mixture with the tail's mean.
    bound
        Proven: no plan of this form serves the forecast for less.
    expected, by_scenario, by_period
        Expected cost in all, cost in each scenario, expected cost in each period; all include
        commitments.
    without_commitments
        The objective if nothing is bought ahead: each period solved alone.
    sizing_rule
        Nodes of the sizing rule for the demand of the first scenario; None where the rule knows no
        machines.
    """

    forecast: Forecast
    scenarios: tuple[Scenario, ...]
    blocks: tuple[HourBlock, ...]
    mixes: tuple[BlockMix, ...]
    commitments: tuple[Purchase, ...]
    total: int
    bound: int
    expected: int
    by_scenario: tuple[int, ...]
    by_period: tuple[int, ...]
    without_commitments: int
    sizing_rule: int | None

    @property
    def gap(self) -> float:
        """(total - bound) / total; 0 for a free plan."""
        return (self.total - self.bound) / self.total if self.total else 0.0

    @property
    def price_sources(self) -> tuple[PriceSource, ...]:
        """Sources of all prices paid, latest first."""
        return sources_of(mix for block in self.mixes for mix in (block.on_demand, block.spot))


@dataclass(frozen=True, slots=True)
class PlanParams:
    """How to plan.

    Parameters
    ----------
    deadline_s
        Seconds for all solves together; at least `LEAST_SOLVE_S` each, so very many blocks take longer.
    charges_whole_term
        Count what commitments cost after the last period, as if nothing would use them then; without
        it that is left to the plans that follow, as if demand went on.
    """

    deadline_s: float = 50.0
    risk: Risk = Risk()
    seed: int = 0
    charges_whole_term: bool = False


def make_plan(
    forecast: Forecast,
    params: PlanParams = PlanParams(),
    on_progress: Callable[[int, int], None] | None = None,
    catalogs: Mapping[str, Catalog] | None = None,
) -> Plan:
    """The plan for a forecast.

    Parameters
    ----------
    catalogs
        Price list by region; by default what the forecast's cloud sells there up to 32 vCPU.
    on_progress
        Told how many of how many problems are solved.

    Raises
    ------
    PlanningError
        If nothing sold can serve some demand: there is no partial plan.
    """
    futures = scenarios(forecast)
    profiles = tuple(forecast.profiles)
    blocks = hour_blocks(profiles)
    wanted = [
        (region, period, scenario, block)
        for region in forecast.regions
        for period in range(len(forecast.periods))
        for scenario in range(len(futures))
        for block in range(len(blocks))
    ]
    questions = {
        key: tuple(
            _workloads(forecast, futures[key[2]], blocks[key[3]], key[0], key[1], kind)
            for kind in (CapacityType.ON_DEMAND, CapacityType.SPOT)
        )
        for key in wanted
    }
    answers = _solve_all(forecast, questions, catalogs or _price_lists(forecast), params, on_progress)
    mixes = tuple(
        BlockMix(*key, on_demand=answers[key[0], asked[0]], spot=answers[key[0], asked[1]])
        for key, asked in questions.items()
    )
    # The rule knows the machines of the embedded price lists only.
    rule = None if catalogs else _sizing_rule(forecast, futures[0])
    return _assemble(forecast, futures, blocks, mixes, params, rule)


def _price_lists(forecast: Forecast) -> dict[str, Catalog]:
    return {region: without_giants(embedded_catalog(forecast.cloud, [region])) for region in forecast.regions}


_Question = tuple[tuple[int, int], ...]
"""Pods by workload: pairs (index, replicas above zero)."""


def _workloads(
    forecast: Forecast, scenario: Scenario, block: HourBlock, region: str, period: int, kind: CapacityType
) -> _Question:
    asked = []
    names = [profile.name for profile in forecast.profiles]
    for demand in forecast.demands:
        if (demand.region, demand.period) != (region, period):
            continue
        workload = forecast.workloads[demand.workload]
        if _kind(forecast, demand.workload) is not kind:
            continue
        share = block.ppm[names.index(workload.profile)]
        replicas = -(-scenario.replicas(demand.band) * share // PPM)
        if replicas:
            asked.append((demand.workload, replicas))
    return tuple(asked)


def _kind(forecast: Forecast, workload: int) -> CapacityType:
    for requirement in forecast.workloads[workload].template.node_selector:
        if requirement.key == labels.CAPACITY_TYPE and CapacityType.SPOT in requirement.values:
            return CapacityType.SPOT
    return CapacityType.ON_DEMAND


def _solve_all(
    forecast: Forecast,
    questions: dict[tuple[str, int, int, int], tuple[_Question, ...]],
    catalogs: Mapping[str, Catalog],
    params: PlanParams,
    on_progress: Callable[[int, int], None] | None,
) -> dict[tuple[str, _Question], Mix]:
    """Every different problem solved once; what a quick one leaves of its time goes to the rest."""
    different = sorted({(key[0], asked) for key, both in questions.items() for asked in both})
    utilisation = Fraction(forecast.utilisation_ppm, PPM)
    until = time.monotonic() + params.deadline_s
    answers: dict[tuple[str, _Question], Mix] = {}
    for done, (region, asked) in enumerate(different):
        workloads: Sequence[Workload] = [
            with_headroom(
                Workload(forecast.workloads[index].name, forecast.workloads[index].template, replicas),
                utilisation,
            )
            for index, replicas in asked
        ]
        share = (until - time.monotonic()) / (len(different) - done)
        limits = SolveParams(deadline_s=max(LEAST_SOLVE_S, share), gap=GAP, seed=params.seed)
        answers[region, asked] = cheapest_mix(workloads, catalogs[region], limits)
        if on_progress is not None:
            on_progress(done + 1, len(different))
    return answers


def _assemble(
    forecast: Forecast,
    futures: tuple[Scenario, ...],
    blocks: tuple[HourBlock, ...],
    mixes: tuple[BlockMix, ...],
    params: PlanParams,
    sizing_rule: int | None,
) -> Plan:
    periods = forecast.periods
    cells = _cells(periods, blocks, mixes)
    purchasables = tuple(
        _purchasable(periods, at, bought, offer, params.charges_whole_term)
        for at, offer in enumerate(forecast.offers)
        for bought in range(len(periods))
    )
    held = tuple(
        Sunk(h.microusd_per_hour, h.discount_ppm, _covered(periods, h.start, h.end)) for h in forecast.held
    )
    chances = [Fraction(scenario.permille, PERMILLE) for scenario in futures]
    chosen = choose(cells, purchasables, held, chances, params.risk)
    nothing = scenario_costs(cells, purchasables, held, [0] * len(purchasables), len(futures))
    expected = sum((p * c for p, c in zip(chances, chosen.scenario_costs, strict=True)), Fraction(0))
    return Plan(
        forecast=forecast,
        scenarios=futures,
        blocks=blocks,
        mixes=mixes,
        commitments=_purchases(forecast, purchasables, chosen),
        total=-(-chosen.objective // 1),
        bound=chosen.bound // 1,
        expected=-(-expected // 1),
        by_scenario=tuple(-(-cost // 1) for cost in chosen.scenario_costs),
        by_period=_by_period(periods, cells, purchasables, held, chosen, chances),
        without_commitments=-(-risk_weighted(nothing, chances, params.risk)[0] // 1),
        sizing_rule=sizing_rule,
    )


def _cells(
    periods: tuple[Period, ...], blocks: tuple[HourBlock, ...], mixes: tuple[BlockMix, ...]
) -> tuple[Cell, ...]:
    """Blocks of all regions together: commitments do not care where they are used."""
    sums: dict[tuple[int, int, int], list[int]] = {}
    for block in mixes:
        amounts = sums.setdefault((block.period, block.scenario, block.block), [0, 0, 0, 0])
        for at, mix in ((0, block.on_demand), (2, block.spot)):
            amounts[at] += mix.cost_microusd_per_hour
            amounts[at + 1] += mix.bound_microusd_per_hour
    return tuple(
        Cell(period, scenario, periods[period].hours * blocks[block].hours, *amounts)
        for (period, scenario, block), amounts in sums.items()
    )


def _covered(periods: tuple[Period, ...], start: date, end: date) -> frozenset[int]:
    """Periods within a term from start to end; a term that ends or begins within one does not count there."""
    return frozenset(at for at, period in enumerate(periods) if start <= period.start and period.end <= end)


def _purchasable(
    periods: tuple[Period, ...], at: int, bought: int, offer: CommitmentOffer, charges_whole_term: bool
) -> Purchasable:
    start = periods[bought].start
    end = offer.end_of(start)
    until = end if charges_whole_term else min(end, periods[-1].end)
    hours = 24 * (until - start).days
    return Purchasable(at, bought, offer.discount_ppm, hours * HOURS_OF_WEEK, _covered(periods, start, end))


def _purchases(
    forecast: Forecast, purchasables: tuple[Purchasable, ...], chosen: Commitments
) -> tuple[Purchase, ...]:
    bought = []
    for units, purchasable in zip(chosen.units, purchasables, strict=True):
        if units:
            offer = forecast.offers[purchasable.offer]
            start = forecast.periods[purchasable.bought].start
            amount = units * UNIT_MICROUSD
            cost = amount * purchasable.hours // HOURS_OF_WEEK
            bought.append(Purchase(offer, purchasable.bought, start, offer.end_of(start), amount, cost))
    return tuple(sorted(bought, key=lambda purchase: (purchase.period, purchase.offer.name)))


def _by_period(
    periods: tuple[Period, ...],
    cells: tuple[Cell, ...],
    purchasables: tuple[Purchasable, ...],
    held: tuple[Sunk, ...],
    chosen: Commitments,
    chances: Sequence[Fraction],
) -> tuple[int, ...]:
    """Expected cost of each period, with the hours of its commitments that fall into it."""
    costs = []
    for at, period in enumerate(periods):
        here = [replace(p, hours=_hours_in(periods, period, p) * HOURS_OF_WEEK) for p in purchasables]
        own = [cell for cell in cells if cell.period == at]
        by_scenario = scenario_costs(own, here, held, chosen.units, len(chances))
        mean = sum((p * c for p, c in zip(chances, by_scenario, strict=True)), Fraction(0))
        costs.append(-(-mean // 1))
    return tuple(costs)


def _hours_in(periods: tuple[Period, ...], period: Period, purchasable: Purchasable) -> int:
    """Hours of a purchase that one period bears: those that fall into it, the last one also what follows."""
    start = periods[purchasable.bought].start
    if period.start < start:
        return 0
    left = purchasable.hours // HOURS_OF_WEEK - sum(
        p.hours for p in periods if start <= p.start < period.start
    )
    return max(0, left if period == periods[-1] else min(period.hours, left))


def _sizing_rule(forecast: Forecast, scenario: Scenario) -> int | None:
    """What the nodes of the sizing rule cost over the horizon, at the busiest hour's demand all the time."""
    if forecast.cloud != "aws":
        return None
    total = 0
    for at, period in enumerate(forecast.periods):
        demand = []
        for region in forecast.regions:
            workloads = [
                Workload(
                    forecast.workloads[d.workload].name,
                    forecast.workloads[d.workload].template,
                    scenario.replicas(d.band),
                )
                for d in forecast.demands
                if (d.region, d.period) == (region, at)
            ]
            demand.append((region, workloads))
        total += sum(mix.cost_microusd_per_hour for mix in size(demand).mixes) * period.hours
    return total

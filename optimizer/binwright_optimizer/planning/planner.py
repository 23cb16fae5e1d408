"""A forecast in, a plan out: node mixes for every block, commitments over all, one proven bound.

Blocks are (region, period, scenario, hours of the week). On-demand and spot pods never share a node, so
that each block is two packing problems. The engine solves each different problem once; where commitments
pay for some nodes only, `prices` has the blocks solved again at the prices that these make. `commit` chooses
what to commit to and which mixes to run, and the bounds of both meet in one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import CapacityType, Catalog
from binwright_optimizer.model.forecast import HOURS_OF_WEEK, Demand, Forecast
from binwright_optimizer.model.offers import CommitmentOffer, ReservationOffer
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.accounts import accounts
from binwright_optimizer.planning.baseline import Baseline, baseline
from binwright_optimizer.planning.blocks import HourBlock, hour_blocks
from binwright_optimizer.planning.checkpoint import Checkpoint
from binwright_optimizer.planning.commit import Commitments, Risk, prove, risk_weighted, scenario_costs
from binwright_optimizer.planning.engine import Check, Engine, LocalEngine
from binwright_optimizer.planning.evidence import evidence_of
from binwright_optimizer.planning.fanout import Answers
from binwright_optimizer.planning.full_nodes import full_nodes
from binwright_optimizer.planning.largest import most_node_cpu
from binwright_optimizer.planning.ledger import Ask, Joint, Ledger, PricedProof
from binwright_optimizer.planning.mix import without_giants
from binwright_optimizer.planning.pace import Pace
from binwright_optimizer.planning.plan import BlockMix, Plan, Purchase
from binwright_optimizer.planning.priced import PricedCells
from binwright_optimizer.planning.programme import Cell, Market, Purchasable
from binwright_optimizer.planning.resplit import other_splits, resplit
from binwright_optimizer.planning.rolling import HeldPlan, Kept, Nodes
from binwright_optimizer.planning.rounds import improve
from binwright_optimizer.planning.scenarios import PERMILLE, Scenario, scenarios
from binwright_optimizer.planning.scopes import Scopes, scopes_of
from binwright_optimizer.planning.servable import check_servable
from binwright_optimizer.planning.shares import Split
from binwright_optimizer.planning.sites import is_coupled, kind_of, replicas
from binwright_optimizer.planning.spread import Spread, SpreadCell, spread_of
from binwright_optimizer.planning.subproblems import Question, Shop

KEEP_S, KEEP_WORK, KEEP_GAP = 30.0, 500_000, 0.001
"""Longest time, counted work (about half a second) and gap of a solve that keeps nodes."""


@dataclass(frozen=True, slots=True)
class PlanParams:
    """How to plan.

    Parameters
    ----------
    deadline_s
        Seconds; a round of prices that would probably end later is left out. Every round solves what it
        asks with a fixed amount of work, so that a plan is whole and, where no round is left out, the same
        on any machine.
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
    held: HeldPlan | None = None,
    engine: Engine | None = None,
    checkpoint: Checkpoint | None = None,
    check: Check | None = None,
) -> Plan:
    """The plan for a forecast.

    Parameters
    ----------
    catalogs
        Price list by region; by default what the forecast's cloud sells there up to
        its largest node.
    held
        An earlier plan's nodes, whose change costs something; its commitments are the forecast's.
    on_progress
        Told how many of how many problems are solved; the second number grows with every round.
    engine
        Who solves them; this process by default. The plan is the same whoever does, unless
        the deadline binds: a faster engine may make more rounds.
    checkpoint
        Where what is solved is kept, and taken from.
    check
        Called several times a second; raises to give up.

    Raises
    ------
    UnservedError
        If no plan can serve some demand: there is no partial plan.
    PlanningError
        If the engine fails.
    """
    futures = scenarios(forecast)
    blocks = hour_blocks(tuple(forecast.profiles))
    lists = catalogs or price_lists(forecast)
    # Of all that is sold: a pod that needs a larger node raises the limit, so that both hold the same pods.
    check_servable(forecast, catalogs or all_sold(forecast))
    scopes = scopes_of(forecast, lists, charges_whole_term=params.charges_whole_term)
    shop = Shop(forecast, lists, scopes)
    pace = Pace(params.deadline_s)
    answers = Answers(
        shop, engine or LocalEngine(1), params.seed, checkpoint, check or (lambda: None), on_progress
    )
    ask = answers.ask
    spread = spread_of(forecast, shop, futures, blocks) if is_coupled(forecast) else None
    ledger = (
        _alone_ledger(forecast, futures, blocks, scopes)
        if spread is None
        else _spread_ledger(forecast, futures, blocks, spread, ask, pace)
    )
    chances = [Fraction(scenario.permille, PERMILLE) for scenario in futures]
    if held is not None and held.churn_microusd:
        ledger.churn_microusd = held.churn_microusd
        ledger.held = _held_nodes(ledger, forecast, futures, blocks, held)

    @cache
    def kept(question: Question, nodes: tuple[tuple[tuple[str, str], int], ...], more: int) -> Kept:
        limits = SolveParams(deadline_s=KEEP_S, gap=KEEP_GAP, seed=params.seed, work_limit=KEEP_WORK)
        return shop.keep(question, dict(nodes), more, limits)

    def keep(question: Question, nodes: Nodes, surcharge: int) -> Kept:
        return kept(question, tuple(sorted(nodes.items())), surcharge)

    if ledger.is_small:
        ledger.all_nodes = cache(partial(full_nodes, shop))
    chosen = improve(ledger, ask, chances, params.risk, keep, pace)
    first, first_cells = ledger, {} if spread is None else dict(spread.cells)
    if spread is not None:
        small = PricedCells(spread, pace)
        ledger, chosen = resplit(ledger, chosen, small, ask, keep, chances, params.risk, pace)
    # The rule knows the machines of the embedded price lists only.
    rule = Baseline(None, "") if catalogs else baseline(forecast, futures, scopes)
    alone = _Alone(first, {} if spread is None else other_splits(first_cells, spread.cells))
    found = _assemble(forecast, futures, blocks, ledger, chosen, params, rule, spread, alone)
    return replace(found, was_stopped=pace.has_stopped)


@dataclass(frozen=True, slots=True)
class _Alone:
    """What would run if nothing were bought ahead: blocks, and splits of cells that the plan splits anew."""

    ledger: Ledger
    splits: Mapping[tuple[int, int, int], Split]


def _held_nodes(
    ledger: Ledger,
    forecast: Forecast,
    futures: Sequence[Scenario],
    blocks: Sequence[HourBlock],
    held: HeldPlan,
) -> dict[tuple[str, str, int, int, int], Nodes]:
    """The nodes of an earlier plan by block of this one."""
    names = [profile.name for profile in forecast.profiles]
    found = {}
    for key in ledger.questions:
        region, zone, period, scenario, block = key
        shares = tuple(sorted(zip(names, blocks[block].ppm, strict=True)))
        nodes = held.nodes.get((region, zone, period, futures[scenario].name, shares))
        if nodes is not None:
            found[key] = nodes
    return found


def _cell_keys(
    forecast: Forecast, futures: Sequence[Scenario], blocks: Sequence[HourBlock]
) -> list[tuple[int, int, int]]:
    return [
        (period, scenario, block)
        for period in range(len(forecast.periods))
        for scenario in range(len(futures))
        for block in range(len(blocks))
    ]


def _alone_ledger(
    forecast: Forecast, futures: tuple[Scenario, ...], blocks: tuple[HourBlock, ...], scopes: Scopes
) -> Ledger:
    """Every region packs what it wants."""
    demands: dict[tuple[str, int], list[Demand]] = {}
    for demand in forecast.demands:
        demands.setdefault((demand.region, demand.period), []).append(demand)
    questions = {
        (region, "", *cell): _questions(
            forecast, futures, blocks, demands.get((region, cell[0]), ()), region, cell
        )
        for region in forecast.regions
        for cell in _cell_keys(forecast, futures, blocks)
    }
    return Ledger(forecast.periods, blocks, questions, scopes)


def _spread_ledger(
    forecast: Forecast,
    futures: tuple[Scenario, ...],
    blocks: tuple[HourBlock, ...],
    spread: Spread,
    ask: Ask,
    pace: Pace,
) -> Ledger:
    """Every site packs what the splits give it."""
    answers = spread.decide(ask, pace)
    questions, joint = {}, {}
    kinds = (CapacityType.ON_DEMAND, CapacityType.SPOT)
    for cell in _cell_keys(forecast, futures, blocks):
        mine = [spread.cells.get((cell, kind)) for kind in kinds]
        for at, site in enumerate(spread.sites):
            asked = [found.questions.get(at) if found is not None else None for found in mine]
            on_demand, spot = (
                question or Question(site.region, site.zone, kind, ())
                for question, kind in zip(asked, kinds, strict=True)
            )
            questions[(site.region, site.zone, *cell)] = on_demand, spot
        joint[cell] = Joint(
            egress=sum(found.split.egress for found in mine if found is not None),
            proof=None if mine[0] is None else mine[0].split.proof,
            whole_bound=0 if mine[0] is None else mine[0].whole_bound,
            priced=() if mine[0] is None else tuple(_found(mine[0])),
            spot_bound=0 if mine[1] is None else max(mine[1].split.proof.bound, mine[1].whole_bound),
        )
    ledger = Ledger(forecast.periods, blocks, questions, spread.shop.scopes, joint)
    used = {question for both in questions.values() for question in both}
    ledger.learn({question: mix for question, mix in answers.items() if question in used})
    return ledger


def _found(cell: SpreadCell) -> Iterator[PricedProof]:
    """What prices of pods prove of a cell at list prices."""
    if cell.found is not None:
        yield PricedProof(cell.found.bound, tree=cell.found.tree)


def all_sold(forecast: Forecast) -> dict[str, Catalog]:
    """What is sold wherever pods may run."""
    regions = dict.fromkeys(
        (*forecast.regions, *(region for w in forecast.workloads for region in w.regions))
    )
    return {region: embedded_catalog(forecast.cloud, [region]) for region in regions}


def price_lists(forecast: Forecast) -> dict[str, Catalog]:
    """What is sold wherever pods may run, up to the largest node that plans buy."""
    return {
        region: without_giants(catalog, most_node_cpu(forecast, catalog))
        for region, catalog in all_sold(forecast).items()
    }


def _questions(
    forecast: Forecast,
    futures: Sequence[Scenario],
    blocks: Sequence[HourBlock],
    demands: Sequence[Demand],
    region: str,
    cell: tuple[int, int, int],
) -> tuple[Question, Question]:
    """A block's on-demand pods and its spot pods; ``demands`` are those of its region and period."""
    _, scenario, block = cell
    asked: dict[CapacityType, list[tuple[int, int]]] = {CapacityType.ON_DEMAND: [], CapacityType.SPOT: []}
    for demand in demands:
        pods = replicas(forecast, demand, futures[scenario], blocks[block])
        if pods:
            asked[kind_of(forecast.workloads[demand.workload])].append((demand.workload, pods))
    return (
        Question(region, "", CapacityType.ON_DEMAND, tuple(asked[CapacityType.ON_DEMAND])),
        Question(region, "", CapacityType.SPOT, tuple(asked[CapacityType.SPOT])),
    )


def _assemble(
    forecast: Forecast,
    futures: tuple[Scenario, ...],
    blocks: tuple[HourBlock, ...],
    ledger: Ledger,
    chosen: Commitments,
    params: PlanParams,
    rule: Baseline,
    spread: Spread | None,
    alone: _Alone,
) -> Plan:
    cells, market = ledger.cells(), ledger.scopes.market
    if chosen.prices:
        # What is learnt last strengthens what the prices prove, and only what they prove is stated.
        chosen = replace(
            chosen, bound=min(chosen.objective, prove(cells, market, chosen.weights, chosen.prices))
        )
    chances = [Fraction(scenario.permille, PERMILLE) for scenario in futures]
    expected = sum((p * c for p, c in zip(chances, chosen.scenario_costs, strict=True)), Fraction(0))
    return Plan(
        forecast=forecast,
        scenarios=futures,
        blocks=blocks,
        mixes=tuple(
            BlockMix(*key, on_demand=on_demand, spot=spot)
            for key, (on_demand, spot) in ledger.mixes(chosen.choices).items()
        ),
        commitments=_purchases(forecast, market.purchasables, chosen),
        total=-(-chosen.objective // 1),
        bound=chosen.bound // 1,
        expected=-(-expected // 1),
        by_scenario=tuple(-(-cost // 1) for cost in chosen.scenario_costs),
        accounts=accounts(forecast.periods, cells, ledger.scopes, chosen, chances),
        without_commitments=-(-_alone(alone.ledger.cells(), market, chances, params.risk) // 1),
        sizing_rule=rule.microusd,
        sizing_note=rule.why_not,
        spread={} if spread is None else spread.cells,
        sites=() if spread is None else spread.sites,
        churn=_churn(forecast, futures, blocks, ledger, chosen),
        evidence=replace(
            evidence_of(ledger, chosen, params.risk, charges_whole_term=params.charges_whole_term),
            alone=alone.ledger.cheapest(),
            alone_splits=alone.splits,
        ),
    )


def _churn(
    forecast: Forecast,
    futures: Sequence[Scenario],
    blocks: Sequence[HourBlock],
    ledger: Ledger,
    chosen: Commitments,
) -> int:
    """Expected cost of changing nodes over the horizon, rounded up."""
    total = Fraction(0)
    for key, (mix, _) in ledger.mixes(chosen.choices).items():
        _, _, period, scenario, block = key
        hours = Fraction(forecast.periods[period].hours * blocks[block].hours, HOURS_OF_WEEK)
        total += Fraction(futures[scenario].permille, PERMILLE) * hours * ledger.churn(key, mix)
    return -(-total // 1)


def _alone(cells: Sequence[Cell], market: Market, chances: Sequence[Fraction], risk: Risk) -> Fraction:
    """The objective if each quarter is solved alone: nothing bought ahead, the mixes of the list prices."""
    nothing = scenario_costs(
        cells,
        market,
        [0] * len(market.purchasables),
        tuple(tuple(0 for _ in cell.blocks) for cell in cells),
        len(chances),
    )
    return risk_weighted(nothing, chances, risk)[0]


def _purchases(
    forecast: Forecast, purchasables: tuple[Purchasable, ...], chosen: Commitments
) -> tuple[Purchase, ...]:
    bought = []
    offers: tuple[CommitmentOffer | ReservationOffer, ...] = (*forecast.offers, *forecast.reservations)
    for units, purchasable in zip(chosen.units, purchasables, strict=True):
        if units:
            offer = offers[purchasable.instrument]
            start = forecast.periods[purchasable.bought].start
            amount = units * purchasable.unit_microusd
            cost = amount * purchasable.hours // HOURS_OF_WEEK
            nodes = units if isinstance(offer, ReservationOffer) else 0
            bought.append(
                Purchase(offer, purchasable.bought, start, offer.end_of(start), amount, cost, nodes)
            )
    return tuple(sorted(bought, key=lambda purchase: (purchase.period, purchase.offer.name)))

"""Splits of cells chosen anew, at the prices that commitments and churn make.

Splits are decided at list prices, when nothing is known of commitments yet. Where these pay for some nodes
only, the nodes that they make cheap hold other numbers of pods well, and a split that fits the nodes of the
list prices fits them badly. What proves a cell in whole nodes at such prices comes with splits that cost
little more (`priced`); for cells of many pods these are better ones at list prices, too. Cells that one of
them makes cheaper at the same prices are split so, and commitments and mixes are chosen again; the better of
both plans counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from binwright_optimizer.model import CapacityType
from binwright_optimizer.planning.commit import Commitments, Risk, affordable, choose, factors_at
from binwright_optimizer.planning.ledger import Ask, Keep, Ledger
from binwright_optimizer.planning.pace import Pace
from binwright_optimizer.planning.priced import CellKey, PricedCells, least_at
from binwright_optimizer.planning.programme import Cell
from binwright_optimizer.planning.rounds import recombined, with_proof_of
from binwright_optimizer.planning.shares import Split
from binwright_optimizer.planning.spread import Key, Spread, SpreadCell
from binwright_optimizer.planning.subproblems import Question

MOST_ROUNDS = 3
"""Rounds of new splits; each asks at the prices that the last one's plan makes."""

Splits = Mapping[CellKey, SpreadCell]


def resplit(
    ledger: Ledger,
    chosen: Commitments,
    small: PricedCells,
    ask: Ask,
    keep: Keep,
    chances: Sequence[Fraction],
    risk: Risk,
    pace: Pace,
) -> tuple[Ledger, Commitments]:
    """The plan with its best proof, and with the splits that make it cheaper; these are the spread's then."""
    for _ in range(MOST_ROUNDS):
        chosen = small.sharpened(ledger, chosen)
        better = _better(ledger, chosen, small, ask, keep, pace)
        if not better:
            break
        other = _with(ledger, small.spread, better)
        found = choose(other.cells(), other.scopes.market, chances, risk)
        found = recombined(other, found, chosen.units, chances, risk)
        if found.objective >= chosen.objective:
            break
        ledger, chosen = other, with_proof_of(found, chosen)
        small.spread.cells |= {(cell, CapacityType.ON_DEMAND): own for cell, own in better.items()}
    return ledger, chosen


def other_splits(first: Mapping[Key, SpreadCell], last: Mapping[Key, SpreadCell]) -> dict[CellKey, Split]:
    """The first splits of cells that are split in another way at last."""
    return {
        key[0]: own.split
        for key, own in first.items()
        if key[1] is CapacityType.ON_DEMAND and own.split.pods != last[key].split.pods
    }


def _better(
    ledger: Ledger, chosen: Commitments, small: PricedCells, ask: Ask, keep: Keep, pace: Pace
) -> dict[CellKey, SpreadCell]:
    """Other splits of cells that cost less at the prices of a choice, nodes and data."""
    candidates = small.splits(ledger, chosen)
    if not candidates:
        return {}
    market, weights = ledger.scopes.market, chosen.weights
    cells, spread = ledger.cells(), small.spread
    prices = dict(zip(ledger.members(), affordable(cells, market, chosen.prices), strict=True))

    def cost(key: CellKey, cell: Cell) -> Fraction:
        weight = weights[cell.scenario] * Fraction(cell.hours, 168)
        return least_at(cell, factors_at(market, cell, weight, prices[key]), weight)

    least = {key: cost(key, cell) for key, cell in zip(ledger.members(), cells, strict=True)}
    tried = {cell: [spread.cells[cell, CapacityType.ON_DEMAND].split.pods] for cell in candidates}
    better: dict[CellKey, SpreadCell] = {}
    while candidates:
        trials: dict[CellKey, SpreadCell] = {}
        for cell, (pods, *rest) in list(candidates.items()):
            candidates[cell] = tuple(rest)
            if not candidates[cell]:
                del candidates[cell]
            if pods not in tried[cell] and spread.is_allowed((cell, CapacityType.ON_DEMAND), pods):
                tried[cell].append(pods)
                trials[cell] = spread.split_by((cell, CapacityType.ON_DEMAND), pods)
        if not trials:
            continue
        if not pace.another():
            break
        part = _part(ledger, spread, trials)
        part.learn(ask({question for question, _ in part.questions.values()}))
        mine = [prices[cell] for cell in trials]
        part.learn(ask(part.at_prices(weights, mine)))
        if part.held:
            part.keep_at(keep, weights, mine, pace)
        for (key, own), found_cell in zip(trials.items(), part.cells(), strict=True):
            if (other := cost(key, found_cell)) < least[key]:
                least[key], better[key] = other, own
    return better


def _with(ledger: Ledger, spread: Spread, splits: Splits) -> Ledger:
    """The ledger with other splits of some cells; both share what is known of questions."""
    part = _part(ledger, spread, splits)
    return replace(
        ledger, questions={**ledger.questions, **part.questions}, joint={**ledger.joint, **part.joint}
    )


def _part(ledger: Ledger, spread: Spread, splits: Splits) -> Ledger:
    """These cells alone."""
    questions, joint = {}, {}
    for cell, own in splits.items():
        for at, site in enumerate(spread.sites):
            key = (site.region, site.zone, *cell)
            nothing = Question(site.region, site.zone, CapacityType.ON_DEMAND, ())
            questions[key] = own.questions.get(at, nothing), ledger.questions[key][1]
        before = spread.cells[cell, CapacityType.ON_DEMAND].split.egress
        joint[cell] = replace(
            ledger.joint[cell], egress=ledger.joint[cell].egress - before + own.split.egress
        )
    return replace(ledger, questions=questions, joint=joint)

"""Small cells whose pods are split over sites, bounded in whole nodes at the prices that commitments make.

What a cell costs at least on whole nodes (`whole`) is known at list prices first. Where commitments pay for
some nodes only, the least ratio of prices carries it over to others badly: one cheap type makes all of it
cheap. So once prices are chosen, the least costs of the cell are worked out again at these, and proven.

Where nodes are held, each further one costs churn. Of n_j nodes of a kind and h_j held, max(0, n_j - h_j) is
n_j - h_j at least: what whole nodes cost with a surcharge for each, less that of all held, is a bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

from binwright_optimizer.model import CapacityType
from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.planning.commit import (
    Commitments,
    Prices,
    affordable,
    factors_at,
    prove,
    relaxation,
)
from binwright_optimizer.planning.ledger import Ledger, PricedProof
from binwright_optimizer.planning.pace import Pace
from binwright_optimizer.planning.spread import Spread
from binwright_optimizer.planning.whole import whole_cells
from binwright_optimizer.verify.whole_split import LeastSplit

MOST_CELLS = 24
"""Cells of a plan up to which all are looked at; each takes some tenths of a second at most."""

CellKey = tuple[int, int, int]
PriceList = tuple[tuple[tuple[int, int], ...], int]
"""Pairs (group, parts per million of the list price) of cheaper groups; a surcharge of each node."""


def sharpened(ledger: Ledger, spread: Spread, chosen: Commitments, pace: Pace) -> Commitments:
    """The same choice with the prices that prove most; what whole nodes prove at them is learnt.

    Beside the prices known, which may suit weaker proofs, those of the relaxation are tried. Cells that there
    is no time for keep what they have.
    """
    small = [cell for cell, joint in ledger.joint.items() if joint.whole_bound]
    if not chosen.prices or not 0 < len(small) <= MOST_CELLS:
        return chosen
    market, weights = ledger.scopes.market, chosen.weights
    candidates = chosen.prices, relaxation(ledger.cells(), market, weights).prices
    known: dict[object, LeastSplit | None] = {}
    for prices in dict.fromkeys(candidates):
        _learn(ledger, spread, _price_lists(ledger, weights, prices), pace, known)
    cells = ledger.cells()
    best = max(candidates, key=lambda prices: prove(cells, market, weights, prices))
    return replace(chosen, prices=best)


def _learn(
    ledger: Ledger,
    spread: Spread,
    asked: Iterable[tuple[CellKey, PriceList]],
    pace: Pace,
    known: dict[object, LeastSplit | None],
) -> None:
    """Add what cells cost at least at other prices; each by itself: whoever checks one finds the same."""
    joint = dict(ledger.joint)
    for cell, (ppm, surcharge) in asked:
        if pace.is_over():
            break
        key = cell, CapacityType.ON_DEMAND
        same = spread.wanted[key].items, ppm, surcharge
        if same not in known:
            wanted = {key: spread.wanted[key]}
            found = whole_cells(spread.shop, spread.sites, wanted, ppm, surcharge)
            known[same] = found[CapacityType.ON_DEMAND].least(key)
        least = known[same]
        if least is not None:
            amount = max(0, least.bound - surcharge * (_held(ledger, cell) or 0))
            proof = PricedProof(amount, {group: Fraction(share, PPM) for group, share in ppm}, surcharge)
            joint[cell] = replace(joint[cell], priced=(*joint[cell].priced, proof))
    ledger.joint = joint


def _price_lists(
    ledger: Ledger, weights: tuple[Fraction, ...], prices: Prices
) -> Iterator[tuple[CellKey, PriceList]]:
    """The price lists of each small cell: what commitments make, and the same with churn for each node."""
    market, cells = ledger.scopes.market, ledger.cells()
    for key, cell, mine in zip(ledger.members(), cells, affordable(cells, market, prices), strict=True):
        weight = weights[cell.scenario] * Fraction(cell.hours, 168)
        if not weight or not ledger.joint[key].whole_bound:
            continue
        factors = factors_at(market, cell, weight, mine)
        ppm = tuple((g, int(f * PPM / weight)) for g, f in sorted(factors.items()) if f < weight)
        if len(set(factors.values())) > 1:
            yield key, (ppm, 0)
        if _held(ledger, key) is not None:
            yield key, (ppm, ledger.churn_microusd // ledger.periods[cell.period].hours)


def _held(ledger: Ledger, cell: CellKey) -> int | None:
    """Nodes that the plan held has in a cell; None if some site of it pays no churn."""
    nodes = [ledger.held.get(key) for key in ledger.members()[cell]]
    if not ledger.churn_microusd or any(own is None for own in nodes):
        return None
    return sum(sum(own.values()) for own in nodes if own is not None)

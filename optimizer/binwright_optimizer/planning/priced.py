"""Small cells whose pods are split over sites, bounded in whole nodes at the prices that commitments make.

What a cell costs at least on whole nodes (`whole`) is known at list prices first. Where commitments pay for
some nodes only, the least ratio of prices carries it over to others badly: one cheap type makes all of it
cheap. So once prices are chosen, the least costs of the cell are worked out again at these, and proven.
"""

from __future__ import annotations

from collections.abc import Iterator
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
from binwright_optimizer.planning.ledger import Ledger
from binwright_optimizer.planning.programme import Proof
from binwright_optimizer.planning.spread import Spread
from binwright_optimizer.planning.whole import whole_cells

MOST_CELLS = 24
"""Cells of a plan up to which all are looked at; each takes some tenths of a second at most."""

CellKey = tuple[int, int, int]
Ppm = tuple[tuple[int, int], ...]
"""Pairs (group, parts per million of the list price) of the groups that are cheaper."""


def sharpened(ledger: Ledger, spread: Spread, chosen: Commitments) -> Commitments:
    """The same choice with the prices that prove most; what whole nodes prove at them is learnt.

    Beside the prices known, which may suit weaker proofs, those of the relaxation are tried.
    """
    small = [cell for cell, joint in ledger.joint.items() if joint.whole_bound]
    if not chosen.prices or not 0 < len(small) <= MOST_CELLS:
        return chosen
    market, weights = ledger.scopes.market, chosen.weights
    candidates = chosen.prices, relaxation(ledger.cells(), market, weights).prices
    for prices in dict.fromkeys(candidates):
        _learn(ledger, spread, weights, prices)
    cells = ledger.cells()
    best = max(candidates, key=lambda prices: prove(cells, market, weights, prices))
    return replace(chosen, prices=best)


def _learn(ledger: Ledger, spread: Spread, weights: tuple[Fraction, ...], prices: Prices) -> None:
    """Add what the cells of each different price list cost at least."""
    cells: dict[Ppm, list[CellKey]] = {}
    for cell, ppm in _price_lists(ledger, weights, prices):
        cells.setdefault(ppm, []).append(cell)
    joint = dict(ledger.joint)
    for ppm, mine in cells.items():
        keys = [(cell, CapacityType.ON_DEMAND) for cell in mine]
        wanted = {key: spread.wanted[key] for key in keys}
        known = whole_cells(spread.shop, spread.sites, wanted, ppm)[CapacityType.ON_DEMAND]
        factors = {group: Fraction(share, PPM) for group, share in ppm}
        for key in keys:
            found = known.least(key)
            if found is not None:
                own = joint[key[0]]
                joint[key[0]] = replace(own, priced=(*own.priced, Proof(found.bound, factors)))
    ledger.joint = joint


def _price_lists(
    ledger: Ledger, weights: tuple[Fraction, ...], prices: Prices
) -> Iterator[tuple[CellKey, Ppm]]:
    """The price list of each small cell where commitments make some nodes cheaper than others."""
    market, cells = ledger.scopes.market, ledger.cells()
    for key, cell, mine in zip(ledger.members(), cells, affordable(cells, market, prices), strict=True):
        weight = weights[cell.scenario] * Fraction(cell.hours, 168)
        if not weight or not ledger.joint[key].whole_bound:
            continue
        factors = factors_at(market, cell, weight, mine)
        if len(set(factors.values())) > 1:
            yield key, tuple((g, int(f * PPM / weight)) for g, f in sorted(factors.items()) if f < weight)

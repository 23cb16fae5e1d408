"""Small cells whose pods are split over sites, bounded in whole nodes at the prices that commitments make.

What a cell costs at least on whole nodes (`whole`) is known at list prices first. Where commitments pay for
some nodes only, the least ratio of prices carries it over to others badly: one cheap type makes all of it
cheap. So once prices are chosen, the least costs of the cell are worked out again at these, and proven.

Where nodes are held, each further one costs churn: those held are on sale so often at their price, and
others at theirs and a surcharge.

Each least cost comes with the split that attains it, which `resplit` tries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
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
from binwright_optimizer.planning.sites import Item
from binwright_optimizer.planning.spread import Spread
from binwright_optimizer.planning.whole import whole_cells
from binwright_optimizer.verify.whole_split import LeastSplit

MOST_CELLS = 24
"""Cells of a plan up to which all are looked at; each takes some tenths of a second at most."""

CellKey = tuple[int, int, int]
PriceList = tuple[tuple[tuple[int, int], ...], int]
"""Pairs (group, parts per million of the list price) of cheaper groups; a surcharge of nodes not held."""
HeldNodes = tuple[tuple[int, tuple[tuple[tuple[str, str], int], ...]], ...]
"""By site, nodes by (instance type, zone)."""


@dataclass(slots=True)
class PricedCells:
    """The small cells of a plan at other than list prices; what is worked out once is known from then on."""

    spread: Spread
    pace: Pace
    _known: dict[tuple[object, PriceList, HeldNodes], LeastSplit | None] = field(default_factory=dict)

    def sharpened(self, ledger: Ledger, chosen: Commitments) -> Commitments:
        """The same choice with the prices that prove most; what whole nodes prove at them is learnt.

        Beside the prices known, which may suit weaker proofs, those of the relaxation are tried. Cells that
        there is no time for keep what they have.
        """
        if not chosen.prices or not 0 < len(_small(ledger)) <= MOST_CELLS:
            return chosen
        market, weights = ledger.scopes.market, chosen.weights
        candidates = chosen.prices, relaxation(ledger.cells(), market, weights).prices
        for prices in dict.fromkeys(candidates):
            self._learn(ledger, _price_lists(ledger, weights, prices))
        cells = ledger.cells()
        best = max(candidates, key=lambda prices: prove(cells, market, weights, prices))
        return replace(chosen, prices=best)

    def splits(self, ledger: Ledger, chosen: Commitments) -> dict[CellKey, tuple[LeastSplit, ...]]:
        """The cheapest splits known of small cells at the prices of a choice."""
        found: dict[CellKey, tuple[LeastSplit, ...]] = {}
        if not chosen.prices:
            return found
        for cell, asked in _price_lists(ledger, chosen.weights, chosen.prices):
            least = self._known.get((self._items(cell), asked, self._held(ledger, cell, asked)))
            if least is not None and least.pods:
                found[cell] = (*found.get(cell, ()), least)
        return found

    def _learn(self, ledger: Ledger, asked: Iterable[tuple[CellKey, PriceList]]) -> None:
        """Add what cells cost at least at other prices."""
        joint = dict(ledger.joint)
        for cell, (ppm, surcharge) in asked:
            if self.pace.is_over():
                break
            least = self._least(ledger, cell, (ppm, surcharge))
            if least is not None:
                factors = {group: Fraction(share, PPM) for group, share in ppm}
                proof = PricedProof(least.bound, factors, surcharge)
                if proof not in joint[cell].priced:
                    joint[cell] = replace(joint[cell], priced=(*joint[cell].priced, proof))
        ledger.joint = joint

    def _least(self, ledger: Ledger, cell: CellKey, asked: PriceList) -> LeastSplit | None:
        """What a cell costs at least, looked at by itself: whoever checks one finds the same."""
        held = self._held(ledger, cell, asked)
        known = self._items(cell), asked, held
        if known not in self._known:
            key = cell, CapacityType.ON_DEMAND
            own = {at: dict(nodes) for at, nodes in held}
            wanted = {key: self.spread.wanted[key]}
            found = whole_cells(self.spread.shop, self.spread.sites, wanted, *asked, own)
            self._known[known] = found[CapacityType.ON_DEMAND].least(key)
        return self._known[known]

    def _held(self, ledger: Ledger, cell: CellKey, asked: PriceList) -> HeldNodes:
        """The nodes held on each site where others cost a surcharge."""
        if not asked[1]:
            return ()
        keys = ((at, (site.region, site.zone, *cell)) for at, site in enumerate(self.spread.sites))
        return tuple((at, tuple(sorted(ledger.held[key].items()))) for at, key in keys if key in ledger.held)

    def _items(self, cell: CellKey) -> tuple[Item, ...]:
        return self.spread.wanted[cell, CapacityType.ON_DEMAND].items


def _small(ledger: Ledger) -> list[CellKey]:
    return [cell for cell, joint in ledger.joint.items() if joint.whole_bound]


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
        surcharge = ledger.churn_microusd // ledger.periods[cell.period].hours
        if surcharge and any(own in ledger.held for own in ledger.members()[key]):
            yield key, (ppm, surcharge)

"""Cells whose pods are split over sites, bounded in whole nodes at the prices that commitments make.

What a small cell costs at least on whole nodes (`whole`) is known at list prices first. Where commitments pay
for some nodes only, the least ratio of prices carries it over to others badly: one cheap type makes all of it
cheap. So once prices are chosen, the least costs of the cell are worked out again at these, and proven. Cells
of many pods, and small ones where that leaves a gap, are bounded by prices of pods on each site (`large`).

Where nodes are held, each further one costs churn: those held are on sale so often at their price, and
others at theirs and a surcharge.

Bounds come with splits that cost little more, which `resplit` tries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from binwright_optimizer.model import CapacityType
from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.planning.commit import (
    Commitments,
    affordable,
    factors_at,
    prove,
    relaxation,
)
from binwright_optimizer.planning.large import CLOSE, Found, HeldNodes, PriceList
from binwright_optimizer.planning.ledger import Ledger, PricedProof
from binwright_optimizer.planning.moves import Pods
from binwright_optimizer.planning.pace import Pace
from binwright_optimizer.planning.programme import Block, Cell, Option
from binwright_optimizer.planning.spread import Spread
from binwright_optimizer.planning.whole import whole_cells

MOST_CELLS = 24
"""Small cells of a plan up to which all are looked at; each takes some tenths of a second at most."""
MOST_DIFFERENT = 48
"""Different cells that are bounded by prices of pods, first those that lose most; each takes a second."""
WIDE = Fraction(1, 50)
"""Gap of a cell above which it is looked at again where only data costs what it does at list prices."""
MOST_SPLITS = 2
"""Splits of a cell that are tried."""

CellKey = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Asked:
    """A cell at prices, what the plan costs at these, micro-dollars an hour, and what of it is not proven."""

    cell: CellKey
    prices: PriceList
    cost: int
    loss: Fraction


@dataclass(slots=True)
class PricedCells:
    """The cells of a plan at other than list prices; what is worked out once is known from then on."""

    spread: Spread
    pace: Pace
    _known: dict[tuple[object, ...], Found | None] = field(default_factory=dict)

    def sharpened(self, ledger: Ledger, chosen: Commitments) -> Commitments:
        """The same choice with the prices that prove most; what whole nodes prove at them is learnt.

        Beside the prices known, which may suit weaker proofs, those of the relaxation are tried. Cells that
        there is no time for keep what they have.
        """
        if not chosen.prices or not ledger.joint:
            return chosen
        market, weights = ledger.scopes.market, chosen.weights
        candidates = chosen.prices, relaxation(ledger.cells(), market, weights).prices
        for prices in dict.fromkeys(candidates):
            self._learn(ledger, replace(chosen, prices=prices))
        cells = ledger.cells()
        best = max(candidates, key=lambda prices: prove(cells, market, weights, prices))
        return replace(chosen, prices=best)

    def splits(self, ledger: Ledger, chosen: Commitments) -> dict[CellKey, tuple[Pods, ...]]:
        """The cheapest splits known of cells that cost less than the plan's at the prices of a choice."""
        found: dict[CellKey, list[tuple[int, Pods]]] = {}
        for asked in _asked(ledger, chosen) if chosen.prices else ():
            for known in (
                self._known.get(self._name(ledger, asked)),
                self._large(ledger, asked, is_new=False),
            ):
                mine = () if known is None else known.splits
                found.setdefault(asked.cell, []).extend(one for one in mine if one[0] < asked.cost)
        cheapest = {
            cell: sorted(own, key=lambda one: (one[0], sorted(one[1].items())))[:MOST_SPLITS]
            for cell, own in found.items()
            if own
        }
        return {cell: tuple(pods for _, pods in own) for cell, own in cheapest.items()}

    def _learn(self, ledger: Ledger, chosen: Commitments) -> None:
        """Add what cells cost at least at the prices of a choice, first of those that lose most."""
        small = {cell for cell, joint in ledger.joint.items() if joint.whole_bound}
        joint = dict(ledger.joint)
        different: set[object] = set()
        for asked in sorted(_asked(ledger, chosen), key=lambda asked: -asked.loss):
            cell, (ppm, surcharge) = asked.cell, asked.prices
            if self.pace.is_over():
                break
            found = self._small(ledger, asked) if cell in small and len(small) <= MOST_CELLS else None
            if found is None or found.bound < asked.cost * (1 - CLOSE):
                different.add(self._name(ledger, asked))
                other = self._large(ledger, asked, is_new=len(different) <= MOST_DIFFERENT)
                found = max(filter(None, (found, other)), key=lambda one: one.bound, default=None)
            if found is not None:
                factors = {group: Fraction(share, PPM) for group, share in ppm}
                proof = PricedProof(found.bound, factors, surcharge, found.tree)
                if proof not in joint[cell].priced:
                    joint[cell] = replace(joint[cell], priced=(*joint[cell].priced, proof))
        ledger.joint = joint

    def _small(self, ledger: Ledger, asked: _Asked) -> Found | None:
        """What a small cell costs at least, looked at by itself: whoever checks one finds the same."""
        name = self._name(ledger, asked)
        if name not in self._known:
            key = asked.cell, CapacityType.ON_DEMAND
            held = {at: dict(nodes) for at, nodes in self._held(ledger, asked)}
            wanted = {key: self.spread.wanted[key]}
            found = whole_cells(self.spread.shop, self.spread.sites, wanted, *asked.prices, held)
            least = found[CapacityType.ON_DEMAND].least(key)
            splits = ((least.cost, least.pods),) if least is not None and least.pods else ()
            self._known[name] = None if least is None else Found(least.bound, None, splits)
        return self._known[name]

    def _large(self, ledger: Ledger, asked: _Asked, *, is_new: bool) -> Found | None:
        """What a cell costs at least by prices of pods, if that is known or may be looked for."""
        key, held = (asked.cell, CapacityType.ON_DEMAND), self._held(ledger, asked)
        large = self.spread.large
        if not is_new and not large.is_known(key, asked.prices, held):
            return None
        return large.found(key, [self.spread.cells[key].split.pods], asked.prices, held)

    def _name(self, ledger: Ledger, asked: _Asked) -> tuple[object, ...]:
        """What cells with the same answer have in common."""
        items = self.spread.wanted[asked.cell, CapacityType.ON_DEMAND].items
        return items, asked.prices, self._held(ledger, asked)

    def _held(self, ledger: Ledger, asked: _Asked) -> HeldNodes:
        """The nodes held on each site where others cost a surcharge."""
        if not asked.prices[1]:
            return ()
        keys = ((at, (site.region, site.zone, *asked.cell)) for at, site in enumerate(self.spread.sites))
        return tuple((at, tuple(sorted(ledger.held[key].items()))) for at, key in keys if key in ledger.held)


def least_at(cell: Cell, factors: Mapping[int, Fraction], full: Fraction) -> Fraction:
    """What the best of a cell's options cost at prices by group; what no commitment covers costs ``full``."""
    return sum(
        (
            min(
                sum((factors[group] * value for group, value in option.values.items()), full * option.extra)
                for option in block.options
            )
            for block in cell.blocks
        ),
        Fraction(0),
    )


def _asked(ledger: Ledger, chosen: Commitments) -> Iterator[_Asked]:
    """Each cell at the prices that commitments make, where these are not all alike, and with churn."""
    market, weights, cells = ledger.scopes.market, chosen.weights, ledger.cells()
    prices = affordable(cells, market, chosen.prices)
    for (key, keys), cell, mine in zip(ledger.members().items(), cells, prices, strict=True):
        weight = weights[cell.scenario] * Fraction(cell.hours, 168)
        joint = ledger.joint[key]
        if not weight or joint.proof is None:
            continue
        factors = factors_at(market, cell, weight, mine)
        own_cell = replace(cell, blocks=(*cell.blocks[:-1], Block((Option({}, joint.egress),), (), ())))
        cost = least_at(own_cell, factors, weight)
        loss = least_at(cell, factors, weight) - sum(b.proven(factors, weight) for b in cell.blocks)
        ppm = tuple((g, int(f * PPM / weight)) for g, f in sorted(factors.items()) if f < weight)
        # Where commitments pay for a part of all nodes alike, data is still paid for in full.
        is_alike = len(set(factors.values())) == 1
        if not is_alike or (joint.egress and ppm and loss > WIDE * cost):
            yield _Asked(key, (ppm, 0), int(cost / weight), loss)
        surcharge = ledger.churn_microusd // ledger.periods[cell.period].hours
        if surcharge and any(own in ledger.held for own in keys):
            yield _Asked(key, (ppm, surcharge), int(cost / weight), loss)

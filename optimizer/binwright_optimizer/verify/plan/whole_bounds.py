"""What small cells, whose pods are split over sites, cost at least on whole nodes: at list prices and others.

At parts q_g of list prices, data in full, a cell costs A at least (`verify.whole_split`). At factors f_g, and
W for what no commitment covers, r A is a bound for any r <= W with r q_g <= f_g. A certificate may name the q
of each cell, for where commitments make some nodes much cheaper than others the least ratio of list prices
proves little; whatever it names proves a bound.

It may name a surcharge s for each on-demand node as well that an earlier plan does not have there: such nodes
are sold at their price and s, and those held, so many of each kind, at their price. What that costs at least,
A, bounds nodes and churn of k an hour where r s <= k W. Places of which the earlier plan says nothing pay
none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from binwright_optimizer.model import Problem
from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.verify.plan.commitments import Instruments
from binwright_optimizer.verify.plan.document import WholeList, WholePrices
from binwright_optimizer.verify.plan.places import Item, Site
from binwright_optimizer.verify.whole_cells import WholeCells
from binwright_optimizer.verify.whole_split import LeastSplit, WholeItem, promise_of

Cell = tuple[int, int, int]
ProblemOf = Callable[[Sequence[int], Site, WholeList, Cell | None], Problem]
"""The packing problem of workloads on a site at parts of list prices; of a cell, beside nodes held there."""


@dataclass(slots=True)
class WholeBounds:
    """Bounds in whole nodes of the cells of a plan.

    Parameters
    ----------
    items
        Of each cell those on demand and those on spot.
    churn
        What a node that is not held costs an hour in a cell; 0 where nothing is held.
    """

    sites: Sequence[Site]
    items: Mapping[Cell, tuple[Sequence[Item], Sequence[Item]]]
    instruments: Instruments
    prices: WholePrices | None
    problem_of: ProblemOf
    churn: Callable[[Cell], Fraction]
    _listed: dict[bool, WholeCells[Cell]] = field(default_factory=dict)
    _priced: dict[tuple[object, ...], LeastSplit | None] = field(default_factory=dict)

    def at_list_prices(self, cell: Cell, *, is_spot: bool) -> int:
        """What any split of a cell costs, micro-dollars an hour; 0 where it is too large."""
        if is_spot not in self._listed:
            self._listed[is_spot] = self._cells(list(self.items), WholeList((), 0), None, is_spot=is_spot)
        found = self._listed[is_spot].least(cell)
        return 0 if found is None else found.bound

    def at_factors(self, cell: Cell, factors: Mapping[int, Fraction], full: Fraction) -> Fraction:
        """What a cell's pods on demand cost at least by the prices that the certificate names; else 0.

        Parameters
        ----------
        factors
            Of on-demand nodes, by group.
        """
        number = self._list_of(cell)
        if self.prices is None or number is None:
            return Fraction(0)
        asked = self.prices.lists[number]
        # Each cell by itself: what others ask has no part in how far its splits are looked at.
        beside = cell if asked.surcharge else None
        key = tuple(map(self._item, self.items[cell][0])), number, beside
        if key not in self._priced:
            self._priced[key] = self._cells([cell], asked, beside, is_spot=False).least(cell)
        found = self._priced[key]
        if found is None:
            return Fraction(0)
        ratio = full
        if asked.surcharge:
            ratio = min(ratio, full * self.churn(cell) / asked.surcharge)
        share = {self.instruments.keys[covers, price]: part for covers, price, part in asked.ppm}
        for region in {site.region for site in self.sites}:
            for group in self.instruments.region_groups[region]:
                own = Fraction(share.get(group, PPM), PPM)
                if own:
                    ratio = min(ratio, factors[group] / own)
        return ratio * found.bound

    def _list_of(self, cell: Cell) -> int | None:
        """The number of the price list that the certificate names for a cell."""
        return None if self.prices is None else self.prices.of_cells[sorted(self.items).index(cell)]

    def _cells(
        self, cells: Sequence[Cell], asked: WholeList, beside: Cell | None, *, is_spot: bool
    ) -> WholeCells[Cell]:
        items = {cell: tuple(map(self._item, self.items[cell][is_spot])) for cell in cells}
        return WholeCells(
            items, lambda workloads, at: self.problem_of(workloads, self.sites[at], asked, beside)
        )

    def _item(self, item: Item) -> WholeItem:
        number = {site: at for at, site in enumerate(self.sites)}
        losses = [(frozenset(number[s] for s in lost), kept) for lost, kept in item.losses.values()]
        kept, alone = promise_of(losses)
        egress = {number[site]: price for site, price in item.egress.items()}
        return WholeItem(item.workload, item.pods, egress, kept, alone)

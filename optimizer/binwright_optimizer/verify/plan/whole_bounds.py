"""What cells whose pods are split over sites cost at least on whole nodes: at list prices and others.

At parts q_g of list prices, data in full, a small cell costs A at least (`verify.whole_split`), and any by
prices of pods that the certificate names (`verify.pod_prices`). At factors f_g, and
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
from binwright_optimizer.verify.pod_prices import Quota, SplitItem, Tree, least_by_prices
from binwright_optimizer.verify.site_costs import SiteCosts
from binwright_optimizer.verify.whole_cells import WholeCells
from binwright_optimizer.verify.whole_split import WholeItem, promise_of

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
    quotas
        Milli-CPU by region.
    churn
        What a node that is not held costs an hour in a cell; 0 where nothing is held.
    """

    sites: Sequence[Site]
    items: Mapping[Cell, tuple[Sequence[Item], Sequence[Item]]]
    instruments: Instruments
    prices: WholePrices | None
    quotas: Mapping[str, int]
    problem_of: ProblemOf
    churn: Callable[[Cell], Fraction]
    _listed: dict[bool, WholeCells[Cell]] = field(default_factory=dict)
    _priced: dict[tuple[object, ...], int] = field(default_factory=dict)
    _order: dict[Cell, int] = field(default_factory=dict)
    _tables: dict[tuple[int, Cell | None], SiteCosts[Cell]] = field(default_factory=dict)

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

        Raises
        ------
        ValueError
            If it names prices of pods that do not fit.
        """
        number, tree = self._named(cell)
        if self.prices is None or number is None:
            return Fraction(0)
        asked = self.prices.lists[number]
        beside = cell if asked.surcharge else None
        items = tuple(map(self._item, self.items[cell][0])) if tree is None else cell
        key = items, number, tree, beside
        if key not in self._priced:
            if tree is None:
                # Each cell by itself: what others ask has no part in how far its splits are looked at.
                found = self._cells([cell], asked, beside, is_spot=False).least(cell)
                self._priced[key] = 0 if found is None else found.bound
            else:
                self._priced[key] = self._by_pods(cell, number, self.prices.trees[tree], beside)
        ratio = full
        if asked.surcharge:
            ratio = min(ratio, full * self.churn(cell) / asked.surcharge)
        share = {self.instruments.keys[covers, price]: part for covers, price, part in asked.ppm}
        for region in {site.region for site in self.sites}:
            for group in self.instruments.region_groups[region]:
                own = Fraction(share.get(group, PPM), PPM)
                if own:
                    ratio = min(ratio, factors[group] / own)
        return ratio * self._priced[key]

    def _named(self, cell: Cell) -> tuple[int | None, int | None]:
        """The numbers of the price list and of the prices of pods that the certificate names for a cell."""
        if self.prices is None:
            return None, None
        if len(self._order) < len(self.items):
            self._order = {one: at for at, one in enumerate(sorted(self.items))}
        at = self._order[cell]
        return self.prices.of_cells[at], self.prices.tree_of_cells[at]

    def _by_pods(self, cell: Cell, number: int, tree: Tree, beside: Cell | None) -> int:
        """What a cell costs at least by prices of pods, micro-dollars an hour; 0 where it is too large."""
        assert self.prices is not None
        asked = self.prices.lists[number]
        if (number, beside) not in self._tables:
            named = {one: self._named(one) for one in self.items}
            like = [one for one, (own, pods) in named.items() if own == number and pods is not None]
            self._tables[number, beside] = SiteCosts(
                {one: self._split_items(one) for one in (like if beside is None else [beside])},
                lambda workloads, at: self.problem_of(workloads, self.sites[at], asked, beside),
            )
        costs = self._tables[number, beside].of(cell)
        if costs is None:
            return 0
        quotas = [
            Quota(frozenset(at for at in costs if self.sites[at].region == region), cpu)
            for region, cpu in sorted(self.quotas.items())
        ]
        return least_by_prices(self._split_items(cell), costs, quotas, tree)

    def _split_items(self, cell: Cell) -> list[SplitItem]:
        """The pods on demand of a cell, demand by demand."""
        number = {site: at for at, site in enumerate(self.sites)}
        found = []
        for item in sorted(self.items[cell][0], key=lambda item: item.demand):
            losses = [(frozenset(number[s] for s in lost), kept) for lost, kept in item.losses.values()]
            losses.sort(key=lambda entry: sorted(entry[0]))
            egress = {number[site]: price for site, price in sorted(item.egress.items())}
            found.append(SplitItem(item.workload, item.pods, item.cpu_milli, egress, tuple(losses)))
        return found

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

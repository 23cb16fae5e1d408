"""Cells of many pods, split over sites by what whole nodes cost: bounds, and splits that cost little more.

The engine packs one site at a time and proves by prices of single pods. Where few enough workloads share a
site, what any number of their pods costs there on whole nodes fits a table, and `boxes` searches over
splits with these.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from binwright_optimizer.model import CapacityType
from binwright_optimizer.planning import shares
from binwright_optimizer.planning.boxes import BoxSearch
from binwright_optimizer.planning.moves import Pods, SplitMoves
from binwright_optimizer.planning.sites import Site
from binwright_optimizer.planning.subproblems import Shop
from binwright_optimizer.planning.whole import Key, WholeCell, site_costs
from binwright_optimizer.verify.pod_prices import Tree
from binwright_optimizer.verify.site_costs import SiteCosts

MOST_BOXES = 100
"""Boxes of a cell; about a second."""
CLOSE = Fraction(1, 2000)
"""Gap of a cell at which no more is looked for."""

PriceList = tuple[tuple[tuple[int, int], ...], int]
"""Pairs (group, parts per million of the list price) of cheaper groups; a surcharge of nodes not held."""
LISTED: PriceList = ((), 0)
HeldNodes = tuple[tuple[int, tuple[tuple[tuple[str, str], int], ...]], ...]
"""By site, nodes by (instance type, zone)."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a cell costs at least, what proves it, and splits with their costs on whole nodes, cheapest first.

    Parameters
    ----------
    bound
        Micro-dollars an hour.
    tree
        None where all splits were looked at.
    """

    bound: int
    tree: Tree | None
    splits: tuple[tuple[int, Pods], ...]


@dataclass(slots=True)
class LargeCells:
    """Searches of the cells of a plan, each made once."""

    shop: Shop
    sites: Sequence[Site]
    wanted: Mapping[Key, shares.Question]
    _known: dict[tuple[object, ...], Found | None] = field(default_factory=dict)
    _costs: dict[PriceList, SiteCosts[Key]] = field(default_factory=dict)

    def found(
        self, key: Key, starts: Iterable[Pods], prices: PriceList = LISTED, held: HeldNodes = ()
    ) -> Found | None:
        """What is found of a cell on demand; None where its pods have too many combinations.

        Parameters
        ----------
        starts
            Splits to make better.
        """
        name = self.wanted[key].items, prices, held
        if name not in self._known:
            self._known[name] = self._searched(key, starts, prices, held)
        return self._known[name]

    def is_known(self, key: Key, prices: PriceList = LISTED, held: HeldNodes = ()) -> bool:
        """Whether a cell like this one was searched."""
        return (self.wanted[key].items, prices, held) in self._known

    def _searched(self, key: Key, starts: Iterable[Pods], prices: PriceList, held: HeldNodes) -> Found | None:
        costs = self._tables(key, prices, held).of(key)
        if costs is None:
            return None
        cell = WholeCell.of(self.wanted[key], costs)
        moves, search = SplitMoves(cell), BoxSearch(cell)
        splits = moves.all_polished(starts)
        if not splits:
            return None
        enough = min(cost for cost, _ in splits) * (1 - CLOSE)
        tree, bound = search.run(int(enough), MOST_BOXES)
        splits += moves.all_polished(search.dives)
        splits.sort(key=lambda one: (one[0], sorted(one[1].items())))
        return Found(bound, tree, tuple(splits))

    def _tables(self, key: Key, prices: PriceList, held: HeldNodes) -> SiteCosts[Key]:
        if held:
            nodes = {at: dict(own) for at, own in held}
            return site_costs(self.shop, self.sites, {key: self.wanted[key]}, *prices, nodes)
        if prices not in self._costs:
            wanted = {key: own for key, own in self.wanted.items() if key[1] is CapacityType.ON_DEMAND}
            self._costs[prices] = site_costs(self.shop, self.sites, wanted, *prices)
        return self._costs[prices]

"""Prices that prove what a cell of many pods costs over several sites, and splits that cost little more.

`verify.pod_prices` says what prices prove; here they are found. For a box of the most pods M_i that one site
holds, the best prices are the duals of the linear programme over all ways k to hold pods on a site,

    minimise  sum_jk f_j(s_jk) l_jk + sum_ij g_ij t_ij
    ways      sum_k l_jk = 1,   s_j = sum_k s_jk l_jk           for every site j
    and what the losses, M_i and quotas ask of s, and t of s,

which column generation solves: the way that is worth most at some prices comes out of the table of f_j. The
box that proves least is halved until all prove enough.

Splits come out of the boxes that prove least: the way that weighs most in the programme is taken for its
site, the rest is solved again, until every site has one (a dive). `moves` makes them better.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np

from binwright_optimizer.planning.moves import Pods
from binwright_optimizer.planning.whole import WholeCell
from binwright_optimizer.verify.pod_prices import (
    BITS,
    Box,
    Halves,
    PodPrices,
    PricedBox,
    Tree,
    whole_box,
)

MOST_DIVES = 6
"""Boxes that are dived into."""
DIVE_ROUNDS = 15
"""Rounds of column generation after a way is taken."""
MOST_ROUNDS = 60
"""Rounds of column generation for one box."""
CONVERGED = 2e-5
"""Gap between the programme and its bound at which prices are good enough."""
MIDDLE = 0.5
"""How far prices asked for lie from those that proved most so far, towards the latest duals."""
DOLLAR = 1e6
DEAR = 1e4
"""Dollars an hour of a pod without a place, and of a CPU beyond a quota."""

Way = tuple[int, tuple[int, ...], int]
"""Site, pods by item, and what they cost on whole nodes."""


@dataclass(slots=True)
class _Node:
    """A box with the prices that prove most of it, 2**-`BITS` micro-dollars an hour; its halves, if any."""

    box: Box
    prices: PodPrices
    worth: int
    cut: tuple[int, int] | None = None
    halves: tuple[_Node, ...] = ()

    def tree(self) -> Tree:
        if self.cut is None:
            return self.prices
        fewer, more = (half.tree() for half in self.halves)
        return Halves(*self.cut, fewer, more)


@dataclass(slots=True)
class BoxSearch:
    """The boxes of one cell.

    Attributes
    ----------
    dives
        Splits in whole numbers out of the boxes that prove least; they may break promises.
    """

    cell: WholeCell
    ways: dict[Way, None] = field(default_factory=dict)
    dives: list[Pods] = field(default_factory=list)

    def run(self, enough: int, most_boxes: int) -> tuple[Tree, int]:
        """A tree of prices and what it proves, micro-dollars an hour.

        Parameters
        ----------
        enough
            At which no more is looked for, micro-dollars an hour.
        """
        nothing = PodPrices(
            (0,) * len(self.cell.items),
            (0,) * len(self.cell.items),
            tuple((0,) * len(item.losses) for item in self.cell.items),
            (0,) * len(self.cell.quotas),
        )
        goal = enough << BITS
        root = self._solved(whole_box(self.cell.items), nothing, goal)
        heap = [(root.worth, 0, root)]
        looked_at = 1
        while heap and looked_at < most_boxes:
            worth, _, node = heap[0]
            cut = None if worth >= goal else self._cut(node, goal)
            if cut is None:
                break
            heapq.heappop(heap)
            item, at_most = node.cut = cut
            low, high = node.box[item]
            halves = []
            for side in ((low, at_most), (at_most + 1, high)):
                half = self._solved((*node.box[:item], side, *node.box[item + 1 :]), node.prices, goal)
                looked_at += 1
                halves.append(half)
                heapq.heappush(heap, (half.worth, looked_at, half))
            node.halves = tuple(halves)
        proven = max(0, heap[0][0] >> BITS)
        if proven < enough:
            for _, _, node in heapq.nsmallest(MOST_DIVES, heap):
                self._dive(node)
        return root.tree(), proven

    def _dive(self, node: _Node) -> None:
        """A split of a box in whole numbers."""
        priced = self.cell.priced(node.box)
        master = self._master(priced)
        taken: dict[int, Way] = {}
        while len(taken) < len(self.cell.sites):
            for _ in range(DIVE_ROUNDS):
                _, duals = master.solve()
                ways = [self._best(priced, site, duals)[1] for site in self.cell.sites if site not in taken]
                if not sum(master.add(way) for way in ways):
                    break
            master.solve()
            way = max(master.weights(taken), key=lambda known: (known[1], known[0]))[0]
            master.take(way)
            taken[way[0]] = way
        self.dives.append(
            {(i, site): n for site, (_, pods, _) in taken.items() for i, n in enumerate(pods) if n}
        )

    def _cut(self, node: _Node, goal: int) -> tuple[int, int] | None:
        """The item whose box is to be halved, and the M of the smaller part; None if all are single."""
        priced = self.cell.priced(node.box)
        worth = {site: priced.of_pods(site, node.prices) for site in self.cell.sites}
        best: tuple[int, int, int] | None = None
        for i, (low, high) in enumerate(node.box):
            if low == high:
                continue
            pod = max(1, min(max(1, worth[site][i]) for site in self.cell.items[i].egress))
            # From so many pods more on, all that must be held costs enough.
            far = low + max(0, goal - node.worth) // pod
            middle = min((low + high) // 2, far)
            span = (min(high, far) - low) * pod
            if best is None or span > best[0]:
                best = span, i, middle
        return None if best is None else best[1:]

    def _solved(self, box: Box, prices: PodPrices, goal: int) -> _Node:
        """The box with its best prices, beginning with others."""
        priced = self.cell.priced(box)
        master = self._master(priced)
        best = _Node(box, prices, priced.least(prices))
        for _ in range(MOST_ROUNDS):
            if best.worth >= goal:
                break
            value, duals = master.solve()
            if value * (1 - CONVERGED) <= best.worth / (1 << BITS) / DOLLAR:
                break
            is_new = False
            for asked in (_between(best.prices, duals), duals):
                worth = 0
                for site in self.cell.sites:
                    own, way = self._best(priced, site, asked)
                    worth += own
                    is_new |= master.add(way)
                proven = priced.asked(asked) + worth
                if proven > best.worth:
                    best.prices, best.worth = asked, proven
                if is_new:
                    break
            if not is_new:
                break
        return best

    def _master(self, priced: PricedBox) -> _Master:
        """The programme of a box over the ways known that it allows."""
        master = _Master(self.cell, priced.box)
        for site in self.cell.sites:
            master.add((site, (0,) * len(self.cell.items), 0))
        for way in self.ways:
            if all(n <= priced.most(i, way[0]) for i, n in enumerate(way[1])):
                master.add(way)
        return master

    def _best(self, priced: PricedBox, site: int, prices: PodPrices) -> tuple[int, Way]:
        """The way to hold pods on a site that is worth most at some prices, and its cost less that."""
        worth, held = priced.best_on(site, priced.of_pods(site, prices))
        table = self.cell.sites[site]
        pods = [0] * len(table.workloads)
        for i, n in enumerate(held):
            if n:
                pods[table.workloads.index(self.cell.items[i].workload)] += n
        way = site, held, int(table.costs[tuple(pods)])
        self.ways.setdefault(way)
        return worth, way


def _between(one: PodPrices, other: PodPrices) -> PodPrices:
    """Prices part of the way from one to another."""

    def mixed(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        return tuple(int(x + MIDDLE * (y - x)) for x, y in zip(a, b, strict=True))

    return PodPrices(
        mixed(one.running, other.running),
        mixed(one.kept, other.kept),
        tuple(mixed(a, b) for a, b in zip(one.losses, other.losses, strict=True)),
        mixed(one.quotas, other.quotas),
    )


class _Master:
    """The linear programme over the ways known, for one box; dollars an hour."""

    def __init__(self, cell: WholeCell, box: Box) -> None:
        self._items = cell.items
        self._quotas = cell.quotas
        self._known: dict[Way, int] = {}
        self._columns = 0
        self._model = model = highspy.Highs()
        model.setOptionValue("output_flag", False)
        model.setOptionValue("threads", 1)
        infinity = highspy.kHighsInf
        self._rows = 0
        self._way = {site: self._row(1.0, 1.0) for site in cell.sites}
        self._running: list[int] = []
        self._held: dict[tuple[int, int], int] = {}
        self._kept: list[int | None] = []
        self._losses: list[tuple[int, ...]] = []
        for i, item in enumerate(cell.items):
            self._running.append(self._row(float(item.pods), infinity))
            self._kept.append(self._row(float(item.kept + box[i][0]), infinity) if item.lost_alone else None)
            self._losses.append(tuple(self._row(float(pods), infinity) for _, pods in item.losses))
            for site, egress in item.egress.items():
                self._held[i, site] = row = self._row(-infinity, 0.0)
                self._column(egress / DOLLAR, [(self._running[i], 1.0), (row, 1.0)])
            asked = (self._running[i], self._kept[i], *self._losses[i])
            for row_or_none in asked:
                if row_or_none is not None:
                    self._column(DEAR, [(row_or_none, 1.0)])
        self._quota = [self._row(-infinity, quota.cpu_milli / 1000) for quota in cell.quotas]
        for row in self._quota:
            self._column(DEAR, [(row, -1.0)])

    def _row(self, lower: float, upper: float) -> int:
        self._model.addRow(lower, upper, 0, np.zeros(0, dtype=np.int32), np.zeros(0))
        self._rows += 1
        return self._rows - 1

    def _column(self, cost: float, entries: Sequence[tuple[int, float]]) -> None:
        rows = np.array([row for row, _ in entries], dtype=np.int32)
        values = np.array([value for _, value in entries])
        self._model.addCol(cost, 0.0, highspy.kHighsInf, len(entries), rows, values)
        self._columns += 1

    def add(self, way: Way) -> bool:
        """One more way; whether it is new."""
        if way in self._known:
            return False
        site, held, cost = way
        entries = [(self._way[site], 1.0)]
        for i, pods in enumerate(held):
            if not pods:
                continue
            entries.append((self._held[i, site], -float(pods)))
            kept = self._kept[i]
            if kept is not None:
                entries.append((kept, float(pods)))
            for row, (lost, _) in zip(self._losses[i], self._items[i].losses, strict=True):
                if site not in lost:
                    entries.append((row, float(pods)))
        for row, quota in zip(self._quota, self._quotas, strict=True):
            if site in quota.sites and (
                taken := sum(n * item.cpu_milli for n, item in zip(held, self._items, strict=True))
            ):
                entries.append((row, taken / 1000))
        self._known[way] = self._columns
        self._column(cost / DOLLAR, entries)
        return True

    def weights(self, taken: Mapping[int, Way]) -> list[tuple[Way, float]]:
        """What each way of sites that none is taken of weighs in the last solution."""
        values = self._model.getSolution().col_value
        return [(way, values[column]) for way, column in self._known.items() if way[0] not in taken]

    def take(self, way: Way) -> None:
        """Hold pods on a site in this way and no other."""
        self._model.changeColBounds(self._known[way], 1.0, 1.0)

    def solve(self) -> tuple[float, PodPrices]:
        """The least cost over the ways known, and its duals."""
        self._model.run()
        duals = self._model.getSolution().row_dual
        scale = DOLLAR * (1 << BITS)

        def price(row: int | None) -> int:
            return 0 if row is None else max(0, round(duals[row] * scale))

        prices = PodPrices(
            tuple(map(price, self._running)),
            tuple(map(price, self._kept)),
            tuple(tuple(map(price, own)) for own in self._losses),
            tuple(max(0, round(-duals[row] * scale / 1000)) for row in self._quota),
        )
        return float(self._model.getInfo().objective_function_value), prices

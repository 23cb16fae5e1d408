"""What few pods over several sites cost at least, in whole pods and whole nodes, whatever the split.

Items ``i`` (d_i pods wanted), sites ``j``, f_j(s) what the pods s cost at least on whole nodes of site j
(`whole_nodes`), g_ij the data that a pod sends home. Where any one of some sites may be lost and the others
keep P_i pods, the most pods that one of them holds, M_i, says it all, for the loss of that site takes most:

    s_ij <= M_i on these sites,   sum_j s_ij >= P_i + M_i,   sum_j s_ij >= d_i.

For a box of M_i in [a_i, b_i] the split of least cost with s_ij <= b_i and sum_j s_ij >= max(d_i, P_i + a_i)
is found exactly, site by site, over all sums of pods so far (a dynamic programme); no split with M in the box
costs less. Where it keeps all promises it is the best of the box; else the box is halved. Boxes whose pods
cost as much on nodes of all sites together need no such look. Quotas and losses of several sites at once are
left out: that makes the bound lower, never wrong.

The search is bounded by steps counted, so that planner and verifier find the same.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from binwright_optimizer.verify import whole_nodes
from binwright_optimizer.verify.whole_nodes import NEVER

Int64Array = NDArray[np.int64]

MOST_STEPS, MOST_SUMS = 20_000_000, 200_000
"""Steps of one dynamic programme, some tenths of a second, and sums of pods, whose costs are kept by site."""
ALL_STEPS = 60_000_000
"""Steps of all of them for one cell."""

Box = tuple[tuple[int, int], ...]
"""For each item the least and the most of M_i."""


@dataclass(frozen=True, slots=True)
class WholeItem:
    """Pods of one item.

    Parameters
    ----------
    egress
        By each site where they may run: micro-dollars an hour that a pod costs in data.
    kept
        Pods that must be left if any one of the sites ``lost_alone`` fails; 0 without such a promise.
    """

    workload: int
    pods: int
    egress: Mapping[int, int]
    kept: int = 0
    lost_alone: frozenset[int] = frozenset()

    def __hash__(self) -> int:
        return hash((self.workload, self.pods, tuple(sorted(self.egress.items())), self.kept))


@dataclass(frozen=True, slots=True)
class WholeCosts:
    """f_j of a site, an axis for each of its workloads; micro-dollars an hour."""

    workloads: tuple[int, ...]
    costs: Int64Array


@dataclass(frozen=True, slots=True)
class LeastSplit:
    """What was found.

    Parameters
    ----------
    bound
        Micro-dollars an hour that every split costs at least.
    pods
        The cheapest split found that keeps the promises looked at, by (item, site); empty if none was.
    cost
        What it costs on whole nodes and in data.
    """

    bound: int
    pods: Mapping[tuple[int, int], int] = field(default_factory=dict)
    cost: int = NEVER


def promise_of(losses: Sequence[tuple[frozenset[int], int]]) -> tuple[int, frozenset[int]]:
    """Pods to be kept if any one of several sites fails, and these sites: the promise of most sites.

    Examples
    --------
    >>> kept, sites = promise_of([(frozenset({0}), 5), (frozenset({1}), 5), (frozenset({0, 1}), 2)])
    >>> kept, sorted(sites)
    (5, [0, 1])
    """
    by_pods: dict[int, set[int]] = {}
    for lost, kept in losses:
        if len(lost) == 1:
            by_pods.setdefault(kept, set()).update(lost)
    if not by_pods:
        return 0, frozenset()
    kept = max(by_pods, key=lambda pods: (len(by_pods[pods]), pods))
    return kept, frozenset(by_pods[kept])


def is_countable(items: Sequence[WholeItem]) -> bool:
    """Whether the smallest box of a cell can be looked at: else tables of its costs are of no use."""
    if not items:
        return False
    search = _Search(items, {}, None)
    return search.steps(tuple((low, low) for low, _ in search.whole_box())) <= MOST_STEPS


def least_split(
    items: Sequence[WholeItem],
    sites: Mapping[int, WholeCosts],
    pooled: WholeCosts | None,
    most_steps: int = ALL_STEPS,
) -> LeastSplit:
    """The least cost of all splits, as far as the steps go.

    Parameters
    ----------
    sites
        What pods cost on each site where any item may run.
    pooled
        What they cost where a node may be of any site; axes for all workloads of the items.
    most_steps
        Steps of all boxes looked at.
    """
    return _Search(items, sites, pooled).run(most_steps)


def compile_kernels() -> None:
    """Run the kernels once, for the types that they are called with."""
    whole_nodes.compile_kernels()
    site = WholeCosts((0,), np.arange(2, dtype=np.int64))
    least_split([WholeItem(0, 1, {0: 0})], {0: site}, None)


class _Search:
    """Boxes, the least bound first."""

    def __init__(
        self, items: Sequence[WholeItem], sites: Mapping[int, WholeCosts], pooled: WholeCosts | None
    ) -> None:
        self._items = items
        self._costs = sites
        self._pooled = pooled
        numbers = {site for item in items for site in item.egress}
        self._sites = sorted(numbers, key=lambda j: (sum(i.egress.get(j, 0) for i in items), j))
        self._found = LeastSplit(0)

    def whole_box(self) -> Box:
        """Every M_i that may be."""
        box = []
        for item in self._items:
            everywhere = len(item.egress)
            is_all = item.lost_alone == frozenset(item.egress) and everywhere > 1
            low = -(-item.kept // (everywhere - 1)) if is_all else 0
            box.append((low, item.pods) if item.kept else (item.pods, item.pods))
        return tuple(box)

    def run(self, left: int) -> LeastSplit:
        """All boxes in order of their bounds, until one costs as much as the best split, or steps run out."""
        whole = self.whole_box()
        heap: list[tuple[int, int, Box]] = [(self._together(whole), 0, whole)]
        pushed = 0
        while heap:
            bound, _, box = heapq.heappop(heap)
            if bound >= self._found.cost:
                break
            steps = self.steps(box)
            if steps <= min(left, MOST_STEPS):
                left -= steps
                value, is_best = self._look(box)
                bound = max(bound, value)
                if is_best:
                    continue
            if steps > left or all(low == high for low, high in box):
                # What was just learnt of this box says nothing of those that are left.
                others = heap[0][0] if heap else NEVER
                return replace(self._found, bound=min(bound, others, self._found.cost))
            for half in _halves(box):
                pushed += 1
                heapq.heappush(heap, (max(bound, self._together(half)), pushed, half))
        return replace(self._found, bound=self._found.cost)

    def steps(self, box: Box) -> int:
        """Sums of pods so far times pods of the next site, over all sites; too many if the sums are."""
        sums = math.prod(total + 1 for total in self._totals(box))
        if sums > MOST_SUMS:
            return MOST_STEPS + 1
        ways = sum(math.prod(n + 1 for n in self._most(site, box)) for site in self._sites)
        return sums * ways

    def _totals(self, box: Box) -> list[int]:
        return [max(item.pods, item.kept + low) for item, (low, _) in zip(self._items, box, strict=True)]

    def _most(self, site: int, box: Box) -> list[int]:
        """Pods of each item that a site holds at most."""
        return [
            0 if site not in item.egress else min(item.pods, high) if site in item.lost_alone else item.pods
            for item, (_, high) in zip(self._items, box, strict=True)
        ]

    def _together(self, box: Box) -> int:
        """What the pods of a box cost at least where nodes may hold pods of several sites."""
        if self._pooled is None:
            return 0
        wanted = dict.fromkeys(self._pooled.workloads, 0)
        for item, total in zip(self._items, self._totals(box), strict=True):
            wanted[item.workload] += total
        return int(self._pooled.costs[tuple(wanted.values())])

    def _look(self, box: Box) -> tuple[int, bool]:
        """The least cost of a box's relaxation, and whether its split keeps all promises."""
        totals = np.array(self._totals(box), dtype=np.int64)
        most = np.array([self._most(site, box) for site in self._sites], dtype=np.int64)
        costs, starts, strides = self._flat(most)
        pods = np.array([item.pods for item in self._items], dtype=np.int64)
        held = np.zeros(most.shape, dtype=np.int64)
        value = int(_cheapest(totals, most, costs, starts, strides, self._egress(), pods, held))
        if value >= NEVER:
            return NEVER, True  # the box has no split
        split = {
            (i, site): int(held[at, i])
            for at, site in enumerate(self._sites)
            for i in range(len(self._items))
            if held[at, i]
        }
        is_kept = self._is_kept(split)
        if is_kept and value < self._found.cost:
            self._found = LeastSplit(0, split, value)
        return value, is_kept

    def _is_kept(self, split: Mapping[tuple[int, int], int]) -> bool:
        for i, item in enumerate(self._items):
            total = sum(split.get((i, site), 0) for site in item.egress)
            most = max((split.get((i, site), 0) for site in item.lost_alone), default=0)
            if total - most < item.kept:
                return False
        return True

    def _flat(self, most: Int64Array) -> tuple[Int64Array, Int64Array, Int64Array]:
        """Costs of all sites in a row, where each begins, the step of one pod of an item: (site, item)."""
        parts, starts, at = [], [], 0
        strides = np.zeros(most.shape, dtype=np.int64)
        for j, site in enumerate(self._sites):
            table = self._costs[site]
            starts.append(at)
            flat = np.ascontiguousarray(table.costs)
            for i, item in enumerate(self._items):
                if site in item.egress:
                    axis = table.workloads.index(item.workload)
                    strides[j, i] = flat.strides[axis] // flat.itemsize
            parts.append(flat.reshape(-1))
            at += flat.size
        return np.concatenate(parts), np.array(starts, dtype=np.int64), strides

    def _egress(self) -> Int64Array:
        """Data of a pod by (site, item), never less on a later site: what comes later may cost less."""
        found = np.zeros((len(self._sites), len(self._items)), dtype=np.int64)
        for i, item in enumerate(self._items):
            least = max(item.egress.values())
            for j in range(len(self._sites) - 1, -1, -1):
                least = min(least, item.egress.get(self._sites[j], least))
                found[j, i] = least
        return found


def _halves(box: Box) -> list[Box]:
    """The box cut in two where it is widest for its size."""
    at = max(range(len(box)), key=lambda i: ((box[i][1] - box[i][0]) / (box[i][1] + 1), -i))
    low, high = box[at]
    middle = (low + high) // 2
    return [(*box[:at], side, *box[at + 1 :]) for side in ((low, middle), (middle + 1, high))]


@njit(cache=True, nogil=True)
def _cheapest(
    totals: Int64Array,
    most: Int64Array,
    costs: Int64Array,
    starts: Int64Array,
    strides: Int64Array,
    egress: Int64Array,
    pods: Int64Array,
    held: Int64Array,
) -> int:
    """The least cost of pods that sum to ``totals``; fills ``held`` (site, item) with such a split."""
    n_sites, n_items = most.shape
    step = np.ones(n_items, dtype=np.int64)
    for i in range(n_items - 2, -1, -1):
        step[i] = step[i + 1] * (totals[i + 1] + 1)
    n_sums = step[0] * (totals[0] + 1)
    never = np.int64(NEVER)
    best = np.full((n_sites + 1, n_sums), never, dtype=np.int64)
    before = np.zeros((n_sites, n_sums), dtype=np.int64)
    best[0, 0] = 0
    # What the sites that follow hold at most says what must be held by now.
    later = np.zeros((n_sites + 1, n_items), dtype=np.int64)
    for j in range(n_sites - 1, -1, -1):
        for i in range(n_items):
            later[j, i] = later[j + 1, i] + most[j, i]
    own = np.zeros(n_items, dtype=np.int64)
    sums = np.zeros(n_items, dtype=np.int64)
    room = np.zeros(n_items, dtype=np.int64)
    for j in range(n_sites):
        for at in range(n_sums):
            so_far = best[j, at]
            if so_far >= never:
                continue
            rest = at
            for i in range(n_items):
                sums[i] = rest // step[i]
                rest -= sums[i] * step[i]
                own[i] = 0
                room[i] = min(most[j, i], totals[i] - sums[i])
            while True:
                cost = so_far
                where = starts[j]
                to = np.int64(0)
                is_enough = True
                for i in range(n_items):
                    where += strides[j, i] * own[i]
                    reached = sums[i] + own[i]
                    if reached + later[j + 1, i] < totals[i]:
                        is_enough = False
                    to += step[i] * reached
                    cost += egress[j, i] * min(own[i], max(0, pods[i] - sums[i]))
                if is_enough and cost + costs[where] < best[j + 1, to]:
                    best[j + 1, to] = cost + costs[where]
                    before[j, to] = at
                k = n_items - 1
                while k >= 0:
                    own[k] += 1
                    if own[k] <= room[k]:
                        break
                    own[k] = 0
                    k -= 1
                if k < 0:
                    break
    last = n_sums - 1
    value = int(best[n_sites, last])
    if value >= never:
        return value
    at = last
    for j in range(n_sites - 1, -1, -1):
        back = before[j, at]
        rest_to, rest_from = at, back
        for i in range(n_items):
            here, there = rest_to // step[i], rest_from // step[i]
            rest_to -= here * step[i]
            rest_from -= there * step[i]
            held[j, i] = here - there
        at = back
    return value

"""Pods of each class in the order of the workloads, handed out to nodes as ranges.

The items of all classes, each a pod or a bundle of pods, stand in one line; a node gets a stretch of it for
each of its classes. Nodes may be as many as pods: the stretches of all of them are found as arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.model import PodRange
from binwright_optimizer.model.many import many
from binwright_optimizer.packing import PATTERNS_AT_A_TIME, Packing

ByClass = dict[int, list[PodRange]]
"""Pods of one node by class."""
Bundle = tuple[PodRange, ...]
"""Pods that are handed out together, as one item."""
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Handed:
    """Who is on which node: ranges of pods, those of a node together, by class.

    Parameters
    ----------
    ends
        Where the ranges of each node end; those left over come after all of them.
    class_of, workload, first, count
        Of each range.
    has_bundles
        Whether bundles bring pods of several workloads: those are put in order.
    left
        Ranges that no class has.
    """

    ends: list[int]
    class_of: list[int]
    workload: list[int]
    first: list[int]
    count: list[int]
    has_bundles: bool
    left: tuple[PodRange, ...]

    def _ranges(self, begin: int, end: int) -> list[PodRange]:
        return many(PodRange, self.workload[begin:end], self.first[begin:end], self.count[begin:end])

    def pods(self, begin: int, end: int) -> list[tuple[PodRange, ...]]:
        """Pods of each of the nodes from ``begin`` to ``end``, nodes without pods included."""
        ends = self.ends[begin:end]
        start = self.ends[begin - 1] if begin else 0
        ranges = self._ranges(start, ends[-1] if ends else start)
        stretches = zip([start, *ends], ends, strict=False)
        if self.has_bundles:
            return [tuple(joined(ranges[a - start : b - start])) for a, b in stretches]
        return [tuple(ranges[a - start : b - start]) for a, b in stretches]

    def by_class(self, node: int) -> ByClass:
        """Pods of one node by class."""
        begin, end = self.ends[node - 1] if node else 0, self.ends[node]
        found: ByClass = {}
        for i, pods in zip(self.class_of[begin:end], self._ranges(begin, end), strict=True):
            found.setdefault(i, []).append(pods)
        return found

    def joined(self, by_class: ByClass) -> tuple[PodRange, ...]:
        """All pods of a node."""
        ranges = [pods for mine in by_class.values() for pods in mine]
        return tuple(joined(ranges)) if self.has_bundles else tuple(ranges)

    def rest(self) -> tuple[PodRange, ...]:
        """Every pod not handed out."""
        begin = self.ends[-1] if self.ends else 0
        ranges = (*self.left, *self._ranges(begin, len(self.count)))
        return tuple(sorted((r for r in ranges if r.count), key=lambda r: (r.workload, r.first)))


class ClassQueues:
    """The pods of each class of a packing; pods of linked kinds go where they are allocated to."""

    def __init__(self, instance: Instance, packing: Packing) -> None:
        workloads, kinds = instance.problem.workloads, instance.origin.kinds.workload_kind
        replicas = np.fromiter((workload.replicas for workload in workloads), np.int64, len(workloads))
        is_linked = instance.origin.localized.is_linked[kinds]
        is_plain = ~is_linked & (instance.class_of >= 0)
        plain = np.flatnonzero(is_plain)
        self._n_classes = instance.n_classes
        self._plain = instance.class_of[plain], plain, replicas[plain]
        self._unplaced = [
            PodRange(w, 0, workloads[w].replicas) for w in np.flatnonzero(~is_linked & ~is_plain).tolist()
        ]
        self._linked: list[tuple[int, Bundle, bool]] = []  # class, pods, and whether they are one item
        self._has_bundles = False
        linked: dict[int, list[PodRange]] = {}
        for w in np.flatnonzero(is_linked).tolist():
            linked.setdefault(int(kinds[w]), []).append(PodRange(w, 0, workloads[w].replicas))
        if linked:
            self._allocate(instance, packing, linked)

    def _allocate(self, instance: Instance, packing: Packing, linked: dict[int, list[PodRange]]) -> None:
        linking, allocation = instance.linking, packing.allocation
        queues = {kind: list(reversed(ranges)) for kind, ranges in linked.items()}
        if linking is not None and allocation is not None:
            parts: list[list[tuple[list[PodRange], int]]] = [[] for _ in range(linking.n_local)]
            for v, q, count in zip(linking.part_of, linking.part_kind, linking.part_pods, strict=True):
                parts[v].append((queues[int(linking.kinds[q])], int(count)))
            for v, (mine, amount) in enumerate(zip(parts, allocation.tolist(), strict=True)):
                i = int(linking.class_of[v])
                if sum(count for _, count in mine) == 1:
                    self._linked += [(i, (pods,), False) for pods in first(mine[0][0], amount)]
                    continue
                self._has_bundles = True
                for _ in range(amount):
                    bundle = tuple(pods for queue, count in mine for pods in first(queue, count))
                    self._linked.append((i, bundle, True))
        for queue in queues.values():
            self._unplaced.extend(queue)

    def hand_out(self, patterns: NDArray[np.int32], rows: NDArray[np.intp], counts: Int) -> Handed:
        """The pods of nodes one after the other: ``counts`` (q,) of the patterns (p, i) in ``rows`` (q,)."""
        line = _Line.of(self._n_classes, self._plain, self._linked)
        row, i, each = _entries(patterns, rows)
        nodes = counts[row]
        taken = np.zeros(self._n_classes, dtype=np.int64)
        np.add.at(taken, i, each * nodes)
        order = np.argsort(i, kind="stable")  # rows follow each other in each of their classes
        begin = np.empty(len(row), dtype=np.int64)
        begin[order] = _before((each * nodes)[order]) + (line.begin[:-1] - _before(taken))[i[order]]
        turn = _ordinals(nodes)
        node = np.repeat(_before(counts)[row], nodes) + turn
        start = np.repeat(begin, nodes) + turn * np.repeat(each, nodes)
        of_nodes = np.argsort(node, kind="stable")
        n_nodes = int(counts.sum())
        rest = np.flatnonzero(taken < np.diff(line.begin))
        node = np.concatenate([node[of_nodes], np.full(len(rest), n_nodes)])
        start = np.concatenate([start[of_nodes], (line.begin[:-1] + taken)[rest]])
        end = np.concatenate(
            [(start[: len(of_nodes)] + np.repeat(each, nodes)[of_nodes]), line.begin[rest + 1]]
        )
        node, class_of, workload, first, count = line.ranges(node, start, end)
        ends = np.searchsorted(node, np.arange(n_nodes), side="right")
        return Handed(
            ends.tolist(), class_of.tolist(), workload.tolist(), first.tolist(), count.tolist(),
            self._has_bundles, tuple(self._unplaced),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Line:
    """All items, those of a class together and those of a member of it.

    Parameters
    ----------
    begin
        int64 array (i + 1,): first item of each class.
    bounds
        int64 array (m + 1,): first item of each member: a range, of as many items, or a bundle, of one.
    class_of, is_bundle, parts
        intp, bool and int64 arrays (m,): class of each member, and how many ranges it has.
    workload, first, count
        int64 arrays (range,): the ranges of all members.
    """

    begin: Int
    bounds: Int
    class_of: NDArray[np.intp]
    is_bundle: NDArray[np.bool_]
    parts: Int
    workload: Int
    first: Int
    count: Int

    @classmethod
    def of(
        cls,
        n_classes: int,
        plain: tuple[NDArray[np.intp], NDArray[np.intp], Int],
        linked: list[tuple[int, Bundle, bool]],
    ) -> _Line:
        """The line of all classes.

        Parameters
        ----------
        plain
            Class, workload and replicas of members that are all the pods of a workload.
        linked
            Class and pods of other members, and whether those are a bundle.
        """
        owner, workload, replicas = plain
        n = len(owner)
        owner = np.concatenate([owner, np.array([i for i, _, _ in linked], dtype=np.intp)])
        is_bundle = np.array([False] * n + [is_one for _, _, is_one in linked], dtype=bool)
        parts = np.array([1] * n + [len(pods) for _, pods, _ in linked], dtype=np.int64)
        others = [(r.workload, r.first, r.count) for _, pods, _ in linked for r in pods]
        table = np.zeros((n + len(others), 3), dtype=np.int64)
        table[:n, 0], table[:n, 2] = workload, replicas
        table[n:] = np.array(others, dtype=np.int64).reshape(-1, 3)
        size = np.where(is_bundle, 1, table[_before(parts), 2])
        order = np.argsort(owner, kind="stable")
        at = np.repeat(_before(parts)[order], parts[order]) + _ordinals(parts[order])
        bounds = np.concatenate([[0], np.cumsum(size[order])])
        begin = bounds[np.searchsorted(owner[order], np.arange(n_classes + 1))]
        return cls(begin, bounds, owner[order], is_bundle[order], parts[order], *table[at].T)

    def ranges(self, node: Int, start: Int, end: Int) -> tuple[Int, Int, Int, Int, Int]:
        """Stretches of the line as ranges: int64 arrays of node, class, workload, first and count."""
        lowest = np.searchsorted(self.bounds, start, side="right") - 1
        pieces = np.searchsorted(self.bounds, end, side="left") - lowest
        member = np.repeat(lowest, pieces) + _ordinals(pieces)
        node, start, end = (np.repeat(column, pieces) for column in (node, start, end))
        low = np.maximum(start, self.bounds[member])
        count = np.minimum(end, self.bounds[member + 1]) - low
        kept = count > 0  # workloads without replicas are members, too
        node, member, low, count = node[kept], member[kept], low[kept], count[kept]
        parts = self.parts[member]
        place = np.repeat(_before(self.parts)[member], parts) + _ordinals(parts)
        whole = np.repeat(self.is_bundle[member], parts)
        offset = np.where(whole, 0, np.repeat(low - self.bounds[member], parts))
        return (
            np.repeat(node, parts),
            np.repeat(self.class_of[member], parts),
            self.workload[place],
            self.first[place] + offset,
            np.where(whole, self.count[place], np.repeat(count, parts)),
        )


def _entries(patterns: NDArray[np.int32], rows: NDArray[np.intp]) -> tuple[Int, Int, Int]:
    """Place in ``rows``, class and pods of what is not zero in these patterns, some of them at a time."""
    found = [(np.zeros(0, dtype=np.int64),) * 3]
    for begin in range(0, len(rows), PATTERNS_AT_A_TIME):
        some = patterns[rows[begin : begin + PATTERNS_AT_A_TIME]]
        row, i = np.nonzero(some)
        found.append((row + begin, i, some[row, i].astype(np.int64)))
    row, i, each = (np.concatenate(column) for column in zip(*found, strict=True))
    return row, i, each


def _before(amounts: Int) -> Int:
    """The sum of the amounts before each."""
    return np.asarray(np.cumsum(amounts) - amounts)


def _ordinals(counts: Int) -> Int:
    """0, 1, ... for each of these counts, one after the other."""
    return np.arange(int(counts.sum())) - np.repeat(_before(counts), counts)


def first(queue: list[PodRange], count: int) -> list[PodRange]:
    """The next pods of a queue that ends with them; they are taken off it."""
    taken = []
    while count:
        pods = queue.pop()
        step = min(count, pods.count)
        if step:
            taken.append(PodRange(pods.workload, pods.first, step))
        if step < pods.count:
            queue.append(PodRange(pods.workload, pods.first + step, pods.count - step))
        count -= step
    return taken


def joined(ranges: Iterable[PodRange]) -> Iterator[PodRange]:
    """Ranges in order, those that meet as one."""
    last: PodRange | None = None
    for pods in sorted(ranges, key=lambda r: (r.workload, r.first)):
        if last is not None and (last.workload, last.first + last.count) == (pods.workload, pods.first):
            last = PodRange(last.workload, last.first, last.count + pods.count)
            continue
        if last is not None:
            yield last
        last = pods
    if last is not None:
        yield last

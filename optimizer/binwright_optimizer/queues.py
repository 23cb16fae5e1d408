"""Pods of each class in the order of the workloads, handed out to nodes as ranges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from binwright_optimizer.instance import Instance
from binwright_optimizer.model import PodRange
from binwright_optimizer.packing import Packing

ByClass = dict[int, list[PodRange]]
"""Pods of one node by class."""
Bundle = tuple[PodRange, ...]
"""Pods that are handed out together, as one item."""


class ClassQueues:
    """What is left of each class of a packing; pods of linked kinds go where they are allocated to."""

    def __init__(self, instance: Instance, packing: Packing) -> None:
        self._members: list[list[PodRange | Bundle]] = [[] for _ in range(instance.n_classes)]
        self._unplaced: list[PodRange] = []
        self._has_bundles = False
        kinds = instance.origin.kinds.workload_kind.tolist()
        is_linked = instance.origin.localized.is_linked.tolist()
        linked: dict[int, list[PodRange]] = {}
        for w, (i, workload) in enumerate(
            zip(instance.class_of.tolist(), instance.problem.workloads, strict=True)
        ):
            everyone = PodRange(w, 0, workload.replicas)
            if is_linked[kinds[w]]:
                linked.setdefault(kinds[w], []).append(everyone)
            elif i >= 0:
                self._members[i].append(everyone)
            else:
                self._unplaced.append(everyone)
        self._position = [0] * instance.n_classes
        self._used = [0] * instance.n_classes
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
                members = self._members[int(linking.class_of[v])]
                if sum(count for _, count in mine) == 1:
                    members.extend(first(mine[0][0], amount))
                    continue
                self._has_bundles = True
                for _ in range(amount):
                    members.append(tuple(pods for queue, count in mine for pods in first(queue, count)))
        for queue in queues.values():
            self._unplaced.extend(queue)

    def take(self, wanted: list[tuple[int, int]]) -> tuple[PodRange, ...]:
        """Pods for one node that holds so many of these classes."""
        ranges: list[PodRange] = []
        for i, count in wanted:
            self._take(i, count, ranges)
        return tuple(joined(ranges)) if self._has_bundles else tuple(ranges)

    def joined(self, by_class: ByClass) -> tuple[PodRange, ...]:
        """All pods of a node; in order where bundles bring pods of several workloads."""
        ranges = [pods for mine in by_class.values() for pods in mine]
        return tuple(joined(ranges)) if self._has_bundles else tuple(ranges)

    def take_by_class(self, wanted: list[tuple[int, int]]) -> ByClass:
        """The same pods, by class."""
        by_class: ByClass = {i: [] for i, _ in wanted}
        for i, count in wanted:
            self._take(i, count, by_class[i])
        return by_class

    def _take(self, i: int, count: int, ranges: list[PodRange]) -> None:
        """Append so many pods of a class to ``ranges``."""
        members, position, used = self._members[i], self._position[i], self._used[i]
        while count:
            pods = members[position]
            if isinstance(pods, tuple):
                ranges += pods
                position += 1
                count -= 1
                continue
            left = pods.count - used
            if count < left:
                ranges.append(PodRange(pods.workload, pods.first + used, count))
                used += count
                break
            if left:
                whole = pods if not used else PodRange(pods.workload, pods.first + used, left)
                ranges.append(whole)
                count -= left
            position += 1
            used = 0
        self._position[i], self._used[i] = position, used

    def rest(self) -> tuple[PodRange, ...]:
        """Every pod not handed out."""
        ranges = list(self._unplaced)
        for members, position, used in zip(self._members, self._position, self._used, strict=True):
            for pods in members[position:]:
                if isinstance(pods, tuple):
                    ranges += pods
                else:
                    ranges.append(PodRange(pods.workload, pods.first + used, pods.count - used))
                used = 0
        return tuple(sorted((r for r in ranges if r.count), key=lambda r: (r.workload, r.first)))


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

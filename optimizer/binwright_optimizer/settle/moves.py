"""Steps that lower dollars and penalties together: other nodes of a kind, and other nodes for pods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from binwright_optimizer.coverage import Priced
from binwright_optimizer.extract import Bought
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.choices import has_choices
from binwright_optimizer.pod_wishes import Place, PodWishes, Standing
from binwright_optimizer.settle.alike import Twin, openable, twins
from binwright_optimizer.settle.nodes import Node, Nodes, Unit
from binwright_optimizer.stopping import Stop

Step = list[tuple[Node, Unit, int]]
"""Pods put on nodes, or taken away if fewer than none."""

MOST_DEALT = 8
"""Sorts of pods that are tried for one place on a node."""


class Moves:
    """Steps that lower dollars and penalties together.

    Attributes
    ----------
    dollars
        Micro-dollars per hour that the steps taken cost more.
    steps
        How many have been tried.
    """

    def __init__(
        self, instance: Instance, nodes: Nodes, wishes: PodWishes, stop: Stop, most_steps: int
    ) -> None:
        self._instance = instance
        self._nodes = nodes
        self._stop = stop
        self._point = instance.problem.policies.weight_price
        self.steps = 0
        self._most_steps = most_steps
        self._twins: dict[Bought, list[Twin]] = {}
        self._openable = openable(instance)
        self.dollars = 0
        self._standing = Standing(wishes)
        for node in nodes.all:
            for sort, count in node.by_sort().items():
                self._put(sort, node.place, count)

    def run(self) -> None:
        """Take steps until none helps, or the time is up."""
        self._deal()
        while not self._is_over() and (self._replace_nodes() | self._move_pods()):
            pass

    def _is_over(self) -> bool:
        return self.steps >= self._most_steps or self._stop.is_cancelled() or self._stop.remaining_s() <= 0

    def _put(self, sort: int, place: Place, count: int) -> int:
        """Micro-dollars per hour more."""
        return self._point * self._standing.put(sort, place, count) if sort >= 0 and count else 0

    # --- which of equal pods goes where ---------------------------------------------------------------

    def _deal(self) -> None:
        """Hand out the pods of each class anew, one by one to where they pay least.

        Those handed out so far are what a pod meets; of the pods left, the commonest few are tried. Before,
        they came in the order of the workloads, by which a node gets as many of one kind as it can.
        """
        of_class: dict[int, list[Node]] = defaultdict(list)
        for node in self._nodes.all:
            for i in {unit[0] for unit, count in node.pods.items() if count}:
                of_class[i].append(node)
        for i, nodes in sorted(of_class.items()):
            left: dict[int, int] = defaultdict(int)
            before = [{s: n for (k, s), n in node.pods.items() if k == i and n} for node in nodes]
            for mine in before:
                for sort, count in mine.items():
                    left[sort] += count
            if len(left) < 2 or self._is_over():
                continue
            after = self._dealt(nodes, before, left)
            if after is None:
                continue
            for node, old, new in zip(nodes, before, after, strict=True):
                for sort in {*old, *new}:
                    node.pods[i, sort] = new.get(sort, 0)

    def _dealt(
        self, nodes: list[Node], before: list[dict[int, int]], left: dict[int, int]
    ) -> list[dict[int, int]] | None:
        """Pods of each sort on each node, put there; None if that pays no less, or time is up before."""
        change = self._put_all(nodes, before, -1)
        after: list[dict[int, int]] = [defaultdict(int) for _ in nodes]
        is_over = False
        for node, old, new in zip(nodes, before, after, strict=True):
            for _ in range(sum(old.values())):
                is_over = is_over or self._is_over()
                if is_over:
                    break
                sort, paid = self._least_paying(left, node.place)
                change += paid
                new[sort] += 1
                left[sort] -= 1
        if not is_over and change < 0:
            return after
        self._put_all(nodes, after, -1)
        self._put_all(nodes, before, 1)
        return None

    def _put_all(self, nodes: list[Node], pods: list[dict[int, int]], sign: int) -> int:
        """Put pods of each sort on nodes, or take them away; returns micro-dollars per hour more."""
        return sum(
            self._put(sort, node.place, sign * count)
            for node, mine in zip(nodes, pods, strict=True)
            for sort, count in mine.items()
        )

    def _least_paying(self, left: dict[int, int], place: Place) -> tuple[int, int]:
        """The sort of which one more pod there costs least, put there, and what it costs."""
        most = sorted((sort for sort, count in left.items() if count), key=lambda s: (-left[s], s))
        best, least = most[0], None
        for sort in most[:MOST_DEALT]:
            self.steps += 1
            paid = self._put(sort, place, 1)
            self._put(sort, place, -1)
            if least is None or paid < least:
                best, least = sort, paid
        return best, self._put(best, place, 1)

    # --- other nodes of the same kind -------------------------------------------------------------

    def _replace_nodes(self) -> bool:
        """Buy nodes in other zones, or with other labels; whether any."""
        if not self._nodes.is_sold_plainly or has_choices(self._instance.problem):
            return False
        has_changed = False
        for host, node in enumerate(self._nodes.all):
            if node.bought is None or node.is_empty:
                continue
            for twin in self._twins_of(node):
                if self._is_over():
                    return has_changed
                has_changed |= self._replace(node, twin, self._nodes.place(twin.bought, host))
        return has_changed

    def _replace(self, node: Node, twin: Twin, place: Place) -> bool:
        self.steps += 1
        change = twin.price - node.price
        for sort, count in node.by_sort().items():
            change += self._put(sort, node.place, -count) + self._put(sort, place, count)
        if change < 0:
            self.dollars += twin.price - node.price
            node.bought, node.place, node.price = twin.bought, place, twin.price
            node.paid, node.admits = Priced(-1, 1, twin.price), twin.admits
            return True
        for sort, count in node.by_sort().items():
            self._put(sort, place, -count)
            self._put(sort, node.place, count)
        return False

    def _twins_of(self, node: Node) -> list[Twin]:
        """What could be bought in place of a node without any of its pods telling them apart."""
        assert node.bought is not None
        found = self._twins.get(node.bought)
        if found is None:
            found = self._twins[node.bought] = twins(self._instance, node.bought)
        held = node.pattern > 0
        return [twin for twin in found if twin.bought != node.bought and twin.admits[held].all()]

    # --- other nodes for pods ---------------------------------------------------------------------

    def _move_pods(self) -> bool:
        """Move pods whose wishes, or whose neighbours' wishes, are not met; whether any."""
        has_changed = False
        for node in list(self._nodes.all):
            for unit in sorted(node.pods):
                while (
                    node.pods[unit]
                    and unit[1] >= 0
                    and not self._is_over()
                    and self._standing.is_missed(unit[1], node.place)
                    and self._move(node, unit)
                ):
                    has_changed = True
        return has_changed

    def _move(self, node: Node, unit: Unit) -> bool:
        """Move one pod, or all of its unit on the node, somewhere better; whether there is such a place."""
        count = node.pods[unit]
        return self._take_first(self._steps_of(node, unit, 1)) or (
            count > 1 and self._take_first(self._steps_of(node, unit, count))
        )

    def _take_first(self, steps: Iterator[Step]) -> bool:
        """Take the first step that helps, if one does before time is up; whether one was taken."""
        for step in steps:
            if self._take(step):
                return True
            if self._is_over():
                return False
        return False

    def _steps_of(self, node: Node, unit: Unit, count: int) -> Iterator[Step]:
        instance, (i, _) = self._instance, unit
        for other in self._nodes.admitting(i, count * instance.requests[i]):
            if other is not node:
                yield [(node, unit, -count), (other, unit, count)]
        if count == 1:
            for other in self._nodes.admitting(i):
                for theirs in [u for u, there in other.pods.items() if there and u != unit]:
                    if other is not node and instance.compatible[theirs[0], node.j]:
                        yield [(node, unit, -1), (other, unit, 1), (other, theirs, -1), (node, theirs, 1)]
        for j in self._openable.get(i, ()):
            opened = self._nodes.add(j, -1, Priced(-1, 1, int(instance.price[j])))
            yield [(node, unit, -count), (opened, unit, count)]
            if opened.is_empty:
                self._nodes.all.pop()

    def _take(self, step: Step) -> bool:
        """Take a step if the rules allow it and it lowers the total; whether it was taken."""
        self.steps += 1
        touched = list(dict.fromkeys(node for node, _, _ in step))
        before = {node: node.is_empty for node in touched}
        _shift(self._instance, step)
        dollars = sum(
            node.price * (int(before[node]) - int(node.is_empty)) for node in touched if not node.is_kept
        )
        if all(self._is_allowed(node) for node in touched):
            change = dollars + sum(self._put(sort, node.place, count) for node, (_, sort), count in step)
            if change < 0:
                self.dollars += dollars
                return True
            for node, (_, sort), count in step:
                self._put(sort, node.place, -count)
        _shift(self._instance, [(node, unit, -count) for node, unit, count in step])
        return False

    def _is_allowed(self, node: Node) -> bool:
        instance = self._instance
        if node.is_empty:
            return not node.is_kept
        return bool(
            (node.load <= instance.allocatable[node.j]).all()
            and (node.pattern <= instance.node_cap).all()
            and (node.admits is None or node.admits[node.pattern > 0].all())
            and (instance.rules.is_empty or instance.rules.allows(node.j, node.pattern))
        )


def _shift(instance: Instance, step: Step) -> None:
    for node, unit, count in step:
        node.pods[unit] += count
        node.pattern[unit[0]] += count
        node.load += count * instance.requests[unit[0]]

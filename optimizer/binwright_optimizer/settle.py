"""After the search: pods and nodes move where that costs less than the wishes between pods it meets.

The packing stays one that the instance allows. A node to be bought may become another that no pod on it can
tell from the first: of the same type in another zone, or with another value of a label that its NodePool
leaves open. Pods go to nodes that hold them, change places with others, or open a node. Each step lowers
dollars and penalties together, the first that does is taken, and where none does the answer stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.alternatives import counted_by_spot_pool
from binwright_optimizer.coverage import Priced, priced
from binwright_optimizer.device_plan import DevicePlans
from binwright_optimizer.extract import Bought, ClaimTemplates, Placed, labels_of
from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.instance.choices import has_choices
from binwright_optimizer.model import ExistingPlacement, NodeClaim, PodRange, labels
from binwright_optimizer.packing import Packing
from binwright_optimizer.pod_wishes import Place, PodWishes, Standing
from binwright_optimizer.queues import ByClass, ClassQueues, first, joined
from binwright_optimizer.stopping import Stop

Unit = tuple[int, int]
"""Class and sort of a pod (`PodWishes`): pods of one unit are the same to rules and to wishes."""
Step = list[tuple["Node", Unit, int]]
"""Pods put on nodes, or taken away if fewer than none."""

MOST_STEPS = 200_000
"""Steps that are tried, whatever time is left: the answer does not depend on a clock where they are few."""
STEP_UNITS = 40.0
"""Units of work of a step, measured on 10,000 pods of 300 workloads."""
MOST_TARGETS = 40
"""Nodes that a pod tries to go to, or to change places on."""
MOST_DEALT = 8
"""Sorts of pods that are tried for one place on a node."""
MOST_OPENED = 5
"""Kinds of nodes that a pod tries to open, cheapest first."""


@dataclass(slots=True, eq=False)
class Node:
    """One node, and who is on it.

    Parameters
    ----------
    bought
        What is bought; None for an existing node.
    position
        Number of an existing node; -1 for others.
    price
        Micro-dollars per hour while pods are on it.
    admits
        bool array (i,): classes that may be on what is bought in place of its candidate; None for that.
    is_kept
        Whether it may not become empty, or costs the same when it is.
    load, pattern
        int64 array (r,), int32 array (i,): of all its pods.
    pods
        How many pods of each unit.
    fixed, staying
        Classes whose pods stay, with those pods; how many they are of each sort.
    """

    j: int
    bought: Bought | None
    position: int
    price: int
    paid: Priced
    is_kept: bool
    place: Place
    load: NDArray[np.int64]
    pattern: NDArray[np.int32]
    pods: dict[Unit, int] = field(default_factory=lambda: defaultdict(int))
    fixed: ByClass = field(default_factory=dict)
    admits: NDArray[np.bool_] | None = None
    staying: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def is_empty(self) -> bool:
        """Whether no pod is on it."""
        return not self.pattern.any()

    def by_sort(self) -> dict[int, int]:
        """Pods of each sort."""
        found = defaultdict(int, self.staying)
        for (_, sort), count in self.pods.items():
            found[sort] += count
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Twin:
    """What could be bought in place of a node; ``admits`` as of a `Node`."""

    bought: Bought
    price: int
    admits: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Settled:
    """Names for a packing whose pods and nodes have moved, and its nodes' cost, micro-dollars per hour."""

    placed: Placed
    cost: int


def settle(
    instance: Instance, packing: Packing, wishes: PodWishes, stop: Stop, most_units: float | None = None
) -> Settled:
    """A placement of the same pods that costs no more, wishes between pods counted.

    Parameters
    ----------
    most_units
        Units of `work` that may be done; None leaves it to ``stop`` and `MOST_STEPS`.
    """
    nodes = _Nodes(instance, packing, wishes)
    most_steps = MOST_STEPS if most_units is None else min(MOST_STEPS, int(most_units / STEP_UNITS))
    moves = _Moves(instance, nodes, wishes, stop, most_steps)
    moves.run()
    return Settled(nodes.placed(), packing.cost - packing.charge + moves.dollars)


class _Nodes:
    """The nodes of a packing one by one."""

    def __init__(self, instance: Instance, packing: Packing, wishes: PodWishes) -> None:
        self._instance = instance
        self._sort_of = wishes.sort_of
        self._pool: dict[Unit, list[PodRange]] = defaultdict(list)
        self.is_sold_plainly = not (instance.problem.savings_plans or instance.problem.reservations)
        self.floored = {row.pool for row in instance.minimums}
        self._stays = _staying(instance)
        self.all: list[Node] = []
        self._labels: dict[Bought, dict[str, str]] = {}
        self._j = np.zeros(0, dtype=np.intp)
        self._load = np.zeros((0, len(instance.resources)), dtype=np.int64)
        self._room = self._load
        queues = ClassQueues(instance, packing)
        positions = [iter(nodes) for nodes in instance.existing_of]
        parts = priced(instance, packing.candidates, packing.counts)
        for paid in sorted(parts, key=lambda paid: (packing.candidates[paid.p], paid.p)):
            j, pattern = int(packing.candidates[paid.p]), packing.patterns[paid.p]
            held = np.flatnonzero(pattern)
            wanted = list(zip(held.tolist(), pattern[held].tolist(), strict=True))
            for _ in range(paid.count):
                position = -1 if instance.row_of[j] >= 0 else next(positions[j])
                node = self.add(j, position, paid, wishes.existing[position] if position >= 0 else None)
                node.pattern += pattern
                node.load += pattern @ instance.requests
                self._fill(node, queues.take_by_class(wanted))
        self._rest = queues.rest()
        for j, iterator in enumerate(positions):  # those that nobody is on yet
            for position in iterator:
                self.add(j, position, Priced(-1, 1, 0), wishes.existing[position])

    def add(self, j: int, position: int, paid: Priced, place: Place | None = None) -> Node:
        """One more node of a candidate, empty."""
        instance = self._instance
        bought = None
        if place is None:
            bought = int(instance.variant_of[j]), int(instance.row_of[j])
            place = self.place(bought, len(self.all))
        is_kept = bought is not None and (
            not self.is_sold_plainly or int(instance.pool_of[j]) in self.floored or bool(paid.covers)
        )
        self._grow()
        n = len(self.all)
        self._j[n], self._room[n], self._load[n] = j, instance.allocatable[j], 0
        pattern = np.zeros(instance.n_classes, dtype=np.int32)
        node = Node(j, bought, position, paid.price, paid, is_kept, place, self._load[n], pattern)
        self.all.append(node)
        return node

    def _grow(self) -> None:
        """Make room for one more node in the arrays; nodes look at their rows."""
        if len(self.all) < len(self._j):
            return
        more = max(16, len(self._j))
        self._j = np.concatenate([self._j, np.zeros(more, dtype=np.intp)])
        self._room = np.concatenate([self._room, np.zeros((more, self._room.shape[1]), dtype=np.int64)])
        self._load = np.concatenate([self._load, np.zeros((more, self._load.shape[1]), dtype=np.int64)])
        for n, node in enumerate(self.all):
            node.load = self._load[n]

    def admitting(self, i: int, requests: NDArray[np.int64] | None = None) -> list[Node]:
        """Some nodes that pods of a class may run on; only those with room, if it is said for how much."""
        n = len(self.all)
        suits = self._instance.compatible[i, self._j[:n]]
        if requests is not None:
            suits = suits & (self._load[:n] + requests <= self._room[:n]).all(axis=1)
        found = np.flatnonzero(suits)
        return [self.all[k] for k in found[:: max(1, -(-len(found) // MOST_TARGETS))].tolist()]

    def place(self, bought: Bought, host: int) -> Place:
        """What wishes see of a node to be bought."""
        known = self._labels.get(bought)
        if known is None:
            known = self._labels[bought] = labels_of(self._instance, *bought)
        pool = self._instance.problem.node_pools[self._instance.variants[bought[0]].pool]
        return Place(known, pool.taints, host)

    def _fill(self, node: Node, by_class: ByClass) -> None:
        for i, ranges in by_class.items():
            if self._stays[i]:
                node.fixed[i] = ranges
            for pods in ranges:
                sort = int(self._sort_of[pods.workload])
                if self._stays[i]:
                    node.staying[sort] += pods.count
                else:
                    node.pods[i, sort] += pods.count
                    self._pool[i, sort].append(pods)

    def placed(self) -> Placed:
        """NodeClaims and placements with the pods handed out."""
        instance = self._instance
        plans = DevicePlans(instance)
        templates = ClaimTemplates(instance, plans)
        pools = {unit: list(reversed(ranges)) for unit, ranges in self._pool.items()}
        claims: list[NodeClaim] = []
        existing: list[ExistingPlacement] = []
        for node in self.all:
            by_class: ByClass = {i: list(ranges) for i, ranges in node.fixed.items()}
            for (i, sort), count in sorted(node.pods.items()):
                if count:
                    by_class.setdefault(i, []).extend(first(pools[i, sort], count))
            pods = tuple(joined(p for mine in by_class.values() for p in mine))
            if node.bought is None:
                if pods:
                    uses = plans.uses(plans.plan(node.j, node.pattern, node.position), by_class)
                    name = instance.problem.existing_nodes[node.position].name
                    existing.append(ExistingPlacement(name, pods, uses))
            elif pods or node.is_kept:
                template = templates.of(node.paid, node.j, node.pattern, node.bought)
                number = len(claims) + 1
                if template.plan.is_told:
                    claims.append(template.claim_with(number, pods, plans.uses(template.plan, by_class)))
                else:
                    claims.append(template.claim(number, pods))
        return Placed(tuple(claims), tuple(existing), self._rest)


class _Moves:
    """Steps that lower dollars and penalties together."""

    def __init__(
        self, instance: Instance, nodes: _Nodes, wishes: PodWishes, stop: Stop, most_steps: int
    ) -> None:
        self._instance = instance
        self._nodes = nodes
        self._stop = stop
        self._point = instance.problem.policies.weight_price
        self._steps = 0
        self._most_steps = most_steps
        self._twins: dict[Bought, list[_Twin]] = {}
        self._openable = _openable(instance)
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
        return self._steps >= self._most_steps or self._stop.is_cancelled() or self._stop.remaining_s() <= 0

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
            change = self._put_all(nodes, before, -1)
            after: list[dict[int, int]] = [defaultdict(int) for _ in nodes]
            for node, old, new in zip(nodes, before, after, strict=True):
                for _ in range(sum(old.values())):
                    sort, paid = self._least_paying(left, node.place)
                    change += paid
                    new[sort] += 1
                    left[sort] -= 1
            if change >= 0:
                self._put_all(nodes, after, -1)
                self._put_all(nodes, before, 1)
                continue
            for node, old, new in zip(nodes, before, after, strict=True):
                for sort in {*old, *new}:
                    node.pods[i, sort] = new.get(sort, 0)

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
            self._steps += 1
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

    def _replace(self, node: Node, twin: _Twin, place: Place) -> bool:
        self._steps += 1
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

    def _twins_of(self, node: Node) -> list[_Twin]:
        """What could be bought in place of a node without any of its pods telling them apart."""
        assert node.bought is not None
        found = self._twins.get(node.bought)
        if found is None:
            found = self._twins[node.bought] = _twins(self._instance, node.bought)
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
        return any(self._take(step) for step in self._steps_of(node, unit, 1)) or (
            count > 1 and any(self._take(step) for step in self._steps_of(node, unit, count))
        )

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
        self._steps += 1
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


def _staying(instance: Instance) -> NDArray[np.bool_]:
    """Classes whose pods stay on their nodes: bool array (i,).

    They are placed together with others, must be on a node with others, or are counted by spot pool.
    """
    kinds, localized = instance.origin.kinds, instance.origin.localized
    needed = {n.selection for s in kinds.stated for n in s.near if n.topology_key == labels.HOSTNAME}
    result = counted_by_spot_pool(instance)
    for i, content in zip(instance.origin.class_of_local.tolist(), localized.contents, strict=True):
        if i >= 0:
            result[i] |= sum(pods for _, pods in content) > 1 or any(
                kinds.shared[k]
                or kinds.stated[k].gang[1]
                or needed & set(kinds.selected[k])
                or any(n.topology_key == labels.HOSTNAME for n in kinds.stated[k].near)
                for k, _ in content
            )
    return result


def _openable(instance: Instance) -> dict[int, list[int]]:
    """By class, candidates of which one more node may be bought whatever else is, cheapest first."""
    if instance.problem.savings_plans or instance.problem.reservations:
        return {}
    is_free = (instance.row_of >= 0) & ~(instance.limit_use > 0).any(axis=1)
    is_free &= ~np.isin(instance.pool_of, [row.pool for row in instance.minimums])
    order = np.argsort(instance.price, kind="stable")
    order = order[is_free[order]]
    return {i: order[can[order]][:MOST_OPENED].tolist() for i, can in enumerate(instance.compatible)}


def _twins(instance: Instance, bought: Bought) -> list[_Twin]:
    """What is like a variant's shelf row to pods that may be on it, itself included; cheap first."""
    shelf, shelved, localized = instance.shelf, instance.origin.shelved, instance.origin.localized
    variant, row = bought
    pool = instance.variants[variant].pool
    kinds_of_capacity = shelf.labels.columns[labels.CAPACITY_TYPE].codes
    regions = shelf.labels.columns[labels.REGION].codes
    own = shelved[variant]
    room = own.allocatable[np.searchsorted(own.rows, row)]
    local = np.flatnonzero(instance.origin.class_of_local >= 0)
    is_counted = counted_by_spot_pool(instance)
    first, found = 0, []
    for v, part in enumerate(shelved):
        rows = part.rows
        if instance.variants[v].pool == pool:
            alike = (shelf.type_of[rows] == shelf.type_of[row]) & (regions[rows] == regions[row])
            alike &= kinds_of_capacity[rows] == kinds_of_capacity[row]
            alike &= (shelf.held_limit[rows] < 0) & (shelf.available[rows] >= UNLIMITED)
            alike &= (part.allocatable == room).all(axis=1)
            for at in np.flatnonzero(alike).tolist():
                admits = ~is_counted
                may_run = localized.admitted[localized.placement_of[local], first + at]
                np.logical_and.at(admits, instance.origin.class_of_local[local], may_run)
                found.append(_Twin((v, int(rows[at])), int(shelf.price[rows[at]]), admits))
        first += len(rows)
    return sorted(found, key=lambda twin: (twin.price, twin.bought))

"""The nodes of a packing one by one, with who is on them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.coverage import Priced, priced
from binwright_optimizer.device_plan import DevicePlans
from binwright_optimizer.extract import Bought, ClaimTemplates, Placed, labels_of, name_claims
from binwright_optimizer.instance import Instance
from binwright_optimizer.model import ExistingPlacement, NodeClaim, PodRange
from binwright_optimizer.packing import Packing
from binwright_optimizer.pod_wishes import Place, PodWishes
from binwright_optimizer.queues import ByClass, ClassQueues, first, joined
from binwright_optimizer.settle.alike import staying

Unit = tuple[int, int]
"""Class and sort of a pod (`PodWishes`): pods of one unit are the same to rules and to wishes."""
MOST_TARGETS = 40
"""Nodes that a pod tries to go to, or to change places on."""


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


class Nodes:
    """The nodes of a packing one by one."""

    def __init__(self, instance: Instance, packing: Packing, wishes: PodWishes) -> None:
        self._instance = instance
        self._sort_of = wishes.sort_of
        self._pool: dict[Unit, list[PodRange]] = defaultdict(list)
        self.is_sold_plainly = not (instance.problem.savings_plans or instance.problem.reservations)
        self.floored = {row.pool for row in instance.minimums}
        self._stays = staying(instance)
        self.all: list[Node] = []
        self._labels: dict[Bought, dict[str, str]] = {}
        self._j = np.zeros(0, dtype=np.intp)
        self._load = np.zeros((0, len(instance.resources)), dtype=np.int64)
        self._room = self._load
        positions = [iter(nodes) for nodes in instance.existing_of]
        parts = priced(instance, packing.candidates, packing.counts)
        parts.sort(key=lambda paid: (packing.candidates[paid.p], paid.p))
        rows = np.array([paid.p for paid in parts], dtype=np.intp)
        counts = np.array([paid.count for paid in parts], dtype=np.int64)
        handed = ClassQueues(instance, packing).hand_out(packing.patterns, rows, counts)
        for paid in parts:
            j, pattern = int(packing.candidates[paid.p]), packing.patterns[paid.p]
            for _ in range(paid.count):
                position = -1 if instance.row_of[j] >= 0 else next(positions[j])
                node = self.add(j, position, paid, wishes.existing[position] if position >= 0 else None)
                node.pattern += pattern
                node.load += pattern @ instance.requests
                self._fill(node, handed.by_class(len(self.all) - 1))
        self._rest = handed.rest()
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
                uses = plans.uses(template.plan, by_class)
                claims += name_claims([(template, 1)], len(claims) + 1, [pods], [uses])
        return Placed(tuple(claims), tuple(existing), self._rest)

"""The cluster as a decision leaves it: nodes, and the pods on them counted by kind.

Rules between pods are judged by this state alone, whatever order the pods came in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import (
    CapacityType,
    Decision,
    ExistingNode,
    InstanceType,
    NodeClaim,
    PodRange,
    Problem,
    Taint,
    labels,
)
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.rulebook import Kinds, Rulebook

Int64Array = NDArray[np.int64]
NodeArray = NDArray[np.intp]

MOST_BY_HAND = 50
"""Entries that a loop adds up faster than numpy does."""
LACKS_KEY = -1
"""Code of nodes that do not carry a topology key."""


class Finding(NamedTuple):
    """A rule that is broken, and by what."""

    rule: Rule
    text: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the final state: a running one, or one that the decision buys.

    ``labels`` of a node to be bought lack the host name, which nobody knows yet.
    """

    name: str
    labels: dict[str, str]
    taints: tuple[Taint, ...]
    existing: ExistingNode | None
    claim: NodeClaim | None
    kind: InstanceType | None

    @property
    def is_new(self) -> bool:
        """Whether the decision buys it."""
        return self.claim is not None

    @property
    def is_spot(self) -> bool:
        """Whether it is spot capacity."""
        return self.labels.get(labels.CAPACITY_TYPE) == CapacityType.SPOT.value


@dataclass(frozen=True, slots=True)
class Placed:
    """Pods of one kind: (entry,) arrays of nodes and of how many pods are on each."""

    nodes: NodeArray
    counts: Int64Array


_NOBODY = Placed(np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64))


class FinalState:
    """Nodes in the order existing, then bought; and who is on them.

    Parameters
    ----------
    ranges
        Every placed range of pods with the node it is on.
    """

    def __init__(self, problem: Problem, decision: Decision, book: Rulebook) -> None:
        self.problem = problem
        self.decision = decision
        self.book = book
        self.nodes = _nodes(problem, decision)
        self.ranges = _ranges(problem, decision)
        self._first: dict[tuple[int, int], PodRange] | None = None
        self._domains: dict[str, Domains] = {}
        self._tallies: dict[tuple[Kinds, str, bool], dict[int, int]] = {}
        self._new = _by_kind(
            [int(book.kind_of[pods.workload]) for _, pods in self.ranges],
            [node for node, _ in self.ranges],
            [pods.count for _, pods in self.ranges],
        )
        self._running = _by_kind(
            [pods.kind for pods in book.running],
            [pods.node for pods in book.running],
            [pods.count for pods in book.running],
        )

    def new(self, kind: int) -> Placed:
        """Where the decision puts pods of a kind."""
        return self._new.get(kind, _NOBODY)

    def running(self, kind: int) -> Placed:
        """Where pods of a kind ran before."""
        return self._running.get(kind, _NOBODY)

    def placed_kinds(self) -> list[int]:
        """Kinds of which the decision places a pod."""
        return sorted(self._new)

    def domains(self, key: str) -> Domains:
        """The domains of a topology key."""
        found = self._domains.get(key)
        if found is None:
            found = self._domains[key] = Domains.of(key, self.nodes)
        return found

    def pods_on(self, kinds: Kinds, *, only_new: bool = False) -> Placed:
        """Where pods of these kinds are, running ones included unless ``only_new``."""
        parts = [self.new(k) for k in kinds]
        if not only_new:
            parts += [self.running(k) for k in kinds]
        if not parts:
            return _NOBODY
        return Placed(
            np.concatenate([part.nodes for part in parts]), np.concatenate([part.counts for part in parts])
        )

    def tally(self, kinds: Kinds, key: str, *, only_new: bool = False) -> dict[int, int]:
        """Pods of these kinds by domain of a key; nodes that lack the key are left out."""
        found = self._tallies.get((kinds, key, only_new))
        if found is None:
            placed = self.pods_on(kinds, only_new=only_new)
            codes = self.domains(key).codes[placed.nodes]
            found = self._tallies[kinds, key, only_new] = sums(codes, placed.counts)
        return found

    def count_on_nodes(self, kinds: Kinds, *, only_new: bool = False) -> dict[int, int]:
        """Pods of these kinds by node, running ones included unless ``only_new``."""
        placed = self.pods_on(kinds, only_new=only_new)
        return sums(placed.nodes, placed.counts)

    def pod(self, kind: int, node: int) -> str:
        """Name of a pod of this kind that the decision puts on this node; for findings."""
        if self._first is None:
            self._first = {}
            for n, pods in self.ranges:
                self._first.setdefault((int(self.book.kind_of[pods.workload]), n), pods)
        pods = self._first[kind, node]
        return self.problem.workloads[pods.workload].pod_name(pods.first)

    def where(self, node: int, key: str) -> str:
        """The domain of a node in words, such as ``topology.kubernetes.io/zone=a``."""
        domains = self.domains(key)
        return f"{key}={domains.names[domains.codes[node]]}"


@dataclass(frozen=True, slots=True)
class Domains:
    """Domains of a topology key: (node,) codes into their names, `LACKS_KEY` without the key.

    For the host name every new node is a domain of its own, called by the node's name.
    """

    codes: NodeArray
    names: tuple[str, ...]

    @classmethod
    def of(cls, key: str, nodes: list[Node]) -> Domains:
        """The domains that these nodes form."""
        index: dict[str | int, int] = {}
        names: list[str] = []
        codes = np.full(len(nodes), LACKS_KEY, dtype=np.intp)
        for n, node in enumerate(nodes):
            is_unnamed = key == labels.HOSTNAME and node.is_new
            value = n if is_unnamed else node.labels.get(key)
            if value is not None:
                codes[n] = index.setdefault(value, len(index))
                if len(index) > len(names):
                    names.append(node.name if is_unnamed else str(value))
        return cls(codes, tuple(names))


def sums(codes: NodeArray, counts: Int64Array) -> dict[int, int]:
    """Total of the counts by code, `LACKS_KEY` left out."""
    if len(codes) < MOST_BY_HAND:
        small: dict[int, int] = {}
        for code, count in zip(codes.tolist(), counts.tolist(), strict=True):
            if code != LACKS_KEY:
                small[code] = small.get(code, 0) + count
        return small
    distinct, inverse = np.unique(codes, return_inverse=True)
    totals = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(totals, inverse, counts)
    found = dict(zip(distinct.tolist(), totals.tolist(), strict=True))
    found.pop(LACKS_KEY, None)
    return found


def _nodes(problem: Problem, decision: Decision) -> list[Node]:
    nodes = [
        Node(
            f"existing node {node.name}",
            {labels.HOSTNAME: node.name, **dict(node.labels)},
            node.taints,
            node,
            None,
            None,
        )
        for node in problem.existing_nodes
    ]
    taints = {pool.name: pool.taints for pool in problem.node_pools}
    kinds = {kind.name: kind for kind in problem.catalog.instance_types}
    known: dict[int, dict[str, str]] = {}  # by identity of a tuple that the decision keeps alive
    for claim in decision.node_claims:
        carried = known.get(id(claim.labels))
        if carried is None:
            carried = known[id(claim.labels)] = dict(claim.labels)
        nodes.append(
            Node(
                f"node claim {claim.name}",
                carried,
                taints.get(claim.node_pool, ()),
                None,
                claim,
                kinds.get(claim.instance_type),
            )
        )
    return nodes


def _ranges(problem: Problem, decision: Decision) -> list[tuple[int, PodRange]]:
    index = {node.name: n for n, node in enumerate(problem.existing_nodes)}
    ranges = [
        (index[placement.node], pods)
        for placement in decision.existing_placements
        if placement.node in index
        for pods in placement.pods
    ]
    first = len(problem.existing_nodes)
    ranges += [(first + n, pods) for n, claim in enumerate(decision.node_claims) for pods in claim.pods]
    return ranges


def _by_kind(kinds: list[int], nodes: list[int], counts: list[int]) -> dict[int, Placed]:
    """Pods by kind, those of one kind on one node added up."""
    if not kinds:
        return {}
    width = max(nodes) + 1
    pairs = np.array(kinds, dtype=np.int64) * width + np.array(nodes, dtype=np.int64)
    distinct, inverse = np.unique(pairs, return_inverse=True)
    totals = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(totals, inverse, np.array(counts, dtype=np.int64))
    kind, node = np.divmod(distinct, width)
    first = np.flatnonzero(np.diff(kind, prepend=-1))
    last = np.append(first[1:], len(distinct))
    return {
        int(kind[a]): Placed(node[a:b].astype(np.intp), totals[a:b])
        for a, b in zip(first.tolist(), last.tolist(), strict=True)
    }

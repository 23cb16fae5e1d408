"""Cluster Autoscaler's scale-up loop: estimate every node group, let an expander choose, grow one.

After ``pkg/core/scaleup/orchestrator`` and ``pkg/estimator`` of kubernetes-sigs/cluster-autoscaler
(commit 33c3f97):

- A node group is a NodePool x instance type x zone x capacity type.
- For each group the estimator packs the pending pods that the group can hold first-fit decreasing
  onto empty nodes of it, by score cpu / allocatable cpu + memory / allocatable memory (GPUs play no
  part). Pods are tried on all new nodes, then on the last, then on a newly opened one.
- The expander keeps the best options; between several the choice is uniformly random.
- One group grows by its whole estimate, at most ``--max-nodes-per-scaleup`` nodes, and the loop
  starts again with the pods still pending, until no group can take any.

Two simplifications, both harmless to the result: a pending pod was refused by every node bought in an
earlier round (the estimator had tried it there), so rounds do not look back; and balancing similar
groups over zones is left out, because it changes neither node counts nor prices.

Groups that no pod can tell apart (equal allocatable, capacity, compatibility and limits; most often
the zones of one type, but also types of one shape) share one estimate and differ only in their price.
Each still counts as a group of its own when a tie is broken.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_benchmarks.baselines.kernels.estimate import estimate
from binwright_benchmarks.baselines.market import Amounts, Market
from binwright_benchmarks.baselines.result import BaselineResult, Filled, result_of
from binwright_benchmarks.baselines.standing import fill_standing

MAX_NODES_PER_SCALEUP = 1000
"""Default of ``--max-nodes-per-scaleup``."""


@dataclass(frozen=True, slots=True)
class Option:
    """What growing one of several equal node groups would do.

    Parameters
    ----------
    groups
        Candidates that are these node groups.
    nodes, pods
        How many nodes the estimate opens and how many pods it places.
    requested, capacity
        CPU (milli) and memory (bytes) of those pods, and of one node.
    run_counts, run_patterns
        int64 array (run,) and int32 array (run, i): nodes alike and the pods of each.
    """

    groups: tuple[int, ...]
    nodes: int
    pods: int
    requested: tuple[int, int]
    capacity: tuple[int, int]
    run_counts: NDArray[np.int64]
    run_patterns: NDArray[np.int32]


Expander = Callable[[Sequence[Option]], Sequence[Option]]
"""Keeps the best of at least one option."""


class ClusterAutoscaler:
    """The loop with one expander on one market.

    Options depend on the pending pods only, so they are kept from seed to seed.
    """

    def __init__(self, name: str, market: Market, expander: Expander) -> None:
        self._name = name
        self._market = market
        self._expander = expander
        self._known: dict[bytes, list[Option]] = {}
        instance = market.instance
        count = market.n_bought
        table = np.column_stack(
            [
                instance.allocatable[:count],
                market.capacity[:count],
                market.allocatable[:count],
                np.packbits(instance.compatible[:, :count], axis=0).T,
                instance.limit_use[:count],
            ]
        ).astype(np.int64)
        if len(instance.limits):  # a limit is the pool's own
            table = np.column_stack([table, instance.pool_of[:count]])
        _, self._kind_of = np.unique(table, axis=0, return_inverse=True)
        self._kind_of = self._kind_of.reshape(-1)
        cpu, memory = market.cpu_and_memory.T
        rank = np.lexsort((market.first_workload, -memory, -cpu))
        self._queue = rank
        self._requested = market.cpu_and_memory

    def run(self, seed: int) -> BaselineResult:
        """What the loop buys when ties are broken with this seed."""
        market, instance = self._market, self._market.instance
        rng = random.Random(seed)
        position = np.empty(instance.n_classes, dtype=np.int64)
        position[self._queue] = np.arange(instance.n_classes)
        standing = fill_standing(market, market.pods[np.argsort(position[market.pods], kind="stable")])
        demand = np.bincount(standing.pods, minlength=instance.n_classes).astype(np.int64)
        room = standing.room
        filled = standing.filled
        while True:
            options = self._options(demand, room)
            if not options:
                return result_of(self._name, market, filled)
            best = self._expander(options)
            groups = sorted((group, k) for k, option in enumerate(best) for group in option.groups)
            group, k = rng.choice(groups)
            option = best[k]
            nodes = np.repeat(option.run_patterns, option.run_counts, axis=0)
            filled = filled + Filled(np.full(len(nodes), group, dtype=np.int64), nodes)
            demand = demand - nodes.sum(axis=0)
            room = room - instance.limit_use[group] * option.nodes

    def _options(self, demand: Amounts, room: Amounts) -> list[Option]:
        key = demand.tobytes() + room.tobytes()
        if key not in self._known:
            most = self._most_nodes(room)
            # Equal groups drift apart only when one of them is sold out in part.
            kinds = np.column_stack([self._kind_of, most])
            distinct, kind_of = np.unique(kinds, axis=0, return_inverse=True)
            members = np.argsort(kind_of.reshape(-1), kind="stable")
            ends = np.cumsum(np.bincount(kind_of.reshape(-1), minlength=len(distinct)))
            options = (
                self._option(group, int(nodes), demand)
                for group, (_, nodes) in zip(np.split(members, ends[:-1]), distinct, strict=True)
                if nodes > 0
            )
            self._known[key] = [option for option in options if option is not None]
        return self._known[key]

    def _most_nodes(self, room: Amounts) -> Amounts:
        """Most nodes by which each group may grow: int64 array (j,)."""
        count = self._market.n_bought
        most = np.full(count, MAX_NODES_PER_SCALEUP, dtype=np.int64)
        use = self._market.instance.limit_use[:count]
        for k, left in enumerate(room):
            bound = use[:, k] > 0
            most[bound] = np.minimum(most[bound], left // use[bound, k])
        return most

    def _option(self, groups: NDArray[np.intp], most_nodes: int, demand: Amounts) -> Option | None:
        """The estimate of equal groups; None if they can hold no pending pod."""
        market, instance = self._market, self._market.instance
        j = int(groups[0])
        classes = self._queue[(instance.compatible[:, j] & (demand > 0))[self._queue]]
        if not len(classes):
            return None
        score = np.zeros(len(classes))
        for column in range(2):
            allocatable = int(market.allocatable[j, column])
            if allocatable > 0:
                score += self._requested[classes, column].astype(np.float64) / float(allocatable)
        order = classes[np.argsort(-score, kind="stable")].astype(np.int64)
        counts = np.empty(4 * len(order) + 4, dtype=np.int64)
        patterns = np.empty((len(counts), instance.n_classes), dtype=np.int32)
        runs, nodes = estimate(
            order, demand, instance.requests, instance.allocatable[j], most_nodes, counts, patterns
        )
        counts, patterns = counts[:runs].copy(), patterns[:runs].copy()
        placed = counts @ patterns.astype(np.int64)
        cpu, memory = placed @ self._requested
        capacity = market.capacity[j]
        return Option(
            groups=tuple(groups.tolist()),
            nodes=int(nodes),
            pods=int(placed.sum()),
            requested=(int(cpu), int(memory)),
            capacity=(int(capacity[0]), int(capacity[1])),
            run_counts=counts,
            run_patterns=patterns,
        )

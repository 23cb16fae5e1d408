"""What Cluster Autoscaler's estimator says about growing each node group.

After ``pkg/estimator`` of kubernetes-sigs/cluster-autoscaler (commit 33c3f97): for each group the
pending pods that it can hold are packed first-fit decreasing onto empty nodes of it, by score
cpu / allocatable cpu + memory / allocatable memory (GPUs play no part). Pods are tried on all new
nodes, then on a newly opened one.

Groups that no pod can tell apart (equal allocatable, capacity, compatibility and limits; most often
the zones of one type, but also types of one shape) share one estimate and differ only in their price.
Each still counts as a group of its own when an expander chooses or a tie is broken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from binwright_optimizer.model.resources import NVIDIA_GPU
from numpy.typing import NDArray

from binwright_benchmarks.baselines.kernels.estimate import estimate
from binwright_benchmarks.baselines.market import Amounts, Market

MAX_NODES_PER_SCALEUP = 1000
"""Default of ``--max-nodes-per-scaleup``."""


@dataclass(frozen=True, slots=True)
class Option:
    """What growing one of several equal node groups would do.

    Parameters
    ----------
    groups
        Candidates that are these node groups, ascending.
    prices
        Micro-dollars per hour of one node of each group.
    nodes, pods
        How many nodes the estimate opens and how many pods it places.
    requested, capacity
        CPU (milli) and memory (bytes) of those pods, and of one node.
    requested_gpus
        NVIDIA GPUs of those pods.
    has_gpu
        Whether the node has a GPU, requested or not.
    """

    groups: tuple[int, ...]
    prices: tuple[int, ...]
    nodes: int
    pods: int
    requested: tuple[int, int]
    capacity: tuple[int, int]
    requested_gpus: int = 0
    has_gpu: bool = False


class Estimator:
    """Estimates on one market, shared by all expanders and seeds: they depend on what is pending only."""

    def __init__(self, market: Market) -> None:
        self.market = market
        instance = market.instance
        count = market.n_bought
        table = np.column_stack(
            [
                instance.allocatable[:count],
                market.capacity[:count],
                market.allocatable[:count],
                market.has_gpu[:count],
                np.packbits(instance.compatible[:, :count], axis=0).T,
                instance.limit_use[:count],
            ]
        ).astype(np.int64)
        if len(instance.limits):  # a limit is the pool's own
            table = np.column_stack([table, instance.pool_of[:count]])
        self._kind_of = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1)
        self._requested = market.cpu_and_memory
        names = instance.resources
        none = np.zeros(instance.n_classes, dtype=np.int64)
        self._gpus = instance.requests[:, names.index(NVIDIA_GPU)] if NVIDIA_GPU in names else none
        cpu, memory = self._requested.T
        self.queue: NDArray[np.intp] = np.lexsort((market.first_workload, -memory, -cpu))
        rows = 4 * instance.n_classes + 4
        self._counts = np.empty(rows, dtype=np.int64)
        self._patterns = np.empty((rows, instance.n_classes), dtype=np.int32)
        self._known: dict[bytes, tuple[Option, ...]] = {}

    def options(self, demand: Amounts, room: Amounts) -> tuple[Option, ...]:
        """Options for the pending pods within the room that limits leave, by first group.

        Parameters
        ----------
        demand
            int64 array (i,): pending pods.
        room
            int64 array (k,): what each limit leaves.
        """
        key = demand.tobytes() + room.tobytes()
        if key not in self._known:
            # Equal groups drift apart only when one of them is sold out in part.
            kinds = np.column_stack([self._kind_of, self._most_nodes(room)])
            distinct, kind_of = np.unique(kinds, axis=0, return_inverse=True)
            kind_of = kind_of.reshape(-1)
            members = np.argsort(kind_of, kind="stable")
            ends = np.cumsum(np.bincount(kind_of, minlength=len(distinct)))
            options = (
                self._option(group, int(nodes), demand)
                for group, (_, nodes) in zip(np.split(members, ends[:-1]), distinct, strict=True)
                if nodes > 0
            )
            found = [option for option in options if option is not None]
            self._known[key] = tuple(sorted(found, key=lambda option: option.groups))
        return self._known[key]

    def fill(self, group: int, demand: Amounts, room: Amounts) -> NDArray[np.int32]:
        """Pods of each class on each node that growing the group opens: int32 array (n, i)."""
        runs, _ = self._estimate(group, int(self._most_nodes(room)[group]), demand)
        return np.repeat(self._patterns[:runs], self._counts[:runs], axis=0)

    def _most_nodes(self, room: Amounts) -> Amounts:
        """Most nodes by which each group may grow: int64 array (j,)."""
        count = self.market.n_bought
        most = np.full(count, MAX_NODES_PER_SCALEUP, dtype=np.int64)
        use = self.market.instance.limit_use[:count]
        for k, left in enumerate(room):
            bound = use[:, k] > 0
            most[bound] = np.minimum(most[bound], left // use[bound, k])
        return most

    def _option(self, groups: NDArray[np.intp], most_nodes: int, demand: Amounts) -> Option | None:
        """The estimate of equal groups; None if they can hold no pending pod."""
        market, j = self.market, int(groups[0])
        runs, nodes = self._estimate(j, most_nodes, demand)
        if not nodes:
            return None
        placed = self._counts[:runs] @ self._patterns[:runs].astype(np.int64)
        cpu, memory = placed @ self._requested
        capacity = market.capacity[j]
        return Option(
            groups=tuple(groups.tolist()),
            prices=tuple(market.instance.price[groups].tolist()),
            nodes=nodes,
            pods=int(placed.sum()),
            requested=(int(cpu), int(memory)),
            capacity=(int(capacity[0]), int(capacity[1])),
            requested_gpus=int(placed @ self._gpus),
            has_gpu=bool(market.has_gpu[j]),
        )

    def _estimate(self, j: int, most_nodes: int, demand: Amounts) -> tuple[int, int]:
        """Pack onto candidate ``j``, into the scratch arrays; returns (runs, nodes)."""
        market, instance = self.market, self.market.instance
        classes = self.queue[(instance.compatible[:, j] & (demand > 0))[self.queue]]
        if not len(classes):
            return 0, 0
        score = np.zeros(len(classes))
        for column in range(2):
            allocatable = int(market.allocatable[j, column])
            if allocatable > 0:
                score += self._requested[classes, column].astype(np.float64) / float(allocatable)
        order = classes[np.argsort(-score, kind="stable")].astype(np.int64)
        runs, nodes = estimate(
            order,
            demand,
            instance.requests,
            instance.allocatable[j],
            most_nodes,
            self._counts,
            self._patterns,
        )
        return int(runs), int(nodes)

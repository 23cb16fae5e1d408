"""Cost-aware best-fit decreasing: what a careful engineer writes in an afternoon.

Pods are sorted by GPUs, then by the largest share of any one resource of the largest node. Each goes
to the open node that it leaves fullest, else to a new node of the kind that is cheapest per pod of its
class. At the end every node is exchanged for the cheapest one of its NodePool that holds its pods.
"""

from __future__ import annotations

import numpy as np
from binwright_optimizer.model.resources import NVIDIA_GPU
from numpy.typing import NDArray

from binwright_benchmarks.baselines.kernels.fit import tightest
from binwright_benchmarks.baselines.market import Amounts, Market
from binwright_benchmarks.baselines.result import BaselineResult, Filled, result_of
from binwright_benchmarks.baselines.standing import fill_standing

NAME = "best-fit"


def best_fit(market: Market) -> BaselineResult:
    """What the rule buys."""
    standing = fill_standing(market, market.pods[np.argsort(_rank(market)[market.pods], kind="stable")])
    opened = _Opened(market, standing.pods, standing.room)
    for i in standing.pods:
        opened.place(int(i))
    opened.downsize()
    return result_of(NAME, market, standing.filled + opened.filled())


def _scale(market: Market) -> NDArray[np.float64]:
    """One over the largest allocatable amount of each resource: float64 array (r,)."""
    largest = market.instance.allocatable[: market.n_bought].max(axis=0, initial=1)
    scale: NDArray[np.float64] = 1.0 / np.maximum(largest, 1)
    return scale


def _rank(market: Market) -> Amounts:
    """Place of each class in the queue."""
    instance = market.instance
    share = (instance.requests * _scale(market)).max(axis=1, initial=0.0)
    names = instance.resources
    none = np.zeros(instance.n_classes, dtype=np.int64)
    gpus = instance.requests[:, names.index(NVIDIA_GPU)] if NVIDIA_GPU in names else none
    rank = np.empty(instance.n_classes, dtype=np.int64)
    rank[np.lexsort((market.first_workload, -share, -gpus))] = np.arange(instance.n_classes)
    return rank


class _Opened:
    """Nodes opened so far."""

    def __init__(self, market: Market, pods: Amounts, room: Amounts) -> None:
        instance = market.instance
        self._market = market
        self._instance = instance
        self._room = room
        self._left = np.bincount(pods, minlength=instance.n_classes)
        self._scale = _scale(market)
        self._candidates = np.zeros(len(pods), dtype=np.int64)
        self._free = np.zeros((len(pods), len(instance.resources)), dtype=np.int64)
        self._patterns: list[NDArray[np.int32]] = []
        # Without limits what is bought depends on the pods alone, and most choices come again.
        self._is_unlimited = not len(room)
        self._opened_for: dict[tuple[int, int], int] = {}
        self._smaller_for: dict[tuple[int, bytes], int] = {}

    def place(self, i: int) -> None:
        """Place one pod of class ``i`` if anything can hold it."""
        request = self._instance.requests[i]
        n = int(
            tightest(
                request, self._scale, self._free, self._instance.compatible[i], self._candidates,
                len(self._patterns),
            )
        )  # fmt: skip
        if n < 0:
            n = self._open(i)
        self._left[i] -= 1
        if n >= 0:
            self._free[n] -= request
            self._patterns[n][i] += 1

    def _open(self, i: int) -> int:
        """Open the node that is cheapest per pod of the class; -1 if there is none."""
        key = (i, int(self._left[i]))
        if not self._is_unlimited or key not in self._opened_for:
            self._opened_for[key] = self._cheapest_per_pod(i)
        j = self._opened_for[key]
        if j < 0:
            return -1
        self._room -= self._instance.limit_use[j]
        n = len(self._patterns)
        self._candidates[n] = j
        self._free[n] = self._instance.allocatable[j]
        self._patterns.append(np.zeros(self._instance.n_classes, dtype=np.int32))
        return n

    def _cheapest_per_pod(self, i: int) -> int:
        instance, count = self._instance, self._market.n_bought
        fitting = instance.compatible[i, :count].copy()
        fitting &= (instance.limit_use[:count] <= self._room).all(axis=1)
        js = np.flatnonzero(fitting)
        if not len(js):
            return -1
        wanted = instance.requests[i] > 0
        holds = (instance.allocatable[js][:, wanted] // instance.requests[i][wanted]).min(axis=1)
        per_pod = instance.price[js] / np.minimum(holds, self._left[i])
        return int(js[np.lexsort((js, instance.price[js], per_pod))[0]])

    def downsize(self) -> None:
        """Exchange every node for the cheapest of its pool that holds its pods."""
        for n, pattern in enumerate(self._patterns):
            old = int(self._candidates[n])
            key = (old, pattern.tobytes())
            if not self._is_unlimited or key not in self._smaller_for:
                self._smaller_for[key] = self._cheaper(old, pattern)
            new = self._smaller_for[key]
            self._room += self._instance.limit_use[old] - self._instance.limit_use[new]
            self._candidates[n] = new

    def _cheaper(self, old: int, pattern: NDArray[np.int32]) -> int:
        """The cheapest node of the same pool for these pods; ``old`` itself if none is cheaper."""
        instance, count = self._instance, self._market.n_bought
        load = pattern @ instance.requests
        suits = (load <= instance.allocatable[:count]).all(axis=1)
        suits &= instance.pool_of[:count] == instance.pool_of[old]
        suits &= (instance.limit_use[:count] <= self._room + instance.limit_use[old]).all(axis=1)
        suits &= instance.compatible[pattern > 0, :count].all(axis=0)
        suits &= instance.price[:count] < instance.price[old]
        js = np.flatnonzero(suits)
        return int(js[np.argmin(instance.price[js])]) if len(js) else old

    def filled(self) -> Filled:
        """Nodes and their pods."""
        shape = (len(self._patterns), self._instance.n_classes)
        patterns = np.array(self._patterns, dtype=np.int32).reshape(shape)
        return Filled(self._candidates[: len(self._patterns)].copy(), patterns)

"""Optima of knapsacks, written without the package: by trying every pattern, and by dynamic programming."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def best_value(
    prices: Sequence[int], demand: Sequence[int], requests: Sequence[Sequence[int]], room: Sequence[int]
) -> int:
    """Worth of the best pattern, by trying them all."""
    best = 0
    for counts in itertools.product(*(range(d + 1) for d in demand)):
        used = [sum(c * q[r] for c, q in zip(counts, requests, strict=True)) for r in range(len(room))]
        if all(u <= w for u, w in zip(used, room, strict=True)):
            best = max(best, sum(c * p for c, p in zip(counts, prices, strict=True)))
    return best


@dataclass(frozen=True)
class HardKnapsack:
    """One resource, hard for bounds: sizes, prices and demand (i,), the room, and the best worth."""

    sizes: NDArray[np.int64]
    prices: NDArray[np.int64]
    demand: NDArray[np.int64]
    room: int
    best: int


def hard_knapsack(seed: int) -> HardKnapsack:
    """Twelve items that are all worth about a thousand for each unit of their size."""
    rng = np.random.default_rng(seed)
    n_items, room = 12, int(rng.integers(40, 120))
    sizes = rng.integers(7, 40, n_items)
    prices = sizes * 1000 + rng.integers(0, 300, n_items)
    demand = rng.integers(1, 4, n_items)
    best = np.zeros(room + 1, dtype=np.int64)
    for size, price, count in zip(sizes, prices, demand, strict=True):
        for _ in range(count):
            best[size:] = np.maximum(best[size:], best[:-size] + price)
    return HardKnapsack(sizes, prices, demand, room, int(best[-1]))

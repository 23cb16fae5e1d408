"""Optima of knapsacks, written without the package: by trying every pattern, and by dynamic programming."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray


def best_value(
    prices: Sequence[int],
    demand: Sequence[int],
    requests: Sequence[Sequence[int]],
    room: Sequence[int],
    conflicts: Collection[tuple[int, int]] = (),
) -> int:
    """Worth of the best pattern, by trying them all; of items in conflict one is there at most."""
    best = 0
    for counts in itertools.product(*(range(d + 1) for d in demand)):
        used = [sum(c * q[r] for c, q in zip(counts, requests, strict=True)) for r in range(len(room))]
        meet = any(counts[a] and counts[b] for a, b in conflicts)
        if not meet and all(u <= w for u, w in zip(used, room, strict=True)):
            best = max(best, sum(c * p for c, p in zip(counts, prices, strict=True)))
    return best


def assert_bounds(value: int, best: int, threshold: int, *, is_final: bool) -> None:
    """A bound is not below the best value; if final, it is that or shows it to be within the threshold."""
    if best > threshold:
        assert value >= best
        assert value == best or not is_final
    elif is_final:
        assert value <= threshold
    else:
        assert value >= best


@st.composite
def small_knapsacks(draw: st.DrawFn) -> tuple[list[int], list[int], list[list[int]], list[int]]:
    """Prices, demand, requests and room, as `best_value` takes them: up to five items and three resources."""
    n_items, n_resources = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    size = st.lists(st.integers(0, 9), min_size=n_resources, max_size=n_resources)
    return (
        draw(st.lists(st.integers(1, 30), min_size=n_items, max_size=n_items)),
        draw(st.lists(st.integers(0, 3), min_size=n_items, max_size=n_items)),
        draw(st.lists(size, min_size=n_items, max_size=n_items)),
        draw(st.lists(st.integers(0, 20), min_size=n_resources, max_size=n_resources)),
    )


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

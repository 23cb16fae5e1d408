"""The knapsack of a table of what the rest adds, against enumeration and dynamic programming."""

from __future__ import annotations

import numpy as np
from binwright_optimizer.verify.rest_table import search_by_table
from hypothesis import given, settings
from hypothesis import strategies as st
from knapsack_optima import best_value, hard_knapsack, small_knapsacks

UNLIMITED = 1 << 40
GIB = 1 << 30


def by_table(prices, most, amounts, room, floor, node_limit=UNLIMITED) -> tuple[int, int, bool]:
    """Best value above the floor, an upper bound, and whether the search ended."""
    size, free = np.array(amounts, dtype=np.int64), np.array(room, dtype=np.int64)
    count = np.array(most, dtype=np.int64)
    for k, row in enumerate(size):  # what one node holds of an item alone, as callers see to it
        for amount, there in zip(row.tolist(), free.tolist(), strict=True):
            count[k] = min(count[k], there // amount) if amount else count[k]
    share = size / np.maximum(free, 1)
    best, upper, _ = search_by_table(
        np.array(prices, dtype=np.int64), count, size, share, free, floor, node_limit
    )
    return best, upper, best == upper


def test_two_gpu_pods_of_different_size_fill_a_node_exactly():
    """2 GPUs, 10 CPU: pods of 1 GPU with 6 CPU (worth 7) or 4 CPU (worth 5); one of each is worth 12."""
    case = [7, 5], [2, 2], [[1, 6], [1, 4]], [2, 10]
    assert by_table(*case, 0) == (12, 12, True)
    assert by_table(*case, 11) == (12, 12, True)
    assert by_table(*case, 12) == (12, 12, True)


def test_memory_that_binds_is_not_forgotten():
    """3 GPUs, 16 CPU, 16 GiB: two pods of 7 CPU, 3 GiB and one of 3 CPU, 7 GiB want a CPU too much, one and
    two a GiB too much; two of the first are best."""
    case = [5, 4], [2, 2], [[1, 7, 3 * GIB], [1, 3, 7 * GIB]], [3, 16, 16 * GIB]
    assert by_table(*case, 0) == (10, 10, True)


def test_a_table_that_takes_too_long_is_not_begun():
    case = [7, 5], [2, 2], [[1, 6], [1, 4]], [2, 10]
    best, upper, is_complete = by_table(*case, 0, node_limit=0)
    assert (best, is_complete) == (0, False)
    assert upper >= 12


@settings(max_examples=600, deadline=None)
@given(small_knapsacks(), st.integers(0, 60))
def test_the_best_pattern_above_the_floor_is_found(case, floor):
    expected = max(best_value(*case), floor)
    best, upper, is_complete = by_table(*case, floor)
    assert best <= expected <= upper
    if is_complete:
        assert best == upper == expected


@settings(max_examples=300, deadline=None)
@given(small_knapsacks(), st.integers(0, 60), st.integers(0, 50))
def test_however_soon_it_is_given_up_nothing_is_worth_more_than_the_bound(case, floor, node_limit):
    best, upper, _ = by_table(*case, floor, node_limit)
    assert best <= max(best_value(*case), floor) <= upper


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 10**7))
def test_amounts_of_more_levels_than_the_table_has_are_rounded_the_safe_way(seed, unit):
    """The same knapsack in units so small that levels have to hold thousands of them, each a little less."""
    hard = hard_knapsack(seed)
    room = hard.room * unit + unit - 1
    best, upper, _ = by_table(hard.prices, hard.demand, hard.sizes[:, None] * unit, [room], hard.best - 200)
    assert best <= hard.best <= upper

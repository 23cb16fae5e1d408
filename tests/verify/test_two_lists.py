"""The knapsack of two lists against enumeration."""

from __future__ import annotations

import numpy as np
from binwright_optimizer.verify.knapsack import LongSearch
from binwright_optimizer.verify.knapsack_search import reduce_values
from binwright_optimizer.verify.two_lists import MOST_LISTED, search_two_lists
from hypothesis import given, settings
from hypothesis import strategies as st
from knapsack_optima import best_value, hard_knapsack, small_knapsacks


def two_lists(prices, most, amounts, room, multipliers, floor, listed=MOST_LISTED) -> tuple[int, bool]:
    """Best value above the floor and whether the search ended, at multipliers of a unit of each resource."""
    price, counts = np.array(prices, dtype=np.int64), np.array(most, dtype=np.int64)
    size, free = np.array(amounts, dtype=np.int64), np.array(room, dtype=np.int64)
    multiplier, reduced = np.empty(len(room), dtype=np.int64), np.empty(len(prices), dtype=np.int64)
    shift = 8
    root = reduce_values(
        price, counts, size, free, np.ones_like(free), np.array(multipliers), shift, multiplier, reduced
    )
    best, is_complete, _ = search_two_lists(
        price,
        reduced,
        counts,
        size,
        free,
        multiplier,
        root,
        shift,
        floor,
        listed,
        np.empty((2, MOST_LISTED, len(room)), dtype=np.int64),
        np.empty((2, MOST_LISTED), dtype=np.int64),
        np.empty((2, MOST_LISTED), dtype=np.int64),
    )
    return best, is_complete


def test_two_gpu_pods_of_different_size_fill_a_node_exactly():
    """2 GPUs, 10 CPU: pods of 1 GPU with 6 CPU (worth 7) or 4 CPU (worth 5); one of each is worth 12."""
    case = [7, 5], [2, 2], [[1, 6], [1, 4]], [2, 10]
    assert two_lists(*case, [1.0, 1.0], 0) == (12, True)
    assert two_lists(*case, [1.0, 1.0], 11) == (12, True)
    assert two_lists(*case, [1.0, 1.0], 12) == (12, True)


def test_lists_that_get_too_long_prove_nothing():
    """Five kinds of pods that all lose nothing: a list of four partial patterns does not hold them."""
    case = [3] * 5, [2] * 5, [[3]] * 5, [10]
    assert two_lists(*case, [1.0], 0) == (9, True)
    best, is_complete = two_lists(*case, [1.0], 0, listed=4)
    assert best <= 9
    assert not is_complete


@st.composite
def cases(draw):
    """A knapsack with multipliers."""
    case = draw(small_knapsacks())
    n_resources = len(case[-1])
    return *case, draw(st.lists(st.floats(0.0, 6.0), min_size=n_resources, max_size=n_resources))


@settings(max_examples=600, deadline=None)
@given(cases(), st.integers(0, 60))
def test_whatever_the_multipliers_the_best_pattern_above_the_floor_is_found(case, floor):
    expected = best_value(*case[:4])
    assert two_lists(*case, floor) == (max(expected, floor), True)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_a_search_in_steps_ends_where_dynamic_programming_does(seed):
    hard = hard_knapsack(seed)
    search = LongSearch(
        hard.prices,
        hard.demand,
        hard.sizes[:, None],
        np.ones(len(hard.sizes), dtype=bool),
        np.array([hard.room]),
        hard.best - 200,
    )
    before = search.bound
    while not search.is_over:
        search.go_on(500)
        assert hard.best <= search.bound <= before
        before = search.bound
    assert search.bound == hard.best

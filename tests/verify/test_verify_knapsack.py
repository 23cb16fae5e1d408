"""The compiled knapsack bound against enumeration."""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.verify import warm_up
from binwright_optimizer.verify.knapsack import bound_pattern_values, undominated
from hypothesis import given, settings
from hypothesis import strategies as st
from knapsack_optima import assert_bounds, best_value, hard_knapsack

LIMITS = (0, 1, 1_000, 100_000)


def bound(prices, demand, requests, room, threshold, node_limit) -> tuple[int, bool]:
    bounds, is_final = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=bool)
    bound_pattern_values(
        np.array(prices, dtype=np.int64),
        np.array(demand, dtype=np.int64),
        np.array(requests, dtype=np.int64),
        np.array([room], dtype=np.int64),
        np.ones((1, len(prices)), dtype=bool),
        np.zeros(1, dtype=np.int64),
        np.array([threshold], dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        node_limit,
        np.full(len(room), 1.0 / len(room)),
        bounds,
        is_final,
    )
    return int(bounds[0]), bool(is_final[0])


def test_a_knapsack_of_two_kinds_of_pods():
    """Room 10: two pods of 4 (worth 5) leave 2, one of 3 (worth 4) three times leaves 1: 12 > 10.

    One of 4 and two of 3 fill it exactly: 5 + 8 = 13.
    """
    assert bound([5, 4], [9, 9], [[4], [3]], [10], 0, 1000) == (13, True)


def test_at_or_below_the_threshold_nothing_more_is_told():
    value, is_final = bound([5, 4], [9, 9], [[4], [3]], [10], 13, 1000)
    assert is_final
    assert value <= 13


def test_one_below_the_optimum_is_exceeded():
    assert bound([5, 4], [9, 9], [[4], [3]], [10], 12, 1000) == (13, True)


def test_without_search_the_relaxation_bounds_it():
    """By volume 10 / 3 pods of 4: 13.33, so 13."""
    value, is_final = bound([5, 4], [9, 9], [[4], [3]], [10], 0, 0)
    assert value == 13
    assert not is_final


def test_values_near_the_overflow_guard_stay_exact():
    """Two of three pods worth 2**57 fit."""
    assert bound([2**57], [3], [[2**52]], [2**53], 0, 1000) == (2**58, True)


def test_many_lumpy_pods_are_proven_by_branching():
    """Pods of 11 .. 30 worth their size in a room of 400, two of each: an even 400 is reachable,
    and no more. The odd-priced extra makes 401 the relaxed bound's concern."""
    sizes = list(range(11, 31))
    assert bound(sizes, [2] * 20, [[s] for s in sizes], [400], 0, 10**7) == (400, True)
    assert bound(sizes, [2] * 20, [[2 * s] for s in sizes], [801], 399, 10**7) == (400, True)


@st.composite
def knapsacks(draw):
    n_items, n_resources = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    return (
        draw(st.lists(st.integers(0, 30), min_size=n_items, max_size=n_items)),
        draw(st.lists(st.integers(0, 3), min_size=n_items, max_size=n_items)),
        draw(
            st.lists(
                st.lists(st.integers(0, 9), min_size=n_resources, max_size=n_resources),
                min_size=n_items,
                max_size=n_items,
            )
        ),
        draw(st.lists(st.integers(0, 20), min_size=n_resources, max_size=n_resources)),
    )


@settings(max_examples=600, deadline=None)
@given(knapsacks(), st.integers(0, 60), st.sampled_from(LIMITS), st.integers(0, 40))
def test_the_bound_is_never_below_the_best_pattern_and_exact_when_final(case, threshold, node_limit, bits):
    prices, demand, requests, room = case
    scale = 1 << bits
    expected = best_value(prices, demand, requests, room) * scale
    value, is_final = bound(
        [p * scale for p in prices], demand, requests, room, threshold * scale, node_limit
    )
    assert_bounds(value, expected, threshold * scale, is_final=is_final)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32))
def test_hard_random_knapsacks_agree_with_dynamic_programming(seed):
    hard = hard_knapsack(seed)
    found = bound(hard.prices, hard.demand, hard.sizes[:, None], [hard.room], 0, 10**7)
    assert found == (hard.best, True)


def test_dominated_nodes_are_left_out():
    """Node 1 is dearer than 0 and no larger; node 2 is larger; node 3 admits more classes."""
    kept = undominated(
        np.array([[4], [4], [8], [2]]),
        np.array([10, 11, 12, 13]),
        np.array([0, 0, 0, 1]),
        np.array([[True, True], [False, True]]),
        np.arange(4),
        np.ones(4, dtype=bool),
    )
    assert kept.tolist() == [0, 2, 3]


def test_a_node_of_limited_supply_dominates_nothing():
    kept = undominated(
        np.array([[4], [4]]),
        np.array([10, 11]),
        np.zeros(2, dtype=np.int64),
        np.ones((1, 1), dtype=bool),
        np.arange(2),
        np.array([False, True]),
    )
    assert kept.tolist() == [0, 1]


@pytest.mark.parametrize("times", [1, 2])
def test_warming_up_can_be_repeated(times):
    for _ in range(times):
        warm_up()

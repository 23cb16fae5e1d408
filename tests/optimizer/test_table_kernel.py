"""Knapsacks as tables, against trying every pattern."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from binwright_optimizer.pricing.kernels.room_table import TOO_LARGE, most_price, offer, open_table
from binwright_optimizer.pricing.kernels.table import MOST_AXES, fill, table_work
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from knapsacks import Knapsack, knapsacks

SETTINGS = settings(max_examples=200, deadline=None, derandomize=True)

STEPS = Knapsack(
    values=np.array([6.0, 5.0, 2.0]),
    caps=np.array([2, 3, 9]),
    requests=np.array([[4, 4], [4, 2], [2, 4]]) * 50,
    room=np.array([10, 10]) * 50 + 20,
    compatible=np.array([True, True, True]),
)
"""Everything comes in steps of 100: there is room for 5 of each. One of each fills that: 13."""


def filled(knapsack: Knapsack, mu, least: float = 0.0, *, is_halted: bool = False):
    """Worth, whether the pattern fits, the pattern, and the levels of the table; None without a table."""
    halt = np.array([is_halted], dtype=np.uint8)
    n, items, limits, _ = knapsack.gathered()
    room = knapsack.room
    steps, levels = np.zeros(len(room), dtype=np.int64), np.zeros(len(room), dtype=np.int64)
    work = table_work(n, items, limits, knapsack.requests, room, mu, steps, levels)
    if not np.isfinite(work):
        return None
    chosen = np.zeros(n, dtype=np.int64)
    worth, fits = fill(
        n, items, limits, knapsack.values, knapsack.requests, room, steps, levels, least, halt, chosen
    )
    pattern = np.zeros(len(knapsack.values), dtype=np.int64)
    pattern[items[:n]] = chosen
    return worth, fits, pattern, levels


def test_a_table_over_steps_finds_the_best_pattern() -> None:
    worth, fits, pattern, levels = filled(STEPS, np.ones(2))
    assert (worth, fits) == (13.0, True)
    assert pattern.tolist() == [1, 1, 1]
    assert levels.tolist() == [5, 5]


def test_a_resource_worth_nothing_is_left_out_and_may_not_suffice() -> None:
    """By the first resource alone two of the first and one of the last are worth 14: 6 of the other."""
    worth, fits, pattern, levels = filled(STEPS, np.array([1.0, 0.0]))
    assert (worth, fits) == (14.0, False)
    assert pattern.tolist() == [2, 0, 1]
    assert levels.tolist() == [5, 0]


def test_a_pattern_that_is_not_worth_more_is_not_looked_for() -> None:
    worth, fits, pattern, _ = filled(STEPS, np.ones(2), least=13.0)
    assert (worth, fits) == (13.0, False)
    assert not pattern.any()


def test_a_table_given_up_promises_nothing() -> None:
    worth, fits, pattern, _ = filled(STEPS, np.ones(2), is_halted=True)
    assert (worth, fits) == (np.inf, False)
    assert not pattern.any()


def test_a_table_of_too_many_cells_is_not_begun() -> None:
    """1,500 steps of each resource are 2,253,001 cells."""
    large = Knapsack(
        STEPS.values, STEPS.caps, STEPS.requests, np.array([1_500, 1_500]) * 100, STEPS.compatible
    )
    assert filled(large, np.ones(2)) is None


@SETTINGS
@given(knapsacks(), st.lists(st.booleans(), min_size=3, max_size=3))
def test_a_table_is_worth_as_much_as_the_best_pattern_or_more(knapsack, has_axis) -> None:
    assume(not len(knapsack.rules.cap))
    mu = np.array(has_axis[: len(knapsack.room)], dtype=np.float64)
    table = filled(knapsack, mu)
    assume(table is not None)
    worth, fits, pattern, _ = table
    best = knapsack.best()
    assert worth >= best - 1e-9
    if fits:
        assert knapsack.fits(pattern)
        assert knapsack.worth(pattern) == pytest.approx(worth)
        assert worth == pytest.approx(best)


@SETTINGS
@given(knapsacks(may_have_rules=False), st.integers(0, 3), st.floats(0.0, 30.0), st.floats(0.0, 60.0))
def test_no_pattern_with_a_class_at_the_most_price_is_worth_more_than_the_node(
    knapsack, at, raised, cost
) -> None:
    """After one class is raised, the price told for another keeps every pattern with it within the cost."""
    n_classes = len(knapsack.values)
    i, other = at % n_classes, (at + 1) % n_classes
    most = np.where(knapsack.compatible, knapsack.caps, 0)
    assume(most[i] > 0)
    resource, size, step = (np.empty(MOST_AXES, dtype=np.int64) for _ in range(3))
    values = knapsack.values.copy()
    cells = np.full(10_000, np.nan)
    start, end = open_table(
        most, values, knapsack.requests, knapsack.room, np.ones(len(knapsack.room)), resource, size, step,
        cells, 7,
    )  # fmt: skip
    assume(start != TOO_LARGE)
    assert start == 7
    assert end - start == size.prod()
    if most[other] > 0 and other != i:
        values[other] += raised
        offer(other, values[other], most[other], knapsack.requests, resource, size, step, cells)
    assume((knapsack.requests[i] <= knapsack.room).all())
    fitting = min(
        int(most[i]),
        *(int(room // need) for room, need in zip(knapsack.room, knapsack.requests[i], strict=True) if need),
        99,
    )
    assume(fitting > 0)
    price = most_price(i, fitting, cost, knapsack.requests, resource, size, step, cells)
    spans = [range(int(cap) + 1) for cap in knapsack.caps]
    priced = values.copy()
    priced[i] = price
    for counts in itertools.product(*spans):
        pattern = np.array(counts)
        if pattern[i] and knapsack.fits(pattern):
            assert float(pattern @ priced) <= cost + 1e-6

"""Search by what a table says of the rest of a node, against trying every pattern."""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.pricing.kernels.completion import complete, completion_work
from binwright_optimizer.pricing.kernels.relaxation import relax
from drawn_rules import rulesets
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from knapsacks import Knapsack

SETTINGS = settings(max_examples=300, deadline=None, derandomize=True)
SLACK = 1e-9

GPUS = Knapsack(
    values=np.array([5.0, 4.0]),
    caps=np.array([2, 2]),
    requests=np.array([[1, 7, 3], [1, 3, 7]]),
    room=np.array([3, 16, 16]),
    compatible=np.array([True, True]),
)
"""3 GPUs, 16 CPU, 16 GiB. Two of the first pods and one of the second need 17 CPU, one and two 17 GiB: two of
the first are best, 10."""


def completed(knapsack: Knapsack, *, floor: float = 0.0, most_visits: int = 100_000, mu=None, state=None):
    """Value, bound and pattern at the multipliers of the relaxation, or others."""
    state = state or knapsack.state()
    n, items, limits, shares = knapsack.gathered(state)
    limits, shares, room = limits[:n], shares[:n], knapsack.room
    if mu is None:
        mu = np.ones(len(room))
        relax(n, items, limits, shares, knapsack.values, np.ones(len(room)), mu, np.empty(n))
    steps, levels = np.empty(len(room), dtype=np.int64), np.empty(len(room), dtype=np.int64)
    work = completion_work(n, items, limits, knapsack.requests, room, mu, steps, levels)
    chosen = np.zeros(n, dtype=np.int64)
    if np.isinf(work):
        return None
    value, upper, _ = complete(
        n, items, limits, shares, knapsack.values, knapsack.requests, room, mu, steps, levels, floor, SLACK,
        most_visits, np.zeros(1, dtype=np.uint8), chosen, *state,
    )  # fmt: skip
    pattern = np.zeros(len(knapsack.values), dtype=np.int64)
    pattern[items[:n]] = chosen
    return value, upper, pattern


def test_three_pods_that_want_a_unit_too_much_of_something_are_two() -> None:
    value, upper, pattern = completed(GPUS)
    assert (value, pattern.tolist()) == (10.0, [2, 0])
    assert upper == pytest.approx(10.0)


def test_a_worth_that_no_pattern_exceeds_is_proven() -> None:
    value, upper, pattern = completed(GPUS, floor=10.0)
    assert (value, pattern.tolist()) == (10.0, [0, 0])
    assert upper == pytest.approx(10.0)


def test_a_search_given_up_still_bounds_the_worth() -> None:
    """No table is searched to its end: what it says of the empty node is all that is known."""
    value, upper, _ = completed(GPUS, floor=1.0, most_visits=-1)
    assert value <= 10.0 <= upper < 14.0


def test_the_resource_of_most_steps_is_left_to_its_multiplier() -> None:
    """2 GPUs and 10 x 1,000 millicores are few steps; 2**40 bytes of memory are many."""
    steps, levels = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    requests = np.array([[1, 3_000, 12_345_678_901], [1, 2_000, 9_876_543_210]])
    completion_work(
        2, np.arange(2), np.array([2, 2]), requests, np.array([2, 10_000, 2**40]), np.ones(3), steps, levels
    )
    assert levels.tolist() == [2, 10, 0]
    assert steps[:2].tolist() == [1, 1_000]


def test_odd_requests_are_counted_in_round_steps() -> None:
    """96,000 millicores: 11,908 is rounded down to steps of 100, of which there are few enough."""
    steps, levels = np.empty(3, dtype=np.int64), np.empty(3, dtype=np.int64)
    requests = np.array([[1, 11_908, 12_345_678_901], [1, 4_000, 9_876_543_210], [1, 8_000, 3]])
    work = completion_work(
        3, np.arange(3), np.full(3, 8), requests, np.array([8, 96_000, 2**40]), np.ones(3), steps, levels
    )
    assert steps[1] == 100
    assert levels.tolist() == [8, 960, 0]
    assert np.isfinite(work)


@st.composite
def tight(draw: st.DrawFn) -> Knapsack:
    """Classes that together want more of every resource than there is, with node rules now and then."""
    n_classes, n_resources = draw(st.integers(2, 4)), draw(st.integers(2, 3))

    def row(low: int, high: int, length: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=length, max_size=length))

    caps = np.array(row(2, 4, n_classes), dtype=np.int64)
    requests = np.array([row(1, 7, n_resources) for _ in range(n_classes)], dtype=np.int64)
    share = np.array(row(30, 70, n_resources), dtype=np.int64)
    return Knapsack(
        values=np.array(row(1, 20, n_classes), dtype=np.float64),
        caps=caps,
        requests=requests,
        room=np.maximum(requests.max(axis=0), (caps @ requests) * share // 100),
        compatible=np.ones(n_classes, dtype=bool),
        ruleset=draw(rulesets(n_classes, 1)),
    )


@SETTINGS
@given(tight(), st.integers(0, 30), st.none() | st.lists(st.integers(1, 12), min_size=3, max_size=3))
def test_the_best_pattern_is_found_whatever_the_multipliers(knapsack, floor, multipliers) -> None:
    mu = None if multipliers is None else np.array(multipliers[: len(knapsack.room)], dtype=np.float64)
    found = completed(knapsack, floor=float(floor), mu=mu)
    assume(found is not None)
    best = knapsack.best()
    value, upper, pattern = found
    assert value == pytest.approx(max(best, floor), abs=1e-6)
    assert upper >= best - 1e-6
    assert pattern.any() == (value > floor)
    if value > floor:
        assert knapsack.fits(pattern)
        assert knapsack.worth(pattern) == pytest.approx(value)


@SETTINGS
@given(tight(), st.integers(-1, 40))
def test_however_soon_it_is_given_up_nothing_is_worth_more_than_the_bound(knapsack, visits) -> None:
    found = completed(knapsack, most_visits=visits)
    assume(found is not None)
    value, upper, _ = found
    assert value - SLACK <= knapsack.best() <= upper + 1e-6


@SETTINGS
@given(tight(), st.integers(-1, 40))
def test_the_state_of_the_node_is_left_as_it_was(knapsack, visits) -> None:
    before, after = knapsack.state(), knapsack.state()
    knapsack.gathered(before)
    assume(completed(knapsack, most_visits=visits, state=after) is not None)
    for was, now in zip(before[1:], after[1:], strict=True):
        assert was.tolist() == now.tolist()

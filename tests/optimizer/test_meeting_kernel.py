"""Patterns that meet in the middle, and neighbours of patterns, against trying every pattern."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from binwright_optimizer.pricing.kernels.halves import meet
from binwright_optimizer.pricing.kernels.neighbours import best_neighbours
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from knapsacks import Knapsack, knapsacks

SETTINGS = settings(max_examples=200, deadline=None, derandomize=True)
SLACK = 1e-9

PAIRS = Knapsack(
    values=np.array([5.0, 4.0, 3.0]),
    caps=np.array([1, 2, 4]),
    requests=np.array([[5], [4], [3]]),
    room=np.array([10]),
    compatible=np.array([True, True, True]),
)
"""Every pod is worth its room. One of four and two of three fill the room: 10."""


def met(knapsack: Knapsack, mu, *, floor: float = 0.0, most_hands: int = 10_000):
    """Value, completeness and pattern of two hands."""
    n, items, limits, shares = knapsack.gathered()
    chosen = np.zeros(n, dtype=np.int64)
    value, complete, _ = meet(
        n, items, limits[:n], shares[:n], knapsack.values, knapsack.requests, knapsack.room, knapsack.room,
        mu, floor, SLACK, most_hands, chosen,
    )  # fmt: skip
    pattern = np.zeros(len(knapsack.values), dtype=np.int64)
    pattern[items[:n]] = chosen
    return value, complete, pattern


def neighbour(knapsack: Knapsack, pattern, cost: float):
    """The pattern's best neighbour, or None."""
    changed, found = pattern[None, :].astype(np.int32), np.zeros(1, dtype=bool)
    best_neighbours(
        np.zeros(1, dtype=np.intp), changed, knapsack.values, np.array([cost]), knapsack.caps,
        knapsack.requests, knapsack.room[None, :], knapsack.compatible[None, :], 0.0, knapsack.rules, found,
    )  # fmt: skip
    return changed[0].astype(np.int64) if found[0] else None


def neighbours_of(pattern):
    """Every pattern with up to two pods out and up to two others in."""
    n = len(pattern)
    steps = [None, *range(n)]
    for x, y, a, b in itertools.product(steps, repeat=4):
        if {a, b} & {x, y} - {None}:
            continue
        other = pattern.copy()
        for i, change in ((x, -1), (y, -1), (a, 1), (b, 1)):
            if i is not None:
                other[i] += change
        if (other >= 0).all():
            yield other


def test_two_hands_make_the_pattern_that_fills_the_node() -> None:
    """One unit of room is worth 1: nothing is lost but on room left over. 4 + 3 + 3 = 10 leaves none."""
    value, complete, pattern = met(PAIRS, np.array([10.0]), floor=9.5)
    assert (value, complete) == (10.0, True)
    assert pattern.tolist() == [0, 1, 2]


def test_a_worth_that_no_pattern_exceeds_is_proven() -> None:
    value, complete, pattern = met(PAIRS, np.array([10.0]), floor=10.0)
    assert (value, complete) == (10.0, True)
    assert not pattern.any()


def test_too_many_hands_prove_nothing() -> None:
    _, complete, _ = met(PAIRS, np.array([10.0]), floor=1.0, most_hands=3)
    assert not complete


@SETTINGS
@given(knapsacks(), st.integers(0, 30), st.lists(st.integers(0, 12), min_size=3, max_size=3))
def test_two_hands_find_the_best_pattern_whatever_the_multipliers(knapsack, floor, multipliers) -> None:
    assume(not len(knapsack.rules.cap))
    mu = np.array(multipliers[: len(knapsack.room)], dtype=np.float64)
    value, complete, pattern = met(knapsack, mu, floor=float(floor))
    best = knapsack.best()
    if complete:
        assert value == pytest.approx(max(best, floor), abs=1e-6)
    if value > floor:
        assert knapsack.fits(pattern)
        assert knapsack.worth(pattern) == pytest.approx(value)


def test_a_pod_is_exchanged_for_two_that_are_worth_more() -> None:
    """The node of 5 + 4 is worth 9; 4 + 3 + 3 is worth 10."""
    assert neighbour(PAIRS, np.array([1, 1, 0]), 9.0).tolist() == [0, 1, 2]


def test_a_pattern_whose_neighbours_are_not_worth_the_node_stays() -> None:
    assert neighbour(PAIRS, np.array([1, 1, 0]), 10.0) is None


@SETTINGS
@given(knapsacks(), st.data())
def test_the_best_neighbour_is_the_best_that_the_rules_allow(knapsack, data) -> None:
    spans = [range(int(cap) + 1) for cap in knapsack.caps]
    allowed = [np.array(p) for p in itertools.product(*spans) if knapsack.fits(np.array(p))]
    pattern = data.draw(st.sampled_from(allowed))
    worth = max(knapsack.worth(other) for other in neighbours_of(pattern) if knapsack.fits(other))
    cost = knapsack.worth(pattern)
    found = neighbour(knapsack, pattern, cost)
    if worth <= cost + 1e-9:
        assert found is None
    else:
        assert knapsack.fits(found)
        assert knapsack.worth(found) == pytest.approx(worth)

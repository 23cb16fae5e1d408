"""The compiled pricing kernels against trying every pattern."""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.instance import build_instance
from binwright_optimizer.pricing.kernels.branch import branch
from binwright_optimizer.pricing.kernels.depth_first import pack
from binwright_optimizer.pricing.kernels.relaxation import relax, surplus
from builders import instance_type, pod, problem
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from knapsacks import Knapsack, knapsacks
from solver_parts import candidate, pricing_of
from tiny_problems import tiny_problems

SETTINGS = settings(max_examples=150, deadline=None, derandomize=True)
SLACK = 1e-9


def relaxed(knapsack: Knapsack):
    """Bound, multipliers, fractional pattern and what `Knapsack.gathered` returns."""
    n, items, limits, shares = knapsack.gathered()
    mu, primal = np.empty(len(knapsack.room)), np.empty(len(items))
    whole = np.ones(len(knapsack.room))
    bound = relax(n, items, limits, shares, knapsack.values, whole, mu, primal)
    return bound, mu, primal[:n], (n, items, limits, shares)


def packed(knapsack: Knapsack, mu, *, floor: float = 0.0, max_nodes: int = 100_000):
    """Value, completeness and pattern of a depth-first search."""
    state = knapsack.state()
    n, items, limits, shares = knapsack.gathered(state)
    before = [part.copy() for part in state[1:]]
    chosen = np.zeros(len(items), dtype=np.int64)
    value, complete = pack(
        n, items, limits, shares, knapsack.values, knapsack.requests, knapsack.room, knapsack.room, mu, floor,
        SLACK, max_nodes, chosen, *state,
    )  # fmt: skip
    assert all((now == then).all() for now, then in zip(state[1:], before, strict=True))
    return value, complete, spread(knapsack, items[:n], chosen[:n])


def branched(knapsack: Knapsack, *, floor: float = 0.0, max_branches: int = 1_000, halted: bool = False):
    """Value, upper bound and pattern of a branch and bound."""
    rules, *state = knapsack.state()
    n, items, limits, shares = knapsack.gathered((rules, *state))
    chosen = np.zeros(len(items), dtype=np.int64)
    halt = np.array([halted], dtype=np.uint8)
    value, upper, _ = branch(
        n, items, limits, shares, knapsack.values, knapsack.requests, knapsack.room, floor, SLACK,
        max_branches, halt, chosen, rules, 0, *state,
    )  # fmt: skip
    return value, upper, spread(knapsack, items[:n], chosen[:n])


def spread(knapsack: Knapsack, items, chosen):
    pattern = np.zeros(len(knapsack.values), dtype=np.int64)
    pattern[items] = chosen
    return pattern


TEXTBOOK = Knapsack(
    values=np.array([10.0, 6.0, 4.0]),
    caps=np.array([1, 2, 5]),
    requests=np.array([[6], [4], [3]]),
    room=np.array([10]),
    compatible=np.array([True, True, True]),
)
"""Efficiencies 10/6, 6/4, 4/3. Relaxed: all of the first and one of the second fill the room: 16."""

FRACTIONAL = Knapsack(
    values=np.array([6.0, 5.0]),
    caps=np.array([3, 3]),
    requests=np.array([[4], [3]]),
    room=np.array([10]),
    compatible=np.array([True, True]),
)
"""Efficiencies 6/4 < 5/3. Relaxed: three of the second (9) and a quarter of the first: 15 + 1.5 = 16.5.
Whole: one and two fill 4 + 6 = 10 for 16."""


def test_relaxation_of_the_textbook_knapsack_is_whole() -> None:
    bound, _, primal, _ = relaxed(TEXTBOOK)
    assert bound == pytest.approx(16.0)
    assert primal.tolist() == pytest.approx([1.0, 1.0, 0.0])


def test_relaxation_of_the_fractional_knapsack_is_16_and_a_half() -> None:
    bound, mu, primal, _ = relaxed(FRACTIONAL)
    assert bound == pytest.approx(16.5)
    assert mu.tolist() == pytest.approx([15.0])  # 6/4 for each of the ten units of room
    assert primal.tolist() == pytest.approx([0.25, 3.0])


def test_both_searches_find_the_best_whole_pattern() -> None:
    _, mu, _, _ = relaxed(FRACTIONAL)
    value, complete, pattern = packed(FRACTIONAL, mu)
    assert (value, complete, pattern.tolist()) == (16.0, True, [1, 2])
    value, upper, pattern = branched(FRACTIONAL)
    assert (value, pattern.tolist()) == (16.0, [1, 2])
    assert 16.0 <= upper <= 16.0 + 1e-6


def test_a_search_finds_nothing_where_the_floor_is_not_exceeded() -> None:
    _, mu, _, _ = relaxed(FRACTIONAL)
    assert packed(FRACTIONAL, mu, floor=16.0)[2].tolist() == [0, 0]
    value, upper, pattern = branched(FRACTIONAL, floor=16.0)
    assert (value, pattern.tolist()) == (16.0, [0, 0])
    assert upper == pytest.approx(16.0)


@given(knapsacks())
@SETTINGS
def test_only_useful_items_are_gathered_with_the_most_that_fit(knapsack: Knapsack) -> None:
    n, items, limits, shares = knapsack.gathered()
    for i in range(len(knapsack.values)):
        one = np.eye(len(knapsack.values), dtype=np.int64)[i]
        most = max(c for c in range(int(knapsack.caps[i]) + 1) if c == 0 or knapsack.fits(c * one))
        most = most if knapsack.values[i] > 0 else 0
        assert (i in items[:n]) == (most > 0)
        if most:
            k = items[:n].tolist().index(i)
            assert limits[k] == most
            used = knapsack.requests[i] > 0
            assert shares[k][used] == pytest.approx(knapsack.requests[i][used] / knapsack.room[used])
            assert not shares[k][~used].any()


@given(knapsacks())
@SETTINGS
def test_relaxation_bounds_every_pattern_and_is_exact(knapsack: Knapsack) -> None:
    """Its fractional pattern is feasible and worth the bound, so that neither can be improved."""
    bound, mu, primal, (n, items, limits, shares) = relaxed(knapsack)
    assert bound >= knapsack.best() - 1e-7
    assert (mu >= 0).all()
    assert (primal >= -1e-9).all()
    assert (primal <= limits[:n] + 1e-9).all()
    assert (primal @ shares[:n] <= 1 + 1e-7).all()
    assert primal @ knapsack.values[items[:n]] == pytest.approx(bound, abs=1e-6)


@given(knapsacks(), st.lists(st.integers(0, 30), min_size=3, max_size=3))
@SETTINGS
def test_any_multipliers_give_a_bound(knapsack: Knapsack, multipliers: list[int]) -> None:
    n, items, limits, shares = knapsack.gathered()
    mu = np.array(multipliers[: len(knapsack.room)], dtype=np.float64)
    bound = mu.sum() + surplus(n, items, limits, shares, knapsack.values, mu)
    assert bound >= knapsack.best() - 1e-9


@given(knapsacks(), st.lists(st.integers(0, 30), min_size=3, max_size=3))
@SETTINGS
def test_depth_first_search_is_exact_under_any_multipliers(
    knapsack: Knapsack, multipliers: list[int]
) -> None:
    mu = np.array(multipliers[: len(knapsack.room)], dtype=np.float64)
    value, complete, pattern = packed(knapsack, mu)
    assert complete
    assert value == pytest.approx(knapsack.best())
    assert knapsack.fits(pattern)
    assert knapsack.worth(pattern) == pytest.approx(value)


@given(knapsacks(), st.integers(0, 3), st.integers(0, 30))
@SETTINGS
def test_depth_first_search_cut_short_claims_nothing_it_has_not_seen(
    knapsack: Knapsack, max_nodes: int, floor: int
) -> None:
    _, mu, _, _ = relaxed(knapsack)
    value, complete, pattern = packed(knapsack, mu, floor=floor, max_nodes=max_nodes)
    best = knapsack.best()
    assert knapsack.fits(pattern)
    assert value == (pytest.approx(knapsack.worth(pattern)) if pattern.any() else floor)
    if complete:
        assert value == pytest.approx(max(best, floor))


@given(knapsacks(), st.integers(0, 30))
@SETTINGS
def test_branch_and_bound_is_exact(knapsack: Knapsack, floor: int) -> None:
    value, upper, pattern = branched(knapsack, floor=floor)
    best = max(knapsack.best(), floor)
    assert value == pytest.approx(best)
    assert best - 1e-9 <= upper <= best + 1e-6
    assert knapsack.fits(pattern)
    assert not pattern.any() or knapsack.worth(pattern) == pytest.approx(value)


@given(knapsacks(), st.integers(0, 2), st.booleans())
@SETTINGS
def test_branch_and_bound_cut_short_or_halted_still_bounds_every_pattern(
    knapsack: Knapsack, max_branches: int, halted: bool
) -> None:
    value, upper, pattern = branched(knapsack, max_branches=max_branches, halted=halted)
    best = knapsack.best()
    assert value <= best + 1e-9
    assert upper >= best - 1e-9
    assert knapsack.fits(pattern)
    if halted:
        assert upper == np.inf or knapsack.gathered()[0] == 0


VALUES = st.lists(st.integers(0, 12), min_size=3, max_size=3)


@given(tiny_problems(), VALUES, st.sampled_from([0, 1, 50]), st.booleans())
@SETTINGS
def test_asweep_bounds_every_candidate_and_its_patterns_pay(
    tiny, worth: list[int], branches: int, halted: bool
) -> None:
    """Every pattern worth more than its cost is found where nothing cuts the search short."""
    instance = build_instance(tiny)
    assume(instance.n_classes)
    pricing = pricing_of(instance)
    pricing.halt.flag[0] = halted
    values = np.array(worth[: instance.n_classes], dtype=np.float64)
    costs = instance.price * 1e-6
    bounds = np.empty(instance.n_candidates)
    priced = pricing.price(values, costs, bounds, branches=branches)
    found = dict(zip(priced.candidates.tolist(), priced.patterns, strict=True))
    for j in range(instance.n_candidates):
        knapsack = Knapsack(
            values, instance.demand, instance.requests, instance.allocatable[j], instance.compatible[:, j]
        )
        best = knapsack.best()
        assert bounds[j] >= best - 1e-9
        assert (j in found) == (best > costs[j] + 1e-9)
        if j in found:
            assert knapsack.fits(found[j].astype(np.int64))
            assert knapsack.worth(found[j].astype(np.int64)) == pytest.approx(best)


def test_asweep_prices_only_the_candidates_and_caps_asked_for() -> None:
    """Pods of 2 cpu worth 1 each: 4 fill the large node for 3, but the cap of 3 leaves nothing to gain."""
    kinds = [instance_type("small", cpu=4, price=1.5), instance_type("large", cpu=8, price=3)]
    instance = build_instance(problem([pod(cpu=2, replicas=9)], kinds))
    small, large = candidate(instance, "small"), candidate(instance, "large")
    pricing = pricing_of(instance)
    bounds = np.full(2, -1.0)
    priced = pricing.price(np.ones(1), instance.price * 1e-6, bounds, candidates=np.array([large]))
    assert (priced.candidates.tolist(), priced.patterns.tolist()) == ([large], [[4]])
    assert bounds[small] == -1.0
    priced = pricing.price(np.ones(1), instance.price * 1e-6, bounds, caps=np.array([3]))
    assert (priced.candidates.tolist(), priced.patterns.tolist()) == ([small], [[2]])
    assert bounds[large] >= 3.0

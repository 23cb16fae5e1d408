"""Lifting dual prices class by class, against all patterns of small instances."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
from binwright_optimizer.instance import build_instance
from binwright_optimizer.pricing.kernels.lift import fits, lift
from builders import instance_type, pod, problem
from drawn_rules import Ruleset, rulesets
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from solver_parts import pricing_of
from tiny_problems import tiny_problems

Float = NDArray[np.float64]
SETTINGS = settings(max_examples=100, deadline=None, derandomize=True)
CLOSE = 1e-7
"""Searches overlook a relative 1e-9; the rest is rounding."""
MAXIMAL = 1e-4
"""A lift leaves a class where it could go up by less than a relative 1e-6, at four pods at most."""
AMPLE = 100_000


@dataclass(frozen=True)
class Market:
    """Caps (i,), requests (i, r), allocatable (j, r), compatible (j, i) and costs (j,)."""

    caps: NDArray[np.int64]
    requests: NDArray[np.int64]
    allocatable: NDArray[np.int64]
    compatible: NDArray[np.bool_]
    costs: Float
    ruleset: Ruleset = field(default_factory=lambda: Ruleset(0, 0))

    @property
    def rules(self):
        n_candidates, n_classes = self.compatible.shape
        own = self.ruleset if self.ruleset.n_classes else Ruleset(n_classes, n_candidates)
        return own.arrays()

    @property
    def most(self) -> NDArray[np.int64]:
        return np.asarray(fits(self.caps, self.requests, self.allocatable, self.compatible, self.rules))

    @property
    def held(self) -> NDArray[np.intp]:
        """Classes that some candidate holds."""
        return np.flatnonzero(self.most.any(axis=0))

    def patterns(self, j: int) -> NDArray[np.int64]:
        """Every pattern of a candidate, tried one by one: (p, i)."""
        spans = [range(int(cap) + 1) for cap in self.caps * self.compatible[j]]
        tried = np.array(list(itertools.product(*spans)), dtype=np.int64)
        tried = tried[(tried @ self.requests <= self.allocatable[j]).all(axis=1)]
        return tried[[self.ruleset.allows(j, pattern) for pattern in tried]]

    def best(self, j: int, values: Float, beside: int | None = None) -> float:
        """Largest worth of a pattern; of those with a pod of class ``beside`` if given."""
        patterns = self.patterns(j)
        if beside is not None:
            patterns = patterns[patterns[:, beside] > 0]
        return float((patterns @ values).max(initial=0.0))


@dataclass(frozen=True)
class Lifted:
    """Start, targets and outcome of one lift."""

    start: Float
    targets: Float
    values: Float
    bounds: Float
    candidates: NDArray[np.int64]
    patterns: NDArray[np.int32]


def lifted(
    market: Market,
    start: Float,
    targets: Float,
    *,
    order: NDArray[np.intp] | None = None,
    multipliers: Float | None = None,
    max_nodes: int = AMPLE,
    room: int = 200,
    halted: bool = False,
) -> Lifted:
    """The kernel's outcome; from the true worth of the start, which is the tightest bound."""
    n_candidates, n_classes = market.compatible.shape
    values = start.copy()
    bounds = np.array([market.best(j, start) for j in range(n_candidates)])
    mu = np.ones(market.allocatable.shape) if multipliers is None else multipliers.copy()
    candidates = np.empty(room, dtype=np.int64)
    patterns = np.empty((room, n_classes), dtype=np.int32)
    used = lift(
        market.held if order is None else order, targets, values, market.costs, market.most, market.requests,
        market.allocatable, mu, bounds, max_nodes, np.array([halted], dtype=np.uint8), candidates, patterns,
        market.rules, np.zeros(1, dtype=np.int64),
    )  # fmt: skip
    return Lifted(start, targets, values, bounds, candidates[:used], patterns[:used])


@st.composite
def markets(draw: st.DrawFn) -> Market:
    """Up to four classes, three candidates and two resources."""
    n_classes, n_resources = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    n_candidates = draw(st.integers(1, 3))

    def row(low: int, high: int, length: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=length, max_size=length))

    return Market(
        caps=np.array(row(1, 4, n_classes), dtype=np.int64),
        requests=np.array([row(0, 6, n_resources) for _ in range(n_classes)], dtype=np.int64),
        allocatable=np.array([row(0, 16, n_resources) for _ in range(n_candidates)], dtype=np.int64),
        compatible=np.array([row(0, 3, n_classes) for _ in range(n_candidates)]) > 0,
        costs=np.array(row(0, 12, n_candidates), dtype=np.float64),
        ruleset=draw(rulesets(n_classes, n_candidates)),
    )


@st.composite
def lifts(draw: st.DrawFn, *, max_nodes: st.SearchStrategy[int], is_halted: bool = False):
    """A market with a lift from some dual feasible prices, to some targets, in some order."""
    market = draw(markets())
    n_candidates, n_classes = market.compatible.shape
    assume(len(market.held))
    weights = st.lists(st.integers(0, 5), min_size=n_classes, max_size=n_classes)
    start = np.array(draw(weights), dtype=np.float64)
    ratios = [
        market.best(j, start) / market.costs[j] if market.costs[j] else np.inf
        for j in range(n_candidates)
        if market.best(j, start) > 0
    ]
    start = start / max([1.0, *ratios])
    above = np.array(draw(weights), dtype=np.float64)
    targets = np.full(n_classes, np.inf) if draw(st.booleans()) else start + above / 4.0
    mu = draw(
        st.lists(st.integers(0, 12), min_size=market.allocatable.size, max_size=market.allocatable.size)
    )
    outcome = lifted(
        market,
        start,
        targets,
        order=np.array(draw(st.permutations(market.held.tolist())), dtype=np.intp),
        multipliers=np.array(mu, dtype=np.float64).reshape(market.allocatable.shape),
        max_nodes=draw(max_nodes),
        room=draw(st.sampled_from([0, 1, 200])),
        halted=is_halted,
    )
    return market, outcome


def expect_feasible(market: Market, outcome: Lifted) -> None:
    """No pattern is worth more than it costs, no price fell or passed its target, bounds hold."""
    assert (outcome.values >= outcome.start).all()
    assert (outcome.values <= np.maximum(outcome.targets, outcome.start) * (1 + CLOSE)).all()
    for j in range(len(market.costs)):
        best = market.best(j, np.where(market.most[j] > 0, outcome.values, 0.0))
        assert best <= market.costs[j] * (1 + CLOSE)
        assert best * (1 - CLOSE) - 1e-12 <= outcome.bounds[j] <= market.costs[j] * (1 + CLOSE)


STOCK = Market(
    caps=np.array([2, 4]),
    requests=np.array([[6], [4]]),
    allocatable=np.array([[10]]),
    compatible=np.ones((1, 2), dtype=bool),
    costs=np.array([1.0]),
)
"""A node of 10 for 1; pods of 6 and of 4. Full patterns: one of each, two of 4."""


def test_the_first_class_gets_all_the_room_that_patterns_leave() -> None:
    """From 1/4 each. Alone the large pod could be worth 1; beside a small one only 3/4.

    The pattern of one each, worth 5/4 at the prices tried, stops it, and then stops the small one.
    """
    outcome = lifted(STOCK, np.array([0.25, 0.25]), np.full(2, np.inf), order=np.array([0, 1]))
    assert outcome.values.tolist() == pytest.approx([0.75, 0.25])
    assert outcome.patterns.tolist() == [[1, 1], [1, 1]]
    assert outcome.candidates.tolist() == [0, 0]
    assert outcome.bounds.tolist() == pytest.approx([1.0])


def test_in_the_other_order_the_other_class_goes_up() -> None:
    """The small pod may be worth 1/2, as two of them fill a node; then the large one may, too."""
    outcome = lifted(STOCK, np.array([0.25, 0.25]), np.full(2, np.inf), order=np.array([1, 0]))
    assert outcome.values.tolist() == pytest.approx([0.5, 0.5])
    assert outcome.patterns.tolist() == [[1, 1]]


def test_a_class_stops_at_its_target() -> None:
    outcome = lifted(STOCK, np.array([0.25, 0.25]), np.array([0.5, 0.5]), order=np.array([0, 1]))
    assert outcome.values.tolist() == pytest.approx([0.5, 0.5])
    assert not len(outcome.candidates)


def test_each_candidate_may_stop_a_class() -> None:
    """Three pods of 5 cpu, a ten for 1.00 and a five for 0.61: two in the ten make it 0.50 each."""
    market = Market(
        caps=np.array([3]),
        requests=np.array([[5]]),
        allocatable=np.array([[10], [5]]),
        compatible=np.ones((2, 1), dtype=bool),
        costs=np.array([1.00, 0.61]),
    )
    outcome = lifted(market, np.zeros(1), np.full(1, np.inf))
    assert outcome.values.tolist() == pytest.approx([0.50])


def test_fits_counts_pods_alone_on_a_node() -> None:
    assert STOCK.most.tolist() == [[1, 2]]


@given(lifts(max_nodes=st.just(AMPLE)))
@SETTINGS
def test_lifted_prices_are_feasible_and_none_can_go_up_alone(case: tuple[Market, Lifted]) -> None:
    market, outcome = case
    expect_feasible(market, outcome)
    for i in market.held:
        if outcome.values[i] >= outcome.targets[i] * (1 - MAXIMAL):
            continue
        fullest = [
            market.best(j, np.where(market.most[j] > 0, outcome.values, 0.0), beside=int(i)) - market.costs[j]
            for j in np.flatnonzero(market.most[:, i] > 0)
        ]
        assert max(fullest) >= -MAXIMAL * market.costs.max()


@given(lifts(max_nodes=st.sampled_from([0, 1, 2, 5])))
@SETTINGS
def test_searches_cut_short_leave_prices_feasible(case: tuple[Market, Lifted]) -> None:
    expect_feasible(*case)


@given(lifts(max_nodes=st.just(AMPLE), is_halted=True))
@settings(SETTINGS, max_examples=30)
def test_halted_lifts_change_no_price(case: tuple[Market, Lifted]) -> None:
    _, outcome = case
    assert outcome.values.tolist() == outcome.start.tolist()
    assert not len(outcome.candidates)


@given(lifts(max_nodes=st.sampled_from([5, AMPLE])))
@SETTINGS
def test_columns_met_are_patterns_worth_more_than_their_cost_at_a_price_tried(
    case: tuple[Market, Lifted],
) -> None:
    """The price tried is at most the target and what the class could be worth alone."""
    market, outcome = case
    with np.errstate(divide="ignore", invalid="ignore"):
        alone = np.where(market.most > 0, market.costs[:, None] / market.most, np.inf).min(axis=0)
    tried = np.minimum(outcome.targets, alone)
    for j, pattern in zip(outcome.candidates, outcome.patterns, strict=True):
        assert (pattern <= market.most[j]).all()
        assert (pattern @ market.requests <= market.allocatable[j]).all()
        worth = [
            pattern @ np.where(market.most[j] > 0, outcome.values, 0.0)
            + pattern[i] * (tried[i] - outcome.values[i])
            for i in np.flatnonzero(pattern)
        ]
        assert max(worth) > market.costs[j] * (1 - CLOSE)


@given(tiny_problems(), st.booleans())
@SETTINGS
def test_prices_of_an_instance_are_lifted_to_a_maximal_feasible_point(tiny, is_free: bool) -> None:
    """`Pricing.lift` from nothing, over the candidates as the solver sees them."""
    instance = build_instance(tiny)
    assume(instance.n_classes)
    pricing = pricing_of(instance)
    market = Market(
        instance.demand,
        instance.requests,
        instance.allocatable,
        pricing.compatible,
        instance.price * 1e-6,
    )
    values = np.zeros(instance.n_classes)
    targets = np.full(instance.n_classes, np.inf if is_free else 1.0)
    bounds = np.zeros(instance.n_candidates)
    priced = pricing.lift(values, targets, market.costs, bounds)
    assert priced.patterns.shape == (len(priced.candidates), instance.n_classes)
    for i in range(instance.n_classes):
        fullest = [
            market.best(j, values, beside=i) - market.costs[j] for j in np.flatnonzero(market.most[:, i])
        ]
        assert max(fullest) <= CLOSE * market.costs.max()
        assert values[i] >= targets[i] * (1 - CLOSE) or max(fullest) >= -MAXIMAL * market.costs.max()


def test_a_lift_begins_with_the_class_furthest_below_its_target() -> None:
    """Large and small pods as above at 1/4 each; the small one is to go to 1/2, the large one to 0.3.

    Begun with the large one they would end at 0.3 and 1/2 as well; with targets 3/4 and 1/2 the large
    one goes first and the small one stays.
    """
    kinds = [instance_type("stock", cpu=10, price=1.0)]
    pods = [pod("large", cpu=6, replicas=2), pod("small", cpu=4, replicas=4)]
    instance = build_instance(problem(pods, kinds))
    large, small = instance.class_of
    for targets, expected in (({large: 0.75, small: 0.5}, 0.75), ({large: 0.6, small: 0.7}, 0.5)):
        values = np.full(2, 0.25)
        wanted = np.array([targets[i] for i in range(2)])
        pricing_of(instance).lift(values, wanted, np.array([1.0]), np.array([0.5]))
        assert values[large] == pytest.approx(expected)
        assert values[small] == pytest.approx(1.0 - expected)

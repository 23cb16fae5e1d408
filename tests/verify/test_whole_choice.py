"""What the choice of whole nodes proves where prices leave a gap, on paper and against brute force."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from binwright_optimizer.model import Certificate, Problem, Split
from binwright_optimizer.model.labels import INSTANCE_TYPE
from binwright_optimizer.verify import prove_bound, small_waste, whole_choice
from binwright_optimizer.verify.clock import Clock
from binwright_optimizer.verify.market import market
from binwright_optimizer.verify.small_waste import Priced
from binwright_optimizer.verify.whole_choice import least_choice
from builders import existing_node, instance_type, microusd, node_pool, offering, pod, problem, requires
from exhaustive import cheapest_cost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model
from rules import HOSTNAME, away, ruled
from test_verify_bound import certificate, garbage, tiny_problems

LARGE = instance_type("large", cpu=10, price=1.00)
SMALL = instance_type("small", cpu=5, price=0.70)


def proven(question: Problem, prices: Certificate, goal: float) -> float:
    """Dollars that prices and the choice of whole nodes prove of all pods, up to the goal."""
    demand = [w.replicas for w in question.workloads]
    found = prove_bound(question, prices, demand, goal=microusd(goal), on_whole_nodes=False)
    return found / 1e6


def halves(replicas: int, **other: object) -> Problem:
    """Pods that are half a large node each: 0.50 as prices see them."""
    return problem([pod(cpu=5, replicas=replicas)], [LARGE, SMALL], **other)


def test_half_a_node_that_prices_leave_over_is_not_for_sale() -> None:
    """Three pods are worth 1.50. A large node and a small one cost 1.70, two large ones 2, three small 2.10.

    Without a goal nothing is looked at.
    """
    assert proven(halves(3), certificate(0.50), 0.0) == 1.5
    assert proven(halves(3), certificate(0.50), 9.0) == 1.7


def test_nothing_is_proven_beyond_the_goal() -> None:
    assert proven(halves(3), certificate(0.50), 1.60) == 1.6


@pytest.mark.parametrize("goal", [2**62, 2**63, 2**200, -1])
def test_absurd_goals_are_harmless(goal: int) -> None:
    found = prove_bound(halves(3), certificate(0.50), [3], goal=goal, on_whole_nodes=False)
    assert found == microusd(1.7 if goal > 0 else 1.5)


def test_bad_prices_waste_more_and_prove_the_same() -> None:
    """At 0.30 a pod every node wastes 0.40 at least, and 0.90 is proven: still all nodes are looked at."""
    assert proven(halves(3), certificate(0.30), 1.70) == 1.7


def test_what_a_node_that_runs_holds_is_free() -> None:
    """One of four pods has its place."""
    there = [existing_node("old", cpu=5)]
    assert proven(halves(4, existing=there), certificate(0.50), 2.0) == 1.7


def test_limits_leave_out_what_may_not_be_bought() -> None:
    """The small nodes' pool is full: two large ones."""
    pools = [
        node_pool("few", requires(INSTANCE_TYPE, "In", "small"), limits={"cpu": 4_000}),
        node_pool("many", requires(INSTANCE_TYPE, "In", "large")),
    ]
    assert proven(halves(3, pools=pools), certificate(0.50), 9.0) == 2.0


def test_minimums_are_bought() -> None:
    """Two small nodes have to be: beside them a third for three pods, a large one for four."""
    pools = [
        node_pool("some", requires(INSTANCE_TYPE, "In", "small"), min_nodes=2),
        node_pool("many", requires(INSTANCE_TYPE, "In", "large")),
    ]
    assert proven(halves(3, pools=pools), certificate(0.50), 9.0) == 2.1
    assert proven(halves(4, pools=pools), certificate(0.50), 9.0) == 2.4


def test_supply_ends() -> None:
    """One small node is on sale: five pods need it and two large ones, six three large ones."""
    few = instance_type("small", cpu=5, price=0.70, available=1)
    for replicas, cost in ((5, 2.7), (6, 3.0), (7, 3.7)):
        question = problem([pod(cpu=5, replicas=replicas)], [LARGE, few])
        assert proven(question, certificate(0.50), 9.0) == cost


def test_pods_that_keep_apart_share_no_node() -> None:
    """Guard and web have a small node each; a large one would hold them for 1."""
    pods = [ruled("web", cpu=5), ruled("guard", cpu=5, pod_anti_affinity=away(HOSTNAME, "web"))]
    assert proven(problem(pods, [LARGE, SMALL]), certificate(0.50, 0.50), 9.0) == 1.4


def test_pods_without_a_price_are_taken_to_be_free() -> None:
    """Of two workloads only one has a price: its pods cost 1.70, whatever the others do."""
    pods = [pod("a", cpu=5, replicas=3), pod("b", cpu=4, replicas=2)]
    assert proven(problem(pods, [LARGE, SMALL]), certificate(0.50, 0.0), 9.0) == 1.7


def test_every_part_is_looked_at_within_its_own_bounds() -> None:
    """At most one node costs 0.70 or more: no choice, and the goal is proven. Two or more: 1.70."""
    one = certificate(0.50)
    parts = Certificate(20, (), split=Split(microusd(0.70), 1, one, one))
    assert proven(halves(3), parts, 1.60) == 1.6
    assert proven(halves(3), parts, 9.0) == 1.7


@pytest.mark.parametrize("count", [2**61, 2**63 - 2, 2**63 - 1, 2**64, -1, -(2**63) - 1])
def test_absurd_numbers_of_nodes_are_harmless(count: int) -> None:
    """At most, or more than, so many that cost a cent or more: at least two are needed, and 1.70 is right."""
    parts = Certificate(20, (), split=Split(microusd(0.01), count, certificate(0.50), certificate(0.50)))
    assert proven(halves(3), parts, 1.70) == 1.7
    negative = Certificate(20, (), split=Split(-microusd(9), -count, certificate(0.50), certificate(0.50)))
    assert proven(halves(3), negative, 1.70) <= 1.7


def test_costs_that_floating_point_numbers_cannot_tell_apart_are_left_to_prices() -> None:
    """912 nodes of a minimum and three pods for 17 units more: 9,119,104,990.880895 dollars. CP-SAT would
    return a number one micro-dollar higher, which rounds up to the next unit of 999.999999 dollars."""
    unit = 999_999_999
    kinds = [
        instance_type(name, cpu=cpu, offerings=[replace(offering(1), price_microusd_per_hour=units * unit)])
        for name, cpu, units in (("held", 1, 9_999), ("large", 10, 10), ("small", 5, 7))
    ]
    pools = [
        node_pool("held", requires(INSTANCE_TYPE, "In", "held"), min_nodes=912, taints=["t=1:NoSchedule"]),
        node_pool("other", requires(INSTANCE_TYPE, "In", "large", "small")),
    ]
    question = problem([pod(cpu=5, replicas=3)], kinds, pools)
    prices = certificate(5 * unit / 1e6)
    found = prove_bound(question, prices, [3], goal=10**17, on_whole_nodes=False)
    assert 912 * 9_999 * unit <= found <= (912 * 9_999 + 17) * unit


class _GoneError(Exception):
    """The caller has gone."""


@pytest.mark.parametrize("way", ["true", "raised"])
def test_a_caller_that_gives_up_ends_the_search(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of CP-SAT that would go on for an hour hears of it."""
    began, gave_up = threading.Event(), threading.Event()

    class Endless(cp_model.CpSolver):
        """One whose search lasts until it is told to stop."""

        def solve(self, *_: object) -> object:
            began.set()
            assert gave_up.wait(60)
            return cp_model.UNKNOWN

        def stop_search(self) -> None:
            gave_up.set()

        @property
        def best_objective_bound(self) -> float:
            return 0.0

    def poll() -> bool:
        if began.is_set() and way == "raised":
            raise _GoneError
        return began.is_set()

    monkeypatch.setattr(cp_model, "CpSolver", Endless)
    asked = partial(
        prove_bound, halves(3), certificate(0.50), [3], time_limit_s=3_600.0, goal=microusd(9),
        on_whole_nodes=False, poll=poll,
    )  # fmt: skip
    if way == "raised":
        with pytest.raises(_GoneError):
            asked()
    else:
        assert asked() == microusd(1.5)
    assert gave_up.is_set()


@pytest.mark.parametrize("limit", ["MOST_STEPS", "MOST_PATTERNS", "MOST_PODS", "MOST_CLASSES"])
def test_where_there_is_too_much_to_look_at_prices_alone_count(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_choice if hasattr(whole_choice, limit) else small_waste, limit, 0)
    assert proven(halves(3), certificate(0.50), 9.0) == 1.5


def test_when_time_is_up_prices_alone_count() -> None:
    question = halves(3)
    shop = market(question)
    one = np.array([microusd(0.50)])
    priced = Priced(
        0, microusd(1.50), np.zeros(1, dtype=np.int64), one, shop.price, np.zeros(0, np.int64), {}, {}
    )
    asked = (shop, np.array([3]), priced, microusd(9))
    assert least_choice(*asked, Clock(time.monotonic() - 1)) == microusd(1.5)
    assert least_choice(*asked, Clock(time.monotonic() + 60)) == microusd(1.7)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_whatever_prices_and_goal_no_more_than_the_optimum_is_proven(data: st.DataObject) -> None:
    question = data.draw(tiny_problems())
    prices = data.draw(garbage(question))
    demand = [w.replicas for w in question.workloads]
    optimum = cheapest_cost(question, demand)
    if optimum is not None:
        goal = data.draw(st.integers(0, 2 * optimum + microusd(1)))
        assert prove_bound(question, prices, demand, goal=goal, on_whole_nodes=False) <= optimum

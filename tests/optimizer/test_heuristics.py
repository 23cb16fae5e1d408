"""Greedy covering, down-sizing and repacking keep every rule of the instance."""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.heuristics.greedy import Remainder, fluid_prices
from binwright_optimizer.heuristics.repack import Repack
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.packing import Packing
from builders import existing_node, instance_type, node_pool, pod, problem, requires
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from solver_parts import broken_rules, candidate, greedy_of, packing_of, pricing_of
from tiny_problems import tiny_problems

SETTINGS = settings(max_examples=60, deadline=None, derandomize=True)


def covered(instance: Instance) -> Packing:
    """Greedy covering of everything at fluid prices."""
    greedy = greedy_of(instance)
    return Packing.of(instance, *greedy.cover(fluid_prices(instance), Remainder.whole(instance), 2_000))


def test_fluid_price_is_the_largest_share_of_the_cheapest_node() -> None:
    """4 of 8 cpu is half a node of $1; 6 of 12 GiB is half a node of $1.5, less than all of the other."""
    kinds = [
        instance_type("cpu", cpu=8, memory_gib=6, price=1),
        instance_type("mem", cpu=8, memory_gib=12, price=1.5),
    ]
    pods = [pod("c", cpu=4, memory_gib=1, replicas=9), pod("m", cpu=1, memory_gib=6, replicas=9)]
    assert fluid_prices(build_instance(problem(pods, kinds))).tolist() == pytest.approx([0.5, 0.75])


def test_a_cover_that_may_be_halted_ends_where_it_is_and_another_does_not() -> None:
    instance = build_instance(problem([pod(cpu=2, replicas=8)], [instance_type("large", cpu=8, price=1)]))
    greedy = greedy_of(instance)
    greedy.pricing.halt.flag[0] = 1
    left = Remainder.whole(instance)
    candidates, _, _ = greedy.cover(fluid_prices(instance), left, 2_000, may_be_halted=True)
    assert not len(candidates)
    assert left.demand.tolist() == [8]
    greedy.cover(fluid_prices(instance), left, 2_000)
    assert left.demand.tolist() == [0]


def test_greedy_buys_the_pattern_worth_most_per_dollar() -> None:
    """Eight pods of 2 cpu: two nodes of 8 cpu for $1 each beat four of 4 cpu for $0.6."""
    kinds = [instance_type("small", cpu=4, price=0.6), instance_type("large", cpu=8, price=1)]
    packing = covered(build_instance(problem([pod(cpu=2, replicas=8)], kinds)))
    assert (packing.cost, packing.nodes) == (2_000_000, 2)


def test_greedy_stops_at_a_limit() -> None:
    """Two nodes of two pods each are allowed: one of five pods stays out."""
    instance = build_instance(
        problem(
            [pod(cpu=4, replicas=5)],
            [instance_type("node", cpu=8, price=1)],
            [node_pool("p", max_nodes=2)],
        )
    )
    packing = covered(instance)
    assert (packing.nodes, packing.left_out.tolist()) == (2, [1])


def test_greedy_takes_free_nodes_and_scarce_offerings_no_more_often_than_there_are() -> None:
    """One pod on the existing node, two on the one scarce node, four on two nodes of $3: $7."""
    kinds = [instance_type("scarce", cpu=8, price=1, available=1), instance_type("dear", cpu=8, price=3)]
    instance = build_instance(
        problem([pod(cpu=4, replicas=7)], kinds, existing=[existing_node("old", cpu=4)])
    )
    packing = covered(instance)
    assert packing.cost == 7_000_000
    assert packing.left_out.tolist() == [0]
    assert broken_rules(instance, packing) == []


def test_greedy_adds_empty_nodes_for_minimums() -> None:
    kinds = [instance_type("cheap", cpu=8, price=1), instance_type("dear", cpu=8, price=2)]
    instance = build_instance(problem([pod(cpu=4)], kinds, [node_pool("p", min_nodes=3)]))
    packing = covered(instance)
    assert (packing.cost, packing.nodes, packing.short) == (3_000_000, 3, 0)


def test_greedy_reduces_what_remains() -> None:
    instance = build_instance(
        problem(
            [pod(cpu=4, replicas=5)],
            [instance_type("node", cpu=8, price=1)],
            [node_pool("p", max_nodes=2, min_nodes=1)],
        )
    )
    remainder = Remainder.whole(instance)
    untouched = remainder.copy()
    greedy_of(instance).cover(fluid_prices(instance), remainder, 2_000)
    assert remainder.demand.tolist() == [1]
    assert remainder.room.tolist() == [0]
    assert remainder.missing.tolist() == [0]
    assert (untouched.demand.tolist(), untouched.room.tolist()) == ([5], [2])


def test_minimums_come_first_where_greedy_would_use_up_their_limit() -> None:
    """Of 10 cpu, greedy takes one cheap node with 8; only two dear ones with 4 meet the minimum."""
    kinds = [instance_type("cheap", cpu=8, price=1), instance_type("dear", cpu=4, price=2)]
    pools = [node_pool("p", min_nodes=2, limits={"cpu": 10_000})]
    instance = build_instance(problem([pod(cpu=1, replicas=3)], kinds, pools))
    assert covered(instance).short == 1
    columns = greedy_of(instance).minimums_first(fluid_prices(instance), 2_000)
    assert columns is not None
    packing = Packing.of(instance, *columns)
    assert (packing.cost, packing.short, packing.left_out.tolist()) == (4_000_000, 0, [0])
    assert broken_rules(instance, packing) == []


@given(tiny_problems())
@SETTINGS
def test_greedy_keeps_every_rule(tiny) -> None:
    instance = build_instance(tiny)
    assert broken_rules(instance, covered(instance)) == []


def downsized(instance: Instance, packing: Packing) -> Packing:
    return Downsize(instance, pricing_of(instance).compatible).apply(packing)


TYPE = "node.kubernetes.io/instance-type"
SIZES = [instance_type("small", cpu=4, price=1), instance_type("large", cpu=8, price=2)]


def test_a_node_moves_to_the_cheapest_that_holds_its_pods() -> None:
    instance = build_instance(problem([pod(cpu=2, replicas=5)], SIZES))
    small, large = candidate(instance, "small"), candidate(instance, "large")
    packing = downsized(instance, packing_of(instance, (large, 1, [2]), (large, 1, [3])))
    assert sorted(packing.candidates.tolist()) == sorted([small, large])
    assert packing.cost == 3_000_000


def test_no_node_moves_into_a_limited_pool() -> None:
    pools = [
        node_pool("few", requires(TYPE, "In", "small"), max_nodes=1),
        node_pool("many", requires(TYPE, "In", "large")),
    ]
    instance = build_instance(problem([pod(cpu=2, replicas=5)], SIZES, pools))
    packing = packing_of(instance, (candidate(instance, "large"), 2, [2]))
    assert downsized(instance, packing) is packing


def test_no_node_leaves_a_pool_with_a_minimum() -> None:
    pools = [
        node_pool("floored", requires(TYPE, "In", "large"), min_nodes=1),
        node_pool("many", requires(TYPE, "In", "small")),
    ]
    instance = build_instance(problem([pod(cpu=2, replicas=2)], SIZES, pools))
    packing = packing_of(instance, (candidate(instance, "large"), 1, [2]))
    assert downsized(instance, packing) is packing


def test_no_node_moves_onto_an_existing_one() -> None:
    """The existing node may be taken already."""
    instance = build_instance(
        problem([pod(cpu=2, replicas=5)], SIZES, existing=[existing_node("old", cpu=4)])
    )
    packing = packing_of(instance, (candidate(instance, "large"), 1, [2]))
    assert instance.price[downsized(instance, packing).candidates].tolist() == [1_000_000]


@given(tiny_problems())
@SETTINGS
def test_downsizing_keeps_every_rule_and_never_costs_more(tiny) -> None:
    instance = build_instance(tiny)
    before = covered(instance)
    after = downsized(instance, before)
    assert broken_rules(instance, after) == []
    assert after.cost <= before.cost
    assert after.left_out.tolist() == before.left_out.tolist()
    assert after.short == before.short


@given(tiny_problems(), st.integers(1, 6), st.integers(0, 99))
@SETTINGS
def test_repacking_never_loses_pods_or_breaks_rules(tiny, size: int, seed: int) -> None:
    instance = build_instance(tiny)
    packing = covered(instance)
    assume(packing.nodes)
    greedy = greedy_of(instance)
    prices = fluid_prices(instance)
    repack = Repack(
        instance,
        lambda remainder: greedy.cover(prices, remainder, 2_000),
        prices,
        instance.price * 1e-6,
        np.random.default_rng(seed),
    )
    again = repack.attempt(packing, size)
    assert broken_rules(instance, again) == []
    assert again.left_out.sum() <= packing.left_out.sum() + _emptied_at_most(packing, size)


def _emptied_at_most(packing: Packing, size: int) -> int:
    """Pods on the ``size`` fullest nodes: no more can be in play."""
    fullness = np.repeat(packing.patterns.sum(axis=1), packing.counts)
    return int(np.sort(fullness)[::-1][:size].sum())


def test_repacking_heals_a_wasteful_packing() -> None:
    """Four nodes of one pod each become two of two: all four are drawn sooner or later."""
    instance = build_instance(problem([pod(cpu=4, replicas=4)], [instance_type("node", cpu=8, price=1)]))
    greedy = greedy_of(instance)
    repack = Repack(
        instance,
        lambda remainder: greedy.cover(np.ones(1), remainder, 2_000),
        np.array([0.5]),
        np.array([1.0]),
        np.random.default_rng(0),
    )
    packing = packing_of(instance, (0, 4, [1]))
    for _ in range(10):
        packing = min(packing, repack.attempt(packing, 8), key=lambda p: p.rank(instance))
    assert packing.cost == 2_000_000

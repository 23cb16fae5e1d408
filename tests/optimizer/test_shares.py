"""Covers of what the fluid relaxation gives to each kind of node."""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.columns.fluid import solve_fluid
from binwright_optimizer.columns.shares import POWERS, share_cover
from binwright_optimizer.heuristics.greedy import Remainder
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model.labels import INSTANCE_TYPE
from binwright_optimizer.packing import Packing
from binwright_optimizer.stopping import Deadline
from builders import instance_type, node_pool, pod, problem, requires
from hypothesis import assume, given, settings
from solver_parts import broken_rules, candidate_names, greedy_of, pricing_of
from tiny_problems import tiny_problems

SETTINGS = settings(max_examples=60, deadline=None)
NOBODY = np.zeros(0, dtype=np.intp)


def covers(instance):
    """The fluid relaxation and the packings of its shares."""
    fluid = solve_fluid(instance, pricing_of(instance), Deadline(60.0), NOBODY)
    greedy = greedy_of(instance)
    return fluid, [
        Packing.of(instance, *share_cover(instance, greedy, fluid, power, 2_000)) for power in POWERS
    ]


def test_every_pod_belongs_to_one_share() -> None:
    """Half a node of either kind is needed for each pod: three pods are shared out as whole pods."""
    pods = [pod("p", cpu=2, replicas=3)]
    instance = build_instance(problem(pods, [instance_type("n", cpu=4, price=1)]))
    fluid, _ = covers(instance)
    assert [candidate_names(instance)[j] for j in fluid.candidates] == ["n"]
    assert fluid.pods.tolist() == [[3]]


def test_shares_keep_the_resources_of_every_kind_of_node_in_balance() -> None:
    """Lean pods fill the small node, fat pods the large one, and nothing is left over.

    40 pods of 1 CPU and 1 GiB on nodes of 4 CPUs and 4 GiB for 1, 10 of 1 CPU and 7 GiB on nodes of 2 CPUs
    and 14 GiB for 1: 10 nodes and 5 nodes. No node of either kind is cheaper for the other's pods.
    """
    pods = [pod("lean", cpu=1, memory_gib=1, replicas=40), pod("fat", cpu=1, memory_gib=7, replicas=10)]
    types = [
        instance_type("even", cpu=4, memory_gib=4, price=1),
        instance_type("roomy", cpu=2, memory_gib=14, price=1),
    ]
    instance = build_instance(problem(pods, types))
    fluid, packings = covers(instance)
    assert instance.demand @ fluid.prices == pytest.approx(15.0, rel=1e-6)
    assert min(packing.cost for packing in packings) == 15_000_000


def test_shares_mind_the_limits_of_a_pool() -> None:
    """A limit of two nodes holds four of the six pods."""
    pools = [node_pool("plain", max_nodes=2)]
    instance = build_instance(
        problem([pod("p", cpu=2, replicas=6)], [instance_type("n", cpu=4, price=1)], pools)
    )
    for packing in covers(instance)[1]:
        assert packing.left_out.sum() == 2
        assert broken_rules(instance, packing) == []


def two_pools(pods):
    """Nodes of 4 CPUs for 1 in a pool limited to 8 CPUs, for 3 in another."""
    pools = [
        node_pool("cheap", requires(INSTANCE_TYPE, "In", "a"), limits={"cpu": 8_000}),
        node_pool("dear", requires(INSTANCE_TYPE, "In", "b")),
    ]
    types = [instance_type("a", cpu=4, price=1), instance_type("b", cpu=4, price=3)]
    return build_instance(problem(pods, types, pools))


def test_the_room_of_a_limited_pool_has_a_price_and_the_rest_is_bought_elsewhere() -> None:
    """16 pods of 1 CPU: two nodes for 1 and two for 3 cost 8; a CPU of the limit saves half a dollar.

    A pod is worth a quarter of the dear node, 0.75: all of them are worth 12, and 8 CPUs at 0.50 take 4 back.
    """
    instance = two_pools([pod("p", cpu=1, replicas=16)])
    fluid, packings = covers(instance)
    assert fluid.prices.tolist() == pytest.approx([0.75])
    assert fluid.limits @ [row.room for row in instance.limits] == pytest.approx(4.0)
    assert fluid.paid == pytest.approx(4.0)
    assert {packing.cost for packing in packings} == {8_000_000}


def test_a_cover_that_knows_what_a_limit_is_worth_spends_it_where_it_saves_most() -> None:
    """A dear node costs 3, a cheap one 1 and what 4 CPUs of the limit are worth.

    At more than 0.50 a CPU the cheap pool is dearer, its nodes come last, and none is bought.
    """
    instance = two_pools([pod("p", cpu=1, replicas=16)])
    names = candidate_names(instance)
    bought = [
        {
            names[j]
            for j in greedy_of(instance).cover(
                np.array([1.0]), Remainder.whole(instance), 100, limits=np.array([per_cpu / 1000])
            )[0]
        }
        for per_cpu in (0.4, 0.6)
    ]
    assert bought == [{"a", "b"}, {"b"}]


def test_fluid_prices_with_those_of_limits_allow_no_node_to_be_worth_more_than_it_costs() -> None:
    """Two classes and a limit that binds: every pattern is worth its price and that of its room at most."""
    instance = two_pools([pod("small", cpu=1, replicas=9), pod("large", cpu=3, replicas=5)])
    fluid, _ = covers(instance)
    cost = instance.price * 1e-6 + instance.limit_use @ fluid.limits
    small, large = (fluid.prices[instance.requests.sum(axis=1).argsort()]).tolist()
    for worth in (4 * small, small + large):
        assert (worth <= cost * (1 + 1e-6)).all()


@given(tiny_problems())
@SETTINGS
def test_covers_of_shares_break_no_rule(tiny) -> None:
    instance = build_instance(tiny)
    assume(instance.n_classes)
    fluid, packings = covers(instance)
    assert (fluid.pods.sum(axis=0) <= Remainder.whole(instance).demand).all()
    for packing in packings:
        assert broken_rules(instance, packing) == []

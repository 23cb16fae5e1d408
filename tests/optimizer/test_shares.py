"""Covers of what the fluid relaxation gives to each kind of node."""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.columns.fluid import solve_fluid
from binwright_optimizer.columns.shares import POWERS, share_cover
from binwright_optimizer.heuristics.greedy import Remainder
from binwright_optimizer.instance import build_instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.stopping import Deadline
from builders import instance_type, node_pool, pod, problem
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


@given(tiny_problems())
@SETTINGS
def test_covers_of_shares_break_no_rule(tiny) -> None:
    instance = build_instance(tiny)
    assume(instance.n_classes)
    fluid, packings = covers(instance)
    assert (fluid.pods.sum(axis=0) <= Remainder.whole(instance).demand).all()
    for packing in packings:
        assert broken_rules(instance, packing) == []

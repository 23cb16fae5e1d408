"""Nodes filled with pods that go along the room that is left."""

from __future__ import annotations

import random

import numpy as np
from binwright_optimizer.heuristics.balance import balanced, is_worth_balancing
from binwright_optimizer.heuristics.greedy import Remainder, fluid_prices
from binwright_optimizer.incumbent import Progress
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import NodePool, Problem
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from builders import instance_type, lumpy, node_pool, pod, problem
from hypothesis import HealthCheck, assume, given, settings
from mixed_problems import mixed_problems
from rules import HOSTNAME, away, ruled
from solver_parts import greedy_of
from test_solve_random import is_solvable

NODE = instance_type("node", cpu=10, memory_gib=10, price=1)


def covers(question: Problem) -> list[Packing]:
    """What each rule makes of a question, with the kinds of nodes of a greedy answer."""
    instance = build_instance(question)
    greedy, values = greedy_of(instance), fluid_prices(instance)
    answer = Packing.of(instance, *greedy.cover(values, Remainder.whole(instance), 200))
    return [Packing.of(instance, *columns) for columns in balanced(answer, greedy, values)]


def test_pods_of_much_memory_join_those_of_many_cores() -> None:
    """Four of 4 cpu and 1 GiB, four of 1 and 4: two of each fill a node to the brim, two dollars."""
    pods = [pod("wide", cpu=4, memory_gib=1, replicas=4), pod("tall", cpu=1, memory_gib=4, replicas=4)]
    for packing in covers(problem(pods, [NODE])):
        assert packing.cost == 2_000_000
        assert not packing.left_out.any()


def test_rules_of_nodes_are_kept() -> None:
    """Three small pods that keep off each other's nodes: three nodes."""
    apart = ruled("web", 3, pod_anti_affinity=away(HOSTNAME, "web"))
    assert [int(packing.counts.sum()) for packing in covers(problem([apart], [NODE]))] == [3, 3, 3]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mixed_problems())
def test_no_cover_places_more_than_a_node_holds_or_there_is(question: Problem) -> None:
    assume(is_solvable(question))
    instance = build_instance(question)
    is_other = instance.limits or instance.minimums or len(instance.rules.devices.need)
    if is_other or instance.linking is not None or not instance.n_classes:
        return
    for packing in covers(question):
        held = packing.patterns @ instance.requests
        assert (held <= instance.allocatable[packing.candidates]).all()
        bought = np.bincount(packing.candidates, weights=packing.counts, minlength=instance.n_candidates)
        assert (bought <= instance.supply).all()
        assert (packing.left_out >= 0).all()
        for j, pattern in zip(packing.candidates.tolist(), packing.patterns, strict=True):
            assert instance.rules.allows(j, pattern)


SCARCE = ("example.com/a", "example.com/b", "example.com/c")


def different(pools: list[NodePool] | None = None) -> Problem:
    """Two hundred pods, each of a kind of its own, in five resources."""
    draw = random.Random(5)
    pods = [
        pod(f"p{k}", draw.uniform(0.5, 6), draw.uniform(0.5, 6), **{s: draw.randint(5, 60) for s in SCARCE})
        for k in range(200)
    ]
    node = instance_type("node", cpu=10, memory_gib=10, price=1, **dict.fromkeys(SCARCE, 100))
    return problem(pods, [node], pools)


def test_it_is_done_where_nearly_every_pod_is_a_kind_of_its_own_and_nothing_else_is_asked() -> None:
    assert is_worth_balancing(build_instance(different()), 1.0)
    assert not is_worth_balancing(build_instance(different()), 1e-6)
    assert not is_worth_balancing(build_instance(lumpy()), 1.0)
    limited = different(pools=[node_pool(limits={"cpu": 500})])
    assert not is_worth_balancing(build_instance(limited), 1.0)


def test_the_search_tries_it() -> None:
    """And the checker accepts what comes of it."""
    phases: list[str] = []

    def note(progress: Progress) -> None:
        phases.append(progress.phase)

    decision = solve(different(), SolveParams(deadline_s=3.0), on_progress=note)
    assert verify(different(), decision) == ()
    assert "balance" in phases

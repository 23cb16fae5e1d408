"""Grouping the pods of a few nodes anew finds better nodes, and keeps every rule of the instance."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from binwright_optimizer.heuristics.downsize import Downsize
from binwright_optimizer.heuristics.greedy import Remainder, fluid_prices
from binwright_optimizer.heuristics.regroup import Regroup
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import Problem
from binwright_optimizer.model.caps import NodeCap
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.packing import Packing
from binwright_optimizer.search.aside import Aside
from binwright_optimizer.work import Work
from builders import existing_node, instance_type, node_pool, pod, problem
from drawn_rules import rulesets
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from solver_parts import broken_rules, candidate, greedy_of, packing_of, pricing_of
from tiny_problems import tiny_problems

TEN = instance_type("ten", cpu=10, price=1.0)
SETTINGS = settings(max_examples=80, deadline=None, derandomize=True)


def regroup_of(instance: Instance, seed: int = 0, flag: bytearray | None = None) -> Regroup:
    drawn = np.random.default_rng(seed)
    return of(Regroup, instance, drawn, flag or bytearray(1))


def of(kind: type[Regroup], instance: Instance, drawn: np.random.Generator, flag: bytearray) -> Regroup:
    pricing = pricing_of(instance)
    return kind(pricing, Downsize(instance, pricing.compatible), drawn, flag, Work())


def regrouped(instance: Instance, packing: Packing, units: float = 5_000.0, seed: int = 0) -> Packing:
    return regroup_of(instance, seed).run(instance, packing, fluid_prices(instance), units)


def test_two_half_empty_nodes_become_one() -> None:
    """Six and four of ten cores: one node for $1."""
    instance = build_instance(problem([pod("a", cpu=6), pod("b", cpu=4)], [TEN]))
    j = candidate(instance, "ten")
    found = regrouped(instance, packing_of(instance, (j, 1, [1, 0]), (j, 1, [0, 1])))
    assert (found.cost, found.nodes, found.left_out.tolist()) == (1_000_000, 1, [0, 0])


def test_pods_that_fill_each_others_nodes_change_places() -> None:
    """Of 8, 8, 3, 3, 2 and 2: 8 + 2 twice and 3 + 3 on a node of 6 for $0.6, for $2.6 instead of $3.2."""
    six = instance_type("six", cpu=6, price=0.6)
    pods = [pod("a", cpu=8, replicas=2), pod("b", cpu=3, replicas=2), pod("c", cpu=2, replicas=2)]
    instance = build_instance(problem(pods, [TEN, six]))
    ten, small = candidate(instance, "ten"), candidate(instance, "six")
    apart = packing_of(instance, (ten, 2, [1, 0, 0]), (small, 2, [0, 1, 1]))
    assert apart.cost == 3_200_000
    assert regrouped(instance, apart).cost == 2_600_000


def test_waste_is_gathered_until_a_node_is_free() -> None:
    """Five nodes of ten with two pods of 4 each, and ten pods of 1 on a sixth: those fill the gaps of 2."""
    instance = build_instance(problem([pod("a", cpu=4, replicas=10), pod("b", cpu=1, replicas=10)], [TEN]))
    j = candidate(instance, "ten")
    full = packing_of(instance, (j, 5, [2, 0]), (j, 1, [0, 10]))
    found = regrouped(instance, full, units=50_000.0)
    assert (found.cost, found.nodes) == (5_000_000, 5)


def test_pods_of_a_class_that_keeps_to_itself_stay_apart() -> None:
    """Two of its pods would fit one node, of which each may hold one."""
    wanted = pod("a", cpu=2, replicas=2)
    capped = replace(
        wanted.template,
        labels=(("app", "web"),),
        node_caps=(NodeCap(LabelSelector.of_labels({"app": "web"}), 1),),
    )
    instance = build_instance(problem([replace(wanted, template=capped)], [TEN]))
    assert instance.node_cap.tolist() == [1]
    apart = packing_of(instance, (candidate(instance, "ten"), 2, [1]))
    assert regrouped(instance, apart) is apart


def test_pods_that_keep_each_other_away_stay_apart() -> None:
    """One of 6 and two of 2 fit a node of ten, but at most one of 2 may stand beside that of 6."""
    wanted = pod("a", cpu=6)
    wary = replace(wanted.template, node_caps=(NodeCap(LabelSelector.of_labels({"app": "b"}), 1),))
    other = pod("b", cpu=2, replicas=2)
    counted = replace(other.template, labels=(("app", "b"),))
    instance = build_instance(
        problem([replace(wanted, template=wary), replace(other, template=counted)], [TEN])
    )
    j = candidate(instance, "ten")
    found = regrouped(instance, packing_of(instance, (j, 1, [1, 0]), (j, 2, [0, 1])))
    assert (found.cost, found.nodes, found.left_out.tolist()) == (2_000_000, 2, [0, 0])
    assert not broken_rules(instance, found)


def test_nodes_that_run_already_take_pods_and_stay_what_they_are() -> None:
    """The node of five has room for both pods of 2: nothing is to be bought."""
    instance = build_instance(
        problem([pod("a", cpu=2, replicas=2)], [TEN], existing=[existing_node("old", cpu=5, memory_gib=64)])
    )
    old, new = int(np.flatnonzero(instance.row_of < 0)[0]), candidate(instance, "ten")
    found = regrouped(instance, packing_of(instance, (old, 1, [1]), (new, 1, [1])))
    assert (found.cost, found.left_out.tolist()) == (0, [0])


def test_nodes_that_a_limit_counts_are_not_traded_for_others() -> None:
    """Both pools sell the same node, the limited one for less: it has all that its limit allows."""
    pools = [node_pool("few", max_nodes=1), node_pool("many")]
    instance = build_instance(problem([pod("a", cpu=6, replicas=2)], [TEN], pools))
    few, many = candidate(instance, "ten", "few"), candidate(instance, "ten", "many")
    found = regrouped(instance, packing_of(instance, (few, 1, [1]), (many, 1, [1])))
    assert sorted(found.candidates.tolist()) == sorted([few, many])


def test_a_packing_that_is_the_best_is_handed_back() -> None:
    instance = build_instance(problem([pod("a", cpu=6, replicas=3)], [TEN]))
    best = packing_of(instance, (candidate(instance, "ten"), 3, [1]))
    assert regrouped(instance, best) is best


def test_the_same_seed_and_work_give_the_same_nodes() -> None:
    pods = [pod(f"p{k}", cpu=0.7 + 0.61 * k, replicas=4) for k in range(9)]
    instance = build_instance(problem(pods, [TEN, instance_type("six", cpu=6, price=0.61)]))
    packing = singles(instance)
    once, again = (regrouped(instance, packing, 3_000.0, seed=7) for _ in range(2))
    assert once.cost == again.cost < packing.cost
    assert np.array_equal(once.patterns, again.patterns)
    assert np.array_equal(once.candidates, again.candidates)


def singles(instance: Instance) -> Packing:
    """Every pod on the cheapest node that holds it, by itself."""
    one = np.eye(instance.n_classes, dtype=np.int32)
    cheapest = [
        min(np.flatnonzero(instance.compatible[i]), key=lambda j: int(instance.price[j]))
        for i in range(instance.n_classes)
    ]
    return Packing.of(instance, np.array(cheapest, dtype=np.intp), instance.demand, one)


@SETTINGS
@given(tiny_problems(), st.integers(0, 3), st.data())
def test_regrouping_keeps_every_rule_and_never_costs_more(
    wanted: Problem, seed: int, data: st.DataObject
) -> None:
    """From a greedy packing of anything small: the same pods, no more dollars, no rule broken."""
    instance = build_instance(wanted)
    assume(instance.n_classes > 0)
    ruleset = data.draw(rulesets(instance.n_classes, instance.n_candidates))
    instance = replace(instance, rules=ruleset.arrays())
    assume(Regroup.is_possible(instance))
    greedy = greedy_of(instance)
    before = Packing.of(
        instance, *greedy.cover(fluid_prices(instance)[::-1].copy(), Remainder.whole(instance), 2_000)
    )
    assume(not before.left_out.any() and not before.short and before.nodes > 1)
    after = regrouped(instance, before, 2_000.0, seed)
    assert after.rank(instance) <= before.rank(instance)
    assert not after.left_out.any()
    assert not broken_rules(instance, after)


def test_the_second_thread_hands_over_what_it_finds() -> None:
    instance = build_instance(problem([pod("a", cpu=6), pod("b", cpu=4)], [TEN]))
    j = candidate(instance, "ten")
    flag = bytearray(1)
    aside = Aside(regroup_of(instance, flag=flag), flag)
    aside.give(instance, packing_of(instance, (j, 1, [1, 0]), (j, 1, [0, 1])), fluid_prices(instance))
    try:
        found, began = None, time.monotonic()
        while found is None and time.monotonic() - began < 60.0:
            time.sleep(0.01)
            found = aside.take()
    finally:
        aside.close()
    assert found is not None
    assert found.cost == 1_000_000
    assert "binwright-regroup" not in {thread.name for thread in threading.enumerate()}


def test_what_goes_wrong_in_the_second_thread_is_raised_in_the_search() -> None:
    class Broken(Regroup):
        def run(self, *_: object) -> Packing:
            raise RuntimeError("broken")

    instance = build_instance(problem([pod("a", cpu=6), pod("b", cpu=4)], [TEN]))
    j = candidate(instance, "ten")
    flag = bytearray(1)
    broken = of(Broken, instance, np.random.default_rng(0), flag)
    aside = Aside(broken, flag)
    aside.give(instance, packing_of(instance, (j, 2, [1, 1])), fluid_prices(instance))
    aside.close()
    with pytest.raises(RuntimeError, match="broken"):
        aside.take()

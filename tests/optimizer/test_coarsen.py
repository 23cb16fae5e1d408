"""Groups of nearly equal classes: who is together, what a group stands for, and who gets its places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from binwright_optimizer.columns.fluid import solve_fluid
from binwright_optimizer.heuristics.greedy import Remainder, fluid_prices
from binwright_optimizer.heuristics.hand_out import handed_out
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.instance.coarsen import Groups, grouped
from binwright_optimizer.instance.node_rules import NodeRules
from binwright_optimizer.instance.set_rules import SetRule
from binwright_optimizer.model.caps import NodeCap
from binwright_optimizer.model.selectors import LabelSelector
from binwright_optimizer.packing import Packing
from binwright_optimizer.stopping import Deadline
from builders import instance_type, pod, problem
from drawn_rules import rulesets
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from solver_parts import broken_rules, candidate, greedy_of, packing_of, pricing_of
from tiny_problems import tiny_problems

SETTINGS = settings(max_examples=80, deadline=None)
TEN = instance_type("ten", cpu=10, price=1.0)


def groups_of(instance: Instance, most: int) -> Groups:
    found = grouped(instance, most)
    assert found is not None
    return found


def requests_of(groups: Groups) -> list[list[int]]:
    """Milli-CPU of the classes of each group."""
    cpu = groups.instance.resources.index("cpu")
    return sorted(sorted(groups.instance.requests[mine, cpu].tolist()) for mine in groups.members)


def test_classes_that_differ_least_are_together() -> None:
    """1, 1.1, 4 and 4.2 cores in two groups: the small ones and the large ones."""
    pods = [pod(f"p{n}", cpu=cpu, replicas=2) for n, cpu in enumerate((4, 1, 4.2, 1.1))]
    instance = build_instance(problem(pods, [TEN]))
    assert requests_of(groups_of(instance, 2)) == [[1000, 1100], [4000, 4200]]
    assert requests_of(groups_of(instance, 9)) == [[1000], [1100], [4000], [4200]]


def test_equal_pods_of_different_classes_are_never_split() -> None:
    """Three classes of 0.7 cores, told apart by whom they keep away only, are one group of many allowed."""
    sevenths = [pod(f"p{n}", cpu=0.7, replicas=3 + n) for n in range(3)]
    pods = [
        replace(p, template=replace(p.template, labels=(("app", p.name),), node_caps=(no_more_than(n + 1),)))
        for n, p in enumerate(sevenths)
    ]
    instance = build_instance(problem(pods, [TEN]))
    assert requests_of(groups_of(instance, 9)) == [[700, 700, 700]]


def no_more_than(most: int) -> NodeCap:
    return NodeCap(LabelSelector.of_labels({"app": "p0"}), most)


def test_classes_with_different_candidates_are_in_different_groups() -> None:
    """3.9 and 4.1 cores are nearly the same, but only the first fit the small node."""
    small = instance_type("four", cpu=4, price=0.5)
    pods = [pod(f"p{n}", cpu=cpu) for n, cpu in enumerate((3.9, 4.1, 9))]
    instance = build_instance(problem(pods, [TEN, small]))
    assert requests_of(groups_of(instance, 2)) == [[3900], [4100, 9000]]
    assert grouped(instance, 1) is None


def test_a_group_is_as_large_as_its_largest_pod_and_keeps_what_all_want() -> None:
    """Two of 1 core and six of 2: the largest takes 2, the average 14 / 8."""
    instance = build_instance(problem([pod("a", cpu=1, replicas=2), pod("b", cpu=2, replicas=6)], [TEN]))
    groups = groups_of(instance, 1)
    cpu = instance.resources.index("cpu")
    largest = groups.largest()
    assert (largest.requests[:, cpu].tolist(), largest.demand.tolist()) == ([2000], [8])
    assert groups.mean_requests[:, cpu].tolist() == [1750.0]
    in_classes = groups.spread(np.array([[4.0]]))
    assert sorted(in_classes[0].tolist()) == [1.0, 3.0]


def test_a_node_may_hold_as_many_of_a_group_as_of_its_members() -> None:
    instance = build_instance(problem([pod("a", cpu=1, replicas=2), pod("b", cpu=2, replicas=6)], [TEN]))
    capped = replace(instance, node_cap=np.array([3, 3], dtype=np.int64))
    assert groups_of(capped, 1).largest().node_cap.tolist() == [3 + 2]


def test_classes_that_need_many_nodes_stay_by_themselves_with_the_rules_between_them() -> None:
    """Of four classes that are nearly alike two have 16 pods, of which each node takes one."""
    pods = [pod(f"p{n}", cpu=1 + 0.1 * n, replicas=16 if n < 2 else 2) for n in range(4)]
    instance = build_instance(problem(pods, [TEN]))
    many, few = np.flatnonzero(instance.demand == 16), np.flatnonzero(instance.demand == 2)
    rules = NodeRules.of(
        4, 1, [SetRule((many[1],), 0, trigger=many[0]), SetRule((few[1],), 0, trigger=few[0])]
    )
    caps = np.where(instance.demand == 16, 1, 9)
    groups = groups_of(replace(instance, rules=rules, node_cap=caps), 5)
    assert [mine.tolist() for mine in groups.members[: groups.n_apart]] == [[many[0]], [many[1]]]
    largest = groups.largest()
    others = len(groups.members) - 2
    assert not largest.rules.allows(0, [1, 1] + [0] * others)
    assert largest.rules.allows(0, [0, 1] + [1] * others)


def test_the_fluid_bound_of_groups_is_that_of_their_classes() -> None:
    """Lean and fat pods in pairs that are nearly alike balance CPU and memory: $15, as for the classes."""
    lean = [pod(f"lean-{n}", cpu=1, memory_gib=4 + d, replicas=5) for n, d in enumerate((-0.1, 0.1))]
    fat = [pod(f"fat-{n}", cpu=2, memory_gib=1 + d, replicas=5) for n, d in enumerate((-0.1, 0.1))]
    instance = build_instance(problem(lean + fat, [instance_type("n", cpu=4, memory_gib=8, price=2)]))
    assert bound_by(groups_of(instance, 2)) == pytest.approx(15.0, rel=1e-6)


def bound_by(groups: Groups | None, instance: Instance | None = None) -> float:
    instance = instance or groups.instance
    told = solve_fluid(instance, pricing_of(instance), Deadline(60.0), np.zeros(0, dtype=np.intp), groups)
    return float(instance.demand @ told.prices) - told.paid


@SETTINGS
@given(tiny_problems(), st.integers(1, 3))
def test_the_fluid_bound_of_groups_is_never_above_that_of_classes(tiny, most: int) -> None:
    instance = build_instance(tiny)
    groups = grouped(instance, most) if instance.n_classes else None
    assume(groups is not None)
    assert bound_by(groups) <= bound_by(None, instance) * (1 + 1e-6) + 1e-9


def two_alike(rules: NodeRules, replicas: int) -> tuple[Groups, Packing]:
    """Classes of 5 and 4.9 cores, and nodes of ten with two places each for all their pods."""
    pods = [pod("a", cpu=5, replicas=replicas), pod("b", cpu=4.9, replicas=replicas)]
    instance = replace(build_instance(problem(pods, [TEN])), rules=rules)
    groups = groups_of(instance, 1)
    return groups, packing_of(groups.largest(), (candidate(instance, "ten"), replicas, [2]))


def test_places_go_to_pods_that_may_stand_together() -> None:
    """None of class 1 beside class 0: of two nodes with two places each class has one."""
    groups, places = two_alike(NodeRules.of(2, 1, [SetRule((1,), 0, trigger=0)]), replicas=2)
    packing = packed(groups, places)
    assert sorted(packing.patterns.tolist()) == [[0, 2], [2, 0]]
    assert (packing.nodes, packing.left_out.tolist()) == (2, [0, 0])


def test_pods_without_a_place_get_further_nodes() -> None:
    """One pod of each, who keep apart: the node with two places holds one of them."""
    groups, places = two_alike(NodeRules.of(2, 1, [SetRule((1,), 0, trigger=0)]), replicas=1)
    packing = packed(groups, places)
    assert (packing.nodes, packing.left_out.tolist()) == (2, [0, 0])
    assert broken_rules(groups.instance, packing) == []


def packed(groups: Groups, places: Packing) -> Packing:
    instance = groups.instance
    columns = handed_out(groups, places, greedy_of(instance), fluid_prices(instance))
    return Packing.of(instance, *columns)


@SETTINGS
@given(tiny_problems(), st.integers(1, 3), st.data())
def test_whoever_gets_a_place_may_stand_there(tiny, most: int, data: st.DataObject) -> None:
    """From a greedy packing of groups: no rule, limit or supply is broken, and no pod lost."""
    instance = build_instance(tiny)
    assume(instance.n_classes)
    ruleset = data.draw(rulesets(instance.n_classes, instance.n_candidates))
    instance = replace(instance, rules=ruleset.arrays())
    groups = grouped(instance, most)
    assume(groups is not None)
    largest = groups.largest()
    cover = greedy_of(largest).cover(fluid_prices(largest), Remainder.whole(largest), 200)
    assert broken_rules(instance, packed(groups, Packing.of(largest, *cover))) == []

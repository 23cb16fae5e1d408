"""From stated rules to classes: what becomes a cap of one class, a resource or a rule."""

from __future__ import annotations

import dataclasses

import numpy as np
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.instance.node_rules import NodeRules
from binwright_optimizer.instance.set_rules import ALWAYS, FREE, SetRule
from binwright_optimizer.model import (
    HostPort,
    LabelSelector,
    NodeCap,
    PodAffinity,
    PodAffinityTerm,
    RunningPods,
)
from binwright_optimizer.model.labels import HOSTNAME
from builders import existing_node, instance_type, pod, problem
from drawn_rules import Ruleset, rulesets
from hypothesis import given, settings
from hypothesis import strategies as st

SETTINGS = settings(max_examples=200, deadline=None)
KINDS = [instance_type("box", cpu=8, price=1)]


def asking(name, cpu, replicas=3, **rules):
    plain = pod(name, cpu=cpu, replicas=replicas)
    template = dataclasses.replace(plain.template, labels=(("app", name),), **rules)
    return dataclasses.replace(plain, template=template)


def away_from(*names: str) -> PodAffinity:
    return PodAffinity(tuple(PodAffinityTerm(HOSTNAME, LabelSelector.of_labels({"app": n})) for n in names))


def built(*workloads, existing=()) -> Instance:
    return build_instance(problem(list(workloads), KINDS, existing=list(existing)))


def test_anti_affinity_to_its_own_kind_is_a_cap_of_one() -> None:
    instance = built(asking("web", 1, pod_anti_affinity=away_from("web")))
    assert instance.node_cap.tolist() == [1]
    assert instance.rules.is_empty


def test_anti_affinity_between_two_kinds_is_a_rule_that_the_first_triggers() -> None:
    instance = built(asking("web", 1, pod_anti_affinity=away_from("db")), asking("db", 2))
    web, db = instance.class_of.tolist()
    assert instance.node_cap.tolist() == [FREE, FREE]
    pattern = np.zeros(2, dtype=np.int64)
    for counts, is_allowed in (((1, 0), True), ((0, 3), True), ((1, 1), False)):
        pattern[[web, db]] = counts
        assert instance.rules.allows(0, pattern) == is_allowed


def test_kinds_that_share_a_port_share_a_resource_of_one() -> None:
    """What all of them hold alike is a column, which the relaxations know."""
    instance = built(*(asking(n, cpu, host_ports=(HostPort(80),)) for n, cpu in (("a", 1), ("b", 2))))
    assert instance.rules.is_empty
    column = instance.resources.index("rule:0")
    assert instance.requests[:, column].tolist() == [1, 1]
    assert instance.allocatable[:, column].tolist() == [1] * instance.n_candidates


def test_running_pods_leave_less_of_a_cap_and_tell_nodes_apart() -> None:
    """A cap of three selected pods: two run on one node, none on the other."""
    capped = asking("web", 1, replicas=8, node_caps=(NodeCap(LabelSelector.of_labels({"app": "web"}), 3),))
    full = dataclasses.replace(
        existing_node("full", cpu=8, pods=9), pods=(RunningPods(capped.template, count=2),)
    )
    instance = built(capped, existing=[full, existing_node("empty", cpu=8, pods=9)])
    most = {}
    for j, nodes in enumerate(instance.existing_of):
        patterns = [instance.rules.allows(j, [k]) and k <= instance.node_cap[0] for k in range(9)]
        most[nodes] = max(k for k, is_allowed in enumerate(patterns) if is_allowed)
    assert most == {(): 3, (0,): 1, (1,): 3}


def test_a_pod_whose_own_cap_leaves_no_room_for_it_stands_nowhere() -> None:
    closed = asking("web", 1, node_caps=(NodeCap(LabelSelector.of_labels({"app": "web"}), 0),))
    assert built(closed).n_classes == 0


def test_pods_that_a_class_keeps_away_are_counted_both_ways() -> None:
    rules = NodeRules.of(3, 1, [SetRule((1, 2), 0, trigger=0), SetRule((2,), 1, trigger=1)])
    assert rules.excluded(np.array([5, 2, 4])).tolist() == [6, 5, 5]


@given(rulesets(4, 2), st.sets(st.integers(0, 3), min_size=1), st.data())
@SETTINGS
def test_rules_among_some_classes_allow_what_all_rules_allow_of_them(
    ruleset: Ruleset, chosen: set[int], data: st.DataObject
) -> None:
    """Where no running pods are counted, which may keep away a class that counts in no set itself."""
    rules = dataclasses.replace(ruleset, starts=()).arrays()
    classes = np.array(sorted(chosen), dtype=np.intp)
    part = rules.among(classes, np.array([1], dtype=np.intp))
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(classes), max_size=len(classes)))
    whole = np.zeros(4, dtype=np.int64)
    whole[classes] = counts
    assert part.allows(0, counts) == rules.allows(1, whole)


@given(rulesets(4, 2), st.integers(0, 3))
@SETTINGS
def test_most_alone_is_the_largest_count_allowed(ruleset: Ruleset, i: int) -> None:
    rules = ruleset.arrays()
    for j in range(2):
        allowed = [ruleset.allows(j, [n if k == i else 0 for k in range(4)]) for n in range(6)]
        most = max(n for n, is_allowed in enumerate(allowed) if is_allowed)
        assert min(5, rules.most_alone(i, np.array([j], dtype=np.intp))[0]) == most


def test_what_every_member_triggers_always_holds() -> None:
    rules = NodeRules.of(2, 1, [SetRule((0, 1), 2, trigger=0), SetRule((0, 1), 3, trigger=1)])
    assert rules.cap.tolist() == [3]
    assert rules.trigger.tolist() == [0]
    assert SetRule((0,), 1).trigger == ALWAYS

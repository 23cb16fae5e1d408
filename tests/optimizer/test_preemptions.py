"""Running pods are told that kube-scheduler would evict for pods bought for, or left out, by a decision.

One box is sold, with 4 CPU for 1 dollar. Running nodes are full unless it is said otherwise: their pods take
what they would have free.
"""

from __future__ import annotations

import dataclasses

import pytest
from binwright_optimizer import preemptions
from binwright_optimizer.model import (
    ExistingNode,
    LabelSelector,
    PodAffinity,
    PodAffinityTerm,
    RunningPods,
    Workload,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.preemptions import MOST_WEIGHED
from binwright_optimizer.solve import solve
from builders import existing_node, instance_type, node_pool, pod, problem, template

BOX = instance_type("box", cpu=4, price=1)


def running(name: str, cpu: float, priority: int = 0, count: int = 1) -> RunningPods:
    """Equal pods of so many CPU each; ``low`` is called so, or ``low-0``, ``low-1``, ..."""
    names = (name,) if count == 1 else tuple(f"{name}-{n}" for n in range(count))
    return RunningPods(template(cpu=cpu, priority=priority), count, names=names)


def node(name: str, *pods: RunningPods, free: float = 0, **others: object) -> ExistingNode:
    bare = existing_node(name, cpu=free, **others)  # type: ignore[arg-type]
    return dataclasses.replace(bare, pods=pods)


def high(cpu: float = 1, priority: int = 1000, **others: object) -> Workload:
    return pod("high", cpu=cpu, priority=priority, **others)  # type: ignore[arg-type]


def changed(workload: Workload, **fields: object) -> Workload:
    return dataclasses.replace(workload, template=dataclasses.replace(workload.template, **fields))  # type: ignore[arg-type]


def sentence(place: str, who: str, gone: str) -> str:
    return f"kube-scheduler would preempt on {place} for {who}: {gone}; the pods evicted need a place then"


def told(*workloads: Workload, nodes: list[ExistingNode], pools: object = None) -> list[str]:
    asked = problem(workloads, [BOX], pools, existing=nodes)  # type: ignore[arg-type]
    decision = solve(asked, SolveParams(deadline_s=60.0))
    return [warning for warning in decision.warnings if "preempt" in warning]


def test_a_pod_that_a_node_is_bought_for_would_preempt_a_lower_one() -> None:
    """The box comes up when `low` is gone already."""
    assert told(high(), nodes=[node("nb", running("low", 2))]) == [
        sentence("nb", "high (priority 1000)", "low (priority 0)")
    ]


def test_so_would_a_pod_that_a_limit_leaves_out() -> None:
    """The node has the 4 CPU that its NodePool may have."""
    full = node("n1", running("low", 4), pool="p", capacity=BOX.capacity)
    assert told(high(), nodes=[full], pools=[node_pool("p", limits={"cpu": 4000})]) == [
        sentence("n1", "high (priority 1000)", "low (priority 0)")
    ]


def test_pods_without_a_name_are_told_by_their_labels() -> None:
    web = dataclasses.replace(template(cpu=2), labels=(("app", "web"),))
    [warning] = told(high(), nodes=[node("nb", RunningPods(web, namespace="shop"))])
    assert "1 pod with app=web in shop (priority 0)" in warning


def test_nothing_is_told_of_pods_that_never_preempt() -> None:
    assert told(changed(high(), preempts=False), nodes=[node("nb", running("low", 2))]) == []


def test_equal_priority_preempts_nobody() -> None:
    assert told(high(priority=7), nodes=[node("nb", running("low", 2, priority=7))]) == []


def test_a_node_too_small_for_the_pod_without_its_lower_pods_keeps_them() -> None:
    """Of 3 CPU the pod of equal priority keeps 2; `low` would leave 1 of the 2 that are needed."""
    kept = node("nb", running("low", 1), running("equal", 2, priority=1000))
    assert told(high(cpu=2), nodes=[kept]) == []


def test_nodes_that_do_not_admit_the_pod_are_left_alone() -> None:
    """Cordoned, tainted, in another zone."""
    low = running("low", 2)
    assert (
        told(
            high(selector={labels.ZONE: "zone-a"}),
            nodes=[
                node("cordoned", low, taints=["node.kubernetes.io/unschedulable:NoSchedule"]),
                node("elsewhere", low, node_labels={labels.ZONE: "zone-b"}),
                node("unlabelled", low),
            ],
        )
        == []
    )


def test_room_on_a_running_node_is_taken_before_anybody_is_evicted() -> None:
    assert told(high(), nodes=[node("full", running("low", 2)), node("free", free=1)]) == []


def test_those_come_back_that_there_is_room_for_the_highest_first() -> None:
    """Without all three 4 CPU are free, 2 of them for `high`.

    `middle` (2 CPU) comes back first and takes the rest: both small ones go, although it
    alone would do.
    """
    full = node("nb", running("small", 1, count=2), running("middle", 2, priority=5))
    [warning] = told(high(cpu=2), nodes=[full])
    assert ": small-0, small-1 (priority 0);" in warning


def test_of_equal_pods_only_as_many_go_as_must() -> None:
    """1.5 CPU are wanted, 0.5 are free."""
    [warning] = told(high(cpu=1.5), nodes=[node("nb", running("low", 0.5, count=4), free=0.5)])
    assert ": low-2, low-3 (priority 0);" in warning


def test_the_node_is_taken_whose_highest_victim_is_lowest_then_where_least_goes() -> None:
    """Node a would lose priority 5, b twice 1 and c once 1."""
    nodes = [
        node("a", running("five", 2, priority=5)),
        node("b", running("ones", 1, priority=1, count=2)),
        node("c", running("one", 2, priority=1)),
    ]
    [warning] = told(high(cpu=2), nodes=nodes)
    assert warning.startswith("kube-scheduler would preempt on c for high")


def test_pods_of_one_kind_share_what_an_eviction_frees_and_then_go_on() -> None:
    """Each `low` makes room for two: the third evicts another, on another node."""
    nodes = [node("a", running("low", 2)), node("b", running("low", 2))]
    first, second = told(high(replicas=3), nodes=nodes)
    assert first.startswith("kube-scheduler would preempt on a for high-0, high-1 (priority 1000): low ")
    assert second.startswith("kube-scheduler would preempt on b for high-2 (priority 1000): low ")


def test_a_pod_that_loses_its_place_to_a_higher_one_evicts_in_its_turn() -> None:
    """1 CPU is free. Whoever gets it in the decision, `high` comes first: `middle` evicts `low`."""
    nodes = [node("nb", running("low", 1), free=1)]
    [warning] = told(high(), pod("middle", cpu=1, priority=5), nodes=nodes)
    assert warning.startswith("kube-scheduler would preempt on nb for middle (priority 5): low (priority 0)")


def test_places_that_the_decision_gives_on_running_nodes_are_taken() -> None:
    """Of three `high` one has the free CPU, the others the box: these need the room of both `low`."""
    [warning] = told(high(replicas=3), nodes=[node("nb", running("low", 1, count=2), free=1)])
    assert "(priority 1000): low-1, low-0 (priority 0)" in warning.replace(" (priority 0), ", ", ")


def test_pods_under_rules_about_others_may_preempt_one_on_each_node() -> None:
    """Rules between pods are not looked at: what is told is no more than a possibility."""
    term = PodAffinityTerm(labels.HOSTNAME, LabelSelector.of_labels({"app": "web"}))
    apart = changed(high(replicas=2), labels=(("app", "web"),), pod_anti_affinity=PodAffinity((term,)))
    [warning] = told(apart, nodes=[node("nb", running("low", 2))])
    assert warning == (
        "kube-scheduler may preempt on nb for high-0 (priority 1000), as far as rules that are not looked at "
        "allow it: low (priority 0); the pods evicted need a place then"
    )


def test_a_handful_is_named_and_the_rest_counted() -> None:
    nodes = [node(f"n{n}", running("low", 1, count=2)) for n in range(5)]
    *named, rest = told(high(cpu=2, replicas=5), nodes=nodes)
    assert len(named) == 3
    assert rest == "kube-scheduler would preempt for 2 further pods: 4 pods of lower priority on 2 nodes"


def test_work_is_bounded_and_what_is_not_looked_at_is_counted() -> None:
    """Every pod evicts one of equal size; each is one eviction to weigh, and one that follows on its node."""
    replicas = MOST_WEIGHED + 100
    nodes = [node("nb", running("low", 1, count=replicas))]
    *_, unseen = told(high(replicas=replicas), nodes=nodes)
    assert unseen == (
        "whether kube-scheduler would preempt for 100 further pods was not looked at: "
        "pods and nodes are too many"
    )


def test_a_pod_that_finds_nobody_on_the_nodes_looked_at_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the one pod of node a enough is looked at; it makes no room for 2 CPU, that of b would."""
    monkeypatch.setattr(preemptions, "MOST_ENTRIES", 0)
    [unseen] = told(high(cpu=2), nodes=[node("a", running("low", 1)), node("b", running("low", 2))])
    assert unseen.startswith("whether kube-scheduler would preempt for 1 further pod was not looked at")

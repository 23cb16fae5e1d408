"""Pods that only their priority tells apart: the highest get the places, however early an answer is."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from binwright_optimizer.extract import Placed
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import (
    Decision,
    DeviceUse,
    GpuShare,
    NodeClaim,
    PodRange,
    Problem,
    SolutionStatus,
    Workload,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.priorities import highest_first
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import placed_pods, verify
from builders import existing_node, instance_type, node_pool, offering, pod, problem
from decisions import bought, decided
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from rules import HOSTNAME, ZONE, apps, away, ruled, spread

ZONES = ("zone-a", "zone-b")
BOX = instance_type("box", cpu=8, offerings=[offering(1 + n / 10, zone=zone) for n, zone in enumerate(ZONES)])
ONE = [node_pool(max_nodes=1)]


def given_out(question: Problem, decision: Decision) -> tuple[list[int], Placed]:
    """How many pods of each workload have places, once these are given out anew."""
    left = tuple(entry.pods for entry in decision.unschedulable)
    placed = Placed(decision.node_claims, decision.existing_placements, left)
    after = highest_first(build_instance(question), placed)
    counts = [workload.replicas for workload in question.workloads]
    for pods in after.left_out:
        counts[pods.workload] -= pods.count
    return counts, after


def test_a_place_that_was_found_for_a_lower_priority_goes_to_the_highest_that_waits() -> None:
    """Eight places: five were found for ``low``, three for ``high``, of which six wait."""
    question = problem(
        [pod("low", cpu=1, replicas=9), pod("high", cpu=1, replicas=9, priority=7)], [BOX], ONE
    )
    counts, after = given_out(question, decided(question, [bought("box", low=5, high=3)]))
    assert counts == [0, 8]
    assert after.node_claims[0].pods == (PodRange(1, 0, 5), PodRange(1, 5, 3))
    assert after.left_out == (PodRange(0, 0, 9), PodRange(1, 8, 1))


def test_places_on_running_nodes_are_given_out_too() -> None:
    question = problem(
        [pod("low", cpu=1, replicas=2), pod("high", cpu=1, replicas=2, priority=7)], [], [],
        existing=[existing_node("old", cpu=2)],
    )  # fmt: skip
    counts, after = given_out(question, decided(question, existing={"old": {"low": 2}}))
    assert counts == [0, 2]
    assert after.existing[0].pods == (PodRange(1, 0, 2),)


def test_nothing_changes_where_the_highest_are_placed_or_pods_differ() -> None:
    pods = [
        pod("low", cpu=1, replicas=9),
        pod("high", cpu=1, replicas=3, priority=7),
        pod("big", cpu=9, priority=9),
    ]
    question = problem(pods, [BOX], ONE)
    decision = decided(question, [bought("box", low=5, high=3)])
    counts, after = given_out(question, decision)
    assert counts == [5, 3, 0]
    assert after.node_claims == decision.node_claims


def test_the_shares_of_gpus_follow_the_pods() -> None:
    """Of four pods with half a GPU each one is ``high``: all four places on two GPUs are for ``high``."""

    def half(name: str, priority: int) -> Workload:
        plain = pod(name, cpu=1, gpu=1, replicas=4, priority=priority)
        return dataclasses.replace(
            plain, template=dataclasses.replace(plain.template, gpu_share=GpuShare(500, 0))
        )

    kind = instance_type("gpu", cpu=8, gpu=2, price=1, gpu_model="t4")
    question = problem([half("low", 0), half("high", 7)], [kind], ONE)
    decision = decided(question, [bought("gpu", low=3, high=1)])
    uses = (DeviceUse(0, PodRange(0, 0, 2)), DeviceUse(1, PodRange(0, 2, 1)), DeviceUse(1, PodRange(1, 0, 1)))
    claims: tuple[NodeClaim, ...] = (dataclasses.replace(decision.node_claims[0], devices=uses),)
    counts, after = given_out(question, dataclasses.replace(decision, node_claims=claims))
    assert counts == [0, 4]
    assert after.node_claims[0].devices == (
        DeviceUse(0, PodRange(1, 0, 2)),
        DeviceUse(1, PodRange(1, 2, 1)),
        DeviceUse(1, PodRange(1, 3, 1)),
    )


@st.composite
def crowds(draw: st.DrawFn) -> Problem:
    """Too many pods for a few nodes: sizes, each of several priorities, and maybe a rule about one."""
    parts: dict[str, Any] = draw(
        st.sampled_from(
            [
                {},
                {"pod_anti_affinity": away(HOSTNAME, "size-0")},
                {"topology_spread": (spread(ZONE, 1, apps("size-0")),)},
            ]
        )
    )
    workloads = [
        ruled(
            f"size-{size}-{priority}",
            draw(st.integers(1, 6)),
            cpu=draw(st.shared(st.integers(1, 4), key=f"cpu {size}")),
            app=f"size-{size}",
            priority=priority,
            **(parts if not size else {}),
        )
        for size in range(draw(st.integers(1, 3)))
        for priority in draw(st.sets(st.sampled_from([-5, 0, 1, 100]), min_size=1, max_size=3).map(sorted))
    ]
    return problem(workloads, [BOX], [node_pool(max_nodes=draw(st.integers(1, 3)))])


@given(crowds(), st.sampled_from([1, 100, 1_000, 10_000, 100_000]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_nobody_waits_behind_a_lower_priority_in_any_answer(question: Problem, limit: int) -> None:
    """`solve` refuses its own answer otherwise; here it is looked at pod by pod as well."""
    decision = solve(question, SolveParams(deadline_s=60.0, work_limit=limit))
    assert verify(question, decision) == ()
    event(decision.status.value)
    served: dict[str, list[tuple[int, int, int]]] = {}
    for workload, placed in zip(question.workloads, placed_pods(question, decision), strict=True):
        size = workload.name.rpartition("-")[0].removesuffix("-")
        served.setdefault(size, []).append((workload.template.priority, placed, workload.replicas))
    for ranks in served.values():
        waiting = [priority for priority, placed, wanted in ranks if placed < wanted]
        assert not waiting or all(priority >= max(waiting) for priority, placed, _ in ranks if placed)


@pytest.mark.parametrize("limit", [100, 1_000])
def test_early_answers_about_spread_pods_give_the_places_to_the_highest(limit: int) -> None:
    """Two nodes of 8 CPUs in two zones have four places for pods of 3 CPUs: for all three of ``high`` first.

    The search finds places for two of each so early.
    """
    even = {"app": "web", "topology_spread": (spread(ZONE, 1, apps("web")),)}
    pods = [ruled("low", 3, cpu=3, **even), ruled("high", 3, cpu=3, priority=1, **even)]
    question = problem(pods, [BOX], [node_pool(max_nodes=2)])
    decision = solve(question, SolveParams(deadline_s=60.0, work_limit=limit))
    assert placed_pods(question, decision) == [1, 3]
    assert decision.status is SolutionStatus.PARTIAL

"""Whole solves whose answer is worked out on paper."""

from __future__ import annotations

import collections
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.incumbent import Progress
from binwright_optimizer.model import (
    Catalog,
    Decision,
    ExistingPlacement,
    NodePool,
    PodRange,
    Problem,
    SolutionStatus,
    StopReason,
    Workload,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline, Stop
from binwright_optimizer.verify import placed_pods, verify, whole_choice
from builders import existing_node, instance_type, node_pool, pod, problem, requires


def solved(
    question: Problem, *, gap: float = 0.0, seconds: float = 20.0, stop: Stop | None = None
) -> Decision:
    """The decision, which must pass the checker."""
    decision = solve(question, SolveParams(deadline_s=seconds, gap=gap), stop)
    assert verify(question, decision) == ()
    return decision


def dollars(decision: Decision) -> tuple[float, float]:
    """Cost and bound, exact to the micro-dollar."""
    return decision.cost_microusd_per_hour / 1e6, decision.bound_microusd_per_hour / 1e6


def nodes_bought(decision: Decision) -> dict[str, int]:
    return dict(collections.Counter(claim.node_pool for claim in decision.node_claims))


REFERENCE = (
    ("general-purpose", "general", "c5.2xlarge", "on-demand", 10, 100),
    ("memory-optimized", "memory", "r5.2xlarge", "on-demand", 5, 50),
    ("gpu-compute", "gpu", "g4dn.2xlarge", "on-demand", 5, 50),
    ("storage-optimized", "storage", "i3.2xlarge", "on-demand", 3, 30),
    ("batch-spot", "batch", "c5.2xlarge", "spot", 20, 200),
)


def reference_pools() -> list[NodePool]:
    """The five pools of ``examples/nodepools.yaml``."""
    return [
        node_pool(
            name,
            requires(labels.INSTANCE_TYPE, "In", kind),
            requires(labels.CAPACITY_TYPE, "In", capacity_type),
            node_labels={"workload": mark},
            taints=[f"workload={mark}:NoSchedule"],
            min_nodes=least,
            max_nodes=most,
        )
        for name, mark, kind, capacity_type, least, most in REFERENCE
    ]


def on_reference_pools(*workloads: Workload) -> Problem:
    return Problem(workloads, tuple(reference_pools()), embedded_catalog("aws", ["us-east-1"]))


def marked(name: str, *marks: str, **request) -> Workload:
    """Pods that tolerate the taints of some reference pools."""
    return pod(name, tolerations=[f"workload={mark}:NoSchedule" for mark in marks], **request)


def test_reference_pools_are_solved_to_gap_zero() -> None:
    """Prices per hour: c5 0.34, r5 0.504, g4dn 0.752, i3 0.624, spot c5 0.1496; 7.91 cpu each.

    - general: 24 pods of 3.9 cpu, two to a node: 12 full nodes. 12 x 0.34 = 4.08
    - memory: 12 pods of 28 GiB, two to a node of 58.2 GiB: 6 x 0.504 = 3.024
    - gpu: 7 pods of one GPU: 7 x 0.752 = 5.264
    - storage: 4 pods of 5 cpu: 4 x 0.624 = 2.496
    - batch: 44 pods of 3.9 cpu on spot: 22 nodes, full
    - 10 pods of 3.9 cpu that tolerate general and batch fill 5 more spot nodes, which are cheaper than
      general ones: 27 x 0.1496 = 4.0392

    Together 18.9032. Every node is as full as whole pods allow, so that half the price of a node for each
    pod of its pool, or the whole for each GPU or storage pod, proves it.
    """
    decision = solved(
        on_reference_pools(
            marked("general", "general", cpu=3.9, memory_gib=1, replicas=24),
            marked("memory", "memory", cpu=0.5, memory_gib=28, replicas=12),
            marked("gpu", "gpu", cpu=2, memory_gib=8, gpu=1, replicas=7),
            marked("storage", "storage", cpu=5, memory_gib=8, replicas=4),
            marked("batch", "batch", cpu=3.9, memory_gib=1, replicas=44),
            marked("flexible", "general", "batch", cpu=3.9, memory_gib=1, replicas=10),
        )
    )
    assert dollars(decision) == (18.9032, 18.9032)
    assert decision.gap == 0
    assert decision.stop_reason is StopReason.OPTIMAL
    assert decision.status is SolutionStatus.COMPLETE
    assert nodes_bought(decision) == {
        "general-purpose": 12,
        "memory-optimized": 6,
        "gpu-compute": 7,
        "storage-optimized": 4,
        "batch-spot": 27,
    }


def test_reference_pools_cost_their_minimums_where_pods_ask_for_less() -> None:
    """10 x 0.34 + 5 x 0.504 + 5 x 0.752 + 3 x 0.624 + 20 x 0.1496 = 14.544 for one pod."""
    decision = solved(on_reference_pools(marked("one", "general", cpu=1)))
    assert dollars(decision) == (14.544, 14.544)
    assert decision.stop_reason is StopReason.OPTIMAL
    assert sum(nodes_bought(decision).values()) == 43


def test_reference_pools_place_no_more_gpu_pods_than_their_maximum() -> None:
    """60 pods of one GPU on at most 50 nodes: ten stay out for the limit, the 50 cost 37.60.

    The other pools stay at their minimums: 3.4 + 2.52 + 1.872 + 2.992 = 10.784.
    """
    decision = solved(on_reference_pools(marked("gpu", "gpu", cpu=1, gpu=1, replicas=60)))
    assert decision.status is SolutionStatus.PARTIAL
    assert dollars(decision) == (48.384, 48.384)
    (out,) = decision.unschedulable
    assert out.pods.count == 10
    reasons = {refusal.constraint: refusal.message for refusal in out.refusals}
    assert reasons["limit"] == "NodePool gpu-compute may add at most nodes 50"


def test_two_t4_pods_cost_two_of_the_smallest_t4_node() -> None:
    """g4dn.xlarge has one T4, 3.92 cpu and 14.1 GiB for $0.526; the next with two T4 costs 3.912."""
    t4 = pod(
        "t4",
        cpu=2,
        memory_gib=13,
        gpu=1,
        replicas=2,
        selector={labels.GPU_MODEL: "t4", labels.CAPACITY_TYPE: "on-demand"},
    )
    decision = solved(Problem((t4,), (node_pool(),), embedded_catalog("aws", ["us-east-1"])))
    assert dollars(decision) == (1.052, 1.052)
    assert [claim.instance_type for claim in decision.node_claims] == ["g4dn.xlarge"] * 2
    assert decision.stop_reason is StopReason.OPTIMAL


def test_triplets_are_packed_without_waste() -> None:
    """Twelve triples of more than a quarter and less than half a node that fill a node exactly.

    The volume is that of 12 nodes, so that 12 is the least; every node must hold one triple. With
    one pod more of the smallest size, 13 nodes are needed.
    """
    rng = np.random.default_rng(3)
    sizes: list[int] = []
    for _ in range(12):
        first = int(rng.integers(380, 480))
        second = int(rng.integers(251, (1000 - first) // 2))
        sizes += [first, second, 1000 - first - second]
    node = instance_type("node", cpu=1, price=0.1)
    pods = [pod(f"p{k}", cpu=size / 1000) for k, size in enumerate(sizes)]
    assert dollars(solved(problem(pods, [node]))) == (1.2, 1.2)
    more = [*pods, pod("extra", cpu=0.26)]
    decision = solved(problem(more, [node]))
    assert dollars(decision) == (1.3, 1.3)
    assert decision.stop_reason is StopReason.OPTIMAL


def test_two_dimensions_are_balanced() -> None:
    """Pods of (3 cpu, 1 GiB) and (1 cpu, 3 GiB) on nodes of (4, 4): one of each fits, two alike do not."""
    pods = [pod("c", cpu=3, memory_gib=1, replicas=7), pod("m", cpu=1, memory_gib=3, replicas=7)]
    decision = solved(problem(pods, [instance_type("node", cpu=4, memory_gib=4, price=1)]))
    assert dollars(decision) == (7.0, 7.0)


def test_existing_nodes_are_filled_before_anything_is_bought() -> None:
    old = existing_node("old", cpu=4)
    node = instance_type("node", cpu=4, price=1)
    decision = solved(problem([pod(cpu=2, replicas=4)], [node], existing=[old]))
    assert dollars(decision) == (1.0, 1.0)
    assert decision.existing_placements == (ExistingPlacement("old", (PodRange(0, 0, 2),)),)


def test_no_pods_cost_nothing() -> None:
    decision = solved(problem([], [instance_type("node", cpu=4, price=1)]))
    assert (dollars(decision), decision.status) == ((0.0, 0.0), SolutionStatus.COMPLETE)
    assert decision.stop_reason is StopReason.OPTIMAL


def test_one_urgent_pod_goes_before_many_others() -> None:
    """One node of 8 cpu is allowed: the urgent pod fills it, eight small ones stay out."""
    pods = [pod("small", cpu=1, replicas=8), pod("urgent", cpu=8, priority=100)]
    question = problem(pods, [instance_type("node", cpu=8, price=1)], [node_pool("p", max_nodes=1)])
    decision = solved(question)
    assert placed_pods(question, decision) == [0, 1]
    assert decision.status is SolutionStatus.PARTIAL
    assert dollars(decision) == (1.0, 1.0)


def test_among_equal_priorities_as_many_pods_as_possible_are_placed() -> None:
    pods = [pod("small", cpu=1, replicas=8), pod("large", cpu=8)]
    question = problem(pods, [instance_type("node", cpu=8, price=1)], [node_pool("p", max_nodes=1)])
    assert placed_pods(question, solved(question)) == [8, 0]


def test_priorities_are_told_apart_on_many_levels() -> None:
    """Ten pods of priority 0 to 9 and room for four: those of 9, 8, 7 and 6."""
    pods = [pod(f"p{k}", cpu=2, priority=k) for k in range(10)]
    question = problem(pods, [instance_type("node", cpu=8, price=1)], [node_pool("p", max_nodes=1)])
    assert placed_pods(question, solved(question)) == [0] * 6 + [1] * 4


def test_every_urgent_pod_is_placed_where_a_clever_choice_has_room_for_all() -> None:
    """Two nodes of (7 cpu, 8 GiB) are allowed. Urgent: three pods of (1, 2) and one of (4, 4).

    One node holds the large one with two small ones, (6, 8); the other the third, (1, 2), which leaves
    room for one of the others of (3, 4) only: two of those stay out. Two nodes of two of the
    others each would place more pods, but not the urgent ones.
    """
    kinds = [
        instance_type("a", cpu=7, memory_gib=8, price=5),
        instance_type("b", cpu=6, memory_gib=6, price=4),
    ]
    pods = [
        pod("other", cpu=3, memory_gib=4, replicas=3),
        pod("small", cpu=1, memory_gib=2, replicas=3, priority=1),
        pod("large", cpu=4, memory_gib=4, priority=1),
    ]
    question = problem(pods, kinds, [node_pool("p", max_nodes=2)])
    decision = solved(question)
    assert placed_pods(question, decision) == [1, 3, 1]
    assert decision.cost_microusd_per_hour == 9_000_000


def test_the_bound_is_proven_for_the_pods_that_are_placed() -> None:
    """Of five pods of 4 cpu two nodes for $1 hold four; the fifth, and one of 99 cpu, stay out."""
    pods = [pod("a", cpu=4, replicas=5), pod("huge", cpu=99)]
    question = problem(pods, [instance_type("node", cpu=8, price=1)], [node_pool("p", max_nodes=2)])
    decision = solved(question)
    assert decision.status is SolutionStatus.PARTIAL
    assert dollars(decision) == (2.0, 2.0)
    assert decision.stop_reason is StopReason.OPTIMAL
    assert [(u.pods.workload, u.pods.count) for u in decision.unschedulable] == [(0, 1), (1, 1)]


def test_nothing_placed_is_said_so() -> None:
    decision = solved(problem([pod(cpu=99, replicas=3)], [instance_type("node", cpu=8, price=1)]))
    assert decision.status is SolutionStatus.NONE
    assert (dollars(decision), decision.node_claims) == ((0.0, 0.0), ())
    assert decision.unschedulable[0].pods == PodRange(0, 0, 3)


def test_a_minimum_that_only_the_dearer_type_can_meet_is_met() -> None:
    """Limit 10 cpu: of the cheap type with 8 cpu one fits, of the dear one with 4 cpu two: $4."""
    kinds = [instance_type("cheap", cpu=8, price=1), instance_type("dear", cpu=4, price=2)]
    pools = [node_pool("p", min_nodes=2, limits={"cpu": 10_000})]
    for pods in ([], [pod(cpu=1, replicas=3)]):
        decision = solved(problem(pods, kinds, pools))
        assert dollars(decision)[0] == 4.0
        assert nodes_bought(decision) == {"p": 2}


def test_an_unreachable_minimum_is_refused() -> None:
    question = problem(
        [pod(cpu=1)],
        [instance_type("node", cpu=8, price=1, available=1)],
        [node_pool("p", min_nodes=1), node_pool("q", min_nodes=1)],
    )
    with pytest.raises(InvalidProblemError, match=r"node_pools\[1\].min_nodes"):
        solve(question)


def with_a_gap() -> Problem:
    """Three pods of 5 cpu; two share a node of 10 cpu for $1, one alone fits 5 cpu for $0.61.

    The optimum is 1 + 0.61 = 1.61; one and a half nodes of 10 cpu are a relaxation for 1.5, and
    prices of 0.5 per pod prove no more: a gap of 6.8 %. As a node runs already, though it is full, whole
    nodes are not looked at by themselves.
    """
    kinds = [instance_type("ten", cpu=10, price=1), instance_type("five", cpu=5, price=0.61)]
    return problem([pod(cpu=5, replicas=3)], kinds, existing=[existing_node("full")])


def test_counting_the_dear_nodes_closes_a_gap_of_the_relaxation() -> None:
    """At most one node of 10 cpu: 1 + 0.61. At least two: 2. Either way 1.61 at least."""
    decision = solved(with_a_gap())
    assert dollars(decision) == (1.61, 1.61)
    assert decision.stop_reason is StopReason.OPTIMAL
    split = decision.certificate.split
    assert split is not None
    assert (split.level_microusd_per_hour, split.at_most) == (1_000_000, 1)


def with_two_gaps() -> Problem:
    """Twice the question `with_a_gap`, for pods that go to different types at the same prices.

    The relaxation buys one and a half nodes of 10 cpu of either kind, which are three of $1 together:
    a whole number, so that counting them does not help. The optimum is 3.22, the bound stays at 3.
    """
    kinds = [
        instance_type(f"{size}-{group}", cpu=cpu, price=price, extra_labels={"group": group})
        for group in ("a", "b")
        for size, cpu, price in (("ten", 10, 1), ("five", 5, 0.61))
    ]
    pods = [pod(f"pod-{group}", cpu=5, replicas=3, selector={"group": group}) for group in ("a", "b")]
    return problem(pods, kinds, existing=[existing_node("full")])


def test_few_pods_are_proven_on_whole_nodes() -> None:
    """Without the full node, each three pods are seen to need a ten and a five."""
    decision = solved(replace(with_two_gaps(), existing_nodes=()))
    assert dollars(decision) == (3.22, 3.22)
    assert decision.stop_reason is StopReason.OPTIMAL


def test_few_pods_beside_a_running_node_are_proven_by_the_choice_of_whole_nodes() -> None:
    """The full node changes nothing."""
    decision = solved(with_two_gaps())
    assert dollars(decision) == (3.22, 3.22)
    assert decision.stop_reason is StopReason.OPTIMAL


def test_a_search_out_of_ideas_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where pods count as too many to look at whole nodes."""
    monkeypatch.setattr(whole_choice, "MOST_PODS", 1)
    decision = solved(with_two_gaps())
    assert dollars(decision) == (3.22, 3.0)
    assert decision.stop_reason is StopReason.EXHAUSTED
    assert decision.gap == pytest.approx(0.22 / 3.22)


def test_a_search_stops_at_the_gap_asked_for() -> None:
    decision = solved(with_a_gap(), gap=0.1)
    assert decision.stop_reason is StopReason.GAP
    assert dollars(decision) == (1.61, 1.5)


def test_a_deadline_that_has_passed_still_gives_a_verified_answer() -> None:
    now = [0.0]
    stop = Deadline(1.0, clock=lambda: now[0])
    now[0] = 5.0
    decision = solved(with_a_gap(), stop=stop)
    assert decision.stop_reason is StopReason.DEADLINE
    assert decision.status is SolutionStatus.COMPLETE
    assert 1.61 <= dollars(decision)[0] <= 2.0


def test_a_deadline_that_passes_during_the_search_ends_it() -> None:
    """A clock that ticks 1 ms whenever it is read: no more than 100 reads are left."""
    now = [0.0]

    def tick() -> float:
        now[0] += 0.001
        return now[0]

    decision = solved(many_pods(100, seed=1), stop=Deadline(0.1, clock=tick))
    assert decision.stop_reason is StopReason.DEADLINE
    assert decision.status is SolutionStatus.COMPLETE
    assert now[0] >= 0.05  # half is kept for proof and verification


def test_a_cancelled_search_returns_what_it_has() -> None:
    cancel = threading.Event()
    cancel.set()
    decision = solved(with_a_gap(), stop=Deadline(20.0, cancel))
    assert decision.stop_reason is StopReason.CANCELLED
    assert decision.status is SolutionStatus.COMPLETE


def test_cancelling_during_the_search_ends_it() -> None:
    cancel = threading.Event()

    def on_progress(_: Progress) -> None:
        cancel.set()

    question = many_pods(100, seed=2)
    decision = solve(question, SolveParams(deadline_s=60.0), Deadline(60.0, cancel), on_progress)
    assert verify(question, decision) == ()
    assert decision.stop_reason is StopReason.CANCELLED
    assert decision.status is SolutionStatus.COMPLETE


def many_pods(count: int, seed: int) -> Problem:
    """Pods of random sizes, each its own class, on the AWS general purpose and compute types."""
    rng = np.random.default_rng(seed)
    pods = [
        pod(f"p{k}", cpu=int(rng.integers(1, 400)) / 100, memory_gib=int(rng.integers(1, 600)) / 100)
        for k in range(count)
    ]
    catalog: Catalog = embedded_catalog("aws", ["us-east-1"], ["m5.*", "c5.*", "r5.*"])
    return Problem(tuple(pods), (node_pool("p", requires(labels.CAPACITY_TYPE, "In", "on-demand")),), catalog)


def test_two_thousand_pods_in_a_twentieth_of_a_second_are_all_placed_and_verified() -> None:
    """The clock may be overrun on a busy machine; the answer must be whole and its bound proven."""
    question = many_pods(2_000, seed=3)
    began = time.perf_counter()
    decision = solved(question, seconds=0.05)
    assert time.perf_counter() - began < 10.0
    assert decision.status is SolutionStatus.COMPLETE
    assert decision.stop_reason is StopReason.DEADLINE
    assert 0 <= decision.bound_microusd_per_hour <= decision.cost_microusd_per_hour


def test_progress_is_monotone_and_ends_at_the_decision() -> None:
    steps: list[Progress] = []
    question = many_pods(40, seed=4)
    decision = solve(question, SolveParams(deadline_s=1.0), on_progress=steps.append)
    assert verify(question, decision) == ()
    costs = [s.cost_microusd_per_hour for s in steps]
    bounds = [s.bound_microusd_per_hour for s in steps]
    assert None not in costs
    assert costs == sorted(costs, reverse=True)
    assert bounds == sorted(bounds)
    assert [s.elapsed_s for s in steps] == sorted(s.elapsed_s for s in steps)
    assert steps[0].phase == "greedy"
    assert steps[-1].cost_microusd_per_hour == decision.cost_microusd_per_hour
    assert steps[-1].nodes == len(decision.node_claims)
    assert len(steps) > 2


def test_phases_are_timed() -> None:
    phases = [t.phase for t in solved(with_a_gap()).timings]
    assert phases == ["instance", "search", "extract", "prove", "verify"]

"""Shares of GPUs, packed per device: worked on paper, and against brute force on small problems.

Time-slicing and MPS as in NVIDIA's device plugin (https://github.com/NVIDIA/k8s-device-plugin#shared-access-to-gpus).
"""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from binwright_optimizer.model import (
    Decision,
    ExistingNode,
    Gang,
    GangTopology,
    GpuShare,
    GpuSharing,
    InstanceType,
    NodePool,
    Problem,
    RunningPods,
    SharingStrategy,
    SolutionStatus,
    Workload,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from builders import GIB, existing_node, instance_type, microusd, node_pool, pod, problem, resources
from gpu_brute_force import GPU, cheapest_nodes
from hypothesis import given, settings
from hypothesis import strategies as st

PARAMS = SolveParams(deadline_s=60.0, gap=0.0)


def gpu_type(name: str, gpu: int, price: float, memory_gib: int = 16, cpu: float = 64) -> InstanceType:
    kind = instance_type(name, cpu=cpu, gpu=gpu, price=price, gpu_model="t4")
    return dataclasses.replace(kind, gpu_memory_bytes=memory_gib * GIB)


def sharing(name: str, milli: int, memory_gib: int = 0, gpu: int = 1, replicas: int = 1) -> Workload:
    share = GpuShare(milli, memory_gib * GIB)
    workload = pod(name, cpu=1, gpu=gpu, replicas=replicas)
    return dataclasses.replace(workload, template=dataclasses.replace(workload.template, gpu_share=share))


def shared(strategy: str, replicas: int = 1) -> NodePool:
    return dataclasses.replace(node_pool(), gpu_sharing=GpuSharing(SharingStrategy(strategy), replicas))


def decided(question: Problem, dollars: float) -> Decision:
    """The decision, which must be complete, right, and proven to be cheapest at this price."""
    decision = solve(question, PARAMS)
    assert not verify(question, decision)
    assert decision.status is SolutionStatus.COMPLETE, decision.unschedulable
    assert decision.cost_microusd_per_hour == microusd(dollars)
    assert not decision.warnings
    return decision


def test_four_quarters_share_one_gpu() -> None:
    """Four pods of a quarter each: one GPU, one dollar."""
    decision = decided(problem([sharing("quarter", 250, replicas=4)], [gpu_type("one", 1, 1.0)]), 1)
    [claim] = decision.node_claims
    assert claim.requests[GPU] == 1
    assert {use.device for use in claim.devices} == {0}
    assert sum(use.pods.count for use in claim.devices) == 4


def test_a_share_never_stretches_over_two_gpus() -> None:
    """Two GPUs hold 2,000 thousandths, yet not three shares of 600: one node of two GPUs and one of one."""
    types = [gpu_type("one", 1, 1.5), gpu_type("two", 2, 2.0)]
    decision = decided(problem([sharing("large", 600, replicas=3)], types), 3.5)
    assert sorted(claim.requests[GPU] for claim in decision.node_claims) == [1, 2]


def test_a_pod_of_two_shares_has_two_distinct_gpus() -> None:
    """Half of each of two GPUs: the node with one GPU is too small, although it has 1,000 thousandths."""
    types = [gpu_type("one", 1, 1.0), gpu_type("two", 2, 3.0)]
    decision = decided(problem([sharing("pair", 500, gpu=2)], types), 3)
    assert sorted(use.device for use in decision.node_claims[0].devices) == [0, 1]


def test_a_pod_without_a_share_has_its_gpu_to_itself() -> None:
    """One whole GPU and one share of a tenth need two GPUs."""
    question = problem([pod("whole", cpu=1, gpu=1), sharing("tenth", 100)], [gpu_type("one", 1, 1.0)])
    decided(question, 2)


@pytest.mark.parametrize("others", [[], [sharing("half", 500)]])
def test_a_whole_gpu_may_state_its_memory(others: list[Workload]) -> None:
    """All of the compute and 8 GiB of 16: a GPU each, whether or not others share theirs; 17 GiB fit none."""
    types = [gpu_type("one", 1, 1.0)]
    decided(problem([sharing("whole", 1_000, memory_gib=8, replicas=2), *others], types), 2 + len(others))
    decision = solve(problem([sharing("whole", 1_000, memory_gib=17), *others], types), PARAMS)
    assert [out.pods.workload for out in decision.unschedulable] == [0]


def test_memory_is_shared_out_as_well_as_compute() -> None:
    """Two shares of a tenth, but 10 GiB each, of a GPU with 16 GiB: two GPUs."""
    decided(problem([sharing("model", 100, memory_gib=10, replicas=2)], [gpu_type("one", 1, 1.0)]), 2)


def test_a_share_without_memory_takes_as_much_memory_as_compute() -> None:
    """Half of a GPU with 16 GiB is 8 GiB: beside it 9 GiB do not fit, 8 GiB do."""
    half, small, large = (
        sharing("half", 500),
        sharing("s", 100, memory_gib=8),
        sharing("l", 100, memory_gib=9),
    )
    decided(problem([half, small], [gpu_type("one", 1, 1.0)]), 1)
    decided(problem([half, large], [gpu_type("one", 1, 1.0)]), 2)


def test_exclusive_pools_count_shares_as_whole_gpus() -> None:
    """Four quarters on GPUs for one pod each: four dollars."""
    question = problem(
        [sharing("quarter", 250, replicas=4)], [gpu_type("one", 1, 1.0)], [shared("exclusive")]
    )
    decided(question, 4)


def test_time_slicing_advertises_each_gpu_as_often_as_it_has_replicas() -> None:
    """NVIDIA's example: 10 replicas of each of 8 GPUs are 80 nvidia.com/gpu on a DGX."""
    pool = shared("time-slicing", 10)
    question = problem([pod("p", gpu=1, replicas=80)], [gpu_type("dgx", 8, 30.0)], [pool])
    decision = decided(question, 30)
    [claim] = decision.node_claims
    assert (claim.allocatable[GPU], claim.requests[GPU]) == (80, 80)
    decided(problem([pod("p", gpu=1, replicas=81)], [gpu_type("dgx", 8, 30.0)], [pool]), 60)


def test_an_mps_client_gets_its_part_of_the_memory() -> None:
    """Of 16 GiB and four clients each has 4 GiB: 4 GiB fit, 5 GiB never do."""
    pool = shared("mps", 4)
    decided(problem([sharing("m", 250, 4, replicas=4)], [gpu_type("one", 1, 1.0)], [pool]), 1)
    question = problem([sharing("m", 250, 5)], [gpu_type("one", 1, 1.0)], [pool])
    decision = solve(question, PARAMS)
    assert decision.status is SolutionStatus.NONE
    [refused] = decision.unschedulable
    assert "needs more than an MPS client gets" in {refusal.message for refusal in refused.refusals}


def test_more_gpu_memory_than_any_gpu_has_is_refused_by_name() -> None:
    decision = solve(problem([sharing("m", 100, 40)], [gpu_type("one", 1, 1.0)]), PARAMS)
    [refused] = decision.unschedulable
    assert "needs 40Gi of GPU memory" in {refusal.message for refusal in refused.refusals}
    assert not verify(problem([sharing("m", 100, 40)], [gpu_type("one", 1, 1.0)]), decision)


def running_gpu_node(gpus: int, milli: int, count: int) -> ExistingNode:
    """A node of T4s whose running pods have shares of this size."""
    [busy] = [sharing("busy", milli)]
    free = max(0, gpus - count)
    node = existing_node("n", cpu=32, gpu=free, capacity=resources(32, gpu=gpus))
    kind = {"node.kubernetes.io/instance-type": "one"}
    return dataclasses.replace(
        node, pods=(RunningPods(busy.template, count),), labels=tuple(sorted(kind.items()))
    )


def test_the_rest_of_a_running_nodes_only_gpu_is_used() -> None:
    """A running share of 600 leaves 400: of two pods with 300 one stands there, the other needs a GPU."""
    question = problem(
        [sharing("p", 300, replicas=2)], [gpu_type("one", 1, 1.0)], existing=[running_gpu_node(1, 600, 1)]
    )
    decision = decided(question, 1)
    [placement] = decision.existing_placements
    assert sum(pods.count for pods in placement.pods) == 1
    assert placement.devices[0].device == 0


def test_a_gpu_that_is_taken_by_nobody_told_is_not_shared() -> None:
    """The only GPU of a running node is not free, and no pod that is told has it: the share needs another."""
    node = dataclasses.replace(running_gpu_node(1, 600, 1), pods=())
    question = problem([sharing("p", 300)], [gpu_type("one", 1, 1.0)], existing=[node])
    assert not decided(question, 1).existing_placements


def test_the_verifier_lets_nobody_share_a_gpu_that_is_taken_by_nobody_told() -> None:
    node = dataclasses.replace(running_gpu_node(1, 600, 1), pods=())
    free = dataclasses.replace(node, free=resources(32, gpu=1))
    kinds = [gpu_type("one", 1, 1.0)]
    decision = decided(problem([sharing("p", 300)], kinds, existing=[free]), 0)
    found = verify(problem([sharing("p", 300)], kinds, existing=[node]), decision)
    assert any("device 0 is used, the node has 0 for new pods" in text for text in found), found


def test_only_gpus_surely_free_of_running_shares_are_used_where_there_are_several() -> None:
    """Two running shares may be on two of three GPUs: one is surely free, for two halves."""
    question = problem(
        [sharing("p", 500, replicas=3)], [gpu_type("one", 1, 1.0)], existing=[running_gpu_node(3, 100, 2)]
    )
    decision = decided(question, 1)
    assert sum(pods.count for pods in decision.existing_placements[0].pods) == 2


def test_alternatives_hold_the_shares_on_their_devices() -> None:
    """Two shares of 600: a node with one GPU, or two smaller ones, is no substitute for two GPUs."""
    types = [
        gpu_type("two", 2, 2.0),
        gpu_type("one", 1, 2.5),
        gpu_type("small", 2, 3.0, memory_gib=8),
        gpu_type("four", 4, 4.0),
    ]
    decision = decided(problem([sharing("p", 600, memory_gib=9, replicas=2)], types), 2)
    assert [other.instance_type for other in decision.node_claims[0].alternatives] == ["two", "four"]


@st.composite
def share_problems(draw: st.DrawFn) -> Problem:
    """Up to six pods with shares, whole GPUs or none, on up to three types."""
    workloads = []
    for k in range(draw(st.integers(1, 6))):
        gpus = draw(st.sampled_from([0, 1, 1, 1, 1, 2, 3]))
        workload = pod(f"p{k}", cpu=draw(st.integers(1, 4)), gpu=gpus)
        if gpus and draw(st.integers(0, 5)):
            share = GpuShare(
                draw(st.sampled_from([100, 250, 300, 334, 400, 500, 501, 600, 700, 900, 1000])),
                draw(st.sampled_from([0, 0, 0, 2, 5, 8, 12])) * GIB,
            )
            workload = dataclasses.replace(
                workload, template=dataclasses.replace(workload.template, gpu_share=share)
            )
        workloads.append(workload)
    types = [
        gpu_type(f"t{k}", gpus, draw(st.integers(1, 9)) / 2, draw(st.sampled_from([8, 16])), cpu=cpu)
        for k, (gpus, cpu) in enumerate(
            draw(st.lists(st.tuples(st.integers(0, 3), st.integers(2, 12)), min_size=1, max_size=3))
        )
    ]
    pool = draw(
        st.sampled_from(
            [*[shared("fraction")] * 4, shared("exclusive"), shared("time-slicing", 2), shared("mps", 2)]
        )
    )
    return problem(workloads, types, [pool])


@settings(max_examples=150, deadline=None)
@given(question=share_problems())
def test_brute_force_agrees_about_shares(question: Problem) -> None:
    expected = cheapest_nodes(question)
    decision = solve(question, PARAMS)
    assert not verify(question, decision)
    if expected is None:
        assert decision.status is not SolutionStatus.COMPLETE
    else:
        assert decision.status is SolutionStatus.COMPLETE
        assert decision.cost_microusd_per_hour == expected


def broken(decision: Decision, **change: object) -> Decision:
    """The decision with its first claim changed."""
    first, *others = decision.node_claims
    return dataclasses.replace(decision, node_claims=(dataclasses.replace(first, **change), *others))


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("none", "uses 0 devices, asks for 1"),
        ("far", "device 7 is used"),
        ("together", "holds shares of 1200/1000"),
        ("twice", "uses 2 devices, asks for 1"),
        ("stranger", "of a node they are not on"),
        ("cut", "MIG instances"),
    ],
)
def test_devices_that_do_not_hold_their_pods_are_found_out(change: str, finding: str) -> None:
    question = problem([sharing("p", 600, replicas=2)], [gpu_type("two", 2, 1.0)])
    decision = decided(question, 1)
    [claim] = decision.node_claims
    first, second = claim.devices
    changed = {
        "none": (),
        "far": (first, dataclasses.replace(second, device=7)),
        "together": (first, dataclasses.replace(second, device=first.device)),
        "twice": (first, second, dataclasses.replace(first, device=second.device)),
        "stranger": (first, dataclasses.replace(second, pods=dataclasses.replace(second.pods, first=5))),
        "cut": (first, dataclasses.replace(second, profile="1g.5gb")),
    }[change]
    found = verify(question, broken(decision, devices=changed))
    assert any(finding in text for text in found), found


def test_gpus_bought_but_not_in_use_are_counted_by_device() -> None:
    """Three shares of 500 on a node of four GPUs: two are in use."""
    decision = decided(problem([sharing("p", 500, replicas=3)], [gpu_type("four", 4, 1.0)]), 1)
    [claim] = decision.node_claims
    assert (claim.requests[GPU], claim.allocatable[GPU]) == (2, 4)
    assert Counter(use.device for use in claim.devices).keys() == {0, 1}


def test_shares_keep_their_devices_beside_a_gang_on_one_node() -> None:
    """Two pods that want one node come as one item, before the pods with shares: 600 and 500 on two GPUs."""
    ring = dataclasses.replace(pod("ring", cpu=8, replicas=2), gang="g")
    question = problem([sharing("a", 600), sharing("b", 500), ring], [gpu_type("two", 2, 1.0)])
    gang = Gang("g", topology=(GangTopology(labels.HOSTNAME),))
    decision = decided(dataclasses.replace(question, gangs=(gang,)), 1)
    [claim] = decision.node_claims
    assert sorted(use.pods.workload for use in claim.devices) == [0, 1]

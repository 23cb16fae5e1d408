"""MIG: geometries of NVIDIA's user guide chosen with the packing, worked on paper and against brute force.

https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html
"""

from __future__ import annotations

import dataclasses

import pytest
from binwright_optimizer.model import (
    Decision,
    GpuShare,
    GpuSharing,
    InstanceType,
    NodePool,
    Problem,
    SharingStrategy,
    SolutionStatus,
    Workload,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from builders import GIB, existing_node, instance_type, microusd, node_pool, pod, problem
from gpu_brute_force import GPU, cheapest_nodes
from hypothesis import given, settings
from hypothesis import strategies as st

PARAMS = SolveParams(deadline_s=60.0, gap=0.0)


def gpus(model: str, gpu: int, price: float, memory_gib: int = 40) -> InstanceType:
    kind = instance_type(f"{model}-{gpu}", cpu=64, gpu=gpu, price=price, gpu_model=model)
    return dataclasses.replace(kind, gpu_memory_bytes=memory_gib * GIB)


def mig(profile: str, replicas: int = 1) -> Workload:
    resource = "nvidia.com/mig-" + profile.replace("+", ".")
    return pod(profile.replace("+", "-"), cpu=1, replicas=replicas, **{resource: 1})


def pool(**sharing: bool) -> NodePool:
    return dataclasses.replace(node_pool(), gpu_sharing=GpuSharing(**sharing))


def decided(question: Problem, dollars: float) -> Decision:
    """The decision, which must be complete, right, and proven to be cheapest at this price."""
    decision = solve(question, PARAMS)
    assert not verify(question, decision)
    assert decision.status is SolutionStatus.COMPLETE, decision.unschedulable
    assert decision.cost_microusd_per_hour == microusd(dollars)
    assert not decision.warnings
    return decision


@pytest.mark.parametrize(
    ("model", "profiles"),
    [
        ("a100-40gb", {"7g.40gb": 1}),
        ("a100-40gb", {"4g.20gb": 1, "2g.10gb": 1, "1g.5gb": 1}),
        ("a100-40gb", {"4g.20gb": 1, "1g.5gb": 3}),
        ("a100-40gb", {"3g.20gb": 2}),
        ("a100-40gb", {"3g.20gb": 1, "2g.10gb": 1, "1g.5gb": 2}),
        ("a100-40gb", {"2g.10gb": 3, "1g.5gb": 1}),
        ("a100-40gb", {"1g.5gb": 7}),
        ("a30", {"4g.24gb": 1}),
        ("a30", {"2g.12gb": 1, "1g.6gb": 2}),
        ("a30", {"1g.6gb": 4}),
        ("h100-80gb", {"1g.20gb": 4}),
        ("h100-80gb", {"3g.40gb": 1, "2g.20gb": 1, "1g.10gb": 2}),
        ("h200", {"1g.18gb": 7}),
        ("h200", {"4g.71gb": 1, "3g.71gb": 1}),
    ],
)
def test_geometries_of_the_user_guide_fit_one_gpu(model: str, profiles: dict[str, int]) -> None:
    decision = decided(problem([mig(p, n) for p, n in profiles.items()], [gpus(model, 1, 3.0)]), 3)
    [claim] = decision.node_claims
    assert claim.requests[GPU] == 1
    assert sum(use.pods.count for use in claim.devices) == sum(profiles.values())
    assert not any(name.startswith("nvidia.com/mig-") for name, _ in claim.requests)


@pytest.mark.parametrize(
    ("model", "profiles"),
    [
        ("a100-40gb", {"7g.40gb": 1, "1g.5gb": 1}),
        ("a100-40gb", {"4g.20gb": 2}),
        ("a100-40gb", {"4g.20gb": 1, "3g.20gb": 1, "1g.5gb": 1}),
        ("a100-40gb", {"3g.20gb": 2, "1g.5gb": 1}),
        ("a100-40gb", {"1g.5gb": 8}),
        ("a100-40gb", {"1g.5gb+me": 2}),
        ("a30", {"2g.12gb": 2, "1g.6gb": 1}),
        ("h100-80gb", {"1g.20gb": 5}),
    ],
)
def test_more_than_a_gpu_can_be_cut_into_needs_a_second_one(model: str, profiles: dict[str, int]) -> None:
    decided(problem([mig(p, n) for p, n in profiles.items()], [gpus(model, 1, 3.0)]), 6)


def test_a_gpu_is_whole_or_cut() -> None:
    """One whole GPU and one small instance need two GPUs: the node with two is cheaper than two nodes."""
    types = [gpus("a100-40gb", 1, 3.0), gpus("a100-40gb", 2, 5.0)]
    decision = decided(problem([pod("whole", cpu=1, gpu=1), mig("1g.5gb")], types), 5)
    assert {(use.device, use.profile) for use in decision.node_claims[0].devices} == {(0, "1g.5gb"), (1, "")}


def test_shares_stand_on_gpus_that_are_not_cut() -> None:
    """Two halves on one GPU, seven instances on the other of the node."""
    half = pod("half", cpu=1, gpu=1, replicas=2)
    half = dataclasses.replace(half, template=dataclasses.replace(half.template, gpu_share=GpuShare(500)))
    decision = decided(problem([half, mig("1g.5gb", 7)], [gpus("a100-40gb", 2, 5.0)]), 5)
    assert len({use.device for use in decision.node_claims[0].devices if use.profile}) == 1


def test_the_geometry_of_each_gpu_is_chosen_with_the_packing() -> None:
    """Four of 3g and six of 1g: 3g+3g, 3g+3g (no room beside), and 1g x 6; or with 1g beside one 3g, three
    GPUs as well; two never do, since a GPU with two 3g holds nothing else."""
    decided(problem([mig("3g.20gb", 4), mig("1g.5gb", 6)], [gpus("a100-40gb", 1, 1.0)]), 3)
    decided(problem([mig("3g.20gb", 2), mig("1g.5gb", 6)], [gpus("a100-40gb", 1, 1.0)]), 2)


def test_a_t4_cannot_be_cut_and_says_so() -> None:
    question = problem([mig("1g.5gb")], [gpus("t4", 1, 1.0)])
    decision = solve(question, PARAMS)
    assert not verify(question, decision)
    [refused] = decision.unschedulable
    assert "t4 GPUs offer no MIG profile 1g.5gb" in {refusal.message for refusal in refused.refusals}


def test_pools_that_do_not_cut_gpus_say_so() -> None:
    question = problem([mig("1g.5gb")], [gpus("a100-40gb", 1, 1.0)], [pool(mig=False)])
    [refused] = solve(question, PARAMS).unschedulable
    expected = "GPUs of NodePool default are not cut into MIG profile 1g.5gb (mig false)"
    assert expected in {refusal.message for refusal in refused.refusals}
    assert refused.conflict is not None
    assert refused.conflict.constraints == (
        "request nvidia.com/mig-1g.5gb 1",
        "mig false of NodePool default",
    )


def test_replicas_that_keep_gpus_from_being_cut_are_told() -> None:
    """A GPU with four replicas is not cut; the pod's CPU alone costs the same node, for a dollar."""
    sharing = GpuSharing(SharingStrategy.TIME_SLICING, replicas=4)
    shared = dataclasses.replace(pool(), gpu_sharing=sharing)
    [refused] = solve(problem([mig("1g.5gb")], [gpus("a100-40gb", 1, 1.0)], [shared]), PARAMS).unschedulable
    expected = "GPUs of NodePool default are not cut into MIG profile 1g.5gb (GPU sharing time-slicing)"
    assert expected in {refusal.message for refusal in refused.refusals}
    setting = "GPU sharing (time-slicing, replicas 4) of NodePool default"
    assert refused.conflict is not None
    assert refused.conflict.constraints == ("request nvidia.com/mig-1g.5gb 1", setting)


def test_running_nodes_give_the_instances_that_they_advertise() -> None:
    """Two instances are advertised: the third pod needs a GPU of its own."""
    node = existing_node("n", cpu=8, **{"nvidia.com/mig-1g.5gb": 2})
    question = problem([mig("1g.5gb", 3)], [gpus("a100-40gb", 1, 3.0)], existing=[node])
    decision = decided(question, 3)
    assert sum(pods.count for pods in decision.existing_placements[0].pods) == 2


@st.composite
def mig_problems(draw: st.DrawFn) -> Problem:
    """Up to five pods that ask for instances, shares or whole GPUs, on A100, A30 and T4."""
    workloads = []
    for k in range(draw(st.integers(1, 5))):
        profile = draw(
            st.sampled_from(
                [
                    "1g.5gb",
                    "2g.10gb",
                    "3g.20gb",
                    "4g.20gb",
                    "1g.10gb",
                    "1g.5gb.me",
                    "1g.6gb",
                    "2g.12gb",
                    "",
                    "s",
                ]
            )
        )
        if profile in ("", "s"):
            workload = pod(f"p{k}", cpu=1, gpu=1)
            if profile:
                template = dataclasses.replace(
                    workload.template, gpu_share=GpuShare(draw(st.integers(1, 9)) * 100)
                )
                workload = dataclasses.replace(workload, template=template)
        else:
            workload = pod(
                f"p{k}", cpu=1, **{f"nvidia.com/mig-{profile}": draw(st.sampled_from([1, 1, 1, 2]))}
            )
        workloads.append(workload)
    models = draw(
        st.lists(
            st.sampled_from(["a100-40gb", "a100-40gb", "a30", "t4"]), min_size=1, max_size=2, unique=True
        )
    )
    types = [
        gpus(
            model, draw(st.integers(1, 2)), draw(st.integers(1, 9)) / 2, {"a30": 24, "t4": 16}.get(model, 40)
        )
        for model in models
    ]
    return problem(workloads, types)


@settings(max_examples=100, deadline=None)
@given(question=mig_problems())
def test_brute_force_agrees_about_geometries(question: Problem) -> None:
    expected = cheapest_nodes(question)
    decision = solve(question, PARAMS)
    assert not verify(question, decision)
    if expected is None:
        assert decision.status is not SolutionStatus.COMPLETE
    else:
        assert decision.status is SolutionStatus.COMPLETE
        assert decision.cost_microusd_per_hour == expected


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ("start", "begins at slice 3"),
        ("overlap", "overlap"),
        ("profile", "has MIG instances"),
        ("whole", "both cut and used as a whole"),
        ("model", "cannot be cut into 1g.6gb"),
    ],
)
def test_cuts_that_no_gpu_allows_are_found_out(change: str, finding: str) -> None:
    whole = pod("whole", cpu=1, gpu=1)
    question = problem([mig("2g.10gb", 2), whole], [gpus("a100-40gb", 2, 3.0)])
    decision = decided(question, 3)
    [claim] = decision.node_claims
    cut = [use for use in claim.devices if use.profile]
    rest = [use for use in claim.devices if not use.profile]
    first, second = cut
    uses = {
        "start": [dataclasses.replace(first, start=3), second, *rest],
        "overlap": [dataclasses.replace(first, start=second.start), second, *rest],
        "profile": [dataclasses.replace(first, profile="1g.5gb"), second, *rest],
        "whole": [first, second, *(dataclasses.replace(use, device=first.device) for use in rest)],
        "model": [dataclasses.replace(first, profile="1g.6gb"), second, *rest],
    }[change]
    changed = dataclasses.replace(claim, devices=tuple(uses))
    found = verify(question, dataclasses.replace(decision, node_claims=(changed,)))
    assert any(finding in text for text in found), found

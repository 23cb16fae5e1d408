"""Device claims (DRA, resource.k8s.io structured parameters) against the engine, worked on paper.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/. The nodes: ``t4`` has
one T4 for 1 $/h, ``t4x4`` four for 3 $/h, ``a100`` eight A100 with 40 GB for 20 $/h, ``amd`` four Radeon for
2 $/h, ``plain`` no device for 0.50 $/h.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.accelerators import accelerator_uses
from binwright_optimizer.model import (
    Decision,
    DeviceClaim,
    DeviceRequest,
    DeviceSelector,
    GpuShare,
    GpuSharing,
    InstanceType,
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
from builders import GIB, existing_node, instance_type, microusd, node_pool, pod, problem
from claims_by_hand import MEANING
from gpu_brute_force import cheapest_nodes
from hypothesis import given, settings
from hypothesis import strategies as st

PARAMS = SolveParams(deadline_s=60.0, gap=0.0)
D = 'device.attributes["gpu.nvidia.com"]'
MEMORY = 'device.capacity["gpu.nvidia.com"].memory'
NVIDIA = "device.driver == 'gpu.nvidia.com'"
A100_ONLY = f"{D}.productName.lowerAscii().matches('a100')"


def gpu_type(name: str, model: str, count: int, price: float, memory_gib: int, cpu: int = 16) -> InstanceType:
    kind = instance_type(name, cpu=cpu, gpu=count, price=price, gpu_model=model)
    return dataclasses.replace(kind, gpu_memory_bytes=memory_gib * GIB)


T4 = gpu_type("t4", "t4", 1, 1, 16, cpu=4)
T4X4 = gpu_type("t4x4", "t4", 4, 3, 16)
A100 = gpu_type("a100", "a100-40gb", 8, 20, 40, cpu=64)
AMD = dataclasses.replace(
    instance_type("amd", cpu=16, price=2, gpu_model="radeon-pro-v520", **{"amd.com/gpu": 4}), gpu_count=4
)
PLAIN = instance_type("plain", cpu=16, price=0.5)
KINDS = (T4, T4X4, A100, AMD, PLAIN)


def request(count: int = 1, *selectors: str, name: str = "gpu", admin: bool = False) -> DeviceRequest:
    return DeviceRequest(name, "gpu", tuple(map(DeviceSelector, selectors)), count, admin)


def claim(*requests: Any, name: str = "", **more: Any) -> DeviceClaim:
    """A claim of requests, each one or a tuple of alternatives."""
    ways = tuple(r if isinstance(r, tuple) else (r,) for r in requests)
    return DeviceClaim(name, ways, title=more.pop("title", name or "gpus"), **more)


def claiming(name: str, *claims: DeviceClaim, cpu: float = 1, replicas: int = 1, **more: Any) -> Workload:
    plain = pod(name, cpu=cpu, replicas=replicas, **more)
    return dataclasses.replace(
        plain, template=dataclasses.replace(plain.template, device_claims=tuple(claims))
    )


def decided(question: Problem, dollars: float) -> Decision:
    """The decision, which must be complete, right, and proven to be cheapest at this price."""
    decision = solve(question, PARAMS)
    assert not verify(question, decision)
    assert decision.status is SolutionStatus.COMPLETE, decision.unschedulable
    assert decision.cost_microusd_per_hour == microusd(dollars)
    assert decision.bound_microusd_per_hour == decision.cost_microusd_per_hour
    return decision


def reasons(question: Problem) -> str:
    decision = solve(question, PARAMS)
    assert not verify(question, decision)
    assert decision.unschedulable
    return "; ".join(refusal.message for entry in decision.unschedulable for refusal in entry.refusals)


def bought(decision: Decision) -> list[str]:
    return sorted(claim.instance_type for claim in decision.node_claims)


def test_claimed_devices_are_counted() -> None:
    """Four of one GPU each: 4 $ on t4, 3 $ on t4x4."""
    decision = decided(problem([claiming("p", claim(request(1, NVIDIA)), replicas=4)], KINDS), 3)
    [node] = decision.node_claims
    assert [(use.device, use.claim) for use in node.devices] == [(d, "gpus") for d in range(4)]
    assert node.requests["nvidia.com/gpu"] == 4


def test_claims_and_requests_count_the_same_devices() -> None:
    """Two claim one each, two request one each."""
    question = problem(
        [claiming("p", claim(request(1, NVIDIA)), replicas=2), pod("q", cpu=1, gpu=1, replicas=2)], KINDS
    )
    decision = decided(question, 3)
    assert sorted(use.claim for use in decision.node_claims[0].devices) == ["", "", "gpus", "gpus"]


def test_selectors_decide_which_nodes_suit() -> None:
    """Sixteen GiB is what a T4 has nominally; its driver shows 15."""
    for selector in (
        A100_ONLY,
        f'{MEMORY}.compareTo(quantity("16Gi")) >= 0',
        f'{D}.cudaComputeCapability.isGreaterThan(semver("7.5.0"))',
        f'{D}.architecture != "Turing"',
        f'!({D}.productName in ["Tesla T4"]) || {D}.type == "mig"',
    ):
        decision = decided(problem([claiming("p", claim(request(1, selector)))], KINDS), 20)
        assert bought(decision) == ["a100"]


def test_a_class_without_selectors_takes_devices_of_any_maker() -> None:
    """Four devices: amd for 2."""
    decision = decided(problem([claiming("p", claim(request(1)), replicas=4)], KINDS), 2)
    assert bought(decision) == ["amd"]
    assert decision.node_claims[0].requests["amd.com/gpu"] == 4


def test_all_devices_of_a_node() -> None:
    """Three pods of all devices each: three t4, the cheapest; none shares with a pod that requests one."""
    watch = claiming("p", claim(request(0, NVIDIA)), replicas=3)
    assert bought(decided(problem([watch], KINDS), 3)) == ["t4"] * 3
    question = problem([watch, pod("q", cpu=1, gpu=1)], KINDS)
    assert bought(decided(question, 4)) == ["t4"] * 4


NOPE = "DeviceClass nope.example.com is not among the inputs, and is none that Binwright knows"


def test_a_claim_of_a_class_that_is_not_there_is_met_nowhere() -> None:
    """Every node is refused, those without devices too, and the reason and the way out name the class."""
    question = problem([claiming("p", claim(request(1), missing=NOPE))], KINDS)
    assert f"claim gpus: {NOPE}" in reasons(question)
    [entry] = solve(question, PARAMS).unschedulable
    assert entry.conflict is not None
    assert entry.conflict.constraints == (f"device claim gpus ({NOPE})",)


def test_a_claim_whose_template_is_not_there_is_met_nowhere_and_others_are_placed() -> None:
    """Nobody knows how many devices it has: p waits, though plain would hold it, and q has a t4 for 1 $."""
    gone = claim(missing="ResourceClaimTemplate t is not among the inputs")
    question = problem([claiming("p", gone), claiming("q", claim(request(1, NVIDIA)))], KINDS)
    decision = solve(question, PARAMS)
    assert not verify(question, decision)
    assert bought(decision) == ["t4"]
    assert [entry.pods.workload for entry in decision.unschedulable] == [0]
    assert "claim gpus: ResourceClaimTemplate t is not among the inputs" in reasons(question)


def test_a_shared_claim_that_is_not_there_is_met_only_where_running_pods_have_it() -> None:
    """It has its devices on the node of the pods that run with it; without them, on none."""
    gone = claim(name="team", missing="ResourceClaim team is not among the inputs")
    newcomer = claiming("p", gone, replicas=2)
    assert "claim team: ResourceClaim team is not among the inputs" in reasons(problem([newcomer], KINDS))
    node = existing_node("o", cpu=4)
    node = dataclasses.replace(node, pods=(RunningPods(claiming("r", gone).template, 1),))
    decided(problem([newcomer], KINDS, existing=[node]), 0)


def test_several_requests_of_a_claim_add_up() -> None:
    """One and two are three of four."""
    two = claim(request(1, NVIDIA, name="a"), request(2, NVIDIA, name="b"))
    assert bought(decided(problem([claiming("p", two)], KINDS), 3)) == ["t4x4"]


def test_a_pod_with_two_claims_has_both() -> None:
    both = claiming("p", claim(request(1, NVIDIA), title="a"), claim(request(2, NVIDIA), title="b"))
    [node] = decided(problem([both], KINDS), 3).node_claims
    assert sorted(use.claim for use in node.devices) == ["a", "b", "b"]


def test_the_first_alternative_that_a_node_can_meet_is_taken() -> None:
    """One A100, or else two T4. Two pods: 3 on t4x4, where each has two."""
    either = claim((request(1, A100_ONLY, name="big"), request(2, NVIDIA, name="small")))
    decision = decided(problem([claiming("p", either, replicas=2)], KINDS), 3)
    assert decision.node_claims[0].requests["nvidia.com/gpu"] == 4
    decision = decided(problem([claiming("p", either, replicas=8)], [A100, PLAIN]), 20)
    assert decision.node_claims[0].requests["nvidia.com/gpu"] == 8


def test_alternatives_stand_beside_shares_of_gpus() -> None:
    """A pod of two T4 or one A100, and halves: on t4x4 two devices are left for four halves."""
    either = claim((request(1, A100_ONLY, name="big"), request(2, NVIDIA, name="small")))
    half = pod("half", cpu=1, gpu=1, replicas=4)
    half = dataclasses.replace(half, template=dataclasses.replace(half.template, gpu_share=GpuShare(500)))
    decision = decided(problem([claiming("p", either), half], KINDS), 3)
    assert decision.node_claims[0].requests["nvidia.com/gpu"] == 4
    more = dataclasses.replace(half, replicas=5)
    assert bought(decided(problem([claiming("p", either), more], KINDS), 4)) == ["t4", "t4x4"]


def test_attributes_that_must_match_must_be_there() -> None:
    same = claim(request(2, NVIDIA), match_attributes=("gpu.nvidia.com/productName",))
    assert bought(decided(problem([claiming("p", same)], KINDS), 3)) == ["t4x4"]
    root = claim(request(2, NVIDIA), match_attributes=("resource.kubernetes.io/pcieRoot",))
    assert "resource.kubernetes.io/pcieRoot, which must match, is not known" in reasons(
        problem([claiming("p", root)], KINDS)
    )


def test_admin_access_takes_no_device() -> None:
    """A watcher beside four pods that have all devices."""
    watcher = claiming("w", claim(request(0, NVIDIA, admin=True)))
    workers = claiming("p", claim(request(4, NVIDIA)))
    assert bought(decided(problem([watcher, workers], KINDS), 3)) == ["t4x4"]


def test_pods_that_share_a_claim_share_a_node_and_its_devices() -> None:
    """Three pods share two devices: one t4x4 holds them, and two more pods with one each."""
    shared = claim(request(2, NVIDIA), name="team")
    question = problem(
        [
            claiming("a", shared, replicas=2),
            claiming("b", shared),
            claiming("c", claim(request(1, NVIDIA)), replicas=2),
        ],
        KINDS,
    )
    [node] = decided(question, 3).node_claims
    assert node.requests["nvidia.com/gpu"] == 4
    assert {use.device for use in node.devices if use.claim == "team"} == {0, 1}


def test_a_shared_claim_of_a_workload_without_pods_takes_nothing() -> None:
    """Scaled to 0: the other pod runs on a ``plain`` node for 0.50 $/h, and nobody has a device."""
    scaled_down = claiming("none", claim(request(4), name="team"), replicas=0)
    question = problem([scaled_down, pod("web", cpu=1)], KINDS)
    decision = solve(question, PARAMS)
    assert verify(question, decision) == ()
    assert decision.cost_microusd_per_hour == microusd(0.5)


def test_a_shared_claim_stands_beside_shares_of_gpus() -> None:
    """Two pods share two T4; four halves have the other two; a fifth pays for a t4."""
    half = pod("half", cpu=1, gpu=1, replicas=4)
    half = dataclasses.replace(half, template=dataclasses.replace(half.template, gpu_share=GpuShare(500)))
    team = claiming("a", claim(request(2, NVIDIA), name="team"), replicas=2)
    [node] = decided(problem([half, team], KINDS), 3).node_claims
    assert {use.device for use in node.devices if use.claim} == {2, 3}
    decided(problem([dataclasses.replace(half, replicas=5), team], KINDS), 4)


def test_claims_of_one_name_in_two_namespaces_are_two() -> None:
    shared = claim(request(3, NVIDIA), name="team")
    question = problem([claiming("a", shared), claiming("b", shared, namespace="shop")], KINDS)
    assert bought(decided(question, 6)) == ["t4x4", "t4x4"]


def test_pods_that_share_a_claim_come_to_no_two_nodes() -> None:
    """Five pods of 4 CPUs and one GPU between them: 20 CPUs are an a100, though four t4 would be cheaper."""
    shared = claim(request(1, NVIDIA), name="team")
    assert bought(decided(problem([claiming("a", shared, cpu=4, replicas=5)], KINDS), 20)) == ["a100"]


def running_on(name: str, *claims: DeviceClaim, free: int) -> Any:
    node = existing_node(name, cpu=4, gpu=free, node_labels={labels.INSTANCE_TYPE: "t4x4"})
    template = claiming("old", *claims).template
    return dataclasses.replace(node, capacity=T4X4.capacity, pods=(RunningPods(template, 1),))


def test_newcomers_join_a_claim_where_it_has_its_devices() -> None:
    shared = claim(request(4, NVIDIA), name="team")
    node = running_on("old", shared, free=4)
    decision = decided(problem([claiming("a", shared)], KINDS, existing=[node]), 0)
    assert decision.existing_placements[0].devices == ()


def test_devices_that_running_pods_claim_are_taken() -> None:
    """Three of four are taken: one pod of two goes to the running node, the other to a t4."""
    node = running_on("old", claim(request(3, NVIDIA)), free=4)
    question = problem([claiming("a", claim(request(1, NVIDIA)), replicas=2)], KINDS, existing=[node])
    decision = decided(question, 1)
    assert len(decision.existing_placements[0].devices) == 1


def test_all_devices_of_a_running_node_are_given_while_none_is_taken() -> None:
    busy = running_on("old", claim(request(1, NVIDIA)), free=4)
    free = dataclasses.replace(busy, pods=())
    everything = claiming("a", claim(request(0, NVIDIA)))
    decided(problem([everything], KINDS, existing=[free]), 0)
    decided(problem([everything], KINDS, existing=[busy]), 1)


def test_an_allocated_claim_pins_its_pods() -> None:
    """It has two devices of the node already: its pods go there, two are left, a third buys a t4."""
    shared = claim(request(2, NVIDIA), name="team", node="old")
    node = dataclasses.replace(running_on("old", free=4), pods=())
    question = problem(
        [claiming("a", shared), claiming("b", claim(request(1, NVIDIA)), replicas=3)], KINDS, existing=[node]
    )
    decision = decided(question, 1)
    assert sum(pods.count for pods in decision.existing_placements[0].pods) == 3


def test_a_claim_allocated_on_an_unknown_node_leaves_its_pods_out() -> None:
    shared = claim(request(1, NVIDIA), name="team", node="gone")
    assert "claim team has its devices on gone" in reasons(problem([claiming("a", shared)], KINDS))


def test_a_claim_without_requests_asks_for_nothing() -> None:
    """The plain node for 0.50."""
    assert bought(decided(problem([claiming("p", claim())], KINDS), 0.5)) == ["plain"]


def test_claimed_devices_are_used_and_the_others_are_not() -> None:
    """Three of four: two that two pods share, and one."""
    shared = claim(request(2, NVIDIA), name="team")
    question = problem([claiming("a", shared, replicas=2), claiming("b", claim(request(1, NVIDIA)))], KINDS)
    [use] = accelerator_uses(question, decided(question, 3).node_claims)
    assert (use.bought, use.used_milli, use.stranded_milli) == (4, 3_000, 0)


def test_replicas_of_devices_are_not_claimed() -> None:
    """What a device plugin advertises four times over is no device to claim."""
    slices = dataclasses.replace(
        node_pool(), gpu_sharing=GpuSharing(SharingStrategy.TIME_SLICING, replicas=4)
    )
    question = problem([claiming("p", claim(request(1, NVIDIA)))], [T4], [slices])
    assert "claim gpus: the node has no devices that can be claimed" in reasons(question)


def test_reasons_name_claim_and_request() -> None:
    told = reasons(problem([claiming("p", claim(request(16, NVIDIA)))], KINDS))
    assert "claim gpus, request gpu: wants 16 devices of one node" in told
    told = reasons(problem([claiming("p", claim(request(1, f'{D}.type == "mig"')))], KINDS))
    assert "claim gpus, request gpu: its selectors refuse the devices" in told
    told = reasons(problem([claiming("p", claim(request(1, f'{D}.driverVersion == "x"')))], KINDS))
    assert "gpu.nvidia.com/driverVersion is not known before a node exists" in told


def test_the_conflict_names_the_claim() -> None:
    """An A100 on a t4; neither alone is too much."""
    question = problem(
        [claiming("p", claim(request(1, A100_ONLY)), selector={labels.INSTANCE_TYPE: "t4"})], KINDS
    )
    [entry] = solve(question, PARAMS).unschedulable
    assert entry.conflict is not None
    assert set(entry.conflict.constraints) == {
        "device claim gpus (1 of gpu)",
        f"node selector {labels.INSTANCE_TYPE} In [t4]",
    }


@st.composite
def claims_beside_parts(draw: st.DrawFn) -> Problem:
    """Up to five pods with claims, shares, MIG instances or whole GPUs, on T4 and A100."""
    requests = st.builds(
        lambda count, text: request(count, text),
        st.sampled_from([0, 1, 1, 2]),
        st.sampled_from(sorted(MEANING)),
    )
    ways = st.lists(requests, min_size=1, max_size=2).map(tuple)
    workloads = []
    for k in range(draw(st.integers(1, 5))):
        match draw(st.sampled_from(["claim", "claim", "share", "mig", "whole"])):
            case "claim":
                workloads.append(claiming(f"p{k}", claim(*draw(st.lists(ways, min_size=1, max_size=2)))))
            case "share":
                plain = pod(f"p{k}", cpu=1, gpu=draw(st.sampled_from([1, 1, 2])))
                share = GpuShare(draw(st.integers(1, 9)) * 100)
                template = dataclasses.replace(plain.template, gpu_share=share)
                workloads.append(dataclasses.replace(plain, template=template))
            case "mig":
                workloads.append(pod(f"p{k}", cpu=1, **{"nvidia.com/mig-3g.20gb": 1}))
            case _:
                workloads.append(pod(f"p{k}", cpu=1, gpu=1))
    kinds = [
        gpu_type(f"{model}-{count}", model, count, draw(st.integers(1, 9)) / 2, memory)
        for model, memory in draw(
            st.lists(st.sampled_from([("t4", 16), ("a100-40gb", 40)]), min_size=1, max_size=2, unique=True)
        )
        for count in draw(st.sampled_from([(1,), (2,), (3,), (1, 2)]))
    ]
    return problem(workloads, kinds)


@settings(max_examples=60, deadline=None)
@given(question=claims_beside_parts())
def test_brute_force_agrees_about_claims_beside_parts_of_gpus(question: Problem) -> None:
    expected = cheapest_nodes(question)
    decision = solve(question, PARAMS)
    assert not verify(question, decision)
    assert (decision.status is SolutionStatus.COMPLETE) == (expected is not None)
    if expected is not None:
        assert decision.cost_microusd_per_hour == expected

"""Unschedulable pods say which constraint refused how many offerings, and what came closest."""

from __future__ import annotations

import dataclasses

import pytest
from binwright_optimizer.explain import TAKEN, explain
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import (
    AttachLimit,
    ExistingNode,
    Gang,
    GangTopology,
    GpuShare,
    InstanceType,
    LabelSelector,
    NodePool,
    PodAffinity,
    PodAffinityTerm,
    PodRange,
    Problem,
    Refusal,
    RunningPods,
    SolutionStatus,
    StopReason,
    TopologySpread,
    Unschedulable,
    Volume,
    WhenUnsatisfiable,
    Workload,
)
from binwright_optimizer.model import labels as known_labels
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import NONE_PLACED, NOT_ASKED, UNDECIDED, solve
from builders import existing_node, instance_type, node_pool, pod, problem, requires

SMALL = instance_type("small", cpu=4, memory_gib=8, pods=10, price=1)
LARGE = instance_type("large", cpu=8, memory_gib=16, gpu=1, pods=20, price=2)


def reasons(workload: Workload, types=(SMALL, LARGE), pools=None, **others) -> Unschedulable:
    """Why the workload's pods stay out, as if none of them had been placed."""
    instance = build_instance(problem([workload], types, pools, **others))
    (found,) = explain(instance, (PodRange(0, 0, workload.replicas),))
    assert found.pods == PodRange(0, 0, workload.replicas)
    return found


def test_too_much_cpu_names_the_largest_offer_and_the_nearest_miss() -> None:
    """9 cpu: 4 of 9 are missing on ``large`` and more on ``small``."""
    found = reasons(pod(cpu=9))
    assert found.refusals == (Refusal("cpu", 2, "requests cpu 9; the most any has is 8"),)
    assert found.nearest_miss == "large (on-demand) in zone-a of NodePool default has cpu 8 of 9"


def test_too_much_memory() -> None:
    found = reasons(pod(memory_gib=20))
    assert found.refusals == (Refusal("memory", 2, "requests memory 20Gi; the most any has is 16Gi"),)
    assert found.nearest_miss == "large (on-demand) in zone-a of NodePool default has memory 16Gi of 20Gi"


def test_too_many_gpus() -> None:
    found = reasons(pod(gpu=2))
    assert found.refusals == (
        Refusal("nvidia.com/gpu", 2, "requests nvidia.com/gpu 2; the most any has is 1"),
    )
    assert found.nearest_miss.endswith(
        "large (on-demand) in zone-a of NodePool default has nvidia.com/gpu 1 of 2"
    )


def test_a_node_without_pod_slots_left_is_refused_for_pods() -> None:
    full = existing_node("full", cpu=8, capacity=SMALL.capacity)
    found = reasons(pod(cpu=1), types=(), existing=[full])
    assert found.refusals == (Refusal("pods", 1, "requests pods 1; the most any has is 0"),)
    assert found.nearest_miss == "node full has pods 0 of 1"


def test_two_shortages_on_different_types_are_both_told() -> None:
    """8 cpu and a GPU: ``small`` lacks both, ``large`` memory."""
    found = reasons(pod(cpu=8, memory_gib=17, gpu=1))
    assert {(r.constraint, r.refused) for r in found.refusals} == {
        ("cpu", 1),
        ("memory", 2),
        ("nvidia.com/gpu", 1),
    }
    assert found.refusals[0].constraint == "memory"
    assert found.nearest_miss == "large (on-demand) in zone-a of NodePool default has memory 16Gi of 17Gi"


def test_a_taint_that_is_not_tolerated() -> None:
    found = reasons(pod(cpu=1), pools=[node_pool("p", taints=["team=x:NoSchedule"])])
    assert found.refusals == (Refusal("taint", 2, "taint team=x:NoSchedule is not tolerated"),)
    assert found.nearest_miss == ""


def test_a_node_selector_that_no_offering_has() -> None:
    found = reasons(pod(cpu=1, selector={known_labels.ARCH: "arm64"}))
    message = "node selector kubernetes.io/arch In [arm64] does not match"
    assert found.refusals == (Refusal("node-affinity", 2, message),)


def test_each_part_of_a_node_selector_counts_what_it_refuses() -> None:
    found = reasons(pod(cpu=1, selector={known_labels.INSTANCE_TYPE: "small", known_labels.ZONE: "mars"}))
    assert {(r.refused, r.message) for r in found.refusals} == {
        (1, "node selector node.kubernetes.io/instance-type In [small] does not match"),
        (2, "node selector topology.kubernetes.io/zone In [mars] does not match"),
    }


def test_a_node_affinity_that_no_offering_meets_is_told_with_its_alternatives() -> None:
    affinity = [(requires("disk", "In", "ssd"), requires("cpu", "Gt", "4")), (requires("disk", "Exists"),)]
    found = reasons(pod(cpu=1, affinity=affinity))
    message = "node affinity disk In [ssd] and cpu Gt [4] or disk Exists does not match"
    assert found.refusals == (Refusal("node-affinity", 2, message),)


def test_a_limit_of_the_node_pool() -> None:
    """Every offering would hold the pod: only the limit refuses."""
    found = reasons(pod(cpu=1, replicas=9), pools=[node_pool("p", limits={"cpu": 500}, max_nodes=2)])
    assert found.refusals == (Refusal("limit", 2, "NodePool p may add at most cpu 500m, nodes 2"),)


def test_few_available_nodes() -> None:
    scarce = instance_type("scarce", cpu=4, price=1, available=1)
    found = reasons(pod(cpu=4, replicas=3), types=(scarce,))
    assert found.refusals == (Refusal("availability", 1, "few nodes of the offering are available"),)


def test_limits_and_scarcity_refuse_only_what_would_hold_the_pod_otherwise() -> None:
    """A pod of 9 cpu fits neither type, so that their limit and supply do not matter."""
    scarce = instance_type("scarce", cpu=4, price=1, available=1)
    found = reasons(pod(cpu=9), types=(scarce,), pools=[node_pool("p", max_nodes=1)])
    assert [r.constraint for r in found.refusals] == ["cpu"]
    found = reasons(
        pod(cpu=1), types=(scarce,), pools=[node_pool("p", taints=["a=b:NoSchedule"], max_nodes=1)]
    )
    assert [r.constraint for r in found.refusals] == ["taint"]


def test_room_taken_by_other_pods() -> None:
    found = reasons(pod(cpu=2, replicas=3), types=(), existing=[existing_node("n", cpu=4)])
    message = "offerings and nodes that would hold it are taken by other pods"
    assert found.refusals == (Refusal("limit", 1, message),)


def test_no_offering_at_all() -> None:
    found = reasons(pod(cpu=1), types=())
    assert found.refusals == (Refusal("offering", 0, "no NodePool can buy any offering of the catalogue"),)
    assert found.nearest_miss == ""


def test_the_nearest_miss_is_the_least_share_missing_on_what_selectors_admit() -> None:
    """9 of 10 cpu on a tainted node would be nearer, but the pod does not tolerate it."""
    near = existing_node("near", cpu=9, taints=["a=b:NoSchedule"])
    found = reasons(pod(cpu=10), existing=[near, existing_node("far", cpu=1)])
    assert found.nearest_miss == "large (on-demand) in zone-a of NodePool default has cpu 8 of 10"


def test_pods_of_one_kind_share_their_reasons() -> None:
    instance = build_instance(problem([pod("a", cpu=9), pod("b", cpu=9), pod("c", gpu=3)], [SMALL, LARGE]))
    a, b, c = explain(instance, (PodRange(0, 0, 1), PodRange(1, 0, 1), PodRange(2, 0, 1)))
    assert a.refusals == b.refusals
    assert c.refusals[0].constraint == "nvidia.com/gpu"


def ganged(question: Problem, *gangs: Gang) -> list[tuple[Refusal, ...]]:
    """Refusals by workload, as if no pod of any had been placed."""
    instance = build_instance(dataclasses.replace(question, gangs=gangs))
    left_out = tuple(PodRange(w, 0, each.replicas) for w, each in enumerate(question.workloads))
    return [entry.refusals for entry in explain(instance, left_out)]


def member(name: str, replicas: int = 1, **others: float) -> Workload:
    return dataclasses.replace(pod(name, replicas=replicas, **others), gang="ring")  # type: ignore[arg-type]


def test_a_gang_that_has_too_few_members_says_how_many_it_lacks() -> None:
    [refusals] = ganged(problem([member("a", 2, cpu=1)], [SMALL]), Gang("ring", min_members=3))
    assert refusals == (Refusal("gang", 1, "gang ring needs at least 3 members and has only 2"),)


def test_running_members_count_for_a_gang_that_is_short() -> None:
    running = RunningPods(member("old", cpu=1).template, 2, gang="ring")
    node = dataclasses.replace(existing_node("n", cpu=0, pods=9), pods=(running,))
    question = problem([member("a", cpu=1)], [SMALL], existing=[node])
    [refusals] = ganged(question, Gang("ring", min_members=5))
    message = "gang ring needs at least 5 members and has only 3, 2 of them running"
    assert Refusal("gang", 1, message) in refusals


def test_a_gang_names_those_of_its_members_that_no_node_holds() -> None:
    """9 CPUs fit no node, so that the one pod of 1 CPU, which fits both, waits as well."""
    small, large = ganged(problem([member("a", cpu=1), member("b", cpu=9)], [SMALL, LARGE]), Gang("ring"))
    told = "gang ring is placed with all of its 2 members or not at all; no node holds pods of Pod b"
    assert small == (Refusal("gang", 2, told),)
    assert large == (Refusal("cpu", 2, "requests cpu 9; the most any has is 8"),)


def test_a_mig_profile_that_no_gpu_has_is_told_once_with_what_is_like_it() -> None:
    found = reasons(pod(cpu=1, **{"nvidia.com/mig-1g.6bg": 1}))
    message = "requests nvidia.com/mig-1g.6bg 1; no GPU offers this MIG profile, similar are 1g.6gb"
    [refusal] = found.refusals
    assert (refusal.constraint, refusal.refused) == ("nvidia.com/mig-1g.6bg", 2)
    assert refusal.message.startswith(message)


def sharing(milli: int, memory: int = 0, gpus: int = 1) -> Workload:
    plain = pod(gpu=gpus)
    return dataclasses.replace(
        plain, template=dataclasses.replace(plain.template, gpu_share=GpuShare(milli, memory))
    )


def test_a_share_that_a_running_gpu_has_not_left_is_told_in_the_words_of_the_annotation() -> None:
    """Of the node's only GPU 600 thousandths are taken: 500 do not fit beside them."""
    capacity = dataclasses.replace(existing_node("n", gpu=1)).free
    running = RunningPods(sharing(600).template)
    node = dataclasses.replace(existing_node("n", cpu=4), capacity=capacity, pods=(running,))
    found = reasons(sharing(500), types=(), existing=[node])
    message = (
        "requests nvidia.com/gpu 1 with gpu-milli 500: 500 thousandths of a GPU; the most any has is 400"
    )
    assert found.refusals == (Refusal("nvidia.com/gpu", 1, message),)
    assert found.nearest_miss == "node n has 400 of 500 thousandths of a GPU"


def test_parts_of_gpus_have_no_names_of_ours_in_any_reason() -> None:
    """An A100 with 40 GB has room for one 4g.20gb, and none for two of them; T4s cannot be cut."""
    cut = instance_type("cut", cpu=4, gpu=1, gpu_model="a100-40gb", price=3)
    whole = instance_type("whole", cpu=4, gpu=1, gpu_model="t4", price=1)
    found = reasons(pod(cpu=1, **{"nvidia.com/mig-4g.20gb": 2}), types=(cut, whole))
    told = " ".join([r.constraint + r.message for r in found.refusals] + [found.nearest_miss])
    assert "nvidia.com/mig-4g.20gb 2" in told
    assert not any(name in told for name in ("gpu-compute", "gpu-milli", "gpu-memory"))


def test_the_nearest_miss_of_a_share_names_the_gpu_that_is_missing_and_not_its_sums() -> None:
    found = reasons(sharing(500, 2**30), types=(SMALL,))
    assert found.nearest_miss == "small (on-demand) in zone-a of NodePool default has nvidia.com/gpu 0 of 1"


def nearest(workload: Workload, *types: InstanceType, pool: NodePool | None = None) -> str:
    """The nearest miss without the words that all share."""
    found = reasons(workload, types, None if pool is None else [pool]).nearest_miss
    return found.replace(" (on-demand) in zone-a of NodePool default", "")


def test_volumes_beyond_what_a_node_attaches_are_told_by_driver() -> None:
    plain = pod(cpu=1)
    volumes = (Volume("a", driver="disk.csi"), Volume("b", driver="disk.csi"))
    mounting = dataclasses.replace(plain, template=dataclasses.replace(plain.template, volumes=volumes))
    kind = dataclasses.replace(SMALL, attach_limits=(AttachLimit("disk.csi", 1),))
    found = reasons(mounting, types=(kind,))
    message = "requests volumes of disk.csi 2; the most any has is 1"
    assert found.refusals == (Refusal("volumes of disk.csi", 1, message),)


WEB = dataclasses.replace(pod("web", cpu=1).template, labels=(("app", "web"),))
TO_WEB = PodAffinityTerm(known_labels.ZONE, LabelSelector.of_labels({"app": "web"}))
DB = dataclasses.replace(
    pod("db").template, labels=(("app", "db"),), pod_anti_affinity=PodAffinity((TO_WEB,))
)


def running_in(zone: str, *pods: RunningPods) -> ExistingNode:
    node = existing_node(f"n-{zone}", cpu=4, node_labels={known_labels.ZONE: zone})
    return dataclasses.replace(node, pods=pods)


def test_running_pods_that_keep_others_away_are_named_with_their_term() -> None:
    """Both types are sold in zone-a only, where db-0 keeps web away; the node in zone-b is open."""
    web = dataclasses.replace(pod("web"), template=WEB)
    there = running_in("zone-a", RunningPods(DB, 1, names=("db-0",)))
    found = reasons(web, existing=[there, running_in("zone-b")])
    message = (
        "anti-affinity by topology.kubernetes.io/zone to app In [web] of running pods db-0 (on n-zone-a)"
    )
    assert Refusal("pod-anti-affinity", 3, message) in found.refusals


def test_running_pods_without_names_are_told_by_their_labels() -> None:
    web = dataclasses.replace(pod("web"), template=WEB)
    [refusal] = reasons(web, existing=[running_in("zone-a", RunningPods(DB, 2, "shop"))]).refusals
    assert (
        refusal.constraint == "limit"
    )  # nobody: anti-affinity without namespaces is about the pod's own namespace
    web = dataclasses.replace(web, namespace="shop")
    [refusal] = reasons(web, existing=[running_in("zone-a", RunningPods(DB, 2, "shop"))]).refusals
    assert refusal.message.endswith("of 2 running pods with app=db in shop (on n-zone-a)")


def test_anti_affinity_of_its_own_names_the_nodes_where_such_pods_run() -> None:
    template = dataclasses.replace(WEB, pod_anti_affinity=PodAffinity((TO_WEB,)))
    web = dataclasses.replace(pod("web"), template=template)
    [refusal] = reasons(web, existing=[running_in("zone-a", RunningPods(WEB))]).refusals
    assert refusal == Refusal(
        "pod-anti-affinity",
        3,
        "pod anti-affinity by topology.kubernetes.io/zone to app In [web]: such pods run on n-zone-a",
    )


def test_anti_affinity_of_running_pods_by_host_closes_their_own_node_only() -> None:
    term = dataclasses.replace(TO_WEB, topology_key=known_labels.HOSTNAME)
    template = dataclasses.replace(DB, pod_anti_affinity=PodAffinity((term,)))
    web = dataclasses.replace(pod("web"), template=WEB)
    found = reasons(
        web, types=(), existing=[running_in("zone-a", RunningPods(template)), running_in("zone-b")]
    )
    assert {(r.constraint, r.refused) for r in found.refusals} == {("pod-anti-affinity", 1), ("limit", 1)}


RACK = "example.com/rack"
IN_RACKS = TopologySpread(RACK, 1, selector=LabelSelector.of_labels({"app": "web"}))


def spread_web(**others: float) -> Workload:
    template = dataclasses.replace(pod(**others).template, labels=WEB.labels, topology_spread=(IN_RACKS,))
    return dataclasses.replace(pod("web"), template=template)


def test_a_topology_key_that_no_node_has_is_a_reason_of_its_own() -> None:
    """Two types are sold and one node runs, none of them in a rack: all three are refused, by name."""
    found = reasons(spread_web(), existing=[running_in("zone-b")])
    message = f"no node has the label {RACK}, which its topology spread needs"
    assert found.refusals == (Refusal("topology", 3, message),)


def test_affinity_and_wishes_by_a_topology_key_that_no_node_has() -> None:
    """Affinity refuses both types; neither a spread that is a wish nor anti-affinity needs the label."""
    term = dataclasses.replace(TO_WEB, topology_key=RACK)
    wish = dataclasses.replace(IN_RACKS, when_unsatisfiable=WhenUnsatisfiable.SCHEDULE_ANYWAY)
    near = dataclasses.replace(WEB, pod_affinity=PodAffinity((term,)), topology_spread=(wish,))
    found = reasons(dataclasses.replace(pod("web"), template=near))
    message = f"no node has the label {RACK}, which its pod affinity to app In [web] needs"
    assert found.refusals == (Refusal("topology", 2, message),)
    away = dataclasses.replace(WEB, pod_anti_affinity=PodAffinity((term,)), topology_spread=(wish,))
    found = reasons(dataclasses.replace(pod("web"), template=away))
    assert found.refusals == (Refusal("limit", 2, TAKEN),)


def test_what_lacks_nothing_but_the_label_is_the_nearest_miss() -> None:
    """``small`` lacks the rack and 2 of 6 CPUs, ``large`` the rack."""
    asking = spread_web(cpu=6)
    assert nearest(asking, SMALL, LARGE) == f"large has no label {RACK}"
    assert nearest(asking, SMALL) == f"small has cpu 4 of 6, no label {RACK}"


def test_a_topology_of_a_gang_that_no_node_has() -> None:
    """The gang's members would fit both types; the pod of nobody's gang is not concerned."""
    ring = Gang("ring", topology=(GangTopology(RACK),))
    mine, other = ganged(problem([member("a", cpu=1), pod("b", cpu=1)], [SMALL, LARGE]), ring)
    message = f"no node has the label {RACK}, which the topology of gang ring needs"
    assert mine == (Refusal("topology", 2, message),)
    assert other == (Refusal("limit", 2, TAKEN),)


def test_only_those_that_lack_the_label_are_refused_where_others_have_it() -> None:
    """The NodePool with racks r1 and r2 has one type twice; its twin without racks is refused."""
    racks = [node_pool("racked", requires(RACK, "In", "r1", "r2")), node_pool("plain")]
    found = reasons(spread_web(), types=(SMALL,), pools=racks)
    message = f"these lack the label {RACK}, which its topology spread needs"
    assert set(found.refusals) == {Refusal("topology", 1, message), Refusal("limit", 2, TAKEN)}


def crowded() -> Problem:
    """Two pods of 3 CPU for a node with 4: each fits by itself, both do not."""
    return problem([pod("a", cpu=3), pod("b", cpu=3)], existing=[existing_node("n", cpu=4)])


def test_other_pods_are_blamed_where_the_search_ended_with_them_in_place() -> None:
    decision = solve(crowded(), SolveParams(deadline_s=60.0))
    [entry] = decision.unschedulable
    assert entry.refusals == (Refusal("limit", 1, TAKEN),)
    assert decision.stop_reason is StopReason.OPTIMAL


@pytest.mark.parametrize(
    ("params", "ended"),
    [
        (SolveParams(deadline_s=1e-6), StopReason.DEADLINE),
        (SolveParams(deadline_s=60.0, work_limit=1), StopReason.WORK_LIMIT),
    ],
)
def test_nobody_is_blamed_where_the_time_ended_before_that_was_known(
    params: SolveParams, ended: StopReason
) -> None:
    """Nor is the answer called optimal, though its cost of 0 is proven: more pods might have a place."""
    decision = solve(crowded(), params)
    [entry] = decision.unschedulable
    assert entry.refusals == (Refusal("undecided", 1, UNDECIDED),)
    assert entry.conflict is None
    assert decision.stop_reason is ended


def test_workloads_beyond_those_that_are_looked_into_are_told_as_undecided_with_time_left() -> None:
    """Of 30 pods of 3 CPU the node of 4 takes one; 20 of the others are looked into."""
    pods = [pod(f"w{n:02d}", cpu=3) for n in range(30)]
    decision = solve(problem(pods, existing=[existing_node("n", cpu=4)]), SolveParams(deadline_s=60.0))
    messages = [entry.refusals[0].message for entry in decision.unschedulable]
    assert messages == [TAKEN] * 20 + [NOT_ASKED] * 9


def test_a_decision_without_any_pod_warns_that_its_bound_says_nothing() -> None:
    """Nine CPUs fit no node: nothing is bought, and 0 is a bound on that."""
    decision = solve(problem([pod(cpu=9)], [SMALL]), SolveParams(deadline_s=60.0))
    assert (decision.status, decision.bound_microusd_per_hour) == (SolutionStatus.NONE, 0)
    assert decision.warnings[0] == NONE_PLACED
    some = solve(problem([pod("a", cpu=9), pod("b", cpu=1)], [SMALL]), SolveParams(deadline_s=60.0))
    assert NONE_PLACED not in some.warnings

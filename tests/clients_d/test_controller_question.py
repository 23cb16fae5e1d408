"""The question that the controller asks: what is on its way counts as what it will be."""

from __future__ import annotations

from typing import Any

import pytest
from binwright.v1 import decision_pb2, provisioning_service_pb2
from binwright_clients.cli.question import build_question
from binwright_clients.controller.cycle import Plan
from binwright_clients.controller.nomination import judged, nominated
from binwright_clients.controller.observation import Observation, observe
from binwright_clients.controller.planner import Asked, OptimizingPlanner
from binwright_clients.controller.question import problem_objects
from binwright_clients.sources import Source
from binwright_server.local import solve_locally
from controller_world import PATIENCE, claim_json
from kube_double import node, node_class, node_pool, pod

Json = dict[str, Any]

NODE_CLASS = {"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", **node_class()}
POOL = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", **node_pool()}
EPHEMERAL = [
    {"key": "karpenter.sh/unregistered", "effect": "NoExecute"},
    {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
    {"key": "node.cilium.io/agent-not-ready", "value": "true", "effect": "NoExecute"},
]


def test_the_room_of_pods_that_are_not_bound_yet_is_taken() -> None:
    """Pod a was promised the node n1; pod b, which is to be placed, must not find that room free."""
    claim = claim_json("general-a", ["uid-default-a"], 0.0)
    claim["status"] = {"providerID": "i-1", "nodeName": "n1"}
    waiting = [{"kind": "Pod", **pod(name)} for name in ("a", "b", "c")]
    seen = observe([claim, {"kind": "Node", **node("n1")}, *waiting])
    pods = {
        item["metadata"]["name"]: item["spec"].get("nodeName", "")
        for item in problem_objects(seen, {"uid-default-b"})
        if item["kind"] == "Pod"
    }
    assert pods == {"a": "n1", "b": ""}


# --- what the optimizer makes of it -----------------------------------------------------------------


def ask_for(source: Source) -> Asked:
    question = build_question((), snapshot=source)
    return Asked(question.request, dict(question.node_classes), "aws", question.origins)


def solve(request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
    return solve_locally(request, lambda _progress: None)


def plan_for(seen: Observation, *names: str) -> Plan:
    wanted = [each for each in seen.pending.values() if each.name in names]
    return OptimizingPlanner(ask_for, solve, print)(seen, wanted, ())


def bought(plan: Plan) -> list[list[str]]:
    return sorted(sorted(each.name for each in claim.pods) for claim in plan.claims)


def placed(plan: Plan) -> dict[str, str]:
    return {each.name: where for each, where in plan.on_existing}


def pods_of(*found: Json) -> list[Json]:
    return [{"apiVersion": "v1", "kind": "Pod", **each} for each in found]


def launched(name: str, *pods: str, cpu: str = "500m") -> Json:
    """A claim of ours with a machine of 8 CPU, which daemons take 100m of."""
    claim = claim_json(name, [f"uid-default-{each}" for each in pods], 0.0)
    milli = (500 if cpu == "500m" else int(cpu) * 1000) * len(pods) + 100
    claim["apiVersion"] = "karpenter.sh/v1"
    claim["metadata"]["labels"]["karpenter.sh/nodepool"] = "general"
    claim["spec"]["resources"] = {"requests": {"cpu": f"{milli}m", "memory": f"{512 * len(pods)}Mi"}}
    claim["spec"]["startupTaints"] = [EPHEMERAL[2]]
    amounts = {"cpu": "8", "memory": "16Gi", "pods": "58", "ephemeral-storage": "17Gi"}
    claim["status"] = {"providerID": "aws:///us-east-1a/i-n1", "allocatable": amounts, "capacity": amounts}
    return claim


@pytest.mark.parametrize("is_registered", [False, True])
def test_room_on_a_node_that_is_coming_up_is_used_before_more_is_bought(is_registered: bool) -> None:
    """n1, bought for pod a (0.5 CPU), is there with taints that will go: pod b (4 CPU) fits beside a.

    Pod c, of 4 CPU as well, does not fit beside both: 8 - 0.5 - 4 = 3.5. Before Karpenter has registered the
    Node, the NodeClaim does not name it, and it must not count as a second machine.
    """
    claim = launched("general-a", "a")
    there = {"apiVersion": "v1", "kind": "Node", **node("n1", pool="general" if is_registered else "")}
    there["spec"]["taints"] = EPHEMERAL[1:] if is_registered else EPHEMERAL
    if is_registered:
        claim["status"]["nodeName"] = "n1"
    waiting = pods_of(pod("a"), pod("b", cpu="4"), pod("c", cpu="4"))
    plan = plan_for(observe([claim, there, POOL, NODE_CLASS, *waiting]), "b", "c")
    ((one,),) = bought(plan)
    assert placed(plan) == {({"b", "c"} - {one}).pop(): "n1"}


def test_taints_of_a_node_that_was_ready_count() -> None:
    """A node that is initialised and not ready any more takes no pods."""
    claim = launched("general-a", "a")
    claim["status"] |= {"nodeName": "n1", "conditions": [{"type": "Initialized", "status": "True"}]}
    there = {"apiVersion": "v1", "kind": "Node", **node("n1", pool="general")}
    there["spec"]["taints"] = EPHEMERAL[1:2]
    plan = plan_for(observe([claim, there, POOL, NODE_CLASS, *pods_of(pod("b"))]), "b")
    assert bought(plan) == [["b"]]


def test_a_node_that_is_being_removed_takes_no_pods() -> None:
    """Its NodeClaim was deleted a moment ago, and n1 has no taint yet: pod a needs another."""
    claim = launched("general-a", "a")
    claim["metadata"]["deletionTimestamp"] = "1970-01-01T00:02:00Z"
    ready = {"type": "Initialized", "status": "True", "lastTransitionTime": "1970-01-01T00:01:00Z"}
    claim["status"] |= {"nodeName": "n1", "conditions": [ready]}
    there = {"apiVersion": "v1", "kind": "Node", **node("n1", pool="general")}
    seen = judged(observe([claim, there, POOL, NODE_CLASS, *pods_of(pod("a"))]), 121.0, PATIENCE)
    plan = plan_for(seen, "a")
    assert (bought(plan), placed(plan)) == ([["a"]], {})


def test_a_node_that_does_not_get_ready_in_time_attracts_no_pods() -> None:
    """After 15 minutes the claim no longer counts; its node n1 is taken as it is, with its taints."""
    claim = launched("general-a", "a")
    claim["status"]["nodeName"] = "n1"
    there = {"apiVersion": "v1", "kind": "Node", **node("n1", pool="general")}
    there["spec"]["taints"] = EPHEMERAL[1:]
    seen = observe([claim, there, POOL, NODE_CLASS, *pods_of(pod("a"))])
    assert placed(plan_for(judged(seen, 899.0, PATIENCE), "a")) == {"a": "n1"}
    assert bought(plan_for(judged(seen, 901.0, PATIENCE), "a")) == [["a"]]


def test_pods_on_their_way_keep_those_away_that_may_not_be_beside_them() -> None:
    """web-1 will run on a machine that is no Node yet; web-2 may not be on a node with another web."""
    apart = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}}
    webs = pods_of(pod("web-1", affinity=rule), pod("web-2", affinity=rule), pod("other"))
    for each in webs[:2]:
        each["metadata"]["labels"] = {"app": "web"}
    plan = plan_for(observe([launched("general-a", "web-1"), POOL, NODE_CLASS, *webs]), "web-2", "other")
    assert [group for group in bought(plan) if "web-2" in group]
    seen = observe([launched("general-a", "web-1"), POOL, NODE_CLASS, *webs])
    assert placed(plan_for(seen, "other")) == {"other": "nodeclaim-general-a"}


def test_members_of_a_gang_on_their_way_count_for_those_whose_claim_failed() -> None:
    """Of a gang of four, two have a machine on its way; the claim of the other two was given up."""
    gang = {"binwright.dev/gang": "ring", "binwright.dev/gang-min-members": "4"}
    ring = pods_of(*(pod(f"r{k}", cpu="4" if k < 2 else "3") for k in range(4)))
    for each in ring:
        each["metadata"]["annotations"] = gang
    seen = observe([launched("general-a", "r0", "r1", cpu="4"), POOL, NODE_CLASS, *ring])
    plan = plan_for(seen, "r2", "r3")
    assert plan.unplaced == ()
    assert bought(plan) == [["r2", "r3"]]


def test_no_pod_is_crowded_out_of_a_node_that_has_only_just_got_ready() -> None:
    """The watch still shows n1 without the GPU that made it ready at 60 s; it is believed from 65 s on."""
    waiting = pod("a")
    waiting["spec"]["containers"][0]["resources"]["requests"]["nvidia.com/gpu"] = "1"
    claim = launched("general-a", "a")
    ready = {"type": "Initialized", "status": "True", "lastTransitionTime": "1970-01-01T00:01:00Z"}
    claim["status"] |= {"nodeName": "n1", "conditions": [ready]}
    there = {"apiVersion": "v1", "kind": "Node", **node("n1", pool="general")}
    seen = observe([claim, there, POOL, NODE_CLASS, *pods_of(waiting)])
    covered = {
        now: nominated(judged(seen, now, PATIENCE).claims, now, PATIENCE) for now in (60.5, 64.5, 65.5)
    }
    assert covered == {60.5: {"uid-default-a"}, 64.5: {"uid-default-a"}, 65.5: set()}


def question_for(seen: Observation, *names: str) -> Any:
    """The machine that is coming, as the optimizer is told of it."""
    asked: list[provisioning_service_pb2.SolveRequest] = []

    def solved(request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
        asked.append(request)
        return decision_pb2.Decision()

    wanted = [each for each in seen.pending.values() if each.name in names]
    OptimizingPlanner(ask_for, solved, print)(seen, wanted, ())
    (coming,) = [each for each in asked[0].problem.existing_nodes if each.name == "nodeclaim-general-a"]
    return coming


def test_a_machine_without_a_node_yet_has_the_room_that_its_pods_leave() -> None:
    """Of 8 CPU, pod a will take 0.5. Pod b, bound elsewhere, takes none, nor does pod c, which is gone."""
    claim = launched("general-a", "a", "b", "c")
    claim["spec"]["taints"] = [{"key": "t", "effect": "NoSchedule"}]
    pods = pods_of(pod("a"), pod("b", on="n0"), pod("d"))
    seen = observe([claim, {"apiVersion": "v1", "kind": "Node", **node("n0")}, POOL, NODE_CLASS, *pods])
    coming = question_for(seen, "d")
    assert (coming.free["cpu"], coming.free["pods"]) == ("7500m", "57")
    assert coming.capacity["cpu"] == "8"
    assert [taint.key for taint in coming.taints] == ["t"]
    assert coming.labels["node.kubernetes.io/instance-type"] == "c5.2xlarge"


def test_a_claim_of_karpenter_s_own_offers_its_room_to_the_pods_it_may_be_for() -> None:
    claim = launched("general-a", "a")
    del claim["metadata"]["labels"]["app.kubernetes.io/managed-by"]
    seen = observe([claim, POOL, NODE_CLASS, *pods_of(pod("a"))])
    assert not seen.claims[0].is_ours
    assert question_for(seen, "a").free["cpu"] == "8"


def test_pods_made_anew_use_the_node_that_was_bought_for_those_before_them() -> None:
    """web-0 (6 of 8 CPU) was deleted while its machine was on its way: the next of that name fits."""
    again = pod("web-0", cpu="6")
    again["metadata"]["uid"] = "uid-again"
    seen = observe([launched("general-a", "web-0", cpu="6"), POOL, NODE_CLASS, *pods_of(again)])
    plan = plan_for(seen, "web-0")
    assert bought(plan) == []
    assert placed(plan) == {"web-0": "nodeclaim-general-a"}


def test_room_that_a_pod_preempts_others_for_is_taken() -> None:
    """vip was promised 6 of the 8 CPU of n1, and its victims are gone: pod a, of 4 CPU, needs a new node."""
    vip = pod("vip", cpu="6")
    vip["status"]["nominatedNodeName"] = "n1"
    there = {"apiVersion": "v1", "kind": "Node", **node("n1")}
    seen = observe([there, POOL, NODE_CLASS, *pods_of(vip, pod("a", cpu="4"))])
    assert bought(plan_for(seen, "a")) == [["a"]]

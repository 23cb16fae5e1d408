"""What the controller makes of a cluster's objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from binwright_clients.controller import room
from binwright_clients.controller.nomination import Patience, nominated
from binwright_clients.controller.observation import (
    NOMINATED_ANNOTATION,
    PendingPod,
    observe,
    pending_pod,
)
from binwright_clients.controller.question import problem_objects
from controller_world import claim_json
from kube_double import node, node_class, node_pool, pod


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p["spec"].update(nodeName="n1"),
        lambda p: p["metadata"].update(deletionTimestamp="2026-11-23T12:00:00Z"),
        lambda p: p["status"].update(nominatedNodeName="n1"),
        lambda p: p["status"].update(conditions=[]),
        lambda p: p["status"]["conditions"][0].update(reason="SchedulingGated"),
        lambda p: p["metadata"].update(ownerReferences=[{"kind": "DaemonSet", "name": "d"}]),
        lambda p: p.update(status=None),
    ],
)
def test_only_pods_that_kube_scheduler_gave_up_on_are_ours(change: Callable[[Any], None]) -> None:
    waiting = pod("a")
    assert pending_pod(waiting) == PendingPod("uid-default-a", "default", "a")
    change(waiting)
    assert pending_pod(waiting) is None


@pytest.mark.parametrize(
    ("metadata", "spec"),
    [
        ({"labels": {"scheduling.x-k8s.io/pod-group": "ring"}}, {}),
        ({"labels": {"kueue.x-k8s.io/pod-group-name": "ring"}}, {}),
        ({"annotations": {"scheduling.k8s.io/group-name": "ring"}}, {}),
        ({"annotations": {"binwright.dev/gang": "ring"}}, {}),
        ({}, {"schedulingGroup": {"podGroupName": "ring"}}),
    ],
)
def test_a_pod_that_waits_tells_its_gang(metadata: dict[str, Any], spec: dict[str, Any]) -> None:
    waiting = pod("a", **spec)
    waiting["metadata"] |= metadata
    found = pending_pod(waiting)
    assert found is not None
    assert found.gang == "ring"


def test_pods_whose_room_others_took_do_not_wait_for_their_node() -> None:
    """Of 8 CPUs, x took 3.5: of a and b, with 3.5 each, there is room for a alone, and 1 CPU stays free."""
    claim = claim_json("general-a-b", ["uid-default-a", "uid-default-b"], 0.0)
    ready = {"type": "Initialized", "status": "True", "lastTransitionTime": "1970-01-01T00:01:00Z"}
    claim["status"] = {"providerID": "i-1", "nodeName": "n1", "conditions": [ready]}
    pods = [pod("a", cpu="3500m"), pod("b", cpu="3500m"), pod("x", cpu="3500m", on="n1")]
    ended = pod("done", cpu="8", on="n1", phase="Succeeded")
    there = [{"kind": "Node", **node("n1")}, *({"kind": "Pod", **each} for each in (*pods, ended))]
    seen = observe([claim, *there])
    assert seen.claims[0].crowded_out == {"uid-default-b"}
    assert nominated(seen.claims, 61.0, Patience()) == {"uid-default-a"}
    asked = [item for item in problem_objects(seen, {"uid-default-b"}) if item["kind"] == "Pod"]
    placed = {item["metadata"]["name"]: item["spec"].get("nodeName", "") for item in asked}
    assert placed == {"a": "n1", "b": "", "x": "n1", "done": "n1"}
    claim["status"]["conditions"] = []
    assert observe([claim, *there]).claims[0].crowded_out == set()  # not before the node is ready


READY = {"type": "Initialized", "status": "True", "lastTransitionTime": "1970-01-01T00:01:00Z"}


def test_no_requests_are_read_on_nodes_that_no_pod_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two nodes, pod b waits for n2 only: x there counts, a on n1 need not. A cluster has 5,000 of n1."""
    claims = [claim_json(f"general-{name}", [f"uid-default-{name}"], 0.0) for name in ("a", "b")]
    for claim, name in zip(claims, ("n1", "n2"), strict=True):
        claim["status"] = {"providerID": "i", "nodeName": name, "conditions": [READY]}
    pods = [pod("a", on="n1"), pod("b", cpu="7"), pod("x", cpu="2", on="n2")]
    read: list[str] = []

    real = room.requests_of

    def counted(each: dict[str, Any]) -> Any:
        read.append(each["metadata"]["name"])
        return real(each)

    monkeypatch.setattr(room, "requests_of", counted)
    there = [
        *({"kind": "Node", **node(name)} for name in ("n1", "n2")),
        *({"kind": "Pod", **p} for p in pods),
    ]
    seen = observe([*claims, *there])
    assert sorted(read) == ["b", "x"]
    assert [claim.crowded_out for claim in seen.claims] == [frozenset(), {"uid-default-b"}]


def test_a_pod_is_crowded_out_of_the_node_that_was_bought_for_it_last() -> None:
    """general-z came to nothing for it; general-a is full now, or cordoned: the pod waits for neither."""
    first, second = (
        claim_json(name, ["uid-default-p"], at) for name, at in (("general-z", 1), ("general-a", 50))
    )
    for claim, name in ((first, "n1"), (second, "n2")):
        claim["status"] = {"providerID": "i", "nodeName": name, "conditions": [READY]}
    waiting = {"kind": "Pod", **pod("p", cpu="7")}
    full = [{"kind": "Node", **node("n2")}, {"kind": "Pod", **pod("x", cpu="7", on="n2")}]
    cordoned = {"kind": "Node", **node("n2")}
    cordoned["spec"]["unschedulable"] = True
    for there in (full, [cordoned]):
        seen = observe([first, second, {"kind": "Node", **node("n1")}, *there, waiting])
        assert {claim.name: claim.crowded_out for claim in seen.claims} == {
            "general-z": frozenset(),
            "general-a": {"uid-default-p"},
        }


NODE_CLASS = {"kind": "EC2NodeClass", **node_class()}


def test_static_and_deleted_pools_make_no_nodes() -> None:
    static = {"kind": "NodePool", **node_pool("static", replicas=3)}
    going = {"kind": "NodePool", **node_pool("going")}
    going["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    fine = {"kind": "NodePool", **node_pool("fine")}
    seen = observe([static, going, fine, NODE_CLASS])
    assert list(seen.node_pools) == ["fine"]
    assert seen.left_out == ()


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_pools_that_karpenter_does_not_take_for_ready_are_left_out_with_its_reason(status: str) -> None:
    unready, ready = ({"kind": "NodePool", **node_pool(name)} for name in ("unready", "ready"))
    unready["metadata"]["uid"] = "uid-1"
    because = {"type": "NodeClassReady", "status": status, "message": "no subnets found"}
    fine = {"type": "ValidationSucceeded", "status": "True"}
    unready["status"] = {"conditions": [fine, because, {"type": "Ready", "status": status}]}
    ready["status"] = {"conditions": [fine, {"type": "Ready", "status": "True"}]}
    seen = observe([unready, ready, NODE_CLASS])
    assert list(seen.node_pools) == ["ready"]
    (pool,) = seen.left_out
    assert (pool.name, pool.uid) == ("unready", "uid-1")
    assert pool.reason == "Karpenter does not take it for ready (NodeClassReady: no subnets found)"


def test_pools_whose_node_class_is_missing_or_going_are_left_out_whatever_karpenter_said_last() -> None:
    missing, going, other = ({"kind": "NodePool", **node_pool(name)} for name in ("gone", "going", "kwok"))
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    for pool in (missing, going, other):
        pool["status"] = ready
    going["spec"]["template"]["spec"]["nodeClassRef"]["name"] = "old"
    other["spec"]["template"]["spec"]["nodeClassRef"] = {
        "group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default",
    }  # fmt: skip
    old = {"kind": "EC2NodeClass", **node_class("old")}
    old["metadata"]["deletionTimestamp"] = "2026-11-23T12:00:00Z"
    seen = observe([missing, going, other, old])
    assert list(seen.node_pools) == ["kwok"]
    assert [str(pool) for pool in seen.left_out] == [
        "NodePool going is left out: EC2NodeClass old is being deleted",
        "NodePool gone is left out: EC2NodeClass default is not there",
    ]


def test_a_claim_whose_annotation_was_edited_is_still_seen() -> None:
    claim = claim_json("n", ["a"], 0.0)
    claim["metadata"]["annotations"][NOMINATED_ANNOTATION] = "{ not json"
    (view,) = observe([claim]).claims
    assert view.pods == frozenset()

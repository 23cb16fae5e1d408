"""Pods that are resized in place take what kube-scheduler counts them for, on nodes of 8 CPUs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from binwright_clients.extender.objects import read_pod
from binwright_clients.inputs import Inputs
from binwright_clients.kubernetes.pods import effective_requests
from binwright_clients.snapshot.trim import trimmed

Read = Callable[..., Inputs]

INFEASIBLE = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
DEFERRED = {"type": "PodResizePending", "status": "True", "reason": "Deferred"}
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1"},
    "status": {"allocatable": {"cpu": "8", "memory": "32Gi", "pods": "110"}},
}


def container(cpu: str, limit: str = "", **more: Any) -> dict[str, Any]:
    limits = {"limits": {"cpu": limit}} if limit else {}
    return {"name": "c", "resources": {"requests": {"cpu": cpu}, **limits}, **more}


def told(in_force: str, set_aside: str = "", name: str = "c") -> dict[str, Any]:
    """Status of a container: requests in force, and what the kubelet has set aside for it."""
    allocated = {"allocatedResources": {"cpu": set_aside}} if set_aside else {}
    return {
        "name": name,
        "image": "example.com/app",
        "resources": {"requests": {"cpu": in_force}},
        **allocated,
    }


def bound(status: dict[str, Any], *containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": "n1", "containers": list(containers), **spec},
        "status": {"phase": "Running", **status},
    }


def cluster(pod: dict[str, Any]) -> str:
    """The pod on its node, and another that waits."""
    waiting = bound({}, container("1"))
    waiting["metadata"], waiting["spec"] = {"name": "waiting"}, {"containers": [container("1")]}
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [NODE, pod, waiting]})


SIDECAR = {**container("1"), "name": "s", "restartPolicy": "Always"}
ORDINARY = {**container("1"), "name": "i"}

CASES = {
    "shrinks from 3 to 1": (bound({"containerStatuses": [told("3")]}, container("1", limit="2")), 3000),
    "is in force, not yet set aside": (bound({"containerStatuses": [told("2", "3")]}, container("1")), 3000),
    "grows from 1 to 3": (bound({"containerStatuses": [told("1", "1")]}, container("3")), 3000),
    "is to grow once there is room": (
        bound({"containerStatuses": [told("1")], "conditions": [DEFERRED]}, container("3")),
        3000,
    ),
    "will never grow on its node": (
        bound({"containerStatuses": [told("1")], "conditions": [INFEASIBLE]}, container("30")),
        1000,
    ),
    "is as asked": (bound({"containerStatuses": [told("1", "1000m")]}, container("1")), 1000),
    "is not told of": (bound({"containerStatuses": [told("5", name="x")]}, container("1")), 1000),
    "has a sidecar that shrinks from 3 to 1": (
        bound({"initContainerStatuses": [told("3", name="s")]}, container("1"), initContainers=[SIDECAR]),
        4000,
    ),
    "had an init container": (
        bound({"initContainerStatuses": [told("3", name="i")]}, container("1"), initContainers=[ORDINARY]),
        1000,
    ),
}


@pytest.mark.parametrize(("pod", "milli"), CASES.values(), ids=CASES)
def test_pod_takes_what_kube_scheduler_counts(read: Read, pod: dict[str, Any], milli: int) -> None:
    for seen in (pod, trimmed(pod)):
        [node] = read(cluster(seen)).problem.existing_nodes
        assert node.free["cpu"] in (f"{8000 - milli}m", f"{(8000 - milli) // 1000}")
        assert effective_requests(read_pod(seen).template)["cpu"] == milli


def test_snapshot_keeps_statuses_of_resized_containers_only() -> None:
    (resized, _), (as_asked, _) = CASES["shrinks from 3 to 1"], CASES["is as asked"]
    assert trimmed(resized)["status"]["containerStatuses"] == [
        {"name": "c", "resources": {"requests": {"cpu": "3"}}}
    ]
    assert trimmed(as_asked)["status"] == {"phase": "Running"}


@pytest.mark.parametrize(
    "statuses",
    [5, [5], [{"name": []}], [{"name": "c"}], [{"name": "c", "resources": 5}], [told("much")]],
)
def test_statuses_that_make_no_sense_are_passed_over(read: Read, statuses: object) -> None:
    pod = bound({"containerStatuses": statuses}, container("1"))
    [node] = read(cluster(pod)).problem.existing_nodes
    assert node.free["cpu"] == "7"

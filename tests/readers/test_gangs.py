"""Gangs in manifests: the words of Kubernetes, Volcano, coscheduling, Kueue and our annotations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from binwright_clients.inputs import Inputs
from google.protobuf import json_format

Read = Callable[..., Inputs]
Mistakes = Callable[..., str]


def job(
    name: str = "train",
    parallelism: int = 4,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    template = {
        "metadata": {"labels": labels or {}, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "c"}], "restartPolicy": "Never", **spec},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"parallelism": parallelism, "template": template},
    }


def group(api_version: str, spec: dict[str, Any], name: str = "ring") -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": "PodGroup", "metadata": {"name": name}, "spec": spec}


def documents(*bodies: dict[str, Any]) -> str:
    return yaml.safe_dump_all(bodies)


def gangs_of(inputs: Inputs) -> list[dict[str, Any]]:
    return [
        json_format.MessageToDict(gang, preserving_proto_field_name=True) for gang in inputs.problem.gangs
    ]


VOLCANO = group("scheduling.volcano.sh/v1beta1", {"minMember": 3, "queue": "default"})
RING = [{"name": "ring", "namespace": "default", "min_members": 3}]


@pytest.mark.parametrize(
    ("pod_group", "workload"),
    [
        (VOLCANO, job(annotations={"scheduling.k8s.io/group-name": "ring"})),
        (VOLCANO, job(annotations={"scheduling.volcano.sh/group-name": "ring"})),
        (
            group("scheduling.x-k8s.io/v1alpha1", {"minMember": 3, "scheduleTimeoutSeconds": 10}),
            job(labels={"scheduling.x-k8s.io/pod-group": "ring"}),
        ),
        (
            group("scheduling.k8s.io/v1beta1", {"schedulingPolicy": {"gang": {"minCount": 3}}}),
            job(schedulingGroup={"podGroupName": "ring"}),
        ),
    ],
)
def test_pod_groups_of_every_scheduler_become_gangs(
    read: Read, pod_group: dict[str, Any], workload: dict[str, Any]
) -> None:
    inputs = read(documents(workload, pod_group))
    assert inputs.problem.workloads[0].gang == "ring"
    assert gangs_of(inputs) == RING


def test_topology_of_a_kubernetes_pod_group_is_required(read: Read) -> None:
    policy = {"schedulingPolicy": {"gang": {"minCount": 2}}}
    rack = {"schedulingConstraints": {"topology": [{"key": "example.com/rack"}]}}
    pod_group = group("scheduling.k8s.io/v1alpha3", policy | rack)
    [gang] = gangs_of(read(documents(job(schedulingGroup={"podGroupName": "ring"}), pod_group)))
    assert gang["topology"] == [{"topology_key": "example.com/rack"}]


def test_pod_group_with_the_basic_policy_is_no_gang(read: Read) -> None:
    pod_group = group("scheduling.k8s.io/v1beta1", {"schedulingPolicy": {"basic": {}}})
    inputs = read(documents(job(schedulingGroup={"podGroupName": "ring"}), pod_group))
    assert inputs.problem.workloads[0].gang == ""
    assert gangs_of(inputs) == []


def test_kueue_pods_of_one_group_are_a_gang_with_its_total(read: Read) -> None:
    """The documentation's driver with two workers: three pods, all or none."""
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"job-{n}",
                "labels": {"kueue.x-k8s.io/pod-group-name": "ring"},
                "annotations": {"kueue.x-k8s.io/pod-group-total-count": "3"},
            },
            "spec": {"containers": [{"name": "c"}]},
        }
        for n in range(3)
    ]
    inputs = read(documents(*pods))
    assert gangs_of(inputs) == RING
    assert {workload.gang for workload in inputs.problem.workloads} == {"ring"}


def test_kueue_topology_makes_a_gang_of_the_workload(read: Read) -> None:
    wanted = {
        "kueue.x-k8s.io/podset-required-topology": "example.com/block",
        "binwright.dev/gang-preferred-topology": "example.com/rack",
    }
    assert gangs_of(read(documents(job(annotations=wanted)))) == [
        {
            "name": "train",
            "namespace": "default",
            "topology": [
                {"topology_key": "example.com/block"},
                {"topology_key": "example.com/rack", "preferred": True},
            ],
        }
    ]


def test_our_annotations_join_workloads_to_one_gang(read: Read) -> None:
    ours = {
        "binwright.dev/gang": "ring",
        "binwright.dev/gang-min-members": "5",
        "binwright.dev/gang-topology": "topology.kubernetes.io/zone, karpenter.sh/nodepool",
    }
    inputs = read(documents(job("leader", 1, annotations=ours), job("worker", 4, annotations=ours)))
    assert [workload.gang for workload in inputs.problem.workloads] == ["ring", "ring"]
    [gang] = gangs_of(inputs)
    assert gang["min_members"] == 5
    assert [rule["topology_key"] for rule in gang["topology"]] == [
        "karpenter.sh/nodepool",
        "topology.kubernetes.io/zone",
    ]


def test_members_that_run_already_count(read: Read) -> None:
    """Two of three members run on a node; one pod is left to place."""
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1"},
        "status": {"allocatable": {"cpu": "4", "pods": "9"}},
    }
    running = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"r{n}", "annotations": {"scheduling.k8s.io/group-name": "ring"}},
            "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
        }
        for n in range(2)
    ]
    waiting = job("late", 1, annotations={"scheduling.k8s.io/group-name": "ring"})
    inputs = read(documents(node, *running, waiting, VOLCANO))
    assert gangs_of(inputs) == RING
    [on_node] = inputs.problem.existing_nodes[0].pods
    assert (on_node.gang, on_node.count) == ("ring", 2)


@pytest.mark.parametrize(
    ("bodies", "least"),
    [
        ([job(parallelism=2, annotations={"scheduling.k8s.io/group-name": "ring"}), VOLCANO], 3),
        ([job(annotations={"binwright.dev/gang-min-members": "5"})], 5),
    ],
)
def test_a_gang_with_fewer_pods_than_its_minimum_is_read_as_it_is(
    bodies: list[dict[str, object]], least: int, read: Read
) -> None:
    """The others may come later; until then the decision says how many are missing."""
    [gang] = gangs_of(read(documents(*bodies)))
    assert gang["min_members"] == least


def test_pod_group_that_is_missing_or_without_pods_is_said(read: Read) -> None:
    notes = read(documents(job(annotations={"scheduling.k8s.io/group-name": "other"}), VOLCANO)).notes
    assert "PodGroup 'other' is not among the inputs: all of its pods here are its least" in notes[0]
    assert "the PodGroup has no pods among the inputs: skipped" in notes[1]


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        (
            [
                job(annotations={"scheduling.k8s.io/group-name": "ring"}),
                group("scheduling.volcano.sh/v1beta1", {"minMember": "3"}),
            ],
            "spec.minMember: must be a whole number from 1 to 2147483647 (got '3')",
        ),
        (
            [
                job(annotations={"scheduling.k8s.io/group-name": "ring"}),
                group("scheduling.volcano.sh/v1beta1", {"minMember": 0}),
            ],
            "spec.minMember: must be a whole number from 1",
        ),
        (
            [job(annotations={"binwright.dev/gang-min-members": "0"})],
            "gang-min-members]: must be a whole number from 1 to 2147483647 (got '0')",
        ),
        (
            [
                job(n, annotations={"binwright.dev/gang": "g", "binwright.dev/gang-min-members": least})
                for n, least in (("a", "2"), ("b", "3"))
            ],
            "(Job default/b): metadata.annotations[binwright.dev/gang-min-members]: gang g has 2 elsewhere",
        ),
        (
            [job(annotations={"binwright.dev/gang-topology": "not a key"})],
            "gang-topology]: must name node labels, separated by commas (got 'not a key')",
        ),
        (
            [
                job(
                    annotations={
                        "binwright.dev/gang-topology": "zone",
                        "binwright.dev/gang-preferred-topology": "zone",
                    }
                )
            ],
            "zone is both required and preferred",
        ),
    ],
)
def test_wrong_gangs_are_refused_by_name(
    mistakes: Mistakes, bodies: list[dict[str, Any]], expected: str
) -> None:
    assert expected in mistakes(documents(*bodies))

# ruff: noqa: E501  (one case a line: the cases read as a table)
"""Manifests as `kubectl get ... -o yaml` writes them: nodes, bound pods, owners of owners."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from binwright_clients.inputs import Inputs

Read = Callable[..., Inputs]
Mistakes = Callable[..., str]

PENDING = "{apiVersion: v1, kind: Pod, metadata: {name: pending}, spec: {containers: [{name: c}]}}"


def node(name: str = "n1", spec: str = "{}", status: str | None = None) -> str:
    status = (
        status
        or "{allocatable: {cpu: 3920m, memory: 14Gi, pods: 58, nvidia.com/gpu: 1}, capacity: {cpu: 4, memory: 16Gi}}"
    )
    return f"{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{zone: a}}}}, spec: {spec}, status: {status}}}"


def pod(name: str, spec: str = "", owner: str = "", phase: str = "Running") -> str:
    owners = f", ownerReferences: [{{{owner}, controller: true}}]" if owner else ""
    return (
        f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}{owners}}}, status: {{phase: {phase}}}, "
        f"spec: {{{spec} containers: [{{name: c, resources: {{requests: {{cpu: 1, memory: 2Gi}}}}}}]}}}}"
    )


def workload(kind: str, name: str, replicas: int, owner: str = "", more: str = "") -> str:
    owners = f", ownerReferences: [{{{owner}, controller: true}}]" if owner else ""
    return (
        f"{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: {name}{owners}}}, "
        f"spec: {{replicas: {replicas}, {more} template: {{spec: {{containers: [{{name: c}}]}}}}}}}}"
    )


def stream(*documents: str) -> str:
    return "\n---\n".join(documents)


def test_bound_pods_take_room_on_their_node_and_are_not_placed(read: Read) -> None:
    inputs = read(stream(node(), pod("bound", "nodeName: n1,"), PENDING))
    [existing] = inputs.problem.existing_nodes
    assert dict(existing.free) == {"cpu": "2920m", "memory": "12Gi", "pods": "57", "nvidia.com/gpu": "1"}
    assert dict(existing.capacity) == {"cpu": "4", "memory": "16Gi"}
    assert dict(existing.labels) == {"zone": "a"}
    assert [w.name for w in inputs.problem.workloads] == ["pending"]


def test_running_pods_that_keep_others_away_are_known_by_name(read: Read) -> None:
    """Reasons name them; those that keep nobody away go without names, as there may be many."""
    term = "{topologyKey: zone, labelSelector: {matchLabels: {app: web}}}"
    apart = f"affinity: {{podAntiAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: [{term}]}}}},"
    bound = [pod(f"db-{n}", f"nodeName: n1, {apart}") for n in range(2)]
    inputs = read(stream(node(), *bound, pod("plain", "nodeName: n1,"), PENDING))
    [existing] = inputs.problem.existing_nodes
    assert [(pods.count, list(pods.names)) for pods in existing.pods] == [(2, ["db-0", "db-1"]), (1, [])]


@pytest.mark.parametrize(
    ("policy", "names"), [("PreemptLowerPriority", [["low-0", "low-1"], []]), ("Never", [[], []])]
)
def test_so_are_those_that_a_pending_pod_may_preempt(read: Read, policy: str, names: list[list[str]]) -> None:
    """The classes give `low` 3, by default, and the others 1000."""
    kind = "apiVersion: scheduling.k8s.io/v1, kind: PriorityClass"
    default = f"{{{kind}, metadata: {{name: d}}, value: 3, globalDefault: true, preemptionPolicy: Never}}"
    first = f"{{{kind}, metadata: {{name: hi}}, value: 1000, preemptionPolicy: {policy}}}"
    bound = [pod(f"low-{n}", "nodeName: n1,") for n in range(2)]
    bound.append(pod("equal", "nodeName: n1, priorityClassName: hi,"))
    pending = pod("pending", "priorityClassName: hi,", phase="Pending")
    [existing] = read(stream(default, first, node(), *bound, pending)).problem.existing_nodes
    assert [pods.template.priority for pods in existing.pods] == [3, 1000]
    assert [list(pods.names) for pods in existing.pods] == names


def test_a_capacity_below_the_allocatable_amount_is_raised_to_it(read: Read) -> None:
    """As Karpenter's kwok provider reports it: the requests of the NodeClaim as capacity."""
    kwok = "{allocatable: {cpu: 7910m, memory: 29Gi, pods: 58}, capacity: {cpu: 7500m, pods: 5, x/y: 2}}"
    inputs = read(stream(node(status=kwok), PENDING))
    [existing] = inputs.problem.existing_nodes
    assert dict(existing.capacity) == {"cpu": "7910m", "pods": "58", "x/y": "2"}
    assert "capacity of cpu, pods is less than what is allocatable" in inputs.notes[0]


def test_a_bound_pod_takes_its_effective_request_with_limits_standing_in(read: Read) -> None:
    """Sidecar 1 + init 2 = 3 CPUs while starting beat sidecar 1 + container 0.5."""
    bound = """{apiVersion: v1, kind: Pod, metadata: {name: b}, spec: {nodeName: n1,
      initContainers: [{name: s, restartPolicy: Always, resources: {requests: {cpu: 1}}},
                       {name: i, resources: {limits: {cpu: 2}}}],
      containers: [{name: c, resources: {limits: {cpu: 500m}}}]}}"""
    [existing] = read(stream(node(), bound, PENDING)).problem.existing_nodes
    assert existing.free["cpu"] == "920m"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_ended_pods_take_nothing_and_are_skipped(read: Read, phase: str) -> None:
    inputs = read(stream(node(), pod("old", "nodeName: n1,", phase=phase), PENDING))
    assert inputs.problem.existing_nodes[0].free["cpu"] == "3920m"
    assert [w.name for w in inputs.problem.workloads] == ["pending"]
    assert inputs.notes == ("in.yaml, document 2 (Pod default/old): the pod has ended: skipped",)


def test_an_overcommitted_node_has_nothing_left_and_not_less(read: Read) -> None:
    pods = [pod(f"b{n}", "nodeName: n1,") for n in range(5)]
    [existing] = read(stream(node(), *pods, PENDING)).problem.existing_nodes
    assert existing.free["cpu"] == "0"


@pytest.mark.parametrize(
    "taints", ["", ", taints: [{key: node.kubernetes.io/unschedulable, effect: NoSchedule}]"]
)
def test_a_cordoned_node_is_there_with_its_pods_for_those_that_tolerate_it(read: Read, taints: str) -> None:
    """As kube-scheduler has it; whether the node controller has put the taint there by now or not."""
    runs = pod("runs", "nodeName: n1,")
    inputs = read(stream(node(spec=f"{{unschedulable: true{taints}}}"), runs, PENDING))
    [existing] = inputs.problem.existing_nodes
    assert [(t.key, t.effect) for t in existing.taints] == [
        ("node.kubernetes.io/unschedulable", "NoSchedule")
    ]
    assert [entry.count for entry in existing.pods] == [1]
    assert inputs.notes == ()


def test_taints_of_nodes_are_read(read: Read) -> None:
    [existing] = read(
        stream(node(spec="{taints: [{key: k, effect: NoExecute}]}"), PENDING)
    ).problem.existing_nodes
    assert [(t.key, t.effect) for t in existing.taints] == [("k", "NoExecute")]


def test_pods_on_unknown_nodes_are_skipped_with_a_note(read: Read) -> None:
    inputs = read(stream(pod("far", "nodeName: elsewhere,"), PENDING))
    assert [w.name for w in inputs.problem.workloads] == ["pending"]
    assert "runs on a node that is not among the inputs" in inputs.notes[0]


def test_each_pod_of_a_deployment_counts_once(read: Read) -> None:
    """Five wanted: one bound, one pending, so three more; the ReplicaSet in between counts for nothing."""
    inputs = read(
        stream(
            node(),
            workload("Deployment", "web", 5),
            workload("ReplicaSet", "web-7f", 5, "kind: Deployment, name: web"),
            pod("web-7f-a", "nodeName: n1,", "kind: ReplicaSet, name: web-7f"),
            pod("web-7f-b", "", "kind: ReplicaSet, name: web-7f", "Pending"),
            pod("web-7f-c", "", "kind: ReplicaSet, name: web-7f", "Failed"),
        )
    )
    assert {(w.kind, w.name): w.replicas for w in inputs.problem.workloads} == {
        ("Deployment", "web"): 3,
        ("Pod", "web-7f-b"): 1,
    }
    assert inputs.problem.existing_nodes[0].free["pods"] == "57"


def test_a_stateful_set_fills_the_ordinals_that_are_missing(read: Read) -> None:
    inputs = read(
        stream(
            node(),
            workload("StatefulSet", "db", 4, more="ordinals: {start: 1},"),
            pod("db-2", "nodeName: n1,", "kind: StatefulSet, name: db"),
        )
    )
    [workload_message] = inputs.problem.workloads
    assert list(workload_message.pod_names) == ["db-1", "db-3", "db-4"]


def test_a_workload_whose_pods_are_all_there_is_left_out(read: Read) -> None:
    inputs = read(
        stream(
            node(),
            workload("StatefulSet", "db", 1),
            pod("db-0", "nodeName: n1,", "kind: StatefulSet, name: db"),
            PENDING,
        )
    )
    assert [w.name for w in inputs.problem.workloads] == ["pending"]


def test_pending_pods_of_a_daemon_set_are_not_placed(read: Read) -> None:
    inputs = read(stream(pod("agent-x", "", "kind: DaemonSet, name: agent", "Pending"), PENDING))
    assert [w.name for w in inputs.problem.workloads] == ["pending"]


def test_owners_that_own_each_other_do_not_loop(read: Read) -> None:
    inputs = read(
        stream(
            workload("ReplicaSet", "a", 1, "kind: ReplicaSet, name: b"),
            workload("ReplicaSet", "b", 1, "kind: ReplicaSet, name: a"),
            PENDING,
        )
    )
    assert [w.name for w in inputs.problem.workloads] == ["pending"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (node(status="{phase: x}"), "(Node n1): status.allocatable: is missing"),
        (node(status="{allocatable: {cpu: -1}}"), "status.allocatable[cpu]: must not be negative (got '-1')"),
        (
            node(status="{allocatable: [1]}"),
            "status.allocatable: must be a mapping from resources to quantities",
        ),
        (node(status="{allocatable: {cpu: true}}"), "status.allocatable: must be a mapping"),
        (node(status="5"), "status.allocatable: is missing"),
        (node(spec="{taints: [{key: k, effect: x}]}"), "spec.taints[0].effect: must be one of"),
        (
            node(spec="{unschedulabel: true}"),
            "spec.unschedulabel: unknown field; did you mean 'unschedulable'?",
        ),
        (stream(node(), node()), "document 2 (Node n1): metadata.name: duplicate name"),
    ],
)
def test_a_wrong_node_is_reported(mistakes: Mistakes, document: str, expected: str) -> None:
    assert expected in mistakes(stream(document, PENDING))

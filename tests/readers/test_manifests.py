# ruff: noqa: E501  (one case a line: the cases read as a table)
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from binwright.v1 import problem_pb2
from binwright_clients.inputs import Inputs, read_inputs
from google.protobuf import json_format

Read = Callable[..., Inputs]

POD_SPEC = "{containers: [{name: c, resources: {requests: {cpu: 1}}}]}"


def pod(spec: str, metadata: str = "name: p") -> str:
    """A Pod manifest from the YAML of its spec."""
    return f"{{apiVersion: v1, kind: Pod, metadata: {{{metadata}}}, spec: {spec}}}"


def deployment(spec: str, name: str = "web") -> str:
    """A Deployment manifest whose pods have this spec."""
    return (
        f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: {name}}}, "
        f"spec: {{selector: {{}}, template: {{spec: {spec}}}}}}}"
    )


def template_of(inputs: Inputs) -> problem_pb2.PodTemplate:
    [workload] = inputs.problem.workloads
    return workload.template


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "replicas"),
    [
        ("v1", "Pod", POD_SPEC, 1),
        ("apps/v1", "Deployment", f"{{replicas: 3, template: {{spec: {POD_SPEC}}}}}", 3),
        ("apps/v1", "Deployment", f"{{template: {{spec: {POD_SPEC}}}}}", 1),
        ("apps/v1", "Deployment", f"{{replicas: 0, template: {{spec: {POD_SPEC}}}}}", 0),
        ("apps/v1", "StatefulSet", f"{{replicas: 3, template: {{spec: {POD_SPEC}}}}}", 3),
        ("apps/v1", "ReplicaSet", f"{{replicas: 2, template: {{spec: {POD_SPEC}}}}}", 2),
        ("v1", "ReplicationController", f"{{replicas: 2, template: {{spec: {POD_SPEC}}}}}", 2),
        ("batch/v1", "Job", f"{{template: {{spec: {POD_SPEC}}}}}", 1),
        ("batch/v1", "Job", f"{{parallelism: 5, template: {{spec: {POD_SPEC}}}}}", 5),
        ("batch/v1", "Job", f"{{parallelism: 5, completions: 20, template: {{spec: {POD_SPEC}}}}}", 5),
        ("batch/v1", "Job", f"{{parallelism: 5, completions: 2, template: {{spec: {POD_SPEC}}}}}", 2),
        (
            "batch/v1",
            "CronJob",
            f"{{schedule: '* * * * *', jobTemplate: {{spec: {{parallelism: 4, template: {{spec: {POD_SPEC}}}}}}}}}",
            4,
        ),
    ],
)
def test_each_kind_stands_for_the_pods_that_run_at_once(
    read: Read, api_version: str, kind: str, spec: str, replicas: int
) -> None:
    inputs = read(
        f"{{apiVersion: {api_version}, kind: {kind}, metadata: {{name: x, namespace: shop}}, spec: {spec}}}"
    )
    [workload] = inputs.problem.workloads
    assert (workload.kind, workload.namespace, workload.name) == (kind, "shop", "x")
    assert workload.replicas == replicas
    assert dict(workload.template.containers[0].requests) == {"cpu": "1"}
    assert inputs.notes == ()


def test_a_daemon_set_is_overhead_and_not_a_workload(read: Read) -> None:
    daemon = f"{{apiVersion: apps/v1, kind: DaemonSet, metadata: {{name: d}}, spec: {{template: {{spec: {POD_SPEC}}}}}}}"
    problem = read(f"{daemon}\n---\n{pod(POD_SPEC)}").problem
    assert [d.name for d in problem.daemon_sets] == ["d"]
    assert [w.name for w in problem.workloads] == ["p"]


@pytest.mark.parametrize(
    ("document", "note"),
    [
        (
            "{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {suspend: true}}",
            "(Job default/j): the Job is suspended",
        ),
        (
            "{apiVersion: batch/v1, kind: CronJob, metadata: {name: j}, spec: {suspend: true, schedule: x}}",
            "(CronJob default/j): the CronJob is suspended: skipped",
        ),
        (
            "{apiVersion: v1, kind: Service, metadata: {name: s}}",
            "skipped: kind Service (v1) is not read here",
        ),
        ("{apiVersion: argoproj.io/v1alpha1, kind: Rollout}", "skipped: kind Rollout (argoproj.io/v1alpha1)"),
    ],
)
def test_what_is_passed_over_is_said(read: Read, document: str, note: str) -> None:
    inputs = read(f"{document}\n---\n{pod(POD_SPEC)}")
    assert len(inputs.problem.workloads) == 1
    assert any(note in line for line in inputs.notes), inputs.notes


def test_numbers_are_quantities_too(read: Read) -> None:
    template = template_of(
        read(pod("{containers: [{name: c, resources: {requests: {cpu: 0.5, memory: 1000}}}]}"))
    )
    assert dict(template.containers[0].requests) == {"cpu": "0.5", "memory": "1000"}


def test_limits_init_containers_sidecars_and_overhead_are_kept_apart(read: Read) -> None:
    spec = """{
      overhead: {cpu: 250m},
      initContainers: [{name: i, resources: {requests: {cpu: 3}}}, {name: s, restartPolicy: Always}],
      containers: [{name: c, resources: {limits: {nvidia.com/gpu: 1}}}]}"""
    template = template_of(read(pod(spec)))
    assert dict(template.overhead) == {"cpu": "250m"}
    assert [(c.name, c.restart_policy) for c in template.init_containers] == [("i", ""), ("s", "Always")]
    assert dict(template.containers[0].limits) == {"nvidia.com/gpu": "1"}


@pytest.mark.parametrize(
    ("pod_level", "container", "expected"),
    [
        ("{requests: {cpu: 2}}", "{}", {"cpu": "2"}),
        ("{limits: {cpu: 2}}", "{}", {"cpu": "2"}),
        ("{limits: {cpu: 2}}", "{requests: {cpu: 1}}", {}),
        ("{requests: {cpu: 1}, limits: {cpu: 2, memory: 1Gi}}", "{}", {"cpu": "1", "memory": "1Gi"}),
    ],
)
def test_a_pod_level_limit_stands_in_where_no_container_speaks(
    read: Read, pod_level: str, container: str, expected: dict[str, str]
) -> None:
    spec = f"{{resources: {pod_level}, containers: [{{name: c, resources: {container}}}]}}"
    assert dict(template_of(read(pod(spec))).resources) == expected


def test_selectors_affinity_and_tolerations_are_read(read: Read) -> None:
    spec = """
    containers: [{name: c}]
    nodeSelector: {disk: ssd}
    tolerations: [{key: k, value: v, effect: NoSchedule, tolerationSeconds: 5}, {operator: Exists}]
    affinity:
      nodeAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
          nodeSelectorTerms:
          - matchExpressions: [{key: zone, operator: In, values: [b, a]}, {key: gen, operator: Gt, values: ["4"]}]
          - matchExpressions: [{key: old, operator: DoesNotExist}]
        preferredDuringSchedulingIgnoredDuringExecution:
        - {weight: 7, preference: {matchExpressions: [{key: arch, operator: Exists}]}}
    """
    template = template_of(read(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:{spec}"))
    assert dict(template.node_selector) == {"disk": "ssd"}
    assert [(t.key, t.operator, t.value, t.effect) for t in template.tolerations] == [
        ("k", "Equal", "v", "NoSchedule"),
        ("", "Exists", "", ""),
    ]
    assert [
        [(r.key, r.operator, list(r.values)) for r in t.match_expressions]
        for t in template.node_affinity.required
    ] == [
        [("zone", "In", ["a", "b"]), ("gen", "Gt", ["4"])],
        [("old", "DoesNotExist", [])],
    ]
    [preferred] = template.node_affinity.preferred
    assert (preferred.weight, preferred.preference.match_expressions[0].key) == (7, "arch")


def test_one_dead_term_beside_a_live_one_is_no_mistake(read: Read) -> None:
    terms = "[{matchExpressions: [{key: disk, operator: NotIn, values: [ssd]}]}, {matchExpressions: [{key: a, operator: Exists}]}]"
    spec = (
        "{containers: [{name: c}], nodeSelector: {disk: ssd}, affinity: {nodeAffinity: "
        f"{{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: {terms}}}}}}}}}"
    )
    assert len(template_of(read(pod(spec))).node_affinity.required) == 2


@pytest.mark.parametrize(
    ("field", "priority"),
    [
        ("priority: 5", 5),
        ("priorityClassName: system-node-critical", 2_000_001_000),
        ("priorityClassName: mine", 70),
        ("priorityClassName: mine, priority: 71", 71),
        ("nodeSelector: {}", 3),
    ],
)
def test_priority_comes_from_the_pod_its_class_or_the_default(read: Read, field: str, priority: int) -> None:
    classes = (
        "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: mine}, value: 70}\n---\n"
        "{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: d}, value: 3, globalDefault: true}"
    )
    inputs = read(f"{pod(f'{{containers: [{{name: c}}], {field}}}')}\n---\n{classes}")
    assert template_of(inputs).priority == priority
    assert inputs.notes == ()


def test_labels_and_do_not_disrupt_are_read(read: Read) -> None:
    metadata = 'name: p, labels: {app: x}, annotations: {karpenter.sh/do-not-disrupt: "true"}'
    template = template_of(read(pod(POD_SPEC, metadata)))
    assert dict(template.labels) == {"app": "x"}
    assert template.do_not_disrupt


@pytest.mark.parametrize(
    ("field", "note"),
    [
        ("schedulingGates: [{name: g}]", "schedulingGates"),
        ("runtimeClassName: kata", "runtimeClassName"),
        ("schedulerName: volcano", "schedulerName 'volcano'"),
        ("priorityClassName: gold", "priorityClassName 'gold' is not among the inputs"),
        ("os: {name: windows}", "os.name windows"),
        (
            "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [node-1]}]}]}}}",
            "nodeAffinity matchFields",
        ),
    ],
)
def test_what_is_not_enforced_is_said_with_its_place(read: Read, field: str, note: str) -> None:
    [line] = read(pod(f"{{containers: [{{name: c}}], {field}}}"), "web.yaml").notes
    assert line.startswith(f"web.yaml, document 1 (Pod default/p): {note}")


def test_the_same_remark_is_counted_after_three_places(read: Read) -> None:
    documents = [deployment("{containers: [{name: c}], schedulerName: x}", f"w{n}") for n in range(6)]
    notes = read("\n---\n".join(documents)).notes
    assert len(notes) == 4
    assert (
        notes[3] == "in.yaml: schedulerName 'x': placed by the rules of the default scheduler (3 more places)"
    )


@pytest.mark.parametrize("kind", ["List", "PodList"])
def test_lists_are_read_item_by_item(read: Read, kind: str) -> None:
    item = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "c"}]}}
    if kind == "List":
        item |= {"apiVersion": "v1", "kind": "Pod"}
    body = {"apiVersion": "v1", "kind": kind, "metadata": {"resourceVersion": "5"}, "items": [item]}
    inputs = read(json.dumps(body), "pods.json")
    assert inputs.locate("workloads[0]") == "pods.json, document 1, item 1 (Pod default/a)"


def test_generated_names_are_numbered(read: Read) -> None:
    document = "{apiVersion: batch/v1, kind: Job, metadata: {generateName: run-}, spec: {template: {spec: {containers: [{name: c}]}}}}"
    names = [w.name for w in read(f"{document}\n---\n{document}").problem.workloads]
    assert names == ["run-1", "run-2"]


def test_null_fields_are_unset(read: Read) -> None:
    spec = "{containers: [{name: c, resources: null, env: null}], nodeSelector: null, affinity: {nodeAffinity: null}}"
    assert template_of(read(pod(spec, "name: p, labels: null, namespace: null"))).containers[0].name == "c"


def test_folders_are_read_recursively(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.yml").write_text(pod(POD_SPEC, "name: last"))
    (tmp_path / "a.yaml").write_text(pod(POD_SPEC, "name: first"))
    (tmp_path / "notes.txt").write_text("not read")
    (tmp_path / "c.csv").write_text("name,resource:d\nrow,1\n")
    names = [w.name for w in read_inputs([str(tmp_path)]).problem.workloads]
    assert sorted(names) == ["first", "last", "row"]


def test_reading_twice_gives_the_same_message(read: Read) -> None:
    text = deployment("{containers: [{name: c, resources: {requests: {cpu: 1, memory: 2Gi}}}]}")
    first, second = read(text).problem, read(text).problem
    assert json_format.MessageToJson(first) == json_format.MessageToJson(second)

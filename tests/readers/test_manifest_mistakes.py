# ruff: noqa: E501  (one case a line: the cases read as a table)
"""Mistakes in manifests: each names file, document, field and value."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

Mistakes = Callable[..., str]


def pod(spec: str, metadata: str = "name: p") -> str:
    return f"{{apiVersion: v1, kind: Pod, metadata: {{{metadata}}}, spec: {spec}}}"


def container(fields: str) -> str:
    return pod(f"{{containers: [{{name: c, {fields}}}]}}")


def affinity(terms: str, more: str = "") -> str:
    required = f"{{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: {terms}}}}}"
    return pod(f"{{containers: [{{name: c}}], {more} affinity: {{nodeAffinity: {required}}}}}")


TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            container("resource: {requests: {cpu: 1}}"),
            "spec.containers[0].resource: unknown field; did you mean 'resources'?",
        ),
        (pod("{containers: [{name: c}], nodeselector: {}}"), "spec.nodeselector: unknown field; did you mean 'nodeSelector'?"),
        (pod("{containers: [{name: c}]}", "name: p, lables: {}"), "metadata.lables: unknown field; did you mean 'labels'?"),
        (container("resources: {request: {cpu: 1}}"), "spec.containers[0].resources.request: unknown field; did you mean 'requests'"),
        (pod("{containers: {name: c}}"), "spec.containers: must be a list (got '{\"name\": \"c\"}')"),
        (pod("{containers: [null]}"), "spec.containers[0]: must not be null"),
        (pod("[]"), "spec: must be a mapping (got '[]')"),
        (container("env: [{name: A, value: 1}]"), "spec.containers[0].env[0].value: must be a string; put it in quotes (got '1')"),
        (container("env: [{name: A, value: yes}]"), "value: must be a string; put it in quotes (got 'true')"),
        (pod("{containers: [{name: c}], nodeSelector: {a: true}}"), "spec.nodeSelector[a]: must be a string; put it in quotes"),
        (pod("{containers: [{name: c}], nodeSelector: {a: }}"), "spec.nodeSelector[a]: must not be null"),
        (pod("{containers: [{name: c}], nodeSelector: {'': a}}"), "spec.nodeSelector[]: is no label key such as team or example.com/team"),
        (pod("{containers: [{name: c}], nodeSelector: {Example/a: b}}"), "spec.nodeSelector[Example/a]: is no label key"),
        (pod("{containers: [{name: c}], nodeSelector: {a: not a value}}"), "spec.nodeSelector[a]: is no label value: at most 63"),
        (pod("{containers: [{name: c}]}", f"name: p, labels: {{a: {'x' * 64}}}"), "metadata.labels[a]: is no label value"),
        (pod("{containers: [{name: c}], priority: high}"), "spec.priority: must be a whole number (got 'high')"),
        (pod("{containers: [{name: c}], priority: 2147483648}"), "spec.priority: must fit into 32 bits (got '2147483648')"),
        ("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: x}, value: 1000000000000}", "(PriorityClass x): value: must fit into 32 bits"),
        (pod("{containers: [{name: c}], initContainers: [{name: i, restartPolicy: always}]}"), "spec.initContainers[0].restartPolicy: must be one of Always, OnFailure, Never; did you mean 'Always'? (got 'always')"),
        (pod("{containers: []}"), "spec.containers: needs at least one container"),
        (pod("{}"), "spec.containers: needs at least one container"),
        (pod("{containers: [{image: x}]}"), "spec.containers: every container needs a name"),
        (pod("{containers: [{name: c}, {name: c}]}"), "spec.containers: two containers have the same name (got 'c')"),
        (container("resources: {requests: {cpu: -1}}"), "spec.containers[0].resources.requests[cpu]: must not be negative (got '-1')"),
        (container("resources: {requests: {cpu: 1 core}}"), "requests[cpu]: is not a quantity such as 500m, 2, 1.5Gi or 1e3 (got '1 core')"),
        (container("resources: {requests: {memory: 1GB}}"), "requests[memory]: is not a quantity"),
        (container("resources: {requests: {memory: 1e300}}"), "requests[memory]: is too large (at most 8Pi) (got '1e+300')"),
        (container("resources: {requests: {memory: 99999999999999999999}}"), "requests[memory]: is too large"),
        (container("resources: {requests: {memory: 1e999}}"), "requests[memory]: is too large (at most 8Pi) (got '1e999')"),
        (container("resources: {requests: {cpu: true}}"), "requests[cpu]: must be a quantity (got 'true')"),
        (container("resources: {requests: {cpu: }}"), "requests[cpu]: must not be null"),
        (container("resources: {requests: {cpu: NaN}}"), "requests[cpu]: is not a quantity such as"),
        (container("resources: {requests: {nvidia.com/gpu: 0.5}}"), "requests[nvidia.com/gpu]: must be a whole number"),
        (container("resources: {requests: {cpus: 1}}"), "requests[cpus]: is no resource of Kubernetes: extended resources look like example.com/name; did you mean 'cpu'?"),
        (container("resources: {requests: {cpu: 2}, limits: {cpu: 1}}"), "requests[cpu]: must not be above the limit 1 (got '2')"),
        (pod("{containers: [{name: c}], resources: {requests: {nvidia.com/gpu: 1}}}"), "spec.resources.requests[nvidia.com/gpu]: pod-level resources are"),
        (pod("{containers: [{name: c}], overhead: {cpu: x}}"), "spec.overhead[cpu]: is not a quantity"),
        (affinity("[]"), f"{TERMS}: needs at least one term"),
        (affinity("[{}]"), f"{TERMS}: every term is empty, and an empty term matches no node"),
        (
            affinity("[{matchExpressions: [{key: a, operator: in, values: [b]}]}]"),
            f"{TERMS}[0].matchExpressions[0].operator: must be one of In, NotIn, Exists, DoesNotExist, Gt, Lt, Gte, Lte; did you mean 'In'? (got 'in')",
        ),
        (affinity("[{matchExpressions: [{key: a, operator: In}]}]"), "matchExpressions[0]: operator In on a takes at least one value(s), got []"),
        (affinity("[{matchExpressions: [{operator: Exists}]}]"), "matchExpressions[0]: a requirement needs a label key"),
        (
            pod("{containers: [{name: c}], affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 101, preference: {}}]}}}"),
            "preferredDuringSchedulingIgnoredDuringExecution[0].weight: must be from 1 to 100 (got '101')",
        ),
        (pod("{containers: [{name: c}], tolerations: [{key: a, operator: Equals}]}"), "spec.tolerations[0].operator: must be Equal or Exists; did you mean 'Equal'? (got 'Equals')"),
        (pod("{containers: [{name: c}], tolerations: [{key: a, effect: NoScheduling}]}"), "tolerations[0].effect: must be one of NoSchedule, PreferNoSchedule, NoExecute; did you mean 'NoSchedule'?"),
        (pod("{containers: [{name: c}], tolerations: [{value: a}]}"), "tolerations[0]: a toleration without a key must use operator Exists"),
        (pod("{containers: [{name: c}]}", ""), "document 1: metadata.name: must be given"),
        (pod("{containers: [{name: c}]}", "name: 5"), "metadata.name: must be a string; put it in quotes (got '5')"),
        (pod("{containers: [{name: c}]}", "name: p, namespace: 5"), "metadata.namespace: must be a string"),
        ("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: -1, template: {spec: {containers: [{name: c}]}}}}", "(Deployment default/d): spec.replicas: must be from 0 to 2147483647 (got '-1')"),
        ("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 2.5}}", "spec.replicas: must be a whole number (got '2.5')"),
        ("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {replicas: 3}}", "spec.template: is missing"),
        ("{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}}", "spec.template: is missing"),
        ("{apiVersion: batch/v1, kind: Job, metadata: {name: j}, spec: {parallelism: 99999999999, template: {spec: {containers: [{name: c}]}}}}", "spec.parallelism: must be from 0 to"),
        ("{apiVersion: batch/v1, kind: CronJob, metadata: {name: j}, spec: {schedule: x}}", "spec.jobTemplate.spec.template: is missing"),
        ("{apiVersion: apps/v1, kind: Deploymnet}", "kind: apiVersion apps/v1 has no kind 'Deploymnet'; did you mean 'Deployment'?"),
        ("{apiVersion: v1, kind: Deployment}", "kind: kind Deployment is of apiVersion apps/v1"),
        ("{apiVersion: extensions/v1beta1, kind: Deployment}", "kind: kind Deployment is read in apiVersion apps/v1 only"),
        ("{apiVersion: v1, kind: Pods}", "has no kind 'Pods'; did you mean 'Pod'?"),
        ("{kind: Pod}", "document 1: apiVersion: must be given, as a string"),
        ("{apiVersion: v1}", "document 1: kind: must be given, as a string"),
        ("{apiVersion: v1, kind: [Pod]}", "document 1: kind: must be given, as a string (got '[\"Pod\"]')"),
        ("just text", "document 1: is no Kubernetes object: it must be a mapping (got 'just text')"),
        ("[1, 2]", "document 1: is no Kubernetes object"),
        ("{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: []}]}", "document 1, item 1: a List must not hold a List"),
        ("{apiVersion: v1, kind: List, items: [5]}", "document 1, item 1: is no Kubernetes object"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_document_field_and_value(
    mistakes: Mistakes, document: str, expected: str
) -> None:
    text = mistakes(document, "web.yaml")
    assert text.startswith("web.yaml, document 1")
    assert expected in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "web.yaml: is empty"),
        ("# only a comment\n", "web.yaml: is empty"),
        ("---\n---\n", "web.yaml: is empty"),
        ("{apiVersion: v1, kind: Service}", "web.yaml: there are no pods to place"),
        ("{apiVersion: v1, kind: List, items: []}", "web.yaml: there are no pods to place"),
        ("a: [1,\nb: 2", "web.yaml, document 1: line 3: is not YAML"),
        ("a: 1\na: 2\n", "web.yaml, document 1: line 2: duplicate key 'a'"),
        (b"\xff\xfe\x00binary", "web.yaml: is not UTF-8 text (byte 0xff at position 0)"),
        (b"\x7fELF\x00\x01", "web.yaml, document 1: is not YAML"),
        (b"\x1f\x8b\x08\x00truncated", "web.yaml: is not a whole gzip file"),
        ("a: " + "[" * 5000, "nested more than 100 levels deep"),
    ],
)
def test_a_file_that_holds_no_manifest_is_reported(
    mistakes: Mistakes, text: str | bytes, expected: str
) -> None:
    assert expected in mistakes(text, "web.yaml")


def test_the_same_name_twice_is_a_mistake_that_names_both_places(mistakes: Mistakes) -> None:
    document = pod("{containers: [{name: c}]}")
    assert mistakes(f"{document}\n---\n{document}") == (
        "in.yaml, document 2 (Pod default/p): metadata.name: duplicate name: "
        "document 1 (Pod default/p) has it already (got 'p')"
    )


def test_all_mistakes_of_all_documents_are_reported_together(mistakes: Mistakes) -> None:
    documents = [
        container("resources: {requests: {cpu: -1, memory: x}}"),
        pod("{containers: [{name: c}], bad: 1}", "name: q"),
    ]
    lines = mistakes("\n---\n".join(documents)).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "spec.bad",
        "spec.containers[0].resources.requests[cpu]",
        "spec.containers[0].resources.requests[memory]",
    ]


def test_documents_before_a_syntax_error_are_checked_too(mistakes: Mistakes) -> None:
    text = mistakes(f"{pod('{containers: [{name: c}], bad: 1}')}\n---\na: [\n")
    assert "document 1 (Pod default/p): spec.bad: unknown field" in text
    assert "document 2: line" in text


def test_a_missing_kubernetes_client_is_reported_and_not_a_traceback(
    mistakes: Mistakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from binwright_clients.kubernetes import schema

    schema._fields_of_model.cache_clear()
    monkeypatch.setitem(sys.modules, "kubernetes.client", None)
    try:
        text = mistakes(pod("{containers: [{name: c}]}"))
    finally:
        schema._fields_of_model.cache_clear()
    assert (
        text == "in.yaml: reading manifests needs the kubernetes client: pip install 'binwright[kubernetes]'"
    )

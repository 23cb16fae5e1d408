"""Pods and nodes as JSON from the API server, to messages of the scheduling API.

The API server has checked them, and may be newer than we are: fields that are not read are passed over
instead of being refused. What is read is checked for its type first, so that a malformed object is one clear
error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from binwright.v1 import problem_pb2, scheduling_service_pb2
from binwright_optimizer.model.topology import WhenUnsatisfiable

from binwright_clients.errors import InputError, Problems
from binwright_clients.kubernetes.constraints import read_pod_rules, wanted_host_ports
from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.pods import read_requests
from binwright_clients.kubernetes.quantities import quantity_text, read_quantities
from binwright_clients.kubernetes.requirements import (
    read_node_affinity,
    read_taints,
    read_tolerations,
    taint_messages,
)
from binwright_clients.kubernetes.resized import as_counted
from binwright_clients.kubernetes.schema import (
    INTEGER,
    QUANTITIES,
    STRING,
    STRINGS,
    ListOf,
    MapOf,
    Record,
    Scalar,
    Schema,
    check,
)

DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
HOURLY_PRICE = "binwright.dev/hourly-price"
"""Annotation or label of a node with its price in dollars an hour; the server reads the label."""

ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that no longer take room."""

_CONTAINERS = ("spec.containers", "spec.initContainers")
"""Where paths of host ports begin."""

_BOOLEAN = Scalar("boolean")
_RESOURCES = Record({"requests": QUANTITIES, "limits": QUANTITIES})
_PORT = Record({"hostPort": INTEGER, "containerPort": INTEGER, "protocol": STRING, "hostIP": STRING})
_CONTAINER = Record(
    {"name": STRING, "resources": _RESOURCES, "restartPolicy": STRING, "ports": ListOf(_PORT)}
)
_CONTAINER_STATUS = Record({"name": STRING, "resources": _RESOURCES, "allocatedResources": QUANTITIES})
_REQUIREMENT = Record({"key": STRING, "operator": STRING, "values": ListOf(STRING)})
_TERM = Record({"matchExpressions": ListOf(_REQUIREMENT), "matchFields": ListOf(_REQUIREMENT)})
_NODE_AFFINITY = Record(
    {"requiredDuringSchedulingIgnoredDuringExecution": Record({"nodeSelectorTerms": ListOf(_TERM)})}
)
_LABEL_SELECTOR = Record({"matchLabels": STRINGS, "matchExpressions": ListOf(_REQUIREMENT)})
_POD_TERM = Record(
    {
        "topologyKey": STRING,
        "labelSelector": _LABEL_SELECTOR,
        "namespaces": ListOf(STRING),
        "namespaceSelector": _LABEL_SELECTOR,
        "matchLabelKeys": ListOf(STRING),
        "mismatchLabelKeys": ListOf(STRING),
    }
)
_POD_AFFINITY = Record({"requiredDuringSchedulingIgnoredDuringExecution": ListOf(_POD_TERM)})
_SPREAD = Record(
    {
        "topologyKey": STRING,
        "maxSkew": INTEGER,
        "whenUnsatisfiable": STRING,
        "labelSelector": _LABEL_SELECTOR,
        "minDomains": INTEGER,
        "nodeAffinityPolicy": STRING,
        "nodeTaintsPolicy": STRING,
        "matchLabelKeys": ListOf(STRING),
    }
)
_TOLERATION = Record({"key": STRING, "operator": STRING, "value": STRING, "effect": STRING})
_OWNER = Record({"kind": STRING, "controller": _BOOLEAN})
_METADATA = Record(
    {
        "name": STRING,
        "namespace": STRING,
        "uid": STRING,
        "resourceVersion": STRING,
        "deletionTimestamp": STRING,
        "labels": STRINGS,
        "annotations": STRINGS,
        "ownerReferences": ListOf(_OWNER),
    }
)
_POD = Record(
    {
        "metadata": _METADATA,
        "spec": Record(
            {
                "containers": ListOf(_CONTAINER),
                "initContainers": ListOf(_CONTAINER),
                "overhead": QUANTITIES,
                "resources": _RESOURCES,
                "nodeName": STRING,
                "hostNetwork": _BOOLEAN,
                "nodeSelector": STRINGS,
                "affinity": Record(
                    {
                        "nodeAffinity": _NODE_AFFINITY,
                        "podAffinity": _POD_AFFINITY,
                        "podAntiAffinity": _POD_AFFINITY,
                    }
                ),
                "topologySpreadConstraints": ListOf(_SPREAD),
                "tolerations": ListOf(_TOLERATION),
                "priority": INTEGER,
            }
        ),
        "status": Record(
            {
                "phase": STRING,
                "conditions": ListOf(Record({"type": STRING, "reason": STRING})),
                "containerStatuses": ListOf(_CONTAINER_STATUS),
                "initContainerStatuses": ListOf(_CONTAINER_STATUS),
            }
        ),
    }
)
_NAMESPACE = Record({"metadata": _METADATA})
_NODE = Record(
    {
        "metadata": _METADATA,
        "spec": Record(
            {
                "taints": ListOf(Record({"key": STRING, "value": STRING, "effect": STRING})),
                "unschedulable": _BOOLEAN,
            }
        ),
        "status": Record({"allocatable": QUANTITIES}),
    }
)


def trimmed(value: Any, schema: Schema) -> Any:
    """The value without the fields that the schema does not know.

    >>> trimmed({"phase": "Running", "podIP": "10.0.0.1"}, Record({"phase": STRING}))
    {'phase': 'Running'}
    """
    if isinstance(schema, Record) and isinstance(value, dict):
        fields = schema.fields
        return {key: trimmed(item, fields[key]) for key, item in value.items() if key in fields}
    if isinstance(schema, ListOf) and isinstance(value, list):
        return [trimmed(item, schema.item) for item in value]
    if isinstance(schema, MapOf) and isinstance(value, dict):
        return value
    return value


class _Reader:
    """Collects what is wrong with one object."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._problems = Problems()

    def problem(self, path: str, value: str, description: str) -> None:
        """Record a mistake."""
        self._problems.add(self._what, description, field=path, value=value)

    def checked(self, body: Any, schema: Record) -> dict[str, Any]:
        """The fields that are read, of the right types; raises InputError."""
        kept = trimmed(body, schema)
        check(kept, schema, self.problem)
        self.finish()
        if not isinstance(kept, dict):
            raise InputError.of(self._what, "is missing")
        return kept

    def finish(self) -> None:
        """Raise InputError if anything is wrong."""
        self._problems.raise_if_any()


def read_template(body: Any) -> problem_pb2.PodTemplate:
    """What of a Pod decides where it may run.

    Raises
    ------
    InputError
        Naming every wrong field.
    """
    reader = _Reader("Pod")
    return _template(reader.checked(body, _POD), reader)


def read_pod(body: Any) -> scheduling_service_pb2.ClusterPod:
    """A pod of the cluster; raises InputError."""
    reader = _Reader("Pod")
    pod = reader.checked(body, _POD)
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    return scheduling_service_pb2.ClusterPod(
        name=metadata.get("name") or "",
        namespace=metadata.get("namespace") or "",
        uid=metadata.get("uid") or "",
        resource_version=metadata.get("resourceVersion") or "",
        node=spec.get("nodeName") or "",
        is_daemon=_is_daemon(metadata),
        is_ending=bool(metadata.get("deletionTimestamp")),
        priority=_priority(spec, reader),
        template=_template(as_counted(pod), reader),
    )


def read_priority(body: Any) -> int:
    """Priority of a Pod; raises InputError."""
    reader = _Reader("Pod")
    priority = _priority((reader.checked(body, _POD).get("spec")) or {}, reader)
    reader.finish()
    return priority


def read_node(body: Any) -> scheduling_service_pb2.ClusterNode:
    """A node of the cluster; raises InputError."""
    reader = _Reader("Node")
    node = reader.checked(body, _NODE)
    metadata, spec = node.get("metadata") or {}, node.get("spec") or {}
    message = scheduling_service_pb2.ClusterNode(
        name=metadata.get("name") or "",
        resource_version=metadata.get("resourceVersion") or "",
        unschedulable=bool(spec.get("unschedulable")),
    )
    message.labels.update(read_labels(metadata.get("labels"), "metadata.labels", reader.problem))
    annotated = (metadata.get("annotations") or {}).get(HOURLY_PRICE)
    if annotated:
        message.labels[HOURLY_PRICE] = annotated
    taints = read_taints(spec.get("taints") or [], "spec.taints", reader.problem)
    message.taints.extend(taint_messages(taints))
    amounts = (node.get("status") or {}).get("allocatable")
    # A zero says what silence says, but for pod slots, where silence is "without limit".
    for name, text in read_quantities(amounts, "status.allocatable", reader.problem).items():
        message.allocatable[name] = text
    if quantity_text(message.allocatable.get("pods", "")) == "0":
        del message.allocatable["pods"]
        message.unschedulable = True
    reader.finish()
    if not message.name:
        raise InputError.of("Node", "must not be empty", field="metadata.name")
    return message


def read_namespace(body: Any) -> problem_pb2.Namespace:
    """A namespace of the cluster; raises InputError."""
    reader = _Reader("Namespace")
    metadata = reader.checked(body, _NAMESPACE).get("metadata") or {}
    labels = read_labels(metadata.get("labels"), "metadata.labels", reader.problem)
    reader.finish()
    if not metadata.get("name"):
        raise InputError.of("Namespace", "must not be empty", field="metadata.name")
    return problem_pb2.Namespace(name=metadata["name"], labels=labels)


def rules_unplanned(body: Mapping[str, Any], template: problem_pb2.PodTemplate) -> tuple[str, ...]:
    """Required rules of a pod that filter and plan pass over, by field of its spec.

    Parameters
    ----------
    template
        What was read of the pod.

    Examples
    --------
    >>> proxy = {"name": "proxy", "restartPolicy": "Always", "ports": [{"hostPort": 80, "protocol": "New"}]}
    >>> pod = {"spec": {"containers": [{"name": "main"}], "initContainers": [proxy]}}
    >>> rules_unplanned(pod, read_template(pod))
    ('host ports that cannot be read',)
    """
    spec = body.get("spec") or {}
    affinity = spec.get("affinity") or {}
    found = []
    for field, read in (
        ("podAffinity", template.pod_affinity),
        ("podAntiAffinity", template.pod_anti_affinity),
    ):
        terms = (affinity.get(field) or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or []
        if len(read.required) < len(terms):
            found.append(f"affinity.{field}")
    spread = list(filter(_is_required, spec.get("topologySpreadConstraints") or []))
    if len(template.topology_spread_constraints) < len(spread):
        found.append("topologySpreadConstraints")
    if not template.host_ports and any(wanted_host_ports(spec)):
        found.append("host ports that cannot be read")
    return tuple(found)


def has_ended(body: Mapping[str, Any]) -> bool:
    """Whether a pod no longer takes room."""
    status = body.get("status")
    phase = status.get("phase") if isinstance(status, dict) else None
    return isinstance(phase, str) and phase in ENDED


def _template(pod: dict[str, Any], reader: _Reader) -> problem_pb2.PodTemplate:
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    message = read_requests(spec, "spec", reader.problem)
    for container in (*message.containers, *message.init_containers):
        container.ClearField("name")  # pods that differ in it only are one kind
    selector = read_labels(spec.get("nodeSelector"), "spec.nodeSelector", reader.problem)
    message.node_selector.update(selector)
    affinity = (spec.get("affinity") or {}).get("nodeAffinity")
    if affinity and not _has_field_terms(affinity):
        read_node_affinity(affinity, message, "spec.affinity.nodeAffinity", reader.problem)
    read_tolerations(spec.get("tolerations") or [], message, "spec.tolerations", reader.problem)
    message.labels.update(read_labels(metadata.get("labels"), "metadata.labels", reader.problem))
    _read_rules(spec, message)
    message.do_not_disrupt = (metadata.get("annotations") or {}).get(DO_NOT_DISRUPT) == "true"
    reader.finish()
    return message


def _priority(spec: Mapping[str, Any], reader: _Reader) -> int:
    priority = spec.get("priority") or 0
    if abs(priority) >= 2**31:
        reader.problem("spec.priority", str(priority), "must fit into 32 bits")
        return 0
    return int(priority)


def _read_rules(spec: Mapping[str, Any], message: problem_pb2.PodTemplate) -> None:
    """Add host ports and required rules between pods, or none of a kind where one makes no sense to us.

    The API server has taken them, a selector that contradicts itself for one; a pod on a node takes its room
    whatever its rules say.
    """
    required = list(filter(_is_required, spec.get("topologySpreadConstraints") or []))
    wrong = []

    def note(path: str, _value: str, _description: str) -> None:
        wrong.append(path)

    rules = {**spec, "topologySpreadConstraints": required}
    read_pod_rules(rules, message, "spec", note, is_of_pod=True)
    if any(path.startswith(_CONTAINERS) for path in wrong):
        message.ClearField("host_ports")
    if not all(path.startswith(_CONTAINERS) for path in wrong):
        for field in ("topology_spread_constraints", "pod_affinity", "pod_anti_affinity"):
            message.ClearField(field)


def _is_required(constraint: Mapping[str, Any]) -> bool:
    return constraint.get("whenUnsatisfiable") != WhenUnsatisfiable.SCHEDULE_ANYWAY


def _has_field_terms(affinity: dict[str, Any]) -> bool:
    """Whether a required term asks for the node's own name, which is no label.

    Pods of DaemonSets do. Terms are alternatives, so that none of them can be held to without that
    one; kube-scheduler holds them all, before or after us.
    """
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return any(term.get("matchFields") for term in required.get("nodeSelectorTerms") or [])


def _is_daemon(metadata: dict[str, Any]) -> bool:
    """Whether the pod belongs to its node: of a DaemonSet, or a static pod of the kubelet."""
    return any(
        owner.get("controller") and owner.get("kind") in ("DaemonSet", "Node")
        for owner in metadata.get("ownerReferences") or []
    )

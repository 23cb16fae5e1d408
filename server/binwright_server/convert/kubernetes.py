"""Kubernetes' own protobuf pods and nodes, as schedulers and autoscalers send them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from binwright.v1 import problem_pb2
from binwright.vendor.kubernetes import core_v1_pb2, resource_pb2
from binwright_optimizer.model import Resources, Taint
from google.protobuf.message import DecodeError

from binwright_server.convert.amounts import resources_from_map
from binwright_server.convert.selection import labels_from_map, taints_from_messages
from binwright_server.convert.violations import Violations

UNSCHEDULABLE = problem_pb2.Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
"""What kube-scheduler sees in a cordoned node."""


class UndecodableError(ValueError):
    """Bytes are no serialized object of the kind they should be."""


@dataclass(frozen=True, slots=True)
class TemplateNode:
    """A node as it would join.

    Parameters
    ----------
    allocatable
        What pods may use; of a node that tells none, its capacity.
    """

    name: str
    labels: tuple[tuple[str, str], ...]
    annotations: Mapping[str, str]
    taints: tuple[Taint, ...]
    capacity: Resources
    allocatable: Resources


def decode_pod(data: bytes) -> core_v1_pb2.Pod:
    """The pod; raises UndecodableError for bytes that are none."""
    try:
        return core_v1_pb2.Pod.FromString(data)
    except DecodeError as error:
        raise UndecodableError("is no serialized Pod") from error


def pod_requests_to_message(pod: core_v1_pb2.Pod) -> problem_pb2.PodTemplate:
    """What of a pod decides how much room it takes."""
    spec = pod.spec
    message = problem_pb2.PodTemplate()
    _add_containers(spec.containers, message.containers)
    _add_containers(spec.initContainers, message.init_containers, are_initial=True)
    _add_quantities(spec.overhead, message.overhead)
    _add_quantities(spec.resources.requests, message.resources)
    return message


def decode_node(data: bytes, path: str, out: Violations) -> TemplateNode:
    """The node; wrong fields are recorded.

    Raises
    ------
    UndecodableError
        If the bytes are no node.
    """
    try:
        node = core_v1_pb2.Node.FromString(data)
    except DecodeError as error:
        raise UndecodableError("is no serialized Node") from error
    taints = [
        problem_pb2.Taint(key=taint.key, value=taint.value, effect=taint.effect) for taint in node.spec.taints
    ]
    capacity = _quantities(node.status.capacity)
    allocatable = _quantities(node.status.allocatable) or capacity
    if node.spec.unschedulable:
        taints.append(UNSCHEDULABLE)
    return TemplateNode(
        name=node.metadata.name,
        labels=labels_from_map(node.metadata.labels, f"{path}.metadata.labels", out),
        annotations=dict(node.metadata.annotations),
        taints=taints_from_messages(taints, f"{path}.spec.taints", out),
        capacity=resources_from_map(capacity, f"{path}.status.capacity", out),
        allocatable=resources_from_map(allocatable, f"{path}.status.allocatable", out),
    )


def _quantities(amounts: Mapping[str, resource_pb2.Quantity]) -> dict[str, str]:
    """Texts of amounts we can hold; a node with zero of something need not say so."""
    return {name: quantity.string for name, quantity in amounts.items()}


def _add_quantities(amounts: Mapping[str, resource_pb2.Quantity], into: Mapping[str, str]) -> None:
    for name, quantity in amounts.items():
        into[name] = quantity.string  # type: ignore[index]  # a map field, which its stub calls a mapping


def _add_containers(
    containers: Iterable[core_v1_pb2.Container],
    into: Iterable[problem_pb2.Container],
    *,
    are_initial: bool = False,
) -> None:
    for container in containers:
        message = into.add()  # type: ignore[attr-defined]  # a repeated field; names decide nothing
        resources = container.resources
        _add_quantities(resources.requests, message.requests)
        _add_quantities(resources.limits, message.limits)
        if are_initial and container.restartPolicy == "Always":
            message.restart_policy = "Always"

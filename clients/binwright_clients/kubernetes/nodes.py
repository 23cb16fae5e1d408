"""Nodes already running: what the pods on them leave free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from binwright.v1 import problem_pb2
from binwright_optimizer.model.quantity import format_quantity, parse_quantity
from binwright_optimizer.model.resources import PODS, Resources
from binwright_optimizer.model.taints import Taint, TaintEffect

from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.pods import effective_requests
from binwright_clients.kubernetes.quantities import read_quantities
from binwright_clients.kubernetes.requirements import read_taints, taint_messages

CORDONED = Taint("node.kubernetes.io/unschedulable", "", TaintEffect.NO_SCHEDULE)
"""What kube-scheduler sees on a node that is unschedulable. Its pods and its share of a limit count."""


class RunningOnNode:
    """Pods bound to one node: what they take, and what they are to others."""

    def __init__(self) -> None:
        self.used = Resources()
        self.named_below: int | None = None
        """Pods of a priority below are told by name, as others may preempt them; None for no such pods."""
        self._pods: dict[tuple[str, str, bytes], tuple[problem_pb2.RunningPods, Resources]] = {}
        self._names: dict[tuple[str, str, bytes], list[str]] = {}
        self._attached: dict[str, set[object]] = {}

    def add(self, pod: ManifestObject, template: problem_pb2.PodTemplate, gang: str) -> None:
        """Count one pod; equal ones of a namespace become one entry."""
        key = (pod.namespace, gang, template.SerializeToString(deterministic=True))
        if key not in self._pods:
            entry = problem_pb2.RunningPods(namespace=pod.namespace, template=template, gang=gang, count=0)
            self._pods[key] = (entry, with_slot(effective_requests(template)))
            self._names[key] = []
        entry, requests = self._pods[key]
        entry.count += 1
        self._names[key].append(pod.name)
        self.used = self.used + requests
        for index, volume in enumerate(template.volumes):
            if volume.driver:
                shared: object = volume.name or (pod.name, index)
                self._attached.setdefault(volume.driver, set()).add((pod.namespace, shared))

    def write(self, message: problem_pb2.ExistingNode, limits: Mapping[str, int]) -> None:
        """Put the pods, and what is left of the attach limits, on the node."""
        for key, (entry, _) in self._pods.items():
            is_lower = self.named_below is not None and entry.template.priority < self.named_below
            if (
                is_lower or entry.template.pod_anti_affinity.required
            ):  # it may go for others, or keeps them off
                entry.names.extend(self._names[key])
            message.pods.append(entry)
        for driver, limit in sorted(limits.items()):
            attached = len(self._attached.get(driver, ()))
            message.attach_limits.add(driver=driver, count=max(0, limit - attached))


def add_node(
    node: ManifestObject,
    running: RunningOnNode,
    attach_limits: Mapping[str, int],
    devices: Mapping[str, int],
) -> None:
    """Add a Node to the assembly of its object; mistakes are reported there.

    Parameters
    ----------
    running
        Pods bound to it.
    attach_limits
        Volumes it takes by CSI driver, those attached included.
    devices
        Devices that DRA drivers publish, by the resource of their device plugin; they count where the
        node does not advertise that.
    """
    status = node.body.get("status")
    status = status if isinstance(status, dict) else {}
    allocatable = amounts_of_status(node, status, "allocatable")
    if allocatable is None:
        node.problem("status.allocatable", "", "is missing: a Node is read as it runs in a cluster")
        return
    published = {name: count for name, count in devices.items() if not allocatable.get(name)}
    allocatable |= published
    taints = read_taints(node.spec.get("taints") or [], "spec.taints", node.problem)
    message = node.assembly.add_existing_node(node.origin)
    message.name = node.name
    for key, value in read_labels(node.metadata.get("labels"), "metadata.labels", node.problem).items():
        message.labels[key] = value
    if node.spec.get("unschedulable") and all(taint.key != CORDONED.key for taint in taints):
        taints = (*taints, CORDONED)
    message.taints.extend(taint_messages(taints))
    free = Resources.of(allocatable).minus(running.used)
    for resource in allocatable:
        message.free[resource] = format_quantity(free[resource], resource)
    capacity = (amounts_of_status(node, status, "capacity") or allocatable) | published
    less = [name for name, amount in allocatable.items() if amount > capacity.get(name, amount)]
    if less:
        # Karpenter's kwok provider reports the requests of the NodeClaim as the capacity of its nodes.
        names = ", ".join(sorted(less))
        node.note(f"status.capacity of {names} is less than what is allocatable, which is taken instead")
        capacity = capacity | {name: allocatable[name] for name in less}
    for resource, amount in capacity.items():
        message.capacity[resource] = format_quantity(amount, resource)
    running.write(message, attach_limits)


def amounts_of_status(node: ManifestObject, status: dict[str, Any], field: str) -> dict[str, int] | None:
    """Integer amounts of a resource list of the status, or None without one."""
    quantities = status.get(field)
    if quantities is None:
        return None
    path = f"status.{field}"
    if not isinstance(quantities, dict) or not all(
        isinstance(value, (str, int, float)) and not isinstance(value, bool) for value in quantities.values()
    ):
        node.problem(path, "", "must be a mapping from resources to quantities")
        return {}
    texts = read_quantities(quantities, path, node.problem)
    return {name: parse_quantity(text, name) for name, text in texts.items()}


def with_slot(requests: Resources) -> Resources:
    """Requests of a pod and the slot it takes."""
    return requests + Resources.of({PODS: 1})

"""Nodes already running: what the pods on them leave free."""

from __future__ import annotations

from typing import Any

from binwright_optimizer.model.quantity import format_quantity, parse_quantity
from binwright_optimizer.model.resources import PODS, Resources

from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.quantities import read_quantities
from binwright_clients.kubernetes.requirements import read_taints, taint_messages


def add_node(node: ManifestObject, used: Resources) -> None:
    """Add a Node to the assembly of its object; mistakes are reported there.

    Parameters
    ----------
    used
        Sum of the effective requests of the pods bound to it, pod slots included.
    """
    if node.spec.get("unschedulable"):
        node.note("the node is unschedulable and takes no pods: skipped")
        return
    status = node.body.get("status")
    status = status if isinstance(status, dict) else {}
    allocatable = _amounts(node, status, "allocatable")
    if allocatable is None:
        node.problem("status.allocatable", "", "is missing: a Node is read as it runs in a cluster")
        return
    taints = read_taints(node.spec.get("taints") or [], "spec.taints", node.problem)
    if not all(taint.repels for taint in taints):
        node.note("the taint effect PreferNoSchedule is not enforced")
    message = node.assembly.add_existing_node(node.origin)
    message.name = node.name
    for key, value in read_labels(node.metadata.get("labels"), "metadata.labels", node.problem).items():
        message.labels[key] = value
    message.taints.extend(taint_messages(taints))
    free = Resources.of(allocatable).minus(used)
    for resource in allocatable:
        message.free[resource] = format_quantity(free[resource], resource)
    capacity = _amounts(node, status, "capacity") or allocatable
    for resource, amount in capacity.items():
        message.capacity[resource] = format_quantity(amount, resource)


def _amounts(node: ManifestObject, status: dict[str, Any], field: str) -> dict[str, int] | None:
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

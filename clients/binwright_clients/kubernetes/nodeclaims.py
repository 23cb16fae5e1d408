"""Karpenter's NodeClaims: machines that are launched take part as the nodes they will be."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from binwright.v1 import problem_pb2
from binwright_optimizer.model import labels
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.requirements import Operator, Requirement
from binwright_optimizer.model.resources import Resources
from binwright_optimizer.model.taints import Taint, TaintEffect, Toleration, untolerated

from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.nodes import amounts_of_status, with_slot
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.pods import effective_requests
from binwright_clients.kubernetes.requirements import read_taints, taint_messages
from binwright_clients.kubernetes.schema import ANY, STRING, MapOf, Record

NODE_CLAIM = Record(
    {"apiVersion": STRING, "kind": STRING, "metadata": ANY, "spec": MapOf(ANY), "status": MapOf(ANY)}
)


def add_node_claim(
    claim: ManifestObject, nodes: Container[str], daemon_sets: Iterable[problem_pb2.DaemonSet]
) -> None:
    """Add the node that a launched claim will be, less the daemons that will run there.

    Parameters
    ----------
    nodes
        Names of the Nodes among the inputs: a claim whose node is there is counted as that.
    """
    status: Mapping[str, Any] = claim.body.get("status") or {}
    if str(status.get("nodeName") or "") in nodes:
        return
    if claim.metadata.get("deletionTimestamp"):
        claim.note("is being deleted: skipped")
        return
    allocatable = amounts_of_status(claim, dict(status), "allocatable")
    if not status.get("providerID") or not allocatable:
        claim.note("is not launched yet: its room is not counted")
        return
    message = claim.assembly.add_existing_node(claim.origin)
    message.name = f"nodeclaim-{claim.name}"
    for key, value in {
        **single_values(claim.spec),
        **read_labels(claim.metadata.get("labels"), "metadata.labels", claim.problem),
    }.items():
        message.labels[key] = value
    taints = read_taints(claim.spec.get("taints") or [], "spec.taints", claim.problem)
    message.taints.extend(taint_messages(taints))
    daemons = Resources()
    for daemon in daemon_sets:
        if _runs_on(daemon.template, {**dict(message.labels), labels.HOSTNAME: message.name}, taints):
            daemons = daemons + with_slot(effective_requests(daemon.template))
    free = Resources.of(allocatable).minus(daemons)
    for resource in allocatable:
        message.free[resource] = format_quantity(free[resource], resource)
    for resource, amount in (amounts_of_status(claim, dict(status), "capacity") or allocatable).items():
        # kwok's claims state the requests as capacity, which is less.
        message.capacity[resource] = format_quantity(max(amount, allocatable.get(resource, 0)), resource)


def single_values(spec: Mapping[str, Any]) -> dict[str, str]:
    """Labels that requirements of one value imply.

    >>> single_values({"requirements": [{"key": "zone", "operator": "In", "values": ["a"]}]})
    {'zone': 'a'}
    """
    return {
        str(each["key"]): str(each["values"][0])
        for each in spec.get("requirements") or []
        if isinstance(each, dict) and each.get("operator") == "In" and len(each.get("values") or []) == 1
    }


def _runs_on(template: problem_pb2.PodTemplate, node: Mapping[str, str], taints: tuple[Taint, ...]) -> bool:
    """Whether a daemon's node selector, required affinity and tolerations admit the node."""
    tolerations = [
        Toleration(t.key, t.value, t.operator == "Exists", TaintEffect(t.effect) if t.effect else None)
        for t in template.tolerations
    ]
    if untolerated(taints, tolerations) is not None:
        return False
    if any(node.get(key) != value for key, value in template.node_selector.items()):
        return False
    terms = template.node_affinity.required
    return not terms or any(all(_admits(each, node) for each in term.match_expressions) for term in terms)


def _admits(wanted: problem_pb2.Requirement, node: Mapping[str, str]) -> bool:
    requirement = Requirement(wanted.key, Operator(wanted.operator), tuple(wanted.values))
    return requirement.admits(node.get(wanted.key))

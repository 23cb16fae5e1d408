"""Karpenter's NodeClaims: machines that are launched take part as the nodes they will be.

So do Nodes that are there and not initialised yet: Karpenter, too, overlooks taints that will go, and takes
resources that no device plugin has announced yet from the NodeClaim (``StateNode`` in
sigs.k8s.io/karpenter/pkg/controllers/state).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from binwright.v1 import problem_pb2
from binwright_optimizer.model import labels
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.requirements import Operator, Requirement
from binwright_optimizer.model.resources import PODS, Resources
from binwright_optimizer.model.taints import Taint, TaintEffect, Toleration, untolerated

from binwright_clients.kubernetes.fields import mapping, mappings
from binwright_clients.kubernetes.labels import read_labels
from binwright_clients.kubernetes.nodes import RunningOnNode, amounts_of_status, with_slot
from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.pods import effective_requests
from binwright_clients.kubernetes.requirements import read_taints, taint_messages
from binwright_clients.kubernetes.schema import ANY, STRING, MapOf, Record

NODE_CLAIM = Record(
    {"apiVersion": STRING, "kind": STRING, "metadata": ANY, "spec": MapOf(ANY), "status": MapOf(ANY)}
)


_PASSING = frozenset(
    {
        ("karpenter.sh/unregistered", "NoExecute"),
        ("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/not-ready", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoSchedule"),
    }
)
"""Key and effect of taints that every node sheds as it comes up."""


class NodesOfClaims:
    """Which Node a NodeClaim is.

    Parameters
    ----------
    nodes
        Those that are there.
    """

    def __init__(self, nodes: Iterable[Mapping[str, Any]]) -> None:
        self._names: set[str] = set()
        self._by_provider: dict[str, str] = {}
        for node in nodes:
            name = str(mapping(node.get("metadata")).get("name"))
            self._names.add(name)
            self._by_provider[str(mapping(node.get("spec")).get("providerID") or "")] = name

    def name_of(self, claim: Mapping[str, Any]) -> str:
        """Name of a claim's Node; empty if it is not there.

        Before Karpenter has registered the Node, only the machine's ID tells.
        """
        status = mapping(claim.get("status"))
        if (name := str(status.get("nodeName") or "")) in self._names:
            return name
        machine = str(status.get("providerID") or "")
        return self._by_provider.get(machine, "") if machine else ""


def as_initialized(node: dict[str, Any], claim: Mapping[str, Any]) -> dict[str, Any]:
    """A Node as it will be once its NodeClaim is initialised; the same if it is.

    One whose NodeClaim is being deleted takes no more pods, whether its taint is there yet or not.

    Examples
    --------
    >>> node = {"spec": {"taints": [{"key": "cni", "effect": "NoExecute"}]}}
    >>> node["status"] = {"allocatable": {"cpu": "4", "nvidia.com/gpu": "0"}}
    >>> claim = {"spec": {"startupTaints": [{"key": "cni", "effect": "NoExecute"}]}}
    >>> claim["status"] = {"nodeName": "n1", "allocatable": {"cpu": "3", "nvidia.com/gpu": "1"}}
    >>> ready = as_initialized(node, claim)
    >>> ready["spec"]["taints"], ready["status"]["allocatable"]
    ([], {'cpu': '4', 'nvidia.com/gpu': '1'})
    """
    of_claim, wanted, told = (mapping(claim.get(part)) for part in ("metadata", "spec", "status"))
    metadata, spec, status = (mapping(node.get(part)) for part in ("metadata", "spec", "status"))
    if of_claim.get("deletionTimestamp"):
        return {**node, "spec": {**spec, "unschedulable": True}}
    if _is_true(told, "Initialized"):
        return node
    is_registered = bool(told.get("nodeName")) or _is_true(told, "Registered")
    passing = _PASSING | {
        (each.get("key"), each.get("effect")) for each in mappings(wanted.get("startupTaints"))
    }
    taints = [
        taint
        for taint in mappings((spec if is_registered else wanted).get("taints"))
        if (taint.get("key"), taint.get("effect")) not in passing
    ]
    own_labels = {**single_values(wanted), **mapping(of_claim.get("labels"))}
    amounts = {field: _announced(status, told, field) for field in ("allocatable", "capacity")}
    return {
        **node,
        "metadata": {**metadata, "labels": {**own_labels, **mapping(metadata.get("labels"))}},
        "spec": {**spec, "taints": taints},
        "status": {**status, **{field: found for field, found in amounts.items() if found}},
    }


def _announced(node: Mapping[str, Any], claim: Mapping[str, Any], field: str) -> dict[str, Any]:
    """Amounts of a Node, or of its claim where the Node has none yet; one without pod slots is full."""
    own = mapping(node.get(field))
    there = {name: amount for name, amount in own.items() if str(amount) != "0" or name == PODS}
    return {**own, **mapping(claim.get(field)), **there}


def _is_true(status: Mapping[str, Any], condition_type: str) -> bool:
    conditions = mappings(status.get("conditions"))
    return any(each.get("type") == condition_type and each.get("status") == "True" for each in conditions)


def coming_name(claim: str) -> str:
    """What the node of a claim is called before it is there: pods may be bound to it by that.

    >>> coming_name("web-1")
    'nodeclaim-web-1'
    """
    return f"nodeclaim-{claim}"


def add_node_claim(
    claim: ManifestObject, running: RunningOnNode, daemon_sets: Iterable[problem_pb2.DaemonSet]
) -> None:
    """Add the node that a launched claim, whose Node is not there yet, will be.

    Daemons, which will run there, have their room taken off.

    Parameters
    ----------
    running
        Pods that are bound to it by its coming name.
    """
    status: Mapping[str, Any] = claim.body.get("status") or {}
    if claim.metadata.get("deletionTimestamp"):
        claim.note("is being deleted: skipped")
        return
    allocatable = amounts_of_status(claim, dict(status), "allocatable")
    if not status.get("providerID") or not allocatable:
        claim.note("is not launched yet: its room is not counted")
        return
    message = claim.assembly.add_existing_node(claim.origin)
    message.name = coming_name(claim.name)
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
    free = Resources.of(allocatable).minus(daemons + running.used)
    for resource in allocatable:
        message.free[resource] = format_quantity(free[resource], resource)
    for resource, amount in (amounts_of_status(claim, dict(status), "capacity") or allocatable).items():
        # kwok's claims state the requests as capacity, which is less.
        message.capacity[resource] = format_quantity(max(amount, allocatable.get(resource, 0)), resource)
    running.write(message, {})


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

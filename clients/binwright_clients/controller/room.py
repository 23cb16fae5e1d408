"""What the nodes of NodeClaims have room for, as the pods stand that kube-scheduler has bound.

kube-scheduler does not know which pods a node was bought for: of pods that are alike, it binds those
first that it tries first. So the node of a claim may be full of pods that others were bought for, whose
room is free elsewhere in turn. Pods that lost theirs must not wait, and room that was left must not be
bought a second time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.resources import Resources

from binwright_clients.cluster.api import Json
from binwright_clients.kubernetes.fields import at, mapping
from binwright_clients.kubernetes.nodes import with_slot
from binwright_clients.kubernetes.pods import effective_requests, read_requests
from binwright_clients.kubernetes.resized import as_counted
from binwright_clients.kubernetes.workloads import is_finished


@dataclass(slots=True)
class NodeRoom:
    """A node that was bought, and who is there and who waits for it.

    Parameters
    ----------
    allocatable
        Of the Node, in base units; nothing of one that is cordoned.
    bound
        Pods with this node.
    awaited
        Pods that it was bought for and that have no node yet.
    """

    allocatable: Resources = Resources()
    bound: list[Json] = field(default_factory=list)
    awaited: list[Json] = field(default_factory=list)

    def crowded_out(self) -> frozenset[str]:
        """UIDs of the pods that wait for this node and no longer fit beside those bound to it.

        Room is given in the order of names. A pod whose requests cannot be read is not among them.

        Examples
        --------
        >>> def pod(uid):
        ...     container = {"name": "c", "resources": {"requests": {"cpu": "1"}}}
        ...     return {"metadata": {"uid": uid, "name": uid}, "spec": {"containers": [container]}}
        >>> node = NodeRoom(Resources.of({"cpu": 2_000, "pods": 10}), [pod("x")], [pod("a"), pod("b")])
        >>> sorted(node.crowded_out())
        ['b']
        """
        free = self.allocatable
        for pod in self.bound:
            free = free.minus(requests_of(pod) or Resources())
        crowded = set()
        for pod in sorted(self.awaited, key=lambda each: str(each["metadata"].get("name"))):
            asked = requests_of(pod)
            if asked is None:
                continue
            if asked.fits_in(free):
                free = free.minus(asked)
            else:
                crowded.add(str(pod["metadata"]["uid"]))
        return frozenset(crowded)


def rooms(objects: Sequence[Json], awaited: Mapping[str, str]) -> dict[str, NodeRoom]:
    """The nodes that pods wait for, by name; those that are there, and that a pod without a node waits for.

    Parameters
    ----------
    awaited
        The node that was bought for a pod, by the pod's UID, whether the pod is bound by now or not.
    """
    found: dict[str, NodeRoom] = {}
    for item in objects:
        if item.get("kind") == "Pod" and not _node_of(item) and not is_finished(item):
            name = awaited.get(at(item, "metadata", "uid") or "")
            if name:
                found.setdefault(name, NodeRoom()).awaited.append(item)
    if not found:  # as nearly always: bound pods, 100,000 perhaps, need not be looked at
        return {}
    is_there = set()
    for item in objects:
        if item.get("kind") == "Node":
            name = at(item, "metadata", "name")
            if name not in found:
                continue
            is_there.add(name)
            if not at(item, "spec", "unschedulable"):
                found[name].allocatable = _amounts(mapping(at(item, "status", "allocatable")))
        elif item.get("kind") == "Pod" and _node_of(item) in found and not is_finished(item):
            found[_node_of(item)].bound.append(item)
    return {name: room for name, room in found.items() if name in is_there}


def _node_of(pod: Json) -> str:
    return str(at(pod, "spec", "nodeName") or "")


def requests_of(pod: Json) -> Resources | None:
    """What a Pod takes from its node, its slot included; None if that cannot be read."""
    problems: list[str] = []

    def report(at: str, value: str, what: str) -> None:  # noqa: ARG001
        problems.append(what)

    try:
        template = read_requests(as_counted(dict(pod)).get("spec") or {}, "spec", report)
        requests = with_slot(effective_requests(template))
    except (AttributeError, TypeError, ValueError):
        return None  # of other shapes than a Pod has; the reader tells of it
    return None if problems else requests


def _amounts(quantities: Mapping[str, Any]) -> Resources:
    """Quantities of a resource list in base units; what cannot be read is none."""
    amounts = {}
    for name, quantity in quantities.items():
        with suppress(ValueError):
            amounts[name] = parse_quantity(str(quantity), name)
    return Resources.of(amounts)

"""What one node is and what it may hold, straight from the domain types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from binwright_optimizer.model import (
    DaemonSet,
    InstanceType,
    NodePool,
    Offering,
    PodTemplate,
    Problem,
    Requirement,
    Resources,
    Taint,
    labels,
)
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.verify.compatibility import new_host_admits

Labels = Mapping[str, str]

ONE_SLOT = Resources.of({PODS: 1})


def limits_slots(room: Resources, capacity: Resources) -> bool:
    """Whether a node with this room limits the number of its pods.

    Zero amounts are not stored, so a node whose slots are used up shows them in its capacity only.
    """
    return PODS in room.names() or PODS in capacity.names()


def lacking(requests: Resources, room: Resources, capacity: Resources) -> tuple[str, ...]:
    """Names of the resources of which ``room`` has less than ``requests``."""
    available = dict(room)
    return tuple(
        name
        for name, amount in requests
        if amount > available.get(name, 0) and (name != PODS or limits_slots(room, capacity))
    )


def given_labels(pool: NodePool, kind: InstanceType, offering: Offering) -> dict[str, str]:
    """Labels that pool, instance type and offering define; custom ones are the decision's choice."""
    return {
        **dict(pool.labels),
        **dict(kind.labels),
        labels.REGION: offering.region,
        labels.ZONE: offering.zone,
        labels.CAPACITY_TYPE: offering.capacity_type.value,
        labels.NODE_POOL: pool.name,
    }


def refused_requirement(
    requirements: Iterable[Requirement], node: Labels, *, is_new: bool
) -> Requirement | None:
    """The first requirement that the labels do not satisfy, or None.

    A node still to be bought has a host name that nobody knows yet.
    """
    for requirement in requirements:
        if is_new and requirement.key == labels.HOSTNAME:
            is_satisfied = new_host_admits(requirement)
        else:
            is_satisfied = requirement.admits(node.get(requirement.key))
        if not is_satisfied:
            return requirement
    return None


def satisfies_affinity(template: PodTemplate, node: Labels, *, is_new: bool) -> bool:
    """Whether one required affinity term holds; an empty term matches no node."""
    if not template.node_affinity:
        return True
    return any(
        term and refused_requirement(term, node, is_new=is_new) is None for term in template.node_affinity
    )


def lands(daemon: DaemonSet, node: Labels, taints: Iterable[Taint]) -> bool:
    """Whether a daemon runs on a new node with these labels and taints."""
    template = daemon.template
    return (
        refused_requirement(template.node_selector, node, is_new=True) is None
        and satisfies_affinity(template, node, is_new=True)
        and untolerated(taints, template.tolerations) is None
    )


def daemon_overhead(problem: Problem, pool: NodePool, node: Labels) -> Resources:
    """Requests of the daemons on a new node of ``pool``, pod slots included."""
    total = pool.overhead
    for daemon in problem.daemon_sets:
        if lands(daemon, node, pool.taints):
            total = total + daemon.template.requests + ONE_SLOT
    return total

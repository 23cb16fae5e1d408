"""Device claims: which devices a node has, and who gets them."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import InstanceType, Problem, labels
from claims_by_hand import MAKERS, Titled, devices_of, whole_devices

from brute_force.daemons import daemon_overhead
from brute_force.nodes import Node, Pod


def devices_by_pod(problem: Problem, node: Node, pods: Sequence[Pod]) -> list[list[Titled]] | None:
    """Devices of each placed pod of a node; None if some claim is not met there."""
    kind, total, most = _devices_there(problem, node)
    held = _held_there(problem, node)
    found = []
    for pod in pods:
        mine = devices_of(pod.namespace, pod.template, kind, total, most, held)
        if mine is None:
            return None
        found.append(mine)
    return found


def has_devices(problem: Problem, node: Node, pods: Sequence[Pod]) -> bool:
    """Whether the devices of a node are enough for claims and requests; a shared claim counts once."""
    if not any(pod.template.device_claims for pod in pods) and not _has_claims(node):
        return True
    each = [devices_by_pod(problem, node, [pod]) for pod in pods]
    found = [mine for one in each for mine in one or ()]  # claims that are not met are another rule
    own = sum(number for mine in found for name, _, number in mine if not name)
    shared = {name: number for mine in found for name, _, number in mine if name}
    _, _, most = _devices_there(problem, node)
    if node.option is not None:
        taken = daemon_overhead(problem, node.option.pool, node.labels)
        most -= sum(taken.get(name, 0) for name in MAKERS)
    return own + sum(shared.values()) <= most


def _has_claims(node: Node) -> bool:
    return node.existing is not None and any(pods.template.device_claims for pods in node.existing.pods)


def _devices_there(problem: Problem, node: Node) -> tuple[InstanceType | None, int, int]:
    """Type of a node, all its devices and those that new pods may have."""
    if node.existing is None:
        assert node.option is not None
        kind = node.option.kind
        if not any(kind.allocatable[name] for name in MAKERS):
            return None, 0, 0
        return kind, whole_devices(kind.allocatable), whole_devices(kind.allocatable)
    name = node.labels.get(labels.INSTANCE_TYPE)
    known = [kind for kind in problem.catalog.instance_types if kind.name == name]
    total = max(whole_devices(node.existing.capacity), whole_devices(node.existing.free))
    taken: dict[object, int] = {}
    for n, pods in enumerate(node.existing.pods):
        for claim in pods.template.device_claims:
            # Which alternative they were given is not told.
            most = sum(
                max(0 if r.is_admin else (r.count or total) for r in choice) for choice in claim.requests
            )
            key: object = (pods.namespace, claim.name) if claim.name else n
            taken[key] = most if claim.name else taken.get(key, 0) + pods.count * most
    free = max(0, whole_devices(node.existing.free) - sum(taken.values()))
    is_known = bool(known) and any(
        known[0].allocatable[m] and (node.existing.capacity[m] or node.existing.free[m]) for m in MAKERS
    )
    return (known[0] if is_known else None), total, free


def _held_there(problem: Problem, node: Node) -> list[tuple[str, str]]:
    if node.existing is None:
        return []
    return [
        (pods.namespace, claim.name)
        for pods in node.existing.pods
        for claim in pods.template.device_claims
        if claim.name
    ]


def claims_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Claims are met by their nodes, and the pods of a shared one are on one node, where others have it."""
    where: dict[tuple[str, str], set[str]] = {}
    before: dict[tuple[str, str], set[str]] = {}
    for pods, found in ((placed, where), (running, before)):
        for pod in pods:
            for claim in pod.template.device_claims:
                if claim.name:
                    found.setdefault((pod.namespace, claim.name), set()).add(pod.node.name)
    for name, mine in where.items():
        if len(mine) > 1 or (name in before and not mine <= before[name]):
            return False
    return all(devices_by_pod(problem, pod.node, [pod]) is not None for pod in placed)

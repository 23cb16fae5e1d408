"""Who goes first among pods that only their priority tells apart.

The search minimises how many pods of the highest priority are left out, then of the next; an answer that it
gives early may leave one out while another is placed that differs from it in a lower priority only. Such pods
may take each other's places whatever the rules are, so that those of the highest priority get them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from binwright_optimizer.extract import Placed
from binwright_optimizer.instance import Instance
from binwright_optimizer.model import DeviceUse, ExistingPlacement, NodeClaim, PodRange
from binwright_optimizer.queues import first, joined

Queue = list[PodRange]
"""Pods that may take each other's places; the last are the next."""


def highest_first(instance: Instance, placed: Placed) -> Placed:
    """The same places, each with the pod of highest priority that is alike to the one it was found for."""
    if not placed.left_out:
        return placed
    workloads = instance.problem.workloads
    left = [0] * len(workloads)
    for pods in placed.left_out:
        left[pods.workload] += pods.count
    queue_of: dict[int, Queue] = {}
    for alike in _alike(instance):
        waiting = [_priority(instance, w) for w in alike if left[w]]
        served = [_priority(instance, w) for w in alike if left[w] < workloads[w].replicas]
        if waiting and served and max(waiting) > min(served):
            queue = [PodRange(w, 0, workloads[w].replicas) for w in reversed(alike)]
            queue_of.update(dict.fromkeys(alike, queue))
    if not queue_of:
        return placed
    claims: list[NodeClaim] = []
    for claim in placed.node_claims:
        heirs, uses = _given(claim, queue_of)
        claims.append(replace(claim, pods=heirs, devices=uses))
    existing: list[ExistingPlacement] = []
    for placement in placed.existing:
        heirs, uses = _given(placement, queue_of)
        existing.append(replace(placement, pods=heirs, devices=uses))
    rest = [pods for pods in placed.left_out if pods.workload not in queue_of]
    rest += [pods for queue in {id(q): q for q in queue_of.values()}.values() for pods in queue if pods.count]
    return Placed(tuple(claims), tuple(existing), tuple(sorted(rest, key=lambda r: (r.workload, r.first))))


def _priority(instance: Instance, w: int) -> int:
    return instance.problem.workloads[w].template.priority


def _alike(instance: Instance) -> Iterator[list[int]]:
    """Workloads whose pods only their priority tells apart, several each, the highest first."""
    groups = instance.origin.kinds.alike_but_for_priority()
    number = {k: g for g, group in enumerate(groups) for k in group}
    members: list[list[int]] = [[] for _ in groups]
    for w, k in enumerate(instance.origin.kinds.workload_kind.tolist()):
        if k in number:
            members[number[k]].append(w)
    for mine in members:
        yield sorted(mine, key=lambda w: (-_priority(instance, w), w))


def _given(
    node: NodeClaim | ExistingPlacement, queue_of: dict[int, Queue]
) -> tuple[tuple[PodRange, ...], tuple[DeviceUse, ...]]:
    """The pods that get the places on a node, and what they have of its devices."""
    pods: list[PodRange] = []
    heirs: dict[PodRange, PodRange] = {}
    for old in node.pods:
        if old.workload not in queue_of:
            pods.append(old)
            continue
        new = first(queue_of[old.workload], old.count)
        pods += new
        heirs.update(zip(_each([old]), _each(new), strict=True))
    uses = [
        replace(use, pods=mine)
        for use in node.devices
        for mine in joined(heirs.get(pod, pod) for pod in _each([use.pods]))
    ]
    return tuple(pods), tuple(uses)


def _each(ranges: Sequence[PodRange]) -> Iterator[PodRange]:
    """Pods one by one."""
    return (PodRange(pods.workload, pods.first + n, 1) for pods in ranges for n in range(pods.count))

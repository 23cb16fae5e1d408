"""Whether pods fit on a node together."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import Problem

from brute_force.daemons import daemon_overhead
from brute_force.devices import has_devices
from brute_force.gpu_parts import GPU, asks_for_parts, is_cut, parts_hold
from brute_force.nodes import Node, Pod


def has_room(problem: Problem, node: Node, pods: Sequence[Pod]) -> bool:
    """Whether the placed pods of a node fit beside its daemons."""
    if node.existing is not None:
        room, capacity, taken = node.existing.free, node.existing.capacity, {}
    else:
        assert node.option is not None
        pool, kind = node.option.pool, node.option.kind
        room, capacity = pool.allocatable_of(kind), pool.capacity_of(kind)
        taken = daemon_overhead(problem, pool, node.labels)
    total = dict(taken)
    for pod in pods:
        for name, amount in (*pod.template.requests, ("pods", 1)):
            total[name] = total.get(name, 0) + amount
    if "pods" not in room.names() and "pods" not in capacity.names():
        total.pop("pods", None)  # such a node does not limit them
    has_parts = True
    if any(asks_for_parts(pod.template) for pod in pods):
        has_parts = parts_hold(problem, node, [pod.template for pod in pods])
        for name in [name for name in total if name == GPU or (is_cut(name) and node.existing is None)]:
            total.pop(name)
    has_amounts = all(amount <= room[name] for name, amount in total.items())
    return has_amounts and has_parts and has_devices(problem, node, pods)

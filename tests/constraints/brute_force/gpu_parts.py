"""Shares of GPUs and MIG instances of one node, given out in every way."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import GpuSharing, PodTemplate, Problem, labels
from builders import instance_type
from gpu_brute_force import GPU, gpus_hold

from brute_force.nodes import Node


def asks_for_parts(template: PodTemplate) -> bool:
    """Whether a pod asks for a share of a GPU or for a MIG instance."""
    return template.gpu_share is not None or any(is_cut(name) for name, _ in template.requests)


def is_cut(resource: str) -> bool:
    """Whether a resource is a MIG instance."""
    return resource.startswith("nvidia.com/mig-")


def parts_hold(problem: Problem, node: Node, pods: Sequence[PodTemplate]) -> bool:
    """Whether the GPUs of a node give all its new pods what they ask of GPUs; nobody has any yet.

    Running nodes cut no GPU: a MIG instance is had there only if it is advertised, like any resource.
    """
    if node.option is not None:
        kind = node.option.kind
        return gpus_hold(kind, node.option.pool.gpu_sharing, pods, kind.allocatable[GPU])
    assert node.existing is not None
    name, pool = node.labels.get(labels.INSTANCE_TYPE), node.existing.node_pool
    known = [kind for kind in problem.catalog.instance_types if kind.name == name]
    ruling = [p.gpu_sharing for p in problem.node_pools if p.name == pool]
    whole = [pod for pod in pods if not any(is_cut(name) for name, _ in pod.requests)]
    count = node.existing.free[GPU]
    kind = known[0] if known else instance_type()
    return gpus_hold(kind, ruling[0] if ruling else GpuSharing(), whole, count)

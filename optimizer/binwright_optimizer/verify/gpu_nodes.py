"""Nodes with accelerators, kept for pods that ask for one (`GpuNodePolicy.NEVER`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import (
    ExistingNode,
    GpuNodePolicy,
    InstanceType,
    NodePool,
    PodTemplate,
    Problem,
    labels,
)
from binwright_optimizer.model.mig import mig_profile
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.final_state import FinalState, Finding, Node

ACCELERATOR_RESOURCES = frozenset(
    {
        "nvidia.com/gpu",
        "nvidia.com/gpu.shared",
        "amd.com/gpu",
        "aws.amazon.com/neuron",
        "aws.amazon.com/neuroncore",
        "aws.amazon.com/neurondevice",
        "habana.ai/gaudi",
        "google.com/tpu",
    }
)
"""Extended resources of accelerators, beside NVIDIA's MIG devices."""
PLACES = "places without accelerators"
"""Resource of the bound; no resource of Kubernetes has a space."""
_NO_LIMIT = 2**50
"""More of them than any workload has pods."""


def _is_accelerator(resource: str) -> bool:
    return resource in ACCELERATOR_RESOURCES or mig_profile(resource) is not None


def _name_accelerator(resources: Iterable[str]) -> bool:
    return any(map(_is_accelerator, resources))


def has_accelerator(kind: InstanceType) -> bool:
    """Whether nodes of a type have an accelerator."""
    return bool(kind.gpu_count or kind.gpu_model) or _name_accelerator(kind.capacity.names())


def asks_for_accelerator(template: PodTemplate) -> bool:
    """Whether a pod asks for an accelerator, whole, shared, sliced or claimed."""
    if template.gpu_share is not None or template.device_claims:
        return True
    return _name_accelerator(template.requests.names())


def check_gpu_nodes(state: FinalState) -> Iterator[Finding]:
    """Placed pods without accelerator on nodes that have one."""
    if state.problem.policies.gpu_nodes is not GpuNodePolicy.NEVER:
        return
    workloads = state.problem.workloads
    asks: dict[int, bool] = {}
    kept_free: dict[int, bool] = {}
    for n, pods in state.ranges:
        template = workloads[pods.workload].template
        if id(template) not in asks:
            asks[id(template)] = asks_for_accelerator(template)
        if asks[id(template)]:
            continue
        if n not in kept_free:
            kept_free[n] = _is_accelerated(state.nodes[n])
        if kept_free[n]:
            yield Finding(
                Rule.GPU_NODES,
                f"pod {workloads[pods.workload].pod_name(pods.first)} asks for no accelerator and is on "
                f"{state.nodes[n].name}, which has one; the policy says never",
            )


def _is_accelerated(node: Node) -> bool:
    if node.existing is not None:
        return _is_accelerated_already(node.existing)
    return node.kind is not None and has_accelerator(node.kind)


def _is_accelerated_already(node: ExistingNode) -> bool:
    names = {*node.capacity.names(), *node.free.names()}
    return labels.GPU_MODEL in dict(node.labels) or _name_accelerator(names)


class Unaccelerated:
    """The policy as a resource for the bound, of which nodes with an accelerator have nothing.

    Attributes
    ----------
    is_needed
        Whether this is the policy.
    """

    def __init__(self, problem: Problem) -> None:
        self.is_needed = problem.policies.gpu_nodes is GpuNodePolicy.NEVER
        self._kinds = problem.catalog.instance_types

    def needed(self, template: PodTemplate) -> dict[str, int]:
        """What a pod takes of it: one, unless it asks for an accelerator."""
        return {PLACES: 1} if self.is_needed and not asks_for_accelerator(template) else {}

    def speaks_of(self, name: str) -> bool:
        """Whether this is the resource."""
        return name == PLACES

    def of_types(self, _name: str, _pool: NodePool) -> NDArray[np.int64]:
        """Room on nodes of each instance type: (type,)."""
        return np.array([0 if has_accelerator(kind) else _NO_LIMIT for kind in self._kinds], dtype=np.int64)

    def of_node(self, _name: str, node: ExistingNode) -> int:
        """Room on a running node."""
        return 0 if _is_accelerated_already(node) else _NO_LIMIT

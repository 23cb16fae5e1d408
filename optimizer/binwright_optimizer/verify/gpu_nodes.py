"""Nodes with accelerators, kept for pods that ask for one (`GpuNodePolicy.NEVER`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from binwright_optimizer.model import GpuNodePolicy, InstanceType, PodTemplate, labels
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
        names = {*node.existing.capacity.names(), *node.existing.free.names()}
        return labels.GPU_MODEL in node.labels or _name_accelerator(names)
    return node.kind is not None and has_accelerator(node.kind)

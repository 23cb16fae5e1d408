"""The policy on accelerated nodes."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import GpuNodePolicy, Problem, labels

from brute_force.gpu_parts import is_cut
from brute_force.nodes import Node, Pod

ACCELERATORS = ("nvidia.com/gpu", "amd.com/gpu", "aws.amazon.com/neuron", "habana.ai/gaudi")


def gpu_nodes_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Pods that ask for no accelerator stay off nodes that have one, if the policy says never."""
    if problem.policies.gpu_nodes is not GpuNodePolicy.NEVER:
        return True
    for pod in placed:
        asks = any(name in ACCELERATORS or is_cut(name) for name, _ in pod.template.requests)
        asks |= bool(pod.template.device_claims)
        if pod.node.existing is not None:
            has = any(pod.node.existing.capacity[name] for name in ACCELERATORS)
            has |= labels.GPU_MODEL in pod.node.labels
        else:
            assert pod.node.option is not None
            kind = pod.node.option.kind
            has = kind.gpu_count > 0 or any(kind.capacity[name] for name in ACCELERATORS)
        if has and not asks:
            return False
    return True

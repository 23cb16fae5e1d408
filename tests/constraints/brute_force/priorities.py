"""Priorities of pods that nothing else tells apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from binwright_optimizer.model import Problem, Workload

from brute_force.nodes import Node, Pod

OF_PRIORITY = {"priority", "priority_class", "preempts"}


def priorities_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """No pod that is left out could take the place of one of lower priority by a mere exchange of names."""
    for w, workload in enumerate(problem.workloads):
        if sum(pod.workload == w for pod in placed) == workload.replicas:
            continue
        for pod in placed:
            other = problem.workloads[pod.workload]
            if other.template.priority < workload.template.priority and _is_alike(problem, workload, other):
                return False
    return True


def _is_alike(problem: Problem, one: Workload, other: Workload) -> bool:
    if one.spot or other.spot or problem.policies.spot or one.gang != other.gang:
        return False
    has_names = one.gang or one.template.volumes or one.template.device_claims
    same_name_space = one.namespace == other.namespace
    if (has_names or _selects(problem)) and not same_name_space:
        return False
    ignored = OF_PRIORITY if _selects(problem) else OF_PRIORITY | {"labels"}
    return all(
        getattr(one.template, field.name) == getattr(other.template, field.name)
        for field in fields(one.template)
        if field.name not in ignored
    )


def _selects(problem: Problem) -> bool:
    """Whether anybody looks at labels of pods."""
    templates = [w.template for w in problem.workloads]
    templates += [pods.template for node in problem.existing_nodes for pods in node.pods]
    return any(t.topology_spread or t.pod_affinity or t.pod_anti_affinity or t.node_caps for t in templates)

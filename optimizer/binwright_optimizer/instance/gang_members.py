"""How many members gangs have: pods to place, and pods that run."""

from __future__ import annotations

from collections import Counter

from binwright_optimizer.model import Problem

GangName = tuple[str, str]
"""Namespace and name of a gang."""


def members_waiting(problem: Problem) -> Counter[GangName]:
    """Pods to place, by gang."""
    found: Counter[GangName] = Counter()
    for workload in problem.workloads:
        if workload.gang:
            found[workload.namespace, workload.gang] += workload.replicas
    return found


def members_running(problem: Problem) -> Counter[GangName]:
    """Pods that run, by gang."""
    found: Counter[GangName] = Counter()
    for node in problem.existing_nodes:
        for pods in node.pods:
            if pods.gang:
                found[pods.namespace, pods.gang] += pods.count
    return found


def short_gangs(problem: Problem) -> frozenset[GangName]:
    """Gangs with fewer members than they need, so that none of their pods can be placed."""
    if not any(gang.min_members for gang in problem.gangs):
        return frozenset()
    members = members_waiting(problem) + members_running(problem)
    return frozenset(
        (gang.namespace, gang.name)
        for gang in problem.gangs
        if (gang.min_members or 0) > members[gang.namespace, gang.name]
    )

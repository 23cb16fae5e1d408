"""Gangs."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import Problem

from brute_force.nodes import Node, Pod


def gangs_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Gangs: enough members or none, and members in one domain of each required key."""
    for gang in problem.gangs:
        mine = [pod for pod in placed if (pod.namespace, pod.gang) == (gang.namespace, gang.name)]
        old = [pod for pod in running if (pod.namespace, pod.gang) == (gang.namespace, gang.name)]
        if not mine:
            continue
        wanted = sum(
            w.replicas for w in problem.workloads if (w.namespace, w.gang) == (gang.namespace, gang.name)
        )
        if gang.min_members is None and len(mine) < wanted:
            return False
        if gang.min_members is not None and len(mine) + len(old) < gang.min_members:
            return False
        for rule in gang.topology:
            if rule.is_required:
                domains = {pod.node.label(rule.topology_key) for pod in mine}
                before = {pod.node.label(rule.topology_key) for pod in old} - {None}
                if None in domains or len(domains) > 1 or (before and not domains <= before):
                    return False
    return True

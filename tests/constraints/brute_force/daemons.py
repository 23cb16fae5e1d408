"""What daemons take of a node."""

from __future__ import annotations

from collections.abc import Mapping

from binwright_optimizer.model import NodePool, Problem

from brute_force.fitting import admits
from brute_force.nodes import Node


def daemon_overhead(problem: Problem, pool: NodePool, carried: Mapping[str, str]) -> dict[str, int]:
    """What daemons and the pool itself take of a new node with these labels."""
    node = Node("new", dict(carried), pool.taints)
    total = dict(pool.overhead)
    for daemon in problem.daemon_sets:
        if admits(daemon.template, node):
            for name, amount in (*daemon.template.requests, ("pods", 1)):
                total[name] = total.get(name, 0) + amount
    return total

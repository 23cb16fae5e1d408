"""All rules about a placement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from binwright_optimizer.model import Problem

from brute_force.accelerators import gpu_nodes_hold
from brute_force.affinity import affinity_holds, anti_affinity_holds
from brute_force.choices import choices_hold
from brute_force.devices import claims_hold
from brute_force.fitting import admits
from brute_force.gangs import gangs_hold
from brute_force.nodes import Node, Pod, running_pods
from brute_force.own_node import caps_hold, ports_hold, volumes_hold
from brute_force.priorities import priorities_hold
from brute_force.purchase import within_limits
from brute_force.room import has_room
from brute_force.spot import losses_hold, spot_holds
from brute_force.spread import spread_holds


def broken_rules(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> list[str]:
    """Rules that a placement breaks; empty if it is right.

    Parameters
    ----------
    nodes
        All existing nodes and those bought.
    placed
        The new pods that are placed; the others are left out.
    """
    return list(broken(problem, nodes, placed))


def broken(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> Iterator[str]:
    """The same, one by one."""
    running = running_pods(problem, nodes)
    if not within_limits(problem, nodes):
        yield "limits"
    for pool in problem.node_pools:
        mine = [n for n in nodes if n.option is not None and n.option.pool is pool]
        old = [n for n in problem.existing_nodes if n.node_pool == pool.name]
        if len(mine) + len(old) < pool.min_nodes and len(mine) < pool.min_nodes - len(old):
            yield "minimum"
    if not all(has_room(problem, node, [pod for pod in placed if pod.node is node]) for node in nodes):
        yield "room"
    if not all(admits(pod.template, pod.node) for pod in placed):
        yield "labels or taints"
    for rule, holds in (
        ("node cap", caps_hold),
        ("host port", ports_hold),
        ("pod anti-affinity", anti_affinity_holds),
        ("pod affinity", affinity_holds),
        ("topology spread", spread_holds),
        ("volume", volumes_hold),
        ("gang", gangs_hold),
        ("spot policy", spot_holds),
        ("spot loss", losses_hold),
        ("device claim", claims_hold),
        ("minValues", choices_hold),
        ("accelerated nodes", gpu_nodes_hold),
        ("priority", priorities_hold),
    ):
        if not holds(problem, nodes, placed, running):
            yield rule

"""Topology spread."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import NodeInclusionPolicy, PodTemplate, Problem, TopologySpread, labels

from brute_force.accelerators import gpu_nodes_hold
from brute_force.devices import devices_by_pod
from brute_force.fitting import admits, selects_node, tolerates
from brute_force.nodes import Node, Pod
from brute_force.own_node import attachable, ports_hold
from brute_force.purchase import options
from brute_force.room import has_room
from brute_force.selection import counts_for


def spread_holds(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Topology spread with DoNotSchedule."""
    for pod in placed:
        required = [c for c in pod.template.topology_spread if c.is_required]
        keys = [c.topology_key for c in required]
        if any(pod.node.label(key) is None for key in keys):
            return False
        for c in required:
            everyone = [other for other in (*placed, *running) if counts_for(c, pod, other)]
            if c.topology_key == labels.HOSTNAME:
                # A further empty node can always be had: the least count is 0.
                here = [
                    o for o in everyone if o.node.label(labels.HOSTNAME) == pod.node.label(labels.HOSTNAME)
                ]
                if len(here) > c.max_skew:
                    return False
                continue
            eligible = [node for node in nodes if is_eligible(pod, c, keys, node)]
            domains = {node.label(c.topology_key) for node in eligible}
            domains |= {node.label(c.topology_key) for node in within_reach(problem, pod, keys)}
            count = {
                d: sum(1 for o in everyone if o.node in eligible and o.node.label(c.topology_key) == d)
                for d in domains
            }
            least = 0 if len(domains) < c.min_domains else min(count.values(), default=0)
            if count.get(pod.node.label(c.topology_key), 0) - least > c.max_skew:
                return False
    return True


def is_eligible(pod: Pod, constraint: TopologySpread, keys: Sequence[str], node: Node) -> bool:
    if any(node.label(key) is None for key in keys):
        return False
    honors_affinity = constraint.node_affinity_policy is NodeInclusionPolicy.HONOR
    if honors_affinity and not selects_node(pod.template, node):
        return False
    honors_taints = constraint.node_taints_policy is NodeInclusionPolicy.HONOR
    return not honors_taints or tolerates(pod.template, node)


def within_reach(problem: Problem, pod: Pod, keys: Sequence[str]) -> list[Node]:
    """Nodes that could be bought with all these keys, and hold the pod if it had one to itself."""
    return [
        node
        for node in (option.node("new") for option in options(problem))
        if all(node.label(key) is not None for key in keys) and could_hold(problem, pod.template, node)
    ]


def could_hold(problem: Problem, template: PodTemplate, node: Node) -> bool:
    """Whether a new node could hold one such pod, and nothing else."""
    alone = Pod(template, "", node, 0)
    return (
        admits(template, node)
        and has_room(problem, node, [alone])
        and devices_by_pod(problem, node, [alone]) is not None
        and ports_hold(problem, [node], [alone], [])
        and attachable(problem, [node], [alone], [])
        and gpu_nodes_hold(problem, [node], [alone], [])
    )

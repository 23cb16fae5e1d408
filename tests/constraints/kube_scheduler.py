"""Whether kube-scheduler could bind pods as a placement has them: its filters, one pod after another.

Its plugins PodTopologySpread and InterPodAffinity look at the pods that are there when a pod comes, and
at nodes that exist; here the nodes bought exist from the beginning. Pods that no node takes wait and are
tried again, so that a placement can be bound if its pods can come in some order.
"""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import NodeInclusionPolicy, Problem
from brute_force import Node, Placement, Pod, counts_for, running_pods, selected, selects_node, tolerates


def can_bind(problem: Problem, placement: Placement) -> bool:
    """Whether its pods can come in some order, each passing the filters on its node."""
    running = running_pods(problem, placement.nodes)
    pods = placement.pods
    seen: set[frozenset[int]] = set()

    def search(bound: frozenset[int]) -> bool:
        if len(bound) == len(pods):
            return True
        if bound in seen:
            return False
        seen.add(bound)
        there = [*running, *(pods[n] for n in bound)]
        return any(
            passes(problem, placement.nodes, there, pod) and search(bound | {n})
            for n, pod in enumerate(pods)
            if n not in bound
        )

    return search(frozenset())


def passes(problem: Problem, nodes: Sequence[Node], there: Sequence[Pod], pod: Pod) -> bool:
    """Whether the pod passes the filters of both plugins on its node, beside the pods that are there."""
    return _spread_filter(nodes, there, pod) and _affinity_filter(problem, there, pod)


def _spread_filter(nodes: Sequence[Node], there: Sequence[Pod], pod: Pod) -> bool:
    constraints = [c for c in pod.template.topology_spread if c.is_required]
    keyed = [n for n in nodes if all(n.label(c.topology_key) is not None for c in constraints)]
    for c in constraints:
        if pod.node.label(c.topology_key) is None:
            return False
        counted: dict[str | None, int] = {}
        for node in keyed:
            if c.node_affinity_policy is NodeInclusionPolicy.HONOR and not selects_node(pod.template, node):
                continue
            if c.node_taints_policy is NodeInclusionPolicy.HONOR and not tolerates(pod.template, node):
                continue
            matching = [o for o in there if o.node is node and counts_for(c, pod, o)]
            domain = node.label(c.topology_key)
            counted[domain] = counted.get(domain, 0) + len(matching)
        least = 0 if len(counted) < c.min_domains else min(counted.values(), default=0)
        itself = int(counts_for(c, pod, pod))
        if counted.get(pod.node.label(c.topology_key), 0) + itself - least > c.max_skew:
            return False
    return True


def _affinity_filter(problem: Problem, there: Sequence[Pod], pod: Pod) -> bool:
    for other in there:
        for term in other.template.pod_anti_affinity.required:
            if selected(problem, term, other, pod) and _is_near(term.topology_key, other, pod):
                return False
        for term in pod.template.pod_anti_affinity.required:
            if selected(problem, term, pod, other) and _is_near(term.topology_key, pod, other):
                return False
    terms = pod.template.pod_affinity.required
    if any(pod.node.label(term.topology_key) is None for term in terms):
        return False
    targets = [o for o in there if all(selected(problem, term, pod, o) for term in terms)]
    if all(any(_is_near(term.topology_key, pod, o) for o in targets) for term in terms):
        return True
    keyed = [o for o in targets if any(o.node.label(term.topology_key) is not None for term in terms)]
    return not keyed and all(selected(problem, term, pod, pod) for term in terms)


def _is_near(key: str, pod: Pod, other: Pod) -> bool:
    return pod.node.label(key) is not None and pod.node.label(key) == other.node.label(key)

"""Required affinity and anti-affinity between pods."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from binwright_optimizer.model import Problem

from brute_force.nodes import Node, Pod
from brute_force.selection import selected


def affinity_holds(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Required pod affinity: every pod can come at some time and find its terms satisfied.

    Pods come as soon as they can. A pod whose terms select no pod that is, or ever will be, elsewhere
    may start a domain if it selects itself; kube-scheduler lets it do so only while none is anywhere.
    """

    def targets(pod: Pod, among: Sequence[Pod]) -> list[Pod]:
        terms = pod.template.pod_affinity.required
        return [o for o in among if all(selected(problem, term, pod, o) for term in terms)]

    def may_start(pod: Pod) -> bool:
        terms = pod.template.pod_affinity.required
        if pod not in targets(pod, [pod]):
            return False
        for term in terms:
            key = term.topology_key
            if any(o.node.label(key) is not None for o in targets(pod, running)):
                return False
            everywhere = {o.node.label(key) for o in targets(pod, placed)} - {None}
            if everywhere != {pod.node.label(key)}:
                return False
        return True

    there = [*running, *(pod for pod in placed if not pod.template.pod_affinity.required)]
    waiting = [pod for pod in placed if pod.template.pod_affinity.required]
    while waiting:
        for pod in waiting:
            found = targets(pod, there)
            is_near = all(
                pod.node.label(term.topology_key) is not None
                and any(o.node.label(term.topology_key) == pod.node.label(term.topology_key) for o in found)
                for term in pod.template.pod_affinity.required
            )
            if is_near or may_start(pod):
                waiting = [other for other in waiting if other is not pod]
                there.append(pod)
                break
        else:
            return False
    return True


def anti_affinity_holds(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Required anti-affinity of placed and of running pods; two running pods may do as they please."""
    everyone = [*placed, *running]
    for pod, other in itertools.permutations(everyone, 2):
        if not pod.is_new and not other.is_new:
            continue
        for term in pod.template.pod_anti_affinity.required:
            here = pod.node.label(term.topology_key)
            is_near = here is not None and here == other.node.label(term.topology_key)
            if is_near and selected(problem, term, pod, other):
                return False
    return True

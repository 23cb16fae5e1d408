"""What is charged beside nodes."""

from __future__ import annotations

from collections.abc import Sequence

from binwright_optimizer.model import PreferencePolicy, Problem, TaintEffect, TopologySpread, labels

from brute_force.fitting import satisfies
from brute_force.nodes import Node, Pod, running_pods
from brute_force.selection import counts_for, effective_selector, selected
from brute_force.spot import interruptions
from brute_force.spread import is_eligible, within_reach


def charges(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> int:
    """Micro-dollars per hour of preferences that pods go without and of expected interruptions."""
    total = penalty(problem, nodes, placed) + interruptions(problem, placed)
    return total + unmet_between_pods(problem, nodes, placed)


def penalty(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> int:
    """What preferences that pods go without weigh."""
    if problem.policies.preferences is PreferencePolicy.IGNORE:
        return 0
    points = 0
    for pod in placed:
        for preferred in pod.template.preferred_affinity:
            if not all(satisfies(r, pod.node) for r in preferred.term):
                points += preferred.weight
        for taint in pod.node.taints:
            is_tolerated = any(toleration.tolerates(taint) for toleration in pod.template.tolerations)
            if taint.effect is TaintEffect.PREFER_NO_SCHEDULE and not is_tolerated:
                points += 100
    return points * problem.policies.microusd_per_weight_hour


def unmet_between_pods(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> int:
    """What preferred pod affinity and ScheduleAnyway weigh where they are not met."""
    policies = problem.policies
    if policies.preferences is PreferencePolicy.IGNORE or not policies.microusd_per_weight_hour:
        return 0
    everyone = [*placed, *running_pods(problem, nodes)]
    points = 0
    for pod in placed:
        for is_near, affinity in ((True, pod.template.pod_affinity), (False, pod.template.pod_anti_affinity)):
            for preferred in set(affinity.preferred):
                here = pod.node.label(preferred.term.topology_key)
                has_others = here is not None and any(
                    other is not pod
                    and other.node.label(preferred.term.topology_key) == here
                    and selected(problem, preferred.term, pod, other)
                    for other in everyone
                )
                points += preferred.weight * (has_others is not is_near)
    seen: list[tuple[object, ...]] = []
    for workload in problem.workloads:
        one = Pod(workload.template, workload.namespace, Node("nowhere", {}, ()))
        for c in set(workload.template.topology_spread):
            if not c.is_required and _spread_identity(c, one) not in seen:
                seen.append(_spread_identity(c, one))
                points += 100 * _beyond_skew(problem, nodes, placed, everyone, c, one)
    return points * problem.policies.microusd_per_weight_hour


def _spread_identity(c: TopologySpread, pod: Pod) -> tuple[object, ...]:
    """What pods that pay together for a constraint have in common."""
    of_nodes = pod.template.node_selector, pod.template.node_affinity, pod.template.tolerations
    return c, effective_selector(c.selector, pod.labels, c.match_label_keys), pod.namespace, of_nodes


def _beyond_skew(
    problem: Problem,
    nodes: Sequence[Node],
    placed: Sequence[Pod],
    everyone: Sequence[Pod],
    c: TopologySpread,
    one: Pod,
) -> int:
    """Placed pods that pay for a constraint with ScheduleAnyway."""
    alike = [
        Pod(w.template, w.namespace, one.node, number)
        for number, w in enumerate(problem.workloads)
        if any(
            _spread_identity(other, Pod(w.template, w.namespace, one.node)) == _spread_identity(c, one)
            for other in w.template.topology_spread
        )
    ]
    mine = [pod for pod in placed if pod.workload in {other.workload for other in alike}]
    eligible = [node for node in nodes if is_eligible(one, c, [c.topology_key], node)]
    domains = {node.label(c.topology_key) for node in eligible if node.existing is not None}
    for pod in alike:
        domains |= {node.label(c.topology_key) for node in within_reach(problem, pod, [c.topology_key])}

    def count(domain: str | None) -> int:
        return sum(
            1
            for other in everyone
            if other.node in eligible
            and other.node.label(c.topology_key) == domain
            and counts_for(c, one, other)
        )

    is_by_node = c.topology_key == labels.HOSTNAME  # a further empty node can always be had
    least = 0 if is_by_node else min(map(count, domains), default=0)
    paying = 0
    for domain in {pod.node.label(c.topology_key) for pod in mine}:
        here = sum(1 for pod in mine if pod.node.label(c.topology_key) == domain)
        paying += here if domain is None else min(here, max(0, count(domain) - least - c.max_skew))
    return paying

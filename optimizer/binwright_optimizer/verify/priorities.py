"""Priorities: of pods that are alike but for them, those of the highest go first.

Which pods wait where limits bind is part of what is minimised: as few as can be of the highest priority, then
of the next. Whether fewer could wait is a matter of search. But where a pod could simply take the place of
another, so that only their priorities tell the two apart, nobody may wait behind a lower one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from binwright_optimizer.model import PodTemplate, Problem, Workload
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.final_state import FinalState, Finding


def check_priorities(state: FinalState) -> Iterator[Finding]:
    """Pods left out while others are placed that differ from them in a lower priority only."""
    problem = state.problem
    placed = Counter[int]()
    for _, pods in state.ranges:
        placed[pods.workload] += pods.count
    tells_pods_apart = _tells_pods_apart(problem)
    alike: dict[object, list[int]] = {}
    for w, workload in enumerate(problem.workloads):
        if not (workload.spot or problem.policies.spot):  # shares on spot are counted by workload
            alike.setdefault(_all_but_priority(workload, tells_pods_apart), []).append(w)
    priority = [workload.template.priority for workload in problem.workloads]
    for group in alike.values():
        served = [w for w in group if placed[w]]
        if not served:
            continue
        last = min(served, key=priority.__getitem__)
        for w in group:
            missing = problem.workloads[w].replicas - placed[w]
            if missing and priority[w] > priority[last]:
                waiting, others = problem.workloads[w].name, problem.workloads[last].name
                yield Finding(
                    Rule.PRIORITIES,
                    f"{missing} pods of {waiting} (priority {priority[w]}) are left out while pods of "
                    f"{others} (priority {priority[last]}), alike otherwise, are placed",
                )


def _all_but_priority(workload: Workload, tells_pods_apart: bool) -> object:
    """What is equal for pods that may take each other's places."""
    own = replace(workload.template, priority=0, priority_class="", preempts=True)
    namespace = workload.namespace
    if not tells_pods_apart:
        own = replace(own, labels=())
        if not (own.volumes or own.device_claims or workload.gang):
            namespace = ""
    return own, namespace, workload.gang


def _tells_pods_apart(problem: Problem) -> bool:
    """Whether any rule or wish selects pods by labels and namespace."""
    running = [pods.template for node in problem.existing_nodes for pods in node.pods]
    return any(map(_selects_pods, (*(w.template for w in problem.workloads), *running)))


def _selects_pods(template: PodTemplate) -> bool:
    return bool(
        template.topology_spread or template.pod_affinity or template.pod_anti_affinity or template.node_caps
    )

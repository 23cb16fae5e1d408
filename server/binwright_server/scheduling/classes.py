"""Pods that a plan cannot tell apart: equal for scheduling, with equal rules, counted by the same rules.

Labels tell pods apart only where a rule of some pod looks at them, so that a cluster without rules between
pods has no more classes than kinds, whatever its labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from binwright_optimizer.model import PodTemplate
from binwright_optimizer.model import labels as label_keys

from binwright_server.scheduling.namespaces import Namespaces
from binwright_server.scheduling.records import PodRecord
from binwright_server.scheduling.rules import Identity, PodRules, SelectionIndex, held_rules

_Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PodClass:
    """Pods of one class, as the plan's problem gets them.

    Parameters
    ----------
    kind
        Of all its pods.
    template
        What the plan holds a pod to: the same that filtering checks.
    namespace
        Of all its pods, where a rule looks at them; else of one of them, and so are the template's labels: no
        rule is about that pod, and so none is about the class.
    """

    kind: bytes
    template: PodTemplate
    namespace: str
    rules: PodRules


class PodClasses:
    """The classes of some pods.

    Parameters
    ----------
    pods
        All whose rules bind anybody.
    namespaces
        Of the cluster; not changed meanwhile.
    """

    def __init__(self, pods: Iterable[PodRecord], namespaces: Namespaces) -> None:
        rules = {id(pod.rules): pod.rules for pod in pods if pod.rules}  # pods share them
        selections = dict.fromkeys(s for each in rules.values() for s in each.selections())
        self._index = SelectionIndex[int](namespaces)
        for number, selection in enumerate(selections):
            self._index.add(selection, number)
        self._keys = {key for selection in selections for key in selection.label_keys()}
        self._counted: dict[Identity, tuple[int, ...]] = {}
        self._known: dict[_Key, PodClass] = {}

    def of(self, pod: PodRecord) -> PodClass:
        """The class of a pod; equal classes are one object."""
        counted = self.counted(pod.identity)
        is_bound = bool(pod.rules or counted)
        key = (pod.kind, pod.key[0], counted, id(pod.rules)) if is_bound else (pod.kind,)
        known = self._known.get(key)
        if known is None:
            planned = replace(_planned(pod.template), labels=pod.labels if self._keys or is_bound else ())
            known = self._known[key] = PodClass(pod.kind, planned, pod.key[0], pod.rules)
        return known

    def counted(self, identity: Identity) -> tuple[int, ...]:
        """Selections that a pod is among."""
        told = identity._replace(labels=tuple(pair for pair in identity.labels if pair[0] in self._keys))
        found = self._counted.get(told)
        if found is None:
            found = self._counted[told] = tuple(sorted(self._index.find(told)))
        return found


def asked_labels(template: PodTemplate, rules: PodRules) -> set[str]:
    """Node labels that tell nodes apart for a pod, host names aside: every node has its own."""
    return (selecting_labels(template) | rules.topology_keys()) - {label_keys.HOSTNAME}


def selecting_labels(template: PodTemplate) -> set[str]:
    """Node labels by which a pod chooses its node."""
    keys = {requirement.key for requirement in template.node_selector}
    return keys | {requirement.key for term in template.node_affinity for requirement in term}


def _planned(template: PodTemplate) -> PodTemplate:
    held = held_rules(template)
    return PodTemplate(
        requests=template.requests,
        node_selector=template.node_selector,
        node_affinity=template.node_affinity,
        tolerations=template.tolerations,
        topology_spread=held.topology_spread,
        host_ports=template.host_ports,
        pod_affinity=held.pod_affinity,
        pod_anti_affinity=held.pod_anti_affinity,
    )

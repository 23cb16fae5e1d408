"""Whom running pods keep away: their required anti-affinity binds those that come later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from binwright_optimizer.instance.selections import Selections
from binwright_optimizer.model import PodAffinityTerm, PodTemplate, Problem

MOST_NAMED = 3
"""Pods, or nodes, that are named before the rest is counted."""


@dataclass(slots=True)
class KeptAway:
    """A term that running pods of a namespace state, and the workloads it selects.

    Parameters
    ----------
    selection
        Number of what the term selects.
    pods
        Names of the pods that state it, as far as they are told.
    count
        How many these pods are.
    nodes
        Numbers of the existing nodes that they run on, ascending.
    """

    term: PodAffinityTerm
    namespace: str
    template: PodTemplate
    selection: int
    pods: list[str] = field(default_factory=list)
    count: int = 0
    nodes: list[int] = field(default_factory=list)

    def who(self, problem: Problem) -> str:
        """The pods that state it, and where they run."""
        apart = "" if self.namespace == "default" else self.namespace
        nodes = some([problem.existing_nodes[n].name for n in self.nodes], len(self.nodes))
        if self.pods:
            names = [f"{apart}/{name}" if apart else name for name in self.pods]
            return f"running pods {some(names, self.count)} (on {nodes})"
        labels = ", ".join(f"{key}={value}" for key, value in self.template.labels) or "no labels"
        where = f" in {apart}" if apart else ""
        return f"{self.count} running pod{'s' * (self.count > 1)} with {labels}{where} (on {nodes})"


def kept_away(problem: Problem, selections: Selections) -> list[KeptAway]:
    """Required anti-affinity of running pods that selects some workload of the problem."""
    found: dict[tuple[str, str, int, str], KeptAway] = {}
    for n, node in enumerate(problem.existing_nodes):
        for pods in node.pods:
            own = dict(pods.template.labels)
            for term in pods.template.pod_anti_affinity.required:
                selection = selections.of_term(term, own, pods.namespace)
                if selection < 0 or not len(selections.workloads(selection)):
                    continue
                key = pods.namespace, term.topology_key, selection, meant_by(term)
                entry = found.setdefault(key, KeptAway(term, pods.namespace, pods.template, selection))
                entry.pods += pods.names
                entry.count += pods.count
                if n not in entry.nodes[-1:]:
                    entry.nodes.append(n)
    return list(found.values())


def some(names: Sequence[str], count: int) -> str:
    """A few names, and how many more there are.

    >>> some(["a", "b", "c", "d"], 5)
    'a, b, c and 2 more'
    """
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and {count - MOST_NAMED} more" if count > len(names[:MOST_NAMED]) else shown


def meant_by(term: PodAffinityTerm) -> str:
    """Whom a term selects, so that no two terms of a pod read alike."""
    text = (
        "nothing"
        if term.selector is None
        else str(term.selector)
        if term.selector.requirements
        else "all pods"
    )
    for keys, relation in _own_keys(term):
        if keys:
            text += f", {' and '.join(keys)} {relation}"
    if term.namespaces:
        text += f", in {' and '.join(term.namespaces)}"
    if term.namespace_selector is not None:
        text += f", in namespaces with {str(term.namespace_selector) or 'any labels'}"
    return text


def _own_keys(term: PodAffinityTerm) -> Iterable[tuple[tuple[str, ...], str]]:
    yield term.match_label_keys, "like its own"
    yield term.mismatch_label_keys, "not its own"

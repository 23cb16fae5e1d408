"""Which pods the rules of a problem speak of: selections of workloads and of running pods.

A selection is a label selector with the namespaces it looks into. Matching every selector with every
workload would be quadratic where each workload has a rule about itself; most selectors ask for one
value of some label, by which workloads are filed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import Operator, Problem
from binwright_optimizer.model.affinity import PodAffinityTerm
from binwright_optimizer.model.namespaces import labels_by_namespace
from binwright_optimizer.model.selectors import LabelSelector

_Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Selection:
    """Pods of these namespaces with labels that the selector matches."""

    selector: LabelSelector
    namespaces: frozenset[str]

    def matches(self, namespace: str, labels: dict[str, str]) -> bool:
        """Whether a pod is selected."""
        return namespace in self.namespaces and self.selector.matches(labels)


class Selections:
    """Selections of one problem by number, each evaluated when it is first asked for."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        used = {workload.namespace for workload in problem.workloads}
        used |= {pods.namespace for node in problem.existing_nodes for pods in node.pods}
        self._namespaces = labels_by_namespace(problem.namespaces, used)
        self._index: dict[Selection, int] = {}
        self._selections: list[Selection] = []
        self._workloads: list[NDArray[np.intp]] = []
        self._filed: dict[_Pair, list[int]] | None = None
        self._labels: dict[int, dict[str, str]] = {}

    def __len__(self) -> int:
        return len(self._index)

    def within(self, selector: LabelSelector | None, namespace: str) -> int:
        """Number of the selection of a namespace's pods; -1 if nothing is selected."""
        return self._number(selector, frozenset((namespace,)))

    def of_term(self, term: PodAffinityTerm, labels: dict[str, str], namespace: str) -> int:
        """Number of the selection that an affinity term of a pod makes; -1 if nothing is selected."""
        meant = frozenset(n for n, own in self._namespaces.items() if term.covers(n, own, namespace))
        return self._number(term.effective_selector(labels), meant)

    def text(self, number: int) -> str:
        """The selection in words; empty for -1, which selects nothing."""
        if number < 0:
            return ""
        selection = self._selections[number]
        return f"{selection.selector} in {', '.join(sorted(selection.namespaces))}"

    def workloads(self, number: int) -> NDArray[np.intp]:
        """The workloads selected, in order."""
        return self._workloads[number]

    def running(self, number: int) -> NDArray[np.int64]:
        """Running pods selected on each existing node: int64 array (node,)."""
        return self.running_in_all((number,))

    def running_in_all(self, numbers: Collection[int]) -> NDArray[np.int64]:
        """Running pods that all of these selections hold, on each existing node: int64 array (node,)."""
        if -1 in numbers:
            return np.zeros(len(self._problem.existing_nodes), dtype=np.int64)
        chosen = [self._selections[number] for number in numbers]
        return np.array(
            [
                sum(
                    pods.count
                    for pods in node.pods
                    if all(s.matches(pods.namespace, dict(pods.template.labels)) for s in chosen)
                )
                for node in self._problem.existing_nodes
            ],
            dtype=np.int64,
        )

    def matches(self, number: int, namespace: str, labels: dict[str, str]) -> bool:
        """Whether a pod with these labels is selected."""
        return self._selections[number].matches(namespace, labels)

    def by_workload(self) -> list[tuple[int, ...]]:
        """Numbers of the selections that each workload is in."""
        found: list[list[int]] = [[] for _ in self._problem.workloads]
        for number, members in enumerate(self._workloads):
            for w in members.tolist():
                found[w].append(number)
        return [tuple(numbers) for numbers in found]

    def _number(self, selector: LabelSelector | None, namespaces: frozenset[str]) -> int:
        if selector is None:
            return -1
        selection = Selection(selector, namespaces)
        number = self._index.get(selection)
        if number is None:
            number = self._index[selection] = len(self._index)
            self._selections.append(selection)
            workloads = self._problem.workloads
            members = [
                w
                for w in self._candidates(selector)
                if selection.matches(workloads[w].namespace, self._labels_of(w))
            ]
            self._workloads.append(np.array(members, dtype=np.intp))
        return number

    def _candidates(self, selector: LabelSelector) -> Iterable[int]:
        """Workloads that the selector may match: filed under a label it asks one value of, or all."""
        if self._filed is None:
            self._filed = {}
            for w in range(len(self._problem.workloads)):
                for pair in self._labels_of(w).items():
                    self._filed.setdefault(pair, []).append(w)
        shortest: list[int] | None = None
        for requirement in selector.requirements:
            if requirement.operator is Operator.IN and len(requirement.values) == 1:
                filed = self._filed.get((requirement.key, requirement.values[0]), [])
                if shortest is None or len(filed) < len(shortest):
                    shortest = filed
        return range(len(self._problem.workloads)) if shortest is None else shortest

    def _labels_of(self, w: int) -> dict[str, str]:
        template = self._problem.workloads[w].template
        labels = self._labels.get(id(template))
        if labels is None:
            labels = self._labels[id(template)] = dict(template.labels)
        return labels

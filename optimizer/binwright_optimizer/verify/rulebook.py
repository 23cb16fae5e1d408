"""What the rules of a problem speak of: kinds of pods, and which kinds each selector selects.

Built once per problem. Pods are never looked at one by one: everything downstream counts pods of a
kind on a node.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model import (
    GpuNodePolicy,
    LabelSelector,
    MinValuesPolicy,
    Operator,
    PodAffinityTerm,
    PodTemplate,
    Problem,
    SpotPolicy,
    TopologySpread,
    labels,
)
from binwright_optimizer.model.namespaces import labels_by_namespace
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.model.templates import templates_of

Kinds = tuple[int, ...]
"""Kinds of pods that somebody selects, in order."""


def stated_rules(problem: Problem) -> frozenset[Rule]:
    """Rules that something in the problem states."""
    return frozenset(_stated(problem))


def _stated(problem: Problem) -> Iterator[Rule]:
    policies = problem.policies
    for template in templates_of(problem):
        if template.topology_spread and any(c.is_required for c in template.topology_spread):
            yield Rule.TOPOLOGY_SPREAD
        for term in template.pod_affinity.required:
            is_of_nodes = term.topology_key == labels.HOSTNAME
            yield Rule.AFFINITY_ON_NODES if is_of_nodes else Rule.POD_AFFINITY
        if template.pod_anti_affinity.required:
            yield Rule.POD_ANTI_AFFINITY
        if template.node_caps:
            yield Rule.NODE_CAPS
        if template.host_ports:
            yield Rule.HOST_PORTS
        if template.volumes:
            yield Rule.VOLUMES
        if template.device_claims:
            yield Rule.DEVICE_CLAIMS
    if _has_shared_volumes(problem):
        yield Rule.SHARED_VOLUMES
    for node in problem.existing_nodes:
        for pods in node.pods:
            template = pods.template
            if template.pod_anti_affinity.required or template.node_caps or template.host_ports:
                yield Rule.RUNNING_PODS
    if any(daemon.template.host_ports for daemon in problem.daemon_sets):
        yield Rule.DAEMON_PORTS
    if any(workload.gang for workload in problem.workloads):
        yield Rule.GANGS
        if any(rule.topology_key == labels.HOSTNAME for gang in problem.gangs for rule in gang.topology):
            yield Rule.GANGS_ON_NODES
    for workload in problem.workloads:
        if workload.spot:
            yield from _stated_about_spot(workload.spot, Rule.SPOT)
    yield from _stated_about_spot(policies.spot, Rule.PROBLEM_SPOT)
    if policies.gpu_nodes is GpuNodePolicy.NEVER:
        yield Rule.GPU_NODES
    if policies.min_values is MinValuesPolicy.STRICT and any(
        requirement.min_values for pool in problem.node_pools for requirement in pool.requirements
    ):
        yield Rule.MIN_VALUES
    if has_priorities(problem):
        yield Rule.PRIORITIES


def has_priorities(problem: Problem) -> bool:
    """Whether some pods go before others."""
    return len({template.priority for template in templates_of(problem)}) > 1


def _has_shared_volumes(problem: Problem) -> bool:
    """Whether several pods, running ones included, mount one volume by name."""
    users: dict[tuple[str, str], int] = {}
    mounting = [(w.namespace, w.template, w.replicas) for w in problem.workloads if w.template.volumes]
    for namespace, template, count in mounting:
        for name in {volume.name for volume in template.volumes if volume.name}:
            users[namespace, name] = users.get((namespace, name), 0) + count
    for node in problem.existing_nodes if users else ():
        for pods in node.pods:
            for name in {volume.name for volume in pods.template.volumes if volume.name}:
                if (pods.namespace, name) in users:
                    users[pods.namespace, name] += pods.count
    return any(count > 1 for count in users.values())


def _stated_about_spot(policy: SpotPolicy, rule: Rule) -> Iterator[Rule]:
    if policy.min_on_demand is not None or policy.max_per_pool is not None:
        yield rule
    if policy.loss is not None:
        yield Rule.SPOT_LOSS


@dataclass(frozen=True, slots=True)
class PodKind:
    """Pods that no rule between pods can tell apart; ``template`` is that of one of them."""

    namespace: str
    labels: dict[str, str]
    template: PodTemplate


@dataclass(frozen=True, slots=True)
class RunningKind:
    """So many running pods of a kind on the existing node with this index."""

    node: int
    kind: int
    count: int
    gang: str


class Rulebook:
    """Rules of one problem.

    Parameters
    ----------
    kinds
        Kinds of pods, placed or running.
    kind_of
        (workload,): index into ``kinds``.
    running
        Pods that run on existing nodes.
    """

    def __init__(self, problem: Problem) -> None:
        self.kinds: list[PodKind] = []
        self._kind_index: dict[tuple[object, ...], int] = {}
        seen: dict[tuple[int, str], int] = {}  # by identity of templates that the problem keeps alive
        self.kind_of: NDArray[np.intp] = np.array(
            [self._kind(workload.template, workload.namespace, seen) for workload in problem.workloads],
            dtype=np.intp,
        )
        self.running = tuple(
            RunningKind(n, self._kind(pods.template, pods.namespace, seen), pods.count, pods.gang)
            for n, node in enumerate(problem.existing_nodes)
            for pods in node.pods
        )
        self._namespaces = labels_by_namespace(problem.namespaces, {kind.namespace for kind in self.kinds})
        self._filed: dict[str, dict[tuple[str, str], list[int]]] = {}
        self._all_of: dict[str, list[int]] = {}
        for k, kind in enumerate(self.kinds):
            self._all_of.setdefault(kind.namespace, []).append(k)
            filed = self._filed.setdefault(kind.namespace, {})
            for pair in kind.labels.items():
                filed.setdefault(pair, []).append(k)
        self._selected: dict[tuple[LabelSelector, frozenset[str]], Kinds] = {}
        self._meant: dict[tuple[object, ...], frozenset[str]] = {}
        self._workloads_of: dict[int, list[int]] | None = None

    def _kind(self, template: PodTemplate, namespace: str, seen: dict[tuple[int, str], int]) -> int:
        found = seen.get((id(template), namespace))
        if found is None:
            is_ruled = (
                template.topology_spread
                or template.pod_affinity
                or template.pod_anti_affinity
                or template.node_caps
                or template.host_ports
                or template.volumes
            )
            key = (namespace, template.labels, template if is_ruled else None)
            found = self._kind_index.setdefault(key, len(self.kinds))
            if found == len(self.kinds):
                self.kinds.append(PodKind(namespace, dict(template.labels), template))
            seen[id(template), namespace] = found
        return found

    def workloads_of(self, kinds: Iterable[int]) -> list[int]:
        """Workloads of some kinds, in order."""
        if self._workloads_of is None:
            self._workloads_of = {}
            for w, k in enumerate(self.kind_of.tolist()):
                self._workloads_of.setdefault(k, []).append(w)
        return sorted(w for k in kinds for w in self._workloads_of.get(k, ()))

    def selected(self, selector: LabelSelector | None, namespaces: frozenset[str]) -> Kinds:
        """Kinds whose labels a selector matches, in these namespaces; no selector selects none."""
        if selector is None:
            return ()
        found = self._selected.get((selector, namespaces))
        if found is None:
            found = self._selected[selector, namespaces] = tuple(
                sorted(
                    k
                    for namespace in namespaces
                    for k in self._candidates(selector, namespace)
                    if selector.matches(self.kinds[k].labels)
                )
            )
        return found

    def _candidates(self, selector: LabelSelector, namespace: str) -> Iterable[int]:
        """Kinds of a namespace that the selector may match, by the label it asks one value of."""
        filed = self._filed.get(namespace, {})
        best = self._all_of.get(namespace, [])
        for requirement in selector.requirements:
            if requirement.operator is Operator.IN and len(requirement.values) == 1:
                mine = filed.get((requirement.key, requirement.values[0]), [])
                if len(mine) < len(best):
                    best = mine
        return best

    def counted(self, kind: PodKind, constraint: TopologySpread) -> Kinds:
        """Kinds that a topology spread constraint of a pod counts."""
        try:
            selector = constraint.effective_selector(kind.labels)
        except WrongFieldError:
            return ()  # matchLabelKeys contradict the selector
        return self.selected(selector, frozenset((kind.namespace,)))

    def meant(self, kind: PodKind, term: PodAffinityTerm) -> Kinds:
        """Kinds that an affinity term of a pod selects."""
        try:
            selector = term.effective_selector(kind.labels)
        except WrongFieldError:
            return ()  # the label keys contradict the selector
        key = (term.namespaces, term.namespace_selector, kind.namespace)
        namespaces = self._meant.get(key)
        if namespaces is None:
            namespaces = self._meant[key] = frozenset(
                name for name, own in self._namespaces.items() if term.covers(name, own, kind.namespace)
            )
        return self.selected(selector, namespaces)


_cache: WeakKeyDictionary[Problem, Rulebook] = WeakKeyDictionary()
_cache_lock = threading.Lock()


def rulebook(problem: Problem) -> Rulebook:
    """The rulebook of ``problem``, built once while it lives."""
    with _cache_lock:
        built = _cache.get(problem)
    if built is None:
        built = Rulebook(problem)
        with _cache_lock:
            _cache[problem] = built
    return built

"""Which pods a rule of a pod selects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model import (
    LabelSelector,
    Operator,
    PodAffinityTerm,
    Problem,
    Requirement,
    TopologySpread,
)

from brute_force.nodes import Pod


def effective_selector(
    selector: LabelSelector | None, own: Mapping[str, str], match: Sequence[str], mismatch: Sequence[str] = ()
) -> LabelSelector | None:
    """The selector with label keys put in; None if it selects nothing."""
    if selector is None:
        return None
    extra = [Requirement(key, Operator.IN, (own[key],)) for key in match if key in own]
    extra += [Requirement(key, Operator.NOT_IN, (own[key],)) for key in mismatch if key in own]
    try:
        return LabelSelector((*selector.requirements, *extra))
    except WrongFieldError:
        return None  # they contradict the selector


def counts_for(constraint: TopologySpread, pod: Pod, other: Pod) -> bool:
    """Whether ``other`` is counted by a topology spread constraint of ``pod``."""
    selector = effective_selector(constraint.selector, pod.labels, constraint.match_label_keys)
    return selector is not None and other.namespace == pod.namespace and selector.matches(other.labels)


def selected(problem: Problem, term: PodAffinityTerm, pod: Pod, other: Pod) -> bool:
    """Whether an affinity term of ``pod`` selects ``other``."""
    selector = effective_selector(term.selector, pod.labels, term.match_label_keys, term.mismatch_label_keys)
    if selector is None or not selector.matches(other.labels):
        return False
    if not term.namespaces and term.namespace_selector is None:
        return other.namespace == pod.namespace
    if other.namespace in term.namespaces:
        return True
    known = {n.name: dict(n.labels) for n in problem.namespaces}
    own = {**known.get(other.namespace, {}), "kubernetes.io/metadata.name": other.namespace}
    return term.namespace_selector is not None and term.namespace_selector.matches(own)

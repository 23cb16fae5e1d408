"""How many equal pods one node may hold by what they state about each other, for the bound.

A pod whose own rule counts itself caps every node it is on: anti-affinity and spread over hostnames, caps
per node, host ports. So pods that state the same such rule, and are all counted by it, number at most its
cap on any node: one cap for a class of pods, and a resource of which each takes one where several
classes state the rule. Rules between pods that do not both state them are left out, which makes the bound
lower, never wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import PodTemplate, Problem, labels
from binwright_optimizer.verify.rulebook import PodKind, Rulebook, rulebook

_MOST_SHARED = 4
"""Rules of several groups that become resources, those of most pods first: each slows every proof."""

_OwnRule = tuple[Hashable, int]
"""Whom the rule counts, and how many of them a node may hold."""


@dataclass(frozen=True, slots=True)
class OwnCaps:
    """Groups of workloads that state the same rules about themselves.

    Parameters
    ----------
    group_of
        intp array (workload,): group, 0 for those that state none.
    most
        int64 array (group,): most pods of the group on one node; a large number for group 0.
    shared
        Rules that pods of several classes state: their groups, and the cap on all their pods together.
    """

    group_of: NDArray[np.intp]
    most: NDArray[np.int64]
    shared: tuple[tuple[tuple[int, ...], int], ...]


def own_caps(problem: Problem) -> OwnCaps:
    """The groups of a problem; a single one where nobody states such a rule."""
    n = len(problem.workloads)
    unlimited = 1 << 40
    group_of = np.zeros(n, dtype=np.intp)
    if not any(_may_cap_itself(w.template) for w in problem.workloads):
        return OwnCaps(group_of, np.array([unlimited], dtype=np.int64), ())
    book = rulebook(problem)
    rules_of_kind = [tuple(dict.fromkeys(_own_rules(book, k, kind))) for k, kind in enumerate(book.kinds)]
    groups: dict[tuple[_OwnRule, ...], int] = {(): 0}
    for w in range(n):
        group_of[w] = groups.setdefault(rules_of_kind[book.kind_of[w]], len(groups))
    holders: dict[_OwnRule, list[int]] = {}
    for rules, group in groups.items():
        for rule in rules:
            holders.setdefault(rule, []).append(group)
    pods = np.bincount(group_of, weights=[w.replicas for w in problem.workloads], minlength=len(groups))
    different: dict[int, set[Hashable]] = {}
    for group, workload in zip(group_of.tolist(), problem.workloads, strict=True):
        template = workload.template
        where = template.node_selector, template.node_affinity, template.tolerations
        different.setdefault(group, set()).add((template.requests, where))
    shared = [
        (tuple(mine), rule[1])
        for rule, mine in holders.items()
        if sum(len(different.get(group, ())) for group in mine) > 1
    ]
    shared.sort(key=lambda entry: (-float(pods[list(entry[0])].sum()), entry))
    most = [min((cap for _, cap in rules), default=unlimited) for rules in groups]
    return OwnCaps(group_of, np.array(most, dtype=np.int64), tuple(shared[:_MOST_SHARED]))


def _may_cap_itself(template: PodTemplate) -> bool:
    return bool(
        template.pod_anti_affinity.required
        or template.node_caps
        or template.host_ports
        or template.topology_spread
    )


def _own_rules(book: Rulebook, k: int, kind: PodKind) -> Iterator[_OwnRule]:
    """Rules of a pod that count itself."""
    template = kind.template
    for term in template.pod_anti_affinity.required:
        counted = book.meant(kind, term) if term.topology_key == labels.HOSTNAME else ()
        if k in counted:
            yield counted, 1
    for constraint in template.topology_spread:
        if constraint.is_required and constraint.topology_key == labels.HOSTNAME:
            counted = book.counted(kind, constraint)
            if k in counted:
                yield counted, constraint.max_skew
    for cap in template.node_caps:
        counted = book.selected(cap.selector, frozenset((kind.namespace,)))
        if k in counted:
            yield counted, cap.max_pods
    for port in template.host_ports:
        yield port, 1

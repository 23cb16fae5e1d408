"""How many equal pods one node may hold by what they state about each other, for the bound.

A pod whose own rule counts itself caps every node it is on: anti-affinity over any domains that all nodes are
in, spread over hostnames, caps per node, host ports. So pods that state the same such rule, and are all
counted by it, number at most its cap on any node: one cap for a class of pods, and a resource of which each
takes one where several classes state the rule. Pods that share no node at all are in `node_conflicts`; other
rules between pods that do not both state them are left out, which makes the bound lower, never wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import PodTemplate, Problem, labels
from binwright_optimizer.model.ports import ANY_IP
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.node_conflicts import Divisions
from binwright_optimizer.verify.rulebook import Rulebook, rulebook

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

    def as_columns(
        self,
        group: NDArray[np.intp],
        requests: NDArray[np.int64],
        room: NDArray[np.int64],
        existing_room: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Requests and rooms with one more column for each cap that several classes share.

        Parameters
        ----------
        group
            (class,).
        """
        for groups, most in self.shared:
            requests = np.column_stack([requests, np.isin(group, groups)])
            room = np.column_stack([room, np.full(len(room), most)])
            existing_room = np.column_stack([existing_room, np.full(len(existing_room), most)])
        return requests, room, existing_room


def own_caps(problem: Problem, apart_by: NDArray[np.intp] | None = None) -> OwnCaps:
    """The groups of a problem; a single one where nobody states such a rule.

    Parameters
    ----------
    apart_by
        intp array (workload,): what else classes of pods are told apart by (`node_conflicts`).
    """
    n = len(problem.workloads)
    unlimited = 1 << 40
    group_of = np.zeros(n, dtype=np.intp)
    if not any(map(_may_cap_itself, templates_of(problem))):
        return OwnCaps(group_of, np.array([unlimited], dtype=np.int64), ())
    book = rulebook(problem)
    reader = _Reader(problem, book)
    rules_of_kind = [tuple(dict.fromkeys(reader.own_rules(k))) for k in range(len(book.kinds))]
    groups: dict[tuple[_OwnRule, ...], int] = {(): 0}
    for w in range(n):
        group_of[w] = groups.setdefault(rules_of_kind[book.kind_of[w]], len(groups))
    holders: dict[_OwnRule, list[int]] = {}
    for rules, group in groups.items():
        for rule in rules:
            holders.setdefault(rule, []).append(group)
    pods = np.bincount(group_of, weights=[w.replicas for w in problem.workloads], minlength=len(groups))
    different: dict[int, set[Hashable]] = {}
    told = group_of * 0 if apart_by is None else apart_by
    for group, apart, workload in zip(group_of.tolist(), told.tolist(), problem.workloads, strict=True):
        template = workload.template
        where = template.node_selector, template.node_affinity, template.tolerations
        different.setdefault(group, set()).add((template.requests, where, apart))
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


class _Reader:
    """Reads the rules of pods that count themselves."""

    def __init__(self, problem: Problem, book: Rulebook) -> None:
        self._book = book
        self._divisions = Divisions(problem)
        ports = {port for template in templates_of(problem) for port in template.host_ports}
        self._ports = sorted(ports, key=lambda port: (port.port, port.protocol, port.host_ip))

    def own_rules(self, k: int) -> Iterator[_OwnRule]:
        """Rules of a kind of pod that count itself."""
        book, kind = self._book, self._book.kinds[k]
        template = kind.template
        for term in template.pod_anti_affinity.required:
            counted = book.meant(kind, term) if self._divisions.has(term.topology_key) else ()
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
            if port.host_ip == ANY_IP:  # clashes with each address, as that does with itself
                for other in self._ports:
                    if port.clashes_with(other):
                        yield other, 1

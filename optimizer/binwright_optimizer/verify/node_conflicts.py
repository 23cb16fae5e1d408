"""Pods that share no node, whichever it is: pairs of workloads, for the bound.

One of the two keeps the other away by required anti-affinity over domains that all nodes are in, by a cap of
no pod of the other, or both want one host port. What a workload states about its own pods is in `own_caps`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import PodTemplate, Problem, labels
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.held import sold_columns
from binwright_optimizer.verify.host_ports import clash
from binwright_optimizer.verify.rulebook import Rulebook, rulebook

MOST_KINDS = 512
"""Kinds of pods in conflict with others, up to which the bound tells them apart: the more there are, the more
classes of pods there are to prove it for."""


class Divisions:
    """Labels that divide all nodes, running or sold: pods on one node are then in one domain."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._known = {labels.HOSTNAME: True}

    def has(self, key: str) -> bool:
        """Whether every node carries a label."""
        known = self._known.get(key)
        if known is None:
            columns = sold_columns(self._problem)
            known = key in columns.defined_keys and None not in columns.label(key).values
            known = known and all(key in dict(node.labels) for node in self._problem.existing_nodes)
            self._known[key] = known
        return known


@dataclass(frozen=True, slots=True)
class NodeConflicts:
    """Groups of workloads in conflict with the same others.

    Parameters
    ----------
    group_of
        intp array (workload,): group, 0 for those in conflict with nobody.
    are_apart
        bool array (group, group): whether no node holds pods of both; False on the diagonal.
    """

    group_of: NDArray[np.intp]
    are_apart: NDArray[np.bool_]

    @property
    def is_empty(self) -> bool:
        """Whether there are none."""
        return len(self.are_apart) == 1


def node_conflicts(problem: Problem) -> NodeConflicts:
    """The conflicts of a problem; none where there are too many to be told apart."""
    group_of = np.zeros(len(problem.workloads), dtype=np.intp)
    none = NodeConflicts(group_of, np.zeros((1, 1), dtype=bool))
    if not any(map(_may_conflict, templates_of(problem))):
        return none
    book, divisions = rulebook(problem), Divisions(problem)
    placed = set(book.kind_of.tolist())
    others: dict[int, set[int]] = {}
    for a, b in _pairs(book, divisions, sorted(placed)):
        if b in placed and a != b:
            others.setdefault(a, set()).add(b)
            others.setdefault(b, set()).add(a)
            if len(others) > MOST_KINDS:
                return none
    if not others:
        return none
    groups: dict[frozenset[int], int] = {frozenset(): 0}
    group_of_kind = np.zeros(len(book.kinds), dtype=np.intp)
    for a, mine in sorted(others.items()):
        group_of_kind[a] = groups.setdefault(frozenset(mine), len(groups))
    are_apart = np.zeros((len(groups), len(groups)), dtype=bool)
    for kinds, group in groups.items():
        are_apart[group, group_of_kind[sorted(kinds)]] = True
    return NodeConflicts(group_of_kind[book.kind_of], are_apart)


def share_no_node(book: Rulebook, divisions: Divisions, a: int, b: int) -> bool:
    """Whether no node may hold a pod of each of two kinds, which may be the same."""
    if b in _kept_away(book, divisions, a) or a in _kept_away(book, divisions, b):
        return True
    return clash(book.kinds[a].template.host_ports, book.kinds[b].template.host_ports) is not None


def _may_conflict(template: PodTemplate) -> bool:
    return bool(
        template.pod_anti_affinity.required
        or template.host_ports
        or any(cap.max_pods == 0 for cap in template.node_caps)
    )


def _pairs(book: Rulebook, divisions: Divisions, kinds: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of kinds that share no node, of which the first is among these."""
    holders: dict[int, list[int]] = {}
    for a in kinds:
        ports = book.kinds[a].template.host_ports
        for b in _kept_away(book, divisions, a):
            yield a, b
        for number in {port.port for port in ports}:
            for b in holders.setdefault(number, []):
                if clash(ports, book.kinds[b].template.host_ports):
                    yield a, b
            holders[number].append(a)


def _kept_away(book: Rulebook, divisions: Divisions, a: int) -> Iterator[int]:
    """Kinds that pods of a kind state to keep off their nodes."""
    kind = book.kinds[a]
    template = kind.template
    for term in template.pod_anti_affinity.required:
        if divisions.has(term.topology_key):
            yield from book.meant(kind, term)
    for cap in template.node_caps:
        if cap.max_pods == 0:
            yield from book.selected(cap.selector, frozenset((kind.namespace,)))

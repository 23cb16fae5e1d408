"""Workloads whose pods rules link: what one of them may do depends on the others."""

from __future__ import annotations

from collections.abc import Iterator

from binwright_optimizer.instance.claims import shared_claims
from binwright_optimizer.instance.stated import rules_of
from binwright_optimizer.model import Problem


def linked_with(problem: Problem) -> list[tuple[int, ...]]:
    """For each workload, itself and those that gangs, shared volumes and selections link it with."""
    group = list(range(len(problem.workloads)))

    def root(w: int) -> int:
        while group[w] != w:
            group[w] = group[group[w]]
            w = group[w]
        return w

    for first, *others in _links(problem):
        for other in others:
            group[root(other)] = root(first)
    members: dict[int, list[int]] = {}
    for w in range(len(group)):
        members.setdefault(root(w), []).append(w)
    return [tuple(members[root(w)]) for w in range(len(group))]


def _links(problem: Problem) -> Iterator[list[int]]:
    gangs: dict[tuple[str, str], list[int]] = {}
    for w, workload in enumerate(problem.workloads):
        if workload.gang:
            gangs.setdefault((workload.namespace, workload.gang), []).append(w)
    yield from gangs.values()
    for claim in shared_claims(problem).values():
        yield claim.workloads
    rules = rules_of(problem)
    for w, stated in enumerate(rules.stated):
        named = [n.selection for n in (*stated.near, *stated.away)]
        named += [c.selection for c in stated.caps]
        named += [s.selection for s in stated.spread if s.constraint.is_required]
        for selection in set(named) - {-1}:
            yield [w, *rules.selections.workloads(selection).tolist()]

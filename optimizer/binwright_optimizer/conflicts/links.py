"""Workloads whose pods rules link: what one of them may do depends on the others."""

from __future__ import annotations

from collections.abc import Iterator

from binwright_optimizer.instance.claims import shared_claims
from binwright_optimizer.instance.device_claims import ClaimName, claim_names
from binwright_optimizer.instance.stated import rules_of
from binwright_optimizer.model import Problem


def linked_with(problem: Problem) -> list[tuple[int, ...]]:
    """For each workload, itself and those linked with it by gangs, selections, shared volumes or devices."""
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
    of_devices: dict[ClaimName, list[int]] = {}
    for w, workload in enumerate(problem.workloads):
        for name in claim_names(workload.template, workload.namespace):
            of_devices.setdefault(name, []).append(w)
    yield from of_devices.values()
    rules = rules_of(problem)
    for w, stated in enumerate(rules.stated):
        named = [n.selection for n in (*stated.near, *stated.away)]
        named += [c.selection for c in stated.caps]
        named += [s.selection for s in stated.spread if s.constraint.is_required]
        for selection in set(named) - {-1}:
            yield [w, *rules.selections.workloads(selection).tolist()]

"""Gangs: all or none, or at least so many members; and all placed members in one domain."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from binwright_optimizer.model import Gang, labels
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.final_state import LACKS_KEY, FinalState, Finding


def check_gangs(state: FinalState) -> Iterator[Finding]:
    """Gangs placed in part, or scattered."""
    wanted: dict[tuple[str, str], int] = {}
    for workload in state.problem.workloads:
        if workload.gang:
            key = (workload.namespace, workload.gang)
            wanted[key] = wanted.get(key, 0) + workload.replicas
    placed: dict[tuple[str, str], int] = {}
    nodes: dict[tuple[str, str], set[int]] = {}
    for n, pods in state.ranges:
        workload = state.problem.workloads[pods.workload]
        if workload.gang:
            key = (workload.namespace, workload.gang)
            placed[key] = placed.get(key, 0) + pods.count
            nodes.setdefault(key, set()).add(n)
    running: dict[tuple[str, str], int] = {}
    running_nodes: dict[tuple[str, str], set[int]] = {}
    for member in state.book.running:
        if member.gang:
            key = (state.book.kinds[member.kind].namespace, member.gang)
            running[key] = running.get(key, 0) + member.count
            running_nodes.setdefault(key, set()).add(member.node)
    for gang in state.problem.gangs:
        key = (gang.namespace, gang.name)
        if placed.get(key):
            yield from _members(gang, placed[key], wanted[key], running.get(key, 0))
            yield from _domain(state, gang, nodes[key], running_nodes.get(key, set()))


def _members(gang: Gang, placed: int, wanted: int, running: int) -> Iterator[Finding]:
    if gang.min_members is None:
        if placed < wanted:
            yield Finding(
                Rule.GANGS, f"{placed} of {wanted} members of {_name(gang)} are placed: all or none may be"
            )
    elif placed + running < gang.min_members:
        yield Finding(
            Rule.GANGS,
            f"{placed} members of {_name(gang)} are placed and {running} run, "
            f"at least {gang.min_members} are needed",
        )


def _domain(state: FinalState, gang: Gang, nodes: set[int], running: set[int]) -> Iterator[Finding]:
    """Members placed share a domain, and it is one that running members are in, if any are."""
    for rule in gang.topology:
        if not rule.is_required:
            continue
        about = Rule.GANGS_ON_NODES if rule.topology_key == labels.HOSTNAME else Rule.GANGS
        domains = state.domains(rule.topology_key)
        codes = np.unique(domains.codes[sorted(nodes)]).tolist()
        if LACKS_KEY in codes:
            lacking = min(n for n in nodes if domains.codes[n] == LACKS_KEY)
            yield Finding(
                about,
                f"a member of {_name(gang)} is on {state.nodes[lacking].name}, which has no label "
                f"{rule.topology_key}",
            )
            continue
        before = {int(domains.codes[n]) for n in running} - {LACKS_KEY}
        if len(codes) > 1 or (before and codes[0] not in before):
            names = sorted({domains.names[code] for code in {*codes, *before}})
            yield Finding(
                about,
                f"members of {_name(gang)} are in {', '.join(names)}, they need one {rule.topology_key}",
            )


def _name(gang: Gang) -> str:
    return f"gang {gang.namespace}/{gang.name}"

"""Pods that have to be on one node, all that are placed: by gangs, volumes and shared device claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.bundles.bundle import ANYWHERE, Nodes, both
from binwright_optimizer.instance.claims import Claim, ClaimName
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.device_claims import ClaimedDevices
from binwright_optimizer.model import Problem, labels


@dataclass(frozen=True, slots=True)
class Tie:
    """Kinds whose pods share a node, and the running nodes it may be; None: any node."""

    kinds: tuple[int, ...]
    nodes: Nodes = ANYWHERE


def ties_of(
    problem: Problem,
    kinds: Kinds,
    demand: NDArray[np.int64],
    claims: Mapping[ClaimName, Claim],
    claimed: ClaimedDevices,
) -> list[Tie]:
    """Ties of gangs, volumes and device claims; those that share a kind are one."""
    found = [*_gangs(problem, kinds, demand), *_volumes(kinds, claims), *_devices(kinds, claimed)]
    merged: list[Tie] = []
    for tie in found:
        apart = []
        for other in merged:
            if set(tie.kinds) & set(other.kinds):
                everyone = tuple(sorted({*tie.kinds, *other.kinds}))
                tie = Tie(everyone, both(tie.nodes, other.nodes))
            else:
                apart.append(other)
        merged = [*apart, tie]
    return sorted(merged, key=lambda tie: tie.kinds)


def _gangs(problem: Problem, kinds: Kinds, demand: NDArray[np.int64]) -> list[Tie]:
    members: dict[tuple[str, str], list[int]] = {}
    for k, stated in enumerate(kinds.stated):
        if stated.gang[1] and demand[k]:
            members.setdefault(stated.gang, []).append(k)
    found = []
    for gang in problem.gangs:
        name = gang.namespace, gang.name
        keys = {rule.topology_key for rule in gang.topology if rule.is_required}
        if name in members and labels.HOSTNAME in keys:
            before = frozenset(
                n
                for n, node in enumerate(problem.existing_nodes)
                if any((pods.namespace, pods.gang) == name for pods in node.pods)
            )
            found.append(Tie(tuple(members[name]), before or ANYWHERE))
    return found


def _devices(kinds: Kinds, claimed: ClaimedDevices) -> list[Tie]:
    found = []
    for _, shared in sorted(claimed.shared.items()):
        users = {int(kinds.workload_kind[w]) for w in shared.workloads}
        found.append(Tie(tuple(sorted(users)), shared.nodes or ANYWHERE))
    return found


def _volumes(kinds: Kinds, claims: Mapping[ClaimName, Claim]) -> list[Tie]:
    found = []
    for _, claim in sorted(claims.items()):
        if claim.is_single_node:
            users = {int(kinds.workload_kind[w]) for w in claim.workloads}
            found.append(Tie(tuple(sorted(users)), frozenset(claim.running) or ANYWHERE))
    return found

"""Volumes that a node can attach, by CSI driver, as resources of their own.

A pod takes one for each volume that it mounts and whose driver some node limits. What pods share is
attached once on a node, and so no resource: see `on_nodes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.claims import Claim, ClaimName
from binwright_optimizer.instance.set_rules import Attached
from binwright_optimizer.instance.shelf import UNLIMITED
from binwright_optimizer.model import ExistingNode, InstanceType, NodePool, PodTemplate, Problem, Resources
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.model.volumes import AttachLimit

ATTACHED = "volumes:"
"""Begins the name of such a resource; no resource of Kubernetes has a colon."""


def limited_drivers(problem: Problem) -> frozenset[str]:
    """Drivers of volumes in the problem that some node limits; none for most problems."""
    if not any(template.volumes for template in templates_of(problem)):
        return frozenset()
    everywhere = (
        *(kind.attach_limits for kind in problem.catalog.instance_types),
        *(pool.attach_limits for pool in problem.node_pools),
        *(node.attach_limits for node in problem.existing_nodes),
    )
    return frozenset(limit.driver for limits in everywhere for limit in limits)


def attachments(template: PodTemplate, limited: frozenset[str], shared: Collection[str] = ()) -> Resources:
    """What one pod takes of the limited drivers, but for the claims by name that others mount as well."""
    if not (limited and template.volumes):
        return Resources()
    named = {(v.driver, v.name) for v in template.volumes if v.name and v.driver in limited}
    taken = Counter(driver for driver, name in named if name not in shared)
    taken.update(v.driver for v in template.volumes if not v.name and v.driver in limited)
    return Resources.of({f"{ATTACHED}{driver}": count for driver, count in taken.items()})


def shared_columns(claims: Iterable[Claim], limited: frozenset[str]) -> Counter[str]:
    """Resources of limited drivers, and how many volumes of each pods share."""
    drivers = [driver for claim in claims for driver in claim.attached if driver in limited]
    return Counter(f"{ATTACHED}{driver}" for driver in drivers)


def attached_once(
    claims: Mapping[ClaimName, Claim],
    resources: tuple[str, ...],
    requests: NDArray[np.int64],
    room: NDArray[np.int64],
    workloads_of: Sequence[set[int]],
    existing_of: Sequence[Sequence[int]],
) -> Iterator[Attached]:
    """For each limited driver, the volumes that pods share, over classes ``i`` and candidates ``j``.

    Parameters
    ----------
    requests, room
        int64 arrays (i, r), (j, r).
    workloads_of
        Workloads whose pods are in items of each class.
    existing_of
        Existing nodes of each candidate.
    """
    for r, users in _users(claims, resources):
        if users:
            shared = [
                (
                    frozenset(i for i, mine in enumerate(workloads_of) if mine & workloads),
                    frozenset(j for j, mine in enumerate(existing_of) if nodes & set(mine)),
                )
                for workloads, nodes in users
            ]
            own = {int(i): int(requests[i, r]) for i in np.flatnonzero(requests[:, r])}
            yield Attached(own, shared, room[:, r])


def hold_attached(
    claims: Mapping[ClaimName, Claim],
    resources: tuple[str, ...],
    requests: NDArray[np.int64],
    room: NDArray[np.int64],
    workloads_of: Sequence[set[int]],
    nodes: NDArray[np.intp],
) -> NDArray[np.bool_]:
    """Whether one pod's own and shared volumes can be attached: bool array (i, j).

    Parameters
    ----------
    requests, room
        int64 arrays (i, r), (j, r).
    workloads_of
        Workloads whose pods are in items of each class.
    nodes
        intp array (j,): the running node that a candidate is; negative for those that are bought.
    """
    result = np.ones((len(requests), len(room)), dtype=bool)
    for r, users in _users(claims, resources):
        taken = np.repeat(requests[:, r][:, None], len(room), axis=1)
        for workloads, running in users:
            mounts = np.array([bool(mine & workloads) for mine in workloads_of], dtype=bool)
            taken += mounts[:, None] & ~np.isin(nodes, list(running))[None, :]
        result &= taken <= room[:, r][None, :]
    return result


def attached_together(
    claims: Mapping[ClaimName, Claim],
    resources: tuple[str, ...],
    workloads_of: Sequence[set[int]],
    pattern: NDArray[np.int32],
) -> NDArray[np.int64]:
    """What the volumes that pods share take of a new node with a pattern: int64 array (r,)."""
    result = np.zeros(len(resources), dtype=np.int64)
    there = set().union(*(workloads_of[i] for i in np.flatnonzero(pattern).tolist()))
    for r, users in _users(claims, resources):
        result[r] = sum(not there.isdisjoint(workloads) for workloads, _ in users)
    return result


def _users(
    claims: Mapping[ClaimName, Claim], resources: tuple[str, ...]
) -> Iterator[tuple[int, list[tuple[set[int], set[int]]]]]:
    """For each column of volumes, the workloads and the running nodes of each volume that pods share."""
    for r, name in enumerate(resources):
        if name.startswith(ATTACHED):
            driver = name.removeprefix(ATTACHED)
            yield r, [c.attached[driver] for _, c in sorted(claims.items()) if driver in c.attached]


@dataclass(frozen=True, slots=True)
class AttachRoom:
    """How many volumes nodes take, over the columns of a table of resources."""

    resources: tuple[str, ...]
    instance_types: Sequence[InstanceType]

    @property
    def columns(self) -> list[int]:
        """Columns of volumes."""
        return [index for index, name in enumerate(self.resources) if name.startswith(ATTACHED)]

    def of_types(self, pool: NodePool) -> NDArray[np.int64]:
        """Room on a node of each type in a NodePool: int64 array (t, column)."""
        return self._rooms([(*kind.attach_limits, *pool.attach_limits) for kind in self.instance_types])

    def of_nodes(self, nodes: Sequence[ExistingNode]) -> NDArray[np.int64]:
        """Room left on running nodes: int64 array (node, column)."""
        return self._rooms([node.attach_limits for node in nodes])

    def _rooms(self, limits: Sequence[Iterable[AttachLimit]]) -> NDArray[np.int64]:
        names = [self.resources[column].removeprefix(ATTACHED) for column in self.columns]
        rooms = np.full((len(limits), len(names)), UNLIMITED, dtype=np.int64)
        for row, mine in enumerate(limits):
            for limit in mine:
                if limit.driver in names:
                    column = names.index(limit.driver)
                    rooms[row, column] = min(rooms[row, column], limit.count)
        return rooms

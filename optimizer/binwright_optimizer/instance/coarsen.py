"""Classes that are nearly alike, put into groups: where there are thousands, a few hundred groups say most.

The programmes of a search have a row for each class, and with thousands of rows they take longer than there
is time. Pods of nearly equal requests that may run in the same places are nearly interchangeable, so that a
programme with a row for each group loses little (C. Alves and J. M. Valerio de Carvalho, Accelerating column
generation for variable sized bin-packing problems, European Journal of Operational Research 183, 2007, who
aggregate rows likewise). Only classes that need many nodes by their own caps stay by themselves, with the
rules between them: where nodes hold few of each, they decide what nodes there have to be.

What a group stands for is up to who asks: `Groups.mean_requests` keeps the sum of all requests,
`Groups.largest` is an instance of which every packing has room for the pods themselves.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.instance import Instance

_T = TypeVar("_T", bound=np.generic)
Float = NDArray[np.float64]
Members = NDArray[np.intp]
LEAST_APART = 16.0
"""Nodes that the pods of a class need by its own cap, at least, for it to be a group by itself: of the
Tianchi applications 3 %, with two fifths of the pods. With 32 their packing was 0.1 % dearer in the end, and
with 8 groups took much longer to be packed."""
APART_SHARE = 0.4
"""Share of the groups that such classes are, at most."""


@dataclass(frozen=True, slots=True)
class Groups:
    """Groups of classes of one instance.

    Parameters
    ----------
    members
        Classes of each group ``g``; classes without demand are in none.
    n_apart
        So many of the groups, the first ones, are a class each that keeps its rules.
    """

    instance: Instance
    members: tuple[Members, ...]
    n_apart: int = 0

    @property
    def demand(self) -> NDArray[np.int64]:
        """Pods of each group: int64 array (g,)."""
        return np.array([self.instance.demand[mine].sum() for mine in self.members], dtype=np.int64)

    @property
    def compatible(self) -> NDArray[np.bool_]:
        """Candidates of each group, all members having the same: bool array (g, j)."""
        return self.instance.compatible[[mine[0] for mine in self.members]]

    @property
    def mean_requests(self) -> Float:
        """Requests of the average pod of each group: float64 array (g, r)."""
        instance = self.instance
        wanted = instance.requests * instance.demand[:, None].astype(np.float64)
        return np.array([wanted[mine].sum(axis=0) for mine in self.members]) / self.demand[:, None]

    def spread(self, shares: Float) -> Float:
        """Shares of the pods of groups, float64 array (u, g), as those of their classes: (u, i)."""
        demand, total = self.instance.demand, self.demand
        result = np.zeros((len(shares), self.instance.n_classes))
        for g, mine in enumerate(self.members):
            result[:, mine] = shares[:, g : g + 1] * (demand[mine] / total[g])
        return result

    def largest(self) -> Instance:
        """The instance with one class for each group: its pods as large as the largest.

        A node may hold as many of a group as its members may be there by themselves. Rules are only those
        between classes that are groups by themselves.
        """
        instance, members = self.instance, self.members
        caps = np.minimum(instance.node_cap, instance.demand)
        return replace(
            instance,
            requests=_frozen(np.array([instance.requests[mine].max(axis=0) for mine in members])),
            demand=_frozen(self.demand),
            priority=_frozen(np.array([instance.priority[mine[0]] for mine in members])),
            compatible=_frozen(self.compatible),
            node_cap=_frozen(np.array([caps[mine].sum() for mine in members])),
            rules=instance.rules.among(
                np.array([mine[0] for mine in members[: self.n_apart]], dtype=np.intp),
                np.arange(instance.n_candidates),
                len(members),
            ),
        )


def grouped(instance: Instance, most: int) -> Groups | None:
    """At most so many groups; None if there are more sorts of pods that cannot be together.

    Classes that need many nodes by their own caps are groups by themselves. The members of any other have the
    same candidates and priority. The group whose requests differ most, as a share
    of all that pods want, is split in two where that gains most, again and again.
    """
    demand = instance.demand
    total = np.maximum(instance.requests.T @ demand, 1).astype(np.float64)

    def width(mine: Members) -> float:
        return float((_excess(instance.requests[mine], demand[mine]) / total).sum())

    apart = _apart(instance, int(APART_SHARE * most))
    is_apart = np.isin(np.arange(instance.n_classes), apart)
    sorts: dict[tuple[int, bytes], list[int]] = {}
    for i, admitted in enumerate(np.packbits(instance.compatible, axis=1)):
        if instance.demand[i] and not is_apart[i]:
            sorts.setdefault((int(instance.priority[i]), admitted.tobytes()), []).append(i)
    if not 0 < len(sorts) + len(apart) <= most:
        return None
    members = [*apart[:, None], *(np.array(mine, dtype=np.intp) for mine in sorts.values())]
    widths = [(-width(mine), g) for g, mine in enumerate(members)]
    heapq.heapify(widths)
    while len(members) < most and widths[0][0] < 0.0:
        _, g = heapq.heappop(widths)
        halves = _split(members[g], instance.requests, demand, total)
        members[g] = halves[0]
        members.append(halves[1])
        for where, mine in zip((g, len(members) - 1), halves, strict=True):
            heapq.heappush(widths, (-width(mine), where))
    return Groups(instance, tuple(np.sort(mine) for mine in members), len(apart))


def _apart(instance: Instance, most: int) -> Members:
    """Classes that need many nodes by their own cap, those that need most first; sorted."""
    need = instance.demand / np.clip(instance.node_cap, 1, np.maximum(instance.demand, 1))
    order = np.argsort(-need, kind="stable")[:most]
    return np.sort(order[need[order] >= LEAST_APART])


def _excess(requests: NDArray[np.int64], demand: NDArray[np.int64]) -> NDArray[np.int64]:
    """What pods would take more if each were as large as the largest: int64 array (r,)."""
    return np.asarray(demand.sum() * requests.max(axis=0) - demand @ requests)


def _split(
    mine: Members, requests: NDArray[np.int64], demand: NDArray[np.int64], total: Float
) -> tuple[Members, Members]:
    """Two parts of a group that has some excess, split by one resource such that least of it is left."""
    best, halves = -np.inf, (mine, mine[:0])
    for r, excess in enumerate(_excess(requests[mine], demand[mine])):
        order = mine[np.argsort(requests[mine, r], kind="stable")]
        value, pods = requests[order, r], demand[order].cumsum()
        where = np.flatnonzero(np.diff(value))
        if not len(where):
            continue
        left = pods[where] * value[where] + (pods[-1] - pods[where]) * value[-1] - demand[order] @ value
        at = int(left.argmin())
        gain = float(excess - left[at]) / total[r]
        if gain > best:
            best, halves = gain, (order[: where[at] + 1], order[where[at] + 1 :])
    return halves


def _frozen(array: NDArray[_T]) -> NDArray[_T]:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array

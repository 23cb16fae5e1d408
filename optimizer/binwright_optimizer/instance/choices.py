"""``minValues`` of NodePools: what may be packed on a node whose launch must be left some choice.

A NodeClaim lists instance types that hold its pods, the chosen one the cheapest, all in one zone under
one capacity type; with ``minValues`` they must have so many values of a label between them
(https://karpenter.sh/docs/concepts/nodepools/#min-values). So a candidate may hold a pattern if enough
types of no lower price hold it as well. Those patterns are a union of boxes, each the room that some set
of types has in common: the candidate is replaced by one candidate for each largest box.

Mostly that is one box, the candidate's own room, as enough dearer types are at least as large.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.candidates import Shelved
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.model import MinValuesPolicy, NodePool, Problem, labels

Int = NDArray[np.int64]
Mask = NDArray[np.bool_]
MOST_BOXES = 200
"""Boxes tried for one candidate; with more, some patterns that would be allowed are not found."""
MOST_ADMISSIONS = 16
"""Sets of pods tried for one candidate whose types do not all admit the same pods."""


@dataclass(frozen=True, slots=True)
class Choices:
    """Candidates that leave enough choice, in the order of those they stand for.

    Parameters
    ----------
    source
        intp array (new,): candidate that each stands for; several for one, or none.
    room
        int64 array (new, r): what pods may take.
    admitted
        bool array (placement, new).
    """

    source: NDArray[np.intp]
    room: Int
    admitted: Mask


def wants_choice(pool: NodePool) -> bool:
    """Whether a NodePool has ``minValues``."""
    return any(requirement.min_values for requirement in pool.requirements)


def has_choices(problem: Problem) -> bool:
    """Whether NodeClaims of some NodePool must leave a choice."""
    return problem.policies.min_values is MinValuesPolicy.STRICT and any(
        map(wants_choice, problem.node_pools)
    )


def pools_with_choice(problem: Problem) -> frozenset[int]:
    """NodePools whose NodeClaims must leave a choice.

    They use no commitments: a node that one pays for is of the type that it pays for.
    """
    if not has_choices(problem):
        return frozenset()
    return frozenset(p for p, pool in enumerate(problem.node_pools) if wants_choice(pool))


def leave_choice(
    problem: Problem,
    shelf: Shelf,
    shelved: Sequence[Shelved],
    room: Int,
    admitted: Mask,
    alike: NDArray[np.int64],
    is_alone_on_spot: Mask,
) -> Choices:
    """Candidates of every variant and the existing nodes, those of pools with ``minValues`` replaced.

    Parameters
    ----------
    room, admitted
        int64 array (c, r), bool array (placement, c): of all candidates, existing nodes last.
    alike
        int64 array (c, feature): types that may be launched for one another are equal here.
    is_alone_on_spot
        bool array (placement,): on spot capacity nothing else may be launched for nodes with these pods.
    """
    source: list[int] = []
    rooms: list[Int] = []
    admissions: list[Mask] = []
    first = 0
    for part in shelved:
        pool = problem.node_pools[part.variant.pool]
        here = np.arange(first, first + len(part.rows))
        first += len(part.rows)
        if not wants_choice(pool):
            source.extend(here.tolist())
            rooms.extend(room[here])
            admissions.extend(admitted[:, here].T)
            continue
        for group in _groups(shelf, part, alike[here]):
            peers = _Peers(shelf, pool, part, group, room[here], admitted[:, here], is_alone_on_spot)
            for position, box, pods in peers.boxes():
                source.append(int(here[position]))
                rooms.append(box)
                admissions.append(pods)
    rest = np.arange(first, len(room))
    source.extend(rest.tolist())
    rooms.extend(room[rest])
    admissions.extend(admitted[:, rest].T)
    order = np.argsort(np.array(source, dtype=np.intp), kind="stable")
    return Choices(
        np.array(source, dtype=np.intp)[order],
        np.array(rooms, dtype=np.int64).reshape(len(source), room.shape[1])[order],
        np.ascontiguousarray(np.array(admissions, dtype=bool).reshape(len(source), len(admitted))[order].T),
    )


def lacks_choice(shelf: Shelf, pool: NodePool, part: Shelved) -> Mask:
    """Offerings beside which there are too few values, whatever the pods: bool array (m,)."""
    nothing = np.zeros((len(part.rows), 0), dtype=np.int64)
    nobody = np.zeros((0, len(part.rows)), dtype=bool)
    result = np.ones(len(part.rows), dtype=bool)
    for group in _groups(shelf, part, nothing):
        peers = _Peers(shelf, pool, part, group, nothing, nobody, np.zeros(0, dtype=bool))
        result[[position for position, _, _ in peers.boxes()]] = False
    return result


def _groups(shelf: Shelf, part: Shelved, alike: NDArray[np.int64]) -> Iterator[NDArray[np.intp]]:
    """Positions of rows that may be launched for one another, cheap first."""
    keys = (labels.REGION, labels.ZONE, labels.CAPACITY_TYPE)
    where = [shelf.labels.columns[key].codes[part.rows] for key in keys]
    content = np.column_stack([*where, alike]).astype(np.int64)
    _, number = np.unique(content, axis=0, return_inverse=True)
    for g in range(int(number.max(initial=-1)) + 1):
        mine = np.flatnonzero(number == g)
        yield mine[np.lexsort((mine, shelf.price[part.rows[mine]]))]


class _Peers:
    """Offerings that may be launched for one another, cheap first."""

    def __init__(
        self,
        shelf: Shelf,
        pool: NodePool,
        part: Shelved,
        group: NDArray[np.intp],
        room: Int,
        admitted: Mask,
        is_alone_on_spot: Mask,
    ) -> None:
        rows = part.rows[group]
        fixed = dict(part.variant.fixed)
        self._group = group
        self._price = shelf.price[rows]
        self._type = shelf.type_of[rows]
        self._is_held = shelf.held_limit[rows] >= 0  # for those who hold it, no alternative
        self._room = room[group]
        self._admitted = admitted[:, group]
        self._wanted: list[tuple[NDArray[np.int64], int]] = []
        for requirement in pool.requirements:
            if requirement.min_values:
                column = shelf.labels.columns.get(requirement.key)
                if column is not None:
                    codes = column.codes[rows].astype(np.int64)
                else:
                    value = fixed.get(requirement.key, dict(pool.labels).get(requirement.key))
                    codes = np.full(len(rows), int(value is not None), dtype=np.int64)
                self._wanted.append((codes, requirement.min_values))
        capacity = shelf.labels.columns[labels.CAPACITY_TYPE]
        is_spot = bool(len(rows)) and capacity.vocabulary[capacity.codes[rows[0]]] == "spot"
        self._alone = is_alone_on_spot if is_spot else np.zeros(len(admitted), dtype=bool)

    def boxes(self) -> Iterator[tuple[int, Int, Mask]]:
        """Position of a candidate, and the room and the pods of each of its boxes."""
        for n, position in enumerate(self._group.tolist()):
            own, pods = self._room[n], self._admitted[:, n]
            alone = np.array([n], dtype=np.intp)
            if self._is_enough(alone):
                yield position, own, pods
                continue
            is_other = (self._type != self._type[n]) & ~self._is_held
            dearer = np.flatnonzero((self._price >= self._price[n]) & is_other)
            members = np.concatenate([alone, dearer])
            if not self._is_enough(members):
                continue
            pods = pods & ~self._alone
            larger = members[(self._room[members] >= own).all(axis=1)]
            if self._is_enough(larger[self._admits(larger, pods)]):
                yield position, own, pods
            else:
                yield from ((position, *box) for box in self._largest(members, own, pods))

    def _is_enough(self, members: NDArray[np.intp]) -> bool:
        """Whether they have as many values as are wanted."""
        return all(
            np.count_nonzero(np.bincount(codes[members], minlength=1)[1:]) >= least
            for codes, least in self._wanted
        )

    def _admits(self, members: NDArray[np.intp], pods: Mask) -> Mask:
        """Members that admit all of these pods: bool array like ``members``."""
        return np.asarray(self._admitted[:, members][pods].all(axis=0))

    def _largest(self, members: NDArray[np.intp], own: Int, pods: Mask) -> list[tuple[Int, Mask]]:
        """Largest boxes that enough members hold."""
        found: list[tuple[Int, Mask]] = []
        for some in self._admissions(members, pods):
            admitting = members[self._admits(members, some)]
            if self._is_enough(admitting):
                for box in self._rooms(admitting, np.minimum(self._room[admitting], own), own):
                    if not any((box <= b).all() and (some <= a).all() for b, a in found):
                        found.append((box, some))
        return found

    def _admissions(self, members: NDArray[np.intp], pods: Mask) -> list[Mask]:
        """Pods that a node may have: those that some of the members admit as well, most first."""
        known: dict[bytes, Mask] = {pods.tobytes(): pods}
        distinct = np.unique(self._admitted[:, members].T & pods, axis=0)
        for mask in distinct:
            for other in list(known.values()):
                both = mask & other
                if len(known) < MOST_ADMISSIONS:
                    known.setdefault(both.tobytes(), both)
        return list(known.values())

    def _rooms(self, members: NDArray[np.intp], held: Int, own: Int) -> list[Int]:
        """Largest rooms that enough of the members have: by thresholds, one resource after another."""
        found: list[Int] = []
        tried = 0
        order = np.argsort([len(np.unique(held[:, r])) for r in range(held.shape[1])], kind="stable")

        def search(inside: NDArray[np.intp], depth: int, box: Int) -> None:
            nonlocal tried
            if tried >= MOST_BOXES:
                return
            if depth == len(order):
                tried += 1
                if not any((box <= other).all() for other in found):
                    found[:] = [other for other in found if not (other <= box).all()]
                    found.append(box)
                return
            r = int(order[depth])
            is_last = depth == len(order) - 1
            for threshold in np.unique(held[inside, r])[::-1]:
                left = inside[held[inside, r] >= threshold]
                if not self._is_enough(members[left]):
                    continue
                lower = box.copy()
                lower[r] = threshold
                search(left, depth + 1, lower)
                if is_last or len(left) == len(inside):
                    break

        search(np.arange(len(members)), 0, own.copy())
        return found

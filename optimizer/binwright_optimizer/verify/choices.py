"""Rooms that ``minValues`` leaves, for the bound: more than any NodeClaim can use, and quick to tell.

The claim's alternatives hold its pods, cost no less than the chosen type, and have so many values of a
label between them. So of each resource the pods take at most what the type has that comes last of so
many with different values, the largest first; and where there are not so many, nothing is bought.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import MinValuesPolicy, NodePool, Problem, labels
from binwright_optimizer.verify.offerings import OfferingColumns

Int64Array = NDArray[np.int64]
NO_ROOM = -1
"""Room of an offering that may not be bought."""


def wants_choice(problem: Problem, pool: NodePool) -> bool:
    """Whether claims for a pool must leave a choice."""
    is_strict = problem.policies.min_values is MinValuesPolicy.STRICT
    return is_strict and any(requirement.min_values for requirement in pool.requirements)


def room_with_choice(
    pool: NodePool, columns: OfferingColumns, offerings: NDArray[np.intp], room: Int64Array
) -> Int64Array:
    """At most what pods take on each offering that a pool may buy: int64 (offering, resource).

    Parameters
    ----------
    room
        int64 (offering, resource): what its nodes have.
    """
    wanted = [(r.key, r.min_values) for r in pool.requirements if r.min_values]
    result = room.copy()
    where = np.column_stack(
        [columns.label(key).codes[offerings] for key in (labels.REGION, labels.ZONE, labels.CAPACITY_TYPE)]
    )
    _, number = np.unique(where, axis=0, return_inverse=True)
    for g in range(int(number.max(initial=-1)) + 1):
        mine = np.flatnonzero(number == g)
        price = columns.price[offerings[mine]]
        for key, least in wanted:
            values = _values(columns, key, offerings[mine])
            best = np.full((int(values.max(initial=-1)) + 1, room.shape[1]), NO_ROOM, dtype=np.int64)
            for now in np.unique(price)[::-1]:
                at = np.flatnonzero(price == now)
                named = at[values[at] >= 0]
                np.maximum.at(best, values[named], room[mine[named]])
                result[mine[at]] = np.minimum(result[mine[at]], _last_of_largest(best, least))
    return result


def _values(columns: OfferingColumns, key: str, offerings: NDArray[np.intp]) -> Int64Array:
    """Codes of a label; all alike where instance types do not have it."""
    if key not in columns.defined_keys:
        return np.zeros(len(offerings), dtype=np.int64)
    column = columns.label(key)
    known = np.array([value is not None for value in column.values], dtype=bool)
    codes = column.codes[offerings].astype(np.int64)
    return np.where(known[codes], codes, -1)


def _last_of_largest(best: Int64Array, least: int) -> Int64Array:
    """Of each resource, the amount that so many values have: int64 (resource,), `NO_ROOM` if fewer do."""
    if len(best) < least:
        return np.full(best.shape[1], NO_ROOM, dtype=np.int64)
    return np.asarray(np.partition(best, len(best) - least, axis=0)[len(best) - least])

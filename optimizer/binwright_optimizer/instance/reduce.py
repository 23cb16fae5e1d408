"""Reduction: candidates that another makes superfluous are left out.

Merging keeps the cheapest of candidates that pods cannot tell apart; dominance drops one that
costs no less than another that holds at least as much. Both keep an optimal solution; the
certificate is checked over the original offerings, so that a fault here cannot fake a bound.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Int = NDArray[np.int64]


def cheapest_of_equals(content: Int, order: NDArray[np.intp]) -> NDArray[np.intp]:
    """Of each group of equal rows of ``content`` the one that comes first in ``order``.

    Parameters
    ----------
    content
        int64 array (candidate, feature).
    order
        intp array (candidate,): candidates from most to least wanted.

    Returns
    -------
    Kept candidates in the order of ``order``.
    """
    rows = np.ascontiguousarray(content[order])
    weights = np.random.default_rng(20_240_607).integers(1, 2**62, rows.shape[1], dtype=np.int64) | 1
    with np.errstate(over="ignore"):
        digests = (rows * weights).sum(axis=1)
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    if not (rows == rows[first[group]]).all():  # two different rows share a digest
        _, first = np.unique(rows, axis=0, return_index=True)
    return order[np.sort(first)]


def undominated(
    price: Int,
    allocatable: Int,
    holds: NDArray[np.uint8],
    limited: NDArray[np.bool_],
    floored: NDArray[np.bool_],
    pool: NDArray[np.intp],
    limit_use: Int,
    finite: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """Positions of candidates, given from cheap to dear, that no earlier one dominates.

    Parameters
    ----------
    price, allocatable
        int64 arrays (j,), (j, r).
    holds
        uint8 array (j, bytes): bit set of the pod classes each candidate can hold.
    limited, floored
        bool arrays (j,): the candidate's pool has a limit; has a minimum.
    pool
        intp array (j,): NodePool, or -1 for existing nodes.
    limit_use
        int64 array (j, k): use of each limit row by one node.
    finite
        bool array (j,): supply is finite.
    """
    kept = _undominated(price, allocatable, holds, limited, floored, pool, limit_use, finite)
    return np.flatnonzero(kept)


@njit(cache=True, nogil=True)
def _undominated(price, allocatable, holds, limited, floored, pool, limit_use, finite):  # type: ignore[no-untyped-def]
    n = price.shape[0]
    kept = np.zeros(n, dtype=np.bool_)
    survivors = np.empty(n, dtype=np.int64)
    count = 0
    for j in range(n):
        dominated = False
        for s in range(count):
            b = survivors[s]
            if finite[b] or price[b] > price[j]:
                continue
            if b != j and pool[b] != pool[j] and (limited[b] or floored[j]):
                continue
            better = True
            for r in range(allocatable.shape[1]):
                if allocatable[b, r] < allocatable[j, r]:
                    better = False
                    break
            if better:
                for w in range(holds.shape[1]):
                    if holds[j, w] & ~holds[b, w]:
                        better = False
                        break
            if better and limited[b]:
                for k in range(limit_use.shape[1]):
                    if limit_use[b, k] > limit_use[j, k]:
                        better = False
                        break
            if better:
                dominated = True
                break
        if not dominated:
            kept[j] = True
            survivors[count] = j
            count += 1
    return kept

"""Exact searches of a knapsack by the relaxations of `knapsack`, in int64.

Items are searched by falling reduced value ``p_j - lambda.a_j``: first those that belong to the
pattern, tried from their largest count down; then those that do not, tried from zero up. In both
orders the bound falls along the siblings, so the first one cut cuts the rest.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.verify.relaxation import Float, Int64Array

_MAX_SHIFT = 24
_SUM_LIMIT = float(2**61)

SCREENING_STEPS = 6
"""Steps towards better multipliers before a relaxation is solved."""
BRIEF_SEARCH = 1_000
"""Search nodes spent on one branch at fixed multipliers: about as long as its relaxation takes."""


@njit(cache=True, nogil=True)
def search(
    price: Int64Array,
    reduced: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    room: Int64Array,
    root: int,
    shift: int,
    floor: int,
    node_limit: int,
) -> tuple[int, bool, int]:
    """Best pattern value above ``floor`` (or ``floor``), whether the search ended, and its length.

    Arrays are in search order; ``reduced`` and ``root`` (the relaxation without any choice:
    lambda.C plus all positive parts) are scaled by 2**shift.
    """
    n_items = price.shape[0]
    n_resources = room.shape[0]
    best = floor
    need = (best + 1) << shift
    left = np.empty((n_items + 1, n_resources), dtype=np.int64)
    left[0] = room
    bound = np.empty(n_items + 1, dtype=np.int64)  # relaxation given the counts before k
    bound[0] = root
    worth = np.empty(n_items + 1, dtype=np.int64)
    worth[0] = 0
    count = np.empty(n_items, dtype=np.int64)
    last = np.empty(n_items, dtype=np.int64)  # the count at the end of the siblings
    k = 0
    nodes = 0
    entering = True
    while k >= 0:
        if entering:
            nodes += 1
            if nodes > node_limit:
                return best, False, nodes
            is_leaf = k == n_items or (reduced[k] <= 0 and bound[k] + reduced[k] < need)
            if is_leaf:
                if worth[k] > best:
                    best = worth[k]
                    need = (best + 1) << shift
                k -= 1
                entering = False
                continue
            fit = most[k]
            for r in range(n_resources):
                if amounts[k, r] > 0:
                    if left[k, r] < amounts[k, r]:
                        fit = 0
                        break
                    fit = min(fit, left[k, r] // amounts[k, r])
            if reduced[k] > 0:
                count[k] = fit
                last[k] = 0
            else:
                count[k] = 0
                last[k] = fit
        else:
            if count[k] == last[k]:
                k -= 1
                continue
            count[k] += 1 if reduced[k] <= 0 else -1
        gone = (most[k] - count[k]) * reduced[k] if reduced[k] > 0 else -count[k] * reduced[k]
        child = bound[k] - gone
        if child < need:  # and so are all later siblings
            k -= 1
            entering = False
            continue
        for r in range(n_resources):
            left[k + 1, r] = left[k, r] - count[k] * amounts[k, r]
        worth[k + 1] = worth[k] + count[k] * price[k]
        bound[k + 1] = child
        k += 1
        entering = True
    return best, True, nodes


@njit(cache=True, nogil=True)
def scale_bits(total: int, relaxed: float, n_resources: int) -> int:
    """Most bits of scale at which no sum over items and resources can reach 2**62."""
    shift = _MAX_SHIFT
    while shift > 0 and (total + (n_resources + 1.0) * relaxed) * 2.0**shift >= _SUM_LIMIT:
        shift -= 1
    return shift


@njit(cache=True, nogil=True)
def reduce_values(
    price: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    room: Int64Array,
    unit: Int64Array,
    mu: Float,
    shift: int,
    multiplier: Int64Array,
    reduced: Int64Array,
) -> int:
    """Exact relaxation in ``room`` at multipliers ``mu / unit`` rounded down, times 2**shift.

    Writes the multipliers and the reduced values. ``unit`` is the room that ``mu`` prices as a whole.
    """
    root = 0
    for r in range(room.shape[0]):
        multiplier[r] = 0
        if unit[r] > 0:
            multiplier[r] = np.int64(mu[r] / unit[r] * 2.0**shift)
            root += int(multiplier[r] * room[r])
    for k in range(price.shape[0]):
        reduced[k] = price[k] << shift
        for r in range(room.shape[0]):
            reduced[k] -= multiplier[r] * amounts[k, r]
        if reduced[k] > 0:
            root += int(most[k] * reduced[k])
    return root

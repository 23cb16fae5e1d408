"""Exact searches of a knapsack by the relaxations of `knapsack`, in int64.

Items are searched by falling reduced value ``p_j - lambda.a_j``: first those that belong to the
pattern, tried from their largest count down; then those that do not, tried from zero up. In both
orders the bound falls along the siblings, so the first one cut cuts the rest.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.verify.relaxation import (
    Float,
    Int64Array,
    descend,
    relaxed_value,
    solve_relaxation,
)

_MAX_SHIFT = 24
_SUM_LIMIT = float(2**61)

SCREENING_STEPS = 6
"""Steps towards better multipliers before a relaxation is solved."""
BRIEF_SEARCH = 1_000
"""Search nodes spent on one branch at fixed multipliers: about as long as its relaxation takes."""
_MOST_OPEN = 16_384
"""Open branches kept."""


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
    reduced: Int64Array,
) -> int:
    """Exact relaxation in ``room`` at multipliers ``mu / unit`` rounded down, times 2**shift.

    Writes the reduced values. ``unit`` is the room that ``mu`` prices as a whole.
    """
    root = 0
    multiplier = np.zeros(room.shape[0], dtype=np.int64)
    for r in range(room.shape[0]):
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


@njit(cache=True, nogil=True)
def branch(
    price: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    share: Float,
    room: Int64Array,
    threshold: int,
    root_bound: int,
    node_limit: int,
) -> tuple[int, bool]:
    """Branch and bound with the relaxation solved anew in every branch.

    Where items are few and large, multipliers that suit the empty node are poor once some are
    placed. Each branch restricts the counts to ``low <= x <= high``, is searched briefly at its own
    multipliers, and if that does not settle it is split at a fractional count of its relaxation. The branch
    that may be worth most comes first.

    Returns an upper bound on the best value above ``threshold`` (or ``threshold``), and whether it
    is that value.
    """
    n_items = price.shape[0]
    n_resources = room.shape[0]
    low = np.zeros((_MOST_OPEN, n_items), dtype=np.int64)
    high = np.zeros((_MOST_OPEN, n_items), dtype=np.int64)
    limit = np.zeros(_MOST_OPEN, dtype=np.int64)  # no pattern of the open branch is worth more
    high[0] = most
    limit[0] = root_bound
    n_open = 1
    best = threshold
    left = np.empty(n_resources, dtype=np.int64)
    free = np.empty(n_resources)
    mu = np.empty(n_resources)
    slope = np.empty(n_resources)
    inherited = np.zeros((_MOST_OPEN, n_resources))  # multipliers of the branch it was split from
    where = np.empty(n_items, dtype=np.int64)
    kept = np.empty(n_items, dtype=np.int64)
    nodes = 0
    while n_open > 0:
        widest = np.argmax(limit[:n_open])  # first, so that a search cut short leaves a good bound
        if limit[widest] <= best:
            return best, True
        if nodes > node_limit or n_open == _MOST_OPEN:
            return int(limit[widest]), False
        n_open -= 1
        at = n_open
        for rows in (low, high):
            kept[:] = rows[at]
            rows[at] = rows[widest]
            rows[widest] = kept
        limit[at], limit[widest] = limit[widest], limit[at]
        for r in range(n_resources):
            inherited[at, r], inherited[widest, r] = inherited[widest, r], inherited[at, r]
        base = 0
        left[:] = room
        for k in range(n_items):
            if low[at, k] > 0:
                base += int(low[at, k] * price[k])
                for r in range(n_resources):
                    left[r] -= low[at, k] * amounts[k, r]
        if left.min() < 0:
            continue
        best = max(best, base)  # the branch's lower counts are a pattern themselves
        n_local = 0
        total = 0
        for k in range(n_items):
            count = high[at, k] - low[at, k]
            for r in range(n_resources):
                if count > 0 and amounts[k, r] > 0:
                    count = min(count, left[r] // amounts[k, r])
            if count > 0:
                where[n_local] = k
                n_local += 1
                total += int(count * price[k])
            high[at, k] = low[at, k] + count
        if base + total <= best:
            continue
        chosen = where[:n_local]
        local_price = price[chosen]
        local_most = high[at][chosen] - low[at][chosen]
        local_amounts = amounts[chosen]
        local_share = share[chosen]
        for r in range(n_resources):
            free[r] = left[r] / room[r] if room[r] > 0 else 0.0
        counts = np.empty(n_local)
        value = local_price.astype(np.float64)
        reduced = np.empty(n_local, dtype=np.int64)
        mu[:] = inherited[at]
        target = float(best - base)
        relaxed = descend(value, local_most, local_share, free, target, SCREENING_STEPS, mu)
        if relaxed <= target:
            shift = scale_bits(total, relaxed, n_resources)
            root = reduce_values(local_price, local_most, local_amounts, left, room, mu, shift, reduced)
            if root < (best - base + 1) << shift:
                continue
        solve_relaxation(value, local_most, local_share, free, mu, counts)
        relaxed = relaxed_value(value, local_most, local_share, free, mu, slope)
        shift = scale_bits(total, relaxed, n_resources)
        root = reduce_values(local_price, local_most, local_amounts, left, room, mu, shift, reduced)
        nodes += 20 * n_local  # about what the relaxation costs, in search nodes
        if root < (best - base + 1) << shift:
            continue
        bound = min(limit[at], base + min(total, root >> shift))
        order = np.argsort(-reduced)
        found, is_complete, visited = search(
            local_price[order],
            reduced[order],
            local_most[order],
            local_amounts[order],
            left,
            root,
            shift,
            best - base,
            BRIEF_SEARCH,
        )
        nodes += visited
        best = max(best, base + found)
        if is_complete:
            continue
        split = 0
        farthest = -1.0
        for k in range(n_local):
            fraction = counts[k] - np.floor(counts[k])
            distance = min(fraction, 1.0 - fraction) * local_share[k].max()  # large pods decide most
            if distance > farthest:
                farthest = distance
                split = k
        for k in range(n_local):  # counts that alone would take the bound below what is needed
            if reduced[k] < 0:
                spare = (root - ((best - base + 1) << shift)) // -reduced[k]
                high[at, chosen[k]] = min(high[at, chosen[k]], low[at, chosen[k]] + spare)
        item = chosen[split]
        middle = low[at, item] + min(int(counts[split]), local_most[split] - 1)
        low[at + 1] = low[at]
        high[at + 1] = high[at]
        high[at, item] = middle
        low[at + 1, item] = middle + 1
        limit[at] = bound
        limit[at + 1] = bound
        inherited[at] = mu
        inherited[at + 1] = mu
        n_open += 2
    return best, True

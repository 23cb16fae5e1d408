"""Patterns as pairs from two lists, for branches whose relaxation is nearly tight but that stay open.

Under multipliers ``lambda`` every pattern is worth the relaxation less what it loses: on each item by which
its count departs from the one that the multipliers call for, and on the room it leaves. One worth more than
the floor loses little, so that the items, dealt out to two groups, have few partial patterns each that come
into question. What two of them are worth together is above the floor and, for all the room there is, not
above what the multipliers allow: of a list sorted by worth, each partial pattern of the other list leaves a
short stretch (E. Horowitz and S. Sahni, 1974, doi:10.1145/321812.321823, with bounds).

All is integer arithmetic on the scale of `knapsack_search`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.verify.relaxation import Int64Array

MOST_LISTED = 100_000
"""Partial patterns per list after which it is given up."""
_MOST_PAIRS = 2_000_000
"""Pairs looked at after which it is given up: some milliseconds."""
_PAIRS_PER_LISTED = 10
"""Pairs that take as long as listing a partial pattern."""


@njit(cache=True, nogil=True)
def search_two_lists(
    price: Int64Array,
    reduced: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    room: Int64Array,
    multiplier: Int64Array,
    root: int,
    shift: int,
    floor: int,
    most_listed: int,
    used: Int64Array,
    worth: Int64Array,
    loss: Int64Array,
) -> tuple[int, bool, int]:
    """Best pattern value above ``floor`` (or ``floor``), whether the search ended, and how much it listed.

    Parameters
    ----------
    price, reduced, most, amounts, room, root, shift
        As of `knapsack_search.search`, in any order of items.
    multiplier
        (r,): of one unit of each resource, times 2**shift.
    used, worth, loss
        (2, `MOST_LISTED`, r) and (2, `MOST_LISTED`): memory for the lists.
    """
    n_resources = room.shape[0]
    best = floor
    budget = root - ((best + 1) << shift)
    if budget < 0:
        return best, True, 0
    size = np.ones(2, dtype=np.int64)
    credit = np.zeros(2, dtype=np.int64)  # what items that belong to the pattern add to the relaxation
    used[:, 0] = 0
    worth[:, 0] = 0
    loss[:, 0] = 0
    length = 0
    for k in np.argsort(-np.abs(reduced)):  # dear departures first, while lists are short
        if most[k] == 0 or (reduced[k] <= 0 and -reduced[k] > budget):
            continue
        side = 0 if size[0] <= size[1] else 1
        if reduced[k] > 0:
            credit[side] += most[k] * reduced[k]
        listed, is_complete = _extend(
            price[k],
            reduced[k],
            most[k],
            amounts[k],
            room,
            budget,
            size[side],
            most_listed,
            used[side],
            worth[side],
            loss[side],
        )
        length += listed
        if not is_complete:
            return best, False, length
        if listed == 0:
            return best, True, length
        size[side] = listed

    level, left = -1, 0  # a resource of which a pattern leaves nothing
    for r in range(n_resources):
        left += int(multiplier[r] * room[r])
        if multiplier[r] > budget:
            level = r
    rising = np.argsort(worth[1, : size[1]])
    if level >= 0:
        rising = rising[np.argsort(used[1, : size[1], level][rising], kind="mergesort")]
    other_used = used[1][rising]
    other_worth = worth[1][rising]
    levels = other_used[:, max(level, 0)].copy()
    pairs = 0
    for at in range(size[0]):
        first, end = 0, size[1]
        if level >= 0:
            rest = room[level] - used[0, at, level]
            first = np.searchsorted(levels, rest)
            end = np.searchsorted(levels, rest + 1)
        allowed = left + credit[1]
        for r in range(n_resources):
            allowed -= int(multiplier[r] * used[0, at, r])
        allowed >>= shift
        position = first + np.searchsorted(other_worth[first:end], best + 1 - worth[0, at])
        began = position
        while position < end and other_worth[position] <= allowed:
            fits = worth[0, at] + other_worth[position] > best
            for r in range(n_resources):
                if used[0, at, r] + other_used[position, r] > room[r]:
                    fits = False
                    break
            if fits:
                best = worth[0, at] + other_worth[position]
            position += 1
        pairs += position - began
        if pairs > _MOST_PAIRS:
            return best, False, length + pairs // _PAIRS_PER_LISTED
    return best, True, length + size[0] + pairs // _PAIRS_PER_LISTED


@njit(cache=True, nogil=True)
def _extend(
    price: int,
    reduced: int,
    most: int,
    amounts: Int64Array,
    room: Int64Array,
    budget: int,
    size: int,
    most_listed: int,
    used: Int64Array,
    worth: Int64Array,
    loss: Int64Array,
) -> tuple[int, bool]:
    """Every partial pattern of a list with each count of one more item that loses no more than the budget.

    Returns the length of the list, and whether all of them found room in it.
    """
    n_resources = room.shape[0]
    own = np.empty(n_resources, dtype=np.int64)
    each = abs(reduced)
    end = size
    n_gone = 0
    for at in range(size):
        own_worth, own_loss = worth[at], loss[at]
        own[:] = used[at]
        is_kept = False
        departure = 0
        while departure <= most and own_loss + departure * each <= budget:
            count = most - departure if reduced > 0 else departure
            fits = True
            for r in range(n_resources):
                if own[r] + count * amounts[r] > room[r]:
                    fits = False
                    break
            if not fits and reduced <= 0:
                break
            if fits:
                to = end if is_kept else at
                if to == most_listed:
                    return end, False
                if is_kept:
                    end += 1
                is_kept = True
                worth[to] = own_worth + count * price
                loss[to] = own_loss + departure * each
                for r in range(n_resources):
                    used[to, r] = own[r] + count * amounts[r]
            departure += 1
        if not is_kept:
            loss[at] = -1
            n_gone += 1
    if n_gone > 0:
        kept = 0
        for at in range(end):
            if loss[at] >= 0:
                worth[kept], loss[kept] = worth[at], loss[at]
                used[kept] = used[at]
                kept += 1
        end = kept
    return end, True

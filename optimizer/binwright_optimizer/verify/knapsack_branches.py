"""Branch and bound of a knapsack with the relaxation solved anew in every branch, in steps.

Where items are few and large, multipliers that suit the empty node are poor once some are placed. Each
branch restricts the counts to ``low <= x <= high``. It is searched briefly at its own multipliers; if that
does not settle it and its relaxation is nearly tight, by two lists; and else it is split at a fractional
count of its relaxation. The branch that may be worth most comes first, so that a search can stop anywhere
with a good bound, and go on from there.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from binwright_optimizer.verify.knapsack_search import (
    BRIEF_SEARCH,
    SCREENING_STEPS,
    reduce_values,
    scale_bits,
    search,
)
from binwright_optimizer.verify.relaxation import (
    Float,
    Int64Array,
    descend,
    relaxed_value,
    solve_relaxation,
)
from binwright_optimizer.verify.two_lists import MOST_LISTED, search_two_lists

_MOST_OPEN = 16_384
"""Open branches kept."""
_NEARLY_TIGHT = 0.004
"""Share of the threshold, if it is not zero, by which the relaxation of a branch may exceed the best value
for two lists to be tried."""
_NARROWER = 0.8
"""Share of an excess that made the lists too long at which they are tried again. Nodes of eight GPUs of
samples of a real trace took 12 % longer with 0.6, and more than twice as long with lists half as long."""
_LATER = 0.9
"""A branch whose relaxation leaves less than this share of what its parent's left waits for its turn."""
_LISTED_NODES = 3
"""Search nodes that take as long as listing a partial pattern."""


class Branches(NamedTuple):
    """The open branches of one knapsack, of which only the first ``n_open[0]`` rows mean anything.

    Parameters
    ----------
    low, high
        (branch, item): counts it is restricted to.
    limit
        (branch,): no pattern of the branch is worth more.
    multipliers
        (branch, r): of the branch it was split from.
    n_open, best
        (1,): how many are open; the best value found, or the threshold.
    widest
        (1,): excess over the best value up to which two lists are tried.
    used, worth, loss
        Memory of the lists.
    """

    low: Int64Array
    high: Int64Array
    limit: Int64Array
    multipliers: Float
    n_open: Int64Array
    best: Int64Array
    widest: Float
    used: Int64Array
    worth: Int64Array
    loss: Int64Array


@njit(cache=True, nogil=True)
def open_branches(most: Int64Array, n_resources: int, threshold: int, root_bound: int) -> Branches:
    """The whole knapsack as the only branch."""
    n_items = most.shape[0]
    branches = Branches(
        np.empty((_MOST_OPEN, n_items), dtype=np.int64),
        np.empty((_MOST_OPEN, n_items), dtype=np.int64),
        np.empty(_MOST_OPEN, dtype=np.int64),
        np.empty((_MOST_OPEN, n_resources)),
        np.ones(1, dtype=np.int64),
        np.full(1, threshold, dtype=np.int64),
        np.full(1, _NEARLY_TIGHT * (threshold if threshold > 0 else root_bound)),
        np.empty((2, MOST_LISTED, n_resources), dtype=np.int64),
        np.empty((2, MOST_LISTED), dtype=np.int64),
        np.empty((2, MOST_LISTED), dtype=np.int64),
    )
    branches.low[0] = 0
    branches.high[0] = most
    branches.limit[0] = root_bound
    branches.multipliers[0] = 0.0
    return branches


@njit(cache=True, nogil=True)
def branch(
    price: Int64Array,
    amounts: Int64Array,
    share: Float,
    room: Int64Array,
    branches: Branches,
    node_limit: int,
) -> tuple[int, bool, int]:
    """Search for so many nodes, or a little longer.

    Returns an upper bound on the best value above the threshold (or the threshold), whether it is that
    value, and the search nodes that it took: none if there are too many open branches to go on.
    """
    low, high, limit, inherited = branches.low, branches.high, branches.limit, branches.multipliers
    n_items = price.shape[0]
    n_resources = room.shape[0]
    most_listed = min(MOST_LISTED, node_limit // (2 * _LISTED_NODES))
    n_open = branches.n_open[0]
    best = branches.best[0]
    left = np.empty(n_resources, dtype=np.int64)
    multiplier = np.empty(n_resources, dtype=np.int64)
    free = np.empty(n_resources)
    mu = np.empty(n_resources)
    slope = np.empty(n_resources)
    where = np.empty(n_items, dtype=np.int64)
    kept = np.empty(n_items, dtype=np.int64)
    nodes = 0
    while n_open > 0:
        widest = np.argmax(limit[:n_open])
        if limit[widest] <= best:
            break
        if nodes > node_limit or n_open == _MOST_OPEN:
            branches.n_open[0] = n_open
            branches.best[0] = best
            return int(limit[widest]), False, nodes
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
            root = reduce_values(
                local_price, local_most, local_amounts, left, room, mu, shift, multiplier, reduced
            )
            if root < (best - base + 1) << shift:
                continue
        solve_relaxation(value, local_most, local_share, free, mu, counts)
        relaxed = relaxed_value(value, local_most, local_share, free, mu, slope)
        shift = scale_bits(total, relaxed, n_resources)
        root = reduce_values(
            local_price, local_most, local_amounts, left, room, mu, shift, multiplier, reduced
        )
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
        excess = (root >> shift) - (best - base)
        if n_open > 0 and bound - best < _LATER * (limit[at] - best) and bound < limit[:n_open].max():
            limit[at] = bound  # others may be worth more: they come first
            inherited[at] = mu
            n_open += 1
            continue
        if excess <= branches.widest[0] and most_listed > 0:
            found, is_complete, visited = search_two_lists(
                local_price,
                reduced,
                local_most,
                local_amounts,
                left,
                multiplier,
                root,
                shift,
                best - base,
                most_listed,
                branches.used,
                branches.worth,
                branches.loss,
            )
            nodes += _LISTED_NODES * visited
            best = max(best, base + found)
            if is_complete:
                continue
            branches.widest[0] = _NARROWER * excess
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
    branches.n_open[0] = 0
    branches.best[0] = best
    return int(best), True, nodes

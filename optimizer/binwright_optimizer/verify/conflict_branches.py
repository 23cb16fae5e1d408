"""The knapsack of a large node where some pairs of classes share no node: branching on who is there.

Where a node holds many pods of many classes and few of them are in conflict, the order of `conflict_search`
is poor. Here the knapsack is relaxed without conflicts, and one class that the relaxation places beside
others in conflict with it is looked at: it is not there, or none of those others is.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.verify.conflict_search import RELAXED, Bool
from binwright_optimizer.verify.knapsack_branches import branch, open_branches
from binwright_optimizer.verify.knapsack_search import (
    BRIEF_SEARCH,
    reduce_values,
    scale_bits,
    search,
)
from binwright_optimizer.verify.relaxation import Float, Int64Array, relaxed_value, solve_relaxation


@njit(cache=True, nogil=True)
def branch_apart(
    price: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    share: Float,
    room: Int64Array,
    apart: Bool,
    threshold: int,
    known: int,
    node_limit: int,
) -> tuple[int, bool, int]:
    """Upper bound on what the pods of one node are worth, at most ``threshold`` if they are not worth more.

    Parameters and results are those of `conflict_search.best_apart`, and ``known`` is a bound without
    conflicts.
    """
    n_items = price.shape[0]
    depth = n_items + 2  # of a branch either way one class less is in question
    is_there = np.ones((depth, n_items), dtype=np.bool_)
    limit = np.empty(depth, dtype=np.int64)
    limit[0] = known
    n_open = 1
    best = threshold
    nodes = 0
    while n_open > 0:
        n_open -= 1
        if limit[n_open] <= best:
            continue
        if nodes >= node_limit:
            return int(max(best, limit[: n_open + 1].max())), False, nodes
        there = is_there[n_open].copy()
        chosen = np.flatnonzero(there)
        counts, upper, taken = _relaxed_among(price, most, amounts, share, room, chosen, best)
        upper = min(upper, limit[n_open])
        nodes += taken + len(chosen) ** 2 // 8  # to find out who is in conflict
        if upper <= best:
            continue
        k, is_free = _most_in_conflict(price, most, counts, chosen, apart)
        if is_free and not room.shape[0]:  # everything there fits
            best = upper
            continue
        if is_free:  # nobody there is in conflict with anybody
            branches = open_branches(most[chosen], room.shape[0], best, upper)
            value, is_over, taken = branch(
                price[chosen],
                amounts[chosen],
                share[chosen],
                room,
                branches,
                max(BRIEF_SEARCH, node_limit - nodes),
            )
            nodes += taken
            if not is_over:
                return int(max(value, best, limit[:n_open].max() if n_open else 0)), False, nodes
            best = max(best, value)
            continue
        for is_with in (False, True):
            is_there[n_open] = there
            if is_with:
                for other in chosen:
                    is_there[n_open, other] &= not apart[k, other]
            else:
                is_there[n_open, k] = False
            limit[n_open] = upper
            n_open += 1
    return int(best), True, nodes


@njit(cache=True, nogil=True)
def _relaxed_among(
    price: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    share: Float,
    room: Int64Array,
    chosen: Int64Array,
    best: int,
) -> tuple[Float, int, int]:
    """Counts of the relaxation, a bound on what these items are worth, and the search nodes that it took.

    The bound is that of a brief search if it ends, and else of the relaxation; or ``best``.
    """
    n, n_resources = chosen.shape[0], room.shape[0]
    value = price[chosen].astype(np.float64)
    at_most = most[chosen]
    counts = at_most.astype(np.float64)
    total = 0
    for k in range(n):
        total += int(at_most[k] * price[chosen[k]])
    if n_resources == 0 or total <= best:
        return counts, total, n
    relaxing = max(BRIEF_SEARCH, RELAXED * n)
    mu, free = np.zeros(n_resources), np.ones(n_resources)
    solve_relaxation(value, at_most, share[chosen], free, mu, counts)
    relaxed = relaxed_value(value, at_most, share[chosen], free, mu, np.empty(n_resources))
    shift = scale_bits(total, relaxed, n_resources)
    reduced = np.empty(n, dtype=np.int64)
    multiplier = np.empty(n_resources, dtype=np.int64)
    root = reduce_values(price[chosen], at_most, amounts[chosen], room, room, mu, shift, multiplier, reduced)
    if root < (best + 1) << shift:
        return counts, best, relaxing
    order = np.argsort(-reduced)
    found, is_complete, taken = search(
        price[chosen][order],
        reduced[order],
        at_most[order],
        amounts[chosen][order],
        room,
        root,
        shift,
        best,
        BRIEF_SEARCH,
    )
    return counts, found if is_complete else min(total, root >> shift), relaxing + taken


@njit(cache=True, nogil=True)
def _most_in_conflict(
    price: Int64Array, most: Int64Array, counts: Float, chosen: Int64Array, apart: Bool
) -> tuple[int, bool]:
    """The item of those chosen to branch on, and whether none of them is in conflict with another.

    Of what the relaxation places of it and of those in conflict with it, the lesser is worth most; where it
    places no two in conflict, what may be placed counts.
    """
    best, first = -1.0, -1
    for is_placed in (True, False):
        for a in range(chosen.shape[0]):
            mine = float(price[chosen[a]]) * (counts[a] if is_placed else most[chosen[a]])
            others = 0.0
            has_others = False
            for b in range(chosen.shape[0]):
                if apart[chosen[a], chosen[b]]:
                    has_others = True
                    others += float(price[chosen[b]]) * (counts[b] if is_placed else most[chosen[b]])
            if has_others and (min(mine, others) > 0.0 or not is_placed) and min(mine, others) > best:
                best, first = min(mine, others), chosen[a]
        if first >= 0:
            return first, False
    return -1, True

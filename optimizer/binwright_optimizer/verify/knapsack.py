"""The most that one node's pods can be worth: an exact bounded vector knapsack.

For dual prices ``p_i`` of pod classes ``i``, requests ``a_ir``, counts bounded by demand
``d_i`` and a node with room ``C_r``, the kernel bounds

    U = max { sum_i p_i x_i : sum_i a_ir x_i <= C_r for all r, 0 <= x_i <= d_i integer }.

Only whether U exceeds a threshold T matters (T is what the node costs), so the search is cut
wherever it cannot. Relaxing the resources with multipliers ``lambda >= 0`` gives, for a partial
choice of the counts of the items before ``k``,

    U <= lambda.C + sum_{j<k} x_j (p_j - lambda.a_j) + sum_{j>=k} u_j max(0, p_j - lambda.a_j),

where ``u_j`` is the largest count of item ``j`` alone. The inequality holds for *every*
``lambda >= 0``. So the multipliers are looked for in floats (`relaxation`), rounded to integers,
and everything that a proof rests on is then computed in int64.

Items are searched by falling reduced value ``p_j - lambda.a_j``: first those that belong to the
pattern, tried from their largest count down; then those that do not, tried from zero up. In both
orders the bound falls along the siblings, so the first one cut cuts the rest.

Overflow: callers keep ``sum_i d_i p_i`` and T below 2**`VALUE_BITS` and amounts below 2**53.
Multipliers and values are scaled by 2**shift, chosen per node such that every sum stays below
2**62.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from binwright_optimizer.verify.relaxation import (
    Float,
    Int64Array,
    descend,
    relaxed_value,
    solve_relaxation,
)

VALUE_BITS = 59
"""Total value and thresholds must stay below 2**59 (see the module's note on overflow)."""

_ROOM_BITS = 28
"""Rooms of more bits are counted in larger units, or rounded multipliers would lose too much: what fits
together in exact amounts does so in amounts that are all rounded down."""
_MAX_SHIFT = 24
_SUM_LIMIT = float(2**61)

_SCREENING_STEPS = 6
_BRIEF_SEARCH = 1_000
"""Search nodes spent on one branch at fixed multipliers: about as long as its relaxation takes."""
_MOST_OPEN = 256
"""Open branches kept; each split halves the range of one count, so this is seldom reached."""


@njit(cache=True, nogil=True)
def _collect(
    prices: Int64Array,
    demand: Int64Array,
    requests: Int64Array,
    admitted: NDArray[np.bool_],
    room: Int64Array,
    item: Int64Array,
    most: Int64Array,
) -> int:
    """Number of classes worth placing; writes their indices and largest counts."""
    n_items = 0
    for i in range(prices.shape[0]):
        if prices[i] <= 0 or demand[i] <= 0 or not admitted[i]:
            continue
        count = demand[i]
        for r in range(room.shape[0]):
            amount = requests[i, r]
            if amount > 0:
                if amount > room[r]:
                    count = 0
                    break
                count = min(count, room[r] // amount)
        if count > 0:
            item[n_items] = i
            most[n_items] = count
            n_items += 1
    return n_items


@njit(cache=True, nogil=True)
def _search(
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
def _scale(total: int, relaxed: float, n_resources: int) -> int:
    """Most bits of scale at which no sum over items and resources can reach 2**62."""
    shift = _MAX_SHIFT
    while shift > 0 and (total + (n_resources + 1.0) * relaxed) * 2.0**shift >= _SUM_LIMIT:
        shift -= 1
    return shift


@njit(cache=True, nogil=True)
def _reduce(
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
def _branch(
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
    multipliers, and if that does not settle it is split at a fractional count of its relaxation.

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
    nodes = 0
    while n_open > 0:
        n_open -= 1
        at = n_open
        if limit[at] <= best:
            continue
        if nodes > node_limit or n_open + 2 > _MOST_OPEN:
            for other in range(n_open + 1):
                best = max(best, limit[other])
            return best, False
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
        relaxed = descend(value, local_most, local_share, free, target, _SCREENING_STEPS, mu)
        if relaxed <= target:
            shift = _scale(total, relaxed, n_resources)
            root = _reduce(local_price, local_most, local_amounts, left, room, mu, shift, reduced)
            if root < (best - base + 1) << shift:
                continue
        solve_relaxation(value, local_most, local_share, free, mu, counts)
        relaxed = relaxed_value(value, local_most, local_share, free, mu, slope)
        shift = _scale(total, relaxed, n_resources)
        root = _reduce(local_price, local_most, local_amounts, left, room, mu, shift, reduced)
        nodes += 20 * n_local  # about what the relaxation costs, in search nodes
        if root < (best - base + 1) << shift:
            continue
        bound = min(limit[at], base + min(total, root >> shift))
        order = np.argsort(-reduced)
        found, is_complete, visited = _search(
            local_price[order],
            reduced[order],
            local_most[order],
            local_amounts[order],
            left,
            root,
            shift,
            best - base,
            _BRIEF_SEARCH,
        )
        nodes += visited
        best = max(best, base + found)
        if is_complete:
            continue
        split = 0
        farthest = -1.0
        for k in range(n_local):
            fraction = counts[k] - np.floor(counts[k])
            distance = min(fraction, 1.0 - fraction)
            if distance > farthest:
                farthest = distance
                split = k
        item = chosen[split]
        middle = low[at, item] + min(int(counts[split]), local_most[split] - 1)
        low[at + 1] = low[at]
        high[at + 1] = high[at]
        high[at, item] = middle
        low[at + 1, item] = middle + 1  # searched first: fuller nodes are worth more
        limit[at] = bound
        limit[at + 1] = bound
        inherited[at] = mu
        inherited[at + 1] = mu
        n_open += 2
    return best, True


@njit(cache=True, nogil=True)
def _bound_one(
    prices: Int64Array,
    demand: Int64Array,
    requests: Int64Array,
    admitted: NDArray[np.bool_],
    room: Int64Array,
    threshold: int,
    node_limit: int,
    item: Int64Array,
    most: Int64Array,
    start: Float,
) -> tuple[int, bool]:
    """Valid upper bound on U, at most ``threshold`` if U is shown to be; and whether it is final.

    ``start`` holds multipliers per unit of threshold from a node before; updated.
    """
    n_resources = room.shape[0]
    n_items = _collect(prices, demand, requests, admitted, room, item, most)
    chosen = item[:n_items]
    at_most = most[:n_items].copy()
    price = prices[chosen]
    total = 0
    for k in range(n_items):
        total += int(at_most[k] * price[k])
    if total <= threshold:
        return total, True
    amounts = requests[chosen]
    room = room.copy()
    for r in range(n_resources):
        coarser = 0
        while room[r] >> coarser >= 1 << _ROOM_BITS:
            coarser += 1
        if coarser > 0:
            room[r] >>= coarser
            for k in range(n_items):
                amounts[k, r] >>= coarser
    share = np.zeros((n_items, n_resources))
    for k in range(n_items):
        for r in range(n_resources):
            if room[r] > 0:
                share[k, r] = amounts[k, r] / room[r]
    value = price.astype(np.float64)
    free = np.ones(n_resources)
    size = float(max(threshold, 1))
    mu = start * size
    relaxed = descend(value, at_most, share, free, float(threshold), _SCREENING_STEPS, mu)
    if relaxed > threshold:
        solve_relaxation(value, at_most, share, free, mu, np.empty(n_items))
        relaxed = relaxed_value(value, at_most, share, free, mu, np.empty(n_resources))
    if threshold > 0:
        start[:] = mu / size

    shift = _scale(total, relaxed, n_resources)
    reduced = np.empty(n_items, dtype=np.int64)
    root = _reduce(price, at_most, amounts, room, room, mu, shift, reduced)
    if root < (threshold + 1) << shift:
        return threshold, True
    bound = min(total, root >> shift)
    if node_limit <= 0:
        return bound, False
    order = np.argsort(-reduced)
    best, is_complete, _ = _search(
        price[order],
        reduced[order],
        at_most[order],
        amounts[order],
        room,
        root,
        shift,
        threshold,
        min(node_limit, _BRIEF_SEARCH),
    )
    if is_complete:
        return best, True
    if node_limit <= _BRIEF_SEARCH:
        return bound, False
    return _branch(price, at_most, amounts, share, room, threshold, bound, node_limit)


@njit(cache=True, nogil=True)
def bound_pattern_values(
    prices: Int64Array,
    demand: Int64Array,
    requests: Int64Array,
    rooms: Int64Array,
    admits: NDArray[np.bool_],
    row_of: Int64Array,
    thresholds: Int64Array,
    which: Int64Array,
    node_limit: int,
    start: Float,
    bounds: Int64Array,
    is_final: NDArray[np.bool_],
) -> None:
    """Upper bounds on the value of any pattern, for the nodes ``which``.

    Parameters
    ----------
    prices, demand
        Of pod classes, (i,). Values and thresholds obey `VALUE_BITS`.
    requests
        (i, r), at least zero.
    rooms
        (node, r).
    admits
        (row, i): whether nodes of this kind admit the class; ``row_of`` (node,) picks the row.
    thresholds
        (node,): values up to this need not be told apart.
    which
        Indices of the nodes to look at.
    node_limit
        Most search nodes per knapsack; 0 stops at the relaxation.
    start
        (r,): multipliers to start from, updated along the way.
    bounds, is_final
        (node,), written for ``which``: a bound, and whether more search could not improve it
        (it is exact, or not above the threshold).
    """
    item = np.empty(prices.shape[0], dtype=np.int64)
    most = np.empty(prices.shape[0], dtype=np.int64)
    for position in range(which.shape[0]):
        node = which[position]
        bounds[node], is_final[node] = _bound_one(
            prices,
            demand,
            requests,
            admits[row_of[node]],
            rooms[node],
            int(thresholds[node]),
            node_limit,
            item,
            most,
            start,
        )


@njit(cache=True, nogil=True)
def undominated(
    rooms: Int64Array,
    thresholds: Int64Array,
    row_of: Int64Array,
    is_subset: NDArray[np.bool_],
    order: Int64Array,
    can_dominate: NDArray[np.bool_],
) -> Int64Array:
    """Nodes that no other matches: no more dear, no smaller, admitting no fewer classes.

    A bound that holds for the other node then holds for this one. ``order`` sorts by
    threshold; ``is_subset[a, b]`` tells whether row ``a`` admits only classes that ``b`` does.
    """
    kept = np.empty(order.shape[0], dtype=np.int64)
    n_kept = 0
    for node in order:
        is_dominated = False
        for position in range(n_kept):
            other = kept[position]
            if not can_dominate[other] or not is_subset[row_of[node], row_of[other]]:
                continue
            is_larger = True
            for r in range(rooms.shape[1]):
                if rooms[other, r] < rooms[node, r]:
                    is_larger = False
                    break
            if is_larger and thresholds[other] <= thresholds[node]:
                is_dominated = True
                break
        if not is_dominated:
            kept[n_kept] = node
            n_kept += 1
    return kept[:n_kept]

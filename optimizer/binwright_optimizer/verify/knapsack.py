"""The most that one node's pods can be worth: an exact bounded vector knapsack.

For dual prices ``p_i`` of pod classes ``i``, requests ``a_ir``, counts bounded by demand
``d_i`` and a node with room ``C_r``, the kernel bounds

    U = max { sum_i p_i x_i : sum_i a_ir x_i <= C_r for all r, 0 <= x_i <= d_i integer }.

Only whether U exceeds a threshold T matters (T is what the node costs), so the search is cut
wherever it cannot. Relaxing the resources with multipliers ``lambda >= 0`` gives, for a partial
choice of the counts of the items before ``k``,

    U <= lambda.C + sum_{j<k} x_j (p_j - lambda.a_j) + sum_{j>=k} u_j max(0, p_j - lambda.a_j),

where ``u_j`` is the largest count of item ``j`` alone. The inequality holds for *every*
``lambda >= 0``. So the multipliers are looked for in floats (Polyak's subgradient steps towards
T), rounded to integers, and everything that a proof rests on is then computed in int64.

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

VALUE_BITS = 59
"""Total value and thresholds must stay below 2**59 (see the module's note on overflow)."""

_MAX_SHIFT = 24
_SUM_LIMIT = float(2**61)
_FIRST_STEPS = 24
_LATER_STEPS = 48

Int64Array = NDArray[np.int64]


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
def _relaxed_value(
    value: NDArray[np.float64],
    most: Int64Array,
    share: NDArray[np.float64],
    n_items: int,
    mu: NDArray[np.float64],
    slope: NDArray[np.float64],
) -> float:
    """Float value of the Lagrangian relaxation at ``mu``; writes a subgradient to ``slope``."""
    n_resources = mu.shape[0]
    total = 0.0
    for r in range(n_resources):
        total += mu[r]
        slope[r] = 1.0
    for k in range(n_items):
        reduced = value[k]
        for r in range(n_resources):
            reduced -= share[k, r] * mu[r]
        if reduced > 0.0:
            total += most[k] * reduced
            for r in range(n_resources):
                slope[r] -= most[k] * share[k, r]
    return total


@njit(cache=True, nogil=True)
def _descend(
    value: NDArray[np.float64],
    most: Int64Array,
    share: NDArray[np.float64],
    n_items: int,
    target: float,
    n_steps: int,
    mu: NDArray[np.float64],
    best_mu: NDArray[np.float64],
) -> float:
    """Polyak steps from ``mu`` towards ``target``; the best value, with its ``best_mu``.

    Stops as soon as the relaxation is at most ``target``.
    """
    n_resources = mu.shape[0]
    slope = np.empty(n_resources)
    best = np.inf
    relaxation = 1.0
    since_best = 0
    for _ in range(n_steps):
        now = _relaxed_value(value, most, share, n_items, mu, slope)
        if now < best:
            best = now
            since_best = 0
            for r in range(n_resources):
                best_mu[r] = mu[r]
            if best <= target:
                break
        else:
            since_best += 1
            if since_best >= 4:
                relaxation *= 0.5
                since_best = 0
                for r in range(n_resources):
                    mu[r] = best_mu[r]
                now = _relaxed_value(value, most, share, n_items, mu, slope)
        norm = 0.0
        for r in range(n_resources):
            if mu[r] <= 0.0 and slope[r] > 0.0:
                slope[r] = 0.0  # the step would leave the orthant
            norm += slope[r] * slope[r]
        if norm < 1e-24:
            break
        step = relaxation * (now - target) / norm
        for r in range(n_resources):
            mu[r] = max(0.0, mu[r] - step * slope[r])
    return best


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
) -> tuple[int, bool]:
    """Best pattern value above ``floor`` (or ``floor``), and whether the search was complete.

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
                return best, False
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
    start: NDArray[np.float64],
) -> tuple[int, bool]:
    """Valid upper bound on U, at most ``threshold`` if U is shown to be; and whether it is final.

    ``start`` holds multipliers per unit of threshold from a node before; updated.
    """
    n_resources = room.shape[0]
    n_items = _collect(prices, demand, requests, admitted, room, item, most)
    total = 0
    for k in range(n_items):
        total += int(most[k] * prices[item[k]])
    if total <= threshold:
        return total, True
    value = np.empty(n_items)
    share = np.zeros((n_items, n_resources))
    for k in range(n_items):
        value[k] = prices[item[k]]
        for r in range(n_resources):
            if room[r] > 0:
                share[k, r] = requests[item[k], r] / room[r]
    mu = np.empty(n_resources)
    best_mu = np.zeros(n_resources)
    size = float(max(threshold, 1))
    if threshold == 0:
        for k in range(n_items):
            size = max(size, value[k] * most[k])
    for r in range(n_resources):
        mu[r] = start[r] * size
    relaxed = _descend(value, most, share, n_items, float(threshold), _FIRST_STEPS, mu, best_mu)
    if relaxed > threshold:
        # A greedy pattern tells how far down the relaxation can go at all.
        order = np.empty(n_items)
        for k in range(n_items):
            weight = 1e-300
            for r in range(n_resources):
                weight += share[k, r] * best_mu[r]
            order[k] = -value[k] / weight
        room_left = room.copy()
        greedy = 0
        for k in np.argsort(order):
            fit = most[k]
            for r in range(n_resources):
                amount = requests[item[k], r]
                if amount > 0:
                    fit = min(fit, room_left[r] // amount)
            greedy += int(fit * prices[item[k]])
            for r in range(n_resources):
                room_left[r] -= fit * requests[item[k], r]
        target = float(max(threshold, greedy))
        for r in range(n_resources):
            mu[r] = best_mu[r]
        kept = best_mu.copy()
        again = _descend(value, most, share, n_items, target, _LATER_STEPS, mu, best_mu)
        if again <= relaxed:
            relaxed = again
        else:
            best_mu[:] = kept
    for r in range(n_resources):
        start[r] = best_mu[r] / size

    shift = _MAX_SHIFT
    while shift > 0 and (total + (n_resources + 1.0) * relaxed) * 2.0**shift >= _SUM_LIMIT:
        shift -= 1
    multiplier = np.zeros(n_resources, dtype=np.int64)
    root = 0
    for r in range(n_resources):
        if room[r] > 0:
            multiplier[r] = np.int64(best_mu[r] / room[r] * 2.0**shift)
            root += int(multiplier[r] * room[r])
    reduced = np.empty(n_items, dtype=np.int64)
    for k in range(n_items):
        reduced[k] = prices[item[k]] << shift
        for r in range(n_resources):
            reduced[k] -= multiplier[r] * requests[item[k], r]
        if reduced[k] > 0:
            root += int(most[k] * reduced[k])
    if root < (threshold + 1) << shift:
        return threshold, True
    if node_limit <= 0:
        return min(total, root >> shift), False
    order_of = np.argsort(-reduced)
    sorted_price = np.empty(n_items, dtype=np.int64)
    sorted_reduced = np.empty(n_items, dtype=np.int64)
    sorted_most = np.empty(n_items, dtype=np.int64)
    sorted_amounts = np.empty((n_items, n_resources), dtype=np.int64)
    for position in range(n_items):
        k = order_of[position]
        sorted_price[position] = prices[item[k]]
        sorted_reduced[position] = reduced[k]
        sorted_most[position] = most[k]
        for r in range(n_resources):
            sorted_amounts[position, r] = requests[item[k], r]
    best, is_complete = _search(
        sorted_price,
        sorted_reduced,
        sorted_most,
        sorted_amounts,
        room,
        root,
        shift,
        threshold,
        node_limit,
    )
    if is_complete:
        return best, True
    return min(total, root >> shift), False


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
    start: NDArray[np.float64],
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

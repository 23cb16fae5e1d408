"""The knapsack of `knapsack` where some pairs of classes share no node, searched exactly in int64.

The largest pod of a node comes first: for each class and count of it, the rest is a knapsack of smaller pods,
none in conflict with it, with multipliers of its own. Classes that are all in conflict with each other make a
*clique*, of which a node holds pods of one class. So with multipliers ``lambda >= 0`` and the classes of the
rest parted into cliques ``Q``, what may still join is worth at most

    lambda.C + sum_Q max_{j in Q} u_j max(0, p_j - lambda.a_j),

the relaxation of a knapsack and the weighted colouring bound of a stable set in one (E. Balas and J. Xue,
Weighted and unweighted maximum clique algorithms with upper bounds from fractional coloring, 1996,
doi:10.1007/BF01955041). The search adds one class after the other, in the order of the cliques, and bounds
what follows by those that are in conflict with none chosen and that still fit.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from binwright_optimizer.verify.knapsack_search import reduce_values, scale_bits
from binwright_optimizer.verify.relaxation import Float, Int64Array, solve_relaxation

_VISIT, RELAXED = 2, 10
"""Search nodes that take as long as looking at a class once, and as relaxing a knapsack, for each class."""

Bool = NDArray[np.bool_]


@njit(cache=True, nogil=True)
def best_apart(
    price: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    share: Float,
    room: Int64Array,
    apart: Bool,
    threshold: int,
    node_limit: int,
) -> tuple[int, bool, int]:
    """Upper bound on what the pods of one node are worth, at most ``threshold`` if they are not worth more.

    Parameters
    ----------
    price, most, amounts, share, room
        Items of a knapsack as `knapsack` makes them: (k,), (k,), (k, r), (k, r) and (r,).
    apart
        (k, k): pairs of which a node holds one at most; False on the diagonal.
    threshold
        Values up to this need not be told apart.
    node_limit
        Search nodes after which the search ends: what is left is then bounded by one relaxation.

    Returns
    -------
    The bound, whether more search could not improve it, and the search nodes that it took.
    """
    n_items, n_resources = amounts.shape
    size = np.zeros(n_items)
    for k in range(n_items):
        for r in range(n_resources):
            size[k] = max(size[k], share[k, r])
    order = np.argsort(-size)
    best, upper, nodes = threshold, threshold, 0
    is_complete = True
    smaller = np.empty(n_items, dtype=np.int64)
    fit = np.empty(n_items, dtype=np.int64)
    for at in range(n_items):
        k = order[at]
        for count in range(_fit(k, most, amounts, room), 0, -1):
            if nodes >= node_limit:
                left_over = order[at:]
                _, limit, is_over, taken = _best_of_rest(
                    price[left_over],
                    most[left_over],
                    amounts[left_over],
                    share[left_over],
                    room,
                    room,
                    apart[left_over][:, left_over],
                    best,
                    0,
                )
                return max(best, upper, limit), is_complete and is_over, nodes + taken
            left = room - count * amounts[k]
            n_smaller = 0
            for other in order[at + 1 :]:
                fit[n_smaller] = _fit(other, most, amounts, left)
                if not apart[k, other] and fit[n_smaller] > 0:
                    smaller[n_smaller] = other
                    n_smaller += 1
            rest = smaller[:n_smaller]
            worth = int(count * price[k])
            found, limit, is_over, taken = _best_of_rest(
                price[rest],
                fit[:n_smaller].copy(),
                amounts[rest],
                share[rest],
                left,
                room,
                apart[rest][:, rest],
                max(best - worth, -1),  # the rest is worth nothing at least, and sums stay small
                node_limit - nodes,
            )
            nodes += taken
            best = max(best, worth + found)
            if not is_over:
                is_complete = False
                upper = max(upper, worth + limit)
    return max(best, upper), is_complete, nodes


@njit(cache=True, nogil=True)
def _best_of_rest(
    price: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    share: Float,
    left: Int64Array,
    room: Int64Array,
    apart: Bool,
    floor: int,
    node_limit: int,
) -> tuple[int, int, bool, int]:
    """Best value in what is left above ``floor`` (or that); a bound; whether the search ended; its length."""
    n_items, n_resources = amounts.shape
    total = 0
    for k in range(n_items):
        total += int(most[k] * price[k])
    if total <= floor or n_items == 0:
        return max(total, floor), max(total, floor), True, n_items
    free = np.zeros(n_resources)
    for r in range(n_resources):
        if room[r] > 0:
            free[r] = left[r] / room[r]
    mu = np.zeros(n_resources)
    value = price.astype(np.float64)
    solve_relaxation(value, most, share, free, mu, np.empty(n_items))
    shift = scale_bits(total, max(float(total), (mu * free).sum()), n_resources)
    reduced = np.empty(n_items, dtype=np.int64)
    multiplier = np.empty(n_resources, dtype=np.int64)
    root = reduce_values(price, most, amounts, left, room, mu, shift, multiplier, reduced)
    if root < (floor + 1) << shift:
        return floor, floor, True, RELAXED * n_items
    if node_limit <= 0:
        return floor, root >> shift, False, RELAXED * n_items
    base = root
    for k in range(n_items):
        if reduced[k] > 0:
            base -= int(most[k] * reduced[k])
    clique = _cliques(np.argsort(-value * most), apart)
    order = _search_order(most, reduced, clique)
    best, root, is_complete, seen = _search(
        price[order],
        most[order],
        amounts[order],
        reduced[order],
        clique[order],
        apart[order][:, order],
        left,
        base,
        shift,
        floor,
        node_limit // _VISIT,
    )
    return best, root >> shift, is_complete, RELAXED * n_items + _VISIT * seen


@njit(cache=True, nogil=True)
def _cliques(order: Int64Array, apart: Bool) -> Int64Array:
    """The clique of each item, each in the first that it is in conflict with as a whole."""
    n = order.shape[0]
    clique = np.full(n, -1, dtype=np.int64)
    n_cliques = 0
    for at in range(n):
        k = order[at]
        is_free = np.ones(n_cliques, dtype=np.bool_)
        for before in range(at):
            other = order[before]
            if not apart[k, other]:
                is_free[clique[other]] = False
        for q in range(n_cliques):
            if is_free[q]:
                clique[k] = q
                break
        if clique[k] < 0:
            clique[k] = n_cliques
            n_cliques += 1
    return clique


@njit(cache=True, nogil=True)
def _search_order(most: Int64Array, reduced: Int64Array, clique: Int64Array) -> Int64Array:
    """Items by cliques, those of the best item first, and in each from the best item on."""
    n = most.shape[0]
    own = np.empty(n)
    best = np.full(n, -np.inf)
    for k in range(n):
        own[k] = float(reduced[k]) * most[k]
        best[clique[k]] = max(best[clique[k]], own[k])
    order = np.argsort(-own)
    order = order[np.argsort(clique[order], kind="mergesort")]
    return order[np.argsort(-best[clique[order]], kind="mergesort")]


@njit(cache=True, nogil=True)
def _fit(k: int, most: Int64Array, amounts: Int64Array, left: Int64Array) -> int:
    """Pods of an item that still fit."""
    fit = most[k]
    for r in range(left.shape[0]):
        if amounts[k, r] > 0:
            fit = min(fit, left[r] // amounts[k, r])
    return int(fit)


@njit(cache=True, nogil=True)
def _search(
    price: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    reduced: Int64Array,
    clique: Int64Array,
    apart: Bool,
    room: Int64Array,
    base: int,
    shift: int,
    floor: int,
    node_limit: int,
) -> tuple[int, int, bool, int]:
    """Best value above ``floor`` (or ``floor``), the relaxation, whether the search ended, and its length.

    Arrays are in search order. ``base`` (what the room is worth at the multipliers), ``reduced`` and the
    relaxation are scaled by 2**shift.
    """
    n, n_resources = amounts.shape
    joining = np.empty((n + 1, n), dtype=np.int32)  # items that may still join, in order
    n_joining = np.zeros(n + 1, dtype=np.int64)
    after = np.empty((n + 1, n + 1), dtype=np.int64)  # what those from here on are worth at most
    at = np.zeros(n + 1, dtype=np.int64)
    count = np.zeros(n + 1, dtype=np.int64)
    left = np.empty((n + 1, n_resources), dtype=np.int64)
    worth = np.zeros(n + 1, dtype=np.int64)
    bound = np.empty(n + 1, dtype=np.int64)
    left[0] = room
    bound[0] = base
    for k in range(n):
        joining[0, k] = k
    n_joining[0] = n
    best = floor
    need = (best + 1) << shift
    root = base
    seen = 0
    depth = 0
    is_entering = True
    while depth >= 0:
        if is_entering:
            seen += 1 + n_joining[depth]
            if seen > node_limit and depth > 0:
                return best, root, False, seen
            if worth[depth] > best:
                best = worth[depth]
                need = (best + 1) << shift
            later, top, current = 0, 0, -1
            after[depth, n_joining[depth]] = 0
            for position in range(n_joining[depth] - 1, -1, -1):
                k = joining[depth, position]
                if clique[k] != current:
                    later += top
                    top = 0
                    current = clique[k]
                top = max(top, max(0, reduced[k]) * _fit(k, most, amounts, left[depth]))
                after[depth, position] = later + top
            if depth == 0:
                root = base + after[0, 0]
            at[depth] = 0
            count[depth] = 0
            is_entering = False
        here = at[depth]
        if here >= n_joining[depth] or bound[depth] + after[depth, here] < need:
            depth -= 1  # whatever joins from here on is not enough
            continue
        k = joining[depth, here]
        if count[depth] == 0:
            count[depth] = _fit(k, most, amounts, left[depth])
        else:
            count[depth] -= 1
        if count[depth] == 0:
            at[depth] += 1
            continue
        child = bound[depth] + count[depth] * reduced[k]
        if child + after[depth, here + 1] < need:
            if reduced[k] >= 0:  # fewer of them are worth less
                count[depth] = 0
                at[depth] += 1
            continue
        for r in range(n_resources):
            left[depth + 1, r] = left[depth, r] - count[depth] * amounts[k, r]
        worth[depth + 1] = worth[depth] + count[depth] * price[k]
        bound[depth + 1] = child
        n_next = 0
        for position in range(here + 1, n_joining[depth]):
            other = joining[depth, position]
            if not apart[k, other] and _fit(other, most, amounts, left[depth + 1]) > 0:
                joining[depth + 1, n_next] = other
                n_next += 1
        n_joining[depth + 1] = n_next
        depth += 1
        is_entering = True
    return best, root, True, seen

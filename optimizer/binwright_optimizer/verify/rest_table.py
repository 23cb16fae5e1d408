"""Exact search of a knapsack that looks up what the items not yet counted are worth at most.

Few GPUs and CPU in hundreds of millicores are resources of few *levels*: a table over the levels left tells
exactly what the rest of the items may add, but for one resource of many levels, memory as a rule, which stays
with its multiplier. For the items from ``k`` on, with ``l`` levels left,

    R_k(l) = max { sum_(j>=k) x_j (p_j - lambda.m_j) : sum_(j>=k) x_j l_j <= l, 0 <= x_j <= u_j integer },

where ``m`` are amounts of what is priced and ``l`` levels of what is tabled; a partial choice worth ``w``
that leaves ``M`` of the former can be completed to ``w + lambda.M + R_k(l)`` at most. Amounts in levels are
rounded down, so that whatever fits fits there, too. All sums are of int64, on the scale of `knapsack_search`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.verify.knapsack_search import reduce_values, scale_bits
from binwright_optimizer.verify.relaxation import Float, Int64Array, relaxed_value, solve_relaxation

_MOST_CELLS = 10_000
"""Combinations of levels."""
_MOST_ENTRIES = 4_000_000
"""The same for all items in one table: 32 MB, and as much in each further one once it is filled."""
_LONGEST = 3
"""A level may be so many times as large as need be, where amounts are nearer to multiples of it."""
_SIZES_TRIED = 400
"""Sizes of a level that are tried for it."""
_TENTHS = (0, -1, 1)
"""By how many tenths the multipliers of each table depart from those of the relaxation: the first suits pods
like most, others those that use less of what is priced, or more."""
_TIMES = (1, 4, 32)
"""Search nodes by one, two and all tables, for those that a table takes to fill."""
_LEAST_NODES = 10_000
"""What small tables count for in that."""
_NODES_PER_STEP = 2
"""Search nodes that take as long as a step of a search that looks things up."""
_ENTRIES_PER_NODE = 20
"""Entries that are filled in the time of a search node."""


@njit(cache=True, nogil=True)
def search_by_table(
    price: Int64Array,
    most: Int64Array,
    amounts: Int64Array,
    share: Float,
    room: Int64Array,
    floor: int,
    node_limit: int,
) -> tuple[int, int, int]:
    """Best pattern value above ``floor``, if there is one.

    Parameters
    ----------
    price, most, amounts, share, room
        As of `knapsack_branches.branch`.
    node_limit
        Search nodes after which it is given up; a table that takes longer is not begun.

    Returns
    -------
    best, upper, nodes
        The best value found, or the floor; an upper bound on any, the same once it is over; search nodes.
    """
    n_items, n_resources = amounts.shape
    value = price.astype(np.float64)
    mu = np.zeros(n_resources)
    free = np.ones(n_resources)
    solve_relaxation(value, most, share, free, mu, np.empty(n_items))
    relaxed = relaxed_value(value, most, share, free, mu, np.empty(n_resources))
    total = 0
    for k in range(n_items):
        total += int(most[k] * price[k])
    if total <= floor:
        return floor, floor, 0
    shift = scale_bits(total, relaxed, n_resources)
    reduced = np.empty(n_items, dtype=np.int64)
    multiplier = np.empty(n_resources, dtype=np.int64)
    root = reduce_values(price, most, amounts, room, room, mu, shift, multiplier, reduced)
    upper = min(total, root >> shift)
    need = (floor + 1) << shift
    if root < need:
        return floor, floor, 0
    at_most = most.copy()
    for k in range(n_items):
        if reduced[k] < 0:
            at_most[k] = min(at_most[k], (root - need) // -reduced[k])
    chosen = np.flatnonzero(at_most > 0)
    size = _sizes(amounts, room, multiplier, chosen)
    untold = np.empty(chosen.shape[0])  # what a pod takes that the table does not know, those of most first
    for p in range(chosen.shape[0]):
        untold[p] = 1e-6 * share[chosen[p]].max()
        for r in range(n_resources):
            if size[r] == 0:
                untold[p] += mu[r] / relaxed * share[chosen[p], r]
    chosen = chosen[np.argsort(-untold)]
    stride = np.zeros(n_resources, dtype=np.int64)
    cells = 1
    for r in range(n_resources):
        if size[r] > 0:
            stride[r] = cells
            cells *= room[r] // size[r] + 1
    n = chosen.shape[0]
    price, at_most, amounts = price[chosen], at_most[chosen], amounts[chosen]
    entries = cells * (n + int(np.log2(at_most.astype(np.float64) + 1.0).sum() + n))
    nodes_of_table = entries // _ENTRIES_PER_NODE
    if cells == 1 or cells * (n + 1) > _MOST_ENTRIES or nodes_of_table > node_limit:
        return floor, upper, 0
    jump = np.zeros(n, dtype=np.int64)
    for p in range(n):
        for r in range(n_resources):
            if size[r] > 0:
                jump[p] += stride[r] * (amounts[p, r] // size[r])
    n_tables = len(_TENTHS)
    rest = np.empty((n_tables, n + 1, cells), dtype=np.int64)
    priced = np.zeros((n_tables, n_resources), dtype=np.int64)
    best, nodes = floor, 0
    for t in range(n_tables):
        for r in range(n_resources):
            if size[r] == 0:
                priced[t, r] = multiplier[r] + _TENTHS[t] * (multiplier[r] // 10)
        ahead = _fill_rest(rest[t], price << shift, at_most, amounts, room, size, stride, priced[t])
        nodes += nodes_of_table
        upper = max(best, min(upper, ahead >> shift))
        if upper == best:
            break
        limit = min(node_limit - nodes, _TIMES[t] * max(nodes_of_table, _LEAST_NODES)) // _NODES_PER_STEP
        best, is_complete, visited = _search(
            price, at_most, amounts, room, priced, jump, rest, t + 1, shift, best, limit
        )
        nodes += _NODES_PER_STEP * visited
        upper = best if is_complete else max(best, upper)
        if upper == best or nodes + nodes_of_table > node_limit:
            break
    return best, upper, nodes


@njit(cache=True, nogil=True)
def _sizes(amounts: Int64Array, room: Int64Array, multiplier: Int64Array, chosen: Int64Array) -> Int64Array:
    """Amount of each resource that makes a level; 0 for those that keep their multiplier or have none."""
    n_resources = room.shape[0]
    size = np.zeros(n_resources, dtype=np.int64)
    common = np.zeros(n_resources, dtype=np.int64)
    for r in range(n_resources):
        for k in chosen:
            common[r] = np.gcd(common[r], amounts[k, r])
    tabled = 0
    most_cells = min(_MOST_CELLS, _MOST_ENTRIES // (chosen.shape[0] + 1))
    cells = 1.0
    while True:
        fewest = -1
        n_left = 0
        for r in range(n_resources):
            if size[r] == 0 and common[r] > 0 and multiplier[r] > 0:
                n_left += 1
                if fewest < 0 or room[r] // common[r] < room[fewest] // common[fewest]:
                    fewest = r
        if n_left == 0 or (n_left == 1 and tabled > 0):
            return size
        n_more = max(1, n_left - 1)
        levels = (most_cells / cells) ** (1.0 / n_more)
        if levels < 2.0:
            return size
        size[fewest] = _level(amounts, room[fewest], fewest, chosen, common[fewest], levels)
        cells *= room[fewest] // size[fewest] + 1.0
        tabled += 1


@njit(cache=True, nogil=True)
def _level(amounts: Int64Array, room: int, r: int, chosen: Int64Array, common: int, levels: float) -> int:
    """The amount of so many levels or fewer that rounds amounts of resource ``r`` down least."""
    least = int(room / levels / common) + 1
    if room // common < levels:
        return common
    best, best_lost = least, np.inf
    step = (_LONGEST - 1) * least // _SIZES_TRIED + 1
    for times in range(least, _LONGEST * least + 1, step):
        lost = 0.0
        for k in chosen:
            if amounts[k, r] > 0:
                lost += (amounts[k, r] % (times * common)) / amounts[k, r]
        if lost < best_lost:
            best, best_lost = times, lost
    return best * common


@njit(cache=True, nogil=True)
def _fill_rest(
    rest: Int64Array, worth: Int64Array, most: Int64Array, amounts: Int64Array, room: Int64Array,
    size: Int64Array, stride: Int64Array, priced: Int64Array,
) -> int:  # fmt: skip
    """Writes ``R_k`` for all items and levels left to ``rest`` (item + 1, cell).

    Returns what the empty node can be worth at most; all values are scaled.
    """
    n_items, n_resources = amounts.shape
    at = np.empty(n_resources, dtype=np.int64)
    rest[n_items] = 0
    for k in range(n_items - 1, -1, -1):
        row = rest[k]
        row[:] = rest[k + 1]
        net = worth[k]
        for r in range(n_resources):
            net -= priced[r] * amounts[k, r]
        unplaced, lot = most[k], 1
        while unplaced > 0 and net > 0:
            lot = min(lot, unplaced)
            unplaced -= lot
            jump = 0
            fits = True
            for r in range(n_resources):
                at[r] = lot * (amounts[k, r] // size[r]) if size[r] > 0 else 0
                jump += at[r] * stride[r]
                if size[r] > 0 and at[r] > room[r] // size[r]:
                    fits = False
            if fits:
                _offer(row, lot * net, jump, at, room, size, stride)
            lot *= 2
    ahead = int(rest[0, rest.shape[1] - 1])
    for r in range(n_resources):
        ahead += int(priced[r] * room[r])
    return ahead


@njit(cache=True, nogil=True)
def _offer(
    row: Int64Array,
    gain: int,
    jump: int,
    at: Int64Array,
    room: Int64Array,
    size: Int64Array,
    stride: Int64Array,
) -> None:
    """Offer a lot of pods to every cell with room for it, the fullest first."""
    # Runs along the first tabled resource, whose cells are neighbours; others count in strides.
    first, width = -1, 1
    for r in range(room.shape[0]):
        if stride[r] == 1 and size[r] > 0:
            first, width = r, room[r] // size[r] + 1
    least = at[first] if first >= 0 else 0
    for run in range(row.shape[0] // width - 1, -1, -1):
        begin = run * width
        fits = True
        for r in range(room.shape[0]):
            if size[r] > 0 and r != first:
                level = begin // stride[r] % (room[r] // size[r] + 1)
                fits &= level >= at[r]
        if not fits:
            continue
        if jump > least:  # from another run: nothing is overwritten that is still to be read
            to, source = row[begin + least : begin + width], row[begin + least - jump : begin + width - jump]
            for c in range(to.shape[0]):
                to[c] = max(to[c], source[c] + gain)
        else:
            for c in range(begin + width - 1, begin + least - 1, -1):
                row[c] = max(row[c], row[c - jump] + gain)


@njit(cache=True, nogil=True)
def _search(
    price: Int64Array, most: Int64Array, amounts: Int64Array, room: Int64Array, priced: Int64Array,
    jump: Int64Array, rest: Int64Array, n_tables: int, shift: int, floor: int, node_limit: int,
) -> tuple[int, bool, int]:  # fmt: skip
    """Counts item by item, the largest count first; leaves what the table says cannot be worth enough."""
    n_items, n_resources = amounts.shape
    left = np.empty((n_items + 1, n_resources), dtype=np.int64)
    left[0] = room
    cell = np.empty(n_items + 1, dtype=np.int64)
    cell[0] = rest.shape[2] - 1
    worth = np.zeros(n_items + 1, dtype=np.int64)
    count = np.empty(n_items, dtype=np.int64)
    best = floor
    need = (best + 1) << shift
    nodes = 0
    k = 0
    entering = True
    while k >= 0:
        if entering:
            nodes += 1
            if nodes > node_limit:
                return best, False, nodes
            if worth[k] > best:
                best = worth[k]
                need = (best + 1) << shift
            is_hopeless = k == n_items
            for t in range(0 if is_hopeless else n_tables):
                ahead = (worth[k] << shift) + rest[t, k, cell[k]]
                for r in range(n_resources):
                    ahead += priced[t, r] * left[k, r]
                is_hopeless |= ahead < need
            if is_hopeless:
                k -= 1
                entering = False
                continue
            fit = most[k]
            for r in range(n_resources):
                if amounts[k, r] > 0:
                    fit = min(fit, left[k, r] // amounts[k, r])
            count[k] = fit
        else:
            if count[k] == 0:
                k -= 1
                continue
            count[k] -= 1
        for r in range(n_resources):
            left[k + 1, r] = left[k, r] - count[k] * amounts[k, r]
        worth[k + 1] = worth[k] + count[k] * price[k]
        cell[k + 1] = cell[k] - count[k] * jump[k]
        k += 1
        entering = True
    return best, True, nodes

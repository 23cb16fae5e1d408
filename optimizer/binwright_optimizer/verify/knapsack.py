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

Overflow: callers keep ``sum_i d_i p_i`` and T below 2**`VALUE_BITS` and amounts below 2**53.
Multipliers and values are scaled by 2**shift, chosen per node such that every sum stays below
2**62.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from binwright_optimizer.verify.conflict_branches import branch_apart
from binwright_optimizer.verify.conflict_search import best_apart
from binwright_optimizer.verify.knapsack_branches import Branches, branch, open_branches
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
from binwright_optimizer.verify.rest_table import search_by_table

VALUE_BITS = 59
"""Total value and thresholds must stay below 2**59 (see the module's note on overflow)."""

_BEFORE_TABLE = 300_000
"""Search nodes on branches before a table is filled: some milliseconds, and often enough."""
_ROOM_BITS = 28
"""Rooms of more bits are counted in larger units, or rounded multipliers would lose too much: what fits
together in exact amounts does so in amounts that are all rounded down."""


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
def _scarce(requests: Int64Array, chosen: Int64Array, most: Int64Array, room: Int64Array) -> Int64Array:
    """Resources that the node has too little of for all that may be placed: the others bind nothing."""
    scarce = np.empty(room.shape[0], dtype=np.int64)
    n_scarce = 0
    for r in range(room.shape[0]):
        left = room[r]
        for k in range(chosen.shape[0]):
            if requests[chosen[k], r] > 0 and left >= 0:
                left = left - requests[chosen[k], r] * most[k]
        if left < 0:
            scarce[n_scarce] = r
            n_scarce += 1
    return scarce[:n_scarce]


@njit(cache=True, nogil=True)
def _items(
    prices: Int64Array,
    demand: Int64Array,
    requests: Int64Array,
    admitted: NDArray[np.bool_],
    room: Int64Array,
    item: Int64Array,
    most: Int64Array,
) -> tuple[Int64Array, Int64Array, Int64Array, Float, Int64Array, Int64Array]:
    """The knapsack of one node: prices, largest counts, amounts, shares and room of what is scarce, and that.

    Amounts and room are in units of which `_ROOM_BITS` count the room.
    """
    n_items = _collect(prices, demand, requests, admitted, room, item, most)
    chosen = item[:n_items]
    at_most = most[:n_items].copy()
    scarce = _scarce(requests, chosen, at_most, room)
    n_resources = scarce.shape[0]
    amounts = np.empty((n_items, n_resources), dtype=np.int64)
    share = np.zeros((n_items, n_resources))
    room = room[scarce]
    for r in range(n_resources):
        coarser = 0
        while room[r] >> coarser >= 1 << _ROOM_BITS:
            coarser += 1
        room[r] >>= coarser
        for k in range(n_items):
            amounts[k, r] = requests[chosen[k], scarce[r]] >> coarser
            if room[r] > 0:
                share[k, r] = amounts[k, r] / room[r]
    return prices[chosen], at_most, amounts, share, room, scarce


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
    price, at_most, amounts, share, room, scarce = _items(
        prices, demand, requests, admitted, room, item, most
    )
    n_items, n_resources = amounts.shape
    total = 0
    for k in range(n_items):
        total += int(at_most[k] * price[k])
    if total <= threshold or n_resources == 0:
        return total, True
    value = price.astype(np.float64)
    free = np.ones(n_resources)
    size = float(max(threshold, 1))
    mu = start[scarce] * size
    relaxed = descend(value, at_most, share, free, float(threshold), SCREENING_STEPS, mu)
    if relaxed > threshold:
        solve_relaxation(value, at_most, share, free, mu, np.empty(n_items))
        relaxed = relaxed_value(value, at_most, share, free, mu, np.empty(n_resources))
    if threshold > 0:
        start[scarce] = mu / size

    shift = scale_bits(total, relaxed, n_resources)
    reduced = np.empty(n_items, dtype=np.int64)
    multiplier = np.empty(n_resources, dtype=np.int64)
    root = reduce_values(price, at_most, amounts, room, room, mu, shift, multiplier, reduced)
    if root < (threshold + 1) << shift:
        return threshold, True
    bound = min(total, root >> shift)
    if node_limit <= 0:
        return bound, False
    order = np.argsort(-reduced)
    best, is_complete, _ = search(
        price[order],
        reduced[order],
        at_most[order],
        amounts[order],
        room,
        root,
        shift,
        threshold,
        min(node_limit, BRIEF_SEARCH),
    )
    if is_complete:
        return best, True
    if node_limit <= BRIEF_SEARCH:
        return bound, False
    branches = open_branches(at_most, n_resources, threshold, bound)
    upper, is_final, _ = branch(price, amounts, share, room, branches, node_limit)
    return upper, is_final


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
def bound_apart(
    prices: Int64Array,
    demand: Int64Array,
    requests: Int64Array,
    admitted: NDArray[np.bool_],
    room: Int64Array,
    apart: NDArray[np.bool_],
    threshold: int,
    known: int,
    node_limit: int,
) -> tuple[int, bool, int]:
    """The same bound for one node where pairs of classes are in conflict.

    By the largest pod first (`conflict_search`), which suits small nodes, then by branching
    (`conflict_branches`).

    Parameters
    ----------
    prices, demand, requests, admitted, room, threshold
        As of `bound_pattern_values`, of one node.
    apart
        (i, i): pairs of classes of which no node holds pods of both; False on the diagonal.
    known
        A bound without conflicts.
    node_limit
        Search nodes after which the search ends, or little more: half of them each way.

    Returns
    -------
    The bound, whether it is final, and the search nodes that it took.
    """
    n = prices.shape[0]
    item, most = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    price, at_most, amounts, share, room, _ = _items(prices, demand, requests, admitted, room, item, most)
    chosen = item[: price.shape[0]]
    among = np.ascontiguousarray(apart[chosen][:, chosen])
    bound, is_final, nodes = best_apart(
        price, at_most, amounts, share, room, among, threshold, node_limit // 2
    )
    if is_final:
        return bound, True, nodes
    bound, is_final, more = branch_apart(
        price, at_most, amounts, share, room, among, threshold, min(bound, known), node_limit // 2
    )
    return bound, is_final, nodes + more


class LongSearch:
    """The knapsack of one node, searched in steps.

    Parameters
    ----------
    prices, demand, requests, room, threshold
        As of `bound_pattern_values`, of one node.
    admitted
        (i,): the classes that it admits.
    """

    def __init__(
        self,
        prices: Int64Array,
        demand: Int64Array,
        requests: Int64Array,
        admitted: NDArray[np.bool_],
        room: Int64Array,
        threshold: int,
    ) -> None:
        n = len(prices)
        item, most = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
        price, at_most, self._amounts, self._share, self._room, _ = _items(
            prices, demand, requests, admitted, room, item, most
        )
        self._price = price
        total = int(price @ at_most)
        self._branches: Branches = open_branches(at_most, len(self._room), threshold, total)
        self._most = at_most
        self._is_tabled = False
        self.nodes = 0
        self.bound = total
        self.is_over = total <= threshold or not len(self._room)

    def go_on(self, node_limit: int) -> None:
        """Search for so many more nodes: ``bound`` falls until it is the best value, or the threshold."""
        if self.nodes and not self._is_tabled:
            self.look_up(node_limit)
            return
        if not self._is_tabled:
            node_limit = min(node_limit, _BEFORE_TABLE)
        upper, is_final, taken = branch(
            self._price, self._amounts, self._share, self._room, self._branches, node_limit
        )
        self.bound = min(self.bound, upper)
        self.nodes += taken
        self.is_over = is_final or not taken  # or too many branches are open

    def look_up(self, node_limit: int) -> None:
        """The same by a table of what the rest of the items may add, which is tried once."""
        best = self._branches.best
        best[0], upper, taken = search_by_table(
            self._price, self._most, self._amounts, self._share, self._room, int(best[0]), node_limit
        )
        self._is_tabled = True
        self.is_over = bool(upper == best[0])
        self.bound = min(self.bound, upper)
        limit = self._branches.limit[: self._branches.n_open[0]]
        np.minimum(limit, upper, out=limit)
        self.nodes += taken


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

"""Depth-first search that knows from a table what the rest of a node may be worth.

Multipliers know little of whole pods: on a node of eight GPUs, their sum over the room left promises a third
of a pod here and there. A table knows the resources that come in few steps as they are, GPUs one by one and
CPU in steps of 100 millicores, and leaves to its multiplier only the one of most steps; items that take most
of that come first. With what the items not yet looked at are worth at most in every cell, a search leaves a
branch as soon as it cannot end well, and what took many thousands of relaxations takes a few milliseconds
(S. Martello, D. Pisinger and P. Toth, Dynamic programming and strong bounds for the 0-1 knapsack problem,
1999, doi:10.1287/mnsc.45.3.414).

Where requests are no multiples of a step, they are rounded down, and so is the room: whatever fits still
fits, so that the table tells too much, never too little.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.rules import place, room_in_sets
from binwright_optimizer.pricing.kernels.table import CELLS_PER_US, MOST_AXES, lay_out, n_moves, take

MOST_CELLS = 10_000
"""Cells for each item: the room for eight GPUs and 1,000 steps of CPU."""
MOST_TABLE = 4_000_000
"""Cells of one table for all items: 32 MB, and as much in each further one once it is filled."""
COARSER = 3
"""A step may be so many times as long as need be, if requests are nearer to multiples of it."""
FACTORS = (2, 3, 5)
"""Prime factors of round numbers: steps are the common divisor of requests times a product of them."""
VISITS_PER_US = 30
"""Steps of the search in about a microsecond."""
FACTORS_OF_TABLES = (1.0, 1.1, 0.9)
"""How dear the first and further tables price what they do not know: where pods that are left take more or
less of it than most, others tell more. What takes a second with one table takes milliseconds with three."""
TIMES = (1, 4, 16)
"""Steps of a search by one, two and all tables, for those in whose time a table is filled."""
LEAST_VISITS = 3_000
"""What small tables count for in that."""
LOTS = 3
"""Numbers of pods of an item that a table tries, about."""
TIE = 1e-6
"""Weight of the largest share in the order of items: only among those that are alike otherwise."""


@njit(cache=True, nogil=True)
def completion_work(n, items, spans, requests, room, mu, steps, levels):
    """Microseconds that the table takes, in round numbers; infinite where it would be too large.

    Parameters
    ----------
    spans
        int64 array (n,): most pods of each item.
    room, mu
        int64 array (r,), float64 array (r,): what is free, and what it is worth in the relaxation.
    steps, levels
        int64 arrays (r,): receive the step of each resource, and the steps there are room for; 0 where the
        table leaves a resource to its multiplier.
    """
    n_resources = room.shape[0]
    fine = np.full(n_resources, np.inf)
    priced = 0
    for r in range(n_resources):
        steps[r] = levels[r] = 0
        for k in range(n):
            if spans[k] > 0:
                steps[r] = np.gcd(steps[r], requests[items[k], r])
        if steps[r] > 0 and mu[r] > 0.0:
            fine[r] = room[r] / steps[r]
            priced += 1
    axes = min(max(priced - 1, 1), MOST_AXES)
    if priced == 0:
        return np.inf
    most_cells = min(MOST_CELLS, MOST_TABLE // (n + 1))
    cells = 1.0
    for a, r in enumerate(np.argsort(fine)[:axes]):
        steps[r] = _coarse_step(
            n, items, spans, requests, room, r, steps[r], (most_cells / cells) ** (1.0 / (axes - a))
        )
        levels[r] = room[r] // steps[r]
        cells *= levels[r] + 1.0
    moves, used = 0, 0
    for k in range(n):
        moves += n_moves(spans[k])
        used += spans[k] > 0
    if cells > 2 * most_cells or cells * (used + 1) > MOST_TABLE:
        return np.inf
    return cells * (moves + used) / CELLS_PER_US


@njit(cache=True, nogil=True)
def _coarse_step(n, items, spans, requests, room, r, divisor, most_levels):
    """The step to which requests for resource ``r`` come nearest, among round ones with few enough levels."""
    least = room[r] / most_levels
    if divisor >= least:
        return divisor
    best, best_loss = np.int64(least) + 1, np.inf
    two = np.int64(1)
    while divisor * two <= COARSER * least:
        three = two
        while divisor * three <= COARSER * least:
            five = three
            while divisor * five <= COARSER * least:
                step = divisor * five
                if step >= least:
                    loss = 0.0
                    for k in range(n):
                        if spans[k] > 0 and requests[items[k], r] > 0:
                            loss += (requests[items[k], r] % step) / requests[items[k], r]
                    if loss < best_loss:
                        best, best_loss = step, loss
                five *= FACTORS[2]
            three *= FACTORS[1]
        two *= FACTORS[0]
    return best


@njit(cache=True, nogil=True)
def complete(
    n, items, spans, shares, values, requests, room, mu, steps, levels, floor, slack, most_visits, halt,
    chosen, rules, held, load, cap,
):  # fmt: skip
    """Best pattern on an empty node worth more than ``floor + slack``.

    Parameters
    ----------
    room
        int64 array (r,): what is free, and what ``shares`` and ``mu`` refer to.
    steps, levels
        As `completion_work` left them.
    most_visits
        Steps after which the search is given up, as it is where it takes many times as long as its tables.
    halt
        uint8 array (1,): it is given up, too, once this is not zero.
    chosen
        int64 array (n,): receives the pattern by item; untouched if none is worth more.
    rules, held, load, cap
        Node rules and the node's state, which is left as it was; see `kernels.rules`.

    Returns
    -------
    value
        Worth of the pattern, or ``floor`` if none is worth more.
    upper
        No pattern is worth more than this: within ``slack`` of ``value`` unless given up, and infinite where
        it was halted before it knew anything.
    visits
        Steps that the search took, and the time for further tables in steps.
    """
    resource = np.zeros(MOST_AXES, dtype=np.int64)
    size = np.ones(MOST_AXES, dtype=np.int64)
    first = lay_out(levels, resource, size)
    order = _dearest_first(n, spans, shares, mu, levels)
    classes, most, share = items[order], spans[order], shares[order]
    steps_of = np.zeros((len(order), MOST_AXES), dtype=np.int64)  # that one pod takes
    for p in range(len(order)):
        for a in range(first, MOST_AXES):
            steps_of[p, a] = requests[classes[p], resource[a]] // steps[resource[a]]
    cells = size[0] * size[1] * size[2]
    n_tables = len(FACTORS_OF_TABLES)
    rest = np.empty((n_tables, len(order) + 1, cells))
    outside = np.zeros((n_tables, room.shape[0]))
    best, upper, visits = floor, np.inf, np.int64(0)
    table_visits = np.int64(VISITS_PER_US * cells * len(order) * LOTS / CELLS_PER_US)
    for t in range(n_tables):
        for r in range(room.shape[0]):
            if levels[r] == 0:
                outside[t, r] = FACTORS_OF_TABLES[t] * mu[r]
        ahead = _fill_rest(rest[t], outside[t], values[classes], most, share, steps_of, size, halt)
        if halt[0] != 0:
            break
        upper = min(upper, ahead)
        if upper <= best + slack:
            return best, best + slack, visits
        limit = min(most_visits - visits, TIMES[t] * max(table_visits, LEAST_VISITS))
        best, is_complete, taken = _search(
            t + 1, rest, outside, order, classes, most, values, requests, room, steps_of, size, best, slack,
            limit, halt, chosen, rules, held, load, cap,
        )  # fmt: skip
        visits += taken
        if is_complete:
            return best, best + slack, visits
        visits += table_visits
        if visits >= most_visits:
            break
    return best, upper, visits


@njit(cache=True, nogil=True)
def _dearest_first(n, spans, shares, mu, levels):
    """Items that may be taken, those first that take most of what the table does not know."""
    key = np.empty(n)
    most = 0
    for k in range(n):
        key[k] = -np.inf
        if spans[k] > 0:
            most += 1
            key[k] = TIE * shares[k].max()
            for r in range(levels.shape[0]):
                if levels[r] == 0:
                    key[k] += mu[r] * shares[k, r]
    return np.argsort(-key)[:most]


@njit(cache=True, nogil=True)
def _fill_rest(rest, outside, worth, most, share, steps_of, size, halt):
    """Worth at most of the items from each on, by what there is room for, in ``rest``: (item + 1, cells).

    Parameters
    ----------
    outside
        float64 array (r,): what the whole room of resources costs that the table does not know; else 0.

    Returns
    -------
    What all items are worth at most on an empty node.
    """
    n_items = most.shape[0]
    rest[n_items] = 0.0
    step = np.empty(MOST_AXES, dtype=np.int64)
    for p in range(n_items - 1, -1, -1):
        if halt[0] != 0:
            break
        rest[p] = rest[p + 1]
        net = worth[p]
        for r in range(outside.shape[0]):
            net -= outside[r] * share[p, r]
        left, pods = np.int64(most[p]), np.int64(1)
        while left > 0 and net > 0.0:
            pods = min(pods, left)
            left -= pods
            step[:] = pods * steps_of[p]
            if step[0] < size[0] and step[1] < size[1] and step[2] < size[2]:
                take(rest[p], pods * net, step, size)
            pods *= 2
    return outside.sum() + rest[0, rest.shape[1] - 1]


@njit(cache=True, nogil=True)
def _search(
    n_tables, rest, outside, order, classes, most, values, requests, room, steps_of, size, floor, slack,
    most_visits, halt, chosen, rules, held, load, cap,
):  # fmt: skip
    """`complete` by what some tables tell; whether it came to its end, and the steps it took."""
    n_items, n_resources = most.shape[0], room.shape[0]
    has_rules = rules.cap.shape[0] > 0
    unit = np.zeros((n_tables, n_resources))  # price of a unit of what the tables do not know
    for t in range(n_tables):
        for r in range(n_resources):
            unit[t, r] = outside[t, r] / room[r] if room[r] > 0 else 0.0
    cells_of = np.empty(n_items, dtype=np.int64)
    for p in range(n_items):
        cells_of[p] = (steps_of[p, 0] * size[1] + steps_of[p, 1]) * size[2] + steps_of[p, 2]
    cell = rest.shape[2] - 1
    free = room.copy()
    counts = np.zeros(n_items, dtype=np.int64)
    best, value = floor, 0.0
    visits = np.int64(0)
    p = 0
    while True:
        while p < n_items:
            is_hopeless = False
            for t in range(n_tables):
                ahead = value + rest[t, p, cell]
                for r in range(n_resources):
                    ahead += unit[t, r] * free[r]
                is_hopeless |= ahead <= best + slack
            if is_hopeless:
                break
            i = classes[p]
            count = most[p]
            for r in range(n_resources):
                if requests[i, r] > 0:
                    count = min(count, free[r] // requests[i, r])
            if has_rules and count > 0:
                count = max(min(count, room_in_sets(i, rules, held, load, cap)), np.int64(0))
                place(i, count, rules, held, load)
            counts[p] = count
            if count > 0:
                for r in range(n_resources):
                    free[r] -= count * requests[i, r]
                value += count * values[i]
                cell -= count * cells_of[p]
            p += 1
            visits += 1
        if value > best + slack:
            best = value
            chosen[:] = 0
            for q in range(p):
                chosen[order[q]] = counts[q]
        if visits > most_visits or halt[0] != 0:
            if has_rules:
                for q in range(p):
                    place(classes[q], -counts[q], rules, held, load)
            return best, False, visits
        p -= 1
        while p >= 0 and counts[p] == 0:
            p -= 1
        if p < 0:
            return best, True, visits
        counts[p] -= 1
        i = classes[p]
        if has_rules:
            place(i, np.int64(-1), rules, held, load)
        for r in range(n_resources):
            free[r] += requests[i, r]
        value -= values[i]
        cell += cells_of[p]
        p += 1

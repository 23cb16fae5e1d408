"""The whole knapsack as a table: for small nodes, and requests in round numbers.

Requests come in steps: 50 millicores, 64 MiB. Where a node has few of them, a table over what is used of
each resource tells the best pattern exactly, in the time that a few branches take (R. E. Bellman and
S. E. Dreyfus, Applied dynamic programming, 1962, doi:10.1515/9781400874651). Branches, in contrast, are
weakest there: a node of two or three pods is worth far less than its relaxation.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MOST_AXES = 3
"""Resources that a table may have."""
MOST_CELLS = 2_000_000
"""Cells of a table: 16 MB, beside a quarter of a megabyte for each move while its best pattern is found."""
MOST_LOOKS = 400_000_000
"""Cells looked at, in all moves of a table: some 200 milliseconds."""
CELLS_PER_US = 1_200
"""Cells that are looked at in about a microsecond."""


@njit(cache=True, nogil=True)
def table_work(n, items, spans, requests, room, mu, steps, levels):
    """Microseconds that `fill` takes, in round numbers; infinite where there would be too many cells.

    Parameters
    ----------
    spans
        int64 array (n,): most pods of each item.
    room, mu
        int64 array (r,), float64 array (r,): what is free, and what it is worth in the relaxation.
    steps, levels
        int64 arrays (r,): receive the step of each resource, and the steps there are room for; 0 where the
        table does without, since it binds nothing or seems to.
    """
    n_resources = room.shape[0]
    cells, axes = 1.0, 0
    for r in range(n_resources):
        steps[r] = 0
        for k in range(n):
            if spans[k] > 0:
                steps[r] = np.gcd(steps[r], requests[items[k], r])
        levels[r] = 0
        if steps[r] > 0 and mu[r] > 0.0:
            levels[r] = room[r] // steps[r]
            cells *= levels[r] + 1.0
            axes += 1
    if axes == 0 or axes > MOST_AXES:
        return np.inf
    moves = 0
    for k in range(n):
        moves += n_moves(spans[k])
    if cells > MOST_CELLS or cells * moves > MOST_LOOKS:
        return np.inf
    return cells * moves / CELLS_PER_US


@njit(cache=True, nogil=True)
def fill(n, items, spans, values, requests, room, steps, levels, least, halt, chosen):
    """Best pattern among those that the resources of the table have room for.

    The table is filled move by move: some pods of an item are taken, or not. Only if its best pattern is
    looked for, it is filled once more, with a note of the moves that gained in every cell.

    Parameters
    ----------
    steps, levels
        As `table_work` left them.
    least
        Patterns worth no more are not looked for.
    halt
        uint8 array (1,): the table is given up once it is not zero.
    chosen
        int64 array (n,): receives the pattern by item, unless it is worth no more than that.

    Returns
    -------
    worth
        Of the best pattern: none is worth more. Infinite if the table was given up.
    fits
        Whether it was looked for, and the other resources have room for it as well.
    """
    resource = np.zeros(MOST_AXES, dtype=np.int64)
    size = np.ones(MOST_AXES, dtype=np.int64)
    first = lay_out(levels, resource, size)
    moves = 0
    for k in range(n):
        moves += n_moves(spans[k])
    item = np.empty(moves, dtype=np.int64)
    taken = np.empty(moves, dtype=np.int64)
    worths = np.empty(moves)
    step = np.zeros((moves, MOST_AXES), dtype=np.int64)
    moves = 0
    for k in range(n):
        left, pods = np.int64(spans[k]), np.int64(1)
        while left > 0:
            pods = min(pods, left)
            left -= pods
            fits = True
            for a in range(first, MOST_AXES):
                step[moves, a] = pods * (requests[items[k], resource[a]] // steps[resource[a]])
                fits &= step[moves, a] < size[a]
            if fits:
                item[moves], taken[moves], worths[moves] = k, pods, pods * values[items[k]]
                moves += 1
            pods *= 2
    cells = size[0] * size[1] * size[2]
    table = np.zeros(cells)  # worth of the best pattern that uses at most so many steps
    for m in range(moves):
        if halt[0] != 0:
            return np.inf, False
        take(table, worths[m], step[m], size)
    worth = table[cells - 1]
    if worth <= least:
        return worth, False
    table[:] = 0.0
    gained = np.zeros(((moves + 7) // 8, cells), dtype=np.uint8)  # a bit for each move
    for m in range(moves):
        if halt[0] != 0:
            return worth, False
        take_noted(table, worths[m], step[m], size, gained[m // 8], np.uint8(1 << m % 8))
    chosen[:] = 0
    cell = cells - 1
    for m in range(moves - 1, -1, -1):
        if gained[m // 8, cell] & np.uint8(1 << m % 8):
            chosen[item[m]] += taken[m]
            cell -= (step[m, 0] * size[1] + step[m, 1]) * size[2] + step[m, 2]
    fits = True
    for r in range(room.shape[0]):
        left = np.int64(room[r])
        for k in range(n):
            left -= chosen[k] * requests[items[k], r]
        fits &= left >= 0
    return worth, fits


@njit(cache=True, nogil=True)
def lay_out(levels, resource, size):
    """Give each resource with levels an axis, the longest one last: cells along it are neighbours.

    Returns
    -------
    The first axis that is used.
    """
    first = MOST_AXES
    for r in np.argsort(levels)[::-1]:
        if levels[r] > 0:
            first -= 1
            resource[first], size[first] = r, levels[r] + 1
    return first


@njit(cache=True, nogil=True)
def n_moves(span):
    """Numbers of pods, doubled each time, that add up to any number until ``span``."""
    moves, left, pods = 0, np.int64(span), np.int64(1)
    while left > 0:
        left -= min(pods, left)
        pods *= 2
        moves += 1
    return moves


@njit(cache=True, nogil=True)
def take(table, worth, step, size):
    """Improve all cells by taking some pods; a cell is looked at before those that are reached from it."""
    n_rows, n_columns = size[1], size[2]
    for a in range(size[0] - 1, step[0] - 1, -1):
        for b in range(n_rows - 1, step[1] - 1, -1):
            to = (a * n_rows + b) * n_columns
            at = ((a - step[0]) * n_rows + b - step[1]) * n_columns
            if to == at:
                for c in range(n_columns - 1, step[2] - 1, -1):
                    table[to + c] = max(table[to + c], table[to + c - step[2]] + worth)
                continue
            here = table[to + step[2] : to + n_columns]
            there = table[at : at + n_columns - step[2]]
            for c in range(here.shape[0]):
                here[c] = max(here[c], there[c] + worth)


@njit(cache=True, nogil=True)
def take_noted(table, worth, step, size, gained, bit):
    """The same, and set ``bit`` of every cell in ``gained`` that it improves."""
    n_rows, n_columns = size[1], size[2]
    for a in range(size[0] - 1, step[0] - 1, -1):
        for b in range(n_rows - 1, step[1] - 1, -1):
            to = (a * n_rows + b) * n_columns
            at = ((a - step[0]) * n_rows + b - step[1]) * n_columns
            if to == at:
                for c in range(n_columns - 1, step[2] - 1, -1):
                    offered = table[to + c - step[2]] + worth
                    if offered > table[to + c]:
                        table[to + c] = offered
                        gained[to + c] |= bit
                continue
            here = table[to + step[2] : to + n_columns]
            there = table[at : at + n_columns - step[2]]
            notes = gained[to + step[2] : to + n_columns]
            for c in range(here.shape[0]):
                offered = there[c] + worth
                notes[c] |= bit * np.uint8(offered > here[c])
                here[c] = max(here[c], offered)

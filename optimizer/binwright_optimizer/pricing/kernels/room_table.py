"""What the room beside a pod is worth on a small node, for all classes at once.

A lift asks for every class what fits beside one of its pods. On a node of two or three pods the relaxation
of that knapsack promises far more than any pattern holds, and every class is left where it is. One table
over the steps of the node's resources, as in `kernels.table`, answers for all of them: the cell of the room
that a class leaves. It is kept up to date as classes are raised; copies of a class at its price before are
left in it, so that it may tell too much, never too little.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.table import MOST_AXES, lay_out, n_moves, take

MOST_FILL = 10_000_000
"""Cells looked at to fill a table: some milliseconds."""
MOST_CELLS = 1_000_000
"""Cells of all tables together: 8 MB."""
NOT_LOOKED, TOO_LARGE = -1, -2
"""In place of where a table begins: it has not been asked for; it is none."""


@njit(cache=True, nogil=True)
def open_table(most, values, requests, room, mu, resource, size, step, table, start):
    """Fill a candidate's table, where it is small enough.

    Parameters
    ----------
    most, values
        int64 array (i,), float64 array (i,): most pods of each class on the candidate, and their prices.
    room, mu
        int64 array (r,), float64 array (r,): of the empty node, and what it is worth in the relaxation.
    resource, size, step
        int64 arrays (`MOST_AXES`,): receive the resource of each axis, the cells along it, and its step.
    table, start
        float64 array (cells,), number: what there is room for, from there on.

    Returns
    -------
    Where the table begins, or `TOO_LARGE`; where the next may.
    """
    n_classes, n_resources = requests.shape
    steps = np.zeros(n_resources, dtype=np.int64)
    levels = np.zeros(n_resources, dtype=np.int64)
    axes = 0
    for r in range(n_resources):
        if mu[r] <= 0.0:
            continue
        for i in range(n_classes):
            if most[i] > 0:
                steps[r] = np.gcd(steps[r], requests[i, r])
        if steps[r] > 0:
            levels[r] = room[r] // steps[r]
            axes += 1
    if axes == 0 or axes > MOST_AXES:
        return np.int64(TOO_LARGE), start
    resource[:], size[:], step[:] = 0, 1, 1
    for a in range(lay_out(levels, resource, size), MOST_AXES):
        step[a] = steps[resource[a]]
    cells, moves = 1.0, 0
    for a in range(MOST_AXES):
        cells *= size[a]
    for i in range(n_classes):
        moves += n_moves(most[i])
    if cells > table.shape[0] or cells * moves > MOST_FILL:
        return np.int64(TOO_LARGE), start
    table[: np.int64(cells)] = 0.0
    for i in range(n_classes):
        if most[i] > 0 and values[i] > 0.0:
            offer(i, values[i], most[i], requests, resource, size, step, table)
    return start, start + np.int64(cells)


@njit(cache=True, nogil=True)
def offer(i, value, most, requests, resource, size, step, table):
    """Let any number of pods of class ``i``, at this price, into the table."""
    shift = np.zeros(MOST_AXES, dtype=np.int64)
    left, pods = np.int64(most), np.int64(1)
    while left > 0:
        pods = min(pods, left)
        left -= pods
        fits = True
        for a in range(MOST_AXES):
            if size[a] > 1:
                shift[a] = pods * (requests[i, resource[a]] // step[a])
                fits &= shift[a] < size[a]
        if fits:
            take(table, pods * value, shift, size)
        pods *= 2


@njit(cache=True, nogil=True)
def most_price(i, most, cost, requests, resource, size, step, table):
    """Price of class ``i`` up to which no pattern with its pods is worth more than ``cost``."""
    price = np.inf
    for pods in range(1, most + 1):
        cell = np.int64(0)
        for a in range(MOST_AXES):
            left = size[a] - 1
            if size[a] > 1:
                left -= pods * (requests[i, resource[a]] // step[a])
            cell = cell * size[a] + left
        price = min(price, (cost - table[cell]) / pods)
    return price

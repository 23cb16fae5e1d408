"""Branch and bound of a knapsack on its linear relaxation: for nodes of a few large pods."""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.depth_first import pack
from binwright_optimizer.pricing.kernels.relaxation import relax

BRANCH_NODES = 3_000
"""Depth-first nodes tried to close a branch: about as long as its relaxation takes."""


@njit(cache=True, nogil=True)
def branch(n, items, limits, shares, values, requests, capacity, floor, slack, max_branches, halt, chosen):
    """Best pattern worth more than ``floor + slack`` by branch and bound on the linear relaxation.

    For the candidates where the fixed multipliers of `pack` are too weak: large nodes that hold a
    handful of large pods. Every branch solves its own relaxation, tightens item bounds by reduced
    cost, tries to close itself by a short depth-first search under its own multipliers, and
    otherwise splits on the item of largest fractional share. The branch of largest bound comes
    first, so that a search cut short still has a good bound.

    Returns
    -------
    value
        Worth of the pattern, or ``floor`` if none is worth more.
    upper
        No pattern is worth more than this; within ``slack`` of ``value`` unless cut short.
    solved
        Branches solved.
    """
    n_resources = requests.shape[1]
    size = 2 * max_branches + 2
    low = np.empty((size, n), dtype=np.int32)
    high = np.empty((size, n), dtype=np.int32)
    bound = np.empty(size)
    for k in range(n):
        low[0, k] = 0
        high[0, k] = limits[k]
    bound[0] = np.inf
    opened = 1
    best = floor
    mu = np.empty(n_resources)
    primal = np.empty(n)
    span = np.empty(n, dtype=np.int64)
    extra = np.empty(n, dtype=np.int64)
    free = np.empty(n_resources)
    room = np.empty(n_resources, dtype=np.int64)
    lows = np.empty(n, dtype=np.int32)
    highs = np.empty(n, dtype=np.int32)
    solved = 0
    while solved < max_branches:
        if halt[0] != 0:
            break
        top = -1
        upper = best + slack
        for node in range(opened):
            if bound[node] > upper:
                upper = bound[node]
                top = node
        if top < 0:
            return best, best + slack, solved
        solved += 1
        lows[:] = low[top]
        highs[:] = high[top]
        opened -= 1
        low[top], high[top], bound[top] = low[opened], high[opened], bound[opened]
        value = 0.0
        for r in range(n_resources):
            room[r] = capacity[r]
        for k in range(n):
            if lows[k] > 0:
                value += lows[k] * values[items[k]]
                for r in range(n_resources):
                    room[r] -= lows[k] * requests[items[k], r]
        fits = True
        for r in range(n_resources):
            if room[r] < 0:
                fits = False
            free[r] = room[r] / capacity[r] if capacity[r] > 0 else 0.0
        if not fits:
            continue
        for k in range(n):
            most = np.int64(highs[k] - lows[k])
            for r in range(n_resources):
                if most > 0 and requests[items[k], r] > 0:
                    most = min(most, room[r] // requests[items[k], r])
            span[k] = most
        upper = value + relax(n, items, span, shares, values, free, mu, primal)
        if upper <= best + slack:
            continue
        for k in range(n):  # an item that costs more than the gap per unit cannot be used more
            if span[k] > 0:
                loss = -values[items[k]]
                for r in range(n_resources):
                    loss += mu[r] * shares[k, r]
                if loss > 0.0:
                    span[k] = min(span[k], np.int64((upper - best - slack) / loss))
        extra[:] = 0
        gained, closed = pack(
            n,
            items,
            span,
            shares,
            values,
            requests,
            capacity,
            room,
            mu,
            best - value,
            slack,
            BRANCH_NODES,
            extra,
        )
        if value + gained > best + slack:
            best = value + gained
            for k in range(n):
                chosen[k] = lows[k] + extra[k]
        if closed:
            continue
        split = -1
        widest = 0.0
        for k in range(n):
            part = primal[k] - np.floor(primal[k])
            if part > 1e-9 and part < 1.0 - 1e-9:
                share = 0.0
                for r in range(n_resources):
                    share = max(share, shares[k, r])
                if share * min(part, 1.0 - part) > widest:
                    widest = share * min(part, 1.0 - part)
                    split = k
        if split < 0:  # the relaxation is whole, so the depth-first search has found it
            continue
        whole = lows[split] + np.int32(np.floor(primal[split]))
        for k in range(n):
            highs[k] = lows[k] + span[k]
        if whole + 1 <= highs[split]:
            low[opened], high[opened] = lows, highs
            low[opened, split] = whole + 1
            bound[opened] = upper
            opened += 1
        low[opened], high[opened] = lows, highs
        high[opened, split] = min(whole, highs[split])
        bound[opened] = upper
        opened += 1
    upper = best + slack
    for node in range(opened):
        upper = max(upper, bound[node])
    return best, upper, solved

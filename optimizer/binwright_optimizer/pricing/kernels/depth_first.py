"""Depth-first search of a knapsack under fixed multipliers: quick where they are nearly exact."""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.rules import place, room_for


@njit(cache=True, nogil=True)
def pack(
    n, items, limits, shares, values, requests, capacity, room, mu, floor, slack, max_nodes, chosen,
    rules, held, load, cap,
):  # fmt: skip
    """Best pattern worth more than ``floor + slack`` by depth-first search under fixed multipliers.

    Parameters
    ----------
    capacity, room
        int64 arrays (r,): what shares refer to; what is free.
    mu
        float64 array (r,): multipliers per whole candidate.
    chosen
        int64 array (n,): receives the pattern by item; untouched if none is worth more.
    rules, held, load, cap
        Node rules and the node's state (see `kernels.rules`), which is left as it was; the last three
        are not looked at without rules.

    Returns
    -------
    value
        Worth of the pattern, or ``floor`` if none is found.
    complete
        Whether no pattern is worth more than ``value + slack``.
    """
    n_resources = requests.shape[1]
    has_rules = rules.cap.shape[0] > 0
    weight = np.empty(n)
    efficiency = np.empty(n)
    for k in range(n):
        total = 0.0
        for r in range(n_resources):
            total += mu[r] * shares[k, r]
        weight[k] = total
        efficiency[k] = values[items[k]] / total if total > 0.0 else np.inf
    order = np.argsort(-efficiency)
    suffix = np.zeros(n + 1)
    for position in range(n - 1, -1, -1):
        k = order[position]
        suffix[position] = suffix[position + 1] + limits[k] * max(0.0, values[items[k]] - weight[k])
    free = room.copy()
    price = np.zeros(n_resources)
    for r in range(n_resources):
        if capacity[r] > 0:
            price[r] = mu[r] / capacity[r]
    counts = np.zeros(n, dtype=np.int64)
    best = floor
    value = 0.0
    position = 0
    visited = 0
    complete = True
    while True:
        while position < n:
            k = order[position]
            worth = 0.0
            for r in range(n_resources):
                worth += price[r] * free[r]
            ahead = worth + suffix[position]
            if weight[k] > 0.0:
                ahead = min(ahead, efficiency[k] * worth)
            if value + ahead <= best + slack:
                break
            i = items[k]
            count = limits[k]
            for r in range(n_resources):
                if requests[i, r] > 0:
                    count = min(count, free[r] // requests[i, r])
            if has_rules and count > 0:
                count = max(min(count, room_for(i, rules, held, load, cap)), np.int64(0))
                place(i, count, rules, held, load)
            counts[position] = count
            if count > 0:
                for r in range(n_resources):
                    free[r] -= count * requests[i, r]
                value += count * values[i]
            position += 1
            visited += 1
        if value > best + slack:
            best = value
            for p in range(n):
                chosen[order[p]] = counts[p] if p < position else 0
        if visited > max_nodes:
            complete = False
            if has_rules:
                for p in range(position):
                    place(items[order[p]], -counts[p], rules, held, load)
            break
        position -= 1
        while position >= 0 and counts[position] == 0:
            position -= 1
        if position < 0:
            break
        counts[position] -= 1
        i = items[order[position]]
        if has_rules:
            place(i, -1, rules, held, load)
        for r in range(n_resources):
            free[r] += requests[i, r]
        value -= values[i]
        position += 1
    return best, complete

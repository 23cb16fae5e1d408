"""Depth-first search of a knapsack under fixed multipliers: quick where they are nearly exact."""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.instance.device_packing import MOST_STEPS
from binwright_optimizer.pricing.kernels.rules import is_on_devices, place, room_for, room_in_sets

MOST_TRIMS = 2
"""Patterns of one search that are cut down to what devices hold; others of the kind are passed over."""
MOST_FAILED = 10
"""Patterns of one search that devices do not hold, before only first fit decreasing is tried on more."""


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
    has_devices = rules.devices.need.shape[0] > 0
    kept = np.empty(n if has_devices else 0, dtype=np.int64)
    failed = 0
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
                count = max(min(count, room_in_sets(i, rules, held, load, cap)), np.int64(0))
                place(i, count, rules, held, load)
            counts[position] = count
            if count > 0:
                for r in range(n_resources):
                    free[r] -= count * requests[i, r]
                value += count * values[i]
            position += 1
            visited += 1
        if value > best + slack:
            if not has_devices or is_on_devices(rules, held, cap, MOST_STEPS if failed < MOST_FAILED else 0):
                best = value
                for p in range(n):
                    chosen[order[p]] = counts[p] if p < position else 0
            elif failed < MOST_TRIMS:
                for p in range(position):
                    kept[p] = counts[p]
                    place(items[order[p]], -counts[p], rules, held, load)
                trimmed = _join(position, order, items, values, kept, rules, held, load, cap)
                for p in range(position):
                    place(items[order[p]], counts[p] - kept[p], rules, held, load)
                if trimmed > best + slack:
                    best = trimmed
                    for p in range(n):
                        chosen[order[p]] = kept[p] if p < position else 0
                failed += 1
            else:
                failed += 1
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
            place(i, np.int64(-1), rules, held, load)
        for r in range(n_resources):
            free[r] += requests[i, r]
        value -= values[i]
        position += 1
    return best, complete


@njit(cache=True, nogil=True)
def trim(n, items, shares, mu, values, counts, rules, held, load, cap):
    """Reduce ``counts`` (n,), which are not on the node yet, to what its devices hold; returns the worth.

    The most efficient items go first; the state is left as it was.
    """
    efficiency = np.empty(n)
    for k in range(n):
        weight = 0.0
        for r in range(shares.shape[1]):
            weight += mu[r] * shares[k, r]
        efficiency[k] = values[items[k]] / weight if weight > 0.0 else np.inf
    order = np.argsort(-efficiency)
    kept = np.empty(n, dtype=np.int64)
    for p in range(n):
        kept[p] = counts[order[p]]
    worth = _join(n, order, items, values, kept, rules, held, load, cap)
    for p in range(n):
        counts[order[p]] = kept[p]
        place(items[order[p]], -kept[p], rules, held, load)
    return worth


@njit(cache=True, nogil=True)
def _join(n, order, items, values, counts, rules, held, load, cap):
    """Place ``counts`` (n,), by position in ``order``, as far as they may join, and reduce them to that."""
    worth = 0.0
    for p in range(n):
        i = items[order[p]]
        if counts[p] > 0:
            counts[p] = room_for(i, counts[p], rules, held, load, cap)
            place(i, counts[p], rules, held, load)
            worth += counts[p] * values[i]
    return worth

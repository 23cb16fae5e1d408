"""Compiled: the best way to share a few pods out to nodes, by dynamic programming over parts of them.

The pods are a small multiset, of which every part has a number in mixed radix: so many pods of its first
class, of its second, and so on. Adding a pod of class ``k`` adds ``strides[k]`` to it, so that a part of a
part and what is left of it are a number and a difference.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MOST_KINDS = 12
"""Classes of the pods: three to the power of it exceeds `MOST_PAIRS`."""
MOST_PAIRS = 3_000
"""Pairs of a part and a part of it, at most: what the programme takes grows with them."""
UNEVEN = 0.5
"""How much waste counts less where it is on one node; below one, so that more waste never costs less."""
LEAST_GAIN = 1e-9
"""Dollars per hour that make a difference."""


@njit(cache=True, nogil=True)
def potential(price, worth):
    """What a node counts for: its price, less for waste of which there is much on it."""
    if price <= 0.0:
        return 0.0
    waste = max(price - worth, 0.0)
    return price - UNEVEN * waste * waste / price


@njit(cache=True, nogil=True)
def next_part(n_kinds, counts, digits):
    """Go on to the next part in mixed radix; returns its lowest digit that grew, -1 after the last."""
    k = 0
    while k < n_kinds and digits[k] == counts[k]:
        digits[k] = 0
        k += 1
    if k == n_kinds:
        return -1
    digits[k] += 1
    return k


@njit(cache=True, nogil=True)
def add_up(n_kinds, kinds, counts, strides, values, requests, loads, worth):
    """Requests and worth of every part; returns the number of parts."""
    n_parts = 1
    for k in range(n_kinds):
        strides[k] = n_parts
        n_parts *= counts[k] + 1
    loads[0, :] = 0
    worth[0] = 0.0
    digits = np.zeros(MOST_KINDS, dtype=np.int64)
    for s in range(1, n_parts):
        k = next_part(n_kinds, counts, digits)
        before = s - strides[k]
        i = kinds[k]
        for r in range(requests.shape[1]):
            loads[s, r] = loads[before, r] + requests[i, r]
        worth[s] = worth[before] + values[i]
    return n_parts


@njit(cache=True, nogil=True)
def holds(j, load, base_load, allocatable, compatible, n_kinds, kinds, digits, n_base, base_kinds):
    """Whether candidate ``j`` holds a part on top of what stays."""
    for r in range(allocatable.shape[1]):
        if load[r] + base_load[r] > allocatable[j, r]:
            return False
    for k in range(n_kinds):
        if digits[k] > 0 and not compatible[j, kinds[k]]:
            return False
    is_allowed = True
    for b in range(n_base):
        is_allowed &= compatible[j, base_kinds[b]]
    return is_allowed


@njit(cache=True, nogil=True)
def price_parts(
    n_parts, n_kinds, kinds, counts, strides, loads, worth, n_base, base_kinds, base_counts, base_load,
    base_worth, choices, price, allocatable, compatible, node_cap, is_allowed, places, holder, cost,
):  # fmt: skip
    """The cheapest of ``choices`` that holds each part on top of what stays, and what it counts for.

    Parameters
    ----------
    is_allowed
        bool array (s,): parts that node rules allow there.
    choices
        intp array: candidates, the cheapest first. A part goes nowhere cheaper than a part of it.
    places, holder, cost
        int64 (s,), int64 (s,), float64 (s,): receive positions in ``choices``, candidates or -1, and what the
        nodes count for.
    """
    most = np.empty(MOST_KINDS, dtype=np.int64)
    for k in range(n_kinds):
        most[k] = node_cap[kinds[k]]
        for b in range(n_base):
            if base_kinds[b] == kinds[k]:
                most[k] -= base_counts[b]
    digits = np.zeros(MOST_KINDS, dtype=np.int64)
    for s in range(n_parts):
        q = 0
        is_within = is_allowed[s]
        if s > 0:
            next_part(n_kinds, counts, digits)
        for k in range(n_kinds):
            if digits[k] > 0:
                q = max(q, places[s - strides[k]])
                is_within &= digits[k] <= most[k]
        if not is_within:
            q = len(choices)
        while q < len(choices) and not holds(
            choices[q], loads[s], base_load, allocatable, compatible, n_kinds, kinds, digits, n_base,
            base_kinds,
        ):  # fmt: skip
            q += 1
        places[s] = q
        if q < len(choices):
            holder[s] = choices[q]
            cost[s] = potential(price[choices[q]], worth[s] + base_worth)
        else:
            holder[s] = -1
            cost[s] = np.inf


@njit(cache=True, nogil=True)
def share_out(n_parts, n_kinds, counts, strides, cost, best, taken):
    """The best nodes for each part, all of them new; nothing costs nothing.

    Parameters
    ----------
    best, taken
        float64 (s,), int64 (s,): receive what the best nodes count for, and the part on the first of them.
    """
    best[0] = 0.0
    taken[0] = 0
    digits = np.zeros(MOST_KINDS, dtype=np.int64)
    within = np.zeros(MOST_KINDS, dtype=np.int64)
    for s in range(1, n_parts):
        next_part(n_kinds, counts, digits)
        low = 0
        while digits[low] == 0:
            low += 1
        best[s] = cost[s]
        taken[s] = s
        within[:n_kinds] = 0
        within[low] = 1
        t = strides[low]  # some node has the first pod of the part: look at its part only
        while True:
            if cost[t] + best[s - t] < best[s] - LEAST_GAIN:
                best[s] = cost[t] + best[s - t]
                taken[s] = t
            k = low
            while k < n_kinds and within[k] == digits[k]:
                least = 1 if k == low else 0
                t -= (within[k] - least) * strides[k]
                within[k] = least
                k += 1
            if k == n_kinds:
                break
            within[k] += 1
            t += strides[k]


@njit(cache=True, nogil=True)
def share_with(n_parts, n_kinds, counts, strides, cost, before, best, taken):
    """The best for each part if one more node takes a part of it on top of what it keeps.

    Parameters
    ----------
    before
        float64 (s,): the same without that node.
    """
    digits = np.zeros(MOST_KINDS, dtype=np.int64)
    within = np.zeros(MOST_KINDS, dtype=np.int64)
    for s in range(n_parts):
        if s > 0:
            next_part(n_kinds, counts, digits)
        best[s] = np.inf
        taken[s] = 0
        within[:n_kinds] = 0
        t = 0
        while True:
            if cost[t] + before[s - t] < best[s]:
                best[s] = cost[t] + before[s - t]
                taken[s] = t
            k = 0
            while k < n_kinds and within[k] == digits[k]:
                t -= within[k] * strides[k]
                within[k] = 0
                k += 1
            if k == n_kinds:
                break
            within[k] += 1
            t += strides[k]


@njit(cache=True, nogil=True)
def add_part(t, n_kinds, kinds, strides, pattern):
    """Add the pods of a part to a pattern."""
    for k in range(n_kinds - 1, -1, -1):
        count = t // strides[k]
        t -= count * strides[k]
        pattern[kinds[k]] += count

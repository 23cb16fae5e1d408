"""Compiled heuristics: price-driven greedy covering, and moving a node's pods to a cheaper one."""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.depth_first import pack
from binwright_optimizer.pricing.kernels.relaxation import relax
from binwright_optimizer.pricing.kernels.rounding import round_down
from binwright_optimizer.pricing.kernels.sweep import gather

NARROW_FROM = 600
"""Items from which a knapsack is narrowed to those that are efficient."""
NODES_KEPT, LEAST_KEPT = 3.0, 100
"""Nodes that the items kept could fill, and fewest items."""
WORTH_KEPT = 0.8
"""Of what a node was worth when last looked at: a narrowed knapsack that is worth less is solved whole."""
BINS, TOP = 128, 16.0
"""Bins in which efficiencies are counted, and the efficiency from which they are all alike."""
FREE = 1e-9
"""Stands for a cost of zero in a ratio, dollars per hour."""


@njit(cache=True, nogil=True)
def cover(
    values, demand, price, discount, minimum_of, requests, allocatable, compatible,
    multipliers, supply, use, room, missing, max_nodes, out_candidate, out_count, out_pattern, node_cap,
    rules, flag, out_looks,
):  # fmt: skip
    """Cover the demand by patterns of best worth per dollar; returns the number of columns used.

    Parameters
    ----------
    values
        float64 array (i,): worth of one pod.
    demand, supply, room, missing
        int64 arrays, reduced in place: pods left per class, nodes left per candidate, room left
        per limit row, nodes still missing per minimum row.
    discount
        float64 array (j,): dollars off a node while the minimum of its pool is not met.
    minimum_of
        int64 array (j,): minimum row of the candidate's pool, or -1.
    out_candidate, out_count, out_pattern
        int64 (p,), int64 (p,), int32 (p, i): receive the columns.
    node_cap, rules
        int64 array (i,): most pods of a class on one node; `NodeRules`, which every pattern obeys.
    flag
        uint8 array (1,): ends the cover, which then lacks something, when it is set.
    out_looks
        int64 array (1,): receives how many classes its knapsacks looked at.

    Notes
    -----
    Ratios only matter when they are the largest, so a candidate is priced again only when its
    last known ratio comes out on top (lazy greedy).
    """
    n_candidates, n_classes = compatible.shape
    n_resources = requests.shape[1]
    items = np.empty(n_classes, dtype=np.int64)
    limits = np.empty(n_classes, dtype=np.int64)
    shares = np.empty((n_classes, n_resources))
    chosen = np.empty(n_classes, dtype=np.int64)
    primal = np.empty(n_classes)
    balanced = np.empty(n_classes, dtype=np.int64)
    efficiency = np.empty(n_classes)
    caps = np.empty(n_classes, dtype=np.int64)
    held = np.zeros(n_classes, dtype=np.int64)
    load = np.zeros(rules.cap.shape[0], dtype=np.int64)
    cap = np.zeros(rules.cap.shape[0], dtype=np.int64)
    best_pattern = np.zeros((n_candidates, n_classes), dtype=np.int32)
    ratio = np.full(n_candidates, np.inf)
    stamp = np.full(n_candidates, -1, dtype=np.int64)
    step = 0
    used = 0
    out_looks[0] = 0
    while used < out_candidate.shape[0] and flag[0] == 0:
        j = np.int64(-1)
        top = 0.0
        for c in range(n_candidates):
            if ratio[c] > top:
                top = ratio[c]
                j = c
        if j < 0:
            break
        if stamp[j] != step:
            stamp[j] = step
            allowed = supply[j] > 0
            for k in range(room.shape[0]):
                if use[j, k] > room[k]:
                    allowed = False
            if not allowed:
                ratio[j] = 0.0
                continue
            for i in range(n_classes):
                caps[i] = min(demand[i], node_cap[i])
            out_looks[0] += n_classes
            n = gather(
                j, values, caps, requests, allocatable, compatible, items, limits, shares, rules, held,
                load, cap,
            )  # fmt: skip
            if n == 0:
                ratio[j] = 0.0
                continue
            cost = price[j]
            if minimum_of[j] >= 0 and missing[minimum_of[j]] > 0:
                cost -= discount[j]
            cost = max(cost, FREE)
            kept = n
            if n >= NARROW_FROM and ratio[j] < np.inf:
                kept = narrow(n, items, limits, shares, values, multipliers[j], efficiency)
            value = _fill_node(
                kept, items, limits, shares, values, requests, allocatable[j], multipliers[j], primal,
                max_nodes, chosen, balanced, rules, held, load, cap,
            )  # fmt: skip
            if kept < n and value < WORTH_KEPT * ratio[j] * cost:
                # too much was left out, or the best is gone: only all of them tell
                out_looks[0] += n_classes
                kept = gather(
                    j, values, caps, requests, allocatable, compatible, items, limits, shares, rules, held,
                    load, cap,
                )  # fmt: skip
                value = _fill_node(
                    kept, items, limits, shares, values, requests, allocatable[j], multipliers[j], primal,
                    max_nodes, chosen, balanced, rules, held, load, cap,
                )  # fmt: skip
            ratio[j] = value / cost
            best_pattern[j, :] = 0
            for k in range(kept):
                best_pattern[j, items[k]] = chosen[k]
            continue
        count = supply[j]
        for i in range(n_classes):
            if best_pattern[j, i] > 0:
                count = min(count, demand[i] // best_pattern[j, i])
        for k in range(room.shape[0]):
            if use[j, k] > 0:
                count = min(count, room[k] // use[j, k])
        m = minimum_of[j]
        if m >= 0 and missing[m] > 0:
            count = min(count, missing[m])
        for i in range(n_classes):
            demand[i] -= count * best_pattern[j, i]
        for k in range(room.shape[0]):
            room[k] -= count * use[j, k]
        supply[j] -= count
        out_candidate[used] = j
        out_count[used] = count
        out_pattern[used] = best_pattern[j]
        used += 1
        step += 1
        if m >= 0 and missing[m] > 0:
            missing[m] -= count
            if missing[m] == 0:
                for c in range(n_candidates):
                    if minimum_of[c] == m:
                        ratio[c] = np.inf if ratio[c] > 0.0 else 0.0
    return used


@njit(cache=True, nogil=True)
def _fill_node(
    n, items, limits, shares, values, requests, room, mu, primal, max_nodes, chosen, balanced, rules, held,
    load, cap,
):  # fmt: skip
    """Fill ``chosen`` (n,) with a good pattern and ``mu`` with the prices of resources; returns its worth."""
    relax(n, items, limits, shares, values, np.ones(shares.shape[1]), mu, primal)
    chosen[:n] = 0
    value, complete = pack(
        n, items, limits, shares, values, requests, room, room, mu, 0.0, 1e-12, max_nodes, chosen, rules,
        held, load, cap,
    )  # fmt: skip
    if not complete:
        rounded = round_down(
            n, items, limits, shares, values, requests, room, mu, primal, balanced, rules, held, load, cap
        )
        if rounded > value:
            value = rounded
            chosen[:n] = balanced[:n]
    return value


@njit(cache=True, nogil=True)
def narrow(n, items, limits, shares, values, mu, efficiency):
    """Keep the items that are most efficient at ``mu``, enough for several nodes; returns their number.

    Enough in every resource that has a price: the few pods with a GPU must not be lost among hundreds
    without, whose efficiency is a little higher. Efficiencies are counted in bins: sorting them is what takes
    time where there are many items.

    Parameters
    ----------
    items, limits, shares
        int64 (n,), int64 (n,), float64 (n, r): those kept move to the front, in their order.
    mu
        float64 array (r,): prices of the resources of a node.
    efficiency
        float64 array (n,): scratch.
    """
    n_resources = shares.shape[1]
    least, most = np.inf, 0.0
    for k in range(n):
        weight = 1e-12
        for r in range(n_resources):
            weight += mu[r] * shares[k, r]
        efficiency[k] = min(values[items[k]] / weight, TOP)
        least = min(least, efficiency[k])
        most = max(most, efficiency[k])
    if most <= least:
        return n
    taken = np.zeros((BINS, n_resources))
    counts = np.zeros(BINS, dtype=np.int64)
    scale = BINS / (most - least)
    for k in range(n):
        b = min(np.int64((efficiency[k] - least) * scale), BINS - 1)
        counts[b] += 1
        for r in range(n_resources):
            taken[b, r] += limits[k] * shares[k, r]
    b, count = BINS, 0
    nodes = np.zeros(n_resources)
    is_enough = False
    while b > 0 and not is_enough:
        b -= 1
        count += counts[b]
        is_enough = count >= LEAST_KEPT
        for r in range(n_resources):
            nodes[r] += taken[b, r]
            is_enough &= nodes[r] >= NODES_KEPT or mu[r] <= 0.0
    kept = np.int64(0)
    for k in range(n):
        if np.int64((efficiency[k] - least) * scale) >= b:
            items[kept] = items[k]
            limits[kept] = limits[k]
            for r in range(n_resources):
                shares[kept, r] = shares[k, r]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def cheapest_holder(pattern, order, requests, allocatable, compatible, blocked):
    """First candidate in ``order`` that holds the pattern and is not blocked; -1 if none."""
    n_classes, n_resources = requests.shape
    load = np.zeros(n_resources, dtype=np.int64)
    for i in range(n_classes):
        if pattern[i] > 0:
            for r in range(n_resources):
                load[r] += pattern[i] * requests[i, r]
    for j in order:
        if blocked[j]:
            continue
        fits = True
        for r in range(n_resources):
            if load[r] > allocatable[j, r]:
                fits = False
                break
        if fits:
            for i in range(n_classes):
                if pattern[i] > 0 and not compatible[j, i]:
                    fits = False
                    break
        if fits:
            return j
    return -1

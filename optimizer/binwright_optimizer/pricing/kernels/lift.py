"""Coordinate ascent on feasible dual prices: raise one class after the other as far as patterns allow.

Scaling duals until no pattern is worth more than its node costs every class what only the classes
of the worst pattern need to give up. Raising the others again, one at a time, recovers that: class
``i`` may go up until the best pattern with at least one of its pods is worth as much as the node.
The result is a maximal dual feasible point: none of its prices can go up alone. Each pattern that
stops a class is a column that the master lacks, and there is about one for every class, where a
sweep finds one for every candidate.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.depth_first import pack
from binwright_optimizer.pricing.kernels.relaxation import relax
from binwright_optimizer.pricing.kernels.room_table import (
    MOST_CELLS,
    NOT_LOOKED,
    most_price,
    offer,
    open_table,
)
from binwright_optimizer.pricing.kernels.rules import begin, place, room_for, room_in_sets
from binwright_optimizer.pricing.kernels.table import MOST_AXES

MOST_CUTS = 12
"""Patterns of one candidate that may lower one class before it is left where it is."""
MOST_LOOKS = 400_000
"""Looks at classes in relaxations after which a lift leaves the rest where it is: about half a second."""
LEAST_RAISE = 1e-6
"""Raises below this share of the price are not worth a search."""


@njit(cache=True, nogil=True)
def fits(caps, requests, allocatable, compatible, rules):
    """Most pods of each class alone on each candidate: int64 array (j, i)."""
    n_candidates, n_classes = compatible.shape
    most = np.zeros((n_candidates, n_classes), dtype=np.int64)
    held = np.zeros(n_classes, dtype=np.int64)
    load = np.zeros(rules.cap.shape[0], dtype=np.int64)
    cap = np.zeros(rules.cap.shape[0], dtype=np.int64)
    for j in range(n_candidates):
        begin(rules, j, held, load, cap)
        for i in range(n_classes):
            if compatible[j, i]:
                count = caps[i]
                for r in range(requests.shape[1]):
                    if requests[i, r] > 0:
                        count = min(count, allocatable[j, r] // requests[i, r])
                most[j, i] = room_for(i, count, rules, held, load, cap)
    return most


@njit(cache=True, nogil=True)
def lift(
    order, targets, values, costs, most, requests, allocatable, multipliers, bounds, max_nodes, halt,
    candidates, patterns, rules, out_looks,
):  # fmt: skip
    """Raise ``values`` in place; returns how many columns were met on the way.

    Parameters
    ----------
    order
        int64 array (o,): classes in the order in which they are raised.
    targets, values
        float64 arrays (i,): prices beyond which a class is not raised; dual feasible prices.
    costs, bounds
        float64 arrays (j,): what a pattern may be worth; an upper bound on what any pattern is
        worth, at most ``costs``, raised in place.
    most
        int64 array (j, i): see `fits`.
    multipliers
        float64 array (j, r): of the candidates' relaxations, improved in place.
    max_nodes
        Depth-first nodes per search; a class is raised less where that is too few.
    candidates, patterns
        int64 array (p,), int32 array (p, i): receive columns worth more than their cost.
    rules
        `NodeRules`, which every pattern obeys.
    out_looks
        int64 array (1,): receives how many classes relaxations looked at.
    """
    n_candidates, n_classes = most.shape
    n_resources = requests.shape[1]
    items = np.empty(n_classes, dtype=np.int64)
    limits = np.empty(n_classes, dtype=np.int64)
    shares = np.empty((n_classes, n_resources))
    primal = np.empty(n_classes)
    chosen = np.empty(n_classes, dtype=np.int64)
    room = np.empty(n_resources, dtype=np.int64)
    free = np.empty(n_resources)
    held = np.zeros(n_classes, dtype=np.int64)
    load = np.zeros(rules.cap.shape[0], dtype=np.int64)
    cap = np.zeros(rules.cap.shape[0], dtype=np.int64)
    screen = np.empty(n_candidates)  # Lagrangian bound of the whole candidate
    for j in range(n_candidates):
        screen[j] = _lagrangian(j, most, values, requests, allocatable, multipliers)
    start = np.full(n_candidates, NOT_LOOKED, dtype=np.int64)  # of each candidate's table
    size = np.empty((n_candidates, MOST_AXES), dtype=np.int64)
    step = np.empty((n_candidates, MOST_AXES), dtype=np.int64)
    resource = np.empty((n_candidates, MOST_AXES), dtype=np.int64)
    tables, filled = np.empty(MOST_CELLS), np.int64(0)
    used = 0
    looks = 0
    for i in order:
        if looks > MOST_LOOKS:
            break
        base = values[i]
        delta = targets[i] - base
        for j in range(n_candidates):
            if most[j, i] > 0:
                delta = min(delta, costs[j] / most[j, i] - base)
        for j in range(n_candidates):
            if delta <= LEAST_RAISE * base or halt[0] != 0:
                delta = 0.0
                break
            if most[j, i] == 0:
                continue
            if bounds[j] + delta * most[j, i] <= costs[j]:
                bounds[j] += delta * most[j, i]
                continue
            weight = _weight(i, j, requests, allocatable, multipliers)
            surplus = most[j, i] * (max(0.0, base + delta - weight) - max(0.0, base - weight))
            upper = screen[j] + surplus + min(0.0, base + delta - weight)
            if upper <= costs[j]:
                bounds[j] = max(bounds[j], upper)
                continue
            n, own = _beside(
                i, j, most, values, requests, allocatable, items, limits, shares, room, free, rules, held,
                load, cap,
            )  # fmt: skip
            for _ in range(MOST_CUTS):
                looks += n
                values[i] = base + delta
                floor = costs[j] - values[i]
                upper = relax(n, items, limits, shares, values, free, multipliers[j], primal)
                if upper <= floor:
                    break
                chosen[:n] = 0
                value, complete = pack(
                    n, items, limits, shares, values, requests, allocatable[j], room, multipliers[j],
                    floor, 1e-9 * costs[j], max_nodes, chosen, rules, held, load, cap,
                )  # fmt: skip
                if value <= floor:
                    if not complete:  # patterns with the class are worth at most this: lower it
                        lowered = delta - (upper - floor)
                        if start[j] == NOT_LOOKED:
                            values[i] = base
                            start[j], filled = open_table(
                                most[j], values, requests, allocatable[j], multipliers[j], resource[j],
                                size[j], step[j], tables[filled:], filled,
                            )  # fmt: skip
                        if start[j] >= 0:
                            price = most_price(
                                i, most[j, i], costs[j], requests, resource[j], size[j], step[j],
                                tables[start[j] :],
                            )  # fmt: skip
                            lowered = max(lowered, min(delta, price - base))
                        delta = lowered
                    break
                if used < candidates.shape[0]:
                    candidates[used] = j
                    patterns[used, :] = 0
                    for k in range(n):
                        patterns[used, items[k]] = chosen[k]
                    patterns[used, i] += 1
                    used += 1
                delta -= (value - floor) / (1 + (chosen[own] if own >= 0 else 0))
                if delta <= LEAST_RAISE * base:
                    break
            else:
                delta = 0.0
            values[i] = base
            bounds[j] = costs[j]
            screen[j] = _lagrangian(j, most, values, requests, allocatable, multipliers)
        if delta <= LEAST_RAISE * base:
            continue
        delta *= 1.0 - 1e-9  # searches overlook as much
        values[i] = base + delta
        for j in range(n_candidates):
            if most[j, i] > 0:
                weight = _weight(i, j, requests, allocatable, multipliers)
                screen[j] += most[j, i] * (max(0.0, values[i] - weight) - max(0.0, base - weight))
                if start[j] >= 0:
                    offer(
                        i, values[i], most[j, i], requests, resource[j], size[j], step[j], tables[start[j] :]
                    )
    out_looks[0] = looks
    return used


@njit(cache=True, nogil=True)
def _weight(i, j, requests, allocatable, multipliers):
    """What the resources of one pod cost at the multipliers."""
    total = 0.0
    for r in range(requests.shape[1]):
        if requests[i, r] > 0:
            total += multipliers[j, r] * requests[i, r] / allocatable[j, r]
    return total


@njit(cache=True, nogil=True)
def _lagrangian(j, most, values, requests, allocatable, multipliers):
    """The Lagrangian bound on the worth of a pattern."""
    total = multipliers[j].sum()
    for i in range(values.shape[0]):
        if most[j, i] > 0 and values[i] > 0.0:
            worth = values[i] - _weight(i, j, requests, allocatable, multipliers)
            if worth > 0.0:
                total += most[j, i] * worth
    return total


@njit(cache=True, nogil=True)
def _beside(
    i, j, most, values, requests, allocatable, items, limits, shares, room, free, rules, held, load, cap
):  # fmt: skip
    """The knapsack beside one pod of class ``i``: number of items, and the position of ``i`` itself."""
    n_resources = requests.shape[1]
    has_rules = rules.cap.shape[0] > 0
    if has_rules:
        begin(rules, j, held, load, cap)
        place(i, np.int64(1), rules, held, load)
    for r in range(n_resources):
        room[r] = allocatable[j, r] - requests[i, r]
        free[r] = room[r] / allocatable[j, r] if allocatable[j, r] > 0 else 0.0
    n = np.int64(0)
    own = np.int64(-1)
    for k in range(values.shape[0]):
        count = most[j, k]
        if count == 0 or (values[k] <= 0.0 and k != i):
            continue
        if k == i:
            count -= 1
        for r in range(n_resources):
            if requests[k, r] > 0:
                count = min(count, room[r] // requests[k, r])
        if has_rules:
            count = min(count, room_in_sets(k, rules, held, load, cap))
        if count <= 0:
            continue
        if k == i:
            own = n
        items[n] = k
        limits[n] = count
        for r in range(n_resources):
            shares[n, r] = requests[k, r] / allocatable[j, r] if requests[k, r] > 0 else 0.0
        n += 1
    return n, own

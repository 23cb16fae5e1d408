"""Neighbours of patterns: up to two pods out, up to two others in.

The master's own patterns are worth exactly their nodes at its duals. Each one's best neighbour is another
direction in which the master may improve, where the best pattern of all, a long search for nodes of a
handful of large pods, is one.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.instance.device_packing import MOST_STEPS
from binwright_optimizer.pricing.kernels.rules import begin, is_on_devices, place, room_in_sets

MOST_LOOKS = 8_000
"""Exchanges of one pattern looked at, at most."""
LOOKS_PER_US = 200
"""Exchanges looked at in about a microsecond."""
NOBODY = -1


@njit(cache=True, nogil=True)
def best_neighbours(
    candidates, patterns, values, costs, caps, requests, allocatable, compatible, tolerance, rules, found
):  # fmt: skip
    """Replace each pattern by its best neighbour, where that is worth more than its node costs.

    Parameters
    ----------
    candidates, patterns
        intp array (p,), int32 array (p, i); the patterns are overwritten.
    values, costs
        float64 arrays (i,), (j,): dual prices; what a pattern must be worth more than.
    caps
        int64 array (i,): most pods of a class in one pattern.
    compatible
        bool array (j, i), by candidate.
    tolerance
        Patterns that beat their cost by less than this share of it do not count.
    rules
        `NodeRules`, which the patterns and their neighbours obey.
    found
        bool array (p,): receives whether there is such a neighbour.

    Returns
    -------
    Exchanges looked at.
    """
    n_classes, n_resources = requests.shape
    by_value = np.argsort(-values)
    room = np.empty(n_resources, dtype=np.int64)
    left = np.empty(n_resources, dtype=np.int64)
    held = np.zeros(n_classes, dtype=np.int64)
    load = np.zeros(rules.cap.shape[0], dtype=np.int64)
    cap = np.zeros(rules.cap.shape[0], dtype=np.int64)
    has_rules = rules.cap.shape[0] > 0
    looks = np.int64(0)
    for c in range(candidates.shape[0]):
        j = candidates[c]
        pattern = patterns[c]
        present = np.flatnonzero(pattern)
        free = allocatable[j].copy()
        worth = 0.0
        if has_rules:
            begin(rules, j, held, load, cap)
        for i in present:
            worth += pattern[i] * values[i]
            for r in range(n_resources):
                free[r] -= pattern[i] * requests[i, r]
            if has_rules:
                place(i, np.int64(pattern[i]), rules, held, load)
        gain = max(costs[j] * (1.0 + tolerance) + 1e-12 - worth, 1e-12)
        best = (NOBODY, NOBODY, NOBODY, NOBODY)
        enough = looks + MOST_LOOKS
        for q in range(-1, present.shape[0]):  # one pod out, or none, before any two
            y = present[q] if q >= 0 else NOBODY
            for p in range(q, present.shape[0]):
                x = present[p] if p >= 0 else NOBODY
                if looks > enough or (x == y and x >= 0 and pattern[x] < 2):
                    continue
                lost = 0.0
                room[:] = free
                for out in (x, y):
                    if out >= 0:
                        lost += values[out]
                        for r in range(n_resources):
                            room[r] += requests[out, r]
                for at in range(n_classes):
                    a = by_value[at]
                    looks += 1
                    if values[a] <= 0.0 or 2.0 * values[a] - lost <= gain:
                        break
                    if not compatible[j, a] or a in (x, y) or pattern[a] >= caps[a]:
                        continue
                    fits = True
                    for r in range(n_resources):
                        left[r] = room[r] - requests[a, r]
                        if left[r] < 0:
                            fits = False
                            break
                    if not fits:
                        continue
                    if values[a] - lost > gain and (
                        not has_rules or _is_allowed(x, y, a, NOBODY, rules, held, load, cap)
                    ):
                        gain = values[a] - lost
                        best = (x, y, a, NOBODY)
                    for bt in range(at, n_classes):
                        b = by_value[bt]
                        looks += 1
                        if values[b] <= 0.0 or values[a] + values[b] - lost <= gain:
                            break
                        if not compatible[j, b] or b in (x, y):
                            continue
                        if pattern[b] + (2 if a == b else 1) > caps[b]:
                            continue
                        fits = True
                        for r in range(n_resources):
                            if requests[b, r] > left[r]:
                                fits = False
                                break
                        if fits and (not has_rules or _is_allowed(x, y, a, b, rules, held, load, cap)):
                            gain = values[a] + values[b] - lost
                            best = (x, y, a, b)
        x, y, a, b = best
        found[c] = a >= 0
        for i, change in ((x, -1), (y, -1), (a, 1), (b, 1)):
            if i >= 0:
                pattern[i] += change
    return looks


@njit(cache=True, nogil=True)
def _is_allowed(x, y, a, b, rules, held, load, cap):
    """Whether the rules allow the pods placed without ``x`` and ``y`` but with ``a`` and ``b``."""
    for out in (x, y):
        if out >= 0:
            place(out, np.int64(-1), rules, held, load)
    allowed = room_in_sets(a, rules, held, load, cap) >= 1
    place(a, np.int64(1), rules, held, load)
    if b >= 0:
        allowed = allowed and room_in_sets(b, rules, held, load, cap) >= 1
        place(b, np.int64(1), rules, held, load)
    allowed = allowed and is_on_devices(rules, held, cap, MOST_STEPS)
    for i in (a, b):
        if i >= 0:
            place(i, np.int64(-1), rules, held, load)
    for out in (x, y):
        if out >= 0:
            place(out, np.int64(1), rules, held, load)
    return allowed

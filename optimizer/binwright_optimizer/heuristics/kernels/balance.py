"""Compiled: nodes filled one after the other with pods that go along the room that is left."""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.rules import begin, place, room_in_sets

DOT, DISTANCE, COSINE = 0, 1, 2


@njit(cache=True, nogil=True)
def balance(
    rule, kinds, price, requests, allocatable, compatible, values, left, supply, node_cap, rules,
    out_candidate, out_count, out_pattern, flag, looks,
):  # fmt: skip
    """Fill nodes, always the one whose pods are worth most for its price; the number of columns used.

    Parameters
    ----------
    rule
        `DOT`, `DISTANCE` or `COSINE`.
    kinds, price
        int64 (c,) and float64 (c,): candidates that may be bought, and their prices, all positive.
    values
        float64 (i,): worth of one pod.
    left, supply
        int64 (i,) and (j,): pods to be placed and nodes to be had, reduced in place.
    out_candidate, out_count, out_pattern
        int64 (q,), int64 (q,), int32 (q, i), the last zeros: receive the columns, as far as there is room.
    flag
        uint8 (1,): ends it, with pods left over.
    looks
        int64 (1,): how many classes were looked at.
    """
    n_classes, n_resources = requests.shape
    total, weight = np.empty(n_resources), np.empty(n_resources)
    held = np.zeros(n_classes, dtype=np.int64)
    best_held = np.zeros(n_classes, dtype=np.int64)
    load = np.zeros(rules.cap.shape[0], dtype=np.int64)
    cap = np.zeros(rules.cap.shape[0], dtype=np.int64)
    free = np.empty(n_resources, dtype=np.int64)
    used = 0
    while used < out_candidate.shape[0] and not flag[0]:
        for r in range(n_resources):
            total[r] = 0.0
            for i in range(n_classes):
                total[r] += float(left[i]) * requests[i, r]
        best, most = -1, 0.0
        for c in range(kinds.shape[0]):
            j = kinds[c]
            if supply[j] < 1:
                continue
            _weigh(total, allocatable[j], weight)
            held[:] = 0
            if rules.cap.shape[0] > 0:
                begin(rules, j, held, load, cap)
            free[:] = allocatable[j]
            worth = 0.0
            while True:
                i = _next(
                    rule,
                    j,
                    requests,
                    allocatable[j],
                    compatible,
                    left,
                    node_cap,
                    rules,
                    held,
                    load,
                    cap,
                    free,
                    weight,
                )
                looks[0] += n_classes
                if i < 0:
                    break
                if rules.cap.shape[0] > 0:
                    place(i, np.int64(1), rules, held, load)
                else:
                    held[i] += 1
                free -= requests[i]
                worth += values[i]
            if worth > most * price[c]:
                best, most = c, worth / price[c]
                best_held[:] = held
        if best < 0:
            break
        alike = supply[kinds[best]]
        for i in range(n_classes):
            if best_held[i] > 0:
                alike = min(alike, left[i] // best_held[i])
        for i in range(n_classes):
            left[i] -= alike * best_held[i]
            out_pattern[used, i] = best_held[i]
        supply[kinds[best]] -= alike
        out_candidate[used] = kinds[best]
        out_count[used] = alike
        used += 1
    return used


@njit(cache=True, nogil=True)
def _weigh(total, allocatable, weight):
    """How scarce each resource is: what is left to be placed of it, in nodes, as a share of the scarcest."""
    largest = 0.0
    for r in range(weight.shape[0]):
        weight[r] = total[r] / max(1, allocatable[r])
        largest = max(largest, weight[r])
    if largest > 0.0:
        weight /= largest


@njit(cache=True, nogil=True)
def _next(rule, j, requests, allocatable, compatible, left, node_cap, rules, held, load, cap, free, weight):
    """The class that goes best with the room that is free, or -1."""
    best, most = -1, -np.inf
    for i in range(left.shape[0]):
        if held[i] >= left[i] or held[i] >= node_cap[i] or not compatible[i, j]:
            continue
        fits = True
        along, apart, size = 0.0, 0.0, 0.0
        for r in range(weight.shape[0]):
            if requests[i, r] > free[r]:
                fits = False
                break
            room = max(1, allocatable[r])
            need, left_over = requests[i, r] / room, free[r] / room
            along += weight[r] * need * left_over
            apart += weight[r] * (left_over - need) ** 2
            size += weight[r] * need**2
        if not fits:
            continue
        score = (
            along
            if rule == DOT
            else -apart
            if rule == DISTANCE
            else along / np.sqrt(size)
            if size > 0
            else 0.0
        )
        if score > most and (rules.cap.shape[0] == 0 or room_in_sets(i, rules, held, load, cap) >= 1):
            best, most = i, score
    return best

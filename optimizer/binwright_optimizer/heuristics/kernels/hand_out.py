"""Compiled: the places that a packing of groups of classes has, handed out to pods of their members."""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.rules import begin, place, room_for


@njit(cache=True, nogil=True)
def hand_out(
    candidates, counts, patterns, start, member, urgency, left, node_cap, rules, out_candidate, out_count,
    out_pattern,
):  # fmt: skip
    """Give the places on each node to pods of the groups; returns the number of columns used.

    A place goes to the class of its group with the most urgent pods left of those that rules allow on the
    node; where there is none it stays empty. What is found for one node is repeated as often as there are
    such nodes and pods left.

    Parameters
    ----------
    candidates, counts, patterns
        intp (p,), int64 (p,) and int32 (p, g): the packing of groups, in the order in which it is filled.
    start, member
        int64 (g + 1,), int64 (m,): classes of each group.
    urgency
        float64 array (i,): by which the pods left of a class are multiplied.
    left
        int64 array (i,): pods of each class, reduced in place.
    out_candidate, out_count, out_pattern
        int64 (q,), int64 (q,), int32 (q, i), the last zeros: receive the columns, as far as there is room.
    """
    n_classes = left.shape[0]
    held = np.zeros(n_classes, dtype=np.int64)
    load = np.zeros(rules.cap.shape[0], dtype=np.int64)
    cap = np.zeros(rules.cap.shape[0], dtype=np.int64)
    chosen = np.empty(n_classes, dtype=np.int64)
    has_rules = rules.cap.shape[0] > 0
    used = 0
    for p in range(candidates.shape[0]):
        nodes = counts[p]
        while nodes > 0 and used < out_candidate.shape[0]:
            if has_rules:
                begin(rules, candidates[p], held, load, cap)
            n = 0
            for g in range(patterns.shape[1]):
                for _ in range(patterns[p, g]):
                    best, most = -1, 0.0
                    for at in range(start[g], start[g + 1]):
                        i = member[at]
                        wanted = (left[i] - held[i]) * urgency[i]
                        if wanted <= most or held[i] >= node_cap[i]:
                            continue
                        if has_rules and room_for(i, np.int64(1), rules, held, load, cap) < 1:
                            continue
                        best, most = i, wanted
                    if best < 0:
                        break
                    if held[best] == 0:
                        chosen[n] = best
                        n += 1
                    if has_rules:
                        place(best, np.int64(1), rules, held, load)
                    else:
                        held[best] += 1
            if n == 0:
                break
            alike = nodes
            for c in range(n):
                alike = min(alike, left[chosen[c]] // held[chosen[c]])
            for c in range(n):
                i = chosen[c]
                left[i] -= alike * held[i]
                out_pattern[used, i] = held[i]
                held[i] = 0
            out_candidate[used] = candidates[p]
            out_count[used] = alike
            used += 1
            nodes -= alike
    return used

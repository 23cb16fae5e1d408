"""Relaxed patterns: parts of contents of GPUs that fill nodes as the linear relaxation over contents does.

A node of eight GPUs is a knapsack that no search closes in time, but its relaxation is solved at once. What
solves it is a point of a polytope that holds every pattern, so that prices under which no such point is worth
more than its node are dual feasible, and proven by a relaxation alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.device_contents import open_relaxed, relax_contents
from binwright_optimizer.pricing.kernels.sweep import gather

NOTHING = -1.0
"""Every relaxation is worth more."""


@njit(cache=True, nogil=True)
def relaxed_patterns(
    candidates, values, caps, requests, allocatable, compatible, multipliers, halt, rules, patterns
):  # fmt: skip
    """Solve the relaxations of candidates with several GPUs, none of them cut by MIG.

    Parameters
    ----------
    candidates, values, caps, compatible, multipliers, halt, rules
        As of `kernels.sweep.sweep`.
    patterns
        float64 array (c, i): receives the points; zeros where there was no time.
    """
    n_classes, n_resources = requests.shape
    items = np.empty(n_classes, dtype=np.int64)
    limits = np.empty(n_classes, dtype=np.int64)
    shares = np.empty((n_classes, n_resources))
    held = np.zeros(n_classes, dtype=np.int64)
    load = np.zeros(rules.cap.shape[0], dtype=np.int64)
    cap = np.zeros(rules.cap.shape[0], dtype=np.int64)
    other = np.flatnonzero(rules.devices.is_sum == 0)
    for c in range(candidates.shape[0]):
        j = candidates[c]
        patterns[c, :] = 0.0
        n = gather(
            j, values, caps, requests, allocatable, compatible, items, limits, shares, rules, held, load, cap
        )  # fmt: skip
        relaxed = open_relaxed(n, other.shape[0])
        _, n_rows, _, _ = relax_contents(
            n, items, limits, values, requests, allocatable[j], rules.devices, rules.devices.room[j],
            multipliers[j], other, NOTHING, halt, relaxed,
        )  # fmt: skip
        for row in range(n_rows):
            if relaxed.primal[row] <= 0.0:
                continue
            if relaxed.of[row] >= 0:
                patterns[c, items[relaxed.of[row]]] += relaxed.primal[row]
            else:
                for k in range(n):
                    patterns[c, items[k]] += relaxed.primal[row] * relaxed.contents[-1 - relaxed.of[row], k]

"""A good pattern from a fractional one: its whole part, filled up by efficiency.

Depth-first search under fixed multipliers takes what is most efficient first. Where many small classes
are about equally efficient it fills one resource and leaves the others idle, and cannot come back within
its nodes. The relaxation is balanced, and all but one class per resource are whole in it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.instance.device_packing import MOST_STEPS
from binwright_optimizer.pricing.kernels.rules import is_on_devices, place, room_for, room_in_sets


@njit(cache=True, nogil=True)
def round_down(
    n, items, limits, shares, values, requests, room, mu, primal, chosen, rules, held, load, cap
):  # fmt: skip
    """Fill ``chosen`` (n,) with the whole part of ``primal`` and what else fits; returns its worth.

    The node's state by rules is left as it was; see `kernels.rules`.
    """
    n_resources = requests.shape[1]
    has_rules = rules.cap.shape[0] > 0
    efficiency = np.empty(n)
    for k in range(n):
        weight = 0.0
        for r in range(n_resources):
            weight += mu[r] * shares[k, r]
        efficiency[k] = values[items[k]] / weight if weight > 0.0 else np.inf
    order = np.argsort(-efficiency)
    free = room.copy()
    worth = 0.0
    chosen[:n] = 0
    for fills in (False, True):
        for k in order:
            i = items[k]
            count = limits[k] - chosen[k]
            if not fills:
                count = min(count, np.int64(np.floor(primal[k] + 1e-9)))
            for r in range(n_resources):
                if requests[i, r] > 0:
                    count = min(count, free[r] // requests[i, r])
            if count <= 0:
                continue
            if has_rules:
                count = min(count, room_in_sets(i, rules, held, load, cap))
                if count <= 0:
                    continue
                place(i, count, rules, held, load)
            chosen[k] += count
            worth += count * values[i]
            for r in range(n_resources):
                free[r] -= count * requests[i, r]
    if has_rules:
        is_whole = is_on_devices(rules, held, cap, np.int64(MOST_STEPS))
        for k in range(n):
            if chosen[k] > 0:
                place(items[k], -chosen[k], rules, held, load)
        if not is_whole:  # only what is chosen is put on devices one by one, which takes long
            for k in order:
                wanted = chosen[k]
                if wanted > 0:
                    chosen[k] = room_for(items[k], wanted, rules, held, load, cap)
                    place(items[k], chosen[k], rules, held, load)
                    worth -= (wanted - chosen[k]) * values[items[k]]
            for k in range(n):
                if chosen[k] > 0:
                    place(items[k], -chosen[k], rules, held, load)
    return worth

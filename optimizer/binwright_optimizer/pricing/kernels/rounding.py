"""A good pattern from a fractional one: its whole part, broken pods that fit, and what fills it up.

Depth-first search under fixed multipliers takes what is most efficient first. Where many small classes
are about equally efficient it fills one resource and leaves the others idle, and cannot come back within
its nodes. The relaxation is balanced, and all but one class per resource are whole in it. What is broken goes
before what fills up, and where the most valuable of it finds no room, before the whole part too: a node may
be worth its price only with a pod of which the relaxation has half, and half of another.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.instance.device_packing import MOST_STEPS
from binwright_optimizer.pricing.kernels.rules import is_on_devices, place, room_for, room_in_sets

NO_PART = 1e-9
"""Parts of a pod that are none."""


@njit(cache=True, nogil=True)
def round_down(
    n, items, limits, shares, values, requests, room, mu, primal, chosen, rules, held, load, cap
):  # fmt: skip
    """Fill ``chosen`` (n,) with ``primal`` in whole numbers and what else fits; returns its worth.

    The node's state by rules is left as it was; see `kernels.rules`.
    """
    n_resources = requests.shape[1]
    efficiency = np.empty(n)
    for k in range(n):
        weight = 0.0
        for r in range(n_resources):
            weight += mu[r] * shares[k, r]
        efficiency[k] = values[items[k]] / weight if weight > 0.0 else np.inf
    order = np.argsort(-efficiency)
    entire = np.floor(primal[:n] + NO_PART).astype(np.int64)
    broken = np.flatnonzero(primal[:n] - entire > NO_PART)
    broken = broken[np.argsort(-values[items[broken]])]
    worth = _fill(
        n, items, limits, values, requests, room, entire, chosen, order, broken, broken[:0], rules, held,
        load, cap,
    )  # fmt: skip
    if len(broken) > 0 and chosen[broken[0]] <= entire[broken[0]]:
        other = np.empty(n, dtype=np.int64)
        others = _fill(
            n, items, limits, values, requests, room, entire, other, order, broken, broken[:1], rules, held,
            load, cap,
        )  # fmt: skip
        if others > worth:
            worth = others
            chosen[:n] = other
    return worth


@njit(cache=True, nogil=True)
def _fill(
    n, items, limits, values, requests, room, entire, chosen, order, broken, first, rules, held, load, cap
):  # fmt: skip
    """Fill ``chosen`` with one of ``first``, the whole part, one of each of ``broken``, and by ``order``."""
    n_resources = requests.shape[1]
    has_rules = rules.cap.shape[0] > 0
    free = room.copy()
    worth = 0.0
    chosen[:n] = 0
    turns = np.concatenate((first, order, broken, order))
    one = np.ones(n, dtype=np.int64)
    most = np.concatenate((one[: len(first)], entire[order], one[: len(broken)], limits[order]))
    for at, k in enumerate(turns):
        i = items[k]
        count = min(limits[k] - chosen[k], most[at])
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

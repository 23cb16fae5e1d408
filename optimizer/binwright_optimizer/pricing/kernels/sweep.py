"""Pricing of many candidates in one call: screen, search depth first, branch."""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.instance.device_packing import COUNT
from binwright_optimizer.pricing.kernels.branch import BRANCH_WORK, branch
from binwright_optimizer.pricing.kernels.depth_first import pack
from binwright_optimizer.pricing.kernels.on_devices import price_on_devices
from binwright_optimizer.pricing.kernels.relaxation import relax, surplus
from binwright_optimizer.pricing.kernels.rules import begin, room_in_sets

SCREEN_WORK, PACK_WORK = 2, 30
"""Microseconds that screening a candidate and a depth-first search take, in round numbers."""


@njit(cache=True, nogil=True)
def gather(
    j, values, caps, requests, allocatable, compatible, items, limits, shares, rules, held, load, cap
):  # fmt: skip
    """Items worth packing on candidate ``j`` with their caps and shares; returns their number.

    With node rules, ``held``, ``load`` and ``cap`` become the state of the empty node.
    """
    n = np.int64(0)
    has_rules = rules.cap.shape[0] > 0
    if has_rules:
        begin(rules, j, held, load, cap)
    n_resources = requests.shape[1]
    for i in range(values.shape[0]):
        if values[i] <= 0.0 or caps[i] <= 0 or not compatible[j, i]:
            continue
        fit = caps[i]
        for r in range(n_resources):
            if requests[i, r] > allocatable[j, r]:
                fit = 0
            elif fit > 1 and requests[i, r] > 0:  # divisions take most of the time
                most = allocatable[j, r] // requests[i, r]
                fit = min(fit, most)
        if has_rules:
            fit = min(fit, room_in_sets(i, rules, held, load, cap))
        if fit <= 0:
            continue
        items[n] = i
        limits[n] = fit
        for r in range(n_resources):
            shares[n, r] = requests[i, r] / allocatable[j, r] if requests[i, r] > 0 else 0.0
        n += 1
    return n


@njit(cache=True, nogil=True)
def sweep(
    candidates,
    values,
    costs,
    caps,
    requests,
    allocatable,
    compatible,
    multipliers,
    max_nodes,
    max_branches,
    tolerance,
    halt,
    bounds,
    patterns,
    work,
    rules,
    no_rules,
):
    """Price several candidates; improving patterns go to ``patterns``.

    Parameters
    ----------
    candidates
        intp array (c,): candidates to price.
    values, costs
        float64 arrays (i,), (j,): dual prices; what a pattern must be worth more than.
    caps
        int64 array (i,): most pods of a class in one pattern.
    compatible
        bool array (j, i), by candidate.
    tolerance
        Patterns that beat their cost by less than this share of it are not looked for.
    halt
        uint8 array (1,): searches are cut short once it is not zero.
    multipliers
        float64 array (j, r): kept from sweep to sweep.
    bounds
        float64 array (j,): receives a valid upper bound on the worth of any pattern.
    patterns
        int32 array (c, i): receives a pattern per candidate; all zeros if none improves.
    work
        int64 array (j,): receives about how many microseconds the candidate took.
    rules
        `NodeRules`, which every pattern obeys.
    no_rules
        `NodeRules` of no rule, for searches among what is known to obey them.

    Returns
    -------
    Number of improving patterns.
    """
    n_classes, n_resources = requests.shape
    items = np.empty(n_classes, dtype=np.int64)
    limits = np.empty(n_classes, dtype=np.int64)
    shares = np.empty((n_classes, n_resources))
    primal = np.empty(n_classes)
    chosen = np.empty(n_classes, dtype=np.int64)
    whole = np.ones(n_resources)
    held = np.zeros(n_classes, dtype=np.int64)
    load = np.zeros(rules.cap.shape[0], dtype=np.int64)
    cap = np.zeros(rules.cap.shape[0], dtype=np.int64)
    has_devices = rules.devices.need.shape[0] > 0
    found = 0
    for c in range(candidates.shape[0]):
        j = candidates[c]
        patterns[c, :] = 0
        cost = max(costs[j], 0.0)
        n = gather(
            j, values, caps, requests, allocatable, compatible, items, limits, shares, rules, held, load, cap
        )  # fmt: skip
        work[j] = SCREEN_WORK
        if n == 0:
            bounds[j] = 0.0
            continue
        mu = multipliers[j]
        upper = mu.sum() + surplus(n, items, limits, shares, values, mu)
        slack = max(tolerance * cost, 1e-12)
        if upper > cost + slack:
            upper = relax(n, items, limits, shares, values, whole, mu, primal)
        if upper <= cost + slack:
            bounds[j] = upper
            continue
        work[j] = PACK_WORK
        chosen[:n] = 0
        value, complete = pack(
            n,
            items,
            limits,
            shares,
            values,
            requests,
            allocatable[j],
            allocatable[j],
            mu,
            cost,
            slack,
            max_nodes,
            chosen,
            rules,
            held,
            load,
            cap,
        )
        if complete:
            upper = value + slack
        elif has_devices and max_branches > 0 and rules.devices.room[j, COUNT] >= 0:
            value, upper, taken = price_on_devices(
                n, items, limits, shares, values, requests, allocatable[j], mu, value, cost, slack, max_nodes,
                max_branches, halt, chosen, rules, no_rules, j, held, load, cap,
            )  # fmt: skip
            work[j] += taken
        elif max_branches > 0:
            value, upper, solved = branch(
                n,
                items,
                limits,
                shares,
                values,
                requests,
                allocatable[j],
                value,
                slack,
                max_branches,
                halt,
                chosen,
                rules,
                j,
                held,
                load,
                cap,
            )
            work[j] += BRANCH_WORK * solved
        for k in range(n):
            patterns[c, items[k]] = chosen[k]
        bounds[j] = upper
        if value > cost:
            found += 1
    return found

"""The linear relaxation of a candidate's knapsack, and the bound its duals give."""

from __future__ import annotations

import numpy as np
from numba import njit

MAX_PIVOTS = 200
"""Simplex pivots per relaxation; a handful is usual."""
MANY_ITEMS = 250
"""Items from which the simplex starts from a greedy pattern: most of its pivots only fill up items."""


@njit(cache=True, nogil=True)
def relax(n, items, limits, shares, values, free, mu, primal):
    """Solve the knapsack's linear relaxation; its duals become ``mu`` and the bound is returned.

    Parameters
    ----------
    free
        float64 array (r,): shares still free, each in [0, 1].
    primal
        float64 array (n,): receives an optimal fractional pattern.

    Notes
    -----
    Primal simplex with bounded variables from the empty pattern: at most one basic variable per
    resource, so that a pivot costs one pass over the items. Whatever ``mu`` comes out, the bound
    is valid; rounding errors or the pivot limit can only make it looser. With `MANY_ITEMS` it starts
    from the items that are most efficient at the ``mu`` that comes in.
    """
    n_resources = shares.shape[1]
    inverse = np.eye(n_resources)
    basic = np.full(n_resources, -1, dtype=np.int64)  # item in each basis row; -1 its slack
    level = free.copy()
    at_cap = np.zeros(n, dtype=np.bool_)
    in_basis = np.zeros(n, dtype=np.bool_)
    column = np.empty(n_resources)
    if n >= MANY_ITEMS:
        _fill(n, items, limits, shares, values, mu, level, at_cap)
    for _ in range(MAX_PIVOTS):
        for r in range(n_resources):
            total = 0.0
            for b in range(n_resources):
                if basic[b] >= 0:
                    total += values[items[basic[b]]] * inverse[b, r]
            mu[r] = total
        enter = -1
        slack = -1
        steepest = 0.0
        for k in range(n):
            if in_basis[k] or limits[k] == 0:
                continue
            worth = values[items[k]]
            gain = worth
            for r in range(n_resources):
                gain -= mu[r] * shares[k, r]
            if at_cap[k]:
                gain = -gain
            if gain > 1e-10 * worth and gain * limits[k] > steepest:
                steepest = gain * limits[k]
                enter = k
        for r in range(n_resources):  # a negative dual: the slack of resource r enters
            if mu[r] < -1e-10 and -mu[r] > steepest:
                steepest = -mu[r]
                enter = -1
                slack = r
        if enter < 0 and slack < 0:
            break
        direction = 1.0
        if slack >= 0:
            for b in range(n_resources):
                column[b] = inverse[b, slack]
            reach = np.inf
        else:
            for b in range(n_resources):
                total = 0.0
                for r in range(n_resources):
                    total += inverse[b, r] * shares[enter, r]
                column[b] = total
            reach = float(limits[enter])
            if at_cap[enter]:
                direction = -1.0
        leave = -1
        to_cap = False
        for b in range(n_resources):
            change = direction * column[b]
            if change > 1e-12:
                step = level[b] / change
                if step < reach:
                    reach = step
                    leave = b
                    to_cap = False
            elif change < -1e-12 and basic[b] >= 0:
                step = (limits[basic[b]] - level[b]) / -change
                if step < reach:
                    reach = step
                    leave = b
                    to_cap = True
        if reach == np.inf:
            break
        reach = max(reach, 0.0)
        for b in range(n_resources):
            level[b] -= direction * column[b] * reach
        if leave < 0:
            at_cap[enter] = not at_cap[enter]
            continue
        if basic[leave] >= 0:
            in_basis[basic[leave]] = False
            at_cap[basic[leave]] = to_cap
        pivot = column[leave]
        for r in range(n_resources):
            inverse[leave, r] /= pivot
        for b in range(n_resources):
            if b != leave and column[b] != 0.0:
                for r in range(n_resources):
                    inverse[b, r] -= column[b] * inverse[leave, r]
        if slack >= 0:
            basic[leave] = -1
            level[leave] = reach
        else:
            basic[leave] = enter
            in_basis[enter] = True
            level[leave] = limits[enter] - reach if at_cap[enter] else reach
            at_cap[enter] = False
    for k in range(n):
        primal[k] = limits[k] if at_cap[k] else 0.0
    for b in range(n_resources):
        if basic[b] >= 0:
            primal[basic[b]] = level[b]
    total = 0.0
    for r in range(n_resources):
        mu[r] = max(mu[r], 0.0)
        total += mu[r] * free[r]
    return total + surplus(n, items, limits, shares, values, mu)


@njit(cache=True, nogil=True)
def surplus(n, items, limits, shares, values, mu):
    """Second part of L(mu): what items are worth beyond the shares they take."""
    n_resources = shares.shape[1]
    total = 0.0
    for k in range(n):
        worth = values[items[k]]
        for r in range(n_resources):
            worth -= mu[r] * shares[k, r]
        if worth > 0.0:
            total += limits[k] * worth
    return total


@njit(cache=True, nogil=True)
def _fill(n, items, limits, shares, values, mu, level, at_cap):
    """Put the most efficient items at their caps while they fit; reduces ``level``."""
    n_resources = shares.shape[1]
    efficiency = np.empty(n)
    for k in range(n):
        weight = 1e-12
        for r in range(n_resources):
            weight += max(mu[r], 0.0) * shares[k, r]
        efficiency[k] = values[items[k]] / weight
    for k in np.argsort(-efficiency):
        if efficiency[k] < 1.0:
            break
        fits = limits[k] > 0
        for r in range(n_resources):
            if limits[k] * shares[k, r] > level[r]:
                fits = False
                break
        if fits:
            at_cap[k] = True
            for r in range(n_resources):
                level[r] -= limits[k] * shares[k, r]

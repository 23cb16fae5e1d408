"""Compiled pricing: the best pattern of pods for one candidate under given dual prices.

The pricing problem of candidate ``j`` is a bounded knapsack with one constraint per resource::

    max  sum_i pi_i x_i
    s.t. sum_i requests_ir x_i <= allocatable_jr     for every resource r
         0 <= x_i <= cap_i, integer

It is screened by its Lagrangian bound with multipliers ``mu`` (in cost units, one per resource,
requests as shares of the candidate)::

    L(mu) = sum_r mu_r + sum_i cap_i max(0, pi_i - sum_r mu_r share_ir) >= optimum

and, where that does not suffice, solved by depth-first branch and bound over the items in order
of efficiency ``pi_i / sum_r mu_r share_ir``. The multipliers are the duals of the linear
relaxation. At a node with free shares ``f`` both
``mu . f + sum_(i left) cap_i max(0, pi_i - mu . share_i)`` and ``efficiency . mu . f`` bound what
is still to gain (Martello and Toth, Knapsack Problems, 1990, ISBN 0-471-92420-2, for the
one-constraint case). They are kept from sweep to sweep, so that most candidates are screened out
by one pass over their items.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BRANCH_NODES = 3_000
"""Depth-first nodes tried to close a branch: about as long as its relaxation takes."""
MAX_PIVOTS = 200
"""Simplex pivots per relaxation; a handful is usual."""


@njit(cache=True, nogil=True)
def gather(j, values, caps, requests, allocatable, compatible, items, limits, shares):
    """Items worth packing on candidate ``j`` with their caps and shares; returns their number."""
    n = 0
    n_resources = requests.shape[1]
    for i in range(values.shape[0]):
        if values[i] <= 0.0 or caps[i] <= 0 or not compatible[j, i]:
            continue
        fit = caps[i]
        for r in range(n_resources):
            if requests[i, r] > 0:
                most = allocatable[j, r] // requests[i, r]
                fit = min(fit, most)
        if fit <= 0:
            continue
        items[n] = i
        limits[n] = fit
        for r in range(n_resources):
            shares[n, r] = requests[i, r] / allocatable[j, r] if requests[i, r] > 0 else 0.0
        n += 1
    return n


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
    is valid; rounding errors or the pivot limit can only make it looser.
    """
    n_resources = shares.shape[1]
    inverse = np.eye(n_resources)
    basic = np.full(n_resources, -1, dtype=np.int64)  # item in each basis row; -1 its slack
    level = free.copy()
    at_cap = np.zeros(n, dtype=np.bool_)
    in_basis = np.zeros(n, dtype=np.bool_)
    column = np.empty(n_resources)
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
def pack(n, items, limits, shares, values, requests, capacity, room, mu, floor, slack, max_nodes, chosen):
    """Best pattern worth more than ``floor + slack`` by depth-first search under fixed multipliers.

    Parameters
    ----------
    capacity, room
        int64 arrays (r,): what shares refer to; what is free.
    mu
        float64 array (r,): multipliers per whole candidate.
    chosen
        int64 array (n,): receives the pattern by item; untouched if none is worth more.

    Returns
    -------
    value
        Worth of the pattern, or ``floor`` if none is found.
    complete
        Whether no pattern is worth more than ``value + slack``.
    """
    n_resources = requests.shape[1]
    weight = np.empty(n)
    efficiency = np.empty(n)
    for k in range(n):
        total = 0.0
        for r in range(n_resources):
            total += mu[r] * shares[k, r]
        weight[k] = total
        efficiency[k] = values[items[k]] / total if total > 0.0 else np.inf
    order = np.argsort(-efficiency)
    suffix = np.zeros(n + 1)
    for position in range(n - 1, -1, -1):
        k = order[position]
        suffix[position] = suffix[position + 1] + limits[k] * max(0.0, values[items[k]] - weight[k])
    free = room.copy()
    price = np.zeros(n_resources)
    for r in range(n_resources):
        if capacity[r] > 0:
            price[r] = mu[r] / capacity[r]
    counts = np.zeros(n, dtype=np.int64)
    best = floor
    value = 0.0
    position = 0
    visited = 0
    complete = True
    while True:
        while position < n:
            k = order[position]
            worth = 0.0
            for r in range(n_resources):
                worth += price[r] * free[r]
            ahead = worth + suffix[position]
            if weight[k] > 0.0:
                ahead = min(ahead, efficiency[k] * worth)
            if value + ahead <= best + slack:
                break
            i = items[k]
            count = limits[k]
            for r in range(n_resources):
                if requests[i, r] > 0:
                    count = min(count, free[r] // requests[i, r])
            counts[position] = count
            if count > 0:
                for r in range(n_resources):
                    free[r] -= count * requests[i, r]
                value += count * values[i]
            position += 1
            visited += 1
        if value > best + slack:
            best = value
            for p in range(n):
                chosen[order[p]] = counts[p] if p < position else 0
        if visited > max_nodes:
            complete = False
            break
        position -= 1
        while position >= 0 and counts[position] == 0:
            position -= 1
        if position < 0:
            break
        counts[position] -= 1
        i = items[order[position]]
        for r in range(n_resources):
            free[r] += requests[i, r]
        value -= values[i]
        position += 1
    return best, complete


@njit(cache=True, nogil=True)
def branch(n, items, limits, shares, values, requests, capacity, floor, slack, max_branches, halt, chosen):
    """Best pattern worth more than ``floor + slack`` by branch and bound on the linear relaxation.

    For the candidates where the fixed multipliers of `pack` are too weak: large nodes that hold a
    handful of large pods. Every branch solves its own relaxation, tightens item bounds by reduced
    cost, tries to close itself by a short depth-first search under its own multipliers, and
    otherwise splits on the item of largest fractional share. The branch of largest bound comes
    first, so that a search cut short still has a good bound.

    Returns
    -------
    value
        Worth of the pattern, or ``floor`` if none is worth more.
    upper
        No pattern is worth more than this; within ``slack`` of ``value`` unless cut short.
    """
    n_resources = requests.shape[1]
    size = 2 * max_branches + 2
    low = np.empty((size, n), dtype=np.int32)
    high = np.empty((size, n), dtype=np.int32)
    bound = np.empty(size)
    for k in range(n):
        low[0, k] = 0
        high[0, k] = limits[k]
    bound[0] = np.inf
    opened = 1
    best = floor
    mu = np.empty(n_resources)
    primal = np.empty(n)
    span = np.empty(n, dtype=np.int64)
    extra = np.empty(n, dtype=np.int64)
    free = np.empty(n_resources)
    room = np.empty(n_resources, dtype=np.int64)
    lows = np.empty(n, dtype=np.int32)
    highs = np.empty(n, dtype=np.int32)
    for _ in range(max_branches):
        if halt[0] != 0:
            break
        top = -1
        upper = best + slack
        for node in range(opened):
            if bound[node] > upper:
                upper = bound[node]
                top = node
        if top < 0:
            return best, best + slack
        lows[:] = low[top]
        highs[:] = high[top]
        opened -= 1
        low[top], high[top], bound[top] = low[opened], high[opened], bound[opened]
        value = 0.0
        for r in range(n_resources):
            room[r] = capacity[r]
        for k in range(n):
            if lows[k] > 0:
                value += lows[k] * values[items[k]]
                for r in range(n_resources):
                    room[r] -= lows[k] * requests[items[k], r]
        fits = True
        for r in range(n_resources):
            if room[r] < 0:
                fits = False
            free[r] = room[r] / capacity[r] if capacity[r] > 0 else 0.0
        if not fits:
            continue
        for k in range(n):
            most = np.int64(highs[k] - lows[k])
            for r in range(n_resources):
                if most > 0 and requests[items[k], r] > 0:
                    most = min(most, room[r] // requests[items[k], r])
            span[k] = most
        upper = value + relax(n, items, span, shares, values, free, mu, primal)
        if upper <= best + slack:
            continue
        for k in range(n):  # an item that costs more than the gap per unit cannot be used more
            if span[k] > 0:
                loss = -values[items[k]]
                for r in range(n_resources):
                    loss += mu[r] * shares[k, r]
                if loss > 0.0:
                    span[k] = min(span[k], np.int64((upper - best - slack) / loss))
        extra[:] = 0
        gained, closed = pack(
            n,
            items,
            span,
            shares,
            values,
            requests,
            capacity,
            room,
            mu,
            best - value,
            slack,
            BRANCH_NODES,
            extra,
        )
        if value + gained > best + slack:
            best = value + gained
            for k in range(n):
                chosen[k] = lows[k] + extra[k]
        if closed:
            continue
        split = -1
        widest = 0.0
        for k in range(n):
            part = primal[k] - np.floor(primal[k])
            if part > 1e-9 and part < 1.0 - 1e-9:
                share = 0.0
                for r in range(n_resources):
                    share = max(share, shares[k, r])
                if share * min(part, 1.0 - part) > widest:
                    widest = share * min(part, 1.0 - part)
                    split = k
        if split < 0:  # the relaxation is whole, so the depth-first search has found it
            continue
        whole = lows[split] + np.int32(np.floor(primal[split]))
        for k in range(n):
            highs[k] = lows[k] + span[k]
        if whole + 1 <= highs[split]:
            low[opened], high[opened] = lows, highs
            low[opened, split] = whole + 1
            bound[opened] = upper
            opened += 1
        low[opened], high[opened] = lows, highs
        high[opened, split] = min(whole, highs[split])
        bound[opened] = upper
        opened += 1
    upper = best + slack
    for node in range(opened):
        upper = max(upper, bound[node])
    return best, upper


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
    found = 0
    for c in range(candidates.shape[0]):
        j = candidates[c]
        patterns[c, :] = 0
        cost = max(costs[j], 0.0)
        n = gather(j, values, caps, requests, allocatable, compatible, items, limits, shares)
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
        )
        if complete:
            upper = value + slack
        elif max_branches > 0:
            value, upper = branch(
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
            )
        for k in range(n):
            patterns[c, items[k]] = chosen[k]
        bounds[j] = upper
        if value > cost:
            found += 1
    return found

"""Pricing of nodes with several shared GPUs: contents of single GPUs are the items.

What may stand on one GPU together is a *content*. Under multipliers ``mu`` for everything but GPUs, a node
of G GPUs falls apart into G equal ones, each of which takes the content of greatest net worth, so that

    sum_r mu_r C_r + sum_(i without GPU) cap_i max(0, pi_i - mu . r_i) + G max_c sum_i a_ic (pi_i - mu . r_i)

bounds the worth of any pattern, whatever the multipliers (Lagrangian relaxation; it equals the linear
relaxation over all contents, P. C. Gilmore and R. E. Gomory, 1961, doi:10.1287/opre.9.6.849, and is far
below what sums over GPUs allow). The best content is a knapsack of one dimension. Contents met on the way
are the items of a knapsack in which a GPU is a resource like others, and every solution of which stands
on devices.

What a share is worth on a GPU, as a part of the best content, is a weight of which no GPU holds more than
one: a dual feasible function (S. P. Fekete and J. Schepers, 2001, doi:10.1007/s101070100243). As one more
sum over GPUs it hands the relaxation over all contents to any search that knows sums alone.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.instance.device_packing import (
    CLAIMED,
    COUNT,
    IS_EXCLUSIVE,
    MILLI,
    NEED_COUNT,
    NEED_MILLI,
)
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.pricing.kernels.branch import branch
from binwright_optimizer.pricing.kernels.depth_first import pack
from binwright_optimizer.pricing.kernels.relaxation import relax

MOST_CONTENTS = 96
"""Contents that are items of one candidate's knapsack."""
MOST_ROUNDS = 8
"""Relaxations solved to find contents and multipliers; four or five usually converge."""
MOST_BRANCHES = 20
"""Relaxations solved to find a pattern of contents."""
WHOLE_WEIGHT = 2**20
"""Weight of a whole GPU."""


@njit(cache=True, nogil=True)
def price_contents(
    n, items, limits, values, requests, allocatable, devices, room, mu, cost, slack, max_nodes, halt, chosen,
    weights, no_rules, held, load, cap,
):  # fmt: skip
    """A good pattern by contents of single GPUs, and a bound on the worth of any.

    Parameters
    ----------
    room
        int64 array (7,): the candidate's row of `Devices.room`; no MIG instances may be among the items.
    mu
        float64 array (r,): multipliers to begin with, by resource.
    chosen
        int64 array (n,): receives the pattern; zeros if none is worth more than ``cost + slack``.
    weights
        int64 array (n,): receives what a pod weighs on the GPUs, all of which hold `WHOLE_WEIGHT` each. With
        these weights as a resource the linear relaxation is about as good as the bound that is returned.
    no_rules
        `NodeRules` without any rule, for the knapsack of contents.

    Returns
    -------
    Upper bound on the worth of a pattern.
    """
    other = np.flatnonzero(devices.is_sum == 0)
    n_other = other.shape[0]
    gpus = room[COUNT]
    share = np.zeros((n, n_other))  # of what is not on GPUs
    size = np.zeros(n, dtype=np.int64)  # of one piece; 0 without GPUs
    count = np.zeros(n, dtype=np.int64)
    for k in range(n):
        i = items[k]
        for r in range(n_other):
            if allocatable[other[r]] > 0:
                share[k, r] = requests[i, other[r]] / allocatable[other[r]]
        count[k] = devices.need[i, NEED_COUNT] + devices.claimed[room[CLAIMED], i]
        if count[k] > 0:
            size[k] = WHOLE_GPU_MILLI if room[IS_EXCLUSIVE] != 0 else devices.need[i, NEED_MILLI]
    unit = _unit(n, size, count, room[MILLI])
    places = room[MILLI] // unit
    contents = np.zeros((MOST_CONTENTS, n), dtype=np.int64)
    n_contents = np.int64(0)
    price = np.empty(n_other)  # of what is not on GPUs, per whole candidate
    for r in range(n_other):
        price[r] = mu[other[r]]
    net = np.empty(n)
    best_net = np.zeros(n)
    best_on_gpu = 0.0
    best = np.empty(places + 1)
    last = np.empty(places + 1, dtype=np.int64)
    content = np.empty(n, dtype=np.int64)
    capacity = gpus
    upper = np.inf
    width = n + MOST_CONTENTS
    row_shares = np.zeros((width, n_other + 1))
    row_requests = np.zeros((width, n_other + 1), dtype=np.int64)
    row_values = np.zeros(width)
    row_limits = np.zeros(width, dtype=np.int64)
    row_of = np.zeros(width, dtype=np.int64)  # item, or -1 - content
    rows = np.arange(width)
    free = np.ones(n_other + 1)
    duals = np.zeros(n_other + 1)
    primal = np.empty(width)
    n_rows = np.int64(0)
    for _ in range(MOST_ROUNDS):
        bound = price.sum()
        on_gpu = 0.0
        for k in range(n):
            net[k] = values[items[k]]
            for r in range(n_other):
                net[k] -= price[r] * share[k, r]
            if count[k] == 0:
                bound += limits[k] * max(0.0, net[k])
            elif size[k] >= WHOLE_GPU_MILLI:
                on_gpu = max(on_gpu, net[k] / count[k])
        _fill(n, net, size, count, unit, places, best, last)
        on_gpu = max(on_gpu, best[places])
        if bound + capacity * on_gpu < upper:
            upper = bound + capacity * on_gpu
            best_net[:], best_on_gpu = net, on_gpu
        if upper <= cost + slack or halt[0] != 0:
            return upper
        before = n_contents
        n_contents = _add_contents(
            n, net, size, count, limits, unit, places, last, content, contents, n_contents
        )
        if n_contents == before and n_rows > 0:
            break
        n_rows = np.int64(0)
        for k in range(n):
            if count[k] == 0 or size[k] >= WHOLE_GPU_MILLI or count[k] > 1:
                row_values[n_rows] = values[items[k]]
                row_limits[n_rows] = limits[k]
                if count[k] > 0:
                    row_limits[n_rows] = min(limits[k], capacity // count[k])
                for r in range(n_other):
                    row_shares[n_rows, r] = share[k, r]
                    row_requests[n_rows, r] = requests[items[k], other[r]]
                row_shares[n_rows, n_other] = count[k] / capacity
                row_requests[n_rows, n_other] = count[k]
                row_of[n_rows] = k
                if row_limits[n_rows] > 0:
                    n_rows += 1
        for c in range(n_contents):
            row_values[n_rows] = 0.0
            row_limits[n_rows] = capacity
            row_shares[n_rows, :] = 0.0
            row_requests[n_rows, :] = 0
            for k in range(n):
                if contents[c, k] > 0:
                    row_values[n_rows] += contents[c, k] * values[items[k]]
                    row_limits[n_rows] = min(row_limits[n_rows], limits[k] // contents[c, k])
                    for r in range(n_other):
                        row_shares[n_rows, r] += contents[c, k] * share[k, r]
                        row_requests[n_rows, r] += contents[c, k] * requests[items[k], other[r]]
            row_shares[n_rows, n_other] = 1.0 / capacity
            row_requests[n_rows, n_other] = 1
            row_of[n_rows] = -1 - c
            if row_limits[n_rows] > 0:
                n_rows += 1
        relax(n_rows, rows, row_limits, row_shares, row_values, free, duals, primal)
        for r in range(n_other):
            price[r] = duals[r]
    _weigh(n, best_net, size, count, unit, places, best_on_gpu, weights)
    if n_rows == 0:
        return upper
    capacities = np.empty(n_other + 1, dtype=np.int64)
    for r in range(n_other):
        capacities[r] = allocatable[other[r]]
    capacities[n_other] = capacity
    picked = np.zeros(width, dtype=np.int64)
    value, complete = pack(
        n_rows, rows, row_limits, row_shares, row_values, row_requests, capacities, capacities, duals, cost,
        slack, max_nodes, picked, no_rules, held, load, cap,
    )  # fmt: skip
    if not complete:
        branch(
            n_rows, rows, row_limits, row_shares, row_values, row_requests, capacities, value, slack,
            np.int64(MOST_BRANCHES), halt, picked, no_rules, np.int64(0), held, load, cap,
        )  # fmt: skip
    for row in range(n_rows):
        if picked[row] > 0:
            if row_of[row] >= 0:
                chosen[row_of[row]] += picked[row]
            else:
                for k in range(n):
                    chosen[k] += picked[row] * contents[-1 - row_of[row], k]
    for k in range(n):
        chosen[k] = min(chosen[k], limits[k])
    return upper


@njit(cache=True, nogil=True)
def _unit(n, size, count, milli):
    """Greatest common divisor of the shares, and of a whole device."""
    unit = milli
    for k in range(n):
        if count[k] > 0 and size[k] < WHOLE_GPU_MILLI:
            a, b = unit, size[k]
            while b > 0:
                a, b = b, a % b
            unit = a
    return unit


@njit(cache=True, nogil=True)
def _fill(n, net, size, count, unit, places, best, last):
    """Best net worth of a content by its size: one-dimensional knapsack; ``last`` is an item of it.

    A pod of several devices counts with its part of the worth on each: only the bound needs it.
    """
    top = np.zeros(places + 1)
    item = np.full(places + 1, -1, dtype=np.int64)
    for k in range(n):
        if count[k] > 0 and size[k] < WHOLE_GPU_MILLI and net[k] > 0.0:
            s = size[k] // unit
            if s <= places and net[k] / count[k] > top[s]:
                top[s] = net[k] / count[k]
                item[s] = k
    sizes = np.flatnonzero(item >= 0)
    best[0] = 0.0
    last[0] = -1
    for total in range(1, places + 1):
        best[total] = best[total - 1]
        last[total] = -1
        for s in sizes:
            if s > total:
                break
            if best[total - s] + top[s] > best[total]:
                best[total] = best[total - s] + top[s]
                last[total] = item[s]


@njit(cache=True, nogil=True)
def _weigh(n, net, size, count, unit, places, on_gpu, weights):
    """Weights of pods by what they are worth on a GPU, raised as far as what a GPU holds allows."""
    weight = np.full(places + 1, -1, dtype=np.int64)  # by size, -1 where no share is of that size
    for k in range(n):
        s = size[k] // unit
        if count[k] > 0 and size[k] < WHOLE_GPU_MILLI and s <= places:
            own = 0.0
            if on_gpu > 0.0:
                own = (1.0 - 1e-9) * WHOLE_WEIGHT * max(0.0, net[k]) / (count[k] * on_gpu)
            weight[s] = max(weight[s], np.int64(own))
    sizes = np.flatnonzero(weight >= 0)
    most = np.empty(places + 1, dtype=np.int64)  # weight of what fits, without the size that is raised
    for raised in sizes[::-1]:
        most[0] = 0
        for total in range(1, places + 1):
            most[total] = most[total - 1]
            for s in sizes:
                if s > total:
                    break
                if s != raised:
                    most[total] = max(most[total], most[total - s] + weight[s])
        limit = np.int64(WHOLE_WEIGHT)
        for pieces in range(1, places // raised + 1):
            limit = min(limit, (WHOLE_WEIGHT - most[places - pieces * raised]) // pieces)
        weight[raised] = max(limit, np.int64(0))
    for k in range(n):
        is_share = size[k] < WHOLE_GPU_MILLI and size[k] // unit <= places
        weights[k] = count[k] * (weight[size[k] // unit] if is_share else WHOLE_WEIGHT)


@njit(cache=True, nogil=True)
def _add_contents(n, net, size, count, limits, unit, places, last, content, contents, n_contents):
    """Add for each share the best content with it to ``contents``; returns how many there are then."""
    order = np.argsort(-net)
    for k in order:
        if n_contents >= MOST_CONTENTS:
            break
        if count[k] != 1 or size[k] >= WHOLE_GPU_MILLI or size[k] // unit > places or limits[k] <= 0:
            continue
        content[:] = 0
        content[k] = 1
        left = places - size[k] // unit
        while left > 0:
            if last[left] < 0:
                left -= 1
                continue
            other = last[left]
            if count[other] == 1 and content[other] < limits[other]:
                content[other] += 1
            left -= size[other] // unit
        is_known = False
        for c in range(n_contents):
            same = True
            for i in range(n):
                if contents[c, i] != content[i]:
                    same = False
                    break
            if same:
                is_known = True
                break
        if not is_known:
            contents[n_contents] = content
            n_contents += 1
    return n_contents

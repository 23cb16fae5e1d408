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

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

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


class Relaxed(NamedTuple):
    """The relaxation over contents of one candidate, in arrays with room for it.

    Attributes
    ----------
    share, size, pieces
        float64 array (n, r'), int64 arrays (n,): of each item its shares of what is not on GPUs, the size of
        a piece (0 without GPUs), and its pieces.
    contents
        int64 array (c, n).
    values, limits, shares, requests, of
        Rows: items that are not in contents, and contents. ``of`` is the item, or -1 - content.
    duals, primal
        float64 arrays (r' + 1,), (row,): of the last relaxation.
    net
        float64 array (n,): worth of items beyond what is not on GPUs, at the best multipliers.
    """

    share: NDArray[np.float64]
    size: NDArray[np.int64]
    pieces: NDArray[np.int64]
    contents: NDArray[np.int64]
    values: NDArray[np.float64]
    limits: NDArray[np.int64]
    shares: NDArray[np.float64]
    requests: NDArray[np.int64]
    of: NDArray[np.int64]
    duals: NDArray[np.float64]
    primal: NDArray[np.float64]
    net: NDArray[np.float64]


@njit(cache=True, nogil=True)
def open_relaxed(n, n_other):
    """Room for ``n`` items and so many resources that are not on GPUs."""
    width = n + MOST_CONTENTS
    return Relaxed(
        np.zeros((n, n_other)),
        np.zeros(n, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
        np.zeros((MOST_CONTENTS, n), dtype=np.int64),
        np.zeros(width),
        np.zeros(width, dtype=np.int64),
        np.zeros((width, n_other + 1)),
        np.zeros((width, n_other + 1), dtype=np.int64),
        np.zeros(width, dtype=np.int64),
        np.zeros(n_other + 1),
        np.zeros(width),
        np.zeros(n),
    )


@njit(cache=True, nogil=True)
def relax_contents(
    n, items, limits, values, requests, allocatable, devices, room, mu, other, most, halt, relaxed
):  # fmt: skip
    """The linear relaxation over contents, into ``relaxed``.

    Parameters
    ----------
    room
        int64 array (7,): the candidate's row of `Devices.room`; no MIG instances may be among the items.
    mu
        float64 array (r,): multipliers to begin with, by resource.
    other
        intp array (r',): resources that are not on GPUs.
    most
        Once no pattern is worth more, the relaxation is given up.

    Returns
    -------
    upper
        Upper bound on the worth of a pattern.
    n_rows
        Rows of the relaxation; -1 if it was given up.
    on_gpu
        Worth of the best content at the best multipliers.
    unit
        Greatest common divisor of all sizes.
    """
    n_other = other.shape[0]
    gpus = room[COUNT]
    share, size, count, contents = relaxed.share, relaxed.size, relaxed.pieces, relaxed.contents
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
    n_contents = np.int64(0)
    price = np.empty(n_other)  # of what is not on GPUs, per whole candidate
    for r in range(n_other):
        price[r] = mu[other[r]]
    net = np.empty(n)
    best_on_gpu = 0.0
    best = np.empty(places + 1)
    last = np.empty(places + 1, dtype=np.int64)
    content = np.empty(n, dtype=np.int64)
    upper = np.inf
    rows = np.arange(n + MOST_CONTENTS)
    free = np.ones(n_other + 1)
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
        if bound + gpus * on_gpu < upper:
            upper = bound + gpus * on_gpu
            relaxed.net[:], best_on_gpu = net, on_gpu
        if upper <= most or halt[0] != 0:
            return upper, np.int64(-1), best_on_gpu, unit
        before = n_contents
        n_contents = _add_contents(
            n, net, size, count, limits, unit, places, last, content, contents, n_contents
        )
        if n_contents == before and n_rows > 0:
            break
        n_rows = _add_rows(n, items, limits, values, requests, other, gpus, n_contents, relaxed)
        relax(
            n_rows, rows, relaxed.limits, relaxed.shares, relaxed.values, free, relaxed.duals, relaxed.primal
        )
        for r in range(n_other):
            price[r] = relaxed.duals[r]
    return upper, n_rows, best_on_gpu, unit


@njit(cache=True, nogil=True)
def _add_rows(n, items, limits, values, requests, other, gpus, n_contents, relaxed):
    """Fill in the rows of the relaxation; returns how many there are."""
    n_other = other.shape[0]
    share, size, count, contents = relaxed.share, relaxed.size, relaxed.pieces, relaxed.contents
    n_rows = np.int64(0)
    for k in range(n):
        if count[k] == 0 or size[k] >= WHOLE_GPU_MILLI or count[k] > 1:
            relaxed.values[n_rows] = values[items[k]]
            relaxed.limits[n_rows] = limits[k]
            if count[k] > 0:
                relaxed.limits[n_rows] = min(limits[k], gpus // count[k])
            for r in range(n_other):
                relaxed.shares[n_rows, r] = share[k, r]
                relaxed.requests[n_rows, r] = requests[items[k], other[r]]
            relaxed.shares[n_rows, n_other] = count[k] / gpus
            relaxed.requests[n_rows, n_other] = count[k]
            relaxed.of[n_rows] = k
            if relaxed.limits[n_rows] > 0:
                n_rows += 1
    for c in range(n_contents):
        relaxed.values[n_rows] = 0.0
        relaxed.limits[n_rows] = gpus
        relaxed.shares[n_rows, :] = 0.0
        relaxed.requests[n_rows, :] = 0
        for k in range(n):
            if contents[c, k] > 0:
                relaxed.values[n_rows] += contents[c, k] * values[items[k]]
                relaxed.limits[n_rows] = min(relaxed.limits[n_rows], limits[k] // contents[c, k])
                for r in range(n_other):
                    relaxed.shares[n_rows, r] += contents[c, k] * share[k, r]
                    relaxed.requests[n_rows, r] += contents[c, k] * requests[items[k], other[r]]
        relaxed.shares[n_rows, n_other] = 1.0 / gpus
        relaxed.requests[n_rows, n_other] = 1
        relaxed.of[n_rows] = -1 - c
        if relaxed.limits[n_rows] > 0:
            n_rows += 1
    return n_rows


@njit(cache=True, nogil=True)
def price_contents(
    n, items, limits, values, requests, allocatable, devices, room, mu, cost, slack, max_nodes, halt, chosen,
    weights, no_rules, held, load, cap,
):  # fmt: skip
    """A good pattern by contents of single GPUs, and a bound on the worth of any.

    Parameters
    ----------
    room, mu
        As of `relax_contents`.
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
    relaxed = open_relaxed(n, n_other)
    upper, n_rows, on_gpu, unit = relax_contents(
        n, items, limits, values, requests, allocatable, devices, room, mu, other, cost + slack, halt, relaxed
    )  # fmt: skip
    if n_rows < 0:
        return upper
    _weigh(n, relaxed.net, relaxed.size, relaxed.pieces, unit, room[MILLI] // unit, on_gpu, weights)
    if n_rows == 0:
        return upper
    capacities = np.empty(n_other + 1, dtype=np.int64)
    for r in range(n_other):
        capacities[r] = allocatable[other[r]]
    capacities[n_other] = room[COUNT]
    rows = np.arange(n + MOST_CONTENTS)
    picked = np.zeros(n + MOST_CONTENTS, dtype=np.int64)
    value, complete = pack(
        n_rows, rows, relaxed.limits, relaxed.shares, relaxed.values, relaxed.requests, capacities,
        capacities, relaxed.duals, cost, slack, max_nodes, picked, no_rules, held, load, cap,
    )  # fmt: skip
    if not complete:
        branch(
            n_rows, rows, relaxed.limits, relaxed.shares, relaxed.values, relaxed.requests, capacities, value,
            slack, np.int64(MOST_BRANCHES), halt, picked, no_rules, np.int64(0), held, load, cap,
        )  # fmt: skip
    for row in range(n_rows):
        if picked[row] > 0:
            if relaxed.of[row] >= 0:
                chosen[relaxed.of[row]] += picked[row]
            else:
                for k in range(n):
                    chosen[k] += picked[row] * relaxed.contents[-1 - relaxed.of[row], k]
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

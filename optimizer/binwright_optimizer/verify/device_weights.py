"""Weights of shares, of which no device holds more than one whole: what sums of thousandths leave out.

Shares of 600 thousandths stand one on a device, though their sum lets five stand on three. Any weights by
size, such that what stands on one device weighs at most `WHOLE`, make one more sum that every node obeys:
a dual feasible function (S. P. Fekete and J. Schepers, 2001, doi:10.1007/s101070100243). Which weights help
depends on the prices of pods: for the multipliers of a relaxed knapsack, the shares of the device that is
worth most have weights in proportion to their worth. They are looked for in floats; that no device holds
more than `WHOLE` is then made sure of in integers, by a knapsack over the places of a device.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.gpus import WHOLE_DEVICES
from binwright_optimizer.model.resources import NVIDIA_GPU
from binwright_optimizer.verify.gpu_columns import COMPUTE, LARGE, MIDDLING, MILLI, PLENTY
from binwright_optimizer.verify.market import Market
from binwright_optimizer.verify.relaxation import Float, Int64Array, solve_relaxation

WHOLE = 2**20
"""Weight of a whole device."""
_MOST_SUMS = 6
"""Sums added, for those options whose pods seem worth most beyond their price: each slows every search."""
_MOST_ROUNDS = 30
"""Relaxations solved to find multipliers; about ten usually converge."""
UNLIMITED = 2**30
"""Devices where replicas of them hold whatever they are asked for."""


def with_device_weights(
    shop: Market, options: NDArray[np.intp], demand: Int64Array, pod: Int64Array, node: Int64Array
) -> Market:
    """The market with sums of weights that suit these prices; itself where shares are of no account.

    Parameters
    ----------
    options
        Those that weights should suit.
    demand, pod
        (class,): pods, and the price of one.
    node
        (option,): what a node's pods may be worth.
    """
    if MILLI not in shop.names or COMPUTE in shop.names or NVIDIA_GPU not in shop.names:
        return shop
    pieces, size = _pieces(shop)
    devices = _devices(shop, shop.room)
    is_share = (pieces > 0) & (size < WHOLE_GPU_MILLI) & (demand > 0) & (pod > 0)
    several = options[(devices[options] > 1) & (devices[options] < UNLIMITED) & (node[options] > 0)]
    if not is_share.any() or not len(several):
        return shop
    sums: list[Int64Array] = []
    open_options = [int(o) for o in several]
    while open_options and len(sums) < _MOST_SUMS:
        excess = [_excess(shop, o, demand, pod, int(node[o]), sums) for o in open_options]
        worst = int(np.argmax(excess))
        if excess[worst] <= 1.0:
            break
        option = open_options.pop(worst)
        worth = _worth_on_devices(shop, option, demand, pod, (pieces, size, is_share))
        sums.append(_weights(worth, pieces, size, is_share))
        open_options = [o for o, e in zip(open_options, np.delete(excess, worst), strict=True) if e > 1.0]
    if not sums:
        return shop
    existing = _devices(shop, shop.existing_room)
    return replace(
        shop,
        requests=np.column_stack([shop.requests, *sums]),
        room=np.column_stack([shop.room, *[_room(devices)] * len(sums)]),
        existing_room=np.column_stack([shop.existing_room, *[_room(existing)] * len(sums)]),
    )


def _devices(shop: Market, room: Int64Array) -> Int64Array:
    """Devices of each node, a part of one counted as a whole: (node,)."""
    milli = room[:, shop.names.index(MILLI)]
    return np.where(milli >= PLENTY, UNLIMITED, -(-milli // WHOLE_GPU_MILLI))


def _room(devices: Int64Array) -> Int64Array:
    """Weight that the devices of each node hold."""
    return WHOLE * devices


def _pieces(shop: Market) -> tuple[Int64Array, Int64Array]:
    """Devices that a pod of each class is on, and thousandths it takes of each: (class,) both.

    Whole devices, of whatever maker, count as such.
    """
    milli = shop.requests[:, shop.names.index(MILLI)]
    gpus = shop.requests[:, shop.names.index(NVIDIA_GPU)]
    others = [r for r, name in enumerate(shop.names) if name in WHOLE_DEVICES and name != NVIDIA_GPU]
    is_share = (gpus > 0) & (milli < WHOLE_GPU_MILLI * gpus) & ~shop.requests[:, others].any(axis=1)
    pieces = np.where(is_share, gpus, milli // WHOLE_GPU_MILLI)
    size = np.where(is_share, milli // np.maximum(gpus, 1), WHOLE_GPU_MILLI)
    return pieces, size


def _most(shop: Market, option: int, demand: Int64Array, pod: Int64Array) -> Int64Array:
    """Most pods of each class that such a node holds of it alone: (class,)."""
    room, requests = shop.room[option], shop.requests
    is_wanted = shop.is_admitted[shop.row_of[option]] & (pod > 0)
    fits = np.where(requests > 0, room // np.maximum(requests, 1), np.iinfo(np.int64).max).min(axis=1)
    return np.where(is_wanted, np.minimum(fits, np.minimum(demand, shop.most)), 0).astype(np.int64)


def _excess(
    shop: Market, option: int, demand: Int64Array, pod: Int64Array, node: int, sums: list[Int64Array]
) -> float:
    """How much of what a node may be worth its pods may be, by the relaxation over all sums."""
    devices = int(_devices(shop, shop.room[[option]])[0])
    share = shop.requests / np.maximum(shop.room[option], 1)
    share = np.column_stack([share, *(weights / (WHOLE * devices) for weights in sums)])
    most = _most(shop, option, demand, pod)
    value, mu, counts = pod.astype(np.float64), np.zeros(share.shape[1]), np.zeros(len(pod))
    solve_relaxation(value, most, share, np.ones(share.shape[1]), mu, counts)
    surplus = np.maximum(0.0, value - share @ mu)
    return float(mu.sum() + most @ surplus) / node


def _worth_on_devices(
    shop: Market,
    option: int,
    demand: Int64Array,
    pod: Int64Array,
    pods: tuple[Int64Array, Int64Array, NDArray[np.bool_]],
) -> Float:
    """What a pod is worth beyond what it takes of everything but devices, if the node holds it: (class,).

    At the multipliers of the relaxation over whole pods and over contents of single devices, to which the
    best content with each share is added until none is worth more than a device costs (P. C. Gilmore and
    R. E. Gomory, 1961, doi:10.1287/opre.9.6.849).
    """
    pieces, size, is_share = pods
    devices = int(_devices(shop, shop.room[[option]])[0])
    is_other = np.ones(shop.requests.shape[1], dtype=bool)
    is_other[: len(shop.names)] = ~np.isin(shop.names, (MILLI, LARGE, MIDDLING, NVIDIA_GPU))
    most = _most(shop, option, demand, pod)
    value = pod.astype(np.float64)
    share = np.column_stack(
        [(shop.requests / np.maximum(shop.room[option], 1))[:, is_other], pieces / devices]
    )
    base = np.flatnonzero((most > 0) & ~is_share)
    alone = np.flatnonzero((most > 0) & is_share & (pieces == 1))
    unit = int(np.gcd.reduce(np.append(size[alone], WHOLE_GPU_MILLI)))
    columns = [(value[base], most[base], share[base])]
    known: set[bytes] = set()
    net = value
    for _ in range(_MOST_ROUNDS):
        row_value, row_most, row_share = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        mu = np.zeros(share.shape[1])
        free = np.ones(len(mu))
        solve_relaxation(
            row_value, row_most, np.ascontiguousarray(row_share), free, mu, np.zeros(len(row_value))
        )
        net = value - share[:, :-1] @ mu[:-1]
        contents = _contents(net[alone], size[alone] // unit, WHOLE_GPU_MILLI // unit, most[alone])
        gain = contents @ net[alone] - mu[-1] / devices
        fresh = [c for c in contents[gain > 1e-9 * mu.sum()] if c.tobytes() not in known]
        if not fresh:
            break
        known.update(c.tobytes() for c in fresh)
        added = np.array(fresh)
        with_one = added @ share[alone]
        with_one[:, -1] = 1.0 / devices
        columns.append((added @ value[alone], np.full(len(added), devices, dtype=np.int64), with_one))
    return np.where(most > 0, net, 0.0)


@njit(cache=True, nogil=True)
def _contents(net: Float, sizes: Int64Array, places: int, most: Int64Array) -> Int64Array:
    """The best content of one device with each share: counts (content, class)."""
    n = net.shape[0]
    best = np.zeros(places + 1)
    last = np.full(places + 1, -1, dtype=np.int64)
    for total in range(1, places + 1):
        best[total] = best[total - 1]
        for k in range(n):
            if sizes[k] <= total and best[total - sizes[k]] + net[k] > best[total]:
                best[total] = best[total - sizes[k]] + net[k]
                last[total] = k
    found = np.zeros((n, n), dtype=np.int64)
    for k in range(n):
        found[k, k] = 1
        left = places - sizes[k]
        while left > 0:
            other = last[left]
            if other < 0:
                left -= 1
                continue
            if found[k, other] < most[other]:
                found[k, other] += 1
            left -= sizes[other]
    return found


def _weights(worth: Float, pieces: Int64Array, size: Int64Array, is_share: NDArray[np.bool_]) -> Int64Array:
    """Weights of pods by what a pod is worth on devices: (class,)."""
    by_size = np.zeros(WHOLE_GPU_MILLI + 1)
    np.maximum.at(by_size, size[is_share], np.maximum(0.0, worth[is_share]) / pieces[is_share])
    sizes = np.unique(size[is_share])
    unit = int(np.gcd.reduce(np.append(sizes, WHOLE_GPU_MILLI)))
    places = WHOLE_GPU_MILLI // unit
    whole = (pieces > 0) & ~is_share
    dearest = float((worth[whole] / pieces[whole]).max(initial=0.0))
    weight_of = np.zeros(WHOLE_GPU_MILLI + 1, dtype=np.int64)
    weight_of[sizes] = _maximal(by_size[sizes], sizes // unit, places, dearest)
    return pieces * np.where(size < WHOLE_GPU_MILLI, weight_of[np.minimum(size, WHOLE_GPU_MILLI)], WHOLE)


@njit(cache=True, nogil=True)
def _maximal(worth: Float, sizes: Int64Array, places: int, dearest: float) -> Int64Array:
    """Integer weights by size, about in proportion to ``worth``, none of which can be raised by itself.

    Parameters
    ----------
    sizes
        Rising, in places of a device.
    dearest
        What a whole device is worth at least.
    """
    n = sizes.shape[0]
    best = np.zeros(places + 1)
    for total in range(1, places + 1):
        best[total] = best[total - 1]
        for s in range(n):
            if sizes[s] <= total:
                best[total] = max(best[total], best[total - sizes[s]] + worth[s])
    device = max(best[places], dearest)
    weight = np.zeros(n, dtype=np.int64)
    if device > 0.0:
        for s in range(n):
            weight[s] = np.int64(WHOLE * (worth[s] / device))
    most = np.zeros(places + 1, dtype=np.int64)
    for at in range(2 * n):  # down to what a device holds, whatever floats said; then up as far as it allows
        raised = n - 1 - at % n
        for total in range(1, places + 1):
            most[total] = most[total - 1]
            for s in range(n):
                if s != raised and sizes[s] <= total:
                    most[total] = max(most[total], most[total - sizes[s]] + weight[s])
        limit = np.int64(WHOLE)
        for count in range(1, places // sizes[raised] + 1):
            limit = min(limit, (WHOLE - most[places - count * sizes[raised]]) // count)
        weight[raised] = max(limit, np.int64(0))
    return weight


def compile_kernels() -> None:
    """Run every kernel once, for the types that they are called with."""
    ones, half = np.ones(2), np.array([1, 2], dtype=np.int64)
    _contents(ones, half, 2, half)
    _maximal(ones, half, 2, 0.0)

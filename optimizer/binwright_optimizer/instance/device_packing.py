"""Whether the devices of one node hold its pods: shares packed one by one, MIG geometries chosen.

Sums over devices say most of it, and are resources like others; this is what they leave open. Shares
are a bin packing problem of a few dozen pieces, solved by first fit decreasing and, where that fails, by
depth-first search; MIG instances are covered by geometries, maximal cuts of one GPU. Searches that take
too long count as failed, which loses a pattern, never a rule.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI

COUNT, MILLI, MEMORY, SIZE, IS_EXCLUSIVE, MODEL, CLAIMED = range(7)
"""Columns of `Devices.room`."""
PARTS = 4
"""Sizes of pieces are compared with halves to fifths of a device."""
NEED_COUNT, NEED_MILLI, NEED_MEMORY = range(3)
"""Columns of `Devices.need`."""
MOST_STEPS = 100
"""Steps of one search beside one for each piece: some microseconds."""


@njit(cache=True, nogil=True)
def most_joining(i, wanted, devices, j, held):  # type: ignore[no-untyped-def]
    """Most pods of class ``i``, up to ``wanted``, that the devices of candidate ``j`` hold beside ``held``.

    Parameters
    ----------
    devices
        `instance.devices.Devices`.
    held
        int64 array (i,): pods on the node, left as it is.
    """
    room = devices.room[j]
    most = np.int64(wanted)
    uses_devices = False
    if j < 0 or room[COUNT] < 0:
        return most
    if _whole(i, devices, room) > 0:
        uses_devices = True
        most = min(most, _most_by_size(i, devices, room, held))
    if room[MODEL] >= 0:
        for f in range(devices.mig.shape[1]):
            if devices.mig[i, f] > 0:
                uses_devices = True
                most = min(most, room[COUNT] * devices.most[room[MODEL], f] // devices.mig[i, f])
    if not uses_devices or most <= 0:
        return max(most, np.int64(0))
    before = held[i]
    held[i] = before + most
    low = high = most
    if not devices_hold(devices, j, held, np.int64(MOST_STEPS)):
        low = np.int64(0)
        high = most - 1
        while low < high:  # a part of what fits fits
            middle = (low + high + 1) // 2
            held[i] = before + middle
            if devices_hold(devices, j, held, np.int64(MOST_STEPS)):
                low = middle
            else:
                high = middle - 1
    held[i] = before
    return low


@njit(cache=True, nogil=True)
def _most_by_size(i, devices, room, held):  # type: ignore[no-untyped-def]
    """An upper bound on what may join, by the sum of sizes and by `_above`."""
    own = _size(i, devices, room)
    count = _whole(i, devices, room)
    shares = np.empty(devices.order.shape[0], dtype=np.int64)
    n, whole = _shares(devices, room, held, shares)
    left = room[COUNT] - whole
    total, above = _above(n, shares, devices, room, held)
    if own >= WHOLE_GPU_MILLI:
        return (left - max(above[0], -(-total // room[MILLI]))) // count
    most = (left * room[MILLI] - total) // (own * count)
    for parts in range(1, PARTS + 1):
        if own * (parts + 1) > room[MILLI]:
            most = min(most, (parts * left - above[parts - 1]) // count)
    return most


@njit(cache=True, nogil=True)
def _above(n, shares, devices, room, held):  # type: ignore[no-untyped-def]
    """Sum of the sizes of pieces, and how many are above 1/(k+1) of a device, of which it holds k.

    The simplest dual feasible functions of bin packing, k = 1 to 4 (S. P. Fekete and J. Schepers, New
    classes of fast lower bounds for bin packing problems, 2001, doi:10.1007/s101070100243).
    """
    total = np.int64(0)
    above = np.zeros(PARTS, dtype=np.int64)
    for at in range(n):
        size = devices.need[shares[at], NEED_MILLI]
        pieces = held[shares[at]] * devices.need[shares[at], NEED_COUNT]
        total += pieces * size
        for parts in range(1, PARTS + 1):
            if size * (parts + 1) > room[MILLI]:
                above[parts - 1] += pieces
    return total, above


@njit(cache=True, nogil=True)
def _size(i, devices, room):  # type: ignore[no-untyped-def]
    """Thousandths that a pod of class ``i`` takes of each of its devices."""
    return np.int64(WHOLE_GPU_MILLI) if room[IS_EXCLUSIVE] != 0 else devices.need[i, NEED_MILLI]


@njit(cache=True, nogil=True)
def _whole(i, devices, room):  # type: ignore[no-untyped-def]
    """Devices, or shares of distinct ones, that a pod of class ``i`` requests and claims on such a node."""
    return devices.need[i, NEED_COUNT] + devices.claimed[room[CLAIMED], i]


@njit(cache=True, nogil=True)
def _shares(devices, room, held, shares):  # type: ignore[no-untyped-def]
    """Classes on the node that share devices, the largest pieces first, into ``shares``.

    Returns
    -------
    How many they are, and the whole devices that others take.
    """
    n = 0
    whole = np.int64(0)
    for i in devices.order:
        if held[i] > 0:
            if _size(i, devices, room) >= WHOLE_GPU_MILLI:
                whole += held[i] * _whole(i, devices, room)
            else:
                shares[n] = i
                n += 1
    return n, whole


@njit(cache=True, nogil=True)
def devices_hold(devices, j, held, most_steps):  # type: ignore[no-untyped-def]
    """Whether the devices of candidate ``j`` hold these pods: ``held`` int64 (i,).

    A negative ``j`` stands for devices that hold whatever they hold in sum. Shares that first fit decreasing
    does not place are searched a place for in ``most_steps`` steps.
    """
    room = devices.room[j]
    if j < 0 or room[COUNT] < 0:
        return True
    shares = np.empty(devices.order.shape[0], dtype=np.int64)
    n, whole = _shares(devices, room, held, shares)
    cuts = np.empty(max(room[COUNT], 1), dtype=np.int64)
    left = room[COUNT] - whole - gpus_cut(devices, room, held, room[COUNT] - whole, cuts)
    if left < 0:
        return False
    total, above = _above(n, shares, devices, room, held)
    if total > left * room[MILLI]:
        return False
    for parts in range(1, PARTS + 1):
        if above[parts - 1] > parts * left:
            return False
    if _first_fit(n, shares, devices, room, held, left):
        return True
    if most_steps == 0:
        return False
    pieces = 0
    for at in range(n):
        pieces += held[shares[at]] * devices.need[shares[at], NEED_COUNT]
    placed = np.empty((pieces, 3), dtype=np.int64)
    return place_shares(devices, room, held, left, placed, most_steps)


@njit(cache=True, nogil=True)
def gpus_cut(devices, room, held, most, cuts):  # type: ignore[no-untyped-def]
    """GPUs that MIG has to cut for these pods; more than ``most`` if those do not suffice.

    Parameters
    ----------
    cuts
        int64 array (devices,): receives the geometry of each GPU that is cut.
    """
    if room[MODEL] < 0 or devices.mig.shape[1] == 0:
        return np.int64(0)
    wanted = np.zeros(devices.mig.shape[1], dtype=np.int64)
    for i in range(held.shape[0]):
        if held[i] > 0:
            for f in range(wanted.shape[0]):
                wanted[f] += held[i] * devices.mig[i, f]
    if not wanted.any():
        return np.int64(0)
    for gpus in range(1, most + 1):
        steps = np.zeros(1, dtype=np.int64)
        if _cover(wanted, gpus, devices.geometries[room[MODEL]], cuts, steps):
            return np.int64(gpus)
    return max(most, np.int64(0)) + 1


@njit(cache=True, nogil=True)
def _first_fit(n, shares, devices, room, held, count):  # type: ignore[no-untyped-def]
    """Whether first fit decreasing puts the shares on ``count`` devices."""
    milli = np.full(count, room[MILLI], dtype=np.int64)
    memory = np.full(count, room[MEMORY] * WHOLE_GPU_MILLI, dtype=np.int64)
    for at in range(n):
        i = shares[at]
        size = devices.need[i, NEED_MILLI]
        own = _memory(i, devices.need, room)
        if devices.need[i, NEED_COUNT] == 1:
            left = held[i]
            for d in range(count):
                if milli[d] < size:
                    continue
                fit = min(left, milli[d] // size)
                if own > 0:
                    fit = min(fit, memory[d] // own)
                milli[d] -= fit * size
                memory[d] -= fit * own
                left -= fit
                if left == 0:
                    break
            if left > 0:
                return False
            continue
        for _ in range(held[i]):
            left = devices.need[i, NEED_COUNT]
            for d in range(count):
                if left > 0 and milli[d] >= size and memory[d] >= own:
                    milli[d] -= size
                    memory[d] -= own
                    left -= 1
            if left > 0:
                return False
    return True


@njit(cache=True, nogil=True)
def _cover(wanted, gpus, geometries, cuts, steps):  # type: ignore[no-untyped-def]
    """Whether geometries of ``gpus`` GPUs have at least the wanted instances of each profile.

    The first profile still wanted, profiles coming by falling size, must be on some GPU, so that only
    geometries with it are tried; of interchangeable GPUs it is the next one.
    """
    first = -1
    for p in range(wanted.shape[0]):
        if wanted[p] > 0:
            first = p
            break
    if first < 0:
        return True
    if gpus == 0 or steps[0] >= MOST_STEPS:
        return False
    for g in range(geometries.shape[0]):
        if geometries[g, first] == 0:
            continue
        steps[0] += 1
        cuts[gpus - 1] = g
        rest = np.maximum(wanted - geometries[g], 0)
        if _cover(rest, gpus - 1, geometries, cuts, steps):
            return True
    return False


@njit(cache=True, nogil=True)
def place_shares(devices, room, held, count, placed, most_steps):  # type: ignore[no-untyped-def]
    """Put the shares on ``count`` devices by depth-first search; False if no way is found.

    The first descent is first fit decreasing. Devices with equal room are tried once.

    Parameters
    ----------
    placed
        int64 array (n, 3): receives class, number of the pod and device of each piece.
    """
    n = 0
    for i in devices.order:
        if held[i] > 0 and _size(i, devices, room) < WHOLE_GPU_MILLI:
            for pod in range(held[i]):
                for _ in range(devices.need[i, NEED_COUNT]):
                    placed[n, 0], placed[n, 1], placed[n, 2] = i, pod, -1
                    n += 1
    milli = np.full(count, room[MILLI], dtype=np.int64)
    memory = np.full(count, room[MEMORY] * WHOLE_GPU_MILLI, dtype=np.int64)
    at = 0
    steps = 0
    while at < n:
        steps += 1
        if steps > most_steps + n:
            return False
        i = placed[at, 0]
        size = _size(i, devices, room)
        own = _memory(i, devices.need, room)
        device = placed[at, 2]
        if device >= 0:  # coming back: take it off again
            milli[device] += size
            memory[device] += own
        lowest = np.int64(0)
        if at > 0 and placed[at - 1, 0] == i:
            if placed[at - 1, 1] == placed[at, 1]:
                lowest = placed[at - 1, 2] + 1  # distinct devices, in rising order
            elif devices.need[i, NEED_COUNT] == 1:
                lowest = placed[at - 1, 2]  # equal pods in rising order
        found = -1
        for d in range(max(lowest, device + 1), count):
            if milli[d] < size or memory[d] < own:
                continue
            is_tried = False
            for other in range(lowest, d):
                if milli[other] == milli[d] and memory[other] == memory[d]:
                    is_tried = True
                    break
            if not is_tried:
                found = d
                break
        if found < 0:
            placed[at, 2] = -1
            at -= 1
            if at < 0:
                return False
            continue
        placed[at, 2] = found
        milli[found] -= size
        memory[found] -= own
        at += 1
    return True


@njit(cache=True, nogil=True)
def _memory(i, need, room):  # type: ignore[no-untyped-def]
    """Thousandths of a byte of device memory that a piece takes."""
    if need[i, NEED_MEMORY] > 0:
        return need[i, NEED_MEMORY] * WHOLE_GPU_MILLI
    return need[i, NEED_MILLI] * room[SIZE]

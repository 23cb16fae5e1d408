"""Karpenter's packing: NodeClaims as superpositions of the node groups that still hold their pods."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def superpose(pods, requests, compatible, allocatable, first_group, use, room):
    """Pack the pods in the order given; returns (claims, template, mask, pattern).

    Parameters
    ----------
    pods
        int64 array (pod,): classes.
    requests
        int64 array (i, r).
    compatible
        bool array (i, g).
    allocatable
        int64 array (g, r).
    first_group
        int64 array (template + 1,): groups of template ``t`` are ``first_group[t]`` up to the next.
    use
        int64 array (g, k): use of each limit by one node.
    room
        int64 array (k,): what the limits leave, reduced in place.

    Returns
    -------
    claims : int
    template : int64 array (c,)
    mask : bool array (c, g)
        Groups that survive.
    pattern : int32 array (c, i)
        Pods of each class. Rows beyond ``claims`` mean nothing.
    """
    n_classes, n_resources = requests.shape
    n_groups = allocatable.shape[0]
    size = 64
    template = np.zeros(size, dtype=np.int64)
    mask = np.zeros((size, n_groups), dtype=np.bool_)
    load = np.zeros((size, n_resources), dtype=np.int64)
    pattern = np.zeros((size, n_classes), dtype=np.int32)
    # A claim only ever loses groups and gains load: a class refused once is refused for good.
    refused = np.zeros((size, n_classes), dtype=np.bool_)
    count = np.zeros(size, dtype=np.int64)
    order = np.zeros(size, dtype=np.int64)
    claims = 0
    for p in range(pods.shape[0]):
        i = pods[p]
        done = False
        for position in range(claims):
            c = order[position]
            if refused[c, i]:
                continue
            if _add(c, i, requests, compatible, allocatable, first_group, template, mask, load):
                pattern[c, i] += 1
                count[c] += 1
                # The list stays sorted by fewest pods; a stable sort keeps the order of equals.
                while position + 1 < claims and count[order[position + 1]] < count[c]:
                    order[position] = order[position + 1]
                    position += 1
                order[position] = c
                done = True
                break
            refused[c, i] = True
        if done:
            continue
        if claims == size:
            template = _doubled(template)
            count = _doubled(count)
            order = _doubled(order)
            mask = _doubled_rows(mask)
            load = _doubled_rows(load)
            pattern = _doubled_rows(pattern)
            refused = _doubled_rows(refused)
            size *= 2
        for t in range(first_group.shape[0] - 1):
            found = False
            for g in range(first_group[t], first_group[t + 1]):
                fits = compatible[i, g]
                for r in range(n_resources):
                    if requests[i, r] > allocatable[g, r]:
                        fits = False
                for k in range(room.shape[0]):
                    if use[g, k] > room[k]:
                        fits = False
                mask[claims, g] = fits
                found = found or fits
            if not found:
                continue
            # Karpenter's subtractMax: the largest type that survives counts against the limits.
            for k in range(room.shape[0]):
                largest = 0
                for g in range(first_group[t], first_group[t + 1]):
                    if mask[claims, g]:
                        largest = max(largest, use[g, k])
                room[k] -= largest
            template[claims] = t
            load[claims] = requests[i]
            pattern[claims, i] = 1
            count[claims] = 1
            position = claims
            while position > 0 and count[order[position - 1]] > 1:
                order[position] = order[position - 1]
                position -= 1
            order[position] = claims
            claims += 1
            break
    return claims, template, mask, pattern


@njit(cache=True, nogil=True)
def _add(c, i, requests, compatible, allocatable, first_group, template, mask, load):
    """Add a pod of class ``i`` to claim ``c`` if at least one group survives; returns whether."""
    first, last = first_group[template[c]], first_group[template[c] + 1]
    n_resources = requests.shape[1]
    found = False
    for g in range(first, last):
        if mask[c, g] and compatible[i, g]:
            fits = True
            for r in range(n_resources):
                if load[c, r] + requests[i, r] > allocatable[g, r]:
                    fits = False
                    break
            if fits:
                found = True
                break
    if not found:
        return False
    for r in range(n_resources):
        load[c, r] += requests[i, r]
    for g in range(first, last):
        if mask[c, g]:
            if not compatible[i, g]:
                mask[c, g] = False
                continue
            for r in range(n_resources):
                if load[c, r] > allocatable[g, r]:
                    mask[c, g] = False
                    break
    return True


@njit(cache=True, nogil=True)
def _doubled(array):
    """The array with as many zeros behind it."""
    result = np.zeros(2 * array.shape[0], dtype=array.dtype)
    result[: array.shape[0]] = array
    return result


@njit(cache=True, nogil=True)
def _doubled_rows(array):
    """The array with as many rows of zeros below it."""
    result = np.zeros((2 * array.shape[0], array.shape[1]), dtype=array.dtype)
    result[: array.shape[0]] = array
    return result

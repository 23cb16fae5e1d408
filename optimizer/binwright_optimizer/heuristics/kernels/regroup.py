"""Compiled search of `Regroup`: pods of a few nodes at a time are grouped anew, each time in the best way.

An attempt draws two to four nodes and some of their pods. The best way to share those out, to new nodes and
on top of what stays on the nodes drawn, is a dynamic programme over the parts of them (`sharing`).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.heuristics.kernels.allowed import allow_parts, mark_meeting
from binwright_optimizer.heuristics.kernels.sharing import (
    LEAST_GAIN,
    MOST_KINDS,
    MOST_PAIRS,
    add_part,
    add_up,
    potential,
    price_parts,
    share_out,
    share_with,
)

MOST_DRAWN = 4
"""Nodes of one attempt."""
MOST_MISSES = 6
"""Pods drawn one after the other that are one class too many, before drawing ends."""
WASTE_SHARE = 0.9
"""Share of the nodes that are drawn by their waste; the others are as likely as each other."""
MOST_MOVED = MOST_PAIRS
"""Pods that an attempt moves are fewer than the pairs of parts of them, and nodes that it adds no more."""
ATTEMPT_STEPS = 1_000
"""Pairs of parts that take as long as the rest of an attempt."""


@njit(cache=True, nogil=True)
def draw_nodes(sums, n_nodes, drawn):
    """Draw different nodes into ``drawn``; returns their number.

    Parameters
    ----------
    sums
        float64 array (m + 1,): waste of all nodes before each.
    """
    wanted = 2 + np.random.randint(MOST_DRAWN - 1)
    n = 0
    for _ in range(4 * MOST_DRAWN):
        if np.random.random() < WASTE_SHARE and sums[n_nodes] > 0.0:
            x = np.searchsorted(sums[: n_nodes + 1], np.random.random() * sums[n_nodes], side="right") - 1
            x = min(x, n_nodes - 1)
        else:
            x = np.random.randint(n_nodes)
        is_new = True
        for y in range(n):
            is_new &= drawn[y] != x
        if is_new:
            drawn[n] = x
            n += 1
            if n == wanted:
                break
    return n


@njit(cache=True, nogil=True)
def draw_pods(n, held, kept, left, kinds, counts):
    """Draw pods that move, off ``kept``; returns their classes' number, and that of pairs of their parts.

    Parameters
    ----------
    held, kept
        int64 arrays (y, h): classes of each node drawn, how many pods of each.
    left
        int64 array (y,): pods of each node, reduced in place.
    kinds, counts
        int64 (k,): receive the classes of pods that move, and how many of each.
    """
    n_kinds, pairs, misses = 0, 1.0, 0
    while misses < MOST_MISSES:
        total = 0
        for y in range(n):
            total += left[y]
        if total == 0:
            break
        u = np.random.randint(total)
        y = 0
        while u >= left[y]:
            u -= left[y]
            y += 1
        h = 0
        while u >= kept[y, h]:
            u -= kept[y, h]
            h += 1
        k = 0
        while k < n_kinds and kinds[k] != held[y, h]:
            k += 1
        if k == n_kinds:
            if n_kinds == MOST_KINDS or 3.0 * pairs > MOST_PAIRS:
                misses += 1
                continue
            pairs *= 3.0
            kinds[k] = held[y, h]
            counts[k] = 1
            n_kinds += 1
        else:
            more = pairs * (counts[k] + 3) / (counts[k] + 1)
            if more > MOST_PAIRS:
                misses += 1
                continue
            pairs = more
            counts[k] += 1
        kept[y, h] -= 1
        left[y] -= 1
    return n_kinds, np.int64(pairs)


@njit(cache=True, nogil=True)
def waste_of(pattern, price, values):
    """Price of a node beyond what its pods are worth."""
    waste = price
    for i in range(pattern.shape[0]):
        if pattern[i] > 0:
            waste -= values[i] * pattern[i]
    return max(waste, 0.0)


@njit(cache=True, nogil=True)
def without_gone(patterns, candidates, waste, n_nodes, n, drawn):
    """Put the last nodes in place of those drawn that are no more; returns how many are left."""
    for _ in range(n):
        gone = -1
        for y in range(n):
            x = drawn[y]
            if x < n_nodes and candidates[x] < 0:
                gone = max(gone, x)
        if gone < 0:
            break
        n_nodes -= 1
        if gone < n_nodes:
            patterns[gone] = patterns[n_nodes]
            candidates[gone] = candidates[n_nodes]
            waste[gone] = waste[n_nodes]
    return n_nodes


@njit(cache=True, nogil=True)
def unpack(pattern, values, held, kept):
    """Classes on a node into ``held``, pods of each into ``kept``; their number, all pods and their worth."""
    n, pods, worth = 0, 0, 0.0
    for i in range(pattern.shape[0]):
        if pattern[i] > 0:
            held[n] = i
            kept[n] = pattern[i]
            pods += pattern[i]
            worth += values[i] * pattern[i]
            n += 1
    return n, pods, worth


@njit(cache=True, nogil=True)
def pack_together(n, held, kept):
    """Drop classes of which no pod is kept, in place; returns how many are left."""
    left = 0
    for h in range(n):
        if kept[h] > 0:
            held[left] = held[h]
            kept[left] = kept[h]
            left += 1
    return left


@njit(cache=True, nogil=True)
def weigh(n_base, held, kept, values, requests, load):
    """Requests of what a node keeps into ``load``; returns what it is worth."""
    load[:] = 0
    worth = 0.0
    for b in range(n_base):
        worth += values[held[b]] * kept[b]
        for r in range(load.shape[0]):
            load[r] += kept[b] * requests[held[b], r]
    return worth


@njit(cache=True, nogil=True)
def regroup(
    patterns, candidates, n_nodes, values, price, requests, allocatable, compatible, node_cap, order,
    is_fixed, rules, seed, most_steps, halted, out_steps,
):  # fmt: skip
    """Group the pods of a few nodes anew, again and again; returns how many nodes there are in the end.

    Parameters
    ----------
    patterns, candidates
        int32 (m, i), int64 (m,): the first ``n_nodes`` are nodes; changed in place. What is left of the room
        is for nodes more.
    values, price
        float64 (i,), float64 (j,): dollars that a pod is worth, and that a node costs.
    order
        intp array: candidates that any number of nodes may be of, the cheapest first.
    is_fixed
        bool array (j,): candidates whose nodes stay what they are, whatever is on them.
    rules
        `NodeRules`, which every node obeys; candidates of ``order`` begin with nothing.
    most_steps, halted, out_steps
        Pairs of parts to look at; uint8 (1,): ends the search once it is set; int64 (1,): receives the pairs.

    Notes
    -----
    Groups that are as good as those before are taken, too, so that the search goes on from elsewhere.
    """
    np.random.seed(seed)
    capacity, n_classes = patterns.shape
    size = MOST_PAIRS + 1
    loads = np.zeros((size, requests.shape[1]), dtype=np.int64)
    worth = np.zeros(size)
    places = np.zeros(size, dtype=np.int64)
    cost = np.zeros(size)
    # Stage 0 is new nodes only; each further stage adds a node that keeps some of its pods.
    best = np.zeros((MOST_DRAWN + 1, size))
    taken = np.zeros((MOST_DRAWN + 1, size), dtype=np.int64)
    holder = np.full((MOST_DRAWN + 1, size), -1, dtype=np.int64)
    stage_of = np.zeros(MOST_DRAWN, dtype=np.int64)
    kinds = np.zeros(MOST_KINDS, dtype=np.int64)
    counts = np.zeros(MOST_KINDS, dtype=np.int64)
    strides = np.zeros(MOST_KINDS, dtype=np.int64)
    drawn = np.zeros(MOST_DRAWN, dtype=np.int64)
    held = np.zeros((MOST_DRAWN, n_classes), dtype=np.int64)
    kept = np.zeros((MOST_DRAWN, n_classes), dtype=np.int64)
    n_held = np.zeros(MOST_DRAWN, dtype=np.int64)
    left = np.zeros(MOST_DRAWN, dtype=np.int64)
    base_load = np.zeros(requests.shape[1], dtype=np.int64)
    own = np.zeros(1, dtype=order.dtype)
    is_allowed = np.ones(size, dtype=np.bool_)
    has_rules = rules.cap.shape[0] > 0
    is_meeting = np.zeros(MOST_KINDS, dtype=np.bool_)
    number = np.full(n_classes if has_rules else 0, -1, dtype=np.int64)
    first_kind = np.full(rules.cap.shape[0], -1, dtype=np.int64)
    placed = np.zeros(n_classes, dtype=np.int64)
    in_sets = np.zeros(rules.cap.shape[0], dtype=np.int64)
    set_cap = rules.cap.copy()
    waste = np.zeros(capacity)
    sums = np.zeros(capacity + 1)
    for x in range(n_nodes):
        waste[x] = waste_of(patterns[x], price[candidates[x]], values)
        sums[x + 1] = sums[x] + waste[x]
    steps = 0
    while steps < most_steps and not halted[0] and 1 < n_nodes <= capacity - MOST_MOVED:
        n = draw_nodes(sums, n_nodes, drawn)
        before = 0.0
        for y in range(n):
            n_held[y], left[y], value = unpack(patterns[drawn[y]], values, held[y], kept[y])
            before += potential(price[candidates[drawn[y]]], value)
        n_kinds, pairs = draw_pods(n, held, kept, left, kinds, counts)
        n_parts = add_up(n_kinds, kinds, counts, strides, values, requests, loads, worth)
        base_load[:] = 0
        if has_rules:
            mark_meeting(n_kinds, kinds, rules, number, first_kind, is_meeting)
            allow_parts(
                n_parts, n_kinds, kinds, counts, strides, is_meeting, 0, held[0], kept[0], -1, rules, placed,
                in_sets, set_cap, is_allowed,
            )  # fmt: skip
        price_parts(
            n_parts, n_kinds, kinds, counts, strides, loads, worth, 0, held[0], kept[0], base_load, 0.0,
            order, price, allocatable, compatible, node_cap, is_allowed, places, holder[0], cost,
        )  # fmt: skip
        holder[0, 0] = -1  # a node for nothing is none
        share_out(n_parts, n_kinds, counts, strides, cost, best[0], taken[0])
        stages = 0
        for y in range(n):
            stage_of[y] = 0
            j = candidates[drawn[y]]
            if left[y] == 0 and not is_fixed[j]:
                continue
            stages += 1
            stage_of[y] = stages
            n_held[y] = pack_together(n_held[y], held[y], kept[y])
            value = weigh(n_held[y], held[y], kept[y], values, requests, base_load)
            own[0] = j
            if has_rules:
                allow_parts(
                    n_parts, n_kinds, kinds, counts, strides, is_meeting, n_held[y], held[y], kept[y],
                    j if is_fixed[j] else -1, rules, placed, in_sets, set_cap, is_allowed,
                )  # fmt: skip
            price_parts(
                n_parts, n_kinds, kinds, counts, strides, loads, worth, n_held[y], held[y], kept[y],
                base_load, value, own if is_fixed[j] else order, price, allocatable, compatible, node_cap,
                is_allowed, places, holder[stages], cost,
            )  # fmt: skip
            share_with(n_parts, n_kinds, counts, strides, cost, best[stages - 1], best[stages], taken[stages])
        steps += ATTEMPT_STEPS + pairs * (stages + 1)
        if not best[stages, n_parts - 1] <= before + LEAST_GAIN:
            continue  # what holds the pods now is not for sale, or no longer
        first = n_nodes
        s = n_parts - 1
        for y in range(n - 1, -1, -1):
            x = drawn[y]
            first = min(first, x)
            patterns[x, :] = 0
            if stage_of[y] > 0:
                t = taken[stage_of[y], s]
                for h in range(n_held[y]):
                    patterns[x, held[y, h]] = kept[y, h]
                add_part(t, n_kinds, kinds, strides, patterns[x])
                candidates[x] = holder[stage_of[y], t]
                s -= t
        for y in range(n):  # nodes that nothing is kept of make room for the new ones, or go
            if stage_of[y] == 0:
                t = taken[0, s]
                add_part(t, n_kinds, kinds, strides, patterns[drawn[y]])
                candidates[drawn[y]] = holder[0, t]
                s -= t
        while s > 0:
            t = taken[0, s]
            patterns[n_nodes, :] = 0
            add_part(t, n_kinds, kinds, strides, patterns[n_nodes])
            candidates[n_nodes] = holder[0, t]
            waste[n_nodes] = waste_of(patterns[n_nodes], price[candidates[n_nodes]], values)
            n_nodes += 1
            s -= t
        for y in range(n):
            x = drawn[y]
            if candidates[x] >= 0:
                waste[x] = waste_of(patterns[x], price[candidates[x]], values)
        n_nodes = without_gone(patterns, candidates, waste, n_nodes, n, drawn)
        for x in range(first, n_nodes):
            sums[x + 1] = sums[x] + waste[x]
    out_steps[0] = steps
    return n_nodes

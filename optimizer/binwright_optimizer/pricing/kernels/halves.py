"""Meet in the middle: a pattern as two hands, of which few lose so little that they matter.

Under multipliers ``mu`` a pattern is worth the bound less what it loses: on every pod that costs more
room than it is worth, on every pod that would be worth more and is left out, and on the room left over.
Where the bound is close, a pattern that matters loses next to nothing. Deal its pods, by rising loss, to
two hands in turn: then neither hand loses much more than half of that, so that few hands come into
question, and two of them make a pattern only if they fill the node nearly exactly, which a sorted list
tells (E. Horowitz and S. Sahni, Computing partitions with applications to the knapsack problem, 1974,
doi:10.1145/321812.321823).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.relaxation import relax

MOST_PAIRS = 4_000_000
"""Pairs of hands looked at after which the search is given up: some milliseconds."""
HANDS_PER_US, PAIRS_PER_US = 10, 500
"""Hands dealt, and pairs looked at, in about a microsecond."""
MANY_PODS = 1_000_000
"""More pods of an item than any node holds."""


@njit(cache=True, nogil=True)
def meet(n, items, spans, shares, values, requests, room, capacity, mu, floor, slack, most_hands, chosen):
    """Best pattern worth more than ``floor + slack`` from two hands.

    Parameters
    ----------
    spans
        int64 array (n,): most pods of each item.
    capacity, room
        int64 arrays (r,): what ``shares`` and ``mu`` refer to; what is free.
    most_hands
        Hands after which the search is given up.
    chosen
        int64 array (n,): receives the pattern by item; untouched if none is worth more.

    Returns
    -------
    value
        Worth of the pattern, or ``floor`` if none is worth more.
    complete
        Whether no pattern is worth more than ``value + slack``; else there were too many hands.
    work
        About how many microseconds it took.
    """
    n_resources = room.shape[0]
    unit = np.zeros(n_resources)  # multiplier of one unit of a resource
    upper = 0.0
    for r in range(n_resources):
        if capacity[r] > 0:
            unit[r] = mu[r] / capacity[r]
        upper += unit[r] * room[r]
    gain = np.empty(n)
    most_gain = 0.0
    for k in range(n):
        gain[k] = values[items[k]] if spans[k] > 0 else -np.inf
        for r in range(n_resources):
            gain[k] -= mu[r] * shares[k, r]
        most_gain += max(gain[k], 0.0) * spans[k]
    upper += most_gain
    best = floor
    budget = upper - best - slack
    if budget <= 0.0:
        return best, True, np.int64(0)
    order = np.argsort(-gain)  # what belongs to a pattern first, then by rising loss
    toll, most_toll = _tolls(n, shares, gain, room, capacity, budget)
    used = np.empty((most_hands, n_resources), dtype=np.int64)
    worth = np.empty(most_hands)
    score = np.empty(most_hands)  # sum of gains, negative ones too
    loss = np.empty(most_hands)
    paid = np.empty(most_hands)
    parent = np.empty(most_hands, dtype=np.int32)
    last = np.empty(most_hands, dtype=np.int32)
    n_last = np.empty(most_hands, dtype=np.int32)
    pods = np.empty(most_hands, dtype=np.int32)
    used[0] = 0
    worth[0] = score[0] = loss[0] = paid[0] = 0.0
    parent[0] = -1
    last[0] = n_last[0] = pods[0] = 0
    made = 1
    front, back = 0, 0
    at = 0
    while at < made:
        for p in range(last[at], n):
            k = order[p]
            lost = max(0.0, -gain[k])
            if 2.0 * loss[at] + lost > budget:
                break
            already = n_last[at] if p == last[at] else 0
            # The other hand holds as many pods, or one less, and each pays a toll of one at least.
            if already >= spans[k] or paid[at] + toll[k] + pods[at] > most_toll:
                continue
            i = items[k]
            fits = True
            for r in range(n_resources):
                if used[at, r] + requests[i, r] > room[r]:
                    fits = False
                    break
            if not fits:
                continue
            if made == most_hands:
                _unfold(front, back, parent, last, order, chosen)
                return best, False, np.int64(made // HANDS_PER_US)
            for r in range(n_resources):
                used[made, r] = used[at, r] + requests[i, r]
            worth[made] = worth[at] + values[i]
            score[made] = score[at] + gain[k]
            loss[made] = loss[at] + lost
            paid[made] = paid[at] + toll[k]
            parent[made] = at
            last[made] = p
            n_last[made] = already + 1
            pods[made] = pods[at] + 1
            if worth[made] > best + slack:
                best = worth[made]
                front, back = made, 0
                budget = upper - best - slack
            made += 1
        at += 1
    if budget <= 0.0:
        _unfold(front, back, parent, last, order, chosen)
        return best, True, np.int64(made // HANDS_PER_US)
    step, key = _keys(made, used, unit, budget)
    level = np.zeros(made, dtype=np.int64)
    if step >= 0:
        level[:] = used[:made, step]
    rising = np.argsort(level * (used[:made, key].max() + 1) + used[:made, key])
    filled = used[rising]  # once more in this order, for a walk through memory
    worths = worth[rising]
    n_levels = level.max() + 1
    start = np.searchsorted(level[rising], np.arange(n_levels + 1))
    best_score = max(0.0, score[:made].max())
    pairs = np.int64(0)
    for a in range(made):
        spare = budget - most_gain + score[a] + best_score
        if spare < 0.0:
            continue
        highest = room[key] - used[a, key]
        lowest = np.int64(0)
        if unit[key] > 0.0 and spare < unit[key] * highest:
            lowest = highest - np.int64(spare / unit[key]) - 1
        least, full = np.int64(0), np.int64(0)
        if step >= 0:
            full = room[step] - used[a, step]
            least = max(least, full - np.int64(spare / unit[step] + 1e-6))
        for there in range(least, min(full + 1, n_levels)):
            first, end = start[there], start[there + 1]
            position = first + np.searchsorted(filled[first:end, key], lowest)
            began = position
            while position < end and filled[position, key] <= highest:
                position += 1
                if worth[a] + worths[position - 1] <= best + slack:
                    continue
                fits = True
                for r in range(n_resources):
                    if used[a, r] + filled[position - 1, r] > room[r]:
                        fits = False
                        break
                if fits and _is_within(a, rising[position - 1], parent, last, order, spans):
                    best = worth[a] + worths[position - 1]
                    front, back = a, rising[position - 1]
                    budget = upper - best - slack
            pairs += position - began
        if pairs > MOST_PAIRS:
            _unfold(front, back, parent, last, order, chosen)
            return best, False, np.int64(made // HANDS_PER_US + pairs // PAIRS_PER_US)
    _unfold(front, back, parent, last, order, chosen)
    return best, True, np.int64(made // HANDS_PER_US + pairs // PAIRS_PER_US)


@njit(cache=True, nogil=True)
def _tolls(n, shares, gain, room, capacity, budget):
    """A toll of which every pod pays one or more, and the most that the pods of a pattern pay.

    It is a price of room and of loss, from the relaxation that packs most pods into the room with the loss
    that may be, and tells how many pods a pattern that matters holds at most.

    Returns
    -------
    toll, most
        float64 array (n,), number.
    """
    n_resources = room.shape[0]
    wider = np.empty((n, n_resources + 1))
    spans = np.zeros(n, dtype=np.int64)
    free = np.ones(n_resources + 1)
    for r in range(n_resources):
        free[r] = room[r] / capacity[r] if capacity[r] > 0 else 0.0
    for k in range(n):
        wider[k, :n_resources] = shares[k]
        wider[k, n_resources] = max(0.0, -gain[k]) / budget
        spans[k] = MANY_PODS if -gain[k] <= budget else 0
    price = np.ones(n_resources + 1)
    relax(n, np.arange(n), spans, wider, np.ones(n), free, price, np.empty(n))
    toll = wider @ price
    least = np.inf
    for k in range(n):
        if spans[k] > 0:
            least = min(least, toll[k])
    if not 0.0 < least < np.inf:
        return np.zeros(n), np.inf
    return toll / least, (price @ free) / least + 1e-6


@njit(cache=True, nogil=True)
def _keys(made, used, unit, budget):
    """Two resources to sort hands by: one that comes in few amounts, and the one of the narrowest window.

    Of the first a pattern leaves a unit or two at most, so that a hand tells how much the other holds; -1 if
    there is no such resource.
    """
    step, key = -1, 0
    fewest, narrowest = np.inf, np.inf
    for r in range(used.shape[1]):
        most = used[:made, r].max()
        if unit[r] > 0.0 and (budget / unit[r] + 1.0) / (most + 1.0) < narrowest:
            narrowest = (budget / unit[r] + 1.0) / (most + 1.0)
            key = r
        if budget < 2.0 * unit[r] and most < fewest:
            fewest = most
            step = r
    return step, key


@njit(cache=True, nogil=True)
def _is_within(a, b, parent, last, order, spans):
    """Whether two hands together hold no more pods of an item than there may be."""
    while a > 0:
        p = last[a]
        together = 0
        while a > 0 and last[a] == p:
            together += 1
            a = parent[a]
        other = b
        while other > 0 and last[other] >= p:
            together += 1 if last[other] == p else 0
            other = parent[other]
        if together > spans[order[p]]:
            return False
    return True


@njit(cache=True, nogil=True)
def _unfold(front, back, parent, last, order, chosen):
    """Write the pods of both hands, if a pattern is found."""
    if front + back == 0:
        return
    chosen[:] = 0
    for hand in (front, back):
        at = hand
        while at > 0:
            chosen[order[last[at]]] += 1
            at = parent[at]

"""Branch and bound of a knapsack on its linear relaxation: for nodes of a few large pods."""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.pricing.kernels.completion import VISITS_PER_US, complete, completion_work
from binwright_optimizer.pricing.kernels.depth_first import pack
from binwright_optimizer.pricing.kernels.halves import meet
from binwright_optimizer.pricing.kernels.relaxation import relax
from binwright_optimizer.pricing.kernels.rules import begin_in_sets, place, room_in_sets
from binwright_optimizer.pricing.kernels.table import fill, table_work

BRANCH_NODES = 3_000
"""Depth-first nodes tried to close a branch: about as long as its relaxation takes."""
BRANCH_WORK = 40
"""Microseconds that a branch takes, in round numbers."""
TABLE_SHARE = 4.0
"""Work of a table, which closes the search for sure, for that of the branches that there is time for."""
COMPLETION_SHARE = 4.0
"""The same of a search that knows from a table how it may end, and of its steps."""
EASY_BRANCHES = 12
"""Branches solved before such a search begins: most candidates need no more."""
MOST_VISITS = 1_000_000
"""Its steps at most: some 30 milliseconds."""
MEETING_GAP = 0.0008
"""Relative gap of a branch below which its patterns may meet in the middle."""
HANDS_PER_BRANCH = 400
"""Hands that may be dealt for every branch that there is time for: they take as long."""
MOST_HANDS = 200_000
"""Hands dealt at most: 15 MB, and some 20 milliseconds in which nobody looks whether to stop."""
NARROWER = 0.6
"""Share of a gap that left too many hands at which it is tried again."""


@njit(cache=True, nogil=True)
def branch(
    n, items, limits, shares, values, requests, capacity, floor, slack, max_branches, halt, chosen,
    rules, j, held, load, cap,
):  # fmt: skip
    """Best pattern worth more than ``floor + slack`` by branch and bound on the linear relaxation.

    For the candidates where the fixed multipliers of `pack` are too weak: large nodes that hold a
    handful of large pods. Every branch solves its own relaxation, tightens item bounds by reduced
    cost, tries to close itself by a short depth-first search under its own multipliers, and
    otherwise splits on the item of largest fractional share. The branch of largest bound comes
    first, so that a search cut short still has a good bound.

    Relaxations know no node rules beyond the bounds that follow from the pods a branch fixes. Where
    the whole part of one breaks a rule, the branch is split on that first: without the pod that triggers
    it or with one, or on the number of pods of a class that it counts.

    Parameters
    ----------
    rules, j, held, load, cap
        Node rules, the candidate, and room for the state of a node; see `kernels.rules`. Devices are not
        looked at: the pattern holds in sum, and the bound is one on what devices hold as well.

    Returns
    -------
    value
        Worth of the pattern, or ``floor`` if none is worth more.
    upper
        No pattern is worth more than this; within ``slack`` of ``value`` unless cut short.
    solved
        Branches solved.
    """
    scarce = _scarce(n, items, limits, requests, capacity)
    if scarce.shape[0] == requests.shape[1]:
        return _branch(
            n, items, limits, shares, values, requests, capacity, floor, slack, max_branches, halt, chosen,
            rules, j, held, load, cap,
        )  # fmt: skip
    few_requests = np.empty((requests.shape[0], scarce.shape[0]), dtype=np.int64)
    few_shares = np.empty((n, scarce.shape[0]))
    for k in range(n):
        for r in range(scarce.shape[0]):
            few_requests[items[k], r] = requests[items[k], scarce[r]]
            few_shares[k, r] = shares[k, scarce[r]]
    return _branch(
        n, items, limits, few_shares, values, few_requests, capacity[scarce], floor, slack, max_branches,
        halt, chosen, rules, j, held, load, cap,
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _scarce(n, items, limits, requests, capacity):
    """Resources of which all items together want more than there is; one at least. Others bind nothing."""
    scarce = np.empty(requests.shape[1], dtype=np.int64)
    found = 0
    for r in range(requests.shape[1]):
        left = np.int64(capacity[r])
        for k in range(n):
            if left >= 0:
                left -= requests[items[k], r] * np.int64(limits[k])
        if left < 0:
            scarce[found] = r
            found += 1
    if found == 0:
        scarce[0] = 0
        found = 1
    return scarce[:found]


@njit(cache=True, nogil=True)
def _branch(
    n, items, limits, shares, values, requests, capacity, floor, slack, max_branches, halt, chosen,
    rules, j, held, load, cap,
):  # fmt: skip
    """`branch` over resources that bind."""
    n_resources = requests.shape[1]
    has_rules = rules.cap.shape[0] > 0
    position_of = np.empty(held.shape[0], dtype=np.int64)
    for k in range(n if has_rules else 0):
        position_of[items[k]] = k
    counts = np.zeros(n, dtype=np.int64)
    size = max_branches + 2  # every branch solved makes way for two
    low = np.empty((size, n), dtype=np.int32)
    high = np.empty((size, n), dtype=np.int32)
    bound = np.empty(size)
    for k in range(n):
        low[0, k] = 0
        high[0, k] = limits[k]
    bound[0] = np.inf
    heap = np.zeros(size, dtype=np.int64)  # rows of the open branches, the largest bound first
    opened = 1
    unused = np.arange(size - 1, -1, -1)  # rows without a branch, the next one last
    n_unused = size - 1
    best = floor
    mu = np.ones(n_resources)
    primal = np.empty(n)
    span = np.empty(n, dtype=np.int64)
    extra = np.empty(n, dtype=np.int64)
    free = np.empty(n_resources)
    room = np.empty(n_resources, dtype=np.int64)
    lows = np.empty(n, dtype=np.int32)
    highs = np.empty(n, dtype=np.int32)
    steps = np.empty(n_resources, dtype=np.int64)
    levels = np.empty(n_resources, dtype=np.int64)
    mu_root = np.empty(n_resources)
    span_root = np.empty(n, dtype=np.int64)
    is_table_tried = False
    ceiling = np.inf  # that the table has proven
    solved = 0
    narrowest = np.inf  # gap below which meeting in the middle is tried again
    while solved < max_branches:
        if halt[0] != 0:
            break
        if opened == 0 or bound[heap[0]] <= best + slack:
            return best, best + slack, solved
        if solved >= EASY_BRANCHES and not is_table_tried:
            is_table_tried = True
            most_work = COMPLETION_SHARE * BRANCH_WORK * max_branches
            work = completion_work(n, items, span_root, requests, capacity, mu_root, steps, levels)
            if work <= most_work:
                if has_rules:
                    begin_in_sets(rules, j, held, load, cap)
                best, ceiling, visits = complete(
                    n, items, span_root, shares, values, requests, capacity, mu_root, steps, levels, best,
                    slack, np.int64(min(most_work * VISITS_PER_US, MOST_VISITS)), halt, chosen[:n],
                    rules, held, load, cap,
                )  # fmt: skip
                solved += np.int64(work + visits // VISITS_PER_US) // BRANCH_WORK
                if ceiling <= best + slack:
                    return best, best + slack, solved
        solved += 1
        top = heap[0]
        opened -= 1
        heap[0] = heap[opened]
        _sink(heap, opened, bound)
        lows[:] = low[top]
        highs[:] = high[top]
        unused[n_unused] = top
        n_unused += 1
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
        if has_rules and fits:
            begin_in_sets(rules, j, held, load, cap)
            for k in range(n):
                if lows[k] > 0:
                    place(items[k], np.int64(lows[k]), rules, held, load)
            for k in range(n):
                spare = room_in_sets(items[k], rules, held, load, cap)
                if spare < 0 and lows[k] > 0:
                    fits = False
                    break
                highs[k] = min(np.int64(highs[k]), lows[k] + max(spare, 0))
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
                if loss * span[k] > upper - best - slack:
                    span[k] = np.int64((upper - best - slack) / loss)
        if solved == 1:
            mu_root[:], span_root[:] = mu, span
        if solved == 1 and not has_rules:
            work = table_work(n, items, span, requests, capacity, mu, steps, levels)
            if work <= TABLE_SHARE * BRANCH_WORK * max_branches:
                solved += np.int64(work) // BRANCH_WORK
                extra[:] = 0
                worth, fits = fill(
                    n, items, span, values, requests, capacity, steps, levels, best + slack, halt, extra
                )
                if worth <= best + slack:
                    return best, best + slack, solved
                if fits:
                    chosen[:n] = extra
                    return worth, worth + slack, solved
                upper = min(upper, worth)
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
            np.int64(BRANCH_NODES),
            extra,
            rules,
            held,
            load,
            cap,
        )
        if value + gained > best + slack:
            best = value + gained
            for k in range(n):
                chosen[k] = lows[k] + extra[k]
        if closed:
            continue
        if not has_rules and upper - best - slack <= min(MEETING_GAP * upper, narrowest):
            extra[:] = 0
            gained, closed, taken = meet(
                n, items, span, shares, values, requests, room, capacity, mu, best - value, slack,
                min(HANDS_PER_BRANCH * max_branches, MOST_HANDS), extra,
            )  # fmt: skip
            solved += taken // BRANCH_WORK
            if value + gained > best + slack:
                best = value + gained
                for k in range(n):
                    chosen[k] = lows[k] + extra[k]
            if closed:
                continue
            narrowest = NARROWER * (upper - best - slack)
        split = -1
        widest = 0.0
        for k in range(n):
            counts[k] = np.int64(np.floor(primal[k] + 1e-9))
            part = primal[k] - counts[k]
            if part > 1e-9:
                share = 0.0
                for r in range(n_resources):
                    share = max(share, shares[k, r])
                if share * min(part, 1.0 - part) > widest:
                    widest = share * min(part, 1.0 - part)
                    split = k
        whole = lows[max(split, 0)] + np.int32(counts[max(split, 0)])
        if has_rules:
            broken, most = _broken(n, items, counts, lows, position_of, rules, held, load, cap)
            if broken >= 0:
                split = broken
                whole = np.int32(most)
        if split < 0:
            split = _overfull(n, items, counts, shares, requests, room)
            if split < 0:  # the relaxation is a pattern: nothing here is worth more
                gained = 0.0
                for k in range(n):
                    gained += counts[k] * values[items[k]]
                if value + gained > best + slack:
                    best = value + gained
                    for k in range(n):
                        chosen[k] = lows[k] + counts[k]
                continue
            whole = np.int32(lows[split] + counts[split] - 1)
        for k in range(n):
            highs[k] = lows[k] + span[k]
        for is_above in range(1 if whole + 1 > highs[split] else 2):
            n_unused -= 1
            row = unused[n_unused]
            low[row], high[row], bound[row] = lows, highs, upper
            if is_above:
                low[row, split] = whole + 1
            else:
                high[row, split] = min(whole, highs[split])
            heap[opened] = row
            opened += 1
            _rise(heap, opened, bound)
    if opened == 0:
        return best, best + slack, solved
    return best, max(best + slack, min(ceiling, bound[heap[0]])), solved


@njit(cache=True, nogil=True)
def _rise(heap, n, bound):
    """Bring the last of ``n`` rows up to where no row above it has a smaller bound."""
    at = n - 1
    while at > 0 and bound[heap[at]] > bound[heap[(at - 1) // 2]]:
        above = (at - 1) // 2
        heap[at], heap[above] = heap[above], heap[at]
        at = above


@njit(cache=True, nogil=True)
def _sink(heap, n, bound):
    """Bring the first of ``n`` rows down to where no row below it has a larger bound."""
    at = 0
    while 2 * at + 1 < n:
        below = 2 * at + 1
        if below + 1 < n and bound[heap[below + 1]] > bound[heap[below]]:
            below += 1
        if bound[heap[below]] <= bound[heap[at]]:
            return
        heap[at], heap[below] = heap[below], heap[at]
        at = below


@njit(cache=True, nogil=True)
def _broken(n, items, counts, lows, position_of, rules, held, load, cap):
    """A rule that ``counts`` beside the fixed ``lows`` break, as the split that decides about it.

    The state holds the fixed pods and is left so. A class is chosen that the branch has not fixed at
    its count, which there is, or the fixed pods would break the rule themselves.

    Returns
    -------
    Position of the item to split, -1 if no rule is broken; the most pods of it in the lower half.
    """
    split = -1
    most = np.int64(0)
    for k in range(n):
        if counts[k] > 0:
            place(items[k], counts[k], rules, held, load)
    for k in range(n):
        if counts[k] == 0:
            continue
        i = items[k]
        for at in range(rules.set_start[i], rules.set_start[i + 1]):
            s = rules.set_of[at]
            if load[s] > cap[s]:
                split, most = k, lows[k] + counts[k] - 1
                break
            for q in range(rules.rule_start[s], rules.rule_start[s + 1]):
                t = rules.trigger[q]
                if held[t] > 0 and load[s] > rules.most[q]:
                    trigger = position_of[t]
                    if lows[trigger] == 0:
                        split, most = trigger, np.int64(0)
                    else:
                        split, most = k, lows[k] + counts[k] - 1
                    break
            if split >= 0:
                break
        if split >= 0:
            break
    for k in range(n):
        if counts[k] > 0:
            place(items[k], -counts[k], rules, held, load)
    return split, most


@njit(cache=True, nogil=True)
def _overfull(n, items, counts, shares, requests, room):
    """The largest item of ``counts`` where they exceed the room by what floats round; -1 if they fit."""
    split = -1
    for r in range(room.shape[0]):
        used = np.int64(0)
        for k in range(n):
            used += counts[k] * requests[items[k], r]
        if used > room[r]:
            largest = 0.0
            for k in range(n):
                if counts[k] > 0 and shares[k, r] > largest:
                    largest = shares[k, r]
                    split = k
    return split

"""Compiled: which parts of a few pods node rules allow on top of what a node keeps.

Most classes have nothing to do with each other. How many pods of a class may join what stays is asked once;
only parts with pods of several classes that meet in a rule are put together, one class after the other.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.heuristics.kernels.sharing import MOST_KINDS, next_part
from binwright_optimizer.pricing.kernels.rules import place, room_in_sets


@njit(cache=True, nogil=True)
def mark_meeting(n_kinds, kinds, rules, number, first, is_meeting):
    """Mark the classes that meet another one of them in a rule.

    Parameters
    ----------
    number, first
        int64 arrays (i,), (s,): -1 everywhere, and left so.
    is_meeting
        bool array (k,): receives whether each does.
    """
    for k in range(n_kinds):
        is_meeting[k] = False
        number[kinds[k]] = k
    for k in range(n_kinds):
        for at in range(rules.set_start[kinds[k]], rules.set_start[kinds[k] + 1]):
            s = rules.set_of[at]
            if first[s] < 0:
                first[s] = k
            else:
                is_meeting[k] = True
                is_meeting[first[s]] = True
            for q in range(rules.rule_start[s], rules.rule_start[s + 1]):
                other = number[rules.trigger[q]]
                if other >= 0 and other != k:
                    is_meeting[k] = True
                    is_meeting[other] = True
    for k in range(n_kinds):
        number[kinds[k]] = -1
        for at in range(rules.set_start[kinds[k]], rules.set_start[kinds[k] + 1]):
            first[rules.set_of[at]] = -1


@njit(cache=True, nogil=True)
def allow_parts(
    n_parts, n_kinds, kinds, counts, strides, is_meeting, n_base, base_kinds, base_counts, j, rules, placed,
    load, cap, is_allowed,
):  # fmt: skip
    """Which parts may join what stays on a node.

    Parameters
    ----------
    is_meeting
        bool array (k,): classes that meet another one of the parts in a rule.
    j
        The node's candidate; -1 for one that begins with nothing.
    placed, load, cap
        int64 arrays (i,), (s,), (s,): the state of an empty node that begins with nothing, and left so.
    is_allowed
        bool array (s,): receives the answer.
    """
    if j >= 0:
        for at in range(rules.begin_start[j], rules.begin_start[j + 1]):
            s = rules.begin_set[at]
            load[s] += rules.begin_load[at]
            cap[s] = min(cap[s], rules.begin_most[at])
    for b in range(n_base):
        place(base_kinds[b], base_counts[b], rules, placed, load)
    most = np.empty(MOST_KINDS, dtype=np.int64)
    for k in range(n_kinds):
        most[k] = room_in_sets(kinds[k], rules, placed, load, cap)
    digits = np.zeros(MOST_KINDS, dtype=np.int64)
    for s in range(n_parts):
        if s > 0:
            next_part(n_kinds, counts, digits)
        allowed = True
        meeting = 0
        for k in range(n_kinds):
            if digits[k] > 0:
                allowed &= digits[k] <= most[k] and is_allowed[s - strides[k]]
                if is_meeting[k]:
                    meeting += 1
        if allowed and meeting > 1:
            allowed = _may_join(n_kinds, kinds, digits, is_meeting, rules, placed, load, cap)
        is_allowed[s] = allowed
    for b in range(n_base):
        place(base_kinds[b], -base_counts[b], rules, placed, load)
    if j >= 0:
        for at in range(rules.begin_start[j], rules.begin_start[j + 1]):
            s = rules.begin_set[at]
            load[s] -= rules.begin_load[at]
            cap[s] = rules.cap[s]


@njit(cache=True, nogil=True)
def _may_join(n_kinds, kinds, digits, is_meeting, rules, placed, load, cap):
    """Whether pods of the classes that meet may join the node all together; leaves its state as it was."""
    allowed = True
    joined = 0
    while joined < n_kinds:
        k = joined
        if digits[k] > 0 and is_meeting[k]:
            if room_in_sets(kinds[k], rules, placed, load, cap) < digits[k]:
                allowed = False
                break
            place(kinds[k], digits[k], rules, placed, load)
        joined += 1
    for k in range(joined):
        if digits[k] > 0 and is_meeting[k]:
            place(kinds[k], -digits[k], rules, placed, load)
    return allowed

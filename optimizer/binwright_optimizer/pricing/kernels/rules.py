"""Node rules inside the searches: how many more pods of a class may join those chosen so far.

A search keeps, for the node that it fills, the pods by class (``held``), their number in each set of
the rules, running pods included (``load``), and the cap of each set that holds whatever joins
(``cap``). Since every part of an allowed pattern is allowed, a search that never exceeds `room_for`
misses no pattern. Bounds know nothing of rules but what they say of an empty node.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from binwright_optimizer.instance.device_packing import devices_hold, most_joining


@njit(cache=True, nogil=True)
def begin(rules, j, held, load, cap):
    """The state of a node of candidate ``j`` without any pod placed: fills int64 (i,), (s,), (s,)."""
    held[:] = 0
    load[:] = 0
    cap[:] = rules.cap
    for at in range(rules.begin_start[j], rules.begin_start[j + 1]):
        s = rules.begin_set[at]
        load[s] += rules.begin_load[at]
        cap[s] = min(cap[s], rules.begin_most[at])
    if rules.devices.need.shape[0] > 0:
        cap[-1] = j


@njit(cache=True, nogil=True)
def begin_in_sets(rules, j, held, load, cap):
    """The same of a node whose devices hold whatever they hold in sum."""
    begin(rules, j, held, load, cap)
    if rules.devices.need.shape[0] > 0:
        cap[-1] = -1


@njit(cache=True, nogil=True)
def room_for(i, wanted, rules, held, load, cap):
    """Most pods of class ``i``, up to ``wanted``, that may join."""
    most = min(wanted, room_in_sets(i, rules, held, load, cap))
    if rules.devices.need.shape[0] > 0 and most > 0:
        most = most_joining(i, most, rules.devices, cap[-1], held)
    return max(most, np.int64(0))


@njit(cache=True, nogil=True)
def room_in_sets(i, rules, held, load, cap):
    """Most pods of class ``i`` that may join by the sets; negative where those placed break a rule already.

    Devices take longer to look at than a step of a search may: see `is_on_devices`.
    """
    most = np.int64(2**40)
    for at in range(rules.set_start[i], rules.set_start[i + 1]):
        s = rules.set_of[at]
        least = cap[s]
        for q in range(rules.rule_start[s], rules.rule_start[s + 1]):
            if rules.most[q] < least and (rules.trigger[q] == i or held[rules.trigger[q]] > 0):
                least = rules.most[q]
        free = least - load[s]
        if rules.once_into.shape[0] > 0 and free >= 0:
            free -= _fresh(i, s, rules, load)
            if free < 0:
                most = min(most, np.int64(0))
                continue
        if rules.weight[at] > 0:
            most = min(most, free // rules.weight[at])
        elif free < 0:
            most = min(most, np.int64(-1))
    for at in range(rules.fired_start[i], rules.fired_start[i + 1]):
        if load[rules.fired_set[at]] > rules.most[rules.fired[at]]:
            most = min(most, np.int64(0) if held[i] == 0 else np.int64(-1))
    return most


@njit(cache=True, nogil=True)
def is_on_devices(rules, held, cap, most_steps):
    """Whether the devices of the node hold the pods placed; see `devices_hold`."""
    return rules.devices.need.shape[0] == 0 or devices_hold(rules.devices, cap[-1], held, most_steps)


@njit(cache=True, nogil=True)
def place(i, count, rules, held, load):
    """``count`` pods of class ``i`` join; a negative count takes them away."""
    held[i] += count
    for at in range(rules.set_start[i], rules.set_start[i + 1]):
        s = rules.set_of[at]
        before = load[s]
        load[s] += count * rules.weight[at]
        if rules.once_into.shape[0] > 0 and rules.once_into[s] >= 0:
            load[rules.once_into[s]] += np.int64(load[s] > 0) - np.int64(before > 0)


@njit(cache=True, nogil=True)
def _fresh(i, s, rules, load):
    """Volumes of class ``i`` that count in set ``s`` and that nobody on the node shares yet."""
    fresh = 0
    for at in range(rules.set_start[i], rules.set_start[i + 1]):
        mine = rules.set_of[at]
        if rules.once_into[mine] == s and load[mine] == 0:
            fresh += 1
    return fresh

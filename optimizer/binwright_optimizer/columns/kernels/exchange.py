"""Compiled search for the nearest exchanges; see `columns.exchange`."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def nearest(requests, may_stand, worth, by_worth, is_slot, most, seeds, most_pods, starts, classes, counts):
    """Fill in the nearest exchanges of every class.

    Parameters
    ----------
    may_stand
        bool array (k, i): whatever takes class k takes class i.
    by_worth
        int64 array (i,): classes from the dearest on.
    is_slot
        bool array (r,): resources that sets of pods may use more of.
    most, seeds, most_pods
        Exchanges of each kind per class; classes from which sets are built; pods in a set.
    starts, classes, counts
        int32 (e,), int32 (q,), float64 (q,): receive the exchanges.

    Returns
    -------
    How many exchanges there are, and how many entries they have.
    """
    n, n_resources = requests.shape
    rank = np.empty(n, dtype=np.int64)
    for position in range(n):
        rank[by_worth[position]] = position
    smaller = np.empty(n, dtype=np.int64)
    rest = np.empty(n_resources, dtype=np.int64)
    members = np.empty((seeds, most_pods), dtype=np.int64)
    sizes = np.empty(seeds, dtype=np.int64)
    values = np.empty(seeds)
    e = 0
    q = 0
    for k in range(n):
        m = 0
        for i in by_worth:
            if i == k or not may_stand[k, i]:
                continue
            fits = True
            equal = True
            for r in range(n_resources):
                fits = fits and requests[i, r] <= requests[k, r]
                equal = equal and requests[i, r] == requests[k, r]
            if fits and not (equal and may_stand[i, k] and rank[i] < rank[k]):  # one direction only
                smaller[m] = i
                m += 1
        singles = 0
        for a in range(m):
            if singles == most:
                break
            i = smaller[a]
            is_between = False
            for b in range(a):
                other = smaller[b]
                covered = may_stand[other, i]
                for r in range(n_resources):
                    covered = covered and requests[i, r] <= requests[other, r]
                is_between = is_between or covered
            if not is_between:
                starts[e] = q
                classes[q], counts[q] = k, -1.0
                classes[q + 1], counts[q + 1] = i, 1.0
                q += 2
                e += 1
                singles += 1
        sets = 0
        for a in range(min(m, seeds)):
            for r in range(n_resources):
                rest[r] = requests[k, r] - requests[smaller[a], r]
            members[sets, 0] = smaller[a]
            size = 1
            value = worth[smaller[a]]
            while size < most_pods:
                found = False
                for b in range(a, m):
                    fits = True
                    for r in range(n_resources):
                        fits = fits and (is_slot[r] or requests[smaller[b], r] <= rest[r])
                    if fits:
                        for r in range(n_resources):
                            rest[r] -= requests[smaller[b], r]
                        members[sets, size] = smaller[b]
                        size += 1
                        value += worth[smaller[b]]
                        found = True
                        break
                if not found:
                    break
            if size > 1:
                sizes[sets] = size
                values[sets] = value
                sets += 1
        for _ in range(min(sets, most)):
            best = np.argmax(values[:sets])
            if values[best] <= 0.0:
                break
            values[best] = -1.0
            starts[e] = q
            classes[q], counts[q] = k, -1.0
            q += 1
            for position in range(sizes[best]):
                i = members[best, position]
                if position > 0 and members[best, position - 1] == i:
                    counts[q - 1] += 1.0
                else:
                    classes[q], counts[q] = i, 1.0
                    q += 1
            e += 1
    return e, q

"""All patterns worth considering, where they are few: then the choice among them is exact.

A maximal pattern is one to which no pod can be added. Since demand may be exceeded, some optimal
solution uses maximal patterns only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance

MOST_PATTERNS = 2_000
"""Patterns beyond which enumeration is given up: a tenth of a second."""
MOST_STEPS = 20_000
"""Search steps beyond which enumeration is given up."""


def maximal_patterns(instance: Instance) -> tuple[NDArray[np.intp], NDArray[np.int32]] | None:
    """Every maximal pattern of every candidate, or None if they are too many.

    Returns
    -------
    intp array (p,) of candidates and int32 array (p, i).
    """
    candidates: list[int] = []
    patterns: list[list[int]] = []
    budget = MOST_STEPS
    for j in range(instance.n_candidates):
        found: list[list[int]] = []
        budget = _extend(
            instance, j, np.flatnonzero(instance.compatible[:, j]), instance.allocatable[j], [], found, budget
        )
        if budget <= 0 or len(patterns) + len(found) > MOST_PATTERNS:
            return None
        candidates.extend([j] * len(found))
        patterns.extend(found)
    return (
        np.array(candidates, dtype=np.intp),
        np.array(patterns, dtype=np.int32).reshape(len(patterns), instance.n_classes),
    )


def _extend(
    instance: Instance,
    j: int,
    classes: NDArray[np.intp],
    room: NDArray[np.int64],
    counts: list[int],
    found: list[list[int]],
    budget: int,
) -> int:
    """Append the maximal patterns that begin with ``counts``; returns the steps left."""
    if budget <= 0:
        return 0
    if len(counts) == len(classes):
        full = all(
            counts[k] >= instance.demand[i] or (instance.requests[i] > room).any()
            for k, i in enumerate(classes)
        )
        if full and counts:
            pattern = [0] * instance.n_classes
            for k, i in enumerate(classes):
                pattern[i] = counts[k]
            found.append(pattern)
        return budget - 1
    i = classes[len(counts)]
    used = instance.requests[i] > 0
    most = min(int(instance.demand[i]), int((room[used] // instance.requests[i][used]).min()))
    for count in range(most, -1, -1):
        budget = _extend(
            instance, j, classes, room - count * instance.requests[i], [*counts, count], found, budget
        )
        if budget <= 0:
            return 0
    return budget

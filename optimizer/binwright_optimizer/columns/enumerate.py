"""All patterns worth considering, where they are few: then the choice among them is exact.

A maximal pattern is one to which no pod can be added. Since demand may be exceeded, some optimal
solution uses maximal patterns only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance

MOST_CLASSES = 24
"""Classes on one candidate beyond which there are far too many patterns to try."""
MOST_PATTERNS = 2_000
"""Patterns beyond which enumeration is given up."""
MOST_STEPS = 20_000
"""Partial patterns beyond which enumeration is given up: some 50 ms."""


def maximal_patterns(
    instance: Instance, flag: NDArray[np.uint8]
) -> tuple[NDArray[np.intp], NDArray[np.int32]] | None:
    """Every maximal pattern of every candidate, or None if they are too many.

    Parameters
    ----------
    flag
        uint8 array (1,): enumeration is given up when it is set.

    Returns
    -------
    intp array (p,) of candidates and int32 array (p, i).
    """
    if instance.compatible.sum(axis=0).max(initial=0) > MOST_CLASSES:
        return None
    candidates: list[int] = []
    patterns: list[list[int]] = []
    budget = MOST_STEPS
    for j in range(instance.n_candidates):
        found, budget = _patterns_of(instance, j, budget, flag)
        if budget <= 0 or len(patterns) + len(found) > MOST_PATTERNS:
            return None
        candidates.extend([j] * len(found))
        patterns.extend(found)
    return (
        np.array(candidates, dtype=np.intp),
        np.array(patterns, dtype=np.int32).reshape(len(patterns), instance.n_classes),
    )


def _patterns_of(
    instance: Instance, j: int, budget: int, flag: NDArray[np.uint8]
) -> tuple[list[list[int]], int]:
    """Maximal patterns of one candidate, and the steps left of ``budget``."""
    classes = np.flatnonzero(instance.compatible[:, j]).tolist()
    requests = [tuple(instance.requests[i].tolist()) for i in classes]
    demand = [int(min(instance.demand[i], instance.node_cap[i])) for i in classes]
    rules = instance.rules

    def is_allowed(counts: tuple[int, ...]) -> bool:
        if rules.is_empty:
            return True
        pattern = np.zeros(instance.n_classes, dtype=np.int64)
        pattern[classes[: len(counts)]] = counts
        return rules.allows(j, pattern)

    found: list[list[int]] = []
    stack: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), tuple(instance.allocatable[j].tolist()))]
    while stack:
        counts, room = stack.pop()
        k = len(counts)
        if k < len(classes):
            most = demand[k]
            for need, left in zip(requests[k], room, strict=True):
                if need:
                    most = min(most, left // need)
            budget -= most + 1
            if budget <= 0 or flag[0]:
                return [], 0
            allowed = 0
            while allowed < most and is_allowed((*counts, allowed + 1)):
                allowed += 1
            is_last = k == len(classes) - 1  # of which a maximal pattern holds all that fit
            for count in range(allowed if is_last else 0, allowed + 1):
                rest = tuple(r - count * q for r, q in zip(room, requests[k], strict=True))
                stack.append(((*counts, count), rest))
        elif counts and not any(
            counts[c] < demand[c]
            and all(q <= r for q, r in zip(requests[c], room, strict=True))
            and is_allowed((*counts[:c], counts[c] + 1, *counts[c + 1 :]))
            for c in range(len(classes))
        ):
            pattern = [0] * instance.n_classes
            for c, i in enumerate(classes):
                pattern[i] = counts[c]
            found.append(pattern)
    return found, budget

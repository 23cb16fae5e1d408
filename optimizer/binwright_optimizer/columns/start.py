"""Columns to start from: each class alone on the candidate it fills best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance


def single_class_columns(instance: Instance) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """For each class the two candidates of least price per pod, as full as they get.

    Returns
    -------
    intp array (p,) and int32 array (p, i).
    """
    candidates: list[int] = []
    patterns: list[NDArray[np.int32]] = []
    for i in np.flatnonzero(instance.demand):
        rows = np.flatnonzero(instance.compatible[i])
        request = instance.requests[i]
        used = request > 0
        fit = (instance.allocatable[rows][:, used] // request[used]).min(axis=1)
        fit = np.minimum(fit, min(instance.demand[i], instance.node_cap[i]))
        if not instance.rules.is_empty:
            fit = np.minimum(fit, instance.rules.most_alone(int(i), rows))
            rows, fit = rows[fit > 0], fit[fit > 0]
        order = np.lexsort((rows, instance.price[rows] / fit))
        for position in order[:2]:
            pattern = np.zeros(instance.n_classes, dtype=np.int32)
            pattern[i] = fit[position]
            candidates.append(int(rows[position]))
            patterns.append(pattern)
    for row in instance.minimums:  # empty nodes, which minimums may ask for
        for j in _frugal(instance, np.flatnonzero(instance.pool_of == row.pool)):
            candidates.append(int(j))
            patterns.append(np.zeros(instance.n_classes, dtype=np.int32))
    return (
        np.array(candidates, dtype=np.intp),
        np.array(patterns, dtype=np.int32).reshape(len(candidates), instance.n_classes),
    )


def _frugal(instance: Instance, members: NDArray[np.intp]) -> list[int]:
    """Members than which no other costs less and uses less of every limit."""
    kept: list[int] = []
    for j in members[np.argsort(instance.price[members], kind="stable")]:
        if not any((instance.limit_use[b] <= instance.limit_use[j]).all() for b in kept):
            kept.append(int(j))
    return kept

"""Good multipliers for the knapsack of one node, in floats.

The linear relaxation over shares ``s_jr`` of the node's room, counts ``0 <= x_j <= u_j``:

    max sum_j p_j x_j   s.t.   sum_j s_jr x_j <= b_r        (dual mu_r >= 0)

Nothing here needs to be right for a proof to be sound: `knapsack` rounds ``mu`` to integers and
computes its bound anew. It needs to be good for the proof to be short.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]
Int64Array = NDArray[np.int64]

_MOST_PIVOTS = 400
_MANY_ITEMS = 250
"""Items from which the simplex starts from counts that the multipliers call for."""
_TINY = 1e-11


@njit(cache=True, nogil=True)
def relaxed_value(
    value: Float, most: Int64Array, share: Float, free: Float, mu: Float, slope: Float
) -> float:
    """Value of the Lagrangian relaxation at ``mu``; writes a subgradient to ``slope``."""
    total = 0.0
    for r in range(mu.shape[0]):
        total += mu[r] * free[r]
        slope[r] = free[r]
    for k in range(value.shape[0]):
        reduced = value[k]
        for r in range(mu.shape[0]):
            reduced -= share[k, r] * mu[r]
        if reduced > 0.0:
            total += most[k] * reduced
            for r in range(mu.shape[0]):
                slope[r] -= most[k] * share[k, r]
    return total


@njit(cache=True, nogil=True)
def descend(
    value: Float, most: Int64Array, share: Float, free: Float, target: float, n_steps: int, mu: Float
) -> float:
    """Polyak's subgradient steps from ``mu`` until the relaxation is at most ``target``.

    Returns the last value and leaves its multipliers in ``mu``. Most nodes are far from worth
    their price, and a step or two from the multipliers of the node before shows it.
    """
    n_resources = mu.shape[0]
    slope = np.empty(n_resources)
    now = relaxed_value(value, most, share, free, mu, slope)
    for _ in range(n_steps):
        if now <= target:
            return now
        norm = 0.0
        for r in range(n_resources):
            if mu[r] <= 0.0 and slope[r] > 0.0:
                slope[r] = 0.0  # the step would leave the orthant
            norm += slope[r] * slope[r]
        if norm < _TINY:
            return now
        step = (now - target) / norm
        for r in range(n_resources):
            mu[r] = max(0.0, mu[r] - step * slope[r])
        now = relaxed_value(value, most, share, free, mu, slope)
    return now


@njit(cache=True, nogil=True)
def solve_relaxation(
    value: Float, most: Int64Array, share: Float, free: Float, mu: Float, counts: Float
) -> None:
    """Bounded primal simplex; writes the duals to ``mu`` and the optimal counts to ``counts``.

    Starts from nothing placed, or for many items from whole ones that the ``mu`` given finds worth their
    room. The basis is as small as the number of resources, so its inverse
    is kept explicitly.
    """
    n_items = value.shape[0]
    n_resources = mu.shape[0]
    basis = np.empty(n_resources, dtype=np.int64)  # item, or n_items + r for the slack of r
    inverse = np.zeros((n_resources, n_resources))
    level = np.empty(n_resources)  # of basic variables
    at_most = np.zeros(n_items, dtype=np.bool_)
    is_basic = np.zeros(n_items + n_resources, dtype=np.bool_)
    column = np.empty(n_resources)
    for r in range(n_resources):
        basis[r] = n_items + r
        is_basic[n_items + r] = True
        inverse[r, r] = 1.0
        level[r] = free[r]
    if n_items >= _MANY_ITEMS:
        surplus = np.empty(n_items)
        for k in range(n_items):
            surplus[k] = value[k]
            for r in range(n_resources):
                surplus[k] -= mu[r] * share[k, r]
        for k in np.argsort(-surplus):
            if surplus[k] < 0.0:
                break
            has_room = True
            for r in range(n_resources):
                if most[k] * share[k, r] > level[r]:
                    has_room = False
            if has_room:
                at_most[k] = True
                for r in range(n_resources):
                    level[r] -= most[k] * share[k, r]
    largest = 0.0
    for k in range(n_items):
        largest = max(largest, value[k])
    tolerance = 1e-10 * largest
    for _ in range(max(_MOST_PIVOTS, 2 * n_items)):
        for r in range(n_resources):
            price = 0.0
            for b in range(n_resources):
                if basis[b] < n_items:
                    price += value[basis[b]] * inverse[b, r]
            mu[r] = price
        entering = -1
        best = tolerance
        for k in range(n_items):
            if is_basic[k]:
                continue
            reduced = value[k]
            for r in range(n_resources):
                reduced -= mu[r] * share[k, r]
            gain = -reduced if at_most[k] else reduced
            if gain > best:
                best = gain
                entering = k
        for r in range(n_resources):
            if not is_basic[n_items + r] and -mu[r] > best:
                best = -mu[r]
                entering = n_items + r
        if entering < 0:
            break
        is_falling = entering < n_items and at_most[entering]
        for b in range(n_resources):
            if entering < n_items:
                column[b] = 0.0
                for r in range(n_resources):
                    column[b] += inverse[b, r] * share[entering, r]
            else:
                column[b] = inverse[b, entering - n_items]
            if is_falling:
                column[b] = -column[b]
        step = float(most[entering]) if entering < n_items else np.inf
        leaving = -1
        leaves_at_most = False
        for b in range(n_resources):
            if column[b] > _TINY:
                ratio = level[b] / column[b]
                if ratio < step:
                    step, leaving, leaves_at_most = ratio, b, False
            elif column[b] < -_TINY and basis[b] < n_items:
                ratio = (most[basis[b]] - level[b]) / -column[b]
                if ratio < step:
                    step, leaving, leaves_at_most = ratio, b, True
        step = max(0.0, step)
        if not step < np.inf:
            break
        for b in range(n_resources):
            level[b] -= step * column[b]
        if leaving < 0:
            at_most[entering] = not is_falling
            continue
        gone = basis[leaving]
        is_basic[gone] = False
        if gone < n_items:
            at_most[gone] = leaves_at_most
        pivot = -column[leaving] if is_falling else column[leaving]
        for r in range(n_resources):
            inverse[leaving, r] /= pivot
        for b in range(n_resources):
            if b != leaving:
                factor = -column[b] if is_falling else column[b]
                for r in range(n_resources):
                    inverse[b, r] -= factor * inverse[leaving, r]
        basis[leaving] = entering
        is_basic[entering] = True
        level[leaving] = most[entering] - step if is_falling else step
    for r in range(n_resources):
        mu[r] = max(0.0, mu[r])
    for k in range(n_items):
        counts[k] = most[k] if at_most[k] else 0.0
    for b in range(n_resources):
        if basis[b] < n_items:
            counts[basis[b]] = min(max(level[b], 0.0), float(most[basis[b]]))

"""Lower bounds from dual prices: Farley's bound with a divisor per pod class.

For dual prices ``pi`` and an upper bound ``U_j`` on the worth of any pattern on candidate ``j`` that
must be worth at most ``T_j`` there, dividing each ``pi_i`` by ``m_i = max(1, max_j U_j / T_j)`` over the
candidates compatible with class ``i`` makes every pattern worth at most ``T_j``: dual feasible
(A. A. Farley, A note on bounding a class of linear programming problems, including cutting stock
problems, 1990, doi:10.1287/opre.38.5.922, which has one divisor for all classes).

The figures here are floats that guide the search. What a decision reports is proven again from
the dual prices in exact integers, over the original offerings, by ``verify``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance

Float = NDArray[np.float64]


def feasible_prices(
    instance: Instance, pods: Float, thresholds: Float, worth: Float, finite: NDArray[np.bool_]
) -> Float:
    """Dual prices of pods divided so that no pattern exceeds its threshold: float64 array (i,).

    Parameters
    ----------
    pods
        float64 array (i,): dual prices.
    thresholds, worth
        float64 arrays (j,): ``T_j`` and ``U_j``.
    finite
        bool array (j,): candidates whose excess is paid for by their supply instead.
    """
    thresholds = np.maximum(thresholds, 0.0)  # rounding errors of prizes may leave less
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(worth > thresholds, worth / thresholds, 1.0)
    ratio[finite] = 1.0
    if (ratio <= 1.0).all():
        return pods.copy()
    divisor = np.where(instance.compatible, ratio[None, :], 1.0).max(axis=1, initial=1.0)
    return np.where(np.isinf(divisor), 0.0, pods / divisor)


def volume_prices(instance: Instance) -> Float:
    """Dual prices by one resource alone, the one that bounds best: float64 array (i,), dollars.

    A pod is worth what its amount of the resource costs where that is cheapest, so that no node's
    pods are worth more than the node. Weak, but proven at a glance.
    """
    price = instance.price * 1e-6  # dollars
    best: Float = np.zeros(instance.n_classes)
    best_value = 0.0
    for r in range(instance.requests.shape[1]):
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = np.where(instance.allocatable[:, r] > 0, price / instance.allocatable[:, r], np.inf)
        cheapest = np.where(instance.compatible, unit[None, :], np.inf).min(axis=1, initial=np.inf)
        prices = instance.requests[:, r].astype(np.float64) * np.where(np.isfinite(cheapest), cheapest, 0.0)
        value = float(instance.demand @ prices)
        if value > best_value:
            best, best_value = prices, value
    return best

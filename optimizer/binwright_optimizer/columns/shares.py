"""Covers of what the fluid relaxation gives to each kind of node.

The fluid relaxation balances the resources on every kind of node: its share of the pods fills it in all of
them at once. A greedy cover of each share by itself keeps that balance, where one over all candidates takes
whatever is worth most and ends with pods that nothing goes with. Where nodes come out badly filled, their
pods are covered again together, by any candidate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.fluid import Fluid
from binwright_optimizer.heuristics.greedy import Columns, Greedy, Remainder, favouring_large
from binwright_optimizer.instance import Instance

Float = NDArray[np.float64]
FILLED = 0.96
"""Share of its price that the pods of a node are worth at least, or they are covered again."""
POWERS = (0.3, 0.1, 0.0)
"""How much large pods may be favoured, to good use by one or the other."""


def share_cover(instance: Instance, greedy: Greedy, fluid: Fluid, power: float, max_nodes: int) -> Columns:
    """A cover of the demand, of one share after the other.

    Parameters
    ----------
    power
        How much large pods are favoured.
    max_nodes
        Depth-first nodes per knapsack.
    """
    dearest = float(greedy.price.max(initial=1.0))
    values = favouring_large(fluid.prices, dearest, power)
    remainder = Remainder.whole(instance)
    parts = []
    for j, pods in zip(fluid.candidates, fluid.pods, strict=True):
        parts.append(_filled(int(j), pods, values, fluid.prices, greedy, remainder, max_nodes))
    parts.append(greedy.cover(values, remainder, max_nodes, limits=fluid.limits))
    candidates, counts, patterns = zip(*parts, strict=True)
    return np.concatenate(candidates), np.concatenate(counts), np.concatenate(patterns)


def _filled(
    j: int,
    pods: NDArray[np.int64],
    values: Float,
    prices: Float,
    greedy: Greedy,
    remainder: Remainder,
    max_nodes: int,
) -> Columns:
    """Well filled nodes of candidate ``j`` for its share of pods; they are taken from the remainder."""
    only = remainder.copy()
    only.demand = np.minimum(pods, remainder.demand)
    only.supply = np.zeros_like(remainder.supply)
    only.supply[j] = remainder.supply[j]
    only.missing = np.zeros_like(remainder.missing)  # the cover of the rest meets minimums
    candidates, counts, patterns = greedy.cover(values, only, max_nodes)
    is_filled = patterns @ prices >= FILLED * greedy.price[candidates]
    candidates, counts, patterns = candidates[is_filled], counts[is_filled], patterns[is_filled]
    nodes = int(counts.sum())
    remainder.demand -= counts @ patterns.astype(np.int64)
    remainder.supply[j] -= nodes
    remainder.room -= nodes * greedy.instance.limit_use[j]
    if greedy.minimum_of[j] >= 0:
        remainder.missing[greedy.minimum_of[j]] -= nodes
    return candidates, counts, patterns

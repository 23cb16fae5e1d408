"""Down-sizing: each node's pods move to the cheapest node that holds them all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.heuristics.kernels.cover import cheapest_holder
from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.packing import Packing


class Downsize:
    """Cheapest holders over one instance.

    A node may move between NodePools only where neither a limit of the target nor a minimum of
    the source could break.
    """

    def __init__(self, instance: Instance, compatible: NDArray[np.bool_]) -> None:
        self.instance = instance
        self.compatible = compatible
        self.order = np.lexsort((np.arange(instance.n_candidates), instance.price))
        limited = (instance.limit_use > 0).any(axis=1)
        self.is_floored = np.isin(instance.pool_of, [row.pool for row in instance.minimums])
        self.is_blocked = limited | (instance.supply < UNLIMITED)

    def apply(self, packing: Packing) -> Packing:
        """The packing with every node as cheap as its pods allow."""
        instance = self.instance
        candidates = packing.candidates.copy()
        for p, j in enumerate(packing.candidates):
            if instance.price[j] == 0 or self.is_floored[j] or not packing.patterns[p].any():
                continue
            better = self.holder(packing.patterns[p])
            if better >= 0 and instance.price[better] < instance.price[j]:
                candidates[p] = better
        if (candidates == packing.candidates).all():
            return packing
        return replace(packing, candidates=candidates).with_demand(instance)

    def holder(self, pattern: NDArray[np.int32]) -> int:
        """Cheapest candidate that holds a pattern, its devices and volumes too; -1 if there is none."""
        instance, rules = self.instance, self.instance.rules
        blocked = self.is_blocked
        while True:
            better = cheapest_holder(
                pattern, self.order, instance.requests, instance.allocatable, self.compatible, blocked
            )
            if better < 0 or rules.has_parts or rules.allows(better, pattern):
                return int(better)
            blocked = blocked.copy()
            blocked[better] = True

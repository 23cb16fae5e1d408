"""Neighbourhood search: empty a few nodes and pack their pods again.

The waste of a node is its price less what its pods are worth at the duals; wastes add up to the
gap, so nodes of large waste are where there is something to gain (D. Pisinger and S. Ropke, Large
neighborhood search, 2010, doi:10.1007/978-1-4419-1665-5_13, for the general scheme).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.heuristics.greedy import Columns, Remainder
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing

Float = NDArray[np.float64]


class Repack:
    """Random neighbourhoods of one packing after another.

    Parameters
    ----------
    solve
        Covers a remainder, reducing it; the dive, in practice.
    worth
        float64 array (i,): dollars one pod is worth at the duals.
    thresholds
        float64 array (j,): dollars a node costs at the duals, limits and minimums included.
    """

    def __init__(
        self,
        instance: Instance,
        solve: Callable[[Remainder], Columns],
        worth: Float,
        thresholds: Float,
        rng: np.random.Generator,
    ) -> None:
        self.instance = instance
        self.solve = solve
        self.worth = worth
        self.thresholds = thresholds
        self.rng = rng

    def attempt(self, packing: Packing, size: int) -> Packing:
        """The packing with about ``size`` nodes packed again; judge it by its rank."""
        emptied = self._pick(packing, size)
        kept = packing.counts - emptied
        remainder = Remainder.whole(self.instance)
        placed = (kept[:, None] * packing.patterns).sum(axis=0)
        remainder.demand -= placed
        for j, count in zip(packing.candidates, kept, strict=True):
            remainder.supply[j] -= count
            remainder.room -= count * self.instance.limit_use[j]
        for m, row in enumerate(self.instance.minimums):
            remainder.missing[m] -= kept[self.instance.pool_of[packing.candidates] == row.pool].sum()
        candidates, counts, patterns = self.solve(remainder)
        return Packing.of(
            self.instance,
            np.concatenate([packing.candidates, candidates]),
            np.concatenate([kept, counts]),
            np.concatenate([packing.patterns, patterns]),
        )

    def _pick(self, packing: Packing, size: int) -> NDArray[np.int64]:
        """How many nodes of each column to empty, drawn in proportion to waste: int64 array (p,)."""
        waste = self.thresholds[packing.candidates] - packing.patterns @ self.worth
        weight = packing.counts * (np.maximum(waste, 0.0) + 0.02 * self.thresholds[packing.candidates] + 1e-9)
        emptied = np.zeros(len(packing.counts), dtype=np.int64)
        drawn = self.rng.choice(len(weight), size=size, p=weight / weight.sum())
        np.add.at(emptied, drawn, 1)
        return np.minimum(emptied, packing.counts)

"""What is known of an instance before its search begins, from a search of one like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.heuristics.greedy import Columns, Greedy, Remainder
from binwright_optimizer.instance import Instance
from binwright_optimizer.packing import Packing
from binwright_optimizer.pricing import MICRO

Float = NDArray[np.float64]
MOST_COLUMNS = 3_000
"""Columns kept, those of least reduced cost."""
MOST_REDUCED = 0.005
"""Reduced cost up to which a column is kept, as a share of its price."""
CLOSE = 0.01
"""Gap up to which a search counts as having ended near its bound."""
MOST_BRANCHES = 160
"""Branches to begin with, at most: the last sweeps of a search that has run out of columns take seconds."""
MOST_NODES = 2_000
"""Depth-first nodes per knapsack of the cover of what is left."""


@dataclass(frozen=True, slots=True)
class Known:
    """Columns, the nodes that an answer had of each, and dual prices.

    Parameters
    ----------
    candidates, patterns
        intp array (p,) and int32 array (p, i).
    nodes
        int64 array (p,).
    prices
        float64 array (i,): dollars a pod; 0 where nothing is known.
    is_close
        Whether that search ended near its bound, so that its columns are all that a master needs to begin.
    branches
        Branches per candidate that sweeps should take from the start: fewer than that search ended with
        prove less of its prices. On the GPU trace 40 lost 1 % of the bound, which took 0.6 s to get back.
    """

    candidates: NDArray[np.intp]
    patterns: NDArray[np.int32]
    nodes: NDArray[np.int64]
    prices: Float
    is_close: bool = True
    branches: int = 0

    @classmethod
    def of(
        cls,
        rows: Rows,
        pool: tuple[NDArray[np.intp], NDArray[np.int32]],
        bound: Bound,
        packing: Packing,
        branches: int,
    ) -> Known:
        """What a search ends with: the packing, and the columns that nearly were in it."""
        candidates, patterns = pool
        limits = rows.price + rows.instance.limit_use @ bound.duals.limits
        reduced = limits[candidates] - patterns @ bound.duals.pods
        near = np.flatnonzero(reduced <= MOST_REDUCED * rows.price[candidates])
        near = near[np.argsort(reduced[near], kind="stable")[:MOST_COLUMNS]]
        return cls(
            np.concatenate([packing.candidates, candidates[near]]),
            np.concatenate([packing.patterns, patterns[near]]),
            np.concatenate([packing.counts, np.zeros(len(near), dtype=np.int64)]),
            bound.duals.pods,
            packing.cost * MICRO - bound.dollars <= CLOSE * packing.cost * MICRO,
            min(branches, MOST_BRANCHES),
        )

    def answer(self, instance: Instance, greedy: Greedy, values: Float) -> Columns:
        """The nodes of the answer as far as they may still be bought, and a greedy cover of what is left.

        Parameters
        ----------
        values
            float64 array (i,): dollars that the cover takes a pod to be worth.
        """
        remainder = Remainder.whole(instance)
        counts = self.nodes.copy()
        for p in np.flatnonzero(counts):
            j = self.candidates[p]
            use = instance.limit_use[j]
            count = int(min(counts[p], remainder.supply[j]))
            for k in np.flatnonzero(use):
                count = min(count, int(remainder.room[k] // use[k]))
            counts[p] = count
            remainder.supply[j] -= count
            remainder.room -= count * use
            if greedy.minimum_of[j] >= 0:
                remainder.missing[greedy.minimum_of[j]] -= count
            remainder.demand -= np.minimum(remainder.demand, count * self.patterns[p].astype(np.int64))
        rest = greedy.cover(values, remainder, MOST_NODES)
        return (
            np.concatenate([self.candidates, rest[0]]),
            np.concatenate([counts, rest[1]]),
            np.concatenate([self.patterns, rest[2]]),
        )


@dataclass(frozen=True, slots=True)
class Head:
    """An answer to begin with, and dual prices that may be too high.

    Parameters
    ----------
    candidates, counts, patterns
        intp and int64 arrays (p,), int32 array (p, i): its nodes.
    allocation
        int64 array (v,): pods of each local kind.
    prices
        float64 array (i,): dollars that pods are worth.
    """

    candidates: NDArray[np.intp]
    counts: NDArray[np.int64]
    patterns: NDArray[np.int32]
    allocation: NDArray[np.int64]
    prices: Float

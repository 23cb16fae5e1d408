"""Diving where rules count pods by domain: nodes become whole first, and pods are allocated to them last.

An allocation in whole pods that comes first leaves nodes in many domains filled in part, and no later step
moves pods to another domain. Here the master keeps the rules about domains while its nodes are fixed: what
they have room for may be used by any allocation, so that every step sees where the pods that are left cost
least. What whole nodes cannot hold in the end is allocated beside them and packed as ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.allocation import Allocator
from binwright_optimizer.columns.master import Master, Solution
from binwright_optimizer.columns.pool import ColumnPool
from binwright_optimizer.columns.round import WHOLE, Dive
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.heuristics.greedy import Columns, Remainder
from binwright_optimizer.stopping import Stop

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinkedColumns:
    """Columns with counts, and the pods of each local kind that they are for: int64 array (v,)."""

    columns: Columns
    allocation: NDArray[np.int64]


class LinkedDive:
    """One dive over all pods, under rules about domains.

    Parameters
    ----------
    dive
        Fixes nodes, and packs what is left once pods are allocated.
    rows
        The master's rows, rules about domains included.
    allocation_s
        Seconds that an allocation in whole pods may take.
    """

    def __init__(self, dive: Dive, rows: Rows, allocator: Allocator, allocation_s: float) -> None:
        self._dive = dive
        self._rows = rows
        self._allocator = allocator
        self._allocation_s = allocation_s
        self._is_linked = np.zeros(rows.n_classes, dtype=bool)
        self._is_linked[allocator.linking.class_of] = True

    def run(self, first: Solution, stop: Stop) -> LinkedColumns | None:
        """Columns and the allocation that they are for; None if time was too short to find one.

        Parameters
        ----------
        first
            Solution of the master over the columns known.
        """
        dive, linked = self._dive, self._is_linked
        dive.begin()
        remainder = Remainder.whole(dive.instance)
        placed = np.zeros(len(linked), dtype=np.int64)
        pool = ColumnPool(dive.instance)
        pool.add(*dive.columns)
        nodes = np.zeros(len(dive.columns[0]))
        nodes[: len(first.nodes)] = first.nodes
        fixed: list[tuple[int, int, NDArray[np.int32]]] = []
        solution = first
        while nodes.sum() > WHOLE and stop.remaining_s() > 0:
            taken = dive.fix(*pool.arrays(), nodes, remainder)
            if not taken:
                break
            fixed.extend(taken)
            for _, count, pattern in taken:
                placed += count * pattern.astype(np.int64)
            remainder.demand[linked] = self._missing(solution.allocation, placed)[linked]
            candidates, patterns = pool.arrays()
            usable: NDArray[np.bool_] = np.all(patterns <= remainder.demand, axis=1)
            pool = ColumnPool(dive.instance)
            pool.add(candidates[usable], patterns[usable])
            # Of linked pods no number is wanted: there is room for some more than none.
            wanted = np.where(linked, -placed, remainder.demand)
            master = Master(self._rows, wanted, dive.penalty, work=dive.pricing.work, halt=dive.pricing.halt)
            master.add(*pool.arrays())
            master.set_demand(wanted, *dive.sides(remainder))
            master.set_levels(*dive.levels())
            found = dive.solve(master, pool, remainder, stop)
            if found is None:
                break
            solution, nodes = found, found.nodes
        return self._allocated(fixed, solution, placed, remainder, stop)

    def _missing(self, allocation: Float, placed: NDArray[np.int64]) -> NDArray[np.int64]:
        """Most pods of each class that further nodes may hold, while kinds have so few pods left: (i,)."""
        linking = self._allocator.linking
        by_class = np.bincount(linking.class_of, weights=allocation, minlength=len(placed))
        share = np.maximum(by_class - placed, 0.0) / np.maximum(by_class, WHOLE)
        left = allocation * share[linking.class_of]
        pods = np.bincount(
            linking.part_kind, weights=linking.part_pods * left[linking.part_of], minlength=len(linking.kinds)
        )
        most = np.full(linking.n_local, np.iinfo(np.int32).max, dtype=np.int64)
        np.minimum.at(
            most,
            linking.part_of,
            np.ceil(pods[linking.part_kind] / linking.part_pods - WHOLE).astype(np.int64),
        )
        result = np.zeros(len(placed), dtype=np.int64)
        np.add.at(result, linking.class_of, most)
        return np.asarray(np.minimum(result, np.maximum(self._dive.instance.demand - placed, 0)))

    def _allocated(
        self,
        fixed: list[tuple[int, int, NDArray[np.int32]]],
        solution: Solution,
        placed: NDArray[np.int64],
        remainder: Remainder,
        stop: Stop,
    ) -> LinkedColumns | None:
        """The fixed nodes, and what else is needed for all pods."""
        dive, linking = self._dive, self._allocator.linking
        allocation = self._allocator.within(placed, self._allocation_s)
        left = linking.demand - linking.placed(allocation)
        if (left > linking.left_least).any():
            nearest = self._allocator.nearest(solution.allocation, self._allocation_s)
            if nearest is None:
                return None
            allocation = nearest
        wanted = dive.instance.allocated(allocation).demand
        remainder.demand[:] = np.maximum(wanted - placed, 0)
        rest: Columns = dive.run(remainder, None, stop)
        n = dive.instance.n_classes
        candidates = np.array([j for j, _, _ in fixed], dtype=np.intp)
        counts = np.array([count for _, count, _ in fixed], dtype=np.int64)
        patterns = np.array([p for _, _, p in fixed], dtype=np.int32).reshape(len(fixed), n)
        columns = (
            np.concatenate([candidates, rest[0]]),
            np.concatenate([counts, rest[1]]),
            np.concatenate([patterns, rest[2]]),
        )
        return LinkedColumns(columns, allocation)

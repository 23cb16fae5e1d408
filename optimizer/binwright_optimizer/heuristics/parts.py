"""Thousands of classes: a few wasteful nodes at a time are packed again as a problem of their own.

A master with a row for each of thousands of classes solves too slowly to be of use. The nodes that are
emptied together hold a few hundred classes at most, and the whole search works on those (E. Taillard and
S. Voss, POPMUSIC: partial optimization metaheuristic under special intensification conditions, 2002,
doi:10.1007/978-1-4615-1507-4_27).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.instance.restrict import restricted
from binwright_optimizer.packing import Packing
from binwright_optimizer.stopping import Stop

_T = TypeVar("_T", bound=np.generic)
Float = NDArray[np.float64]
NODES = 20
"""Nodes packed again together: on the Tianchi applications 10 and 40 gained less in the same time."""
WASTE_POWER = 2
"""Nodes are drawn in proportion to this power of their waste: 1 gained less."""
USEFUL = 0.97
"""Share of its price that the pods of a fluid node must be worth for parts to consider the candidate."""
LEAST_WASTE = 0.02
"""Share of its price that a node counts as wasting at least, so that any may be drawn."""


def wary_prices(instance: Instance, prices: Float) -> Float:
    """Prices that rise with the number of pods that a class keeps away: float64 array (i,).

    A greedy cover at plain prices leaves pods that nobody may stand beside for last, alone on their nodes.
    """
    return prices * (1.0 + 0.4 * np.log1p(instance.rules.excluded(instance.demand) / 100.0))


class Parts:
    """Improves a packing part by part.

    Parameters
    ----------
    solve
        A good packing of a small instance.
    worth
        float64 array (i,): dollars one pod is worth at dual prices; what a node costs beyond that is waste.
    node_worth
        float64 array (j,): dollars that any pattern on a candidate is worth at most.
    """

    def __init__(
        self,
        instance: Instance,
        solve: Callable[[Instance], Packing],
        worth: Float,
        node_worth: Float,
        rng: np.random.Generator,
    ) -> None:
        self.instance = instance
        self.solve = solve
        self.worth = worth
        self.rng = rng
        self._price = instance.price * 1e-6
        self._is_useful: NDArray[np.bool_] = node_worth >= USEFUL * self._price

    def improve(self, packing: Packing, stop: Stop) -> Packing:
        """The packing with parts of it packed again until the stop comes due."""
        candidates, counts = packing.candidates.tolist(), packing.counts.tolist()
        patterns = list(packing.patterns)
        waste = [self._waste(j, pattern) for j, pattern in zip(candidates, patterns, strict=True)]
        used = np.bincount(packing.candidates, weights=packing.counts, minlength=len(self._price))
        used = used.astype(np.int64)
        while stop.remaining_s() > 0:
            emptied = self._pick(np.array(waste), np.array(counts))
            if not emptied:
                break
            part, classes, held = self._part(emptied, candidates, patterns, used)
            again = self.solve(part)
            before = sum(int(self.instance.price[candidates[p]]) * k for p, k in emptied.items())
            if again.left_out.any() or again.short or again.cost >= before:
                continue
            for p, k in emptied.items():
                counts[p] -= k
                used[candidates[p]] -= k
            for j, k, pattern in zip(
                held[again.candidates].tolist(), again.counts.tolist(), again.patterns, strict=True
            ):
                wide = np.zeros(self.instance.n_classes, dtype=np.int32)
                wide[classes] = pattern
                candidates.append(j)
                counts.append(k)
                patterns.append(wide)
                waste.append(self._waste(j, wide))
                used[j] += k
        kept = np.flatnonzero(counts)
        return Packing.of(
            self.instance,
            np.array(candidates, dtype=np.intp)[kept],
            np.array(counts, dtype=np.int64)[kept],
            np.array([patterns[p] for p in kept], dtype=np.int32).reshape(len(kept), -1),
        )

    def _waste(self, j: int, pattern: NDArray[np.int32]) -> float:
        """Share of its price that a node's pods are not worth; 0 for a node that is free."""
        price = float(self._price[j])
        if price <= 0.0:
            return 0.0
        return max(1.0 - float(pattern @ self.worth) / price, 0.0) + LEAST_WASTE

    def _pick(self, waste: Float, counts: NDArray[np.int64]) -> dict[int, int]:
        """Columns drawn by waste, with how many of their nodes to empty."""
        weight = counts * waste**WASTE_POWER
        if not weight.any():
            return {}
        drawn = self.rng.choice(len(weight), size=NODES, p=weight / weight.sum())
        columns, times = np.unique(drawn, return_counts=True)
        return {int(p): min(int(k), int(counts[p])) for p, k in zip(columns, times, strict=True)}

    def _part(
        self,
        emptied: dict[int, int],
        candidates: list[int],
        patterns: list[NDArray[np.int32]],
        used: NDArray[np.int64],
    ) -> tuple[Instance, NDArray[np.intp], NDArray[np.intp]]:
        """The problem of the pods on these nodes, its classes and candidates.

        The other nodes keep what they use. Every class has a candidate: the one it was on.
        """
        instance = self.instance
        demand = np.sum([k * patterns[p].astype(np.int64) for p, k in emptied.items()], axis=0)
        kept = used.copy()
        for p, k in emptied.items():
            kept[candidates[p]] -= k
        classes = np.flatnonzero(demand)
        chosen = self._is_useful.copy()
        chosen[[candidates[p] for p in emptied]] = True
        held = np.flatnonzero(chosen)
        taken = kept @ instance.limit_use
        bought = [int(kept[instance.pool_of == row.pool].sum()) for row in instance.minimums]
        part = replace(
            restricted(instance, classes, held, demand[classes]),
            supply=_frozen(np.where(instance.supply < UNLIMITED, instance.supply - kept, UNLIMITED)[held]),
            limits=tuple(
                replace(row, room=row.room - int(amount))
                for row, amount in zip(instance.limits, taken, strict=True)
            ),
            minimums=tuple(
                replace(row, missing=row.missing - count)
                for row, count in zip(instance.minimums, bought, strict=True)
                if row.missing > count
            ),
        )
        return part, classes, held


def _frozen(array: NDArray[_T]) -> NDArray[_T]:
    array = np.ascontiguousarray(array)
    array.flags.writeable = False
    return array

"""A packing: how many nodes of which pattern, in solver indices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.coverage import priced
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.domains import Linking

PATTERNS_AT_A_TIME = 256
"""Patterns whose pods are added up together."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Nodes bought or used, grouped by pattern.

    Parameters
    ----------
    candidates, counts
        intp and int64 arrays (p,): candidate of each pattern; how many nodes.
    patterns
        int32 array (p, i): pods of each class on one such node.
    left_out
        int64 array (i,): pods not placed, without those that the allocation leaves out.
    allocation
        int64 array (v,): pods of each local kind that the instance was packed for, if any rules link them.
    cost
        Exact micro-dollars per hour, of nodes and of what pods are charged for their places.
    short
        Nodes that NodePool minimums still ask for; an answer must have none.
    """

    candidates: NDArray[np.intp]
    counts: NDArray[np.int64]
    patterns: NDArray[np.int32]
    left_out: NDArray[np.int64]
    cost: int
    short: int
    allocation: NDArray[np.int64] | None = None
    charge: int = 0
    """What of ``cost`` pods are charged for their places, if all that are allocated are placed."""

    @classmethod
    def of(
        cls,
        instance: Instance,
        candidates: NDArray[np.intp],
        counts: NDArray[np.int64],
        patterns: NDArray[np.int32],
    ) -> Packing:
        """A packing without pods beyond the demand, and without empty nodes that no minimum needs."""
        kept = counts > 0
        if not kept.all():
            candidates, counts, patterns = candidates[kept], counts[kept], patterns[kept]
        placed = _placed(counts, patterns)
        if (placed > instance.demand).any():
            surplus = placed - instance.demand
            candidates, counts, patterns = _without_surplus(surplus, candidates, counts, patterns)
            placed = _placed(counts, patterns)
        counts = _without_idle(instance, candidates, counts, patterns)
        kept = counts > 0
        if not kept.all():  # of nodes that hold nothing
            candidates, counts, patterns = candidates[kept], counts[kept], patterns[kept]
        if instance.problem.savings_plans:
            cost = sum(nodes.price * nodes.count for nodes in priced(instance, candidates, counts))
        else:
            cost = sum(int(instance.price[j]) * int(n) for j, n in zip(candidates, counts, strict=True))
        short = sum(
            max(0, row.missing - int(counts[instance.pool_of[candidates] == row.pool].sum()))
            for row in instance.minimums
        )
        left_out = instance.demand - placed
        charge = 0
        if instance.linking is not None and instance.allocation is not None:
            charge = int(instance.linking.charge @ instance.allocation)
        cost += charge
        return cls(candidates, counts, patterns, left_out, cost, short, instance.allocation, charge)

    def with_demand(self, instance: Instance) -> Packing:
        """The same nodes and patterns, with what is left out counted against this instance."""
        if self.allocation is not None:
            instance = instance.allocated(self.allocation)
        return Packing.of(instance, self.candidates, self.counts, self.patterns)

    @property
    def nodes(self) -> int:
        """Nodes of offerings and existing nodes used."""
        return int(self.counts.sum())

    def rank(self, instance: Instance) -> tuple[int, tuple[int, ...], int]:
        """Smaller is better: unmet minimums, pods left out by falling priority, then cost."""
        left_out, priority = self.left_out, instance.priority
        if instance.linking is not None and self.allocation is not None:
            left_out = np.concatenate([left_out, self._unallocated(instance.linking)])
            priority = np.concatenate([priority, instance.linking.priority])
        levels = sorted(set(priority.tolist()), reverse=True)
        missing = tuple(int(left_out[priority == level].sum()) for level in levels)
        return self.short, missing, self.cost

    def is_partial(self, instance: Instance) -> bool:
        """Whether pods are left out."""
        if self.left_out.any():
            return True
        if instance.linking is None or self.allocation is None:
            return False
        return bool((self._unallocated(instance.linking) > instance.linking.left_least).any())

    def _unallocated(self, linking: Linking) -> NDArray[np.int64]:
        """Pods of each split kind that the allocation leaves out: int64 array (q,)."""
        assert self.allocation is not None
        return linking.demand - linking.placed(self.allocation)


def _placed(counts: NDArray[np.int64], patterns: NDArray[np.int32]) -> NDArray[np.int64]:
    """Pods of each class on all nodes, a few patterns at a time: of thousands of classes all take a GB."""
    placed = np.zeros(patterns.shape[1], dtype=np.int64)
    for first in range(0, len(counts), PATTERNS_AT_A_TIME):
        some = slice(first, first + PATTERNS_AT_A_TIME)
        placed += counts[some] @ patterns[some]
    return placed


def _without_surplus(
    surplus: NDArray[np.int64],
    candidates: NDArray[np.intp],
    counts: NDArray[np.int64],
    patterns: NDArray[np.int32],
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int32]]:
    """Columns that place no more pods than there are, given how many more (i,), which is reduced in place."""
    out: list[tuple[int, int, NDArray[np.int32]]] = []
    for j, count, pattern in zip(candidates, counts, patterns, strict=True):
        cut = np.flatnonzero((surplus > 0) & (pattern > 0))
        left = int(count)
        while left and len(cut):
            # How many nodes can lose the same pods: the rest keeps the pattern whole.
            drop = np.minimum(surplus[cut], pattern[cut])
            alike = max(1, min(left, int((surplus[cut] // np.maximum(drop, 1)).min())))
            reduced = pattern.copy()
            reduced[cut] -= drop.astype(np.int32)
            surplus[cut] -= drop * alike
            out.append((int(j), alike, reduced))
            left -= alike
            cut = np.flatnonzero((surplus > 0) & (pattern > 0))
        if left:
            out.append((int(j), left, pattern))
    return (
        np.array([j for j, _, _ in out], dtype=np.intp),
        np.array([n for _, n, _ in out], dtype=np.int64),
        np.array([p for _, _, p in out], dtype=np.int32).reshape(len(out), len(surplus)),
    )


def _without_idle(
    instance: Instance,
    candidates: NDArray[np.intp],
    counts: NDArray[np.int64],
    patterns: NDArray[np.int32],
) -> NDArray[np.int64]:
    """Counts without the empty nodes that NodePool minimums do not need, the dearest going first."""
    is_empty = ~patterns.any(axis=1)
    if not is_empty.any():
        return counts
    result = np.where(is_empty, 0, counts)
    pools = instance.pool_of[candidates]
    for row in instance.minimums:
        needed = row.missing - int(result[pools == row.pool].sum())
        idle = np.flatnonzero(is_empty & (pools == row.pool))
        for p in idle[np.argsort(instance.price[candidates[idle]], kind="stable")]:
            result[p] = min(int(counts[p]), max(0, needed))
            needed -= int(result[p])
    return result

"""Branching on how many nodes of a price level are bought: for gaps that the relaxation leaves open.

Where a few dear nodes and many cheap ones make up the answer, the relaxation buys 5.3 of the dear
ones. Whoever decides may only buy at most 5 or at least 6, and each half has a better bound. A level
counts the nodes that cost at least some price, so that whatever is left out of an instance because
something cheaper dominates it counts with what dominates it or not at all, and the split holds over
the original offerings as well. Pricing is as before, each candidate with another threshold (F.
Vanderbeck, Branching in branch-and-price: a generic scheme, 2011, doi:10.1007/s10107-009-0334-1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.generate import Generation
from binwright_optimizer.columns.master import Solution
from binwright_optimizer.columns.rows import Float
from binwright_optimizer.stopping import Stop

FRACTIONAL = 1e-4
"""Distance from a whole number from which a count of nodes is split."""
CLOSE_ENOUGH = 0.1
"""Share of the distance to the cutoff down to which a part's relaxation is solved before it is split."""
MARGIN = 0.1
"""Share of the cutoff by which a part that is closed proves more, so that rounding loses nothing: of one
without any solution the relaxation proves a hundred times as much, by prices that no checker evaluates
exactly."""
MOST_DEPTH = 30
"""Splits above one part: certificates nest no deeper."""


@dataclass(slots=True)
class Part:
    """A part of the solutions: those with so many nodes of each level; split in two, or not yet.

    Parameters
    ----------
    bound
        Proven for this part, by duals over the levels of its day.
    least, most
        Bounds on nodes by level, for the levels that its path splits.
    level, at_most
        The split, if any: at most so many nodes of this level in ``fewer``, one more in ``more``.
    """

    bound: Bound
    least: dict[int, int]
    most: dict[int, int]
    depth: int = 0
    is_closed: bool = False
    level: int = 0
    at_most: int = 0
    fewer: Part | None = None
    more: Part | None = None

    def leaves(self) -> Iterator[Part]:
        """The parts that are not split."""
        if self.fewer is None or self.more is None:
            yield self
        else:
            yield from self.fewer.leaves()
            yield from self.more.leaves()


def _part(bound: Bound, least: dict[int, int], most: dict[int, int], depth: int) -> Part:
    """A part; one without solutions, because a dearer level must hold more than a cheaper may, is closed."""
    part = Part(bound, least, most, depth)
    if any(low > high for a, low in least.items() for b, high in most.items() if b <= a):
        part.is_closed, part.bound = True, replace(bound, dollars=math.inf)
    return part


class Tree:
    """Best-first branching over one column generation.

    Parameters
    ----------
    root
        Bound proven without any split.
    """

    def __init__(self, generation: Generation, root: Bound) -> None:
        self.generation = generation
        self.root = Part(root, {}, {})

    @property
    def dollars(self) -> float:
        """The least bound of all parts."""
        return min(part.bound.dollars for part in self.root.leaves())

    @property
    def n_leaves(self) -> int:
        """Number of parts."""
        return sum(1 for _ in self.root.leaves())

    def next_part(self, cutoff: float) -> Part | None:
        """The open part of least bound below ``cutoff`` dollars; None if there is none.

        A part that cannot be split any more but bounds all others from below ends the search too.
        """
        part = min(self.root.leaves(), key=lambda leaf: leaf.bound.dollars)
        return None if part.is_closed or part.bound.dollars >= cutoff else part

    def enter(self, part: Part) -> None:
        """Restrict the column generation to a part."""
        least, most = self._bounds(part)
        self.generation.restrict(least, most, part.bound)

    def solve(self, part: Part, cutoff: float, stop: Stop, *, is_last: bool = False) -> Solution | None:
        """Raise the bound of the part entered, until it exceeds the cutoff or is nearly solved.

        Parameters
        ----------
        is_last
            Whether the part will not be split: then it is solved as far as there is time.
        """
        generation, entered = self.generation, part.bound
        while not generation.is_converged and stop.remaining_s() > 0:
            generation.round(stop)
            part.bound = generation.bound
            solution = generation.solution
            if part.bound.dollars >= cutoff:
                part.bound = entered.part_way(part.bound, (1.0 + MARGIN) * cutoff)
                break
            if solution is None:
                break
            distance = solution.objective - part.bound.dollars
            is_near = distance <= CLOSE_ENOUGH * max(cutoff - solution.objective, 0.0)
            if is_near and solution.is_whole and not is_last:
                break
        return generation.solution

    def split(self, part: Part, solution: Solution) -> bool:
        """Split a part where its relaxation is most fractional; False if it is not, and it is closed."""
        choice = None if part.depth >= MOST_DEPTH else self._most_fractional(solution)
        if choice is None:
            part.is_closed = True
            return False
        level, nodes = choice
        at_most = math.floor(nodes)
        if level not in self.generation.rows.levels:
            self.generation.add_level(level)
        part.level, part.at_most = level, at_most
        deeper = part.depth + 1
        part.fewer = _part(part.bound, part.least, {**part.most, level: at_most}, deeper)
        part.more = _part(part.bound, {**part.least, level: at_most + 1}, part.most, deeper)
        return True

    def _most_fractional(self, solution: Solution) -> tuple[int, float] | None:
        """The level whose fraction of a node, times its price, is largest, with its nodes."""
        instance = self.generation.instance
        candidates, _ = self.generation.pool.arrays()
        nodes = np.bincount(
            candidates[: len(solution.nodes)], weights=solution.nodes, minlength=instance.n_candidates
        )
        best, widest = None, 0.0
        for level in np.unique(instance.price[(nodes > FRACTIONAL) & (instance.price > 0)]):
            count = float(nodes[instance.price >= level].sum())
            fraction = count - math.floor(count)
            width = min(fraction, 1.0 - fraction)
            if width > FRACTIONAL and width * float(level) > widest:
                best, widest = (int(level), count), width * float(level)
        return best

    def _bounds(self, part: Part) -> tuple[Float, Float]:
        levels = self.generation.rows.levels
        least = np.array([part.least.get(level, 0) for level in levels], dtype=np.float64)
        most = np.array([part.most.get(level, np.inf) for level in levels], dtype=np.float64)
        return least, most

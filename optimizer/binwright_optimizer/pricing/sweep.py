"""The pricing problem over all candidates: which patterns would improve the master."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.pricing.kernels.sweep import sweep
from binwright_optimizer.stopping import Halt

DEPTH_FIRST_NODES = 5_000
"""Depth-first nodes per candidate, about 50 us, before its search branches on relaxations."""
QUICK_BRANCHES = 200
"""Branches per candidate up to which a sweep need not be watched: some milliseconds."""
TOLERANCE = 1e-9
"""Least relative tolerance: below it, differences are rounding errors."""
MICRO = 1e-6
"""Dollars in a micro-dollar: the search works in dollars, answers are exact in micro-dollars."""


@dataclass(frozen=True, slots=True)
class Priced:
    """What a sweep found.

    Parameters
    ----------
    candidates, patterns
        intp array (p,) and int32 array (p, i): improving patterns with their candidates.
    """

    candidates: NDArray[np.intp]
    patterns: NDArray[np.int32]


class Pricing:
    """Exact pricing with multipliers kept from sweep to sweep.

    Parameters
    ----------
    instance
        The problem.
    halt
        Cuts long searches short.
    """

    def __init__(self, instance: Instance, halt: Halt) -> None:
        self._halt = halt
        self._flag = np.frombuffer(halt.flag, dtype=np.uint8)
        self.instance = instance
        self.compatible = np.ascontiguousarray(instance.compatible.T)
        scale = np.where(instance.price > 0, instance.price, instance.price.max(initial=1)) * MICRO
        n_resources = instance.requests.shape[1]
        self.multipliers = np.repeat(scale[:, None] / n_resources, n_resources, axis=1)
        self.multipliers[:, 0] *= 0.1  # pod slots seldom bind
        self._all = np.arange(instance.n_candidates, dtype=np.intp)

    def price(
        self,
        values: NDArray[np.float64],
        costs: NDArray[np.float64],
        bounds: NDArray[np.float64],
        candidates: NDArray[np.intp] | None = None,
        caps: NDArray[np.int64] | None = None,
        branches: int = 50,
        tolerance: float = TOLERANCE,
    ) -> Priced:
        """Improving patterns, best one per candidate.

        Parameters
        ----------
        values, costs
            float64 arrays (i,), (j,): dual price of one pod; dollars a pattern must exceed.
        bounds
            float64 array (j,): receives an upper bound on the worth of any pattern.
        candidates
            intp array (c,): candidates to price; all by default.
        caps
            int64 array (i,): most pods of a class in one pattern; its demand by default.
        branches
            Linear relaxations solved per candidate before its search is cut short.
        tolerance
            Patterns that beat their cost by less than this share of it are not looked for.
        """
        if branches > QUICK_BRANCHES:
            self._halt.watch()
        chosen = self._all if candidates is None else candidates
        patterns = np.empty((len(chosen), self.instance.n_classes), dtype=np.int32)
        sweep(
            chosen,
            values,
            costs,
            self.instance.demand if caps is None else caps,
            self.instance.requests,
            self.instance.allocatable,
            self.compatible,
            self.multipliers,
            DEPTH_FIRST_NODES,
            branches,
            max(tolerance, TOLERANCE),
            self._flag,
            bounds,
            patterns,
        )
        improving = np.flatnonzero(patterns.any(axis=1))
        return Priced(chosen[improving], patterns[improving])

"""Relaxed columns: parts of pods on candidates whose knapsacks no search closes in useful time.

Nodes of several shared GPUs are such. While the master and its bound are far apart, the best relaxed column
of a candidate costs little to find and prices the pods nearly as a pattern would; no node can be bought by
it. Once they are near, only patterns gain, and the relaxed columns are dropped.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.master import Master
from binwright_optimizer.columns.rows import Duals, Float, Rows
from binwright_optimizer.pricing import TOLERANCE, Priced, Pricing

GAP = 1e-3
"""Relative distance of bound and master from which patterns gain more than relaxed columns."""
TURNS = 24
"""Master solves after each sweep that add relaxed columns."""


class RelaxedColumns:
    """What a master has of relaxed columns, and what a sweep leaves to them.

    Parameters
    ----------
    brief
        Branches after which a sweep leaves candidates to relaxed columns.

    Attributes
    ----------
    is_on
        Whether relaxed columns are still of use.
    short
        intp array: candidates that were taken over last.
    """

    def __init__(self, rows: Rows, pricing: Pricing, brief: int) -> None:
        self._rows = rows
        self._pricing = pricing
        self._brief = brief
        self.is_on = bool(pricing.may_relax.any())
        self.short = np.zeros(0, dtype=np.intp)

    def priced(self, pods: Float, costs: Float, bounds: Float, branches: int, tolerance: float) -> Priced:
        """What a sweep finds; candidates that are relaxed are not searched for long."""
        brief = self._brief if self.is_on else branches
        if brief >= branches:
            return self._pricing.price(pods, costs, bounds, branches=branches, tolerance=tolerance)
        may_relax = self._pricing.may_relax
        found = [
            self._pricing.price(pods, costs, bounds, np.flatnonzero(mine), branches=most, tolerance=tolerance)
            for mine, most in ((may_relax, brief), (~may_relax, branches))
        ]
        return Priced(
            np.concatenate([part.candidates for part in found]),
            np.concatenate([part.patterns for part in found]),
        )

    def take_over(self, is_hard: NDArray[np.bool_]) -> bool:
        """Take what can be relaxed of the candidates that a sweep left open; returns whether there are any.

        Parameters
        ----------
        is_hard
            bool array (j,): candidates whose searches ended before they had proven enough.
        """
        is_short = is_hard & self._pricing.may_relax
        if not (self.is_on and is_short.any()):
            return False
        self.short = np.flatnonzero(is_short)
        return True

    def add(self, master: Master, duals: Duals) -> NDArray[np.intp]:
        """Add a relaxed column on each candidate taken over, where it improves; returns these."""
        costs = self._rows.costs(duals)
        patterns = self._pricing.relaxed(self.short, duals.pods)
        improves = patterns @ duals.pods > costs[self.short] * (1.0 + TOLERANCE)
        master.add_relaxed(self.short[improves], patterns[improves])
        return self.short[improves]

    def end(self, master: Master) -> bool:
        """Go on by patterns alone; returns whether the master had relaxed columns."""
        self.is_on = False
        return master.drop_relaxed()

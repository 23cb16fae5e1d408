"""What a column generation proves: a lower bound, by dual prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from binwright_optimizer.columns.rows import Duals, Float


@dataclass(frozen=True, slots=True)
class Bound:
    """A lower bound with the dual prices that give it.

    Parameters
    ----------
    dollars
        Bound on the cost of placing the whole demand, dollars per hour.
    duals
        Dual feasible up to floating point.
    levels
        Micro-dollars per hour of the price levels that the duals speak of.
    """

    dollars: float
    duals: Duals
    levels: tuple[int, ...] = ()

    def part_way(self, better: Bound, dollars: float) -> Bound:
        """What proves so many dollars, or all that ``better`` does, by duals no farther than needed.

        Of dual feasible prices those between them are feasible, and prove no less than lies between. Both
        bounds are of the same part of the solutions.
        """
        if better.dollars <= dollars:
            return better
        share = (better.dollars - dollars) / (better.dollars - self.dollars)
        return Bound(dollars, better.duals.blended(self.duals, share), better.levels)

    def with_pod_prices(self, pods: Float) -> Bound:
        """Other prices of pods, and none of anything else; the dollars are unknown."""
        d = self.duals
        zeros = np.zeros_like
        return Bound(0.0, Duals(pods, zeros(d.limits), zeros(d.minimums), zeros(d.supply)))

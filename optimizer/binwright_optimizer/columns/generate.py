"""Column generation with stabilised duals.

Each round solves the restricted master, prices at a blend of its duals and their moving average
(the stabilisation centre), and derives a bound from the sweep. The moving average damps the
oscillation of the duals (A. Pessoa et al., Automation and combination of linear-programming based
stabilization techniques in column generation, 2018, doi:10.1287/ijoc.2017.0784); a centre kept at
the fluid duals was measured to stall short of the optimum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.bounds import feasible_prices
from binwright_optimizer.columns.master import Duals, Float, Master, Rows, Solution
from binwright_optimizer.instance import Instance
from binwright_optimizer.pricing import MICRO, TOLERANCE, Pricing
from binwright_optimizer.stopping import Stop

CENTRE_STEP = 0.3
"""How far the stabilisation centre moves to the latest duals in one round."""
CENTRE_SHARE = 0.5
"""Share of the centre in the duals that are priced."""

COMPLEMENT_MARGIN = 0.05
"""Columns of a greedy cover are kept up to this reduced cost, as a share of their price."""
TOLERANCE_SHARE = 0.2
"""Share of the open gap below which improvements are not looked for yet."""
FIRST_BRANCHES = 40
"""Branches per candidate and sweep to start with: at most a millisecond."""
MOST_BRANCHES = 200_000
"""Branches per candidate after which a search stays truncated: some seconds."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A lower bound with the dual prices that give it.

    Parameters
    ----------
    dollars
        Bound on the cost of placing the whole demand, dollars per hour.
    duals
        Dual feasible up to floating point.
    """

    dollars: float
    duals: Duals

    def with_pod_prices(self, pods: Float) -> Bound:
        """Other prices of pods, and none of limits, minimums and supply; the dollars are unknown."""
        return Bound(0.0, Duals(pods, *(np.zeros_like(part) for part in self.duals.others())))


class ColumnPool:
    """Columns found so far, each pattern once per candidate."""

    def __init__(self, instance: Instance) -> None:
        self._seen: set[bytes] = set()
        self._candidates: list[int] = []
        self._patterns: list[NDArray[np.int32]] = []
        self._width = instance.n_classes

    def __len__(self) -> int:
        return len(self._candidates)

    def add(
        self, candidates: NDArray[np.intp], patterns: NDArray[np.int32]
    ) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Remember columns; returns those not seen before."""
        fresh = []
        for position, (j, pattern) in enumerate(zip(candidates, patterns, strict=True)):
            key = int(j).to_bytes(4, "little") + pattern.tobytes()
            if key not in self._seen:
                self._seen.add(key)
                self._candidates.append(int(j))
                self._patterns.append(pattern.copy())
                fresh.append(position)
        return candidates[fresh], patterns[fresh]

    def arrays(self) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """All columns: intp array (p,) and int32 array (p, i)."""
        patterns = np.array(self._patterns, dtype=np.int32).reshape(len(self), self._width)
        return np.array(self._candidates, dtype=np.intp), patterns


class Generation:
    """The state of column generation: master, pool, pricing, best bound.

    Parameters
    ----------
    complement
        Covers the whole demand greedily at given dual prices and returns the columns. Pricing
        finds one column per candidate; the columns of a cover share the pods between them, which
        is what the master lacks while it has few.
    """

    def __init__(
        self,
        instance: Instance,
        pricing: Pricing,
        penalty: Float,
        complement: Callable[[Float], tuple[NDArray[np.intp], NDArray[np.int32]]],
    ) -> None:
        self.instance = instance
        self.pricing = pricing
        self._complement = complement
        self.rows = Rows(instance)
        self._penalty = penalty
        self.pool = ColumnPool(instance)
        self.bound = Bound(0.0, self.rows.zero_duals())
        self.solution: Solution | None = None
        self.is_converged = False
        self.has_failed = False
        self.rounds = 0
        self._centre: Duals | None = None
        self._complement_every = 1
        self._branches = FIRST_BRANCHES
        self._is_truncated = False
        self._sharpness = 1.0
        self._is_finite = np.zeros(instance.n_candidates, dtype=bool)
        self._is_finite[self.rows.finite] = True

    @cached_property
    def master(self) -> Master:
        """The restricted master, made when first needed: many small solves end before."""
        return Master(self.rows, self.instance.demand, self._penalty)

    def add(self, candidates: NDArray[np.intp], patterns: NDArray[np.int32]) -> int:
        """Add columns to the pool and the master; returns how many are new."""
        fresh = self.pool.add(candidates, patterns)
        self.master.add(*fresh)
        return len(fresh[0])

    def round(self, stop: Stop) -> None:
        """One master solve with its sweeps."""
        solution = self.master.solve(stop.remaining_s())
        if solution is None:
            self.has_failed = stop.remaining_s() > 0
            self.is_converged = True
            return
        self.solution = solution
        self.rounds += 1
        if self._centre is None:
            self._centre = solution.duals
        blend = solution.duals.blended(self._centre, CENTRE_SHARE)
        if self.rounds % self._complement_every == 0:
            self._add_complement(blend)
        if not self.sweep(blend) and not self.sweep(solution.duals):
            self._search_longer()
        self._centre = self._centre.blended(solution.duals, CENTRE_STEP)
        if solution.objective - self.bound.dollars <= 1e-9 * max(1.0, solution.objective):
            self.is_converged = True

    def _add_complement(self, duals: Duals) -> None:
        """Add the columns of a greedy cover at these duals; seldom once few of them improve."""
        candidates, patterns = self._complement(duals.pods)
        reduced = self.rows.costs(duals)[candidates] - patterns @ duals.pods
        useful = reduced <= COMPLEMENT_MARGIN * self.rows.price[candidates]
        added = self.add(candidates[useful], patterns[useful])
        if added < max(4, 0.1 * len(candidates)):
            self._complement_every = min(2 * self._complement_every, 64)
        else:
            self._complement_every = max(1, self._complement_every // 2)

    def _search_longer(self) -> None:
        """Nothing improves at the master's own duals: look closer, or longer, or stop."""
        if self._is_truncated and self._branches < MOST_BRANCHES:
            self._branches *= 4
        elif self._tolerance() > TOLERANCE:
            self._sharpness *= 0.2
        else:
            self.is_converged = True

    def _tolerance(self) -> float:
        """How much a pattern must gain to be looked for: a share of the gap still open."""
        if self.solution is None or self.solution.objective <= 0:
            return TOLERANCE
        gap = 1.0 - self.bound.dollars / self.solution.objective
        return min(max(TOLERANCE_SHARE * gap * self._sharpness, TOLERANCE), 0.01)

    def sweep(self, duals: Duals) -> int:
        """Price all candidates at these duals, tighten the bound, add columns; returns their number."""
        instance = self.instance
        bounds = np.empty(instance.n_candidates)
        costs = self.rows.costs(duals)
        tolerance = self._tolerance()
        priced = self.pricing.price(duals.pods, costs, bounds, branches=self._branches, tolerance=tolerance)
        reached = np.maximum(costs, 0.0) * (1.0 + 1.01 * tolerance) + 1e-9
        self._is_truncated = bool(np.count_nonzero(bounds > reached) > len(priced.candidates))
        self._improve_bound(duals, bounds)
        return self.add(priced.candidates, priced.patterns)

    def _improve_bound(self, duals: Duals, worth: Float) -> None:
        """Keep the bound that these duals prove, if it is the best so far."""
        rows = self.rows
        minimums = duals.minimums
        thresholds = rows.costs(duals, with_supply=False)
        for m in range(len(minimums)):  # an empty node must not be worth buying
            members = rows.in_pool[:, m]
            excess = -float(thresholds[members].min(initial=0.0))
            if excess > 0.0:
                minimums = minimums.copy()
                minimums[m] = max(0.0, minimums[m] - excess)
                thresholds[members] += excess
        pods = feasible_prices(
            self.instance, duals.pods, thresholds * (1.0 + TOLERANCE), worth, self._is_finite
        )
        value = float(self.instance.demand @ pods - rows.room @ duals.limits + rows.missing @ minimums)
        if len(rows.finite):
            excess_worth = np.maximum(0.0, worth[rows.finite] - thresholds[rows.finite])
            value -= float(rows.supply @ excess_worth)
        self.offer_bound(value, Duals(pods, duals.limits, minimums, duals.supply))

    def offer_bound(self, dollars: float, duals: Duals) -> None:
        """Keep a bound and the dual feasible prices that give it, if it is the best so far."""
        if dollars > self.bound.dollars:
            self.bound = Bound(dollars, duals)


def penalties(instance: Instance) -> Float:
    """Dollars for leaving out one pod: above anything that placing it can cost; (i,).

    A pod of higher priority costs ten times as much per level, up to four levels, beyond which
    the linear programme would lose precision; ranks of packings compare priorities exactly.
    """
    dearest = float(instance.price.max(initial=1)) * MICRO
    levels = np.unique(instance.priority)
    level = np.minimum(np.searchsorted(levels, instance.priority), 3)
    return 20.0 * max(dearest, MICRO) * 10.0**level

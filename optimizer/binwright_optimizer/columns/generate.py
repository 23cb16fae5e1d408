"""Column generation with stabilised duals.

Each round solves the restricted master and prices near its duals, for columns or for a better bound (see
`columns.centre`). What the sweep finds scales the duals to feasible ones, which are then lifted class by
class: a better bound, and columns for every class. Between two sweeps the master improves by neighbours of
its own patterns, which cost next to nothing: sweeps are there to prove, and to find what no neighbour is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.bounds import feasible_prices
from binwright_optimizer.columns import relaxed
from binwright_optimizer.columns.allocation import Allocator
from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.centre import Centre
from binwright_optimizer.columns.exchange import exchanges
from binwright_optimizer.columns.master import Master, Solution
from binwright_optimizer.columns.pool import ColumnPool
from binwright_optimizer.columns.relaxed import RelaxedColumns
from binwright_optimizer.columns.rows import Duals, Float, Rows
from binwright_optimizer.columns.sound_duals import with_commitments_paid, without_prizes
from binwright_optimizer.heuristics.greedy import fluid_prices
from binwright_optimizer.instance import Instance
from binwright_optimizer.pricing import BRANCH_WORK, TOLERANCE, Pricing
from binwright_optimizer.stopping import Stop
from binwright_optimizer.work import UNITS_PER_SECOND

EXCHANGE_GAP = 0.004
"""Relative distance of bound and master from which exchanges disturb more than they help."""
STALL_SHARE = 0.1
"""Share of the distance between bound and master that a round closes at least, or searches cut short go on
longer in the next."""
PRUNE_EVERY = 10
"""Rounds between two looks for columns that the master can do without."""
PRUNE_MARGIN = 0.2
"""Reduced cost, as a share of its price, above which the master can do without a column."""

USEFUL_MARGIN = 0.01
"""Columns are useful to other domains up to this reduced cost, as a share of their price."""
COMPLEMENT_MARGIN = 0.05
"""Columns of a greedy cover are kept up to this reduced cost, as a share of their price."""
TOLERANCE_SHARE = 0.2
"""Share of the open gap below which improvements are not looked for yet."""
PROVING_SHARPNESS = 0.05
"""The same in sweeps that go for the bound, as a share of it: the bound can be no nearer than that."""
PROVING_GAP = 0.004
"""Relative distance of bound and master from which some rounds go for the bound."""
LIFT_EVERY, MOST_LIFT_EVERY = 2, 16
"""Rounds from one lift to the next while lifts find columns or raise prices, and else; rounds that go for the
bound always lift: with 300 classes a lift takes half of a round."""
FIRST_BRANCHES = 40
"""Branches per candidate and sweep to start with: at most a millisecond."""
FAIR_SHARE = 0.5
"""Share of the work of a round that its searches may take as well, so that the few long ones go on longer."""
MOST_FAIR_BRANCHES = 2_000
"""Branches per candidate that they take at most for that reason."""
NEIGHBOUR_TURNS = 2
"""Master solves before each sweep that add neighbours of its patterns."""
NEIGHBOUR_WORK = 1.0
"""Work that they may take, as a share of that of the sweep before them."""
NEIGHBOUR_PROGRESS = 0.002
"""Share of the distance between bound and master that a turn has to close for another one."""
NEIGHBOUR_SHARE = 0.1
"""How much neighbours must gain, as a share of what patterns that a sweep looks for must."""
MOST_BRANCHES = 200_000
"""Branches per candidate after which a search stays truncated: some seconds."""


class Generation:
    """The state of column generation: master, pool, pricing, best bound.

    Parameters
    ----------
    complement
        Covers the whole demand greedily at given dual prices and returns the columns. Pricing
        finds one column per candidate; the columns of a cover share the pods between them, which
        is what the master lacks while it has few.
    most_branches
        Branches per candidate after which a sweep's search stays truncated.
    has_columns
        Whether good columns are known, so that the master needs no exchanges to begin with.
    """

    def __init__(
        self,
        instance: Instance,
        pricing: Pricing,
        penalty: Float,
        complement: Callable[[Duals], tuple[NDArray[np.intp], NDArray[np.int32]]],
        most_branches: int = MOST_BRANCHES,
        *,
        has_columns: bool = False,
    ) -> None:
        self._has_columns = has_columns
        self.instance = instance
        self.pricing = pricing
        self._complement = complement
        self.rows = Rows(instance, instance.linking)
        self.allocator = (
            None
            if instance.linking is None
            else Allocator(instance, instance.linking, pricing.work, pricing.halt)
        )
        self._fixed_demand = instance.demand.copy()
        if instance.linking is not None:
            self._fixed_demand[instance.linking.class_of] = 0
        self._penalty = penalty
        self.pool = ColumnPool(instance)
        self.bound = Bound(0.0, self.rows.zero_duals())
        self.solution: Solution | None = None
        self.is_converged = False
        self.has_failed = False
        self.rounds = 0
        self._lift_every = LIFT_EVERY
        self._centre = Centre()
        self._complement_every = 1
        self._branches = FIRST_BRANCHES
        self._most_branches = most_branches
        self._affordable = most_branches
        self._fair = 0
        self._is_hard = np.zeros(instance.n_candidates, dtype=bool)
        self._n_found = 0
        self._is_cut_short = False
        self._n_truncated = 0
        self._sharpness = 1.0
        self.relaxed = RelaxedColumns(self.rows, pricing, FIRST_BRANCHES)
        self._is_finite = np.zeros(instance.n_candidates, dtype=bool)
        self._is_finite[self.rows.finite] = True

    @cached_property
    def master(self) -> Master:
        """The restricted master, made when first needed: many small solves end before."""
        swaps = None if self._has_columns else exchanges(self.instance, fluid_prices(self.instance))
        pricing = self.pricing
        return Master(self.rows, self.instance.demand, self._penalty, swaps, pricing.work, pricing.halt)

    def add(self, candidates: NDArray[np.intp], patterns: NDArray[np.int32]) -> int:
        """Add columns to the pool and the master; returns how many are new."""
        fresh = self.pool.add(candidates, patterns)
        self.master.add(*fresh)
        return len(fresh[0])

    def centre_at(self, duals: Duals) -> None:
        """Let rounds begin near these duals."""
        self._centre.average = duals

    def solve(self, stop: Stop) -> Solution | None:
        """Solve the master; where it cannot be, the generation ends."""
        solution = self.master.solve(stop.remaining_s())
        if solution is None:
            was_halted = stop.remaining_s() <= 0 or self.pricing.halt.flag[0]
            self.has_failed |= not was_halted and not self.master.is_infeasible
            self.is_converged = True
        else:
            self.solution = solution
        return solution

    def round(self, stop: Stop) -> None:
        """One master solve with its sweeps."""
        before = self.solution
        solution = self.solve(stop)
        if solution is None:
            return
        fallen = np.inf if before is None else before.objective - solution.objective
        self.rounds += 1
        if stop.remaining_s() <= 0:
            return
        distance = solution.objective - self.bound.dollars
        is_near = distance <= PROVING_GAP * solution.objective
        is_proving = is_near and self._centre.is_proving_due(fallen, distance)
        between = self._centre.for_columns(solution.duals)
        if is_proving:
            between = self._centre.for_bound(solution.duals, self.bound.duals)
        began, proven = self.pricing.work.units, self.bound.dollars
        if self.rounds % self._complement_every == 0:
            self._add_complement(between)
        branches = stop.remaining_s() * UNITS_PER_SECOND / BRANCH_WORK  # that there is time for
        self._affordable = max(FIRST_BRANCHES, int(branches / (1 + self._n_truncated)))
        sharpness = PROVING_SHARPNESS if is_proving else 1.0
        may_lift = is_proving or self.rounds % self._lift_every == 0
        added = self.sweep(between, may_lift, sharpness)
        if is_proving:
            self._centre.note(is_better=self.bound.dollars > proven)
        if not added and not self.sweep(solution.duals):
            self._search_longer()
            if self.solution is None:
                return  # relaxed columns are gone: the next round goes on by patterns alone
        elif self._is_cut_short and self._is_stalled(proven, solution.objective):
            self._branches = min(2 * self._branches, self._most_branches)
        if not self.is_converged:
            units = NEIGHBOUR_WORK * (self.pricing.work.units - began)
            self._take_turns(stop, NEIGHBOUR_TURNS, units, self._add_neighbours, NEIGHBOUR_PROGRESS)
        if self.relaxed.is_on and len(self.relaxed.short):
            self._take_turns(stop, relaxed.TURNS, self.pricing.work.units - began, self._add_relaxed)
        fair = FAIR_SHARE * (self.pricing.work.units - began) / BRANCH_WORK
        self._fair = int(min(fair / (1 + self._n_truncated), MOST_FAIR_BRANCHES))
        if self.rounds % PRUNE_EVERY == 0:
            self.master.prune(PRUNE_MARGIN)
        distance = solution.objective - self.bound.dollars
        is_exact = solution.is_whole
        if distance <= EXCHANGE_GAP * solution.objective:
            is_exact = not self.master.drop_exchanges() or is_exact
        is_near = distance <= relaxed.GAP * solution.objective
        if is_near and self.relaxed.is_on and self._end_relaxing():
            return
        if distance <= 1e-9 * max(1.0, solution.objective) and is_exact:
            self.is_converged = True

    def _take_turns(
        self,
        stop: Stop,
        most_turns: int,
        most_units: float,
        add: Callable[[Solution], int],
        least_progress: float | None = None,
    ) -> None:
        """Improve the master between two sweeps by columns that cost less to find than a sweep.

        Parameters
        ----------
        most_units
            Work after which no other turn begins.
        add
            Adds columns at the duals of a solution; returns how many.
        least_progress
            Share of the distance between bound and master that a turn has to close for another one.
        """
        began = self.pricing.work.units
        for _ in range(most_turns):
            if self.pricing.work.units - began > most_units:
                return
            before = self.solution
            solution = self.master.solve(stop.remaining_s())
            if before is None or solution is None or stop.remaining_s() <= 0:
                return
            self.solution = solution
            gained = before.objective - solution.objective
            open_distance = solution.objective - self.bound.dollars
            if least_progress is not None and gained < least_progress * open_distance:
                return
            self._centre.follow(solution.duals)
            if not add(solution):
                return

    def _add_neighbours(self, solution: Solution) -> int:
        """Add neighbours of the master's own patterns, where a sweep's searches are long.

        They are as many columns as the master has patterns there, in as many directions, and bring the
        duals nearer to what the next sweep can prove.
        """
        candidates, patterns = self.pool.chosen(np.flatnonzero(solution.nodes > 0.0), self._is_hard)
        costs, tolerance = self.rows.costs(solution.duals), NEIGHBOUR_SHARE * self._tolerance()
        better = self.pricing.neighbours(candidates, patterns, solution.duals.pods, costs, tolerance)
        return self.add(better.candidates, better.patterns)

    def _add_relaxed(self, solution: Solution) -> int:
        """Add relaxed columns on the candidates that the last sweep left to them."""
        return len(self.relaxed.add(self.master, solution.duals))

    def whole_solution(self, stop: Stop) -> Solution | None:
        """The master's solution by patterns alone: exchanges place pods on no node, relaxed columns parts."""
        if self.solution is None or self.solution.is_whole:
            return self.solution
        return self.master.solve_whole(stop.remaining_s())

    def useful_columns(self) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
        """Columns that are worth nearly their price at the prices of the best bound."""
        candidates, patterns = self.pool.arrays()
        costs = self.rows.costs(self.bound.duals)[candidates]
        useful = costs - patterns @ self.bound.duals.pods <= USEFUL_MARGIN * self.rows.price[candidates]
        return candidates[useful], patterns[useful]

    @property
    def branches(self) -> int:
        """Branches per candidate that sweeps take now."""
        return self._branches

    def look_as_closely_as(self, branches: int) -> None:
        """Search for patterns with at least so many branches."""
        self._branches = max(self._branches, branches)

    def _add_complement(self, duals: Duals) -> None:
        """Add the columns of a greedy cover at these duals; seldom once few of them improve."""
        candidates, patterns = self._complement(duals)
        reduced = self.rows.costs(duals)[candidates] - patterns @ duals.pods
        useful = reduced <= COMPLEMENT_MARGIN * self.rows.price[candidates]
        added = self.add(candidates[useful], patterns[useful])
        if added < max(4, 0.1 * len(candidates)):
            self._complement_every = min(2 * self._complement_every, 64)
        else:
            self._complement_every = max(1, self._complement_every // 2)

    @property
    def _is_truncated(self) -> bool:
        """Whether the last sweep left candidates open for which it found no pattern."""
        return self._n_truncated > self._n_found

    def _is_stalled(self, before: float, objective: float) -> bool:
        """Whether the bound has hardly risen towards the master's objective."""
        return self.bound.dollars - before < STALL_SHARE * (objective - self.bound.dollars)

    def _search_longer(self) -> None:
        """Nothing improves at the master's own duals: look closer, or longer, or stop."""
        if self.solution is not None and self.solution.traded > 0.0 and self.master.drop_exchanges():
            return
        if self._is_truncated and self._branches < self._most_branches:
            self._branches *= 4
        elif self._tolerance() > TOLERANCE:
            self._sharpness *= 0.2
        elif not (self.relaxed.is_on and self._end_relaxing()):
            self.is_converged = True

    def _end_relaxing(self) -> bool:
        """Go on by patterns alone; returns whether there were relaxed columns."""
        if not self.relaxed.end(self.master):
            return False
        self.solution = None
        return True

    def _tolerance(self) -> float:
        """How much a pattern must gain to be looked for: a share of the gap still open."""
        if self.solution is None or self.solution.objective <= 0:
            return TOLERANCE
        gap = 1.0 - self.bound.dollars / self.solution.objective
        return min(max(TOLERANCE_SHARE * gap * self._sharpness, TOLERANCE), 0.01)

    def sweep(self, duals: Duals, lift: bool = False, sharpness: float = 1.0) -> int:
        """Price all candidates at these duals, tighten the bound, add columns; returns their number."""
        instance = self.instance
        bounds = np.empty(instance.n_candidates)
        costs = self.rows.costs(duals)
        tolerance = max(self._tolerance() * sharpness, TOLERANCE)
        branches = min(max(self._branches, self._fair), self._affordable)
        priced = self.relaxed.priced(duals.pods, costs, bounds, branches, tolerance)
        reached = np.maximum(costs, 0.0) * (1.0 + 1.01 * tolerance) + 1e-9
        self._is_hard = bounds > reached
        filled = np.zeros(0, dtype=np.intp)  # by relaxed columns
        if self.relaxed.take_over(self._is_hard):
            filled = self.relaxed.add(self.master, duals)
            self._is_hard[filled] = False
        self._n_truncated = int(np.count_nonzero(self._is_hard))
        self._n_found = len(priced.candidates)
        self._is_hard[priced.candidates] = True
        found = reached.copy()
        found[priced.candidates] = priced.patterns @ duals.pods
        found[filled] = bounds[filled]
        scale = np.maximum(costs, TOLERANCE)
        self._is_cut_short = bool(
            ((bounds - found) / scale).max(initial=0.0) > ((found - costs) / scale).max(initial=0.0)
        )
        added = self.add(priced.candidates, priced.patterns) + len(filled)
        return added + self._improve_bound(duals, bounds, lift)

    def _improve_bound(self, duals: Duals, worth: Float, lift: bool) -> int:
        """Keep the bound that these duals prove, if it is the best so far; returns columns added."""
        rows = self.rows
        duals = with_commitments_paid(rows, without_prizes(rows, duals), worth)
        thresholds = rows.costs(duals, with_supply=False)
        pods = feasible_prices(
            self.instance, duals.pods, thresholds * (1.0 + TOLERANCE), worth, self._is_finite
        )
        constant = rows.constant(duals)
        if len(rows.finite):
            excess_worth = np.maximum(0.0, worth[rows.finite] - thresholds[rows.finite])
            constant -= float(rows.supply @ excess_worth)
        added = self._lift(duals.pods, pods, thresholds, worth) if lift else 0
        value = self.worth(pods) + constant
        self.offer_bound(value, replace(duals, pods=pods))
        return added

    def worth(self, pods: Float) -> float:
        """Least that placing all pods is worth at these prices, dollars, wherever rules let them go."""
        fixed = float(self._fixed_demand @ pods)
        return fixed if self.allocator is None else fixed + self.allocator.worth(pods)

    def _lift(self, targets: Float, pods: Float, thresholds: Float, worth: Float) -> int:
        """Raise feasible prices in place, to the targets first; returns columns added.

        What a candidate with finite supply is worth beyond its threshold has been paid for.
        """
        allowed = np.where(self._is_finite, np.maximum(thresholds, worth), thresholds)
        reached = np.minimum(worth, allowed)
        before = float(self.instance.demand @ pods)
        added = 0
        for level in (targets, np.full(len(pods), np.inf)):
            priced = self.pricing.lift(pods, level, allowed, reached)
            added += self.add(priced.candidates, priced.patterns)
        gained = float(self.instance.demand @ pods) - before
        if added or gained > 1e-4 * before:
            self._lift_every = max(LIFT_EVERY, self._lift_every // 2)
        else:
            self._lift_every = min(2 * self._lift_every, MOST_LIFT_EVERY)
        return added

    def add_level(self, level: int) -> None:
        """Count the nodes that cost at least ``level`` micro-dollars per hour."""
        self.rows.add_level(level)
        self.master.add_level()
        counted = np.flatnonzero(self.rows.is_counted[:, -1])
        cheapest = counted[[np.argmin(self.instance.price[counted])]]
        self.add(cheapest, np.zeros((1, self.instance.n_classes), dtype=np.int32))  # a least number may ask

    def restrict(self, least: Float, most: Float, bound: Bound) -> None:
        """Go on under other bounds on the nodes of each level, from a bound known to hold there."""
        self.rows.least[:], self.rows.most[:] = least, most
        self.master.set_levels(least, most)
        self.bound = bound
        self.solution = None
        self.is_converged = False
        self.rounds = 0
        self._centre = Centre()

    def offer_bound(self, dollars: float, duals: Duals) -> None:
        """Keep a bound and the dual feasible prices that give it, if it is the best so far."""
        if dollars > self.bound.dollars:
            self.bound = Bound(dollars, duals, tuple(self.rows.levels))

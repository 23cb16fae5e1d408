"""The restricted master problem of column generation.

Sets: pod classes ``i``, columns ``p`` (a pattern ``a_p`` on candidate ``j(p)``), limit rows ``k``,
minimum rows ``m``, candidates with finite supply ``f``. Variables: ``x_p >= 0`` nodes of column
``p``; ``u_i >= 0`` pods left out, at a penalty ``P_i`` above any price::

    min  sum_p c_j(p) x_p + sum_i P_i u_i
    s.t. sum_p a_pi x_p + u_i >= demand_i              pi_i >= 0     every pod is placed
         sum_p use_j(p)k x_p  <= room_k                y_k  >= 0     NodePool limits
         sum_(p in pool m) x_p >= missing_m            z_m  >= 0     NodePool minimums
         sum_(p on f) x_p     <= supply_f              v_f  >= 0     finite supply
         lower <= A [y, u, z] <= upper                               rules about domains
         lo_l <= sum_(p with c_j(p) >= P_l) x_p <= hi_l   w_l free   nodes of a price level

Where rules speak of domains, the demand of a class is not a number but the sum of its local kinds'
variables ``y`` (see `Linking`), and ``u`` are pods of split kinds left out.

The pricing problem they imply, for each candidate: ``max_a pi.a`` over patterns, to exceed
``c_j + sum_k use_jk y_k - z_m(j) + v_j - sum_(l: c_j >= P_l) w_l`` (P. C. Gilmore and R. E. Gomory,
A linear programming approach to the cutting-stock problem, 1961, doi:10.1287/opre.9.6.849; M. E.
Luebbecke and J. Desrosiers, Selected topics in column generation, 2005, doi:10.1287/opre.1050.0234).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import highspy
import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.allocation import penalty_of_kinds
from binwright_optimizer.columns.exchange import Exchanges
from binwright_optimizer.columns.highs import (
    WATCHED_ROWS,
    make_interruptible,
    quiet_solver,
    run,
    was_cut_short,
)
from binwright_optimizer.columns.rows import Duals, Float, Rows
from binwright_optimizer.stopping import Halt
from binwright_optimizer.work import Work

INTERIOR_ROWS = 100
"""Rows from which a programme without a basis near its optimum is solved by interior points and crossover:
300 rows and 4,000 columns in 45 milliseconds, where the simplex method takes 100 (HiGHS 1.12)."""
DUAL, PRIMAL = 1, 4
"""HiGHS's simplex strategies: after right-hand sides changed, and after columns were added."""


class Master:
    """The restricted master as a warm linear programme in HiGHS (primal simplex).

    Parameters
    ----------
    exchanges
        Pods that may take the place of others until `drop_exchanges`; none by default.
    work
        Counts what the programme takes.
    halt
        Cuts large programmes short.
    """

    def __init__(
        self,
        rows: Rows,
        demand: NDArray[np.int64],
        penalty: Float,
        exchanges: Exchanges | None = None,
        work: Work | None = None,
        halt: Halt | None = None,
    ) -> None:
        self.rows = rows
        self._work = work or Work()
        self._n_linked = rows.n_linked
        self._n_exchanges = 0 if exchanges is None else len(exchanges)
        self.is_infeasible = False
        self._is_exact = not self._n_exchanges
        self._is_cold = True
        self._candidates: list[int] = []
        self._live = np.zeros(0, dtype=np.intp)  # of the programme's columns, the number; -1 for relaxed ones
        self._on = np.zeros(0, dtype=np.intp)
        n, k, m, f = rows.n_classes, len(rows.room), len(rows.missing), len(rows.supply)
        self._first = (n, n + k, n + k + m, n + k + m + f)
        self._first_level = n + k + m + f + rows.n_linking
        solver = quiet_solver()
        solver.setOptionValue("simplex_strategy", PRIMAL)
        rows.add_to(solver, demand)
        solver.addCols(
            n,
            penalty,
            np.zeros(n),
            np.full(n, np.inf),
            n,
            np.arange(n, dtype=np.int32),
            np.arange(n, dtype=np.int32),
            np.ones(n),
        )
        if rows.linking is not None:
            linked = np.unique(rows.linking.class_of).astype(np.int32)
            solver.changeColsBounds(len(linked), linked, np.zeros(len(linked)), np.zeros(len(linked)))
            rows.add_linked(solver, penalty_of_kinds(rows.instance, rows.linking), may_leave_out=True)
        self._start = n + self._n_linked
        """Number of the first exchange."""
        self._solver = solver
        if halt is not None and solver.getNumRow() >= WATCHED_ROWS:
            make_interruptible(solver, halt)
        if exchanges is not None and len(exchanges):
            e = len(exchanges)
            solver.addCols(
                e,
                np.zeros(e),
                np.zeros(e),
                np.full(e, np.inf),
                len(exchanges.classes),
                exchanges.starts,
                exchanges.classes,
                exchanges.counts,
            )

    def add(self, candidates: NDArray[np.intp], patterns: NDArray[np.int32]) -> None:
        """Add columns: intp array (p,) and int32 array (p, i)."""
        if not len(candidates):
            return
        self.rows.add_columns(self._solver, candidates, patterns)
        fresh = len(self._candidates) + np.arange(len(candidates), dtype=np.intp)
        self._live = np.concatenate([self._live, fresh])
        self._on = np.concatenate([self._on, candidates])
        self._candidates.extend(candidates.tolist())

    def add_relaxed(self, candidates: NDArray[np.intp], patterns: Float) -> None:
        """Add columns of parts of pods, float64 array (p, i), until `drop_relaxed`: they have no number."""
        self.rows.add_columns(self._solver, candidates, patterns)
        self._live = np.concatenate([self._live, np.full(len(candidates), -1, dtype=np.intp)])
        self._on = np.concatenate([self._on, candidates])

    def drop_relaxed(self) -> bool:
        """Take the relaxed columns out; returns whether there were any."""
        gone = np.flatnonzero(self._live < 0)
        self._delete(gone)
        return bool(len(gone))

    def drop_exchanges(self) -> bool:
        """Forbid the exchanges for good; returns whether they were allowed."""
        if self._is_exact:
            return False
        self._is_exact = True
        self._allow_exchanges(0.0)
        self._is_cold = True
        return True

    def solve_whole(self, time_limit_s: float) -> Solution | None:
        """`solve` as if there were neither exchanges nor relaxed columns."""
        relaxed = self._start + self._n_exchanges + np.flatnonzero(self._live < 0)
        if self._is_exact and not len(relaxed):
            return self.solve(time_limit_s)
        basis = self._solver.getBasis()
        if not self._is_exact:
            self._allow_exchanges(0.0)
        self._bound(relaxed, 0.0)
        self._is_cold = True  # so much changes that this basis is far away; it is near again afterwards
        solution = self.solve_again(time_limit_s)
        if not self._is_exact:
            self._allow_exchanges(np.inf)
        self._bound(relaxed, np.inf)
        self._solver.setBasis(basis)
        return solution

    def _allow_exchanges(self, most: float) -> None:
        self._bound(np.arange(self._start, self._start + self._n_exchanges), most)

    def _bound(self, columns: NDArray[np.intp], most: float) -> None:
        n = len(columns)
        self._solver.changeColsBounds(n, columns.astype(np.int32), np.zeros(n), np.full(n, most))

    def _delete(self, columns: NDArray[np.intp]) -> None:
        """Take columns out of the programme, by their place among those of candidates."""
        if len(columns):
            first = self._start + self._n_exchanges
            self._solver.deleteCols(len(columns), (first + columns).astype(np.int32))
            self._live = np.delete(self._live, columns)
            self._on = np.delete(self._on, columns)

    def prune(self, margin: float) -> None:
        """Take columns out whose reduced cost is more than ``margin`` of their price.

        The programme gets smaller and faster; the columns keep their number, as columns of value 0.
        """
        solution = self._solver.getSolution()
        start = self._start + self._n_exchanges
        reduced = np.asarray(solution.col_dual)[start:]
        cost = np.asarray(self._solver.getLp().col_cost_)[start:]
        stale = np.flatnonzero((reduced > margin * cost) & (np.asarray(solution.col_value)[start:] == 0.0))
        if len(stale) < 0.3 * len(reduced):
            return
        self._delete(stale)

    def add_level(self) -> None:
        """A row for the level added to the rows last."""
        counted = np.flatnonzero(self.rows.is_counted[self._on, -1])
        index = (self._start + self._n_exchanges + counted).astype(np.int32)
        self._solver.addRow(-np.inf, np.inf, len(index), index, np.ones(len(index)))

    def set_levels(self, least: Float, most: Float) -> None:
        """Bounds on the nodes of each level."""
        first = self._first_level
        for level, (low, high) in enumerate(zip(least, most, strict=True)):
            self._solver.changeRowBounds(first + level, float(low), float(high))

    def set_demand(self, demand: NDArray[np.int64], room: Float, missing: Float, supply: Float) -> None:
        """Replace the right-hand sides."""
        n, k, m, f = self._first
        for index, amount in enumerate(demand):
            self._solver.changeRowBounds(index, float(amount), np.inf)
        for index in range(n, k):
            self._solver.changeRowBounds(index, -np.inf, float(room[index - n]))
        for index in range(k, m):
            self._solver.changeRowBounds(index, float(missing[index - k]), np.inf)
        for index in range(m, f):
            self._solver.changeRowBounds(index, -np.inf, float(supply[index - m]))

    def solve_again(self, time_limit_s: float) -> Solution | None:
        """`solve` after right-hand sides or bounds changed, which keeps the duals feasible."""
        self._solver.setOptionValue("simplex_strategy", DUAL)
        solution = self.solve(time_limit_s)
        self._solver.setOptionValue("simplex_strategy", PRIMAL)
        return solution

    def solve(self, time_limit_s: float) -> Solution | None:
        """Optimal primal and dual values, or None if the solver did not finish.

        HiGHS reports zeros after a failed run, so every status is checked; an unknown status is
        retried once from scratch.
        """
        solver = self._solver
        by_interior = self._is_cold and solver.getNumRow() >= INTERIOR_ROWS
        self._is_cold = False
        for attempt in range(2):
            status = run(solver, time_limit_s, self._work, by_interior=by_interior and not attempt)
            if (
                status == highspy.HighsStatus.kOk
                and solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
            ):
                return self._solution()
            self.is_infeasible = solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible
            if self.is_infeasible or was_cut_short(solver) or attempt:
                return None
            solver.clearSolver()
        return None

    def _solution(self) -> Solution:
        solution = self._solver.getSolution()
        n, k, m, f = self._first
        dual = np.asarray(solution.row_dual)
        values = np.asarray(solution.col_value)
        duals = Duals(
            np.maximum(dual[:n], 0.0),
            np.maximum(-dual[n:k], 0.0),
            np.maximum(dual[k:m], 0.0),
            np.maximum(-dual[m:f], 0.0),
            dual[self._first_level :],
        )
        nodes = np.zeros(len(self._candidates))
        first, last = self._start, self._start + self._n_exchanges
        is_numbered = self._live >= 0
        nodes[self._live[is_numbered]] = values[last:][is_numbered]
        linking = self.rows.linking
        allocation = np.zeros(0) if linking is None else values[n : n + linking.n_local]
        traded = float(values[first:last].sum())
        relaxed = float(values[last:][~is_numbered].sum())
        objective = self._solver.getObjectiveValue()
        return Solution(objective, nodes, values[:n], duals, traded, allocation, relaxed)


@dataclass(frozen=True, slots=True)
class Solution:
    """Optimum of the restricted master.

    Parameters
    ----------
    objective
        Dollars per hour, penalties included.
    nodes
        float64 array (p,): nodes of each column, in the order they were added.
    left_out
        float64 array (i,): pods not placed.
    traded
        Pods placed by exchange: while there are any, the objective may be below the pattern bound.
    allocation
        float64 array (v,): pods of each local kind.
    relaxed
        Nodes bought by relaxed columns: while there are any, no whole nodes are near.
    """

    objective: float
    nodes: Float
    left_out: Float
    duals: Duals
    traded: float = 0.0
    allocation: Float = field(default_factory=lambda: np.zeros(0))
    relaxed: float = 0.0

    @property
    def is_whole(self) -> bool:
        """Whether the pods are on nodes that could be bought, were it not for their numbers."""
        return self.traded == 0.0 and self.relaxed == 0.0

"""The best whole-number choice among known columns, as a mixed-integer programme.

Only columns whose reduced cost is below the gap can be part of a better solution of the pool, so
the programme is small once the gap is. It closes small instances that rounding leaves open.
"""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.highs import make_interruptible, quiet_solver, run_integer
from binwright_optimizer.columns.rows import Rows
from binwright_optimizer.heuristics.greedy import Columns
from binwright_optimizer.stopping import Halt
from binwright_optimizer.work import Work


@dataclass(frozen=True, slots=True)
class Choice:
    """Columns with counts, and the pods of each local kind that they are for: int64 array (v,) or None."""

    columns: Columns
    allocation: NDArray[np.int64] | None


MOST_COLUMNS = 4_000
"""Columns beyond which the programme is not tried: it would not finish in useful time."""
MOST_BOUND = 1e9
"""Nodes of a pattern from which a bound on them says nothing."""
SUB_PROGRAMMES = ("mip_heuristic_run_rens", "mip_heuristic_run_rins", "mip_heuristic_run_root_reduced_cost")
"""HiGHS's heuristics that solve programmes of their own. Inside them it does not ask whether to go on: on
1,300 columns for 60 classes up to 1.1 s passed between two questions, and 27 ms without them, and the work
counted was a sixth of what was done. What they find there is far above a rounded relaxation."""
ROUNDING = 1e-9
"""Dollars that reduced costs may be wrong by."""
FEASIBLE = 2
"""HiGHS's primal solution status when it holds a feasible point."""


def choose(
    rows: Rows,
    columns: tuple[NDArray[np.intp], NDArray[np.int32]],
    bound: Bound,
    cost: float,
    time_limit_s: float,
    halt: Halt,
    work: Work | None = None,
) -> Choice | None:
    """Columns with counts that cover the demand for less than ``cost`` dollars, if found in time."""
    candidates, patterns = columns
    reduced = rows.costs(bound.duals)[candidates] - patterns @ bound.duals.pods
    useful = np.flatnonzero(reduced <= cost - bound.dollars + ROUNDING)
    if not 0 < len(useful) <= MOST_COLUMNS:
        return None
    candidates, patterns = candidates[useful], patterns[useful]
    instance = rows.instance
    solver = _programme(rows, candidates, patterns, halt, may_leave_out=False)
    solver.setOptionValue("objective_bound", cost)
    most = most_worth_while(reduced[useful], cost - bound.dollars)
    each = np.arange(len(useful), dtype=np.int32)
    solver.changeColsBounds(len(each), each, np.zeros(len(each)), most)
    run_integer(solver, time_limit_s, work or Work())
    info = solver.getInfo()
    if info.primal_solution_status != FEASIBLE or info.objective_function_value >= cost - ROUNDING:
        return None
    choice = _choice(rows, solver, candidates, patterns)
    demand = instance.demand if choice.allocation is None else instance.allocated(choice.allocation).demand
    if ((choice.columns[1][:, None] * patterns).sum(axis=0) < demand).any():
        return None
    return choice


def most_worth_while(reduced: NDArray[np.float64], gap: float) -> NDArray[np.float64]:
    """Nodes of each pattern beyond which no choice is cheaper than the incumbent: float64 array (p,).

    HiGHS finds such bounds itself, but steps through up to 1,024 numbers for each column that has none, each
    time through all the others: up to 0.3 s for 500 columns in which it does not ask whether to go on.

    Parameters
    ----------
    reduced
        float64 array (p,): reduced costs, dollars.
    gap
        Dollars between the incumbent and the bound that these belong to.
    """
    with np.errstate(divide="ignore"):
        most = np.floor((max(gap, 0.0) + ROUNDING) / np.maximum(reduced - ROUNDING, 0.0))
    return np.where(most < MOST_BOUND, most, np.inf)


def place_most(
    rows: Rows,
    columns: tuple[NDArray[np.intp], NDArray[np.int32]],
    time_limit_s: float,
    halt: Halt,
    work: Work | None = None,
) -> Choice | None:
    """Columns with counts that leave out as few pods as these columns allow, if found in time.

    Level by level from the highest priority: the fewest pods of a level that can stay out become
    a row of the programme before the next level is minimised.
    """
    candidates, patterns = columns
    if not 0 < len(candidates) <= MOST_COLUMNS:
        return None
    instance = rows.instance
    n, first = rows.n_classes, len(candidates)
    solver = _programme(rows, candidates, patterns, halt, may_leave_out=True)
    each = np.arange(n, dtype=np.int32)
    least = instance.demand.astype(float)
    priority = instance.priority
    after = first + rows.n_linked
    where = after + np.arange(n)
    if rows.linking is not None:  # of their classes the variables of the rules count what is left out
        least[rows.linking.class_of] = 0.0
        priority = np.concatenate([priority, rows.linking.priority])
        left = first + rows.linking.n_local + np.arange(len(rows.linking.kinds))
        where = np.concatenate([where, left])
    everyone = np.arange(after + n, dtype=np.int32)
    solver.addCols(n, np.zeros(n), np.zeros(n), least, n, each, each, np.ones(n))
    choice: Choice | None = None
    for level in np.unique(priority)[::-1]:
        members = where[priority == level].astype(np.int32)
        objective = np.zeros(len(everyone))
        objective[members] = 1.0
        solver.changeColsCost(len(everyone), everyone, objective)
        run_integer(solver, time_limit_s, work or Work())
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        choice = _choice(rows, solver, candidates, patterns)
        fewest = float(np.rint(solver.getInfo().objective_function_value))
        solver.addRow(-np.inf, fewest, len(members), members, np.ones(len(members)))
    return choice


def _choice(
    rows: Rows, solver: highspy.Highs, candidates: NDArray[np.intp], patterns: NDArray[np.int32]
) -> Choice:
    """What the programme holds, in whole numbers."""
    values = np.rint(np.asarray(solver.getSolution().col_value)).astype(np.int64)
    n = len(candidates)
    allocation = None if rows.linking is None else values[n : n + rows.linking.n_local]
    return Choice((candidates, values[:n], patterns), allocation)


def _programme(
    rows: Rows,
    candidates: NDArray[np.intp],
    patterns: NDArray[np.int32],
    halt: Halt,
    *,
    may_leave_out: bool,
) -> highspy.Highs:
    """The programme over whole numbers of these columns: the rows of the master, at their prices."""
    solver = quiet_solver()
    solver.setOptionValue("mip_rel_gap", 0.0)
    for heuristic in SUB_PROGRAMMES:
        solver.setOptionValue(heuristic, False)
    rows.add_to(solver, rows.instance.demand)
    rows.add_columns(solver, candidates, patterns)
    whole = np.ones(len(candidates), dtype=bool)
    linking = rows.linking
    if linking is not None:
        rows.add_linked(solver, np.zeros(len(linking.kinds)), may_leave_out=may_leave_out)
        linked = np.ones(linking.n_local + len(linking.kinds), dtype=bool)
        whole = np.concatenate([whole, linked, linking.aux_is_integer])
    positions = np.flatnonzero(whole).astype(np.int32)
    solver.changeColsIntegrality(
        len(positions), positions, np.full(len(positions), highspy.HighsVarType.kInteger)
    )
    make_interruptible(solver, halt)
    return solver

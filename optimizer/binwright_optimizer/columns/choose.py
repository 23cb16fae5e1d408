"""The best whole-number choice among known columns, as a mixed-integer programme.

Only columns whose reduced cost is below the gap can be part of a better solution of the pool, so
the programme is small once the gap is. It closes small instances that rounding leaves open.
"""

from __future__ import annotations

import highspy
import numpy as np
from highspy.highs import HighsCallbackEvent
from numpy.typing import NDArray

from binwright_optimizer.columns.generate import Bound
from binwright_optimizer.columns.master import Rows
from binwright_optimizer.heuristics.greedy import Columns
from binwright_optimizer.stopping import Halt

MOST_COLUMNS = 4_000
"""Columns beyond which the programme is not tried: it would not finish in useful time."""
FEASIBLE = 2
"""HiGHS's primal solution status when it holds a feasible point."""


def choose(
    rows: Rows,
    columns: tuple[NDArray[np.intp], NDArray[np.int32]],
    bound: Bound,
    cost: float,
    time_limit_s: float,
    halt: Halt,
) -> Columns | None:
    """Columns with counts that cover the demand for less than ``cost`` dollars, if found in time."""
    candidates, patterns = columns
    reduced = rows.costs(bound.duals)[candidates] - patterns @ bound.duals.pods
    useful = np.flatnonzero(reduced <= cost - bound.dollars + 1e-9)
    if not 0 < len(useful) <= MOST_COLUMNS:
        return None
    candidates, patterns = candidates[useful], patterns[useful]
    instance = rows.instance
    solver = _programme(rows, candidates, patterns, halt)
    solver.setOptionValue("time_limit", max(time_limit_s, 0.01))
    solver.setOptionValue("objective_bound", cost)
    solver.run()
    info = solver.getInfo()
    if info.primal_solution_status != FEASIBLE or info.objective_function_value >= cost - 1e-9:
        return None
    counts = np.rint(np.asarray(solver.getSolution().col_value)).astype(np.int64)
    if ((counts[:, None] * patterns).sum(axis=0) < instance.demand).any():
        return None
    return candidates, counts, patterns


def place_most(
    rows: Rows,
    columns: tuple[NDArray[np.intp], NDArray[np.int32]],
    time_limit_s: float,
    halt: Halt,
) -> Columns | None:
    """Columns with counts that leave out as few pods as these columns allow, if found in time.

    Level by level from the highest priority: the fewest pods of a level that can stay out become
    a row of the programme before the next level is minimised.
    """
    candidates, patterns = columns
    if not 0 < len(candidates) <= MOST_COLUMNS:
        return None
    instance = rows.instance
    n, first = rows.n_classes, len(candidates)
    solver = _programme(rows, candidates, patterns, halt)
    each = np.arange(n, dtype=np.int32)
    everyone = np.arange(first + n, dtype=np.int32)
    solver.addCols(n, np.zeros(n), np.zeros(n), instance.demand.astype(float), n, each, each, np.ones(n))
    counts = np.zeros(first, dtype=np.int64)
    for level in np.unique(instance.priority)[::-1]:
        members = (first + np.flatnonzero(instance.priority == level)).astype(np.int32)
        objective = np.zeros(first + n)
        objective[members] = 1.0
        solver.changeColsCost(len(everyone), everyone, objective)
        solver.setOptionValue("time_limit", solver.getRunTime() + max(time_limit_s, 0.01))
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        counts = np.rint(np.asarray(solver.getSolution().col_value)[:first]).astype(np.int64)
        least = float(np.rint(solver.getInfo().objective_function_value))
        solver.addRow(-np.inf, least, len(members), members, np.ones(len(members)))
    return candidates, counts, patterns


def _programme(
    rows: Rows, candidates: NDArray[np.intp], patterns: NDArray[np.int32], halt: Halt
) -> highspy.Highs:
    """The programme over whole numbers of these columns: the rows of the master, at their prices."""
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("mip_rel_gap", 0.0)
    rows.add_to(solver, rows.instance.demand)
    rows.add_columns(solver, candidates, patterns)
    positions = np.arange(len(candidates), dtype=np.int32)
    solver.changeColsIntegrality(
        len(positions), positions, np.full(len(positions), highspy.HighsVarType.kInteger)
    )

    def interrupt(event: HighsCallbackEvent) -> None:
        if halt.flag[0]:
            event.interrupt()

    halt.watch()
    solver.cbMipInterrupt.subscribe(interrupt)
    solver.cbSimplexInterrupt.subscribe(interrupt)
    return solver

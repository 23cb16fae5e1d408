"""How many pods go to which domain: the linear system of `Linking` as a programme of its own.

Given the prices of pods, a linear programme over it says what placing all of them is worth at least:
the constant of the dual bound where demands are not numbers. With whole numbers it allocates pods to
domains, at the least worth or as near as possible to what a fractional master wants.
"""

from __future__ import annotations

import highspy
import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.columns.highs import make_interruptible, quiet_solver, run, run_integer
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.domains import Linking
from binwright_optimizer.pricing import MICRO
from binwright_optimizer.stopping import Halt
from binwright_optimizer.work import Work

Float = NDArray[np.float64]
Int = NDArray[np.int64]
OPTIMAL = highspy.HighsModelStatus.kOptimal
FEASIBLE = 2
"""HiGHS's primal solution status when it holds a feasible point."""
WHOLE = 1e-6
"""A number this close to an integer counts as that integer."""
LEFT_OUT = 20.0
"""Penalty for a pod left out, in prices of the dearest node and charge: above what placing it costs."""
MOST_S = 1e6
"""Seconds for a linear programme that takes some milliseconds."""
MOST_LEVELS = 4
"""Priorities that penalties tell apart, ten times as much each, before programmes lose precision."""


def penalty_levels(instance: Instance, priority: Int) -> Float:
    """Dollars for leaving out a pod of each priority: float64 array like ``priority``.

    Ranks of packings compare priorities exactly; penalties only steer programmes.
    """
    dearest = float(instance.price.max(initial=1)) * MICRO
    every = instance.priority
    if instance.linking is not None:
        dearest += float(instance.linking.charge.max(initial=0)) * MICRO
        every = np.concatenate([every, instance.linking.priority])
    levels = np.unique(every)
    level = np.minimum(np.searchsorted(levels, priority), MOST_LEVELS - 1)
    return np.asarray(LEFT_OUT * max(dearest, MICRO) * 10.0**level)


def penalties(instance: Instance) -> Float:
    """Dollars for leaving out one pod of each class: above anything that placing it can cost; (i,)."""
    return penalty_levels(instance, instance.priority)


def penalty_of_kinds(instance: Instance, linking: Linking) -> Float:
    """Dollars for leaving out one pod of each split kind: float64 array (q,)."""
    return penalty_levels(instance, linking.priority)


def add_linked(
    linking: Linking, solver: highspy.Highs, first_row: int, penalty: Float, *, may_leave_out: bool
) -> None:
    """Add the system's variables to a programme that has its rows from ``first_row`` on.

    A pod of a local kind uses up what patterns place of its class: row ``class_of[v]`` of the programme.
    Pods that are left out anyway (``left_least``) cost no penalty: no decision saves it, and a bound that
    held it would exceed what the other pods cost.
    """
    n = linking.n_variables
    rows = np.repeat(np.arange(len(linking.lower)), np.diff(linking.starts)) + first_row
    columns, values = linking.index.astype(np.intp), linking.value
    if first_row:
        rows = np.concatenate([linking.class_of, rows])
        columns = np.concatenate([np.arange(linking.n_local), columns])
        values = np.concatenate([np.full(linking.n_local, -1.0), values])
    order = np.lexsort((rows, columns))
    starts = np.searchsorted(columns[order], np.arange(n))
    left_most = linking.left_most if may_leave_out else linking.left_least
    solver.addCols(
        n,
        np.concatenate([linking.charge * MICRO, penalty, np.zeros(len(linking.aux_lower))]),
        np.concatenate([np.zeros(linking.n_local), linking.left_least, linking.aux_lower]),
        np.concatenate([linking.most, left_most, linking.aux_upper]).astype(np.float64),
        len(rows),
        starts.astype(np.int32),
        rows[order].astype(np.int32),
        values[order],
    )
    solver.changeObjectiveOffset(-float(penalty @ linking.left_least))


class Allocator:
    """Programmes over one linking system; every answer is within its rules."""

    def __init__(self, instance: Instance, linking: Linking, work: Work, halt: Halt | None = None) -> None:
        self.linking = linking
        self._work = work
        self._halt = halt
        self.penalty = penalty_of_kinds(instance, linking)
        self._relaxation = self._programme()

    def worth(self, pods: Float) -> float:
        """Least worth of any allocation at these prices of pods by class, dollars.

        A failure of the solver counts as worth nothing, which is a valid bound.
        """
        linking, solver = self.linking, self._relaxation
        local = np.arange(linking.n_local, dtype=np.int32)
        solver.changeColsCost(len(local), local, self._costs(pods))
        run(solver, MOST_S, self._work)
        if solver.getModelStatus() != OPTIMAL:
            return 0.0
        return float(solver.getObjectiveValue())

    def _costs(self, pods: Float) -> Float:
        """What an item of each local kind costs at these prices, charges included: float64 array (v,)."""
        return np.asarray(pods[self.linking.class_of] + self.linking.charge * MICRO)

    def cheapest(self, pods: Float, time_limit_s: float) -> Int:
        """An allocation in whole pods of least worth, or near it: int64 array (v,)."""
        solver = self._programme()
        local = np.arange(self.linking.n_local, dtype=np.int32)
        solver.changeColsCost(len(local), local, self._costs(pods))
        found = self._whole(solver, time_limit_s)
        return np.zeros(self.linking.n_local, dtype=np.int64) if found is None else found

    def nearest(self, wanted: Float, time_limit_s: float) -> Int | None:
        """An allocation in whole pods close to ``wanted``, each number rounded down or up if that can be.

        None if none is found in time.
        """
        n = self.linking.n_local
        local = np.arange(n, dtype=np.int32)
        low = np.floor(wanted + WHOLE)
        up = 1.0 - 2.0 * (wanted - low)  # to round up costs the more, the further it is
        for slack in (0.0, 2.0):
            solver = self._programme()
            solver.changeColsCost(n, local, up)
            most = np.minimum(np.ceil(wanted - WHOLE) + slack, self.linking.most)
            solver.changeColsBounds(n, local, np.minimum(np.maximum(low - slack, 0.0), most), most)
            found = self._whole(solver, time_limit_s)
            if found is not None:
                return found
        return None

    def within(self, room: Int, time_limit_s: float) -> Int:
        """The allocation of most pods, by priority, of which each class gets at most ``room``: (v,).

        Parameters
        ----------
        room
            int64 array (i,).
        """
        linking = self.linking
        solver = self._programme()
        for i in np.unique(linking.class_of):
            mine = np.flatnonzero(linking.class_of == i).astype(np.int32)
            solver.addRow(-np.inf, float(room[i]), len(mine), mine, np.ones(len(mine)))
        found = self._whole(solver, time_limit_s)
        return np.zeros(linking.n_local, dtype=np.int64) if found is None else found

    def _programme(self) -> highspy.Highs:
        linking = self.linking
        solver = quiet_solver()
        n_rows = len(linking.lower)
        empty = np.zeros(0)
        starts = np.zeros(n_rows, dtype=np.int32)
        solver.addRows(n_rows, linking.lower, linking.upper, 0, starts, starts[:0], empty)
        add_linked(linking, solver, 0, self.penalty, may_leave_out=True)
        if self._halt is not None:
            make_interruptible(solver, self._halt)
        return solver

    def _whole(self, solver: highspy.Highs, time_limit_s: float) -> Int | None:
        linking = self.linking
        whole = np.concatenate(
            [np.ones(linking.n_local + len(linking.kinds), dtype=bool), linking.aux_is_integer]
        )
        positions = np.flatnonzero(whole).astype(np.int32)
        kind = np.full(len(positions), highspy.HighsVarType.kInteger)
        solver.changeColsIntegrality(len(positions), positions, kind)
        run_integer(solver, time_limit_s, self._work)
        if solver.getInfo().primal_solution_status != FEASIBLE:
            return None
        values: Float = np.asarray(solver.getSolution().col_value)[: linking.n_local]
        return np.rint(values).astype(np.int64)

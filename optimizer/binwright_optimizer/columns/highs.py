"""HiGHS, silent and on one thread, within a limit of time or of counted work.

A time limit makes answers depend on the machine. Where counted work is the clock
(`binwright_optimizer.work`), simplex iterations are limited and counted instead. An integer programme counts
how often HiGHS asks whether to go on, which is coarse: from once a millisecond to once a second.
"""

from __future__ import annotations

import math

import highspy
from highspy.highs import HighsCallbackEvent

from binwright_optimizer.stopping import Halt
from binwright_optimizer.work import UNITS_PER_SECOND, Work

RUN_UNITS, ROW_UNITS = 150.0, 0.5
"""Units of work that starting a run takes, beside those for each row."""
ITERATION_UNITS, ITERATION_ROW_UNITS = 8.0, 0.12
"""Units of a simplex iteration, beside those for each row."""
INTERIOR_ROW_UNITS = 5.0
"""Units of an iteration by interior points for each row."""
QUESTION_UNITS = 2_000.0
"""Units between two questions of an integer programme whether to go on."""
MOST_ITERATIONS = 2**31 - 1
LEAST_LIMIT_S = 0.001
WATCHED_ROWS = 100
"""Rows from which a linear programme is asked after every iteration whether to go on: smaller ones take some
milliseconds, of which asking would be a fifth, where it is a twentieth of the time of larger ones."""


def quiet_solver() -> highspy.Highs:
    """An empty programme."""
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("threads", 1)
    return solver


def make_interruptible(solver: highspy.Highs, halt: Halt) -> None:
    """Let runs of this programme end once the flag is raised."""

    def interrupt(event: HighsCallbackEvent) -> None:
        if halt.flag[0]:
            event.interrupt()

    halt.watch()
    solver.cbMipInterrupt.subscribe(interrupt)
    solver.cbSimplexInterrupt.subscribe(interrupt)
    solver.cbIpmInterrupt.subscribe(interrupt)


def run(
    solver: highspy.Highs, time_limit_s: float, work: Work, *, by_interior: bool = False
) -> highspy.HighsStatus:
    """Solve a linear programme within the limit, in seconds or in counted work; HiGHS's status of the run.

    Parameters
    ----------
    by_interior
        Whether to solve by interior points, and to cross over to a basis, rather than from the last basis.
    """
    rows = solver.getNumRow()
    each, step = ITERATION_UNITS + ITERATION_ROW_UNITS * rows, INTERIOR_ROW_UNITS * max(1, rows)
    limit_s = time_limit_s
    if work.deadline is not None:
        limit_s = work.deadline.remaining_s()
        units = max(0.0, time_limit_s) * UNITS_PER_SECOND
        _limit_iterations(solver, "simplex_iteration_limit", units / each)
        _limit_iterations(solver, "ipm_iteration_limit", units / step)
    solver.setOptionValue("time_limit", solver.getRunTime() + max(limit_s, LEAST_LIMIT_S))
    if by_interior:
        solver.setOptionValue("solver", "ipm")
    status = solver.run()
    if by_interior:
        solver.setOptionValue("solver", "choose")
    info = solver.getInfo()
    work.add(RUN_UNITS + ROW_UNITS * rows + each * max(0, info.simplex_iteration_count))
    work.add(step * max(0, info.ipm_iteration_count))
    return status


def _limit_iterations(solver: highspy.Highs, option: str, iterations: float) -> None:
    solver.setOptionValue(option, max(1, min(math.ceil(iterations), MOST_ITERATIONS)))


def was_cut_short(solver: highspy.Highs) -> bool:
    """Whether the last run ended at its limit."""
    ends = highspy.HighsModelStatus
    return bool(solver.getModelStatus() in (ends.kTimeLimit, ends.kIterationLimit, ends.kInterrupt))


def run_integer(solver: highspy.Highs, time_limit_s: float, work: Work) -> None:
    """Solve an integer programme within the limit, in seconds or in counted work."""
    questions = 0
    limit_s = max(time_limit_s, 10 * LEAST_LIMIT_S)
    most = limit_s * UNITS_PER_SECOND / QUESTION_UNITS

    def count(event: HighsCallbackEvent) -> None:
        nonlocal questions
        questions += 1
        if work.is_clock and questions > most:
            event.interrupt()

    if work.deadline is not None:
        limit_s = work.deadline.remaining_s()
    solver.cbMipInterrupt.subscribe(count)
    solver.setOptionValue("time_limit", solver.getRunTime() + max(limit_s, LEAST_LIMIT_S))
    solver.run()
    solver.cbMipInterrupt.unsubscribe(count)
    work.add(RUN_UNITS + ROW_UNITS * solver.getNumRow() + QUESTION_UNITS * questions)

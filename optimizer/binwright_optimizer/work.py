"""Counted work: a clock that runs equally fast on every machine.

A search decides by the clock whose turn it is, so that a busy machine leads it elsewhere. Under a work
limit every such decision looks at counted work instead: what pricing, linear programmes and greedy covers
did, in units that take about a microsecond each. The same problem, seed and limit then give the same
answer, as long as no deadline comes first.
"""

from __future__ import annotations

import os

from binwright_optimizer.stopping import Stop

UNITS_PER_SECOND = 1e6
"""Units of work in what stands for a second."""


class Work:
    """Work done so far.

    Parameters
    ----------
    deadline
        Where counted work stands for time: the stop that knows the real time, which work may overrun.
        None where work is only counted.
    """

    def __init__(self, deadline: Stop | None = None) -> None:
        self.deadline = deadline
        self.units = 0.0

    @property
    def is_clock(self) -> bool:
        """Whether decisions depend on counted work rather than on time."""
        return self.deadline is not None

    @property
    def allows_threads(self) -> bool:
        """Whether a second thread may help: with a processor for it, and no count that it would disturb."""
        return not self.is_clock and (os.cpu_count() or 1) >= 2

    def add(self, units: float) -> None:
        """Count some work; by the thread of the search only."""
        self.units += units


class WorkLimit:
    """A stop whose clock is counted work; the deadline beside it ends it, too.

    Parameters
    ----------
    work
        Counted as a clock.
    most
        Units after which the search must end.
    """

    def __init__(self, work: Work, most: int) -> None:
        assert work.deadline is not None, "without a deadline work is no clock"
        self._deadline = work.deadline
        self._work = work
        self._most = most

    def is_cancelled(self) -> bool:
        """Whether the caller gave up."""
        return self._deadline.is_cancelled()

    def remaining_s(self) -> float:
        """Units left, a million of which stand for a second; 0 once the deadline has passed."""
        if self._deadline.remaining_s() <= 0:
            return 0.0
        return (self._most - self._work.units) / UNITS_PER_SECOND

    def elapsed_s(self) -> float:
        """Units since the solve began, as seconds."""
        return self._work.units / UNITS_PER_SECOND

"""When to dive while the relaxation is being solved: for a share of the time, and when it promises much.

Three things call for a dive: that dives have had less than their share; that the relaxation has fallen far
below what the last dive began with, and hardly falls any more; and that there is time for just one more.
"""

from __future__ import annotations

import math

from binwright_optimizer.columns.master import Solution

FIRST_S = 0.03
"""Seconds of a search before its first dive."""
DIVE_SHARE = 0.2
"""Share of the time before convergence that dives may take."""
RELAXED_DIVE_SHARE = 0.1
"""The same where the master begins with relaxed columns: without them it is solved anew for each dive, and is
far off until it has patterns in their stead."""
LEAST_SHARE = 0.2
"""Share of that which the shortest dive counts for."""
SETTLED_SHARE, FALLEN_SHARE = 0.12, 0.5
"""Shares of the incumbent's distance to the relaxation: by how much less a round may lower the relaxation for
it to be settled, and how much lower it has to be than at the last dive for another one to be due then."""
LAST_FALLEN_SHARE = 0.2
"""The same for the last dive that there is time for."""
LAST_TIMES = 1.3
"""How many times as long as the dive and the round before it that one and another round may take."""


class DivesDue:
    """The dives over one relaxation.

    Parameters
    ----------
    is_relaxed
        Whether the master begins with relaxed columns.
    """

    def __init__(self, *, is_relaxed: bool) -> None:
        self._share = RELAXED_DIVE_SHARE if is_relaxed else DIVE_SHARE
        self._dived_s = 0.0
        self._last_s = 0.0
        self._dived: Solution | None = None

    def is_due(
        self,
        before: Solution | None,
        solution: Solution | None,
        incumbent: float,
        *,
        elapsed_s: float,
        remaining_s: float,
        round_s: float,
    ) -> bool:
        """Whether to dive now.

        Parameters
        ----------
        before, solution
            Of the master, before the last round and after it.
        incumbent
            Dollars of the best answer; infinite if it is not one.
        elapsed_s, remaining_s, round_s
            Of the search, and what the last round took.
        """
        if elapsed_s >= FIRST_S + self._dived_s / self._share:
            return True
        if before is None or solution is None or before.relaxed or solution.relaxed or incumbent == math.inf:
            return False
        above, fallen = incumbent - solution.objective, self._fallen(solution)
        if before.objective - solution.objective <= SETTLED_SHARE * above and fallen >= FALLEN_SHARE * above:
            return True
        is_last = remaining_s < LAST_TIMES * (self._last_s + round_s)
        return is_last and fallen >= LAST_FALLEN_SHARE * above

    def note(self, solution: Solution | None, seconds: float, elapsed_s: float) -> None:
        """Take in a dive: the master's solution then, how long it took, and how long the search."""
        self._dived = solution
        self._last_s = seconds
        self._dived_s += max(seconds, LEAST_SHARE * DIVE_SHARE * elapsed_s)

    def _fallen(self, solution: Solution) -> float:
        """Dollars by which the master is cheaper than at the last dive; infinite where they do not compare.

        Without exchanges a master is dearer than with them, and far nearer to whole nodes.
        """
        if self._dived is None or (solution.is_whole and not self._dived.is_whole):
            return math.inf
        return self._dived.objective - solution.objective

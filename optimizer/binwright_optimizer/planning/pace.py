"""Whether another round fits before a deadline, judged by how long those before it took."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Pace:
    """The time of a plan.

    A round asks what it asks with a fixed amount of work, so it cannot be cut short without making the answer
    depend on the machine. So a round begins only if one as long as the longest before it would end in time,
    and after it the closing: the whole commitments, the recombinations and the exact proof.

    Parameters
    ----------
    seconds
        Time from now.

    Examples
    --------
    Ten seconds, rounds of four: the third would end late.

    >>> times = iter((0.0, 0.0, 4.0, 8.0))
    >>> pace = Pace(10.0, lambda: next(times))
    >>> [pace.another() for _ in range(3)]
    [True, True, False]
    >>> pace.has_stopped
    True
    """

    def __init__(self, seconds: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self.closing_s = 0.0
        self.has_stopped = False
        self._ends_at = clock() + seconds
        self._began_at: float | None = None
        self._longest_s = 0.0

    def is_over(self) -> bool:
        """Whether only the closing fits now: what a round can do without is left out of it."""
        is_over = self.now() + self.closing_s >= self._ends_at
        self.has_stopped |= is_over
        return is_over

    def part(self, share: float) -> Pace:
        """A share of the time that is left before the closing."""
        now = self.now()
        left_s = self._ends_at - self.closing_s - now
        return Pace(max(0.0, share * left_s), self.now)

    def another(self) -> bool:
        """Whether a further round may begin now, the one before having ended."""
        now = self.now()
        if self._began_at is not None:
            self._longest_s = max(self._longest_s, now - self._began_at)
        self._began_at = now
        fits = now + self._longest_s + self.closing_s < self._ends_at
        # Rounds that end by themselves ask for no other.
        self.has_stopped |= not fits
        return fits

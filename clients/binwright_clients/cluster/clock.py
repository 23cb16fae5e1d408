"""The API server's clock, which stamps objects; ours may be another's.

How long a NodeClaim has been there is the difference between the two: with a clock minutes ahead every claim
would look as if it had come to nothing, and more would be bought for its pods with every look.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

ALIKE_S = 5.0
"""Clocks that differ by less are taken as one: ``Date`` has whole seconds, and answers take their time."""


class ServerClock:
    """Follows the ``Date`` of answers; used from any thread."""

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self.ahead_s = 0.0
        """How far our clock is ahead; 0 as long as the two are alike."""

    def heard(self, date: str) -> None:
        """Take the ``Date`` of an answer that has just come; what is none changes nothing.

        Examples
        --------
        >>> clock = ServerClock(lambda: 3_660.0)
        >>> clock.heard("Thu, 01 Jan 1970 00:01:00 GMT")
        >>> clock.ahead_s, clock.now_s()
        (3600.0, 60.0)
        """
        try:
            ahead_s = self._wall_clock() - parsedate_to_datetime(date).timestamp()
        except (TypeError, ValueError):
            return
        if abs(ahead_s - self.ahead_s) >= ALIKE_S:
            self.ahead_s = ahead_s if abs(ahead_s) >= ALIKE_S else 0.0

    def now_s(self) -> float:
        """Seconds since the epoch, as the API server counts them."""
        return self._wall_clock() - self.ahead_s

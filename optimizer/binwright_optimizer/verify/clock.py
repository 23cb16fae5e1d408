"""When a proof by whole nodes ends: at a time, or once a caller gives up."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """A time until which something may take, and whether a caller still waits for it.

    Parameters
    ----------
    until
        Monotonic seconds.
    poll
        True once it should end; it may raise as well.
    """

    def __init__(self, until: float, poll: Callable[[], object] = lambda: None) -> None:
        self._until = until
        self._poll = poll

    def remaining_s(self) -> float:
        """Seconds left; 0 once it should end."""
        return 0.0 if self._poll() else max(0.0, self._until - time.monotonic())

    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.remaining_s() <= 0.0

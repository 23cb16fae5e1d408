"""When to stop: deadline and cancellation, asked by every stage of the search."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol


class Stop(Protocol):
    """What a search stage needs to know about time."""

    def is_cancelled(self) -> bool:
        """Whether the caller gave up."""
        ...

    def remaining_s(self) -> float:
        """Seconds left; not positive once the search must end."""
        ...

    def elapsed_s(self) -> float:
        """Seconds since the solve began."""
        ...


class Deadline:
    """Stop at a time, or when ``cancel`` is set.

    Parameters
    ----------
    seconds
        Time from now.
    cancel
        Set from any thread to end the search at the next check.
    clock
        Monotonic seconds; injected so that tests need not sleep.
    """

    def __init__(
        self,
        seconds: float,
        cancel: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._start = clock()
        self._end = self._start + seconds
        self._cancel = cancel or threading.Event()

    def is_cancelled(self) -> bool:
        """Whether ``cancel`` was set."""
        return self._cancel.is_set()

    def remaining_s(self) -> float:
        """Seconds left, 0 once cancelled."""
        return 0.0 if self._cancel.is_set() else self._end - self._clock()

    def elapsed_s(self) -> float:
        """Seconds since construction."""
        return self._clock() - self._start


class Reserved:
    """Another stop that ends ``reserve_s`` earlier, to leave time for what comes after a search."""

    def __init__(self, stop: Stop, reserve_s: float) -> None:
        self._stop = stop
        self._reserve_s = reserve_s

    def is_cancelled(self) -> bool:
        """Whether the caller gave up."""
        return self._stop.is_cancelled()

    def remaining_s(self) -> float:
        """Seconds left to the search."""
        return self._stop.remaining_s() - self._reserve_s

    def elapsed_s(self) -> float:
        """Seconds since the solve began."""
        return self._stop.elapsed_s()

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

    @classmethod
    def within(cls, stop: Stop, seconds: float) -> Reserved:
        """The stop that ends after ``seconds``, or when ``stop`` ends if that is sooner."""
        return cls(stop, max(0.0, stop.remaining_s() - seconds))

    def is_cancelled(self) -> bool:
        """Whether the caller gave up."""
        return self._stop.is_cancelled()

    def remaining_s(self) -> float:
        """Seconds left to the search."""
        return self._stop.remaining_s() - self._reserve_s

    def elapsed_s(self) -> float:
        """Seconds since the solve began."""
        return self._stop.elapsed_s()


class Keeping:
    """Another stop that ends earlier by what ``kept_s`` says at the time, in seconds."""

    def __init__(self, stop: Stop, kept_s: Callable[[], float]) -> None:
        self._stop = stop
        self._kept_s = kept_s

    def is_cancelled(self) -> bool:
        """Whether the caller gave up."""
        return self._stop.is_cancelled()

    def remaining_s(self) -> float:
        """Seconds left to the search."""
        return self._stop.remaining_s() - self._kept_s()

    def elapsed_s(self) -> float:
        """Seconds since the solve began."""
        return self._stop.elapsed_s()


class Halt:
    """A flag in memory that compiled code polls, raised when a stop comes due.

    Compiled kernels and solver callbacks cannot ask a `Stop`; a watching thread asks for them.

    Parameters
    ----------
    period_s
        Seconds between looks: how late the flag may be.

    Attributes
    ----------
    flag, abandoned
        Raised when the stop comes due; when it is one that abandons the solve, so that no answer is needed.
    """

    def __init__(self, stop: Stop, period_s: float = 0.01) -> None:
        self.flag = bytearray(1)
        self.abandoned = bytearray(1)
        self._stop = stop
        self._period_s = period_s
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Start watching, once; cheap solves end before they need it."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="binwright-halt", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._is_over.wait(self._period_s):
            try:
                is_due = self._stop.remaining_s() <= 0
            except BaseException:  # a stop may raise to abandon the solve; it will raise there, too
                is_due = True
                self.abandoned[0] = 1
            if is_due:
                self.flag[0] = 1
                return

    def close(self) -> None:
        """Stop watching."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

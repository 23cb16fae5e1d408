"""Tells of an outage twice, when it begins and when it is over, however often somebody tries meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Outage:
    """What several parts of a program cannot reach, told as one outage; used from any thread.

    Parameters
    ----------
    begins
        Takes the first error of an outage, and an error of another kind that takes its place.
    ends
        Takes its length in seconds once every part is well again.
    """

    def __init__(
        self,
        begins: Callable[[Exception], None],
        ends: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._begins, self._ends = begins, ends
        self._clock = clock
        self._lock = threading.Lock()
        self._failing: set[str] = set()
        self._told: type[Exception] | None = None
        self._since_s = 0.0

    def failed(self, part: str, error: Exception) -> None:
        """A part has failed, once more perhaps."""
        with self._lock:
            if not self._failing:
                self._since_s = self._clock()
            self._failing.add(part)
            if self._told is type(error):
                return
            self._told = type(error)
        self._begins(error)

    def lasts_s(self) -> float:
        """How long the outage has lasted; 0 while all parts are well."""
        with self._lock:
            return self._clock() - self._since_s if self._failing else 0.0

    def well(self, part: str) -> None:
        """A part works."""
        with self._lock:
            self._failing.discard(part)
            if self._failing or self._told is None:
                return
            self._told = None
            length_s = self._clock() - self._since_s
        self._ends(length_s)

"""Progress of a plan on standard error: a bar with the time left, or a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

FIRST_LINE_S, LINE_EVERY_S = 5.0, 30.0
"""When lines come where there is no terminal."""

OnProgress = Callable[[int, int], None]


@contextmanager
def plan_progress(console: Console, *, quiet: bool, what: str = "node mixes") -> Iterator[OnProgress]:
    """A function to tell how many of how many problems, or ``what`` is done, are solved."""
    if quiet:
        yield lambda _done, _total: None
    elif console.is_terminal:
        with Progress(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
            transient=True,
        ) as progress:
            task = progress.add_task("", total=None)
            yield lambda done, total: progress.update(task, completed=done, total=total)
    else:
        yield _Lines(console, what).note


class _Lines:
    """A line every half minute, with the time left at the pace so far."""

    def __init__(self, console: Console, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._what = what
        self._clock = clock
        self._began = clock()
        self._first: tuple[float, int] | None = None
        self._next_s = FIRST_LINE_S

    def note(self, done: int, total: int) -> None:
        """Print if the last line is long enough ago."""
        elapsed_s = self._clock() - self._began
        if self._first is None and done:
            self._first = elapsed_s, done  # what came before was learning, which does not come again
        if self._first is None or elapsed_s < self._next_s or done == self._first[1]:
            return
        self._next_s = elapsed_s + LINE_EVERY_S
        pace = (elapsed_s - self._first[0]) / (done - self._first[1])
        left_s = pace * (total - done)
        self._console.print(
            f"{elapsed_s:6.0f} s  {done:,} of {total:,} {self._what}, some {left_s:,.0f} s left", markup=False
        )

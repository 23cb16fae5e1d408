"""Progress of a solve on standard error: live in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from binwright.v1 import decision_pb2
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.render.text import counted, dollars, percent, printable

FIRST_LINE_AFTER_S = 1.0
"""Solves shorter than this print no progress where there is no terminal."""
LONGEST_SILENCE_S = 30.0
"""Lines come after 1, 2, 4, 8, 16 and then every so many seconds: early news matters more."""


class ProgressDisplay:
    """Keeps the latest step and shows nothing: what ``--quiet`` asks for."""

    def __init__(self) -> None:
        self._latest = decision_pb2.Progress(phase="starting")

    @property
    def latest(self) -> str:
        """The latest step in words."""
        return describe(self._latest)

    def update(self, progress: decision_pb2.Progress) -> None:
        """Take note of a step; called from the solver's thread."""
        latest = decision_pb2.Progress()
        latest.CopyFrom(progress)
        self._latest = latest

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


class PlainProgress(ProgressDisplay):
    """One line now and then, for logs."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._console = console
        self._clock = clock
        self._start = clock()
        self._next_s = FIRST_LINE_AFTER_S
        self._printed = ""

    def update(self, progress: decision_pb2.Progress) -> None:
        """Print the step if the last line is long enough ago."""
        super().update(progress)
        elapsed_s = self._clock() - self._start
        if elapsed_s < self._next_s:
            return
        while self._next_s <= elapsed_s:
            self._next_s += min(self._next_s, LONGEST_SILENCE_S)
        self._print(elapsed_s)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Where lines were printed, the last one says where it ended."""
        if self._printed and self._printed != self.latest and error is None:
            self._print(self._clock() - self._start)

    def _print(self, elapsed_s: float) -> None:
        self._printed = self.latest
        self._console.print(f"{elapsed_s:6.1f} s  {self._printed}", markup=False)


class LiveProgress(ProgressDisplay):
    """A spinner line that redraws itself and vanishes at the end."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._start = time.monotonic()
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(
            console=console, get_renderable=self._view, transient=True, refresh_per_second=8, screen=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def _view(self) -> Table:
        grid = Table.grid(padding=(0, 1, 0, 0))
        elapsed_s = time.monotonic() - self._start
        grid.add_row(self._spinner, Text(f"{elapsed_s:5.1f} s", style="bold"), Text(self.latest))
        return grid


def progress_display(console: Console, *, quiet: bool) -> ProgressDisplay:
    """The display that suits standard error."""
    if quiet:
        return ProgressDisplay()
    return LiveProgress(console) if console.is_terminal else PlainProgress(console)


def describe(progress: decision_pb2.Progress) -> str:
    """A step in words: phase, cost, bound, gap and nodes, as far as known.

    Examples
    --------
    >>> step = decision_pb2.Progress(phase="columns", hourly_cost_usd=1.5, lower_bound_usd=1.2)
    >>> step.gap, step.nodes = 0.2, 2
    >>> describe(step)
    'columns  $1.5000/h  bound $1.2000/h  gap 20 %  2 nodes'
    """
    parts = [printable(progress.phase) or "solving"]
    if progress.HasField("hourly_cost_usd"):
        parts.append(f"${dollars(round(progress.hourly_cost_usd * 1e6))}/h")
    if progress.lower_bound_usd > 0:
        parts.append(f"bound ${dollars(round(progress.lower_bound_usd * 1e6))}/h")
    if progress.HasField("gap") and progress.lower_bound_usd > 0:
        parts.append(f"gap {percent(progress.gap)}")
    if progress.nodes:
        parts.append(counted(progress.nodes, "node"))
    return "  ".join(parts)

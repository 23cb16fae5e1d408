"""What all engines have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.planning.tasks import Task

Check = Callable[[], None]
"""Called several times a second while work goes on; raises to give up."""

MOST_LOSSES = 3
"""Workers that may be lost over one task before it is taken to be what kills them."""


class EngineError(PlanningError):
    """Tasks cannot be done: workers are lost again and again, or cannot be reached."""


class Engine(Protocol):
    """Does tasks; a context manager."""

    def run(self, tasks: Sequence[Task], check: Check) -> Iterator[tuple[int, dict[str, Any]]]:
        """Index and result of each task as it ends, in any order; what a task raises is raised.

        A task whose worker is lost is done again by another.

        Raises
        ------
        EngineError
            If the engine fails for good.
        """
        ...

    def close(self) -> None:
        """End the workers that are this engine's own."""
        ...

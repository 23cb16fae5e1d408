"""Tasks in this process, or in processes of this machine that are started anew, never forked."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from binwright_optimizer.planning.engine.engine import MOST_LOSSES, Check, EngineError
from binwright_optimizer.planning.tasks import Task

POLL_S = 0.2
"""Seconds between two checks whether the caller gives up."""
AHEAD = 2
"""Tasks handed to the pool for each worker: one to do and one to go on with at once."""


class LocalEngine:
    """Processes of this machine.

    Parameters
    ----------
    workers
        Number of processes; with one, tasks are done in this process.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they do."""
        pool, self._pool = self._pool, None
        if pool is not None:
            for process in list(pool._processes.values()):  # shutdown would wait for tasks under way
                process.terminate()
            pool.shutdown(wait=True, cancel_futures=True)

    def run(self, tasks: Sequence[Task], check: Check) -> Iterator[tuple[int, dict[str, Any]]]:
        """Index and result of each task as it ends; see `Engine.run`."""
        if self._workers == 1 or len(tasks) == 1:
            for at, task in enumerate(tasks):
                check()
                yield at, task.run()
            return
        yield from self._spread(tasks, check)

    def _spread(self, tasks: Sequence[Task], check: Check) -> Iterator[tuple[int, dict[str, Any]]]:
        todo = list(range(len(tasks)))[::-1]
        losses: Counter[int] = Counter()
        running: dict[Future[dict[str, Any]], int] = {}
        while todo or running:
            check()
            try:
                while todo and len(running) < AHEAD * self._workers:
                    running[self._started().submit(_do, tasks[todo[-1]])] = todo[-1]
                    todo.pop()
                ended, _ = wait(running, timeout=POLL_S, return_when=FIRST_COMPLETED)
                for future in ended:
                    at = running[future]
                    result = future.result()
                    del running[future]
                    yield at, result
            except BrokenProcessPool as error:
                # One worker died, and with it the pool; what was under way is done again by new ones.
                lost = sorted(running.values())
                losses.update(lost)
                if any(losses[at] > MOST_LOSSES for at in lost):
                    raise EngineError(
                        f"workers ended {MOST_LOSSES + 1} times over the same task: out of memory?"
                    ) from error
                todo.extend(reversed(lost))
                running.clear()
                self.close()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._workers, context, _end_with_parent)
        return self._pool


def _do(task: Task) -> dict[str, Any]:
    return task.run()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    assert parent is not None, "workers are started by the engine"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="binwright-parent", daemon=True).start()

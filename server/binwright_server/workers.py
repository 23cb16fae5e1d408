"""Threads that solve, with a bounded queue before them.

The solver's kernels release the interpreter lock, so that threads use all cores; processes
would not get along with gRPC, which must never be forked.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from binwright_server.errors import BusyError

T = TypeVar("T")


class Workers:
    """Runs jobs in threads; refuses more than it can queue.

    Parameters
    ----------
    threads
        Jobs that run at the same time.
    max_queue
        Jobs that may wait beside those.
    name
        Of the threads.
    """

    def __init__(self, threads: int, max_queue: int, name: str = "solve") -> None:
        self._threads = threads
        self._max_queue = max_queue
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._pending = 0
        self._running = 0

    @property
    def running(self) -> int:
        """Jobs that run now, those abandoned but not yet ended included."""
        return self._running

    @property
    def waiting(self) -> int:
        """Jobs that wait for a thread."""
        return max(0, self._pending - self._running)

    async def run(self, job: Callable[[threading.Event], T]) -> T:
        """What ``job`` returns, run in a thread.

        The job gets an event that is set once nobody waits for it any more, because the
        awaiting task was cancelled; it should then end soon. If it has not begun, it never will.

        Raises
        ------
        BusyError
            If all threads are taken and the queue is full.
        """
        cancel = threading.Event()
        future = self._submit(job, cancel)
        try:
            return await asyncio.wrap_future(future)
        finally:
            cancel.set()

    def _submit(self, job: Callable[[threading.Event], T], cancel: threading.Event) -> Future[T]:
        with self._lock:
            if self._pending >= self._threads + self._max_queue:
                raise BusyError(
                    f"all {self._threads} worker(s) are taken and {self._max_queue} request(s) wait already"
                )
            self._pending += 1

        def run() -> T:
            with self._lock:
                self._running += 1
            try:
                return job(cancel)
            finally:
                with self._lock:
                    self._running -= 1

        try:
            future = self._executor.submit(run)
        except BaseException:
            self._end(None)
            raise
        future.add_done_callback(self._end)
        return future

    def _end(self, _: Future[T] | None) -> None:
        with self._lock:
            self._pending -= 1

    def shut_down(self) -> None:
        """Drop what waits and wait for what runs."""
        self._executor.shutdown(wait=True, cancel_futures=True)

"""Writes events beside the rounds: NodeClaims do not wait for thousands of events about their pods."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from binwright_clients.cluster.api import ClusterApi, Json
from binwright_clients.cluster.errors import ClusterError

MOST_WAITING = 20_000
"""Events that wait to be written; beyond that they are dropped, as they are a courtesy."""

LAST_WRITES_S = 5.0
"""How long what is left is still written when all ends."""


class EventWriter:
    """Creates events in the order they come, in a thread of its own.

    Parameters
    ----------
    failed
        Takes what went wrong: the first of several failures in a row.
    """

    def __init__(self, api: ClusterApi, failed: Callable[[str], None], most: int = MOST_WAITING) -> None:
        self._api = api
        self._failed = failed
        self._waiting: queue.Queue[Json | None] = queue.Queue(most)
        self._is_failing = self._is_full = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def write(self, event: Json) -> None:
        """Have an event written; returns at once."""
        try:
            self._waiting.put_nowait(event)
            self._is_full = False
        except queue.Full:
            if not self._is_full:
                self._failed(f"events are dropped: {self._waiting.maxsize} wait to be written")
            self._is_full = True

    def stop(self) -> None:
        """Write what waits, for `LAST_WRITES_S` at most, and end."""
        try:
            self._waiting.put(None, timeout=LAST_WRITES_S)
        except queue.Full:
            return
        self._thread.join(timeout=LAST_WRITES_S)

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._api.create(f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)
                self._is_failing = False
            except ClusterError as error:
                if not self._is_failing:
                    self._failed(f"an event was not written: {error}")
                self._is_failing = True

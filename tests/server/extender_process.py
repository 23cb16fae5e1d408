"""``binwright extender`` as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from extender_harness import Webhook

COMMAND = [sys.executable, "-m", "binwright_clients.cli.main", "extender"]


class Extender:
    """The process, and what it says."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "--address", "127.0.0.1:0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            pytest.fail(f"the extender did not start: {self.process.communicate()[1]}")
        self.url = line.split()[-1]
        self.webhook = Webhook(int(self.url.rpartition(":")[2]))

    def stop(self) -> tuple[int, str]:
        """Exit code and log after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        _, log = self.process.communicate(timeout=30)
        return self.process.returncode, log


Start = Callable[..., Extender]
"""Starts an extender with options of the command line."""


@contextmanager
def extenders() -> Iterator[Start]:
    """Processes that end with the test, however it ends."""
    running: list[Extender] = []

    def begin(*options: str) -> Extender:
        running.append(Extender(*options))
        return running[-1]

    try:
        yield begin
    finally:
        for extender in running:
            with extender.process as process:
                process.kill()


def eventually(condition: Callable[[], bool], within_s: float = 15) -> None:
    """Wait until it is so."""
    ends_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_at, "did not happen in time"
        time.sleep(0.05)

"""Real programs as child processes: started on free ports, logged, and stopped in the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

START_LIMIT_S = 90.0
STOP_LIMIT_S = 20.0


class NotReadyError(Exception):
    """A program ended, or did not answer in time; the message ends with its last lines."""


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on; held together, so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def listens(address: str) -> bool:
    """Whether something accepts connections at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


class Process:
    """A child with its log, in a process group of its own."""

    def __init__(self, program: Path, arguments: Sequence[str], log: Path, **environment: str) -> None:
        self.name = program.name
        self.log = log
        self._out: IO[bytes] = log.open("wb")
        self._child = subprocess.Popen(
            [str(program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
            start_new_session=True,
        )

    def wait_until(self, is_ready: Callable[[], bool], what: str, limit_s: float = START_LIMIT_S) -> None:
        """Wait for it to be ready; raises NotReadyError if it ends or takes too long."""
        deadline = time.monotonic() + limit_s
        while not is_ready():
            if self._child.poll() is not None:
                raise NotReadyError(f"{self.name} ended with {self._child.returncode}\n{self.tail()}")
            if time.monotonic() > deadline:
                raise NotReadyError(f"{self.name}: {what} not within {limit_s:g} s\n{self.tail()}")
            time.sleep(0.2)

    def stop(self) -> None:
        """End it, politely first."""
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGTERM)
            try:
                self._child.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._child.pid, signal.SIGKILL)
                self._child.wait()
        self._out.close()

    def kill(self) -> None:
        """End it as a crash would."""
        os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()

    def tail(self, lines: int = 15) -> str:
        """Last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def logged(self, text: str) -> list[str]:
        """Lines of its log that contain the text."""
        return [line for line in self.log.read_text(errors="replace").splitlines() if text in line]

"""A real server in a process of its own, on a free port, for as long as a block lasts."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from binwright_clients.client import Client
from binwright_clients.rpc_errors import RpcError

START_S = 120.0
"""Time to announce itself: a first start compiles kernels, which takes most of a minute."""

HEALTH_S = 10.0
STOP_S = 20.0


class ServerProcessError(Exception):
    """The server did not start, did not serve, or did not stop as it should; with what it said."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """Address and process id of a server that reports SERVING."""

    address: str
    process_id: int


@contextmanager
def running_server() -> Iterator[RunningServer]:
    """``binwright serve`` on a free port of the loopback interface; stopped by SIGTERM at the end.

    Raises
    ------
    ServerProcessError
        If it does not start, does not report that it serves, or does not end with exit code 0.
    """
    command = [sys.executable, "-m", "binwright_clients.cli.main", "serve", "--address", "127.0.0.1:0"]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            address = _announced_address(process, log)
            _check_health(address, log)
            yield RunningServer(address, process.pid)
            _stop(process, log)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()


def _announced_address(process: subprocess.Popen[str], log: IO[str]) -> str:
    """The address that the server prints once it is ready."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    assert process.stdout is not None, "the server's output is piped"
    read_line = process.stdout.readline
    threading.Thread(target=lambda: lines.put(read_line()), daemon=True).start()
    try:
        line = lines.get(timeout=START_S)
    except queue.Empty:
        raise ServerProcessError(f"the server did not start within {START_S:g} s{_said(log)}") from None
    if not line:
        raise ServerProcessError(f"the server ended with code {process.wait(STOP_S)}{_said(log)}")
    return line.split()[-1]


def _check_health(address: str, log: IO[str]) -> None:
    with Client(address, timeout=HEALTH_S) as client:
        try:
            is_serving = client.is_serving()
        except RpcError as error:
            raise ServerProcessError(f"the server cannot be asked for its health: {error}") from error
    if not is_serving:
        raise ServerProcessError(f"the server on {address} does not serve{_said(log)}")


def _stop(process: subprocess.Popen[str], log: IO[str]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        code = process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        raise ServerProcessError(f"the server did not stop within {STOP_S:g} s{_said(log)}") from None
    if code != 0:
        raise ServerProcessError(f"the server stopped with exit code {code}{_said(log)}")


def _said(log: IO[str]) -> str:
    """The end of the server's log, to be put behind a message."""
    log.seek(0)
    text = log.read().strip()
    return f"; it said:\n{text[-2000:]}" if text else ""

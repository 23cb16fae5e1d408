"""A lane's process: started, watched over, and started again should it end."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import grpc
import structlog

from binwright_server.config import ServerConfig
from binwright_server.errors import LaneError

READY = "ready"
"""What a lane says on standard output once it serves."""

START_S = 300.0
"""Time to start: the first start on a machine compiles kernels, which takes most of a minute."""

REST_S = 1.0
"""Rest before a lane that ended is started again."""

STOP_S = 5.0
"""Time to end by itself once its input has ended."""

_log = structlog.get_logger(__name__)


class Lane:
    """One lane and the channel to it; to be made in the running loop.

    Parameters
    ----------
    name
        ``batch`` or ``online``.
    config
        The front's; the lane listens elsewhere and asks for no credentials.
    """

    def __init__(self, name: str, config: ServerConfig) -> None:
        self.name = name
        # The directory is readable by this user only, and so is the socket in it.
        self._directory = tempfile.TemporaryDirectory(prefix="binwright-")
        self._config = replace(
            config,
            address=f"unix:{Path(self._directory.name) / name}",
            metrics_address="",
            tls_cert="",
            tls_key="",
            tls_client_ca="",
            token_file="",
        )
        options = (
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_reconnect_backoff_ms", 500),
        )
        self.channel = grpc.aio.insecure_channel(self._config.address, options=options)
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and wait until it serves; from then on it is kept running.

        Raises
        ------
        LaneError
            If it does not start.
        """
        await self._start_process()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """End it; calls under way end with it."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait((self._keeper,))
        await self.channel.close()
        process = self._process
        if process is not None and process.returncode is None:
            assert process.stdin is not None, "its input is a pipe"
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        self._directory.cleanup()

    async def _start_process(self) -> None:
        command = (sys.executable, "-m", "binwright_server.lanes.child")
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in a terminal is for the front, which ends its lanes in order
        )
        self._process = process
        assert process.stdin is not None, "its input is a pipe"
        assert process.stdout is not None, "its output is a pipe"
        settings = json.dumps({"lane": self.name, **asdict(self._config)})
        process.stdin.write(settings.encode() + b"\n")
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_S)
        except TimeoutError:
            process.kill()
            raise LaneError(f"the {self.name} lane did not start within {START_S:g} s") from None
        if line.decode().strip() != READY:
            code = await process.wait()
            raise LaneError(f"the {self.name} lane ended with code {code} before it served")

    async def _keep(self) -> None:
        while True:
            assert self._process is not None, "it was started"
            code = await self._process.wait()
            _log.error("a lane ended and is started again", lane=self.name, code=code)
            await asyncio.sleep(REST_S)
            try:
                await self._start_process()
                _log.info("a lane serves again", lane=self.name)
            except LaneError as error:
                _log.error("a lane cannot be started", lane=self.name, reason=str(error))

"""The program of a lane: ``python -m binwright_server.lanes.child``, started by the front.

The configuration comes as one line of JSON on standard input; when that ends, because the front did, the
lane ends, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import json
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import structlog
from binwright_optimizer.memory import Memory
from binwright_optimizer.solve import solve

from binwright_server.config import ServerConfig
from binwright_server.lanes.process import READY
from binwright_server.observe import configure_logging
from binwright_server.serve import Server
from binwright_server.warmup import warm_up

BATCH_NICENESS = 10
"""Batch solves leave the processor to whoever has to answer now. At 5 they held up callers of the extender:
p99 25 ms at 200 pods a second beside a batch; 8 ms at 10, and no better at 19 (two cores)."""


AUTOGROUP = Path("/proc/self/autogroup")
"""The niceness of this session among others, where Linux keeps one."""


async def serve_lane(config: ServerConfig) -> None:
    """Serve until standard input ends."""
    server = Server(config, functools.partial(solve, memory=Memory()), warm_up)
    server.add_internal_service()
    await server.start()
    gc.collect()
    gc.freeze()
    sys.stdout.write(READY + "\n")
    sys.stdout.flush()
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads on; a library that prints must not block
    await asyncio.to_thread(sys.stdin.read)
    # The front has let its calls end and nothing here outlives it. A close in good order would wait for
    # abandoned solves, and take leave of a connection that is no longer read, which gRPC complains about.
    os._exit(0)


def _step_back(niceness: int) -> None:
    """Let the session as a whole step back behind others.

    Linux on desktops and on hosts without cgroups shares processors between sessions first, and a lane is a
    session of its own: its niceness would count among its own threads only (sched(7), autogroup).
    """
    with contextlib.suppress(OSError):  # another system, or one that schedules without sessions
        AUTOGROUP.write_text(f"{niceness}")


def main() -> None:
    """Read the configuration and serve."""
    settings: dict[str, Any] = json.loads(sys.stdin.readline())
    lane = settings.pop("lane")
    known = {field.name for field in fields(ServerConfig)}
    assert settings.keys() <= known, "the front sends settings only"
    config = ServerConfig(**settings)
    configure_logging(config.log_format, config.log_level)
    structlog.contextvars.bind_contextvars(lane=lane)
    if lane == "batch":
        _step_back(os.nice(BATCH_NICENESS))
    asyncio.run(serve_lane(config))


if __name__ == "__main__":
    main()

"""Keeps callers from waiting for a server that is away, or that holds no cluster.

kube-scheduler asks for one pod after the other: were each question to wait out its budget, an outage would
slow scheduling down to one pod in two budgets. After the first that has waited in vain, questions fail at
once until the server has answered a probe.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc

PROBE_S = 5.0
"""Longest time for one probe."""

PAUSE_S = 0.2
"""Between two probes."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a breaker opens for.

    Parameters
    ----------
    codes
        Answers that say so.
    begins, ends
        What the log says.
    """

    codes: frozenset[grpc.StatusCode]
    begins: str
    ends: str


AWAY = Trouble(
    frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}),
    "the server is away; questions fail at once until it answers",
    "the server answers again",
)
"""No server, or one that does not answer; whatever else it says, it is there."""

STATELESS = Trouble(
    frozenset({grpc.StatusCode.FAILED_PRECONDITION}),
    "the server holds no cluster; questions about it fail at once until somebody sends it one",
    "the server holds the cluster again",
)
"""It is there and cannot know; questions that bring their nodes along are none of this."""


class Breaker:
    """Closed while the server answers; to be made in the running loop.

    Parameters
    ----------
    probe
        Asks the server about its cluster, within so many seconds.
    """

    def __init__(self, trouble: Trouble, probe: Callable[[float], Awaitable[object]]) -> None:
        self._trouble = trouble
        self._probe = probe
        self._failure: grpc.aio.AioRpcError | None = None
        self._probing: asyncio.Task[None] | None = None

    @property
    def failure(self) -> grpc.aio.AioRpcError | None:
        """What the last question came to if there has been trouble since; None where it may be asked."""
        return self._failure

    def note(self, failure: grpc.aio.AioRpcError) -> None:
        """A question has failed for good."""
        if failure.code() not in self._trouble.codes or self._failure is not None:
            return
        self._failure = failure
        _log.warning("%s: %s", self._trouble.begins, failure.details())
        self._probing = asyncio.get_running_loop().create_task(self._until_it_answers())

    async def close(self) -> None:
        """End."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait((self._probing,))

    async def _until_it_answers(self) -> None:
        while True:
            try:
                await self._probe(PROBE_S)
            except grpc.aio.AioRpcError as error:
                # One that went away meanwhile has not come to hold a cluster.
                if error.code() not in self._trouble.codes | AWAY.codes:
                    break
            else:
                break
            await asyncio.sleep(PAUSE_S)
        self._failure = None
        _log.info("%s", self._trouble.ends)

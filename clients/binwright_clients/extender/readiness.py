"""Whether the webhook's questions would be answered: what a readiness probe is told.

Whoever answers at all is alive, and starting it anew would mend nothing; but until the cluster is listed and
the server answers, questions are better sent to another replica, or to none. Probes come without credentials:
they are told what is missing, and the log why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import grpc

from binwright_clients.extender.backend import Backend

ASK_S = 2.0
"""Longest time for the server's answer to a probe."""

UNFOLLOWED_S = 60.0
"""A picture that nobody has kept current for so long misleads: nodes that came since are refused."""

_log = logging.getLogger(__name__)


class Readiness:
    """Answers probes, of which those that come together ask the server once; to be made in the running loop.

    Parameters
    ----------
    unlisted
        Kinds of objects of the cluster that have not been listed yet; None where somebody else tells the
        server about the cluster, if anybody does: questions may bring their nodes along.
    unfollowed_s
        For how long the cluster has not been followed.
    """

    def __init__(
        self,
        backend: Backend,
        unlisted: Callable[[], Sequence[str]] | None = None,
        unfollowed_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._backend = backend
        self._unlisted = unlisted
        self._unfollowed_s = unfollowed_s
        self._asking: asyncio.Task[str] | None = None
        self._told: str | None = None

    async def missing(self) -> str:
        """What keeps questions from being answered; empty if nothing does."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._found())
        return await asyncio.shield(self._asking)

    async def close(self) -> None:
        """End."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait((self._asking,))

    async def _found(self) -> str:
        unlisted = self._unlisted() if self._unlisted is not None else ()
        if unlisted:
            return self._telling(f"the cluster's {', '.join(unlisted)} are not listed yet")
        if self._unfollowed_s() > UNFOLLOWED_S:
            return self._telling("the cluster is not followed")
        failure = await self._backend.failure(ASK_S)
        if failure is None:
            return self._telling("")
        code, why = failure.code(), failure.details() or ""
        if code is grpc.StatusCode.FAILED_PRECONDITION:
            return self._telling("the server holds no cluster yet" if self._unlisted is not None else "")
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return self._telling("the server does not answer", why)
        return self._telling(f"the server refuses to answer: {code.name}", why)

    def _telling(self, missing: str, why: str = "") -> str:
        """What is missing, logged where it was not the same before."""
        if missing != self._told:
            self._told = missing
            if missing:
                _log.warning("not ready: %s%s", missing, f": {why}" if why else "")
            else:
                _log.info("ready")
        return missing

"""Asks a Binwright server, across its restarts, within the time that kube-scheduler gives."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
from binwright.v1 import scheduling_service_pb2 as api
from binwright.v1 import scheduling_service_pb2_grpc
from binwright_server.stamps import Stamp, stamp_of

from binwright_clients.errors import InputError
from binwright_clients.extender.breaker import AWAY, STATELESS, Breaker
from binwright_clients.rpc_errors import exception_of
from binwright_clients.transport import (
    MAX_MESSAGE_BYTES,
    RetryPolicy,
    TlsOptions,
    call_metadata,
    channel_options,
    read_token,
)

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 0.5
"""Between two tries: a server needs a second to start, and kube-scheduler waits five."""

CAUSE_S = 0.2
"""Longest time to find out why a call has waited in vain; kube-scheduler waits a second beyond our budget."""

_AGAIN = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.FAILED_PRECONDITION}
)
"""No server, one that shut down with our call under way, one that waits for a snapshot: all pass, and
asking twice changes nothing."""

_log = logging.getLogger(__name__)


class TokenSource:
    """The bearer token of a file, read again when the file changes."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: Stamp = ()
        self._metadata: tuple[tuple[str, str], ...] = ()
        if path is not None:
            self._metadata = call_metadata(read_token(path))

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Metadata of a call; a file that cannot be read just now leaves the token as it was."""
        if self._path is None:
            return ()
        stamp = stamp_of(self._path)
        if stamp != self._stamp:
            try:
                self._metadata = call_metadata(read_token(self._path))
                self._stamp = stamp
            except InputError:
                self._stamp = ()
        return self._metadata


class Backend:
    """The scheduling API of a server; an asynchronous context manager, to be made in a running loop.

    Parameters
    ----------
    budget_s
        Longest time for a call with all its tries.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: TlsOptions | None = None,
        token_file: Path | None = None,
        budget_s: float = 4.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._tls = tls
        self._tls_stamp: Stamp = stamp_of(*_files(tls))
        self._channel = self._connected()
        self._stub: Any = scheduling_service_pb2_grpc.SchedulingServiceStub(self._channel)
        self._closing: set[asyncio.Task[None]] = set()
        self._token = TokenSource(token_file)
        self.budget_s = budget_s
        self._clock = clock
        self._away = Breaker(AWAY, self._probe)
        self._stateless = Breaker(STATELESS, self._probe)

    async def __aenter__(self) -> Backend:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._away.close()
        await self._stateless.close()
        await self._channel.close()
        if self._closing:
            await asyncio.wait(self._closing)

    def _connected(self) -> grpc.aio.Channel:
        """A channel with the certificates that are there now; raises OSError or InputError."""
        options = [
            *channel_options(MAX_MESSAGE_BYTES, RetryPolicy(max_attempts=1), self._tls),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.min_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        if self._tls is None:
            return grpc.aio.insecure_channel(self._address, options=options)
        return grpc.aio.secure_channel(self._address, self._tls.credentials(), options=options)

    def _method(self, name: str) -> Callable[..., Awaitable[Any]]:
        """A method of the API, over a new channel if authorities or our certificate have been replaced.

        A channel keeps the certificates that it was made with. Calls under way end on the old one.
        """
        stamp = stamp_of(*_files(self._tls))
        if stamp != self._tls_stamp:
            try:
                renewed = self._connected()
            except (OSError, InputError) as error:
                if self._tls_stamp:
                    _log.error("certificates cannot be read; those before stay: %s", error)
                self._tls_stamp = ()  # told once, and tried again with every call
            else:
                self._tls_stamp = stamp
                closing = asyncio.get_running_loop().create_task(self._channel.close(self.budget_s))
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
                self._channel = renewed
                self._stub = scheduling_service_pb2_grpc.SchedulingServiceStub(renewed)
                _log.info("certificates for the server read again")
        call: Callable[..., Awaitable[Any]] = getattr(self._stub, name)
        return call

    async def filter(self, request: api.FilterRequest) -> api.FilterResponse:
        """Which nodes may take the pod; raises RpcError or InvalidProblemError."""
        brings_nodes = bool(request.nodes)
        response: api.FilterResponse = await self._tried("Filter", request, brings_nodes=brings_nodes)
        return response

    async def rate(self, request: api.RateNodesRequest) -> api.RateNodesResponse:
        """Ratings of all nodes; raises RpcError or InvalidProblemError."""
        response: api.RateNodesResponse = await self._tried("RateNodes", request)
        return response

    async def preempt(self, request: api.PreemptRequest) -> api.PreemptResponse:
        """Which evictions are worth it; raises RpcError or InvalidProblemError."""
        response: api.PreemptResponse = await self._tried("Preempt", request)
        return response

    async def prioritize(self, request: api.PrioritizeRequest) -> api.PrioritizeResponse:
        """Scores for the pod; raises RpcError or InvalidProblemError."""
        response: api.PrioritizeResponse = await self._tried(
            "Prioritize", request, brings_nodes=bool(request.nodes)
        )
        return response

    async def update(self, request: api.UpdateClusterRequest, timeout_s: float) -> api.UpdateClusterResponse:
        """One try to tell the server what changed; raises RpcError or InvalidProblemError."""
        try:
            response: api.UpdateClusterResponse = await self._method("UpdateCluster")(
                request, timeout=timeout_s, metadata=self._token.metadata(), wait_for_ready=True
            )
        except grpc.aio.AioRpcError as error:
            raise _mapped(await self._explained(error, timeout_s)) from error
        return response

    async def no_connection(self) -> str:
        """Why there is no connection to the server: a wrong address or authority; empty if there is one.

        A call that waits for a connection is never told.
        """
        failure = await self.failure(CAUSE_S)
        if failure is not None and failure.code() is grpc.StatusCode.UNAVAILABLE:
            return failure.details() or ""
        return ""

    async def failure(self, timeout_s: float) -> grpc.aio.AioRpcError | None:
        """What a question about nothing comes to, asked once and at once; None if it is answered."""
        try:
            await self._method("RateNodes")(
                api.RateNodesRequest(), timeout=timeout_s, metadata=self._token.metadata()
            )
        except grpc.aio.AioRpcError as error:
            return error
        return None

    async def _explained(self, error: grpc.aio.AioRpcError, waited_s: float) -> grpc.aio.AioRpcError:
        """The error, with the cause where it says only that time has run out."""
        if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
            return error
        told = unanswered(waited_s, await self.no_connection())
        return grpc.aio.AioRpcError(error.code(), error.initial_metadata(), error.trailing_metadata(), told)

    async def _probe(self, seconds: float) -> None:
        request = api.RateNodesRequest()
        await self._method("RateNodes")(
            request, timeout=seconds, metadata=self._token.metadata(), wait_for_ready=True
        )

    async def _tried(self, method: str, request: object, *, brings_nodes: bool = False) -> Any:
        breakers = (self._away,) if brings_nodes else (self._away, self._stateless)
        for breaker in breakers:
            if breaker.failure is not None:
                raise _mapped(breaker.failure)
        ends_at = self._clock() + self.budget_s
        pause = FIRST_PAUSE_S
        while True:
            left = ends_at - self._clock()
            try:
                # A server that is not there is waited for; one that goes away meanwhile is tried again.
                return await self._method(method)(
                    request, timeout=max(left, 0.001), metadata=self._token.metadata(), wait_for_ready=True
                )
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AGAIN or self._clock() + pause >= ends_at:
                    told = await self._explained(error, self.budget_s)
                    for breaker in breakers:
                        breaker.note(told)
                    raise _mapped(told) from error
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)


def unanswered(waited_s: float, cause: str) -> str:
    """What to say of a call whose time has run out."""
    return f"the server has not answered within {waited_s:g} s{': ' if cause else ''}{cause}"


def _files(tls: TlsOptions | None) -> tuple[Path, ...]:
    """Files that a channel's credentials are made of."""
    files = (tls.ca_file, tls.cert_file, tls.key_file) if tls is not None else ()
    return tuple(file for file in files if file is not None)


def _mapped(error: grpc.aio.AioRpcError) -> Exception:
    said = error.details() or ""
    if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
        said += " (binwright extender --watch does that)"
    return exception_of(error.code(), said, tuple(error.trailing_metadata() or ()))

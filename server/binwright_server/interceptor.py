"""What happens around every call: errors become statuses, and each call is counted and logged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from binwright_server.errors import MalformedMessageError
from binwright_server.observe import Metrics
from binwright_server.status import status_of

OUR_SERVICES = ("/binwright.v1.", "/grpcplugin.")
"""Methods below are ours; health and reflection look after themselves."""

FREQUENT = frozenset({"Filter", "Prioritize", "RateNodes", "UpdateCluster"})
"""Methods called for every pod that is scheduled: a line each is for debugging only."""

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in the stubs only
Reader: TypeAlias = Callable[[bytes], Any]
Context = grpc.aio.ServicerContext[Any, Any]

_log = structlog.get_logger(__name__)


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of our services.

    Handlers raise domain errors and know nothing of statuses; this is the one place that turns
    an exception into a status, whatever it is, so that no exception ends the server or leaves a
    caller without an answer. Requests are decoded here, too: gRPC itself would answer bytes that are no
    message with UNKNOWN.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """The handler of the called method, wrapped if it is ours."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or not method.startswith(OUR_SERVICES):
            return handler
        name = method.rpartition("/")[2]
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                self._wrap_unary(name, handler.unary_unary, handler.request_deserializer),
                response_serializer=handler.response_serializer,
            )
        assert handler.unary_stream is not None, "our services have unary requests only"
        return grpc.unary_stream_rpc_method_handler(
            self._wrap_stream(name, handler.unary_stream, handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _wrap_unary(self, name: str, inner: Any, read: Reader | None) -> Any:
        async def wrapped(message: bytes, context: Context) -> Any:
            start = time.perf_counter()
            try:
                response = await inner(_request(message, read), context)
            except asyncio.CancelledError:
                self._record(name, grpc.StatusCode.CANCELLED, start)
                raise
            except Exception as error:
                failure = error
            else:
                self._record(name, grpc.StatusCode.OK, start)
                return response
            return await self._abort(name, failure, context, start)

        return wrapped

    def _wrap_stream(self, name: str, inner: Any, read: Reader | None) -> Any:
        async def wrapped(message: bytes, context: Context) -> AsyncIterator[Any]:
            start = time.perf_counter()
            try:
                # Closed at once when the caller goes away, not when the garbage collector comes.
                async with aclosing(inner(_request(message, read), context)) as responses:
                    async for response in responses:
                        yield response
            except (asyncio.CancelledError, GeneratorExit):
                self._record(name, grpc.StatusCode.CANCELLED, start)
                raise
            except Exception as error:
                failure = error
            else:
                self._record(name, grpc.StatusCode.OK, start)
                return
            await self._abort(name, failure, context, start)

        return wrapped

    async def _abort(self, name: str, error: Exception, context: Context, start: float) -> None:
        if isinstance(error, grpc.aio.AioRpcError):  # a lane's own answer, which is complete
            details = error.details() or ""
            self._record(name, error.code(), start, details)
            await context.abort(error.code(), details, tuple(error.trailing_metadata() or ()))
        failure = status_of(error)
        self._record(name, failure.code, start, failure.status.message)
        if failure.error_id:
            _log.error("unexpected error", method=name, error_id=failure.error_id, exc_info=error)
        await context.abort_with_status(rpc_status.to_status(failure.status))

    def _record(self, name: str, code: grpc.StatusCode, start: float, message: str = "") -> None:
        seconds = time.perf_counter() - start
        self._metrics.requests.labels(name, code.name).inc()
        self._metrics.latency_s.labels(name).observe(seconds)
        extra = {"message": message} if message else {}
        log = _log.debug if name in FREQUENT and code is grpc.StatusCode.OK else _log.info
        log("call", method=name, code=code.name, milliseconds=round(seconds * 1e3, 3), **extra)


def _request(message: bytes, read: Reader | None) -> Any:
    """The request that a message spells, or the message itself for handlers that take bytes."""
    if read is None:
        return message
    try:
        return read(message)
    except DecodeError as error:
        raise MalformedMessageError(f"the request cannot be decoded: {error}") from error

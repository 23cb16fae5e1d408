"""grpcplugin.Expander: Cluster Autoscaler asks which node group to grow."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import structlog
from binwright.vendor.autoscaler import expander_pb2

from binwright_server.answer import Solver, UntilAbandoned
from binwright_server.convert.expansion import scale_up_question
from binwright_server.errors import TooLateError
from binwright_server.expansion.choose import choose
from binwright_server.expansion.scanned import ScannedRequest
from binwright_server.workers import Workers

SOLVE_S = 0.4
"""Longest solve. Cluster Autoscaler waits 5 s in all and its main loop waits with it. 100 options over 10,000
pods reach the gap at which the solve stops in 0.03 to 0.2 s of computing; the rest is for busy machines, on
which a solve cut short has no prices to choose by."""

REPLY_S = 0.1
"""Kept back from the caller's deadline for the answer."""

Context = grpc.aio.ServicerContext[Any, Any]
Weigh = Callable[[ScannedRequest, Context], Awaitable[Any]]
"""Answers a request with a response, or with one that is serialized already."""

_log = structlog.get_logger(__name__)


SERVICE = expander_pb2.DESCRIPTOR.services_by_name["Expander"].full_name


def expander_handlers(workers: Workers, weigh: Weigh) -> grpc.GenericRpcHandler:
    """Handlers of the service.

    Requests come as bytes and are scanned in a thread before any object is made of them: parsing a
    message of 100 MB would hold up the event loop.
    """

    async def best_options(request: bytes, context: Context) -> Any:
        return await weigh(await workers.run(lambda _cancel: ScannedRequest.of(request)), context)

    def serialized(response: Any) -> bytes:
        return response if isinstance(response, bytes) else bytes(response.SerializeToString())

    handler: grpc.RpcMethodHandler[bytes, Any]
    handler = grpc.unary_unary_rpc_method_handler(best_options, response_serializer=serialized)
    return grpc.method_handlers_generic_handler(SERVICE, {"BestOptions": handler})


class ExpanderService:
    """Answers with one option, and with none only where none was sent.

    Parameters
    ----------
    workers
        Threads of its own: an autoscaler's loop must not wait behind batch solves.
    """

    def __init__(self, solver: Solver, workers: Workers) -> None:
        self._solver = solver
        self._workers = workers

    async def best_options(
        self, request: ScannedRequest, context: Context
    ) -> expander_pb2.BestOptionsResponse:
        """The option to grow, with the reason in ``debug``."""
        remaining = context.time_remaining()
        ends_at = None if remaining is None else time.monotonic() + remaining
        return await self._workers.run(lambda cancel: self._answer(request, ends_at, cancel))

    async def best_of_packed(self, request: bytes, context: Context) -> expander_pb2.BestOptionsResponse:
        """The same for a front that has scanned the request."""
        return await self.best_options(ScannedRequest.unpacked(request), context)

    def _answer(
        self, request: ScannedRequest, ends_at: float | None, cancel: threading.Event
    ) -> expander_pb2.BestOptionsResponse:
        began = time.monotonic()
        question = scale_up_question(request)
        seconds = SOLVE_S
        if ends_at is not None:
            left = ends_at - time.monotonic()
            if left <= 0:
                raise TooLateError("the deadline has passed before the options could be weighed")
            seconds = max(0.0, min(seconds, left - REPLY_S))
        choice = choose(question, self._solver, seconds, UntilAbandoned(seconds, cancel))
        answer = expander_pb2.BestOptionsResponse()
        if choice is not None:
            option = choice.option
            answer.options.add(
                nodeGroupId=option.node_group, nodeCount=option.node_count, debug=choice.reason
            )
        _log.info(
            "scale-up",
            options=len(question.options),
            pods=sum(kind.count for kind in question.kinds),
            node_group=choice.option.node_group if choice else None,
            reason=choice.reason if choice else "; ".join(question.remarks) or "no options",
            milliseconds=round((time.monotonic() - began) * 1e3, 1),
        )
        return answer

"""grpcplugin.Expander: Cluster Autoscaler asks which node group to grow."""

from __future__ import annotations

import threading
import time
from typing import Any

import grpc
import structlog
from binwright.vendor.autoscaler import expander_pb2

from binwright_server.answer import Solver, UntilAbandoned
from binwright_server.convert.expansion import scale_up_question_from_bytes
from binwright_server.errors import TooLateError
from binwright_server.expansion.choose import choose
from binwright_server.workers import Workers

SOLVE_S = 0.3
"""Longest solve. Cluster Autoscaler waits 5 s in all and its main loop waits with it; on 100 options
the gap is below 1 % by then."""

REPLY_S = 0.1
"""Kept back from the caller's deadline for the answer."""

Context = grpc.aio.ServicerContext[Any, Any]

_log = structlog.get_logger(__name__)


SERVICE = expander_pb2.DESCRIPTOR.services_by_name["Expander"].full_name


class ExpanderService:
    """Answers with one option, never with none unless none can be judged.

    Requests come as bytes: their pods are told apart before any object is made of them.

    Parameters
    ----------
    workers
        Threads of its own: an autoscaler's loop must not wait behind batch solves.
    """

    def __init__(self, solver: Solver, workers: Workers) -> None:
        self._solver = solver
        self._workers = workers

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the service."""
        handler: grpc.RpcMethodHandler[bytes, expander_pb2.BestOptionsResponse]
        handler = grpc.unary_unary_rpc_method_handler(
            self.best_options, response_serializer=expander_pb2.BestOptionsResponse.SerializeToString
        )
        methods = grpc.method_handlers_generic_handler(SERVICE, {"BestOptions": handler})
        server.add_generic_rpc_handlers((methods,))

    async def best_options(self, request: bytes, context: Context) -> expander_pb2.BestOptionsResponse:
        """The option to grow, with the reason in ``debug``."""
        remaining = context.time_remaining()
        ends_at = None if remaining is None else time.monotonic() + remaining
        return await self._workers.run(lambda cancel: self._answer(request, ends_at, cancel))

    def _answer(
        self, request: bytes, ends_at: float | None, cancel: threading.Event
    ) -> expander_pb2.BestOptionsResponse:
        began = time.monotonic()
        question = scale_up_question_from_bytes(request)
        seconds = SOLVE_S
        if ends_at is not None:
            seconds = min(seconds, ends_at - time.monotonic() - REPLY_S)
            if seconds <= 0:
                raise TooLateError("the deadline leaves no time to weigh the options")
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

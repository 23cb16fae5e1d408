"""ProvisioningService: requests to workers, decisions back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from binwright.v1 import decision_pb2, provisioning_service_pb2, provisioning_service_pb2_grpc
from binwright_optimizer.model.decision import Decision
from binwright_optimizer.model.problem import Problem

from binwright_server.answer import OnProgress, Solver, answer
from binwright_server.convert import AnySolveRequest, decision_to_message
from binwright_server.errors import AbandonedError
from binwright_server.limits import RequestLimits
from binwright_server.observe import Metrics
from binwright_server.workers import Workers

MAX_BACKLOG = 64
"""Steps kept for a caller that reads its stream slowly; the oldest are dropped beyond."""

Context = grpc.aio.ServicerContext[Any, Any]


class ProvisioningService(provisioning_service_pb2_grpc.ProvisioningServiceServicer):
    """Solves in worker threads; the event loop only passes messages.

    Parameters
    ----------
    solver
        The optimizer's ``solve``, or a stand-in.
    """

    def __init__(self, solver: Solver, workers: Workers, limits: RequestLimits, metrics: Metrics) -> None:
        self._solver = solver
        self._workers = workers
        self._limits = limits
        self._metrics = metrics

    async def Solve(  # noqa: N802 - named by the proto
        self,
        request: provisioning_service_pb2.SolveRequest,
        context: Context,
    ) -> provisioning_service_pb2.SolveResponse:
        """Solves and returns the decision."""
        decision = await self._workers.run(self._job(request, context, None))
        return provisioning_service_pb2.SolveResponse(decision=decision)

    async def SolveStream(  # noqa: N802 - named by the proto
        self,
        request: provisioning_service_pb2.SolveStreamRequest,
        context: Context,
    ) -> AsyncIterator[provisioning_service_pb2.SolveStreamResponse]:
        """Solves and streams progress; the last message is the decision."""
        loop = asyncio.get_running_loop()
        steps: asyncio.Queue[decision_pb2.Progress | None] = asyncio.Queue()

        def keep(step: decision_pb2.Progress) -> None:
            if steps.qsize() >= MAX_BACKLOG:
                steps.get_nowait()
            steps.put_nowait(step)

        job = self._job(request, context, lambda step: _call_soon(loop, keep, step))
        solve = asyncio.ensure_future(self._workers.run(job))
        solve.add_done_callback(lambda _: steps.put_nowait(None))
        try:
            while (step := await steps.get()) is not None:
                yield provisioning_service_pb2.SolveStreamResponse(progress=step)
            yield provisioning_service_pb2.SolveStreamResponse(decision=await solve)
        finally:
            solve.cancel()

    def _job(
        self, request: AnySolveRequest, context: Context, on_progress: OnProgress | None
    ) -> Callable[[threading.Event], decision_pb2.Decision]:
        """The whole of one solve, conversions included, to be run in a worker thread."""
        remaining = context.time_remaining()
        ends_at = None if remaining is None else time.monotonic() + remaining

        def job(cancel: threading.Event) -> decision_pb2.Decision:
            problem, decision = answer(
                request, self._solver, self._limits, cancel, ends_at=ends_at, on_progress=on_progress
            )
            if cancel.is_set():
                raise AbandonedError("the caller gave up during the search")
            self._count(problem, decision)
            apart = request.params.wants_node_shapes
            return decision_to_message(problem, decision, wants_node_shapes=apart)

        return job

    def _count(self, problem: Problem, decision: Decision) -> None:
        pods = sum(workload.replicas for workload in problem.workloads)
        unplaced = sum(entry.pods.count for entry in decision.unschedulable)
        self._metrics.gap.observe(decision.gap)
        self._metrics.pods.labels("placed").inc(pods - unplaced)
        self._metrics.pods.labels("unschedulable").inc(unplaced)


def _call_soon(
    loop: asyncio.AbstractEventLoop,
    keep: Callable[[decision_pb2.Progress], None],
    step: decision_pb2.Progress,
) -> None:
    """Hand a step from a worker thread to the event loop."""
    if not loop.is_closed():  # a solve outlives its loop only while the server shuts down
        loop.call_soon_threadsafe(keep, step)

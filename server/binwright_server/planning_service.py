"""PlanningService: forecasts to a worker thread, plans back."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import grpc
from binwright.v1 import planning_service_pb2, planning_service_pb2_grpc
from binwright_optimizer.errors import UnservedError

from binwright_server.convert import (
    forecast_from_message,
    held_plan_from_message,
    plan_params_from_message,
    plan_to_message,
    refusal_of,
)
from binwright_server.errors import AbandonedError, TooLateError
from binwright_server.limits import RequestLimits
from binwright_server.workers import Workers

OnStep = Callable[[int, int], None]
Context = grpc.aio.ServicerContext[Any, Any]

REPLY_S = 1.0
"""Kept back from the caller's deadline for rounding off the plan and the way home."""


class PlanningService(planning_service_pb2_grpc.PlanningServiceServicer):
    """Plans in worker threads, apart from the solves: a plan takes as long as thousands of these.

    Parameters
    ----------
    processes
        Processes that solve the problems of one plan; None for as many as there are processors.
    """

    def __init__(self, workers: Workers, limits: RequestLimits, processes: int | None = None) -> None:
        self._workers = workers
        self._limits = limits
        self._processes = processes

    async def Plan(  # noqa: N802 - named by the proto
        self,
        request: planning_service_pb2.PlanRequest,
        context: Context,
    ) -> AsyncIterator[planning_service_pb2.PlanResponse]:
        """Plans and streams progress; the last message is the plan."""
        loop = asyncio.get_running_loop()
        latest: list[planning_service_pb2.PlanProgress] = []
        news = asyncio.Event()

        def keep(step: planning_service_pb2.PlanProgress) -> None:
            latest[:] = [step]  # a caller that reads slowly misses steps, and never the last
            news.set()

        def tell(solved: int, problems: int) -> None:
            step = planning_service_pb2.PlanProgress(solved=solved, problems=problems)
            if not loop.is_closed():  # a plan outlives its loop only while the server shuts down
                loop.call_soon_threadsafe(keep, step)

        remaining = context.time_remaining()
        ends_at = None if remaining is None else time.monotonic() + remaining

        def job(cancel: threading.Event) -> planning_service_pb2.CapacityPlan:
            return answer(request, self._limits, cancel, ends_at, tell, self._processes)

        plan = asyncio.ensure_future(self._workers.run(job))
        plan.add_done_callback(lambda _: news.set())
        try:
            while not plan.done():
                await news.wait()
                news.clear()
                if latest:
                    yield planning_service_pb2.PlanResponse(progress=latest.pop())
            yield planning_service_pb2.PlanResponse(plan=await plan)
        finally:
            plan.cancel()


def answer(
    request: planning_service_pb2.PlanRequest,
    limits: RequestLimits,
    cancel: threading.Event,
    ends_at: float | None,
    on_step: OnStep = lambda _solved, _problems: None,
    processes: int | None = None,
) -> planning_service_pb2.CapacityPlan:
    """The plan of a request.

    Parameters
    ----------
    cancel
        Set from any thread once the caller gives up.
    ends_at
        Time on the monotonic clock at which the caller stops waiting; None if never.

    Raises
    ------
    InvalidProblemError
        If the request is wrong, or no plan can serve some demand.
    PlanningError
        If the engine fails.
    TooLateError
        If the plan is not whole in the caller's time.
    AbandonedError
        If the caller gave up.
    """
    # Imported on first use: it loads the solver.
    from binwright_optimizer.planning.engine import LocalEngine
    from binwright_optimizer.planning.planner import make_plan

    forecast = forecast_from_message(request.forecast, limits)
    params = plan_params_from_message(request.params, limits)
    held = held_plan_from_message(request.held, forecast) if request.HasField("held") else None

    def check() -> None:
        if cancel.is_set():
            raise AbandonedError("the caller gave up during the plan")
        if ends_at is not None and time.monotonic() >= ends_at:
            raise TooLateError("the plan is not whole when the caller's deadline comes")

    if ends_at is not None:
        left_s = max(0.0, ends_at - time.monotonic() - REPLY_S)
        params = replace(params, deadline_s=min(params.deadline_s, left_s))
    check()
    try:
        with LocalEngine(processes) as engine:
            found = make_plan(forecast, params, on_step, held=held, engine=engine, check=check)
    except UnservedError as error:
        raise refusal_of(error, request.forecast, forecast) from error
    check()
    return plan_to_message(found)

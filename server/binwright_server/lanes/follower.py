"""Tells a lane what changes in the cluster, and takes the plans that it makes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import structlog
from binwright.v1 import scheduling_service_pb2, scheduling_service_pb2_grpc
from binwright_optimizer.errors import BinwrightError

from binwright_server.convert.scheduling import ClusterReader, plan_from_message
from binwright_server.scheduling.plan import Plan

PAUSE_S = 0.5
SEND_S = 60.0

_log = structlog.get_logger(__name__)


class PlanFollower:
    """Keeps a lane's copy of the cluster and hands over its plans; to be made in the running loop.

    Parameters
    ----------
    on_plan
        Awaited with each plan.
    on_loss
        Called when the lane has lost its copy and needs a snapshot from whoever feeds us.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        on_plan: Callable[[Plan], Awaitable[None]],
        on_loss: Callable[[], None],
    ) -> None:
        self._stub: Any = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
        self._on_plan = on_plan
        self._on_loss = on_loss
        self._updates: asyncio.Queue[scheduling_service_pb2.UpdateClusterRequest] = asyncio.Queue()
        self._reader = ClusterReader()
        self._number = 0
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._send()), loop.create_task(self._receive())]

    async def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def pass_on(self, update: scheduling_service_pb2.UpdateClusterRequest) -> None:
        """Tell the lane, after what it was told before."""
        self._updates.put_nowait(update)

    async def _send(self) -> None:
        while True:
            update = await self._updates.get()
            try:
                await self._stub.UpdateCluster(update, timeout=SEND_S, wait_for_ready=True)
            except grpc.aio.AioRpcError as error:
                _log.warning("the planning lane needs a snapshot", reason=error.details())
                while not self._updates.empty():  # they build on what it has lost
                    self._updates.get_nowait()
                self._on_loss()

    async def _receive(self) -> None:
        while True:
            try:
                request = scheduling_service_pb2.WatchPlanRequest()
                async for response in self._stub.WatchPlan(request, wait_for_ready=True):
                    self._number += 1
                    plan = plan_from_message(response.plan, self._reader, self._number)
                    await self._on_plan(plan)
            except grpc.aio.AioRpcError as error:
                _log.info("no plans for now", reason=error.details())
            except BinwrightError as error:
                _log.error("a plan cannot be read", reason=str(error))
            await asyncio.sleep(PAUSE_S)

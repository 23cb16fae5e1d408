"""Who does the work of a server: threads of its own process, or lanes beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import grpc
import structlog
from binwright.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    planning_service_pb2,
    planning_service_pb2_grpc,
    provisioning_service_pb2,
    provisioning_service_pb2_grpc,
    scheduling_service_pb2_grpc,
)
from binwright.vendor.autoscaler import expander_pb2
from prometheus_client import generate_latest

from binwright_server.answer import Solver
from binwright_server.catalog_service import CatalogService
from binwright_server.config import ServerConfig
from binwright_server.expansion.scanned import ScannedRequest
from binwright_server.expansion.service import ExpanderService, expander_handlers
from binwright_server.lanes.follower import PlanFollower
from binwright_server.lanes.forward import forwarded
from binwright_server.lanes.process import Lane
from binwright_server.observe import Metrics
from binwright_server.planning_service import PlanningService
from binwright_server.scheduling.planner import Planner
from binwright_server.scheduling.service import SchedulingService
from binwright_server.scheduling.state import ClusterState
from binwright_server.service import ProvisioningService
from binwright_server.workers import Workers

CAPACITY_QUEUE = 4
"""Capacity plans that wait while one is made with all processors."""

EXPANDER_QUEUE = 8
"""Cluster Autoscaler asks one question at a time; a few autoscalers may share a server."""

INTERNAL = "binwright.v1.Lane"
"""Service of a lane for its front. The name lets its errors be mapped like ours."""

METRICS = f"/{INTERNAL}/Metrics"
WEIGH = f"/{INTERNAL}/Weigh"

METRICS_S = 2.0
"""Longest wait for the metrics of a lane."""

_log = structlog.get_logger(__name__)


class Work(Protocol):
    """The services behind a server's transport."""

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the services."""
        ...

    async def start(self) -> None:
        """Get ready; calls that come earlier wait."""
        ...

    async def close(self) -> None:
        """End, after the last call."""
        ...

    def collect(self) -> bytes:
        """Metrics of the solves as text; called from threads other than the loop's."""
        ...


class LocalWork:
    """Threads of this process: for lanes themselves, and for tests with stand-in solvers.

    Parameters
    ----------
    solver
        The optimizer's ``solve``, or a stand-in.
    warm_up
        Called in a worker thread at the start.
    """

    def __init__(
        self,
        config: ServerConfig,
        solver: Solver,
        warm_up: Callable[[], object],
        workers: Workers,
        metrics: Metrics,
    ) -> None:
        self._workers = workers
        self._warm_up = warm_up
        self._metrics = metrics
        self._provisioning = ProvisioningService(solver, workers, config.limits, metrics)
        self._expander_workers = Workers(1, EXPANDER_QUEUE, "expander")
        self._expander = ExpanderService(solver, self._expander_workers)
        self._planning_workers = Workers(1, 1, "plan")
        self._capacity_workers = Workers(1, CAPACITY_QUEUE, "capacity")
        self._capacity = PlanningService(self._capacity_workers, config.limits)
        state = ClusterState()
        self._scheduling = SchedulingService(state, lambda _: self._planner.note_change())
        self._planner = Planner(state, solver, self._planning_workers, self._scheduling.put_plan)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the services, and the metrics that a front asks a lane for."""
        provisioning_service_pb2_grpc.add_ProvisioningServiceServicer_to_server(self._provisioning, server)
        catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(CatalogService(), server)
        scheduling_service_pb2_grpc.add_SchedulingServiceServicer_to_server(self._scheduling, server)
        planning_service_pb2_grpc.add_PlanningServiceServicer_to_server(self._capacity, server)
        handlers = expander_handlers(self._expander_workers, self._expander.best_options)
        server.add_generic_rpc_handlers((handlers,))

    async def start(self) -> None:
        """Warm up, then plan."""
        await self._workers.run(lambda _cancel: self._warm_up())
        self._planner.start()

    async def close(self) -> None:
        """Stop planning and drop what waits."""
        await self._planner.close()
        for workers in (
            self._workers,
            self._expander_workers,
            self._planning_workers,
            self._capacity_workers,
        ):
            await asyncio.to_thread(workers.shut_down)

    def collect(self) -> bytes:
        """Metrics of the solves."""
        return generate_latest(self._metrics.solves)

    def add_internal_to(self, server: grpc.aio.Server) -> None:
        """Register what only a front asks, on the socket of a lane."""

        async def tell(_request: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            return self.collect()

        weigh: grpc.RpcMethodHandler[bytes, expander_pb2.BestOptionsResponse]
        weigh = grpc.unary_unary_rpc_method_handler(
            self._expander.best_of_packed,
            response_serializer=expander_pb2.BestOptionsResponse.SerializeToString,
        )
        handlers = {_name(METRICS): grpc.unary_unary_rpc_method_handler(tell), _name(WEIGH): weigh}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(INTERNAL, handlers),))


class LaneWork:
    """Lanes beside this process, which keeps the scheduling API to itself; see `binwright_server.lanes`."""

    def __init__(self, config: ServerConfig) -> None:
        self._loop = asyncio.get_running_loop()
        self._batch = Lane("batch", config)
        self._online = Lane("online", config)
        self._scanners = Workers(1, EXPANDER_QUEUE, "scan")
        state = ClusterState()
        self._scheduling = SchedulingService(state, lambda update: self._follower.pass_on(update))
        self._follower = PlanFollower(
            self._online.channel, self._scheduling.put_plan, on_loss=state.want_snapshot
        )

    def add_to(self, server: grpc.aio.Server) -> None:
        """Register the services."""
        provisioning = provisioning_service_pb2.DESCRIPTOR.services_by_name["ProvisioningService"]
        catalog = catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"]
        planning = planning_service_pb2.DESCRIPTOR.services_by_name["PlanningService"]
        server.add_generic_rpc_handlers(
            (
                forwarded(planning, self._batch.channel),
                forwarded(provisioning, self._batch.channel),
                forwarded(catalog, self._batch.channel),
                expander_handlers(self._scanners, self._weigh),
            )
        )
        scheduling_service_pb2_grpc.add_SchedulingServiceServicer_to_server(self._scheduling, server)

    async def _weigh(self, request: ScannedRequest, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        """Let the lane weigh a request: without repetitions it is a small part of what came."""
        packed = await self._scanners.run(lambda _cancel: request.packed())
        call: Any = self._online.channel.unary_unary(WEIGH)
        answer: bytes = await call(packed, timeout=context.time_remaining(), wait_for_ready=True)
        return answer

    async def start(self) -> None:
        """Start the lanes, then follow the plans; raises LaneError if a lane does not start."""
        await asyncio.gather(
            self._batch.start(),
            self._online.start(),
            self._scanners.run(lambda _cancel: ScannedRequest.of(b"")),  # loads the compiled scanner
        )
        self._follower.start()

    async def close(self) -> None:
        """End the lanes."""
        await self._follower.close()
        await asyncio.gather(self._batch.close(), self._online.close())
        await asyncio.to_thread(self._scanners.shut_down)

    def collect(self) -> bytes:
        """Metrics of the batch lane's solves; none while it is away."""
        asked = asyncio.run_coroutine_threadsafe(self._ask_metrics(), self._loop)
        try:
            return asked.result(METRICS_S)
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            _log.warning("no metrics of the batch lane", reason=type(error).__name__)
            return b""

    async def _ask_metrics(self) -> bytes:
        call: Any = self._batch.channel.unary_unary(METRICS)
        text: bytes = await call(b"", timeout=METRICS_S / 2)
        return text


def _name(path: str) -> str:
    return path.rpartition("/")[2]

"""The server: what it is made of, how it starts and how it ends."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import grpc
import structlog
from binwright.v1 import (
    catalog_service_pb2,
    planning_service_pb2,
    provisioning_service_pb2,
    scheduling_service_pb2,
)
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import generate_latest

from binwright_server.answer import Solver
from binwright_server.auth import AuthInterceptor, TokenFile
from binwright_server.certificates import ServerCredentials
from binwright_server.config import ServerConfig, split_address
from binwright_server.errors import ConfigError
from binwright_server.expansion.service import SERVICE as EXPANDER
from binwright_server.interceptor import CallInterceptor
from binwright_server.observe import Metrics, configure_logging
from binwright_server.sideport import SidePort
from binwright_server.work import LaneWork, LocalWork, Work
from binwright_server.workers import Workers

SERVICES = (
    provisioning_service_pb2.DESCRIPTOR.services_by_name["ProvisioningService"].full_name,
    catalog_service_pb2.DESCRIPTOR.services_by_name["CatalogService"].full_name,
    planning_service_pb2.DESCRIPTOR.services_by_name["PlanningService"].full_name,
    scheduling_service_pb2.DESCRIPTOR.services_by_name["SchedulingService"].full_name,
    EXPANDER,
)

MIB = 2**20

_log = structlog.get_logger(__name__)


class Server:
    """A server, to be made in the event loop that will run it; an asynchronous context manager.

    Parameters
    ----------
    solver
        The optimizer's ``solve``, or a stand-in, to be run in threads of this process. None leaves
        solving to lanes, processes of their own.
    warm_up
        Called in a worker thread before the server reports that it serves; lanes warm up themselves.
    interceptors
        Run before our own, the first outermost, but after the check of tokens.

    Raises
    ------
    ConfigError
        If the token file cannot be used.
    """

    def __init__(
        self,
        config: ServerConfig,
        solver: Solver | None,
        warm_up: Callable[[], object] = lambda: None,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        self._config = config
        self.workers = Workers(config.workers, config.max_queue)
        self.metrics = Metrics(running=lambda: self.workers.running, waiting=lambda: self.workers.waiting)
        self._grpc = grpc.aio.server(
            interceptors=(*_authentication(config), *interceptors, CallInterceptor(self.metrics)),
            options=(
                ("grpc.max_receive_message_length", config.max_message_mib * MIB),
                ("grpc.max_send_message_length", config.max_message_mib * MIB),
                ("grpc.so_reuseport", 0),  # a second server on the port fails instead of sharing it
            ),
        )
        self._work: Work
        if solver is None:
            self._work = LaneWork(config)
        else:
            self._work = LocalWork(config, solver, warm_up, self.workers, self.metrics)
        self._work.add_to(self._grpc)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        self.service_names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(self.service_names, self._grpc)
        self._side_port: SidePort | None = None
        self._certificates: ServerCredentials | None = None  # gRPC asks it before each handshake
        self._is_serving = False
        self._is_closed = False
        self.address = ""
        self.metrics_address = ""

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(0)

    async def start(self) -> None:
        """Listen, warm up, and only then report that the server serves.

        Raises
        ------
        ConfigError
            If an address is taken or a TLS file cannot be used.
        LaneError
            If a lane does not start.
        """
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        self.address = self._listen()
        self._side_port = self._open_side_port()
        await self._grpc.start()
        await self._work.start()
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        self._is_serving = True
        _log.info("serving", address=self.address, metrics_address=self.metrics_address or None)

    async def close(self, grace_s: float) -> None:
        """Report that the server no longer serves, let calls end, and stop.

        Calls that are still under way after ``grace_s`` seconds are cancelled, and their solves
        with them. A second call with a shorter grace shortens the first.
        """
        self._is_serving = False
        await self._health.enter_graceful_shutdown()
        await self._grpc.stop(grace_s)
        if not self._is_closed:
            self._is_closed = True
            await self._work.close()
            if self._side_port is not None:
                await asyncio.to_thread(self._side_port.close)

    def add_internal_service(self) -> None:
        """Let a front ask what only it may: for lanes, before they start."""
        assert isinstance(self._work, LocalWork), "a lane has no lanes"
        self._work.add_internal_to(self._grpc)

    def _collect(self) -> bytes:
        return generate_latest(self.metrics.calls) + self._work.collect()

    async def _set_health(self, status: int) -> None:
        for name in ("", *SERVICES):
            await self._health.set(name, status)

    def _listen(self) -> str:
        """Bind the address; what it is with the port that was chosen."""
        config = self._config
        try:
            if config.tls_cert:
                self._certificates = ServerCredentials(config)
                port = self._grpc.add_secure_port(config.address, self._certificates.credentials)
            else:
                port = self._grpc.add_insecure_port(config.address)
        except RuntimeError as error:
            raise ConfigError(f"address: cannot listen on {config.address}: {error}") from error
        if config.address.startswith("unix:"):
            return config.address
        return f"{config.address.rpartition(':')[0]}:{port}"

    def _open_side_port(self) -> SidePort | None:
        parts = split_address(self._config.metrics_address)
        if parts is None:
            return None
        try:
            side_port = SidePort(*parts, self._collect, lambda: self._is_serving)
        except OSError as error:
            where = self._config.metrics_address
            raise ConfigError(f"metrics_address: cannot listen on {where}: {error.strerror}") from error
        side_port.start()
        self.metrics_address = f"{self._config.metrics_address.rpartition(':')[0]}:{side_port.port}"
        return side_port


def _authentication(config: ServerConfig) -> tuple[grpc.aio.ServerInterceptor, ...]:
    if not config.token_file:
        return ()
    if not config.tls_cert and not config.address.startswith("unix:"):
        _log.warning("tokens travel in plain text: set tls_cert and tls_key", address=config.address)
    return (AuthInterceptor(TokenFile(Path(config.token_file))),)


def run(config: ServerConfig) -> None:
    """Serve until SIGTERM or SIGINT; the first drains calls under way, a second ends them.

    Prints one line with the address once the server takes requests.

    Raises
    ------
    ConfigError
        If an address is taken or a TLS file cannot be used.
    LaneError
        If a lane does not start.
    """
    configure_logging(config.log_format, config.log_level)
    asyncio.run(serve_until_signal(lambda: Server(config, None), config.grace_s))


async def serve_until_signal(build: Callable[[], Server], grace_s: float) -> None:
    """Start a server, announce it on standard output, and end it on a signal.

    Parameters
    ----------
    build
        Makes the server; called in the event loop, to which gRPC binds it.
    """
    server = build()
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    try:
        await server.start()
        # Libraries, kernels and catalogues stay for good: the garbage collector need not walk them
        # during every larger solve.
        gc.collect()
        gc.freeze()
        sys.stdout.write(f"binwright serves on {server.address}\n")
        if server.metrics_address:
            sys.stdout.write(f"metrics are on http://{server.metrics_address}/metrics\n")
        sys.stdout.flush()
        _log.info("draining", signal=(await signals.get()).name, grace_s=grace_s)
        drain = asyncio.create_task(server.close(grace_s))
        again = asyncio.create_task(signals.get())
        await asyncio.wait((drain, again), return_when=asyncio.FIRST_COMPLETED)
        again.cancel()
        if not drain.done():
            _log.warning("ending calls under way")
            await server.close(0)
        await drain
    finally:
        await server.close(0)
    _log.info("stopped")

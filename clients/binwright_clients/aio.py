"""The asynchronous client of a Binwright server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from types import TracebackType

import grpc
from binwright.v1 import (
    catalog_service_pb2,
    catalog_service_pb2_grpc,
    decision_pb2,
    planning_service_pb2,
    planning_service_pb2_grpc,
    provisioning_service_pb2,
    provisioning_service_pb2_grpc,
)
from binwright_server.shapes import make_whole
from grpc_health.v1 import health_pb2

from binwright_clients.node_shapes import wanting_shapes
from binwright_clients.rpc_errors import exception_of
from binwright_clients.transport import (
    HEALTH_CHECK,
    MAX_MESSAGE_BYTES,
    RetryPolicy,
    TlsOptions,
    call_metadata,
    channel_options,
)


class AioClient:
    """A connection to a server; an asynchronous context manager, to be made in a running loop.

    Parameters, results and exceptions are those of `binwright_clients.client.Client`. Cancelling
    the task that awaits a call ends the search on the server.
    """

    def __init__(
        self,
        address: str,
        *,
        tls: TlsOptions | None = None,
        token: str | None = None,
        timeout: float | None = None,
        retry: RetryPolicy = RetryPolicy(),
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        options = channel_options(max_message_bytes, retry, tls)
        if tls is None:
            self._channel = grpc.aio.insecure_channel(address, options=options)
        else:
            self._channel = grpc.aio.secure_channel(address, tls.credentials(), options=options)
        self._timeout = timeout
        self._metadata = call_metadata(token)
        self._provisioning = provisioning_service_pb2_grpc.ProvisioningServiceStub(self._channel)
        self._catalog = catalog_service_pb2_grpc.CatalogServiceStub(self._channel)
        self._planning = planning_service_pb2_grpc.PlanningServiceStub(self._channel)
        self._check_health = self._channel.unary_unary(
            HEALTH_CHECK,
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )

    async def __aenter__(self) -> AioClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        await self._channel.close()

    async def solve(
        self, request: provisioning_service_pb2.SolveRequest, timeout: float | None = None
    ) -> decision_pb2.Decision:
        """The decision on a request; see `Client.solve`."""
        with _mapped_errors():
            response = await self._provisioning.Solve(
                wanting_shapes(request), timeout=self._within(timeout), metadata=self._metadata
            )
        make_whole(response.decision)
        decision: decision_pb2.Decision = response.decision
        return decision

    async def solve_stream(
        self, request: provisioning_service_pb2.SolveStreamRequest, timeout: float | None = None
    ) -> AsyncIterator[provisioning_service_pb2.SolveStreamResponse]:
        """Progress as the search goes on, and last the decision; see `Client.solve_stream`."""
        with _mapped_errors():
            call = self._provisioning.SolveStream(
                wanting_shapes(request), timeout=self._within(timeout), metadata=self._metadata
            )
            try:
                async for response in call:
                    if response.HasField("decision"):
                        make_whole(response.decision)
                    yield response
            finally:
                call.cancel()

    async def plan(
        self, request: planning_service_pb2.PlanRequest, timeout: float | None = None
    ) -> AsyncIterator[planning_service_pb2.PlanResponse]:
        """Progress as the plan's problems are solved, and last the plan; see `Client.plan`."""
        with _mapped_errors():
            call = self._planning.Plan(request, timeout=self._within(timeout), metadata=self._metadata)
            try:
                async for response in call:
                    yield response
            finally:
                call.cancel()

    async def list_catalogs(self, timeout: float | None = None) -> catalog_service_pb2.ListCatalogsResponse:
        """The embedded catalogues of the server; see `Client.list_catalogs`."""
        with _mapped_errors():
            return await self._catalog.ListCatalogs(
                catalog_service_pb2.ListCatalogsRequest(),
                timeout=self._within(timeout),
                metadata=self._metadata,
            )

    async def list_instance_types(
        self, request: catalog_service_pb2.ListInstanceTypesRequest, timeout: float | None = None
    ) -> catalog_service_pb2.ListInstanceTypesResponse:
        """One page of instance types; see `Client.list_instance_types`."""
        with _mapped_errors():
            return await self._catalog.ListInstanceTypes(
                request, timeout=self._within(timeout), metadata=self._metadata
            )

    async def check_health(self, service: str = "", timeout: float | None = None) -> str:
        """``SERVING``, ``NOT_SERVING`` ... of one service, or of the whole server."""
        with _mapped_errors():
            reply = await self._check_health(
                health_pb2.HealthCheckRequest(service=service),
                timeout=self._within(timeout),
                metadata=self._metadata,
            )
        return health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)

    async def is_serving(self, timeout: float | None = None) -> bool:
        """Whether the server takes requests; raises RpcError if it cannot be asked."""
        return await self.check_health(timeout=timeout) == "SERVING"

    def _within(self, timeout: float | None) -> float | None:
        return self._timeout if timeout is None else timeout


@contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        metadata = tuple(error.trailing_metadata() or ())
        raise exception_of(error.code(), error.details() or "", metadata) from error

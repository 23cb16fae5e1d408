"""The synchronous client of a Binwright server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import cast

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


class Client:
    """A connection to a server; a context manager.

    Parameters
    ----------
    address
        ``HOST:PORT`` or ``unix:PATH``.
    tls
        How to use TLS; None means plain text.
    token
        Sent as ``authorization: Bearer`` with every call. Over plain text anyone on the way can
        read it.
    timeout
        Seconds for calls that set none themselves; None waits for ever.

    Raises
    ------
    OSError
        If a TLS file cannot be read.

    Examples
    --------
    >>> with Client("localhost:50051") as client:  # doctest: +SKIP
    ...     decision = client.solve(request, timeout=10)
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
            self._channel = grpc.insecure_channel(address, options=options)
        else:
            self._channel = grpc.secure_channel(address, tls.credentials(), options=options)
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

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way are cancelled."""
        self._channel.close()

    def solve(
        self, request: provisioning_service_pb2.SolveRequest, timeout: float | None = None
    ) -> decision_pb2.Decision:
        """The decision on a request.

        Parameters
        ----------
        timeout
            Seconds; the server answers with the best decision so far shortly before.

        Raises
        ------
        InvalidProblemError
            If the request is wrong.
        RpcError
            If the call fails otherwise.
        """
        with _mapped_errors():
            response = self._provisioning.Solve(
                wanting_shapes(request), timeout=self._within(timeout), metadata=self._metadata
            )
        make_whole(response.decision)
        return response.decision

    def solve_stream(
        self, request: provisioning_service_pb2.SolveStreamRequest, timeout: float | None = None
    ) -> Iterator[provisioning_service_pb2.SolveStreamResponse]:
        """Progress as the search goes on, and last the decision.

        Closing the iterator ends the search on the server.

        Raises
        ------
        InvalidProblemError
            If the request is wrong.
        RpcError
            If the call fails otherwise.
        """
        with _mapped_errors():
            call = self._provisioning.SolveStream(
                wanting_shapes(request), timeout=self._within(timeout), metadata=self._metadata
            )
            try:
                for response in call:
                    if response.HasField("decision"):
                        make_whole(response.decision)
                    yield response
            finally:
                call.cancel()

    def plan(
        self, request: planning_service_pb2.PlanRequest, timeout: float | None = None
    ) -> Iterator[planning_service_pb2.PlanResponse]:
        """Progress as the plan's problems are solved, and last the plan.

        Closing the iterator ends the work on the server.

        Raises
        ------
        InvalidProblemError
            If the request is wrong.
        RpcError
            If nothing sold can serve the forecast, or the call fails otherwise.
        """
        with _mapped_errors():
            call = self._planning.Plan(request, timeout=self._within(timeout), metadata=self._metadata)
            try:
                yield from call
            finally:
                call.cancel()

    def list_catalogs(self, timeout: float | None = None) -> catalog_service_pb2.ListCatalogsResponse:
        """The embedded catalogues of the server; raises RpcError if the call fails."""
        with _mapped_errors():
            return self._catalog.ListCatalogs(
                catalog_service_pb2.ListCatalogsRequest(),
                timeout=self._within(timeout),
                metadata=self._metadata,
            )

    def list_instance_types(
        self, request: catalog_service_pb2.ListInstanceTypesRequest, timeout: float | None = None
    ) -> catalog_service_pb2.ListInstanceTypesResponse:
        """One page of instance types.

        Raises
        ------
        InvalidProblemError
            If the request is wrong.
        RpcError
            If the call fails otherwise.
        """
        with _mapped_errors():
            return self._catalog.ListInstanceTypes(
                request, timeout=self._within(timeout), metadata=self._metadata
            )

    def check_health(self, service: str = "", timeout: float | None = None) -> str:
        """``SERVING``, ``NOT_SERVING`` ... of one service, or of the whole server.

        Raises
        ------
        RpcError
            If the server cannot be asked.
        """
        with _mapped_errors():
            reply = self._check_health(
                health_pb2.HealthCheckRequest(service=service),
                timeout=self._within(timeout),
                metadata=self._metadata,
            )
        return health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)

    def is_serving(self, timeout: float | None = None) -> bool:
        """Whether the server takes requests; raises RpcError if it cannot be asked."""
        return self.check_health(timeout=timeout) == "SERVING"

    def _within(self, timeout: float | None) -> float | None:
        return self._timeout if timeout is None else timeout


@contextmanager
def _mapped_errors() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        call = cast(grpc.Call, error)  # what calls raise are calls themselves; the type does not say so
        raise exception_of(call.code(), call.details() or "", call.trailing_metadata() or ()) from error

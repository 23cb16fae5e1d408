"""Who does the work: the optimizer in this process, or a server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from binwright.v1 import catalog_pb2, catalog_service_pb2, decision_pb2, provisioning_service_pb2

from binwright_clients.cli.answer_stdout import answer_only_on_stdout
from binwright_clients.cli.connection import Connection
from binwright_clients.cli.failures import BadInput, Failure

if TYPE_CHECKING:
    from binwright_clients.client import Client

CALL_TIMEOUT_S = 60.0
"""Time for a call beside the solve itself: transfer, waiting for a worker, conversion."""

OnProgress = Callable[[decision_pb2.Progress], None]


class Engine(Protocol):
    """Solves requests and knows the embedded catalogues.

    ``can_cancel`` tells whether a cancelled solve still returns what it has.
    """

    can_cancel: bool

    def solve(
        self,
        request: provisioning_service_pb2.SolveRequest,
        on_progress: OnProgress,
        cancel: threading.Event,
    ) -> decision_pb2.Decision:
        """The decision; raises InvalidProblemError for a wrong request."""
        ...

    def list_instance_types(
        self, request: catalog_service_pb2.ListInstanceTypesRequest
    ) -> list[catalog_pb2.InstanceType]:
        """All pages of a listing; raises InvalidProblemError for a wrong request."""
        ...


@contextmanager
def open_engine(connection: Connection | None) -> Iterator[Engine]:
    """The engine in process, or a server's while the connection lasts."""
    if connection is None:
        yield LocalEngine()
        return
    with open_client(connection) as client:
        yield RemoteEngine(client)


@contextmanager
def open_client(connection: Connection) -> Iterator[Client]:
    """A client of a server while the connection lasts; what goes wrong names the server."""
    # Imported on first use: gRPC takes a noticeable part of the time of `binwright --help`.
    from binwright_clients.client import Client
    from binwright_clients.rpc_errors import InvalidRequestError, RpcError
    from binwright_clients.transport import TlsOptions, read_token

    tls = (
        TlsOptions(connection.ca, connection.cert, connection.key, connection.server_name)
        if connection.tls
        else None
    )
    token = read_token(connection.token_file) if connection.token_file is not None else None
    try:
        with Client(connection.address, tls=tls, token=token, timeout=CALL_TIMEOUT_S) as client:
            yield client
    except InvalidRequestError as error:
        raise BadInput(f"server {connection.address}: {error}") from error
    except RpcError as error:
        raise Failure(f"server {connection.address}: {error}") from error


class LocalEngine:
    """Works in this process; needs the extras ``optimizer`` and ``server``."""

    can_cancel = True

    def solve(
        self,
        request: provisioning_service_pb2.SolveRequest,
        on_progress: OnProgress,
        cancel: threading.Event,
    ) -> decision_pb2.Decision:
        """The decision; a set ``cancel`` brings back the best one so far.

        Raises
        ------
        KeyboardInterrupt
            If ``cancel`` was set before there was anything to bring back.
        """
        from binwright_server.errors import AbandonedError
        from binwright_server.local import solve_locally

        try:
            with answer_only_on_stdout():
                return solve_locally(request, on_progress, cancel)
        except AbandonedError as error:
            raise KeyboardInterrupt from error

    def list_instance_types(
        self, request: catalog_service_pb2.ListInstanceTypesRequest
    ) -> list[catalog_pb2.InstanceType]:
        """All pages of a listing."""
        from binwright_server.catalog_service import list_instance_types

        return _all_pages(request, list_instance_types)


class RemoteEngine:
    """Asks a server; a cancelled call has no answer."""

    can_cancel = False

    def __init__(self, client: Client) -> None:
        self._client = client

    def solve(
        self,
        request: provisioning_service_pb2.SolveRequest,
        on_progress: OnProgress,
        cancel: threading.Event,
    ) -> decision_pb2.Decision:
        """The decision; ``cancel`` is asked between two steps only."""
        streamed = provisioning_service_pb2.SolveStreamRequest(problem=request.problem, params=request.params)
        deadline = request.params.deadline
        timeout_s = deadline.seconds + deadline.nanos / 1e9 + CALL_TIMEOUT_S
        for response in self._client.solve_stream(streamed, timeout=timeout_s):
            if response.HasField("decision"):
                return response.decision
            on_progress(response.progress)
            if cancel.is_set():
                break
        raise Failure("the server ended the call without a decision")

    def list_instance_types(
        self, request: catalog_service_pb2.ListInstanceTypesRequest
    ) -> list[catalog_pb2.InstanceType]:
        """All pages of a listing."""
        return _all_pages(request, self._client.list_instance_types)


def _all_pages(
    request: catalog_service_pb2.ListInstanceTypesRequest,
    list_page: Callable[
        [catalog_service_pb2.ListInstanceTypesRequest], catalog_service_pb2.ListInstanceTypesResponse
    ],
) -> list[catalog_pb2.InstanceType]:
    query = catalog_service_pb2.ListInstanceTypesRequest()
    query.CopyFrom(request)
    found: list[catalog_pb2.InstanceType] = []
    while True:
        page = list_page(query)
        found += page.instance_types
        if not page.next_page_token:
            return found
        query.page_token = page.next_page_token

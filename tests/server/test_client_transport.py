"""Retries, tokens and time limits of the clients, against a server that watches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from binwright.v1 import catalog_service_pb2, catalog_service_pb2_grpc
from binwright_clients.aio import AioClient
from binwright_clients.client import Client
from binwright_clients.rpc_errors import DeadlineExceededError, ServerBusyError, ServerUnavailableError
from binwright_clients.transport import RetryPolicy
from harness import SlowSolver, serving, solve_request


class WatchedCatalog(catalog_service_pb2_grpc.CatalogServiceServicer):
    """Fails with ``code`` for the first ``failures`` calls and remembers what it was sent."""

    def __init__(self, failures: int = 0, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        self._failures = failures
        self._code = code
        self.metadata: list[dict[str, str | bytes]] = []

    def ListCatalogs(self, request, context):  # type: ignore[no-untyped-def]  # noqa: ARG002, N802
        self.metadata.append(dict(context.invocation_metadata()))
        if len(self.metadata) <= self._failures:
            context.abort(self._code, "not now")
        return catalog_service_pb2.ListCatalogsResponse()

    def ListInstanceTypes(self, request, context):  # type: ignore[no-untyped-def]  # noqa: ARG002, N802
        raise AssertionError("not asked for")


@contextmanager
def watched(catalog: WatchedCatalog) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    catalog_service_pb2_grpc.add_CatalogServiceServicer_to_server(catalog, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait(30)


QUICK = RetryPolicy(max_attempts=3, initial_backoff_s=0.01)


def test_unavailable_server_is_asked_again() -> None:
    catalog = WatchedCatalog(failures=2)
    with watched(catalog) as address, Client(address, retry=QUICK) as client:
        client.list_catalogs(timeout=30)
    assert len(catalog.metadata) == 3


def test_retries_end() -> None:
    catalog = WatchedCatalog(failures=9)
    with (
        watched(catalog) as address,
        Client(address, retry=QUICK) as client,
        pytest.raises(ServerUnavailableError, match="not now"),
    ):
        client.list_catalogs(timeout=30)
    assert len(catalog.metadata) == 3


def test_retries_may_be_turned_off() -> None:
    catalog = WatchedCatalog(failures=1)
    with (
        watched(catalog) as address,
        Client(address, retry=RetryPolicy(max_attempts=1)) as client,
        pytest.raises(ServerUnavailableError),
    ):
        client.list_catalogs(timeout=30)
    assert len(catalog.metadata) == 1


def test_busy_server_is_not_asked_again_at_once() -> None:
    catalog = WatchedCatalog(failures=1, code=grpc.StatusCode.RESOURCE_EXHAUSTED)
    with watched(catalog) as address, Client(address, retry=QUICK) as client, pytest.raises(ServerBusyError):
        client.list_catalogs(timeout=30)
    assert len(catalog.metadata) == 1


def test_token_goes_with_every_call() -> None:
    async def ask(address: str) -> None:
        async with AioClient(address, token="secret") as client:
            await client.list_catalogs(timeout=30)

    catalog = WatchedCatalog()
    with watched(catalog) as address, Client(address, token="secret") as client:
        client.list_catalogs(timeout=30)
        asyncio.run(ask(address))
    assert [sent["authorization"] for sent in catalog.metadata] == ["Bearer secret"] * 2


def test_no_token_is_no_header() -> None:
    catalog = WatchedCatalog()
    with watched(catalog) as address, Client(address) as client:
        client.list_catalogs(timeout=30)
    assert "authorization" not in catalog.metadata[0]


def test_timeout_of_the_client_holds_for_calls_that_set_none() -> None:
    solver = SlowSolver()
    with serving(solver) as server, Client(server.address, timeout=0.6) as client:
        client.solve(solve_request(deadline_s=60))
        client.solve(solve_request(deadline_s=60), timeout=1.2)
        with pytest.raises(DeadlineExceededError):
            client.solve(solve_request(deadline_s=60), timeout=0.001)
    assert solver.deadlines_s[0] < 0.6 < solver.deadlines_s[1] < 1.2


@pytest.mark.parametrize("attempts", [0, 6])
def test_number_of_attempts_is_one_that_grpc_takes(attempts: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.5"):
        RetryPolicy(max_attempts=attempts)


def test_service_config_names_every_service() -> None:
    (method,) = json.loads(RetryPolicy().service_config())["methodConfig"]
    assert {"service": "binwright.v1.ProvisioningService"} in method["name"]
    assert method["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]

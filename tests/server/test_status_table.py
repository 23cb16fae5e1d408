"""Domain errors to gRPC statuses and back: both tables, row by row, over a real connection."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from binwright_clients import rpc_errors
from binwright_clients.aio import AioClient
from binwright_clients.client import Client
from binwright_clients.transport import RetryPolicy
from binwright_optimizer.errors import (
    CatalogError,
    InvalidProblemError,
    PlanningError,
    VerificationError,
    Violation,
)
from binwright_server.errors import (
    AbandonedError,
    BusyError,
    MalformedMessageError,
    NoStateError,
    TooLateError,
)
from binwright_server.status import TABLE, status_of
from google.rpc import error_details_pb2, status_pb2
from harness import serving, solve_request
from hypothesis import given
from hypothesis import strategies as st

INVALID = InvalidProblemError((Violation("a.b[0]", "x", "is wrong"), Violation('c["d"]', "it's", "too")))

ROWS: list[tuple[Exception, grpc.StatusCode, type[Exception]]] = [
    (INVALID, grpc.StatusCode.INVALID_ARGUMENT, InvalidProblemError),
    (CatalogError("no such region"), grpc.StatusCode.INVALID_ARGUMENT, rpc_errors.InvalidRequestError),
    (PlanningError("no place"), grpc.StatusCode.INVALID_ARGUMENT, rpc_errors.InvalidRequestError),
    (
        MalformedMessageError("no message"),
        grpc.StatusCode.INVALID_ARGUMENT,
        rpc_errors.InvalidRequestError,
    ),
    (BusyError("full"), grpc.StatusCode.RESOURCE_EXHAUSTED, rpc_errors.ServerBusyError),
    (TooLateError("no time"), grpc.StatusCode.DEADLINE_EXCEEDED, rpc_errors.DeadlineExceededError),
    (NoStateError("no snapshot"), grpc.StatusCode.FAILED_PRECONDITION, rpc_errors.SnapshotNeededError),
    (AbandonedError("gone"), grpc.StatusCode.CANCELLED, rpc_errors.CallCancelledError),
    (VerificationError(["node 1 is overfull"]), grpc.StatusCode.INTERNAL, rpc_errors.ServerFaultError),
    (RuntimeError("bug"), grpc.StatusCode.INTERNAL, rpc_errors.ServerFaultError),
    (MemoryError(), grpc.StatusCode.INTERNAL, rpc_errors.ServerFaultError),
]


def test_every_row_of_the_server_table_is_tested() -> None:
    assert {row.error for row in TABLE} <= {type(error) for error, _, _ in ROWS}


@pytest.mark.parametrize(("error", "code", "expected"), ROWS, ids=[type(e).__name__ for e, _, _ in ROWS])
def test_error_crosses_the_wire(error: Exception, code: grpc.StatusCode, expected: type[Exception]) -> None:
    def failing(problem, params, stop=None, on_progress=None):  # type: ignore[no-untyped-def]
        raise error

    async def ask(address: str) -> None:
        async with AioClient(address) as client:
            await client.solve(solve_request(), timeout=30)

    assert status_of(error).code is code
    with serving(failing) as server:
        with Client(server.address) as client, pytest.raises(expected) as caught:
            client.solve(solve_request(), timeout=30)
        with pytest.raises(expected):
            asyncio.run(ask(server.address))
    if isinstance(caught.value, rpc_errors.RpcError):
        assert caught.value.code is code
    if isinstance(error, InvalidProblemError):
        assert caught.value.violations == error.violations  # type: ignore[attr-defined]


@pytest.mark.parametrize(("code", "expected"), rpc_errors.TABLE.items(), ids=lambda x: getattr(x, "name", ""))
def test_every_row_of_the_client_table_maps_its_code(
    code: grpc.StatusCode, expected: type[rpc_errors.RpcError]
) -> None:
    error = rpc_errors.exception_of(code, "why", ())
    assert type(error) is expected
    assert str(error) == "why"


def test_code_that_the_client_does_not_know_is_the_servers_fault() -> None:
    error = rpc_errors.exception_of(grpc.StatusCode.DATA_LOSS, "", ())
    assert isinstance(error, rpc_errors.ServerFaultError)
    assert str(error) == "DATA_LOSS"


def test_unreachable_server_is_unavailable() -> None:
    with (
        Client("127.0.0.1:1", retry=RetryPolicy(max_attempts=1)) as client,
        pytest.raises(rpc_errors.ServerUnavailableError),
    ):
        client.solve(solve_request(), timeout=30)


def test_call_that_the_server_does_not_know_is_unimplemented() -> None:
    with (
        serving() as server,
        grpc.insecure_channel(server.address) as channel,
        pytest.raises(grpc.RpcError) as caught,
    ):
        channel.unary_unary("/binwright.v1.ProvisioningService/Guess")(b"", timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # type: ignore[attr-defined]


def test_busy_server_says_when_to_come_back() -> None:
    details = status_of(BusyError("full")).status.details
    retry = error_details_pb2.RetryInfo()
    assert details[0].Unpack(retry)
    assert retry.retry_delay.seconds > 0


def test_internal_error_tells_the_caller_an_id_and_nothing_else() -> None:
    first, second = status_of(RuntimeError("secret")), status_of(RuntimeError("secret"))
    assert "secret" not in first.status.message
    assert first.error_id in first.status.message
    assert first.error_id != second.error_id


@given(
    st.lists(
        st.builds(Violation, field=st.text(max_size=900), value=st.text(), description=st.text(max_size=900)),
        min_size=1,
        max_size=60,
    )
)
def test_status_of_any_violations_fits_into_the_trailers_that_peers_accept(
    violations: list[Violation],
) -> None:
    """8 KiB in all, with base64 for the details and percent-encoding for the message."""
    status = status_of(InvalidProblemError(violations)).status
    details = len(status.SerializeToString()) * 4 / 3
    message = 3 * len(status.message.encode())
    assert details + message < 8_192 - 256


def test_violations_that_do_not_fit_are_counted() -> None:
    violations = [Violation(f"workloads[{k}].name", "", "must not be empty") for k in range(999)]
    bad_request = error_details_pb2.BadRequest()
    assert status_of(InvalidProblemError(violations)).status.details[0].Unpack(bad_request)
    listed = len(bad_request.field_violations) - 1
    assert listed > 20
    assert (
        bad_request.field_violations[-1].description == f"{999 - listed} further violation(s) are not listed"
    )


def test_large_number_of_violations_crosses_the_wire() -> None:
    request = solve_request(cpu="é" * 60)
    for k in range(2_000):
        workload = request.problem.workloads.add(name=f"p{k}")
        workload.template.CopyFrom(request.problem.workloads[0].template)
    with serving() as server, Client(server.address) as client, pytest.raises(InvalidProblemError) as caught:
        client.solve(request, timeout=30)
    assert caught.value.violations[0].field == 'workloads[0].template.containers[0].requests["cpu"]'
    assert caught.value.violations[0].value == "é" * 60


def test_violation_in_a_form_the_client_does_not_know_is_shown_as_it_is() -> None:
    bad_request = error_details_pb2.BadRequest()
    bad_request.field_violations.add(field="f", description="not in our form (got '\\x')")
    status = status_pb2.Status(code=3)
    status.details.add().Pack(bad_request)
    metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    error = rpc_errors.exception_of(grpc.StatusCode.INVALID_ARGUMENT, "", metadata)
    assert isinstance(error, InvalidProblemError)
    assert error.violations == (Violation("f", "", "not in our form (got '\\x')"),)

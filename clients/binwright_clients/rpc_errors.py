"""gRPC errors back to exceptions: the mirror of the server's status table.

::

    BinwrightError
    +-- InvalidProblemError      INVALID_ARGUMENT with field violations
    +-- RpcError                 anything else that went wrong with a call
        +-- InvalidRequestError      INVALID_ARGUMENT without field violations
        +-- ServerBusyError          RESOURCE_EXHAUSTED: retry later, or the message is too large
        +-- DeadlineExceededError    DEADLINE_EXCEEDED
        +-- CallCancelledError       CANCELLED
        +-- ServerUnavailableError   UNAVAILABLE: no connection, or the server is shutting down
        +-- AuthenticationError      UNAUTHENTICATED, PERMISSION_DENIED
        +-- SnapshotNeededError      FAILED_PRECONDITION: the server lacks the cluster's state
        +-- UnsupportedCallError     UNIMPLEMENTED: the server does not know the call
        +-- ServerFaultError         INTERNAL and whatever else: the server's own mistake
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

import grpc
from binwright_optimizer.errors import BinwrightError, InvalidProblemError, Violation
from google.rpc import error_details_pb2, status_pb2

_DETAILS_KEY = "grpc-status-details-bin"

_DESCRIPTION = re.compile(r"(?P<description>.*) \(got (?P<value>'.*'|\".*\")\)", re.DOTALL)
"""How the server writes a violation: what is wrong, and the value as a quoted literal."""


class RpcError(BinwrightError):
    """A call failed.

    Parameters
    ----------
    message
        What the server or the transport says.
    code
        The status code.
    """

    def __init__(self, message: str, code: grpc.StatusCode) -> None:
        self.code = code
        super().__init__(message)


class InvalidRequestError(RpcError):
    """The server refuses the request without naming fields."""


class ServerBusyError(RpcError):
    """All workers are taken and the queue is full, or a message is larger than allowed."""


class DeadlineExceededError(RpcError):
    """The time for the call ran out before an answer came."""


class CallCancelledError(RpcError):
    """The call was cancelled."""


class ServerUnavailableError(RpcError):
    """The server cannot be reached or is shutting down."""


class AuthenticationError(RpcError):
    """The server does not accept the credentials."""


class SnapshotNeededError(RpcError):
    """The server holds no snapshot of the cluster, or another than the call builds on; send one."""


class UnsupportedCallError(RpcError):
    """The server does not know the call: it is older, or no Binwright server."""


class ServerFaultError(RpcError):
    """Something went wrong inside the server; the message has the id under which it is logged."""


TABLE: dict[grpc.StatusCode, type[RpcError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequestError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ServerBusyError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
    grpc.StatusCode.CANCELLED: CallCancelledError,
    grpc.StatusCode.UNAVAILABLE: ServerUnavailableError,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
    grpc.StatusCode.PERMISSION_DENIED: AuthenticationError,
    grpc.StatusCode.FAILED_PRECONDITION: SnapshotNeededError,
    grpc.StatusCode.UNIMPLEMENTED: UnsupportedCallError,
}


def exception_of(
    code: grpc.StatusCode, message: str, trailing_metadata: Iterable[tuple[str, str | bytes]]
) -> BinwrightError:
    """The exception for a failed call."""
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        violations = _violations(trailing_metadata)
        if violations:
            return InvalidProblemError(violations)
    return TABLE.get(code, ServerFaultError)(message or code.name, code)


def _violations(trailing_metadata: Iterable[tuple[str, str | bytes]]) -> list[Violation]:
    found = []
    for key, value in trailing_metadata:
        if key != _DETAILS_KEY or not isinstance(value, bytes):
            continue
        for detail in status_pb2.Status.FromString(value).details:
            bad_request = error_details_pb2.BadRequest()
            if detail.Unpack(bad_request):
                found += [_violation(v.field, v.description) for v in bad_request.field_violations]
    return found


def _violation(field: str, text: str) -> Violation:
    match = _DESCRIPTION.fullmatch(text)
    if match is None:
        return Violation(field, "", text)
    try:
        value = ast.literal_eval(match["value"])
    except (SyntaxError, ValueError):
        return Violation(field, "", text)
    return Violation(field, str(value), match["description"])

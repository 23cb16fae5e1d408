"""Domain errors to gRPC statuses: one table."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from binwright_optimizer.errors import BinwrightError, CatalogError, InvalidProblemError, PlanningError
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from binwright_server.errors import (
    AbandonedError,
    BusyError,
    MalformedMessageError,
    NoStateError,
    TooLateError,
)

MAX_MESSAGE_CHARS = 400
"""Characters of the status message; the details carry the rest."""

MAX_DETAILS_BYTES = 3_000
"""Bytes of details. Statuses travel as trailers, which peers may refuse above 8 KiB; base64 makes
these 4 KiB, and a message outside ASCII is written with up to 12 bytes per character."""

RETRY_AFTER_S = 1
"""What a caller is told to wait when all workers are taken."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: what an exception type becomes."""

    error: type[BinwrightError]
    code: grpc.StatusCode
    details: Callable[[Any], Message | None] = lambda _error: None


def bad_request(error: InvalidProblemError) -> error_details_pb2.BadRequest:
    """The violations, as many as fit into a status."""
    details = error_details_pb2.BadRequest()
    size = 0
    for position, violation in enumerate(error.violations):
        field = _shorten(violation.field, 300)
        shown = _shorten(violation.value, 80)
        description = f"{_shorten(violation.description, 300)} (got {shown!r})"
        size += len(field.encode()) + len(description.encode()) + 8
        if size > MAX_DETAILS_BYTES - 64:
            left = len(error.violations) - position
            details.field_violations.add(field="", description=f"{left} further violation(s) are not listed")
            break
        details.field_violations.add(field=field, description=description)
    return details


def retry_info(_: BusyError) -> error_details_pb2.RetryInfo:
    """When to come back."""
    details = error_details_pb2.RetryInfo()
    details.retry_delay.seconds = RETRY_AFTER_S
    return details


TABLE = (
    Row(InvalidProblemError, grpc.StatusCode.INVALID_ARGUMENT, bad_request),
    Row(CatalogError, grpc.StatusCode.INVALID_ARGUMENT),
    Row(PlanningError, grpc.StatusCode.INVALID_ARGUMENT),
    Row(MalformedMessageError, grpc.StatusCode.INVALID_ARGUMENT),
    Row(BusyError, grpc.StatusCode.RESOURCE_EXHAUSTED, retry_info),
    Row(TooLateError, grpc.StatusCode.DEADLINE_EXCEEDED),
    Row(NoStateError, grpc.StatusCode.FAILED_PRECONDITION),
    Row(AbandonedError, grpc.StatusCode.CANCELLED),
)
"""Everything else is our own fault: INTERNAL, with an id that finds it in the log. That includes
`VerificationError`: a wrong answer was about to leave."""


@dataclass(frozen=True, slots=True)
class ErrorStatus:
    """A status, and the id under which an unexpected error is logged (else empty)."""

    code: grpc.StatusCode
    status: status_pb2.Status
    error_id: str = ""


def status_of(error: Exception) -> ErrorStatus:
    """The status that callers get for an exception."""
    for row in TABLE:
        if isinstance(error, row.error):
            status = status_pb2.Status(
                code=row.code.value[0], message=_shorten(_encodable(str(error)), MAX_MESSAGE_CHARS)
            )
            details = row.details(error)
            if details is not None:
                status.details.add().Pack(details)
            return ErrorStatus(row.code, status)
    error_id = secrets.token_hex(6)
    message = f"internal error {error_id}: the server's log says more under this id"
    code = grpc.StatusCode.INTERNAL
    return ErrorStatus(code, status_pb2.Status(code=code.value[0], message=message), error_id)


def _shorten(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")

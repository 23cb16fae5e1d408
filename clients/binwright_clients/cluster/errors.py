"""What can go wrong between us and an API server.

::

    ClusterError
    +-- UnreachableError    no answer: address, network, TLS, timeout
    +-- UnauthorizedError   401: the credentials are wrong or have expired
    +-- ForbiddenError      403: the account may not do this
    +-- NotFoundError       404: no such object, or a kind that is not installed
    +-- ConflictError       409: it exists already, or changed since it was read
    +-- GoneError           410: the resource version or the continue token is too old
    +-- InvalidError        400, 422: the server refuses the object or the question
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from binwright_optimizer.errors import BinwrightError


class ClusterError(BinwrightError):
    """The API server did not do what was asked."""


class UnreachableError(ClusterError):
    """No answer."""


class UnauthorizedError(ClusterError):
    """The credentials are not accepted."""


class ForbiddenError(ClusterError):
    """The account lacks a permission."""


class NotFoundError(ClusterError):
    """There is no such object or kind."""


class ConflictError(ClusterError):
    """It exists already, or has changed."""


class GoneError(ClusterError):
    """The resource version is no longer kept."""


class InvalidError(ClusterError):
    """The object or the question is malformed."""


_BY_STATUS: Mapping[int, type[ClusterError]] = {
    400: InvalidError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
}


def error_of(status: int, body: bytes, what: str) -> ClusterError:
    """The error of an answer that is no success.

    Parameters
    ----------
    body
        A Kubernetes ``Status`` if the API server speaks, anything if a proxy does.
    what
        What was asked, such as ``GET /api/v1/nodes``.
    """
    try:
        told = json.loads(body)
        message = str(told.get("message", "")) if isinstance(told, dict) else ""
    except ValueError:
        message = ""
    if status == 401 and message in ("", "Unauthorized"):
        message = "the credentials are not accepted"
    kind = _BY_STATUS.get(status, ClusterError)
    return kind(f"{what}: HTTP {status}{f': {message}' if message else ''}")

"""Questions whose answers spell once what nodes have in common."""

from __future__ import annotations

from typing import TypeVar

from binwright.v1 import provisioning_service_pb2

_Request = TypeVar(
    "_Request", provisioning_service_pb2.SolveRequest, provisioning_service_pb2.SolveStreamRequest
)


def wanting_shapes(request: _Request) -> _Request:
    """A copy of the request that asks for node shapes; `binwright_server.shapes` makes the answer whole."""
    asked = type(request)()
    asked.CopyFrom(request)
    asked.params.wants_node_shapes = True
    return asked

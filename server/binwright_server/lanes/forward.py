"""Passes calls on to a lane, messages unread."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

Context = grpc.aio.ServicerContext[Any, Any]


def forwarded(service: ServiceDescriptor, channel: grpc.aio.Channel) -> grpc.GenericRpcHandler:
    """Handlers of a service that ask the same of the server behind the channel.

    Deadlines and cancellation go with the call. A status that is no success is raised as
    `grpc.aio.AioRpcError`, for the interceptor to pass on with all its details.
    """
    handlers = {method.name: _handler(method, channel) for method in service.methods}
    return grpc.method_handlers_generic_handler(service.full_name, handlers)


def _handler(method: MethodDescriptor, channel: grpc.aio.Channel) -> grpc.RpcMethodHandler[bytes, bytes]:
    path = f"/{method.containing_service.full_name}/{method.name}"
    assert not method.client_streaming, "our services have unary requests only"
    if method.server_streaming:
        stream: Any = channel.unary_stream(path)

        async def pass_stream(request: bytes, context: Context) -> AsyncIterator[bytes]:
            call = stream(request, timeout=context.time_remaining(), wait_for_ready=True)
            try:
                async for response in call:
                    yield response
            finally:
                call.cancel()

        return grpc.unary_stream_rpc_method_handler(pass_stream)
    unary: Any = channel.unary_unary(path)

    async def pass_unary(request: bytes, context: Context) -> bytes:
        response: bytes = await unary(request, timeout=context.time_remaining(), wait_for_ready=True)
        return response

    return grpc.unary_unary_rpc_method_handler(pass_unary)

"""Parts of GPUs and claimed devices."""

from __future__ import annotations

from collections.abc import Iterable

from binwright.v1 import devices_pb2
from binwright_optimizer.model.cel import DeviceSelector
from binwright_optimizer.model.claims import DeviceClaim, DeviceRequest
from binwright_optimizer.model.gpu_sharing import (
    LEAST_MILLI,
    WHOLE_GPU_MILLI,
    GpuShare,
    GpuSharing,
    SharingStrategy,
)

from binwright_server.convert.violations import Violations

_STRATEGIES = {strategy.value: strategy for strategy in SharingStrategy}


def gpu_share_from_message(message: devices_pb2.GpuShare, path: str, out: Violations) -> GpuShare | None:
    """The share, or None if it is wrong."""
    unstated = LEAST_MILLI if message.memory_bytes else WHOLE_GPU_MILLI
    return out.build(path, lambda: GpuShare(message.milli or unstated, message.memory_bytes))


def gpu_sharing_from_message(message: devices_pb2.GpuSharing, path: str, out: Violations) -> GpuSharing:
    """How a pool shares its GPUs; the default if it is wrong."""
    strategy = out.choose(f"{path}.strategy", message.strategy, _STRATEGIES, SharingStrategy.FRACTION)
    if strategy is None:
        return GpuSharing()
    mig = message.mig if message.HasField("mig") else True
    return out.build(path, lambda: GpuSharing(strategy, message.replicas or 1, mig)) or GpuSharing()


def device_claims_from_messages(
    messages: Iterable[devices_pb2.DeviceClaim], path: str, out: Violations
) -> tuple[DeviceClaim, ...]:
    """The claims; wrong ones are recorded and left out."""
    claims = (_claim(message, f"{path}[{k}]", out) for k, message in enumerate(messages))
    return tuple(claim for claim in claims if claim is not None)


def _claim(message: devices_pb2.DeviceClaim, path: str, out: Violations) -> DeviceClaim | None:
    before = len(out.found)
    requests = tuple(
        tuple(
            request
            for n, alternative in enumerate(request_message.first_available)
            if (request := _request(alternative, f"{path}.requests[{k}].first_available[{n}]", out))
        )
        for k, request_message in enumerate(message.requests)
    )
    if len(out.found) > before:
        return None
    attributes = tuple(message.match_attributes)
    return out.build(
        path,
        lambda: DeviceClaim(message.name, requests, attributes, message.title, message.node, message.missing),
    )


def _request(message: devices_pb2.DeviceSubRequest, path: str, out: Violations) -> DeviceRequest | None:
    selectors = []
    for k, text in enumerate(message.selectors):
        try:
            selectors.append(DeviceSelector(text))
        except ValueError as error:
            out.add(f"{path}.selectors[{k}]", text, str(error))
    count = message.count if message.HasField("count") else 1
    return out.build(
        path,
        lambda: DeviceRequest(
            message.name, message.device_class, tuple(selectors), count, message.admin_access
        ),
    )

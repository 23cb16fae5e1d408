"""Parts of GPUs and claimed devices."""

from __future__ import annotations

from collections.abc import Iterable

from binwright.v1 import devices_pb2
from binwright_optimizer.model.claims import (
    AttributeValue,
    Comparison,
    DeviceClaim,
    DeviceCondition,
    DeviceProperty,
    DeviceRequest,
)
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI, GpuShare, GpuSharing, SharingStrategy

from binwright_server.convert.violations import Violations

LEAST_MILLI = 1
"""Thousandths of a device for pods that share by memory alone."""

_STRATEGIES = {strategy.value: strategy for strategy in SharingStrategy}
_PROPERTIES = {prop.value: prop for prop in DeviceProperty}
_COMPARISONS = {comparison.value: comparison for comparison in Comparison}


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
    return out.build(path, lambda: DeviceClaim(message.name, requests, attributes))


def _request(message: devices_pb2.DeviceSubRequest, path: str, out: Violations) -> DeviceRequest | None:
    conditions = tuple(
        condition
        for k, condition_message in enumerate(message.conditions)
        if (condition := _condition(condition_message, f"{path}.conditions[{k}]", out))
    )
    count = message.count if message.HasField("count") else 1
    return out.build(path, lambda: DeviceRequest(message.name, message.device_class, conditions, count))


def _condition(message: devices_pb2.DeviceCondition, path: str, out: Violations) -> DeviceCondition | None:
    prop = out.choose(f"{path}.property", message.property, _PROPERTIES)
    comparison = out.choose(f"{path}.comparison", message.comparison, _COMPARISONS)
    values = [_value(value, f"{path}.values[{k}]", out) for k, value in enumerate(message.values)]
    known = tuple(value for value in values if value is not None)
    if prop is None or comparison is None or len(known) < len(values):
        return None
    return out.build(path, lambda: DeviceCondition(prop, comparison, known, message.name))


def _value(message: devices_pb2.DeviceValue, path: str, out: Violations) -> AttributeValue | None:
    match message.WhichOneof("value"):
        case "text":
            return message.text
        case "number":
            return message.number
        case "flag":
            return message.flag
    out.add(path, "", "must hold a text, a number or a truth value")
    return None

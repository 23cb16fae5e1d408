"""Dynamic resource allocation: devices that pods claim by class and by conditions.

Structured parameters of ``resource.k8s.io`` (https://kubernetes.io/docs/concepts/scheduling-eviction/
dynamic-resource-allocation/). Of the CEL expressions in selectors the subset is understood that
`DeviceCondition` can say: comparisons of the driver, an attribute or a capacity with a constant,
joined by ``&&``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.gpus import WHOLE_DEVICES
from binwright_optimizer.model.offerings import InstanceType
from binwright_optimizer.model.resources import MAX_AMOUNT

AttributeValue = str | int | bool
"""Value of a device attribute; versions are compared as text."""

MOST_DEVICES = 32
"""Devices of one request, as Kubernetes' AllocationResultsMaxSize."""


class DeviceProperty(StrEnum):
    """What a condition looks at."""

    DRIVER = "driver"
    ATTRIBUTE = "attribute"
    CAPACITY = "capacity"


class Comparison(StrEnum):
    """How a condition compares."""

    EQUAL = "=="
    NOT_EQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    IN = "in"


@dataclass(frozen=True, slots=True)
class Device:
    """What a node's device shows: the side of `DeviceCondition` that is sold.

    Parameters
    ----------
    attributes, capacity
        By qualified name, such as ``gpu.nvidia.com/productName``; capacities in whole units (bytes).
    """

    driver: str
    attributes: Mapping[str, AttributeValue]
    capacity: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class DeviceCondition:
    """One comparison that a device must pass; a device without the property passes none.

    Parameters
    ----------
    name
        Qualified name of the attribute or capacity; empty for the driver.
    values
        One constant, or several for `Comparison.IN`; for capacities whole units.
    """

    property: DeviceProperty
    comparison: Comparison
    values: tuple[AttributeValue, ...]
    name: str = ""

    def __post_init__(self) -> None:
        if (self.property is DeviceProperty.DRIVER) is bool(self.name):
            raise WrongFieldError("name", self.name, "must name the attribute or capacity, if any")
        if not self.values or (len(self.values) > 1 and self.comparison is not Comparison.IN):
            raise WrongFieldError("values", list(self.values), f"does not fit {self.comparison}")
        kinds = {type(value) for value in self.values}
        if len(kinds) > 1:
            raise WrongFieldError("values", list(self.values), "must be of one type")
        kind = next(iter(kinds))
        if self.property is DeviceProperty.CAPACITY and (
            kind is not int or not all(0 <= int(v) <= MAX_AMOUNT for v in self.values)
        ):
            raise WrongFieldError("values", list(self.values), "must be amounts of a capacity")
        if kind is not int and self.comparison not in (Comparison.EQUAL, Comparison.NOT_EQUAL, Comparison.IN):
            raise WrongFieldError("comparison", self.comparison, "compares numbers only")

    def admits(self, device: Device) -> bool:
        """Whether the device passes."""
        found: AttributeValue | None
        match self.property:
            case DeviceProperty.DRIVER:
                found = device.driver
            case DeviceProperty.ATTRIBUTE:
                found = device.attributes.get(self.name)
            case DeviceProperty.CAPACITY:
                found = device.capacity.get(self.name)
        wanted = self.values[0]
        if found is None or type(found) is not type(wanted):
            return False
        match self.comparison:
            case Comparison.EQUAL | Comparison.IN:
                return found in self.values
            case Comparison.NOT_EQUAL:
                return found != wanted
        number, limit = int(found), int(wanted)
        match self.comparison:
            case Comparison.LESS:
                return number < limit
            case Comparison.AT_MOST:
                return number <= limit
            case Comparison.GREATER:
                return number > limit
        return number >= limit

    def __str__(self) -> str:
        shown = ", ".join(map(repr, self.values))
        return f"{self.name or self.property} {self.comparison} {shown}"


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """Devices of one class; the conditions of its DeviceClass are among its own.

    Parameters
    ----------
    count
        Devices; 0 means all that a node has and the conditions admit, at least one.
    """

    name: str
    device_class: str
    conditions: tuple[DeviceCondition, ...] = ()
    count: int = 1

    def __post_init__(self) -> None:
        if not self.name:
            raise WrongFieldError("name", "", "must not be empty")
        if not 0 <= self.count <= MOST_DEVICES:
            raise WrongFieldError("count", self.count, f"must be in 0..{MOST_DEVICES}, 0 for all")

    def admits(self, device: Device) -> bool:
        """Whether the device passes every condition."""
        return all(condition.admits(device) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class DeviceClaim:
    """A ResourceClaim as a pod uses it.

    Parameters
    ----------
    name
        Claim that pods share, within their namespace; empty if each pod has its own (a template).
    requests
        Each an ordered choice of alternatives (``firstAvailable``), of which one must be met.
    match_attributes
        Attributes that must be equal on all devices of the claim.
    """

    name: str = ""
    requests: tuple[tuple[DeviceRequest, ...], ...] = ()
    match_attributes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for index, alternatives in enumerate(self.requests):
            if not alternatives:
                raise WrongFieldError(f"requests[{index}]", "", "needs at least one alternative")


_DRIVERS = {
    "nvidia": "gpu.nvidia.com",
    "amd": "gpu.amd.com",
    "habana": "gaudi.intel.com",
    "aws": "neuron.aws.com",
}


def device_of(instance_type: InstanceType, manufacturer: str) -> Device | None:
    """The device that an instance type has ``gpu_count`` of, as its maker's DRA driver shows it.

    Only what a catalogue knows before a node exists is shown: attributes ``type`` (``gpu``) and
    ``model`` (our canonical name), capacity ``memory``.
    """
    driver = _DRIVERS.get(manufacturer)
    if not instance_type.gpu_count or driver is None:
        return None
    capacity = {f"{driver}/memory": instance_type.gpu_memory_bytes} if instance_type.gpu_memory_bytes else {}
    return Device(driver, {f"{driver}/type": "gpu", f"{driver}/model": instance_type.gpu_model}, capacity)


def shown_device(instance_type: InstanceType) -> Device | None:
    """The device of an instance type, its maker told by the resource that counts its devices."""
    makers = (maker for resource, maker in WHOLE_DEVICES.items() if instance_type.allocatable[resource])
    maker = next(makers, None)
    return None if maker is None else device_of(instance_type, maker)

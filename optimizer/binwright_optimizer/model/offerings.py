"""What a cloud sells: instance types and their priced offerings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.model.resources import Resources
from binwright_optimizer.model.volumes import AttachLimit


class CapacityType(StrEnum):
    """How a node is bought, in Karpenter's words."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"
    RESERVED = "reserved"


@dataclass(frozen=True, slots=True)
class PriceSource:
    """Where a price comes from. ``date`` is ISO 8601; ``is_estimate`` marks derived prices."""

    name: str
    date: str
    is_estimate: bool = False


@dataclass(frozen=True, slots=True)
class Offering:
    """An instance type in one zone under one capacity type, at a price.

    Parameters
    ----------
    price_microusd_per_hour
        Exact micro-dollars per hour.
    available
        Nodes that can still be bought; None means no known limit.
    interruption_ppm_per_month
        Expected share of its nodes that the cloud takes back within a month, parts per million; None
        if it is not known. Only spot capacity is taken back.
    """

    region: str
    zone: str
    capacity_type: CapacityType
    price_microusd_per_hour: int
    source: PriceSource
    available: int | None = None
    interruption_ppm_per_month: int | None = None


@dataclass(frozen=True, slots=True)
class InstanceType:
    """A hardware shape with everything it is offered as.

    Parameters
    ----------
    capacity
        Raw amounts; NodePool limits count these.
    allocatable
        What pods and daemons may use.
    labels
        Sorted pairs that every node of this type carries, without region, zone and
        capacity type, which come from the offering.
    gpu_model
        Accelerator model in one spelling for all clouds; empty without accelerator.
    attach_limits
        Volumes by CSI driver that a node takes; a driver that is not named is not limited.
    """

    name: str
    cloud: str
    arch: str
    capacity: Resources
    allocatable: Resources
    labels: tuple[tuple[str, str], ...]
    offerings: tuple[Offering, ...]
    os: str = "linux"
    gpu_model: str = ""
    gpu_count: int = 0
    gpu_memory_bytes: int = 0
    attach_limits: tuple[AttachLimit, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Catalog:
    """Instance types of one cloud or file; compared by identity, so it can key caches.

    ``digest`` identifies the contents: name, regions and source dates for an embedded
    catalogue, a hash for a file.
    """

    name: str
    instance_types: tuple[InstanceType, ...]
    digest: str = ""

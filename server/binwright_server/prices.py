"""What a node costs an hour, from its labels and the embedded catalogues."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from binwright_optimizer import catalog as embedded
from binwright_optimizer.errors import CatalogError
from binwright_optimizer.model import CapacityType, InstanceType, Offering, PriceSource, Resources, labels
from binwright_optimizer.model.quantity import parse_price
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU

HOURLY_PRICE = "binwright.dev/hourly-price"
"""Label or annotation with the price of a node in dollars an hour; it overrides every catalogue."""

_CAPACITY_TYPE_LABELS = (
    labels.CAPACITY_TYPE,
    "eks.amazonaws.com/capacityType",
    "node.kubernetes.io/lifecycle",
    "kubernetes.azure.com/scalesetpriority",
    "cloud.google.com/gke-provisioning",
)
_SPOT_FLAGS = ("cloud.google.com/gke-spot", "cloud.google.com/gke-preemptible")
_SPOT_WORDS = frozenset({"spot", "preemptible"})

_DEFAULT_REGIONS = {"aws": "us-east-1", "gcp": "us-central1", "azure": "eastus"}
"""Where a type is looked up whose node does not tell its region."""

MICROUSD_PER_CPU_MILLI = 35.7
MICROUSD_PER_GIB = 3_420.0
MICROUSD_PER_GPU = 328_000.0
"""Prices of nodes that no catalogue knows. The first two solve c5 = 0.0425 and r5 = 0.063 $/h a vCPU
(2 and 8 GiB each; AWS us-east-1, on demand) and give m5 to 3 %; the last is what g4dn.xlarge costs
beyond its vCPUs and memory."""

_GIB = 2**30
_MICROUSD_MOST = 10**13


@dataclass(frozen=True, slots=True)
class NodePrice:
    """A price and where it comes from.

    Parameters
    ----------
    origin
        The same as text.
    refusal
        Why a price stated on the node was not taken, empty if it was or none is stated.
    is_known
        False where it was derived from the node's resources.
    capacity_type, source
        Of the offering whose price it is; prices of other origins have no source, and no age.
    """

    microusd_per_hour: int
    origin: str
    is_known: bool = True
    capacity_type: CapacityType = CapacityType.ON_DEMAND
    source: PriceSource | None = None
    refusal: str = ""


def node_price(
    node_labels: Mapping[str, str], capacity: Resources, annotations: Mapping[str, str] | None = None
) -> NodePrice:
    """What a node costs.

    The annotation or label `HOURLY_PRICE` decides; else the catalogue, by instance type, region, zone
    and capacity type; else an estimate from the node's resources.

    Examples
    --------
    >>> t4 = {"node.kubernetes.io/instance-type": "g4dn.xlarge", "topology.kubernetes.io/region": "us-east-1"}
    >>> node_price(t4, Resources()).microusd_per_hour
    526000
    """
    stated = (annotations or {}).get(HOURLY_PRICE) or node_labels.get(HOURLY_PRICE)
    refusal = ""
    if stated:
        try:
            return NodePrice(parse_price(stated), HOURLY_PRICE)
        except ValueError as error:
            refusal = f"{HOURLY_PRICE}={stated!r} {error}"
    instance_type = node_labels.get(labels.INSTANCE_TYPE, "")
    region, zone = node_labels.get(labels.REGION, ""), node_labels.get(labels.ZONE, "")
    wanted = capacity_type_of(node_labels)
    found = _catalogue_price(instance_type, region, zone, wanted) if instance_type else None
    if found is not None:
        return replace(found, refusal=refusal)
    about = f"no catalogue sells {instance_type}" if instance_type else "no instance type is told"
    origin = f"estimated from its resources: {about}"
    return NodePrice(estimated_price(capacity), origin, is_known=False, refusal=refusal)


def capacity_type_of(node_labels: Mapping[str, str]) -> CapacityType:
    """How the node was bought, as Karpenter, EKS, GKE and AKS label it; on demand if nothing tells.

    >>> capacity_type_of({"eks.amazonaws.com/capacityType": "SPOT"}).value
    'spot'
    """
    for key in _CAPACITY_TYPE_LABELS:
        word = node_labels.get(key, "").lower()
        if word in _SPOT_WORDS:
            return CapacityType.SPOT
        if word == CapacityType.RESERVED.value:
            return CapacityType.RESERVED
    if any(node_labels.get(key) == "true" for key in _SPOT_FLAGS):
        return CapacityType.SPOT
    return CapacityType.ON_DEMAND


def estimated_price(capacity: Resources) -> int:
    """Micro-dollars an hour by vCPU, memory and GPUs; at least one, so that no node is free."""
    gpus = sum(amount for name, amount in capacity if name == NVIDIA_GPU or name.endswith("/gpu"))
    price = (
        MICROUSD_PER_CPU_MILLI * capacity[CPU]
        + MICROUSD_PER_GIB * capacity[MEMORY] / _GIB
        + MICROUSD_PER_GPU * gpus
    )
    return max(1, min(_MICROUSD_MOST, round(price)))


@lru_cache(maxsize=65_536)
def _catalogue_price(instance_type: str, region: str, zone: str, wanted: CapacityType) -> NodePrice | None:
    for cloud, place, note in _places(region, zone):
        sold = _types(cloud, place).get(instance_type)
        if sold is None:
            continue
        return _of_offerings(cloud, sold, zone, wanted, note)
    return None


def _places(region: str, zone: str) -> tuple[tuple[str, str, str], ...]:
    """Clouds and regions to look in, each with a remark."""
    for cloud in embedded.clouds():
        for known in _regions(cloud):
            if region == known or (not region and zone.startswith(known)):
                return ((cloud, known, ""),)
    remark = f", region {region} is not in the catalogue" if region else ", no region is told"
    return tuple((cloud, place, remark) for cloud, place in _DEFAULT_REGIONS.items())


@lru_cache(maxsize=8)
def _regions(cloud: str) -> tuple[str, ...]:
    """Regions of a cloud, longest first: a zone begins with the name of its region."""
    return tuple(sorted(embedded.regions(cloud), key=lambda region: (-len(region), region)))


@lru_cache(maxsize=128)
def _types(cloud: str, region: str) -> dict[str, InstanceType]:
    try:
        catalog = embedded.embedded_catalog(cloud, (region,))
    except CatalogError:  # the region a nameless node is looked up in may not be in the data
        return {}
    return {sold.name: sold for sold in catalog.instance_types}


def _of_offerings(
    cloud: str, sold: InstanceType, zone: str, wanted: CapacityType, note: str
) -> NodePrice | None:
    def cheapest(capacity_type: CapacityType) -> Offering | None:
        of_type = [o for o in sold.offerings if o.capacity_type is capacity_type]
        in_zone = [o for o in of_type if o.zone == zone]
        return min(in_zone or of_type, key=lambda o: o.price_microusd_per_hour, default=None)

    found = cheapest(wanted)
    if found is None:  # reserved nodes, and types without a spot price
        found = cheapest(CapacityType.ON_DEMAND)
        note += f", the on-demand price as no {wanted.value} one is known"
    if found is None:
        return None
    kind = "estimate" if found.source.is_estimate else "price"
    origin = f"{cloud} {found.region} {found.capacity_type.value} {kind} of {found.source.date}{note}"
    return NodePrice(
        found.price_microusd_per_hour, origin, capacity_type=found.capacity_type, source=found.source
    )

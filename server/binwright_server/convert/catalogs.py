"""Catalogues: embedded ones by name, inline ones in full."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache

from binwright.v1 import catalog_pb2
from binwright_optimizer.errors import CatalogError
from binwright_optimizer.model import labels as label_keys
from binwright_optimizer.model.offerings import (
    CapacityType,
    Catalog,
    InstanceType,
    Offering,
    PriceSource,
)
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD
from binwright_optimizer.model.resources import PODS, Resources
from binwright_optimizer.model.spot import PPM
from binwright_optimizer.model.unsold import SoldOut

from binwright_server.convert.amounts import amounts_from_map, resources_from_map, resources_to_map
from binwright_server.convert.selection import labels_from_map
from binwright_server.convert.violations import Violations, entry
from binwright_server.convert.volumes import attach_limits_from_messages, attach_limits_to_messages

MAX_AVAILABLE = 10**9
"""Largest number of nodes an offering may have left; more means no limit."""

CAPACITY_TYPES = {capacity_type.value: capacity_type for capacity_type in CapacityType}

UNKNOWN_SOURCE = PriceSource("request", "")
"""Source of an inline price that names none."""


def catalog_from_message(message: catalog_pb2.CatalogSource, path: str, out: Violations) -> Catalog | None:
    """The catalogue, or None if it is wrong."""
    which = message.WhichOneof("source")
    if which == "embedded":
        return embedded_from_message(message.embedded, f"{path}.embedded", out)
    if which == "inline":
        catalog, violations = _inline_catalog(message.inline.SerializeToString(deterministic=True), path)
        for violation in violations.found:
            out.append(violation)
        return catalog
    out.add(path, "", "must name an embedded catalogue or carry an inline one")
    return None


def sold_out_from_messages(
    messages: Iterable[catalog_pb2.SoldOut], path: str, out: Violations
) -> frozenset[SoldOut]:
    """What cannot be bought; wrong ones are recorded and left out."""
    found = set()
    for k, message in enumerate(messages):
        if not message.instance_type:
            out.add(f"{path}[{k}].instance_type", "", "must not be empty")
        elif message.capacity_type and message.capacity_type not in CAPACITY_TYPES:
            known = ", ".join(CAPACITY_TYPES)
            out.add(f"{path}[{k}].capacity_type", message.capacity_type, f"must be empty or one of {known}")
        else:
            bought = CAPACITY_TYPES.get(message.capacity_type)
            found.add(SoldOut(message.instance_type, message.zone, bought))
    return frozenset(found)


def embedded_from_message(message: catalog_pb2.EmbeddedCatalog, path: str, out: Violations) -> Catalog | None:
    """The embedded catalogue, narrowed down, or None if a name is unknown."""
    # Imported on first use: a problem with an inline catalogue never loads the embedded data.
    from binwright_optimizer import catalog as embedded

    if message.cloud not in embedded.clouds():
        out.add(f"{path}.cloud", message.cloud, f"must be one of {', '.join(embedded.clouds())}")
        return None
    regions, types, exclude = tuple(message.regions), tuple(message.instance_types), tuple(message.exclude)
    if not regions:
        out.add(f"{path}.regions", "", "must name at least one region")
        return None
    try:
        return embedded.embedded_catalog(message.cloud, regions, types, exclude)
    except CatalogError as error:
        whole = error

    # Something is wrong; ask for one name at a time to tell which.
    def blame(field: str, name: str, *arguments: tuple[str, ...]) -> bool:
        try:
            embedded.embedded_catalog(message.cloud, *arguments)
        except CatalogError as error:
            out.add(field, name, str(error))
            return True
        return False

    bad = [blame(f"{path}.regions[{k}]", r, (r,)) for k, r in enumerate(regions)]
    if not any(bad):
        bad += [blame(f"{path}.instance_types[{k}]", t, regions, (t,)) for k, t in enumerate(types)]
        bad += [blame(f"{path}.exclude[{k}]", e, regions, (), (e,)) for k, e in enumerate(exclude)]
    if not any(bad):
        out.add(f"{path}.exclude", ", ".join(exclude), str(whole))
    return None


def catalog_query_from_message(
    message: catalog_pb2.EmbeddedCatalog,
    min_allocatable: Mapping[str, str],
    capacity_types: Iterable[str],
) -> tuple[Catalog, Resources, frozenset[CapacityType]]:
    """What a listing asks for: the catalogue, least amounts and capacity types (none: all).

    Raises
    ------
    InvalidProblemError
        With every wrong field.
    """
    out = Violations()
    catalog = embedded_from_message(message, "catalog", out)
    least = resources_from_map(min_allocatable, "min_allocatable", out)
    wanted = capacity_types_from_texts(capacity_types, "capacity_types", out)
    out.check()
    assert catalog is not None, "a catalogue is missing only where a violation was recorded"
    return catalog, least, frozenset(wanted)


def capacity_types_from_texts(texts: Iterable[str], path: str, out: Violations) -> list[CapacityType]:
    """The capacity types; unknown ones are recorded and left out."""
    found = []
    for k, text in enumerate(texts):
        if text in CAPACITY_TYPES:
            found.append(CAPACITY_TYPES[text])
        else:
            out.add(f"{path}[{k}]", text, f"must be one of {', '.join(CAPACITY_TYPES)}")
    return found


@lru_cache(maxsize=16)
def _inline_catalog(serialised: bytes, path: str) -> tuple[Catalog, Violations]:
    """The catalogue that ``serialised`` spells, the same object for the same bytes.

    Solvers keep what they derive from a catalogue by its identity, so that a client that sends
    its catalogue with every request pays for it once.
    """
    message = catalog_pb2.InlineCatalog.FromString(serialised)
    out = Violations()
    types = []
    first_index: dict[str, int] = {}
    for k, type_message in enumerate(message.instance_types):
        at = f"{path}.inline.instance_types[{k}]"
        first = first_index.setdefault(type_message.name, k)
        if not type_message.name:
            out.add(f"{at}.name", "", "must not be empty")
        elif first != k:
            out.add(f"{at}.name", type_message.name, f"is already the name of instance_types[{first}]")
        types.append(_instance_type(type_message, at, out))
    digest = hashlib.sha256(serialised).hexdigest()
    return Catalog(message.name or "inline", tuple(types), digest), out


def _instance_type(message: catalog_pb2.InstanceType, path: str, out: Violations) -> InstanceType:
    allocatable = _allocatable(message, path, out)
    arch, os = message.arch or "amd64", message.os or "linux"
    labels = dict(labels_from_map(message.labels, f"{path}.labels", out))
    implied = {
        label_keys.ARCH: arch,
        label_keys.OS: os,
        label_keys.INSTANCE_TYPE: message.name,
        label_keys.GPU_MODEL: message.gpu.model,
        label_keys.CLOUD: message.cloud,
    }
    for key, value in implied.items():
        if value and labels.setdefault(key, value) != value:
            out.add(entry(f"{path}.labels", key), labels[key], f"contradicts the instance type's {value}")
    for key in (label_keys.REGION, label_keys.ZONE, label_keys.CAPACITY_TYPE):
        if key in labels:
            out.add(entry(f"{path}.labels", key), labels[key], "is given by each offering")
    if message.gpu.count < 0:
        out.add(f"{path}.gpu.count", message.gpu.count, "must not be negative")
    if message.gpu.memory_bytes < 0:
        out.add(f"{path}.gpu.memory_bytes", message.gpu.memory_bytes, "must not be negative")
    return InstanceType(
        name=message.name,
        cloud=message.cloud,
        arch=arch,
        capacity=_capacity(message, allocatable, path, out),
        allocatable=allocatable,
        labels=tuple(sorted(labels.items())),
        offerings=_offerings(message.offerings, f"{path}.offerings", out),
        os=os,
        gpu_model=message.gpu.model,
        gpu_count=message.gpu.count,
        gpu_memory_bytes=message.gpu.memory_bytes,
        attach_limits=attach_limits_from_messages(message.attach_limits, f"{path}.attach_limits", out),
    )


def _allocatable(message: catalog_pb2.InstanceType, path: str, out: Violations) -> Resources:
    if not message.allocatable:
        out.add(f"{path}.allocatable", "", "must name at least one resource")
    amounts = amounts_from_map(message.allocatable, f"{path}.allocatable", out)
    if amounts.get(PODS) == 0:
        at = entry(f"{path}.allocatable", PODS)
        out.add(at, message.allocatable[PODS], "must be at least 1; leave it out if slots are not limited")
    return Resources.of(amounts)


def _capacity(
    message: catalog_pb2.InstanceType, allocatable: Resources, path: str, out: Violations
) -> Resources:
    if not message.capacity:
        return allocatable
    capacity = amounts_from_map(message.capacity, f"{path}.capacity", out)
    for name, amount in allocatable:
        if amount > capacity.get(name, amount):
            at = entry(f"{path}.allocatable", name)
            out.add(at, message.allocatable[name], f"is above the capacity, {message.capacity[name]}")
    return Resources.of(dict(allocatable) | capacity)  # what capacity does not name equals allocatable


def _offerings(messages: Iterable[catalog_pb2.Offering], path: str, out: Violations) -> tuple[Offering, ...]:
    offerings = []
    first_index: dict[tuple[str, str, str], int] = {}
    for k, message in enumerate(messages):
        at = f"{path}[{k}]"
        price = message.price_microusd_per_hour
        if not 0 <= price <= MAX_PRICE_MICROUSD:
            out.add(f"{at}.price_microusd_per_hour", price, f"must be in 0..{MAX_PRICE_MICROUSD}")
        if message.HasField("available") and not 0 <= message.available <= MAX_AVAILABLE:
            out.add(f"{at}.available", message.available, f"must be in 0..{MAX_AVAILABLE}, or unset")
        capacity_type = CAPACITY_TYPES.get(message.capacity_type)
        first = first_index.setdefault((message.region, message.zone, message.capacity_type), k)
        if capacity_type is None:
            known = ", ".join(CAPACITY_TYPES)
            out.add(f"{at}.capacity_type", message.capacity_type, f"must be one of {known}")
            continue
        if first != k:
            shown = f"{message.region} {message.zone} {message.capacity_type}"
            out.add(at, shown, f"is the same region, zone and capacity type as offerings[{first}]")
        source = message.price_source
        offerings.append(
            Offering(
                region=message.region,
                zone=message.zone,
                capacity_type=capacity_type,
                price_microusd_per_hour=price,
                source=PriceSource(source.name, source.date, source.is_estimate)
                if message.HasField("price_source")
                else UNKNOWN_SOURCE,
                available=message.available if message.HasField("available") else None,
                interruption_ppm_per_month=_interruption(message, at, out),
            )
        )
    return tuple(offerings)


def _interruption(message: catalog_pb2.Offering, path: str, out: Violations) -> int | None:
    if not message.HasField("interruption_ppm_per_month"):
        return None
    rate = message.interruption_ppm_per_month
    if not 0 <= rate <= PPM:
        out.add(f"{path}.interruption_ppm_per_month", rate, f"must be in 0..{PPM}, or unset")
    elif message.capacity_type != CapacityType.SPOT:
        out.add(f"{path}.interruption_ppm_per_month", rate, "is understood of spot offerings only")
    return rate


def instance_type_to_message(
    instance_type: InstanceType, offerings: Iterable[Offering]
) -> catalog_pb2.InstanceType:
    """The instance type with the given ones of its offerings."""
    message = catalog_pb2.InstanceType(
        name=instance_type.name,
        cloud=instance_type.cloud,
        arch=instance_type.arch,
        os=instance_type.os,
        capacity=resources_to_map(instance_type.capacity),
        allocatable=resources_to_map(instance_type.allocatable),
        labels=dict(instance_type.labels),
        offerings=[_offering_to_message(offering) for offering in offerings],
        attach_limits=attach_limits_to_messages(instance_type.attach_limits),
    )
    if instance_type.gpu_count or instance_type.gpu_model:
        message.gpu.model = instance_type.gpu_model
        message.gpu.count = instance_type.gpu_count
        message.gpu.memory_bytes = instance_type.gpu_memory_bytes
    return message


def _offering_to_message(offering: Offering) -> catalog_pb2.Offering:
    return catalog_pb2.Offering(
        region=offering.region,
        zone=offering.zone,
        capacity_type=offering.capacity_type.value,
        price_microusd_per_hour=offering.price_microusd_per_hour,
        available=offering.available,
        interruption_ppm_per_month=offering.interruption_ppm_per_month,
        price_source=price_source_to_message(offering.source),
    )


def price_source_to_message(source: PriceSource) -> catalog_pb2.PriceSource:
    """The source of a price."""
    return catalog_pb2.PriceSource(name=source.name, date=source.date, is_estimate=source.is_estimate)

"""What changes a catalogue or is held already: NodeOverlays, reservations, savings plans."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import replace

from binwright.v1 import problem_pb2
from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.commitments import Reservation, SavingsPlan
from binwright_optimizer.model.offerings import CapacityType, Catalog, Offering, PriceSource
from binwright_optimizer.model.overlays import NodeOverlay, PriceChange, overlaid
from binwright_optimizer.model.quantity import parse_price
from binwright_optimizer.model.requirements import Requirement
from binwright_optimizer.model.resources import Resources

from binwright_server.convert.amounts import amounts_from_map
from binwright_server.convert.selection import refuse_contradiction, requirement_from_message
from binwright_server.convert.violations import Violations

_CAPACITY_TYPES = {kind.value: kind for kind in (CapacityType.RESERVED, CapacityType.ON_DEMAND)}

HELD = PriceSource("reservation held", "")
"""Source of the price of reserved capacity that is paid already."""


def with_overlays(catalog: Catalog, messages: Sequence[problem_pb2.NodeOverlay], out: Violations) -> Catalog:
    """The catalogue with the NodeOverlays applied; as it is if one is wrong."""
    out.refuse_repeated("node_overlays", "name", (message.name for message in messages))
    found = [_overlay(message, f"node_overlays[{k}]", out) for k, message in enumerate(messages)]
    overlays = tuple(overlay for overlay in found if overlay is not None)
    if len(overlays) < len(found):
        return catalog
    return out.build("node_overlays", lambda: overlaid(catalog, overlays)) or catalog


def _overlay(message: problem_pb2.NodeOverlay, path: str, out: Violations) -> NodeOverlay | None:
    before = len(out.found)
    requirements = _requirements(message.requirements, f"{path}.requirements", out)
    capacity = amounts_from_map(message.capacity, f"{path}.capacity", out)
    price = _price_change(message, path, out)
    if not message.price and not message.price_adjustment and not message.capacity:
        out.add(path, message.name, "changes nothing: it needs a price, a price adjustment or a capacity")
    if len(out.found) > before:
        return None
    return out.build(
        path, lambda: NodeOverlay(message.name, requirements, message.weight, price, Resources.of(capacity))
    )


def _price_change(message: problem_pb2.NodeOverlay, path: str, out: Violations) -> PriceChange | None:
    if message.price and message.price_adjustment:
        out.add(f"{path}.price_adjustment", message.price_adjustment, "goes without a price: give one")
        return None
    try:
        if message.price:
            return PriceChange(absolute_microusd=parse_price(message.price))
        if message.price_adjustment:
            return PriceChange.parse(message.price_adjustment)
    except WrongFieldError as error:
        out.add(f"{path}.{error.field}", message.price or message.price_adjustment, error.description)
    except ValueError as error:
        field = "price" if message.price else "price_adjustment"
        out.add(f"{path}.{field}", message.price or message.price_adjustment, str(error))
    return None


def _requirements(
    messages: Sequence[problem_pb2.Requirement], path: str, out: Violations
) -> tuple[Requirement, ...]:
    found = [requirement_from_message(message, f"{path}[{k}]", out) for k, message in enumerate(messages)]
    requirements = tuple(requirement for requirement in found if requirement is not None)
    refuse_contradiction(requirements, path, out)
    return requirements


def with_reservations(
    catalog: Catalog, messages: Sequence[problem_pb2.Reservation], out: Violations
) -> tuple[Catalog, tuple[Reservation, ...]]:
    """The catalogue with the capacity reserved in one zone as offerings, and all other reservations."""
    out.refuse_repeated("reservations", "name", (message.name for message in messages))
    types = {kind.name: k for k, kind in enumerate(catalog.instance_types)}
    others: list[Reservation] = []
    zonal: list[tuple[int, Reservation]] = []
    prices: dict[tuple[int, str, str], int] = {}
    before = len(out.found)
    for k, message in enumerate(messages):
        path = f"reservations[{k}]"
        kind = out.choose(
            f"{path}.capacity_type", message.capacity_type, _CAPACITY_TYPES, CapacityType.RESERVED
        )
        reservation = None if kind is None else _reservation(message, kind, path, out)
        if reservation is None:
            continue
        if reservation.instance_type not in types:
            missing = f"catalogue {catalog.name} has no such instance type"
            out.add(f"{path}.instance_type", reservation.instance_type, missing)
            continue
        offerings = catalog.instance_types[types[reservation.instance_type]].offerings
        if not any(reservation.zone in ("", o.zone) and o.region == reservation.region for o in offerings):
            where = f"{reservation.region} {reservation.zone}".strip()
            out.add(f"{path}.zone", where, f"{reservation.instance_type} is not sold there")
        elif reservation.zone and reservation.capacity_type is CapacityType.RESERVED:
            if any(
                o.capacity_type is CapacityType.RESERVED
                and (o.region, o.zone) == (reservation.region, reservation.zone)
                for o in offerings
            ):
                out.add(path, reservation.name, "the catalogue offers reserved capacity there already")
            place = (types[reservation.instance_type], reservation.region, reservation.zone)
            price = prices.setdefault(place, reservation.price_microusd_per_hour)
            if price != reservation.price_microusd_per_hour:
                other = f"another reservation of the same type and zone costs {price}"
                out.add(f"{path}.price_microusd_per_hour", reservation.price_microusd_per_hour, other)
            zonal.append((types[reservation.instance_type], reservation))
        else:
            others.append(reservation)
    if len(out.found) > before or not zonal:
        return catalog, tuple(others)
    return _reserved(catalog, tuple(zonal)), tuple(others)


def _reservation(
    message: problem_pb2.Reservation, kind: CapacityType, path: str, out: Violations
) -> Reservation | None:
    return out.build(
        path,
        lambda: Reservation(
            name=message.name,
            instance_type=message.instance_type,
            region=message.region,
            count=message.count,
            zone=message.zone,
            capacity_type=kind,
            price_microusd_per_hour=message.price_microusd_per_hour,
        ),
    )


_RESERVED: weakref.WeakKeyDictionary[Catalog, dict[tuple[tuple[int, Reservation], ...], Catalog]] = (
    weakref.WeakKeyDictionary()
)
MOST_RESERVED = 16
"""Forms with reservations kept per catalogue."""


def _reserved(catalog: Catalog, zonal: tuple[tuple[int, Reservation], ...]) -> Catalog:
    """The catalogue with an offering for each reservation; the same object for the same arguments.

    Several reservations of one type and zone are one offering with the sum of their counts.
    """
    kept = _RESERVED.setdefault(catalog, {})
    known = kept.get(zonal)
    if known is not None:
        return known
    types = list(catalog.instance_types)
    counts: dict[tuple[int, str, str], tuple[int, int]] = {}
    for index, reservation in zonal:
        key = (index, reservation.region, reservation.zone)
        count, _ = counts.get(key, (0, 0))
        counts[key] = (count + reservation.count, reservation.price_microusd_per_hour)
    for (index, region, zone), (count, price) in counts.items():
        offering = Offering(region, zone, CapacityType.RESERVED, price, HELD, available=count)
        types[index] = replace(types[index], offerings=(*types[index].offerings, offering))
    if len(kept) >= MOST_RESERVED:
        kept.clear()
    digest = hashlib.sha256(repr((catalog.digest, zonal)).encode()).hexdigest()
    known = kept[zonal] = Catalog(catalog.name, tuple(types), digest)
    return known


def savings_plans_from_messages(
    messages: Sequence[problem_pb2.SavingsPlan], out: Violations
) -> tuple[SavingsPlan, ...]:
    """The plans; wrong ones are recorded and left out."""
    out.refuse_repeated("savings_plans", "name", (message.name for message in messages))
    plans = (_savings_plan(message, f"savings_plans[{k}]", out) for k, message in enumerate(messages))
    return tuple(plan for plan in plans if plan is not None)


def _savings_plan(message: problem_pb2.SavingsPlan, path: str, out: Violations) -> SavingsPlan | None:
    requirements = _requirements(message.requirements, f"{path}.requirements", out)
    return out.build(
        path,
        lambda: SavingsPlan(message.name, message.microusd_per_hour, message.discount_ppm, requirements),
    )

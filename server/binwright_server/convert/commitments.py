"""What changes a catalogue or is held already: NodeOverlays, reservations, savings plans."""

from __future__ import annotations

from collections.abc import Sequence

from binwright.v1 import problem_pb2
from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.commitments import Reservation, SavingsPlan
from binwright_optimizer.model.offerings import CapacityType, Catalog
from binwright_optimizer.model.overlays import NodeOverlay, PriceChange, overlaid
from binwright_optimizer.model.quantity import parse_price
from binwright_optimizer.model.requirements import Requirement
from binwright_optimizer.model.resources import Resources

from binwright_server.convert.amounts import amounts_from_map
from binwright_server.convert.selection import refuse_contradiction, requirement_from_message
from binwright_server.convert.violations import Violations

_MOST_NAMED = 10
"""Regions that are named where one is to be chosen."""
_CAPACITY_TYPES = {kind.value: kind for kind in (CapacityType.RESERVED, CapacityType.ON_DEMAND)}


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


def reservations_from_messages(
    catalog: Catalog, messages: Sequence[problem_pb2.Reservation], out: Violations
) -> tuple[Reservation, ...]:
    """The reservations; wrong ones, such as of types that nobody sells there, are recorded and left out."""
    if not messages:
        return ()
    out.refuse_repeated("reservations", "name", (message.name for message in messages))
    types = {kind.name: kind for kind in catalog.instance_types}
    regions = sorted({offering.region for kind in catalog.instance_types for offering in kind.offerings})
    found: list[Reservation] = []
    for k, message in enumerate(messages):
        path = f"reservations[{k}]"
        kind = out.choose(
            f"{path}.capacity_type", message.capacity_type, _CAPACITY_TYPES, CapacityType.RESERVED
        )
        region = _region(message, regions, catalog.name, path, out)
        reservation = (
            None if kind is None or region is None else _reservation(message, kind, region, path, out)
        )
        if reservation is None:
            continue
        if reservation.instance_type not in types:
            missing = f"catalogue {catalog.name} has no such instance type"
            out.add(f"{path}.instance_type", reservation.instance_type, missing)
            continue
        offerings = types[reservation.instance_type].offerings
        if not any(o.region == reservation.region for o in offerings):
            out.add(f"{path}.region", reservation.region, f"{reservation.instance_type} is not sold there")
            continue
        if not any(reservation.zone in ("", o.zone) and o.region == reservation.region for o in offerings):
            where = f"{reservation.region} {reservation.zone}".strip()
            out.add(f"{path}.zone", where, f"{reservation.instance_type} is not sold there")
            continue
        found.append(reservation)
    return tuple(found)


def _region(
    message: problem_pb2.Reservation, regions: Sequence[str], catalog: str, path: str, out: Violations
) -> str | None:
    """Region that is meant: that of the catalogue where none is named; None if it is wrong.

    Parameters
    ----------
    regions
        Those of the catalogue; an empty one stands for offerings without any.
    """
    if message.region and regions == [""]:
        out.add(f"{path}.region", message.region, f"catalogue {catalog} names no regions: leave it out")
        return None
    if message.region or "" in regions or not regions:
        return message.region
    if len(regions) > 1:
        known = ", ".join(regions[:_MOST_NAMED]) + (", ..." if len(regions) > _MOST_NAMED else "")
        out.add(f"{path}.region", "", f"must be given, as catalogue {catalog} has several: {known}")
        return None
    return regions[0]


def _reservation(
    message: problem_pb2.Reservation, kind: CapacityType, region: str, path: str, out: Violations
) -> Reservation | None:
    return out.build(
        path,
        lambda: Reservation(
            name=message.name,
            instance_type=message.instance_type,
            region=region,
            count=message.count,
            zone=message.zone,
            capacity_type=kind,
            price_microusd_per_hour=message.price_microusd_per_hour,
        ),
    )


def savings_plans_from_messages(
    messages: Sequence[problem_pb2.SavingsPlan], taken: Sequence[str], out: Violations
) -> tuple[SavingsPlan, ...]:
    """The plans; wrong ones are recorded and left out.

    Parameters
    ----------
    taken
        Names of the reservations: one name is one commitment.
    """
    out.refuse_repeated("savings_plans", "name", (message.name for message in messages))
    for k, message in enumerate(messages):
        if message.name in taken:
            out.add(f"savings_plans[{k}].name", message.name, "is already the name of a reservation")
    plans = (_savings_plan(message, f"savings_plans[{k}]", out) for k, message in enumerate(messages))
    return tuple(plan for plan in plans if plan is not None)


def _savings_plan(message: problem_pb2.SavingsPlan, path: str, out: Violations) -> SavingsPlan | None:
    requirements = _requirements(message.requirements, f"{path}.requirements", out)
    return out.build(
        path,
        lambda: SavingsPlan(message.name, message.microusd_per_hour, message.discount_ppm, requirements),
    )

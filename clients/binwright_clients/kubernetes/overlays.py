"""Karpenter NodeOverlays: prices and extended resources that a user knows better."""

from __future__ import annotations

from binwright_optimizer.model.overlays import PriceChange
from binwright_optimizer.model.quantity import parse_price

from binwright_clients.kubernetes.objects import ManifestObject
from binwright_clients.kubernetes.quantities import read_quantities
from binwright_clients.kubernetes.requirements import read_requirements, requirement_message

_HEAVIEST = 10_000


def add_node_overlay(overlay: ManifestObject) -> None:
    """Add a NodeOverlay to the assembly of its object; mistakes are reported there."""
    spec = overlay.spec
    message = overlay.assembly.add_node_overlay(overlay.origin)
    message.name = overlay.name
    requirements = read_requirements(spec.get("requirements") or [], "spec.requirements", overlay.problem)
    message.requirements.extend(map(requirement_message, requirements))
    weight = spec.get("weight")
    if weight is not None:
        if not 1 <= weight <= _HEAVIEST:
            overlay.problem("spec.weight", str(weight), f"must be from 1 to {_HEAVIEST}")
        else:
            message.weight = weight
    price, adjustment = spec.get("price") or "", spec.get("priceAdjustment") or ""
    if price and adjustment:
        overlay.problem("spec.priceAdjustment", adjustment, "goes without a price: give one of both")
    elif price:
        try:
            parse_price(price)
            message.price = price
        except ValueError as error:
            overlay.problem("spec.price", price, str(error))
    elif adjustment:
        try:
            PriceChange.parse(adjustment)
            message.price_adjustment = adjustment
        except ValueError as error:
            description = getattr(error, "description", str(error))
            overlay.problem("spec.priceAdjustment", adjustment, description)
    for resource, text in read_quantities(spec.get("capacity"), "spec.capacity", overlay.problem).items():
        message.capacity[resource] = text

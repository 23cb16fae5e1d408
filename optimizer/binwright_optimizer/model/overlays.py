"""NodeOverlays: prices and extended resources that a user knows better than the catalogue.

Karpenter's ``karpenter.sh/v1alpha1`` NodeOverlay (https://karpenter.sh/docs/concepts/nodeoverlays/).
They are applied to the catalogue when a problem is read, so that nothing below knows of them.
"""

from __future__ import annotations

import hashlib
import re
import weakref
from dataclasses import dataclass, replace

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model import labels
from binwright_optimizer.model.offerings import Catalog, InstanceType, Offering, PriceSource
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD, parse_price
from binwright_optimizer.model.requirements import Requirement
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, Resources
from binwright_optimizer.model.spot import PPM

STANDARD_RESOURCES = (CPU, MEMORY, EPHEMERAL_STORAGE, PODS)
"""Resources that an overlay must leave alone."""

_PERCENT = re.compile(r"^[+-](\d{1,5})(?:\.(\d{1,4}))?%$", re.ASCII)

MOST_OVERLAID = 16
"""Overlaid forms kept per catalogue."""


@dataclass(frozen=True, slots=True)
class PriceChange:
    """A new price, or a change of the catalogue's: times (PPM + ``ppm``) / PPM, plus ``microusd``.

    Examples
    --------
    >>> PriceChange(ppm=-100_000).applied_to(2_000_000), PriceChange(microusd=-50).applied_to(20)
    (1800000, 0)
    """

    absolute_microusd: int | None = None
    microusd: int = 0
    ppm: int = 0

    def __post_init__(self) -> None:
        if self.absolute_microusd is not None and (self.microusd or self.ppm):
            raise WrongFieldError("price_adjustment", self, "goes without a price: give one of both")
        if self.absolute_microusd is not None and not 0 <= self.absolute_microusd <= MAX_PRICE_MICROUSD:
            raise WrongFieldError("price", self.absolute_microusd, f"must be in 0..{MAX_PRICE_MICROUSD}")
        if not -PPM <= self.ppm <= 1_000 * PPM:
            raise WrongFieldError("price_adjustment", f"{self.ppm / 10_000:g}%", "must be -100% or more")
        if abs(self.microusd) > MAX_PRICE_MICROUSD:
            raise WrongFieldError("price_adjustment", self.microusd, "is too large")

    @classmethod
    def parse(cls, text: str) -> PriceChange:
        """The change that Karpenter's ``priceAdjustment`` spells: ``+10%``, ``-0.5``.

        Raises
        ------
        ValueError
            If the text is neither, or out of range.

        Examples
        --------
        >>> PriceChange.parse("-12.5%").applied_to(1_000_000), PriceChange.parse("+0.5").applied_to(0)
        (875000, 500000)
        """
        if text[:1] not in ("+", "-"):
            raise ValueError("must begin with + or -, such as +10% or -0.5")
        sign = -1 if text[0] == "-" else 1
        if not text.endswith("%"):
            return cls(microusd=sign * parse_price(text[1:]))
        match = _PERCENT.match(text)
        if match is None:
            raise ValueError("is no percentage such as +10% or -2.5%")
        return cls(ppm=sign * (int(match[1]) * 10_000 + int((match[2] or "").ljust(4, "0"))))

    def applied_to(self, price: int) -> int:
        """The price after it, micro-dollars, rounded half up and never below zero."""
        if self.absolute_microusd is not None:
            return self.absolute_microusd
        changed = (price * (PPM + self.ppm) + PPM // 2) // PPM + self.microusd
        return min(MAX_PRICE_MICROUSD, max(0, changed))


@dataclass(frozen=True, slots=True)
class NodeOverlay:
    """Changes to the instance types and offerings whose labels satisfy ``requirements``.

    Of several that match, the heaviest one decides about the price and about each resource. ``capacity``
    belongs to an instance type as a whole: it is given to a type of which any offering matches.
    """

    name: str
    requirements: tuple[Requirement, ...] = ()
    weight: int = 0
    price: PriceChange | None = None
    capacity: Resources = Resources()

    def __post_init__(self) -> None:
        if not self.name:
            raise WrongFieldError("name", "", "must not be empty")
        if not 0 <= self.weight <= 10_000:
            raise WrongFieldError("weight", self.weight, "must be in 0..10000")
        for resource, _ in self.capacity:
            if resource in STANDARD_RESOURCES:
                raise WrongFieldError(
                    f"capacity[{resource}]", resource, "overlays add extended resources only"
                )

    def matches(self, node_labels: dict[str, str]) -> bool:
        """Whether nodes with these labels are changed."""
        return all(requirement.admits(node_labels.get(requirement.key)) for requirement in self.requirements)


_OVERLAID: weakref.WeakKeyDictionary[Catalog, dict[tuple[NodeOverlay, ...], Catalog]] = (
    weakref.WeakKeyDictionary()
)


def overlaid(catalog: Catalog, overlays: tuple[NodeOverlay, ...]) -> Catalog:
    """The catalogue with the overlays applied; the same object for the same arguments.

    Raises
    ------
    WrongFieldError
        If two overlays of one weight say different things of one offering, or one matches nothing.
        ``field`` starts with ``[k]``, the index of the overlay.
    """
    if not overlays:
        return catalog
    kept = _OVERLAID.setdefault(catalog, {})
    if overlays not in kept:
        if len(kept) >= MOST_OVERLAID:
            kept.clear()
        kept[overlays] = _overlaid(catalog, overlays)
    return kept[overlays]


def _overlaid(catalog: Catalog, overlays: tuple[NodeOverlay, ...]) -> Catalog:
    # Heaviest first; of equal weight in the order of their names, as in Karpenter.
    order = sorted(range(len(overlays)), key=lambda k: (-overlays[k].weight, overlays[k].name))
    matched: set[int] = set()
    types = tuple(_overlaid_type(kind, overlays, order, matched) for kind in catalog.instance_types)
    for index, overlay in enumerate(overlays):
        if index not in matched:
            raise WrongFieldError(
                f"[{index}].requirements",
                overlay.name,
                f"the catalogue {catalog.name} sells nothing that matches this NodeOverlay",
            )
    digest = hashlib.sha256(repr((catalog.digest, overlays)).encode()).hexdigest()
    return Catalog(catalog.name, types, digest)


def _overlaid_type(
    kind: InstanceType, overlays: tuple[NodeOverlay, ...], order: list[int], matched: set[int]
) -> InstanceType:
    offerings = []
    of_type: dict[int, None] = {}
    for offering in kind.offerings:
        node_labels = {
            **dict(kind.labels),
            labels.REGION: offering.region,
            labels.ZONE: offering.zone,
            labels.CAPACITY_TYPE: offering.capacity_type.value,
        }
        matching = [k for k in order if overlays[k].matches(node_labels)]
        of_type.update(dict.fromkeys(matching))
        offerings.append(_priced(offering, kind.name, [k for k in matching if overlays[k].price], overlays))
    matched.update(of_type)
    capacity = _added_capacity(kind.name, [k for k in order if k in of_type], overlays)
    if not capacity and all(a is b for a, b in zip(offerings, kind.offerings, strict=True)):
        return kind
    return replace(
        kind,
        offerings=tuple(offerings),
        capacity=Resources.of(dict(kind.capacity) | capacity),
        allocatable=Resources.of(dict(kind.allocatable) | capacity),
    )


def _priced(
    offering: Offering, name: str, matching: list[int], overlays: tuple[NodeOverlay, ...]
) -> Offering:
    if not matching:
        return offering
    first = overlays[matching[0]]
    for k in matching[1:]:
        if overlays[k].weight == first.weight and overlays[k].price != first.price:
            raise WrongFieldError(
                f"[{k}].weight",
                first.weight,
                f"NodeOverlay {first.name} of the same weight prices {name} otherwise",
            )
    assert first.price is not None
    source = PriceSource(f"NodeOverlay {first.name}", offering.source.date, is_estimate=True)
    price = first.price.applied_to(offering.price_microusd_per_hour)
    return replace(offering, price_microusd_per_hour=price, source=source)


def _added_capacity(name: str, matching: list[int], overlays: tuple[NodeOverlay, ...]) -> dict[str, int]:
    added: dict[str, int] = {}
    by: dict[str, NodeOverlay] = {}
    for k in matching:
        for resource, amount in overlays[k].capacity:
            first = by.setdefault(resource, overlays[k])
            if first.weight == overlays[k].weight and added.setdefault(resource, amount) != amount:
                raise WrongFieldError(
                    f"[{k}].weight",
                    first.weight,
                    f"NodeOverlay {first.name} of the same weight gives {name} another amount of {resource}",
                )
    return added

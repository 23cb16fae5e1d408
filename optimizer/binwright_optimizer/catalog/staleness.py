"""Whether the prices of a decision are old."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

from binwright_optimizer.model.decision import NodeClaim
from binwright_optimizer.model.offerings import CapacityType, Catalog, PriceSource

MAX_AGE_DAYS = 30
"""On-demand and reserved prices move a few times a year."""

MAX_SPOT_AGE_DAYS = 7
"""Spot prices move daily, by a few per cent."""


def stale_price_warnings(
    claims: Iterable[NodeClaim],
    catalog: Catalog,
    today: datetime.date,
    max_age_days: int = MAX_AGE_DAYS,
    max_spot_age_days: int = MAX_SPOT_AGE_DAYS,
) -> tuple[str, ...]:
    """One line for the on-demand and one for the spot prices paid, where the oldest is too old.

    A price whose source has no date, such as that of a table of one's own, is not judged.
    """
    paid = {(claim.instance_type, claim.region, claim.zone, claim.capacity_type) for claim in claims}
    wanted = {name for name, *_ in paid}
    sources = (
        (offering.capacity_type, offering.source)
        for sold in catalog.instance_types
        if sold.name in wanted
        for offering in sold.offerings
        if (sold.name, offering.region, offering.zone, offering.capacity_type) in paid
    )
    return stale_source_warnings(sources, today, max_age_days, max_spot_age_days)


def stale_source_warnings(
    sources: Iterable[tuple[CapacityType, PriceSource]],
    today: datetime.date,
    max_age_days: int = MAX_AGE_DAYS,
    max_spot_age_days: int = MAX_SPOT_AGE_DAYS,
) -> tuple[str, ...]:
    """The same for prices of which only the capacity types and the sources are known."""
    oldest: dict[bool, tuple[int, PriceSource]] = {}
    for capacity_type, source in sources:
        age = _age_days(source.date, today)
        if age is not None:
            is_spot = capacity_type is CapacityType.SPOT
            found = (age, source)
            oldest[is_spot] = max(oldest.get(is_spot, found), found, key=lambda pair: pair[0])
    lines = []
    for is_spot, limit in ((False, max_age_days), (True, max_spot_age_days)):
        if is_spot in oldest and oldest[is_spot][0] > limit:
            age, source = oldest[is_spot]
            kind = "spot" if is_spot else "on-demand"
            lines.append(
                f"{kind} prices are up to {age} days old ({source.name}, {source.date}); "
                f"over {limit} days is stale: binwright catalog refresh"
            )
    return tuple(lines)


def _age_days(date: str, today: datetime.date) -> int | None:
    """Days since an ISO 8601 date; None if it is none."""
    try:
        return (today - datetime.date.fromisoformat(date[:10])).days
    except ValueError:
        return None

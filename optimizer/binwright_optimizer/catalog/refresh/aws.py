"""What AWS sells today in some regions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from binwright_optimizer.catalog import aws as nodes
from binwright_optimizer.catalog.embedded import embedded_catalog
from binwright_optimizer.catalog.refresh.aws_instance_types import row_of
from binwright_optimizer.catalog.refresh.aws_questions import Aws, Session
from binwright_optimizer.catalog.refresh.cache import AnswerCache
from binwright_optimizer.catalog.refresh.refreshed import RefreshedCatalog, assemble, count_note
from binwright_optimizer.catalog.tables import INSTANCE_TYPES, read_rows
from binwright_optimizer.errors import CatalogError
from binwright_optimizer.model.offerings import CapacityType, InstanceType, Offering, PriceSource
from binwright_optimizer.model.quantity import parse_price

ON_DEMAND_SOURCE = "AWS Price List API"
SPOT_SOURCE = "EC2 spot price history"


def refresh_aws(
    session: Session,
    regions: Sequence[str],
    *,
    now: datetime,
    cache: AnswerCache,
    with_spot: bool = True,
    on_step: Callable[[str], None] | None = None,
) -> RefreshedCatalog:
    """Instance types, zones and prices of some regions as AWS tells them ``now``.

    Parameters
    ----------
    with_spot
        Ask for spot prices too.
    on_step
        Called with what is asked next.

    Raises
    ------
    RefreshError
        If AWS cannot be reached or refuses.

    Notes
    -----
    A price is dated by the day on which it was asked: the spot price history gives the price in force,
    however long ago it last moved. Local Zones and Wavelength Zones, which have prices of their own, are
    left out.
    """
    date = now.date().isoformat()
    day = now.strftime("%Y-%m-%d")
    types: dict[str, InstanceType] = {}
    offerings: dict[str, list[Offering]] = {}
    no_node: set[str] = set()
    unnamed: set[str] = set()
    unpriced: set[str] = set()
    extra = _columns_ec2_does_not_tell()
    for region in dict.fromkeys(regions):
        aws = Aws(session, region)

        def told(what: str, ask: Callable[[], Any], region: str = region) -> Any:
            if on_step is not None:
                on_step(f"aws {region}: {what}")
            return cache.get(f"aws {region} {what} {day}", ask)

        for described in told("instance types", aws.instance_types):
            row = row_of(described)
            if row is None:
                no_node.add(described["InstanceType"])
                continue
            row |= extra.get(row["instance_type"], {})
            try:
                types.setdefault(row["instance_type"], nodes.instance_type(row))
            except ValueError:  # an accelerator newer than this program
                unnamed.add(row["instance_type"])
        zones = _zones(region, told("zones", aws.zones))
        on_demand = told("on-demand prices", aws.on_demand_prices)
        spot = {}
        if with_spot:
            listed = told("spot prices", partial(aws.spot_prices, now))
            spot = {(name, zone): dollars for name, zone, dollars in listed}
        rates = _interruption_rates(region)
        for name in sorted(zones.keys() & types.keys()):
            found = _offerings(name, region, zones[name], on_demand, spot, date, rates.get(name))
            offerings.setdefault(name, []).extend(found)
            if not found:
                unpriced.add(name)
    notes = count_note(sorted(no_node), "that cannot be nodes")
    notes += count_note(sorted(unnamed), "with an accelerator that is not known here")
    notes += count_note(sorted(unpriced), "without a price")
    return RefreshedCatalog(assemble("aws", regions, types.values(), offerings, date), notes)


def _offerings(
    name: str,
    region: str,
    zones: Sequence[str],
    on_demand: Mapping[str, str],
    spot: Mapping[tuple[str, str], str],
    date: str,
    interruption_ppm_per_month: int | None,
) -> list[Offering]:
    bought = []
    for zone in zones:
        for capacity_type, dollars, source in (
            (CapacityType.ON_DEMAND, on_demand.get(name), ON_DEMAND_SOURCE),
            (CapacityType.SPOT, spot.get((name, zone)), SPOT_SOURCE),
        ):
            if dollars is not None:
                price = parse_price(dollars)
                bought.append(
                    Offering(
                        region,
                        zone,
                        capacity_type,
                        price,
                        PriceSource(source, date),
                        interruption_ppm_per_month=interruption_ppm_per_month
                        if capacity_type is CapacityType.SPOT
                        else None,
                    )
                )
    return bought


def _interruption_rates(region: str) -> dict[str, int]:
    """Rates of the Spot Advisor by type, which no interface of AWS tells: those of the embedded catalogue."""
    try:
        sold = embedded_catalog("aws", [region]).instance_types
    except CatalogError:
        return {}  # a region newer than this program
    return {
        each.name: offering.interruption_ppm_per_month
        for each in sold
        for offering in each.offerings
        if offering.interruption_ppm_per_month is not None
    }


def _zones(region: str, pairs: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Availability zones by instance type, sorted."""
    own = re.compile(re.escape(region) + "[a-z]")
    zones: dict[str, list[str]] = {}
    for name, zone in sorted(map(tuple, pairs)):
        if own.fullmatch(zone):
            zones.setdefault(name, []).append(zone)
    return zones


def _columns_ec2_does_not_tell() -> dict[str, dict[str, str]]:
    """Branch network interfaces (``pod_eni``) by type, which only the embedded table knows."""
    rows = read_rows(INSTANCE_TYPES.format(cloud="aws"))
    return {row["instance_type"]: {"pod_eni": row["pod_eni"]} for row in rows}

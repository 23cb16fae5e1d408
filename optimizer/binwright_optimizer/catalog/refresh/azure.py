"""What Azure sells today in some regions: the Retail Prices API on the embedded instance types.

https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices: public, no
key, pages of ``Items`` linked by ``NextPageLink``.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from binwright_optimizer.catalog import azure as nodes
from binwright_optimizer.catalog.refresh.cache import AnswerCache
from binwright_optimizer.catalog.refresh.json_client import JsonClient
from binwright_optimizer.catalog.refresh.refreshed import (
    RefreshedCatalog,
    RefreshError,
    assemble,
    count_note,
)
from binwright_optimizer.catalog.tables import INSTANCE_TYPES, read_rows
from binwright_optimizer.catalog.zones import zones_of
from binwright_optimizer.model.offerings import CapacityType, Offering, PriceSource
from binwright_optimizer.model.quantity import parse_price

ENDPOINT = "https://prices.azure.com/api/retail/prices"
SOURCE = "Azure Retail Prices API"
MAX_PAGES = 1_000
"""A region has some 20 pages of virtual machine prices; more than this is a loop."""

Item = Mapping[str, Any]


def refresh_azure(
    client: JsonClient,
    regions: Sequence[str],
    *,
    now: datetime,
    cache: AnswerCache,
    endpoint: str = ENDPOINT,
    with_spot: bool = True,
    on_step: Callable[[str], None] | None = None,
) -> RefreshedCatalog:
    """Prices of some regions as Azure tells them ``now``; shapes and zones are the embedded ones.

    Raises
    ------
    RefreshError
        If a region is unknown or the endpoint does not answer as documented.
    """
    date = now.date().isoformat()
    types = {
        row["instance_type"]: nodes.instance_type(row)
        for row in read_rows(INSTANCE_TYPES.format(cloud="azure"))
    }
    offerings: dict[str, list[Offering]] = {}
    unknown: set[str] = set()
    for region in dict.fromkeys(regions):
        try:
            zones = zones_of("azure", region)
        except KeyError:
            raise RefreshError(f"azure has no region {region!r} that we know the zones of") from None
        if on_step is not None:
            on_step(f"azure {region}: prices")
        items = cache.get(
            f"azure {region} prices {date} {endpoint}",
            partial(_items, client, endpoint, region),
        )
        prices = _prices(items, date)
        for (name, capacity_type), dollars in sorted(prices.items()):
            if name not in types:
                unknown.add(name)
            elif with_spot or capacity_type is not CapacityType.SPOT:
                price = parse_price(dollars)
                offerings.setdefault(name, []).extend(
                    Offering(region, zone, capacity_type, price, PriceSource(SOURCE, date)) for zone in zones
                )
    notes = count_note(sorted(unknown), "of unknown shape")
    return RefreshedCatalog(assemble("azure", regions, types.values(), offerings, date), notes)


def _items(client: JsonClient, endpoint: str, region: str) -> list[Item]:
    """Consumption prices of virtual machines, reduced to the fields that are used."""
    wanted = (
        f"serviceName eq 'Virtual Machines' and priceType eq 'Consumption' and armRegionName eq '{region}'"
    )
    query = urllib.parse.urlencode({"api-version": "2023-01-01-preview", "$filter": wanted})
    url: str | None = f"{endpoint}?{query}"
    host = urllib.parse.urlsplit(endpoint).hostname
    items: list[Item] = []
    for _ in range(MAX_PAGES):
        page = client.get(url or "")
        if not isinstance(page, dict) or not isinstance(page.get("Items"), list):
            raise RefreshError(f"{endpoint} answered without Items")
        items += [{key: item.get(key) for key in _FIELDS} for item in page["Items"]]
        url = page.get("NextPageLink")
        if not url:
            return items
        if urllib.parse.urlsplit(url).hostname != host:
            raise RefreshError(f"{endpoint} links to a page on another host")
    raise RefreshError(f"{endpoint} has more than {MAX_PAGES} pages")


_FIELDS = (
    "armSkuName", "currencyCode", "effectiveStartDate", "isPrimaryMeterRegion", "meterName",
    "productName", "retailPrice", "skuName", "type", "unitOfMeasure",
)  # fmt: skip


def _prices(items: Sequence[Item], date: str) -> dict[tuple[str, CapacityType], str]:
    """Dollars an hour as text of Linux machines, by size and capacity type.

    Of several prices in force the primary meter's counts, then the latest, then the higher one.
    """
    best: dict[tuple[str, CapacityType], tuple[tuple[bool, str, float], float]] = {}
    for item in items:
        product, words = item["productName"] or "", f"{item['skuName']} {item['meterName']}"
        starts = (item["effectiveStartDate"] or "")[:10]
        if (
            not item["armSkuName"]
            or item["type"] != "Consumption"
            or item["unitOfMeasure"] != "1 Hour"
            or (item["currencyCode"] or "USD") != "USD"
            or "Windows" in product
            or "Cloud Services" in product
            or "CloudServices" in product
            or "Low Priority" in words
            or starts > date
        ):
            continue
        dollars = float(item["retailPrice"])
        if dollars <= 0:
            continue
        capacity_type = CapacityType.SPOT if "Spot" in words else CapacityType.ON_DEMAND
        rank = (bool(item["isPrimaryMeterRegion"]), starts, dollars)
        key = (str(item["armSkuName"]), capacity_type)
        best[key] = max(best.get(key, (rank, dollars)), (rank, dollars))
    return {key: f"{dollars:.9f}" for key, (_, dollars) in best.items()}

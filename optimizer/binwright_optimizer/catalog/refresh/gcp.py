"""What Google Cloud sells today in some regions: the Cloud Billing Catalog on the embedded shapes.

https://cloud.google.com/billing/docs/reference/rest/v1/services.skus/list, with an API key. Google
prices cores, memory and GPUs; a machine's price is their sum. Machine types whose price has a
part beyond these (local SSDs, shared cores) are left out rather than priced too low.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from binwright_optimizer.catalog import gcp as nodes
from binwright_optimizer.catalog.embedded import embedded_catalog
from binwright_optimizer.catalog.refresh.cache import AnswerCache
from binwright_optimizer.catalog.refresh.json_client import JsonClient
from binwright_optimizer.catalog.refresh.refreshed import (
    RefreshedCatalog,
    RefreshError,
    assemble,
    count_note,
)
from binwright_optimizer.catalog.tables import INSTANCE_TYPES, read_rows
from binwright_optimizer.model.gpus import gpu_model_with_memory
from binwright_optimizer.model.offerings import CapacityType, Offering, PriceSource
from binwright_optimizer.model.quantity import MICROUSD

ENDPOINT = "https://cloudbilling.googleapis.com/v1/services/6F81-5844-456A/skus"
"""SKUs of Compute Engine."""

SOURCE = "Google Cloud Billing Catalog API"
MAX_PAGES = 200

_INSTANCE = re.compile(
    r"^(?:Spot Preemptible )?(?P<family>[A-Z]\d[A-Z]?) (?:Predefined |AMD |Arm |Memory-optimized )*"
    r"Instance (?P<part>Core|Ram) running in "
)
_OLD_NAMES = (
    (re.compile(r"^(?:Spot Preemptible )?Compute optimized (?P<part>Core|Ram) running in "), "c2"),
    (re.compile(r"^(?:Spot Preemptible )?Memory-optimized Instance (?P<part>Core|Ram) running in "), "m1"),
)
_GPU = re.compile(r"^Nvidia (?:Tesla )?(?P<model>.+?) GPU (?:attached to Spot Preemptible VMs )?running in ")
_CAPACITY_TYPES = {"OnDemand": CapacityType.ON_DEMAND, "Preemptible": CapacityType.SPOT}

Sku = Mapping[str, Any]
Price = tuple[str, str, CapacityType]
"""What is priced: family or GPU model, ``Core``, ``Ram`` or ``Gpu``, and how it is bought."""


def refresh_gcp(
    client: JsonClient,
    regions: Sequence[str],
    *,
    api_key: str,
    now: datetime,
    cache: AnswerCache,
    endpoint: str = ENDPOINT,
    with_spot: bool = True,
    on_step: Callable[[str], None] | None = None,
) -> RefreshedCatalog:
    """Prices of some regions as Google tells them ``now``; shapes and zones are the embedded ones.

    Raises
    ------
    CatalogError
        If a region is unknown.
    RefreshError
        If the key is refused, or the endpoint does not answer as documented.
    """
    date = now.date().isoformat()
    if on_step is not None:
        on_step("gcp: prices of all regions")
    skus = cache.get(f"gcp skus {date} {endpoint}", lambda: list(_skus(client, endpoint, api_key)))
    rows = list(read_rows(INSTANCE_TYPES.format(cloud="gcp")))
    types = {row["instance_type"]: nodes.instance_type(row) for row in rows}
    offerings: dict[str, list[Offering]] = {}
    for region in dict.fromkeys(regions):
        # Google prices families by region whether or not a machine type is sold there.
        zones = {
            sold.name: tuple(dict.fromkeys(offering.zone for offering in sold.offerings))
            for sold in embedded_catalog("gcp", [region]).instance_types
        }
        prices = _prices(skus, region)
        for row in rows:
            for capacity_type in CapacityType.ON_DEMAND, CapacityType.SPOT:
                if capacity_type is CapacityType.SPOT and not with_spot:
                    continue
                price = _price(row, capacity_type, prices)
                if price is not None and row["instance_type"] in zones:
                    offerings.setdefault(row["instance_type"], []).extend(
                        Offering(region, zone, capacity_type, price, PriceSource(SOURCE, date))
                        for zone in zones[row["instance_type"]]
                    )
    notes = count_note(
        sorted(types.keys() - offerings.keys()), "without a price made of cores, memory and GPUs"
    )
    return RefreshedCatalog(assemble("gcp", regions, types.values(), offerings, date), notes)


def _skus(client: JsonClient, endpoint: str, api_key: str) -> Iterator[Sku]:
    """SKUs of cores, memory and GPUs, reduced to the fields that are used."""
    token = ""
    for _ in range(MAX_PAGES):
        query = {"key": api_key, "pageSize": "5000"} | ({"pageToken": token} if token else {})
        page = client.get(f"{endpoint}?{urllib.parse.urlencode(query)}")
        if not isinstance(page, dict) or not isinstance(page.get("skus"), list):
            raise RefreshError(f"{endpoint} answered without skus")
        for sku in page["skus"]:
            if sku.get("category", {}).get("resourceFamily") == "Compute":
                yield {
                    "description": sku.get("description", ""),
                    "usageType": sku["category"].get("usageType", ""),
                    "serviceRegions": sku.get("serviceRegions", []),
                    "pricingInfo": sku.get("pricingInfo", [])[-1:],
                }
        token = page.get("nextPageToken") or ""
        if not token:
            return
    raise RefreshError(f"{endpoint} has more than {MAX_PAGES} pages")


def _prices(skus: Sequence[Sku], region: str) -> dict[Price, Fraction]:
    """Dollars an hour of a core, a GiB or a GPU."""
    prices: dict[Price, Fraction] = {}
    for sku in skus:
        capacity_type = _CAPACITY_TYPES.get(sku["usageType"])
        if capacity_type is None or region not in sku["serviceRegions"]:
            continue
        priced = _priced(sku["description"])
        dollars = _dollars(sku)
        if priced is not None and dollars:
            key = (*priced, capacity_type)
            # Never too low where two SKUs fit.
            prices[key] = max(prices.get(key, dollars), dollars)
    return prices


def _priced(description: str) -> tuple[str, str] | None:
    """What a SKU is the price of.

    Examples
    --------
    >>> _priced("Spot Preemptible N2D AMD Instance Ram running in Iowa")
    ('n2d', 'Ram')
    >>> _priced("Nvidia Tesla T4 GPU running in Americas")
    ('t4', 'Gpu')
    >>> _priced("N2 Custom Instance Core running in Americas")
    """
    match = _INSTANCE.match(description)
    if match:
        return match["family"].lower(), match["part"]
    for pattern, family in _OLD_NAMES:
        match = pattern.match(description)
        if match:
            return family, match["part"]
    match = _GPU.match(description)
    if match is None:
        return None
    words = match["model"].split()
    memory = next((word for word in words if word.upper().endswith("GB")), "")
    name = "-".join(word for word in words if word != memory)
    mib = int(memory[:-2]) * 1024 if memory[:-2].isdigit() else 0
    try:
        return gpu_model_with_memory(name, mib or _USUAL_MEMORY_MIB.get(name.lower(), 0)).name, "Gpu"
    except ValueError:
        return None  # newer than this program; no machine type it knows has one


_USUAL_MEMORY_MIB = {"v100": 16 * 1024, "a100": 40 * 1024}
"""Boards that a SKU names without memory although there are larger ones."""


def _dollars(sku: Sku) -> Fraction | None:
    """Price of the last tier per hour; None if the unit is another one."""
    for info in sku["pricingInfo"]:
        expression = info.get("pricingExpression", {})
        if expression.get("usageUnit") not in ("h", "GiBy.h") or not expression.get("tieredRates"):
            return None
        price = expression["tieredRates"][-1]["unitPrice"]
        if price.get("currencyCode", "USD") != "USD":
            return None
        return Fraction(int(price.get("units") or 0)) + Fraction(int(price.get("nanos") or 0), 10**9)
    return None


def _price(
    row: Mapping[str, str], capacity_type: CapacityType, prices: Mapping[Price, Fraction]
) -> int | None:
    """Micro-dollars an hour of a machine type, rounded half up; None if a part has no price."""
    if row["shared_cpu"] == "1" or int(row["local_ssd_gib"] or 0):
        return None
    parts = [
        (prices.get((row["family"], "Core", capacity_type)), Fraction(int(row["vcpu"]))),
        (prices.get((row["family"], "Ram", capacity_type)), Fraction(int(row["memory_mib"]), 1024)),
    ]
    gpus = int(row["gpu_count"] or 0)
    if gpus:
        model = gpu_model_with_memory(row["gpu_name"], int(row["gpu_memory_mib"] or 0)).name
        parts.append((prices.get((model, "Gpu", capacity_type)), Fraction(gpus)))
    total = Fraction(0)
    for dollars, amount in parts:
        if dollars is None:
            return None
        total += dollars * amount
    return int(total * MICROUSD + Fraction(1, 2))

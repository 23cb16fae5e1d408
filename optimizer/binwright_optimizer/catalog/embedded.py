"""The embedded catalogues: instance types and priced offerings of AWS, Azure and GCP."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from binwright_optimizer.catalog import aws, azure, gcp
from binwright_optimizer.catalog.interruptions import interruption_ppm
from binwright_optimizer.catalog.select import Globs, unknown
from binwright_optimizer.catalog.sources import sources_by_code, sources_of
from binwright_optimizer.catalog.tables import (
    CLOUDS,
    INSTANCE_TYPES,
    OFFERINGS,
    data_digest,
    read_lines,
    read_rows,
)
from binwright_optimizer.catalog.zones import offered_zones
from binwright_optimizer.errors import CatalogError
from binwright_optimizer.model.offerings import (
    CapacityType,
    Catalog,
    InstanceType,
    Offering,
    PriceSource,
)

CACHED_CATALOGS = 256
"""Catalogues kept; each is a tuple of references into the regions, which stay loaded."""

_BUILDERS: Mapping[str, Callable[[Mapping[str, str]], InstanceType]] = {
    "aws": aws.instance_type,
    "azure": azure.instance_type,
    "gcp": gcp.instance_type,
}


@dataclass(frozen=True, slots=True)
class CatalogSummary:
    """One embedded catalogue at a glance.

    Parameters
    ----------
    instance_types
        Number of instance types sold in at least one region.
    price_sources
        Latest first.
    """

    cloud: str
    regions: tuple[str, ...]
    instance_types: int
    price_sources: tuple[PriceSource, ...]


def clouds() -> tuple[str, ...]:
    """Clouds with an embedded catalogue, by name."""
    return CLOUDS


def regions(cloud: str) -> tuple[str, ...]:
    """Regions of a cloud, by name; raises CatalogError for an unknown cloud."""
    return tuple(_lines_by_region(_known_cloud(cloud)))


def price_sources(cloud: str) -> tuple[PriceSource, ...]:
    """Sources of a cloud's prices, latest first; raises CatalogError for an unknown cloud."""
    return sources_of(_known_cloud(cloud))


def summary(cloud: str) -> CatalogSummary:
    """What the catalogue of a cloud holds; raises CatalogError for an unknown cloud."""
    return CatalogSummary(
        cloud=_known_cloud(cloud),
        regions=regions(cloud),
        instance_types=len(_types_by_name(cloud)),
        price_sources=price_sources(cloud),
    )


def embedded_catalog(
    cloud: str,
    regions: Sequence[str],
    instance_types: Sequence[str] = (),
    exclude: Sequence[str] = (),
) -> Catalog:
    """What a cloud sells in some regions; the same arguments give the same object.

    Parameters
    ----------
    cloud
        ``aws``, ``azure`` or ``gcp``.
    regions
        At least one; their order does not matter.
    instance_types
        Globs, of which a type must match one (``g4dn.*``); empty means all types.
    exclude
        Globs of types to leave out.

    Raises
    ------
    CatalogError
        If the cloud or a region is unknown, if a glob of ``instance_types`` matches nothing sold
        in these regions, if one of ``exclude`` matches nothing the cloud sells anywhere, or if
        nothing is left.

    Notes
    -----
    A spot price of AWS is an estimate for the region, repeated for each of its zones.
    """
    return _catalog(_known_cloud(cloud), tuple(sorted(set(regions))), tuple(instance_types), tuple(exclude))


@lru_cache(maxsize=CACHED_CATALOGS)
def _catalog(
    cloud: str, regions: tuple[str, ...], include: tuple[str, ...], exclude: tuple[str, ...]
) -> Catalog:
    if not regions:
        raise CatalogError(f"a catalogue of {cloud} needs at least one region")
    for region in regions:
        if region not in _lines_by_region(cloud):
            raise unknown(f"region of {cloud}", region, _lines_by_region(cloud))
    sold = _types_in_regions(cloud, regions)
    where = ", ".join(regions)
    wanted, unwanted = Globs(include), Globs(exclude)
    stray = wanted.without_match([t.name for t in sold])
    if stray is not None:
        if Globs((stray,)).without_match(_types_by_name(cloud)) is None:
            raise CatalogError(f"{cloud} does not sell instance type {stray!r} in {where}")
        raise unknown(f"instance type of {cloud}", stray, _types_by_name(cloud))
    stray = unwanted.without_match(_types_by_name(cloud))
    if stray is not None:
        raise unknown(f"instance type of {cloud}", stray, _types_by_name(cloud))
    chosen = tuple(t for t in sold if (not include or wanted.match(t.name)) and not unwanted.match(t.name))
    if not chosen:
        raise CatalogError(f"every instance type of {cloud} in {where} is excluded")
    parts = [cloud, *regions, *(f"+{glob}" for glob in include), *(f"-{glob}" for glob in exclude)]
    dates = sorted({source.date for source in sources_of(cloud)})
    return Catalog(
        name=f"{cloud} {where}",
        instance_types=chosen,
        digest=f"{' '.join(parts)} @{dates[0]}..{dates[-1]} {data_digest(cloud)}",
    )


@lru_cache(maxsize=CACHED_CATALOGS)
def _types_in_regions(cloud: str, regions: tuple[str, ...]) -> tuple[InstanceType, ...]:
    """Types sold in at least one region with all their offerings, by name."""
    if len(regions) == 1:
        return _types_in_region(cloud, regions[0])
    found: dict[str, InstanceType] = {}
    for region in regions:
        for sold in _types_in_region(cloud, region):
            known = found.get(sold.name)
            found[sold.name] = replace(known, offerings=known.offerings + sold.offerings) if known else sold
    return tuple(found[name] for name in sorted(found))


@cache
def _types_in_region(cloud: str, region: str) -> tuple[InstanceType, ...]:
    types, sources = _types_by_name(cloud), sources_by_code()
    sold = []
    for line in _lines_by_region(cloud)[region]:
        _, name, on_demand, on_demand_source, spot, spot_source, suffixes, *more = line.split(",")
        zones = offered_zones(cloud, region, suffixes)
        bought: list[tuple[CapacityType, int, PriceSource, int | None]] = [
            (CapacityType.ON_DEMAND, int(on_demand), sources[on_demand_source], None)
        ]
        if spot:
            rate = interruption_ppm(more[0]) if more else None
            bought.append((CapacityType.SPOT, int(spot), sources[spot_source], rate))
        offerings = tuple(
            Offering(region, zone, capacity_type, price, source, interruption_ppm_per_month=rate)
            for zone in zones
            for capacity_type, price, source, rate in bought
        )
        sold.append(replace(types[name], offerings=offerings))
    kept = tuple(sold)
    # It lives as long as the process. Looking at a few catalogues again, a full garbage collection paused
    # answers by a tenth of a second.
    gc.freeze()
    return kept


@cache
def _lines_by_region(cloud: str) -> dict[str, list[str]]:
    """Rows of the offerings file, by region and in it by type, as they are in the file."""
    lines: dict[str, list[str]] = {}
    for line in read_lines(OFFERINGS.format(cloud=cloud)):
        lines.setdefault(line[: line.index(",")], []).append(line)
    return lines


@cache
def _types_by_name(cloud: str) -> dict[str, InstanceType]:
    build = _BUILDERS[cloud]
    rows = map(build, read_rows(INSTANCE_TYPES.format(cloud=cloud)))
    return {built.name: built for built in rows}


def _known_cloud(cloud: str) -> str:
    if cloud not in CLOUDS:
        raise unknown("cloud", cloud, CLOUDS)
    return cloud

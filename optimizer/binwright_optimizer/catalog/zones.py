"""Zones of a region, by the name their nodes bear in ``topology.kubernetes.io/zone``."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from binwright_optimizer.catalog.tables import ZONES, read_rows


@cache
def _zones() -> dict[tuple[str, str], tuple[str, ...]]:
    zones: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in read_rows(ZONES):
        key = row["cloud"], row["region"]
        zones[key] = (*zones.get(key, ()), row["zone"])
    return zones


def zones_of(cloud: str, region: str) -> tuple[str, ...]:
    """Every zone of a region, sorted; ``("0",)`` where an Azure region has no zones.

    Examples
    --------
    >>> zones_of("aws", "eu-west-1")
    ('eu-west-1a', 'eu-west-1b', 'eu-west-1c')
    """
    return _zones()[cloud, region]


def region_with(zones: Collection[str]) -> tuple[str, str] | None:
    """Cloud and region that have all these zones; None if there is none, or more than one.

    Examples
    --------
    >>> region_with(["europe-west4-a", "europe-west4-b"]), region_with(["us-east-1a", "eu-west-1a"])
    (('gcp', 'europe-west4'), None)
    """
    found = [key for key, known in _zones().items() if zones and set(zones) <= set(known)]
    return found[0] if len(found) == 1 else None


def offered_zones(cloud: str, region: str, suffixes: str) -> tuple[str, ...]:
    """Zones of a row of an offerings file.

    Parameters
    ----------
    suffixes
        What follows the region in the name of each zone, separated by blanks; empty if the
        sources do not say, and then every zone of the region is meant.
    """
    if not suffixes:
        return zones_of(cloud, region)
    return tuple(region + suffix for suffix in suffixes.split(" "))

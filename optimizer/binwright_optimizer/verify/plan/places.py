"""Where the pods of a forecast may run and what must be survived, restated from `model.forecast`.

A *site* is a region, or a zone of it where some pods must survive the loss of one. An *item* is the pods of
one demand in one period, future and block of hours. A promise about it is a *loss*: sites that fail together,
and how many of its pods the others must hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from binwright_optimizer.model import CapacityType, Catalog, labels
from binwright_optimizer.model.forecast import (
    PPM,
    Demand,
    Forecast,
    ForecastWorkload,
    Resilience,
)
from binwright_optimizer.model.resources import CPU


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A region, or one zone of it."""

    region: str
    zone: str = ""

    @property
    def name(self) -> str:
        """What to call it."""
        return self.zone or self.region


@dataclass(frozen=True, slots=True)
class Item:
    """The pods of one demand in one cell.

    Parameters
    ----------
    demand
        Its index in the forecast.
    cpu_milli
        What a pod takes of a quota.
    sites
        Where it may run.
    egress
        Micro-dollars an hour that a pod costs there in data sent, by site.
    losses
        By the zone or region lost: the sites that fail with it, and the pods that the others must hold.
    """

    demand: int
    workload: int
    pods: int
    cpu_milli: int
    sites: tuple[Site, ...]
    egress: Mapping[Site, int]
    losses: Mapping[str, tuple[frozenset[Site], int]]


def is_spot(workload: ForecastWorkload) -> bool:
    """Whether its nodes are bought on spot."""
    return any(
        r.key == labels.CAPACITY_TYPE and CapacityType.SPOT in r.values
        for r in workload.template.node_selector
    )


def is_placed_together(forecast: Forecast) -> bool:
    """Whether where pods run is part of the plan.

    It is where pods may run in another region than their home, must survive the loss of a zone or region, or
    where the most that a region may want at once in some period is beyond its quota. A quota that no future
    reaches limits nothing, and all pods are packed at home.
    """
    for demand in forecast.demands:
        workload = forecast.workloads[demand.workload]
        if _needs_zones(forecast, workload) or regions_near(forecast, demand) != (demand.region,):
            return True
    quotas = {limit.region: limit.cpu_milli for limit in forecast.limits}
    wanted: dict[tuple[str, int], int] = {}
    for demand in forecast.demands:
        if demand.region in quotas:
            key = demand.region, demand.period
            wanted[key] = wanted.get(key, 0) + _most_cpu(forecast, demand)
    return any(cpu > quotas[region] for (region, _), cpu in wanted.items())


def _most_cpu(forecast: Forecast, demand: Demand) -> int:
    """Milli-CPU that a demand takes of a quota in its busiest hour, served to its service level."""
    workload = forecast.workloads[demand.workload]
    busiest = max(max(p.ppm) for p in forecast.profiles if p.name == workload.profile)
    level = forecast.service_ppm if workload.service_ppm is None else workload.service_ppm
    served = -(-demand.band.p99 * level // PPM)
    pods = -(-served * busiest * (PPM + forecast.headroom_ppm) // (PPM * PPM))
    return pods * _pod_cpu(forecast, workload)


def _pod_cpu(forecast: Forecast, workload: ForecastWorkload) -> int:
    """Milli-CPU that a pod takes of a quota."""
    fill = min(PPM, forecast.utilisation_ppm * (PPM + forecast.headroom_ppm) // PPM)
    return -(-workload.template.requests[CPU] * PPM // fill)


def _promise(forecast: Forecast, workload: ForecastWorkload) -> Resilience:
    return forecast.resilience if workload.resilience is None else workload.resilience


def _needs_zones(forecast: Forecast, workload: ForecastWorkload) -> bool:
    """Whether the loss of a zone, or of a spot pool, which lies in one, must be survived."""
    promise = _promise(forecast, workload)
    return bool(promise.zones or (promise.spot_pools and is_spot(workload)))


def regions_near(forecast: Forecast, demand: Demand) -> tuple[str, ...]:
    """Regions where the pods may run: at home, or where the way is short enough."""
    workload, home = forecast.workloads[demand.workload], demand.region
    if not workload.regions:
        return (home,)
    most = workload.most_latency_ms
    found = []
    for region in workload.regions:
        latency = next((x.latency_ms for x in forecast.links if x.joins(home, region)), None)
        if region == home or most is None or (latency is not None and latency <= most):
            found.append(region)
    return tuple(found)


class Placement:
    """Sites of a forecast, and the items over them."""

    def __init__(self, forecast: Forecast, catalogs: Mapping[str, Catalog]) -> None:
        self._forecast = forecast
        zoned = {
            region
            for demand in forecast.demands
            if _needs_zones(forecast, forecast.workloads[demand.workload])
            for region in regions_near(forecast, demand)
        }
        regions = [*forecast.regions, *(r for w in forecast.workloads for r in w.regions)]
        self.sites = tuple(
            site
            for region in dict.fromkeys(regions)
            for site in _sites(catalogs[region], region, is_zoned=region in zoned)
        )
        self._mine = [
            tuple(site for site in self.sites if site.region in regions_near(forecast, demand))
            for demand in forecast.demands
        ]

    def sites_of(self, demand: int) -> tuple[Site, ...]:
        """Where the pods of a demand may run."""
        return self._mine[demand]

    def item(self, number: int, pods: int, sites: tuple[Site, ...]) -> Item:
        """The item of a demand for so many pods over the sites that sell nodes for them."""
        demand = self._forecast.demands[number]
        workload = self._forecast.workloads[demand.workload]
        return Item(
            number,
            demand.workload,
            pods,
            _pod_cpu(self._forecast, workload),
            sites,
            {site: self._egress(workload, demand.region, site.region) for site in sites},
            self._losses(demand, pods, sites),
        )

    def _egress(self, workload: ForecastWorkload, home: str, region: str) -> int:
        if region == home:
            return 0
        price = next((x.microusd_per_gib for x in self._forecast.links if x.joins(home, region)), 0)
        return -(-price * workload.egress_mib_per_hour // 1024)

    def _losses(
        self, demand: Demand, pods: int, sites: tuple[Site, ...]
    ) -> dict[str, tuple[frozenset[Site], int]]:
        workload = self._forecast.workloads[demand.workload]
        promise = _promise(self._forecast, workload)
        found: dict[str, tuple[frozenset[Site], int]] = {}
        protected = -(-pods * promise.protected_ppm // PPM)
        if _needs_zones(self._forecast, workload) and protected:
            for site in sites:
                if site.zone:
                    found[site.zone] = frozenset({site}), protected
        kept = -(-pods * promise.failover_ppm // PPM) if len(regions_near(self._forecast, demand)) > 1 else 0
        if kept:
            for region in dict.fromkeys(site.region for site in sites):
                found[region] = frozenset(site for site in sites if site.region == region), kept
        return found


def sold_at(catalogs: Mapping[str, Catalog], site: Site) -> Catalog:
    """The price list of a site."""
    catalog = catalogs[site.region]
    if not site.zone:
        return catalog
    kinds = (
        replace(kind, offerings=tuple(o for o in kind.offerings if o.zone == site.zone))
        for kind in catalog.instance_types
    )
    return Catalog(f"{catalog.name}, {site.zone}", tuple(kind for kind in kinds if kind.offerings))


def _sites(catalog: Catalog, region: str, *, is_zoned: bool) -> list[Site]:
    if not is_zoned:
        return [Site(region)]
    zones = sorted({o.zone for kind in catalog.instance_types for o in kind.offerings})
    return [Site(region, zone) for zone in zones]

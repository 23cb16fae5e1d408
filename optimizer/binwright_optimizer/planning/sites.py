"""Where pods may run: sites, and what each demand asks of them.

A *site* is a region, or one zone of it where the loss of a zone must be survived. Demands that may run in
several sites, or must survive the loss of one, are decided together by `shares`; all others are packed where
they are wanted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from binwright_optimizer.errors import Unserved, UnservedError
from binwright_optimizer.model import CapacityType, Catalog, labels
from binwright_optimizer.model.forecast import (
    PPM,
    Demand,
    Forecast,
    ForecastWorkload,
    Resilience,
)
from binwright_optimizer.model.resources import CPU
from binwright_optimizer.planning.blocks import HourBlock
from binwright_optimizer.planning.scenarios import Scenario

MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True, order=True)
class Site:
    """A region, or one zone of it."""

    region: str
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """Pods of a workload that one region wants.

    Parameters
    ----------
    sites
        Where they may run, by index.
    egress
        What a pod costs there in data sent, micro-dollars an hour, by site.
    losses
        Pairs (sites lost together, pods that must still fit on the rest).
    lost
        For each of them, the zone or region that fails.
    """

    workload: int
    home: str
    pods: int
    cpu_milli: int
    sites: tuple[int, ...]
    egress: tuple[int, ...]
    losses: tuple[tuple[frozenset[int], int], ...] = ()
    lost: tuple[str, ...] = ()


def kind_of(workload: ForecastWorkload) -> CapacityType:
    """How the nodes of a workload are bought: on spot if it asks for it."""
    for requirement in workload.template.node_selector:
        if requirement.key == labels.CAPACITY_TYPE and CapacityType.SPOT in requirement.values:
            return CapacityType.SPOT
    return CapacityType.ON_DEMAND


def resilience_of(forecast: Forecast, workload: ForecastWorkload) -> Resilience:
    """What a workload must survive."""
    return forecast.resilience if workload.resilience is None else workload.resilience


def is_coupled(forecast: Forecast) -> bool:
    """Whether where pods run is to be decided: some may move or must survive a loss, or a quota may bind.

    Where no pod has a choice, a quota that holds whatever the future decides nothing, and leaving it out
    keeps the engine's own bounds of whole regions, which are stronger than those of any split.

    Raises
    ------
    UnservedError
        If some demand has no region near enough.
    """
    return any(_has_choice(forecast, demand) for demand in forecast.demands) or _may_bind(forecast)


def _has_choice(forecast: Forecast, demand: Demand) -> bool:
    """Whether pods of a demand may run in another region, or must be spread over zones or regions."""
    workload = forecast.workloads[demand.workload]
    asked = resilience_of(forecast, workload)
    return (
        bool(asked.zones or (asked.spot_pools and kind_of(workload) is CapacityType.SPOT))
        or allowed_regions(forecast, workload, demand.region) != (demand.region,)
        or bool(failover_share(forecast, workload, demand.region))
    )


def _may_bind(forecast: Forecast) -> bool:
    """Whether all that some region and period may want at once, in any hour, exceeds the region's quota."""
    wanted: dict[tuple[str, int], int] = {}
    for demand in forecast.demands:
        share = max(forecast.profile_of(demand.workload).ppm)
        pods = _with_headroom(forecast, forecast.most_served(demand), share)
        key = demand.region, demand.period
        wanted[key] = wanted.get(key, 0) + pods * quota_milli(forecast, forecast.workloads[demand.workload])
    return any(
        wanted.get((limit.region, period), 0) > limit.cpu_milli
        for limit in forecast.limits
        for period in range(len(forecast.periods))
    )


def quota_milli(forecast: Forecast, workload: ForecastWorkload) -> int:
    """Milli-CPU that a pod takes of a quota: its request at the nodes' target utilisation."""
    return -(-workload.template.requests[CPU] * PPM // forecast.fill_ppm)


def sites_of(forecast: Forecast, catalogs: Mapping[str, Catalog]) -> tuple[Site, ...]:
    """The sites of a forecast: zones where some pods of the region must survive the loss of one.

    Raises
    ------
    UnservedError
        If a region has too few zones for what it must survive.
    """
    zoned: dict[str, int] = {}
    for number, demand in enumerate(forecast.demands):
        workload = forecast.workloads[demand.workload]
        asked = resilience_of(forecast, workload)
        if asked.zones or (asked.spot_pools and kind_of(workload) is CapacityType.SPOT):
            for region in allowed_regions(forecast, workload, demand.region):
                zoned.setdefault(region, number)
    found: list[Site] = []
    for region in dict.fromkeys((*forecast.regions, *(r for w in forecast.workloads for r in w.regions))):
        if region not in zoned:
            found.append(Site(region))
            continue
        zones = sorted({o.zone for t in catalogs[region].instance_types for o in t.offerings})
        if len(zones) < 2:
            raise UnservedError((_single_zone(forecast, zoned[region], region),))
        found += [Site(region, zone) for zone in zones]
    return tuple(found)


def _single_zone(forecast: Forecast, number: int, region: str) -> Unserved:
    at = forecast.demands[number].workload
    workload = forecast.workloads[at]
    path = "resilience" if workload.resilience is None else f"workloads[{at}].resilience"
    asked = resilience_of(forecast, workload)
    name, value = ("zones", asked.zones) if asked.zones else ("spot_pools", asked.spot_pools)
    return Unserved(
        f"{path}.{name}",
        str(value),
        f"{region} has a single zone: its loss cannot be survived there, but {workload.name} may run there",
        number,
    )


def allowed_regions(forecast: Forecast, workload: ForecastWorkload, home: str) -> tuple[str, ...]:
    """Regions where pods that ``home`` wants may run.

    Raises
    ------
    UnservedError
        If there is none within the latency limit.
    """
    if not workload.regions:
        return (home,)
    found = tuple(
        region
        for region in workload.regions
        if region == home or _is_near(forecast, home, region, workload.most_latency_ms)
    )
    if not found:
        raise UnservedError(
            (
                Unserved(
                    f"workloads[{forecast.workloads.index(workload)}].most_latency_ms",
                    str(workload.most_latency_ms),
                    f"{workload.name}, wanted in {home}: none of its regions is within "
                    f"{workload.most_latency_ms} ms",
                    _demand_of(forecast, workload, home),
                ),
            )
        )
    return found


def _is_near(forecast: Forecast, one: str, other: str, most_ms: int | None) -> bool:
    """Whether the way is short enough; one of unknown length never is, unless any will do."""
    known = next((link.latency_ms for link in forecast.links if link.joins(one, other)), None)
    return most_ms is None or (known is not None and known <= most_ms)


def egress_microusd(forecast: Forecast, workload: ForecastWorkload, home: str, region: str) -> int:
    """What a pod costs an hour in data sent home, rounded up."""
    price = next((link.microusd_per_gib for link in forecast.links if link.joins(home, region)), 0)
    return -(-price * workload.egress_mib_per_hour // MIB_PER_GIB) if region != home else 0


def failover_share(forecast: Forecast, workload: ForecastWorkload, home: str) -> int:
    """Share of the demand that must survive the loss of any region, in ppm.

    What the forecast asks of all workloads binds those that may run in a second region.

    Raises
    ------
    UnservedError
        If a workload asks it of itself and may run in one region only.
    """
    share = resilience_of(forecast, workload).failover_ppm
    if not share or len(allowed_regions(forecast, workload, home)) > 1:
        return share
    if workload.resilience is not None:
        raise UnservedError(
            (
                Unserved(
                    f"workloads[{forecast.workloads.index(workload)}].resilience.failover_ppm",
                    str(share),
                    f"{workload.name}, wanted in {home}: {share / PPM:.0%} of it must survive the loss of a "
                    "region, but it may run in one only",
                    _demand_of(forecast, workload, home),
                ),
            )
        )
    return 0


def _demand_of(forecast: Forecast, workload: ForecastWorkload, home: str) -> int:
    """The first demand of a workload in a region; -1 if there is none."""
    for number, demand in enumerate(forecast.demands):
        if forecast.workloads[demand.workload] is workload and demand.region == home:
            return number
    return -1


def items_of(
    forecast: Forecast,
    sites: tuple[Site, ...],
    scenario: Scenario,
    block: HourBlock,
    period: int,
    kind: CapacityType,
    unfit: Collection[tuple[int, Site]] = (),
) -> tuple[Item, ...]:
    """What one period, scenario and block of hours wants of one kind of nodes.

    Parameters
    ----------
    unfit
        Pairs of a workload and a site that sells no node for it.
    """
    found = []
    for demand in forecast.demands:
        workload = forecast.workloads[demand.workload]
        pods = replicas(forecast, demand, scenario, block) if demand.period == period else 0
        if not pods or kind_of(workload) is not kind:
            continue
        regions = allowed_regions(forecast, workload, demand.region)
        mine = tuple(
            at
            for at, site in enumerate(sites)
            if site.region in regions and (demand.workload, site) not in unfit
        )
        losses = list(_losses(forecast, demand, sites, mine, pods, kind))
        found.append(
            Item(
                demand.workload,
                demand.region,
                pods,
                quota_milli(forecast, workload),
                mine,
                tuple(egress_microusd(forecast, workload, demand.region, sites[at].region) for at in mine),
                tuple((lost, kept) for _, lost, kept in losses),
                tuple(name for name, _, _ in losses),
            )
        )
    return tuple(found)


def replicas(forecast: Forecast, demand: Demand, scenario: Scenario, block: HourBlock) -> int:
    """Pods that nodes must hold: as many as are wanted or the service level asks for, and the headroom."""
    names = [profile.name for profile in forecast.profiles]
    share = block.ppm[names.index(forecast.workloads[demand.workload].profile)]
    served = min(scenario.replicas(demand), forecast.most_served(demand))
    return _with_headroom(forecast, served, share)


def _with_headroom(forecast: Forecast, served: int, share_ppm: int) -> int:
    return -(-served * share_ppm * (PPM + forecast.headroom_ppm) // PPM**2)


def _losses(
    forecast: Forecast,
    demand: Demand,
    sites: tuple[Site, ...],
    mine: tuple[int, ...],
    pods: int,
    kind: CapacityType,
) -> Iterator[tuple[str, frozenset[int], int]]:
    """What fails, the sites that fail with it, and the pods that must still fit."""
    workload = forecast.workloads[demand.workload]
    asked = resilience_of(forecast, workload)
    protected = -(-pods * asked.protected_ppm // PPM)
    # A spot pool lies in one zone: what survives the loss of any zone survives that of any pool.
    if protected and (asked.zones or (asked.spot_pools and kind is CapacityType.SPOT)):
        for at in mine:
            if sites[at].zone:
                yield sites[at].zone, frozenset({at}), protected
    kept = -(-pods * failover_share(forecast, workload, demand.region) // PPM)
    if kept:
        for region in dict.fromkeys(sites[at].region for at in mine):
            yield region, frozenset(at for at in mine if sites[at].region == region), kept

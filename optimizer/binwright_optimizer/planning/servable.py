"""Demand that no plan can serve, told before anything is solved, with the part of the forecast to blame.

A pod takes as much of a node as headroom and target utilisation make of its requests. If no instance type
that it may run on is large enough in any region where it may run, no plan serves it. What only the engine
can tell, such as claims of devices, is told by the engine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from binwright_optimizer.errors import Unserved, UnservedError
from binwright_optimizer.model import Catalog, InstanceType, PodTemplate, Resources, Workload, labels
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.forecast import PPM, Band, Forecast
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.planning.mix import STEADY, most_that_fit, with_headroom
from binwright_optimizer.planning.sites import Site, allowed_regions


def packed_pod(forecast: Forecast, workload: int) -> PodTemplate:
    """The pod as nodes must hold it: headroom and target utilisation included, nothing left open."""
    known = forecast.workloads[workload]
    pod = with_headroom(Workload(known.name, known.template, 1), Fraction(forecast.fill_ppm, PPM)).template
    return with_defaults(pod, EMBEDDED_CATALOG_DEFAULTS)


def holds(kind: InstanceType, pod: PodTemplate) -> bool:
    """Whether an empty node of a type has room for a pod and the labels that it wants."""
    return bool(most_that_fit(pod.requests, free_of(kind))) and admits(kind, pod)


def free_of(kind: InstanceType) -> Resources:
    """What an empty node has for pods, beside the daemons that plans take to run on every node."""
    return kind.allocatable.minus(STEADY.overhead)


def admits(kind: InstanceType, pod: PodTemplate) -> bool:
    """Whether plans buy a type, and a pod may run on it as far as labels say."""
    own = dict(kind.labels)
    for requirement in (*STEADY.requirements, *pod.node_selector):
        if requirement.key == labels.CAPACITY_TYPE:
            if not any(requirement.admits(str(offering.capacity_type)) for offering in kind.offerings):
                return False
        elif requirement.key in (labels.REGION, labels.ZONE):
            # Of offerings, not of the type; readers of forecasts place pods by regions instead.
            continue
        elif not requirement.admits(own.get(requirement.key)):
            return False
    return True


def check_servable(forecast: Forecast, catalogs: Mapping[str, Catalog]) -> None:
    """Refuse a forecast with demand that nothing sold can hold.

    Raises
    ------
    UnservedError
        With one part for each workload and region concerned, the first demand of it named.
    """
    pods = [packed_pod(forecast, at) for at in range(len(forecast.workloads))]
    has_room: dict[tuple[int, str], bool] = {}
    found: dict[tuple[int, str], Unserved] = {}
    for number, demand in enumerate(forecast.demands):
        key = demand.workload, demand.region
        if key in found or not demand.band.p99:
            continue
        regions = allowed_regions(forecast, forecast.workloads[demand.workload], demand.region)
        pod = pods[demand.workload]
        for region in regions:
            where = demand.workload, region
            if where not in has_room:
                has_room[where] = any(holds(kind, pod) for kind in catalogs[region].instance_types)
        if not any(has_room[demand.workload, region] for region in regions):
            kinds = [kind for region in regions for kind in catalogs[region].instance_types]
            found[key] = _unserved(forecast, number, pod, kinds, regions)
    if found:
        raise UnservedError(tuple(found.values()))


def _unserved(
    forecast: Forecast,
    number: int,
    pod: PodTemplate,
    kinds: Sequence[InstanceType],
    regions: Sequence[str],
) -> Unserved:
    """What of a pod is to blame: its node selector, one request that is too large, or all together."""
    demand = forecast.demands[number]
    workload, period = forecast.workloads[demand.workload], forecast.periods[demand.period]
    path = f"workloads[{demand.workload}].template"
    verb = "is" if demand.band.p50 == demand.band.p99 == 1 else "are"
    wanted = (
        f"{band_text(demand.band)} of {workload.name} {verb} wanted in {demand.region} "
        f"in {period.name or period.start}"
    )
    where = " or ".join(regions)
    allowed = [kind for kind in kinds if admits(kind, pod)]
    if not allowed:
        asked = ", ".join(str(requirement) for requirement in workload.template.node_selector)
        return Unserved(
            f"{path}.node_selector", asked, f"no node sold in {where} is of this kind, but {wanted}", number
        )
    for name, amount in pod.requests:
        largest = max(allowed, key=lambda kind: free_of(kind)[name])
        if free_of(largest)[name] < amount:
            most = format_quantity(free_of(largest)[name], name)
            return Unserved(
                f"{path}.requests[{json.dumps(name)}]",
                format_quantity(workload.template.requests[name], name),
                f"a pod takes {format_quantity(amount, name)} of a node, headroom and target utilisation "
                f"included; the largest sold in {where}, {largest.name}, has {most}, but {wanted}",
                number,
            )
    return Unserved(
        f"{path}.requests",
        ", ".join(f"{name} {format_quantity(amount, name)}" for name, amount in workload.template.requests),
        f"no single node sold in {where} has room for all of it, headroom and target utilisation included, "
        f"but {wanted}",
        number,
    )


def band_text(band: Band) -> str:
    """Pods of a demand in words.

    Examples
    --------
    >>> band_text(Band(3, 4, 9)), band_text(Band.exactly(1))
    ('3 to 9 pods', '1 pod')
    """
    if band.is_certain:
        return f"{band.p50} pod" if band.p50 == 1 else f"{band.p50} pods"
    return f"{band.p50} to {band.p99} pods"


def unfit_sites(
    forecast: Forecast, sites: Sequence[Site], price_list: Callable[[str, str], Catalog]
) -> frozenset[tuple[int, Site]]:
    """Pairs of a workload that may run in several places and a site that sells no node for it.

    Parameters
    ----------
    price_list
        What a region, or a zone of it, sells.
    """
    found = set()
    for at, workload in enumerate(forecast.workloads):
        pod = packed_pod(forecast, at)
        homes = {demand.region for demand in forecast.demands if demand.workload == at}
        regions = {region for home in homes for region in allowed_regions(forecast, workload, home)}
        for site in sites:
            if site.region in regions:
                kinds = price_list(site.region, site.zone).instance_types
                if not any(holds(kind, pod) for kind in kinds):
                    found.add((at, site))
    return frozenset(found)

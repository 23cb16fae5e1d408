"""Promises of a forecast that bind none of the pods that they seem to be for."""

from __future__ import annotations

from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.planning.sites import allowed_regions

MOST_NAMED = 5


def unbound_promises(forecast: Forecast) -> tuple[str, ...]:
    """What to say where all workloads are to survive the loss of a region, but some may run in one only.

    A workload that asks it of itself is refused instead (`sites.failover_share`).
    """
    share = forecast.resilience.failover_ppm
    if not share:
        return ()
    alone: dict[tuple[int, str], None] = {}
    for demand in forecast.demands:
        workload = forecast.workloads[demand.workload]
        is_bound = workload.resilience is not None or not demand.band.p99
        if not is_bound and len(allowed_regions(forecast, workload, demand.region)) < 2:
            alone[demand.workload, demand.region] = None
    if not alone:
        return ()
    named = [f"{forecast.workloads[at].name} wanted in {home}" for at, home in list(alone)[:MOST_NAMED]]
    if more := len(alone) - len(named):
        named.append(f"{more} more")
    said = (
        f"{share / PPM:.0%} of all pods are to survive the loss of any region, but nothing is promised for "
        f"{', '.join(named)}: no second region within reach may run them"
    )
    return (said,)

"""A forecast whose pods are split over zones and regions, with promises and a quota."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from binwright_optimizer.model import Catalog
from binwright_optimizer.model.forecast import (
    Forecast,
    Link,
    RegionLimit,
    Resilience,
)
from plans_doubted import asked, prices


def spread(**changes: Any) -> Forecast:
    """One quarter; large pods may run in both regions, batch survives a spot pool, the others a zone."""
    whole = asked(reservations=(), held=(), held_reservations=())
    plain, large, batch = whole.workloads
    found = replace(
        whole,
        periods=whole.periods[:1],
        workloads=(
            plain,
            replace(
                large,
                regions=("r", "q"),
                most_latency_ms=90,
                egress_mib_per_hour=512,
                resilience=Resilience(zones=1, failover_ppm=400_000),
            ),
            replace(batch, resilience=Resilience(spot_pools=1, protected_ppm=500_000)),
        ),
        demands=tuple(
            d for d in whole.demands if d.period == 0 and (d.workload, d.region) not in ((2, "q"),)
        ),
        resilience=Resilience(zones=1, protected_ppm=700_000),
        links=(Link("r", "q", 80, 20_000),),
        limits=(RegionLimit("q", 60_000),),
    )
    return replace(found, **changes)


def places() -> dict[str, Catalog]:
    """The same price lists, with a second zone in q."""
    found = prices()
    kind = found["q"].instance_types[0]
    more = tuple(replace(o, zone="qb") for o in kind.offerings)
    found["q"] = Catalog("q", (replace(kind, offerings=(*kind.offerings, *more)),))
    return found

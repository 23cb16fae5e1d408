"""Where a forecast's pods may run, how surely they are served and what they must survive."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from binwright_optimizer.model.forecast import (
    PPM,
    ForecastWorkload,
    Link,
    RegionLimit,
    Resilience,
)
from binwright_optimizer.model.quantity import parse_price, parse_quantity
from binwright_optimizer.model.resources import CPU

from binwright_clients.forecast.draft import Draft, Place
from binwright_clients.forecast.fields import parsed
from binwright_clients.kubernetes.schema import STRING, ListOf, MapOf, Record, Scalar, Schema, shown
from binwright_clients.tables.cells import parse_count

_NUMBER = Scalar("number")
_INTEGER = Scalar("integer")
_QUANTITY = Scalar("quantity")
RESILIENCE = Record(
    {
        "zones": _INTEGER,
        "spotPools": _INTEGER,
        "regionFailoverShare": _NUMBER,
        "protectedShare": _NUMBER,
    }
)
RESILIENCE_FIELDS = {
    "zones": "zones",
    "spotPools": "spot_pools",
    "regionFailoverShare": "failover_ppm",
    "protectedShare": "protected_ppm",
}
"""Fields of `Resilience` by their names in a document."""
MOVEMENT: dict[str, Schema] = {
    "headroom": _NUMBER,
    "maxNodeCpu": _QUANTITY,
    "serviceLevel": _NUMBER,
    "resilience": RESILIENCE,
    "links": ListOf(Record({"between": ListOf(STRING), "latencyMs": _INTEGER, "usdPerGiB": _QUANTITY})),
    "quotas": MapOf(Record({"cpu": _QUANTITY})),
}
"""Fields of the document."""
WORKLOAD: dict[str, Schema] = {
    "regions": ListOf(STRING),
    "maxLatencyMs": _INTEGER,
    "egressGiBPerHour": _NUMBER,
    "resilience": RESILIENCE,
    "serviceLevel": _NUMBER,
}
"""Fields of a workload."""


class MovementReader:
    """Fills a draft with where pods may run and what must be survived."""

    def __init__(self, draft: Draft, report: Callable[[str, str, str], None]) -> None:
        self._draft = draft
        self._report = report

    def read(self, body: Mapping[str, Any]) -> None:
        """Read what the document says of all workloads."""
        if body.get("headroom") is not None:
            self._draft.headroom_ppm = self._share("headroom", body["headroom"])
        if body.get("maxNodeCpu") is not None:
            parse = partial(parse_quantity, resource=CPU)
            most = parsed(body["maxNodeCpu"], parse, "maxNodeCpu", self._report)
            if most == 0:
                self._report("maxNodeCpu", shown(body["maxNodeCpu"]), "must be above 0")
            self._draft.max_node_cpu_milli = most or self._draft.max_node_cpu_milli
        if body.get("serviceLevel") is not None:
            self._draft.service_ppm = self._share("serviceLevel", body["serviceLevel"])
        for key, field in RESILIENCE_FIELDS.items():
            value = (body.get("resilience") or {}).get(key)
            self._draft.parts[f"resilience.{field}"] = Place("", f"resilience.{key}", shown(value))
        self._draft.resilience = self._resilience("resilience", body.get("resilience")) or Resilience()
        for at, entry in enumerate(body.get("links") or ()):
            self._link(f"links[{at}]", entry or {})
        for region, quota in (body.get("quotas") or {}).items():
            path = f"quotas.{region}"
            self._draft.mentioned.append((region, Place("", path, region)))
            parse = partial(parse_quantity, resource=CPU)
            cpu = parsed((quota or {}).get("cpu"), parse, f"{path}.cpu", self._report)
            if cpu is not None:
                self._draft.parts[f"limits[{len(self._draft.limits)}].cpu_milli"] = Place(
                    "", f"{path}.cpu", shown(quota["cpu"])
                )
                self._draft.limits.append(RegionLimit(region, cpu))

    def movable(self, path: str, entry: Mapping[str, Any], workload: ForecastWorkload) -> ForecastWorkload:
        """The workload with where it may run."""
        regions = tuple(entry.get("regions") or ())
        for at, region in enumerate(regions):
            self._draft.mentioned.append((region, Place("", f"{path}.regions[{at}]", region)))
        latency = entry.get("maxLatencyMs")
        if latency is not None:
            latency = parsed(latency, parse_count, f"{path}.maxLatencyMs", self._report)
        egress = entry.get("egressGiBPerHour") or 0
        if not 0 <= egress < 10**6:
            self._report(f"{path}.egressGiBPerHour", shown(egress), "must be in 0..1000000")
            egress = 0
        for field in ("maxLatencyMs", "egressGiBPerHour"):
            if entry.get(field) is not None and not regions:
                self._report(f"{path}.{field}", shown(entry[field]), "means nothing without regions")
        level = entry.get("serviceLevel")
        return ForecastWorkload(
            workload.name,
            workload.template,
            workload.profile,
            regions,
            latency,
            math.ceil(egress * 1024),
            self._resilience(f"{path}.resilience", entry.get("resilience")),
            None if level is None else self._share(f"{path}.serviceLevel", level),
        )

    def _resilience(self, path: str, entry: Mapping[str, Any] | None) -> Resilience | None:
        if entry is None:
            return None
        counts = []
        for key in ("zones", "spotPools"):
            count = 0 if entry.get(key) is None else entry[key]
            if count not in (0, 1):
                self._report(f"{path}.{key}", shown(count), "must be 0 or 1: how many may be lost at once")
                return None
            counts.append(count)
        failover = entry.get("regionFailoverShare")
        protected = entry.get("protectedShare")
        zones, spot_pools = counts
        return Resilience(
            zones,
            spot_pools,
            0 if failover is None else self._share(f"{path}.regionFailoverShare", failover),
            PPM if protected is None else self._share(f"{path}.protectedShare", protected),
        )

    def _link(self, path: str, entry: Mapping[str, Any]) -> None:
        between: list[str] = entry.get("between") or []
        if len(between) != 2 or between[0] == between[1]:
            self._report(f"{path}.between", shown(entry.get("between")), "must name two different regions")
            return
        for at, region in enumerate(between):
            self._draft.mentioned.append((region, Place("", f"{path}.between[{at}]", region)))
        latency: int | None = None
        if entry.get("latencyMs") is not None:
            latency = parsed(entry["latencyMs"], parse_count, f"{path}.latencyMs", self._report)
        price: int | None = 0
        if entry.get("usdPerGiB") is not None:
            price = parsed(entry["usdPerGiB"], parse_price, f"{path}.usdPerGiB", self._report)
        if any(link.joins(between[0], between[1]) for link in self._draft.links):
            self._report(f"{path}.between", shown(between), "names a link twice")
            return
        if price is not None:
            self._draft.links.append(Link(between[0], between[1], latency, price))

    def _share(self, path: str, value: float) -> int:
        if not math.isfinite(value) or not 0 <= value <= 1:
            self._report(path, shown(value), "must be in 0..1")
            return 0
        return round(value * PPM)

"""What a forecast wants: futures, blocks of hours, and pods as large as headroom and utilisation make them.

Restated from the meaning of `model.forecast`, for plans to be held against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from statistics import NormalDist

from binwright_optimizer.model import CapacityType, PodTemplate, Resources, labels
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.forecast import (
    HOURS_OF_WEEK,
    PPM,
    Band,
    Demand,
    Forecast,
)
from binwright_optimizer.model.resources import CPU, MEMORY

_USUAL_FUTURES = (("usual", 0.5, 700), ("high", 0.9, 245), ("extreme", 0.99, 55))


@dataclass(frozen=True, slots=True)
class Future:
    """A scenario: its probability in thousandths, and the probability at which each band is read."""

    name: str
    permille: int
    levels: dict[tuple[int, str], float]

    def replicas(self, demand: Demand) -> int:
        """Pods at the busiest hour."""
        return _at(demand.band, self.levels[demand.workload, demand.region])


def futures_of(forecast: Forecast) -> tuple[Future, ...]:
    """The scenarios that a forecast stands for, the lowest demand first."""
    pairs = sorted({(demand.workload, demand.region) for demand in forecast.demands})
    if all(demand.band.p50 == demand.band.p99 for demand in forecast.demands):
        return (Future("certain", 1000, dict.fromkeys(pairs, 0.5)),)
    if forecast.sampling is None:
        return tuple(Future(name, chance, dict.fromkeys(pairs, at)) for name, at, chance in _USUAL_FUTURES)
    asked, normal = forecast.sampling, NormalDist()
    common = asked.common_ppm / PPM
    drawn = []
    for number in range(asked.count):
        source = Random(f"{asked.seed}/{number}")  # noqa: S311 - samples, not secrets
        deviates = [
            normal.inv_cdf(min(max(source.random(), 1e-12), 1.0 - 1e-12)) for _ in range(len(pairs) + 1)
        ]
        drawn.append(
            {
                pair: normal.cdf(math.sqrt(common) * deviates[0] + math.sqrt(1.0 - common) * own)
                for pair, own in zip(pairs, deviates[1:], strict=True)
            }
        )
    totals = [sum(_at(d.band, levels[d.workload, d.region]) for d in forecast.demands) for levels in drawn]
    order = sorted(range(len(drawn)), key=lambda at: (totals[at], at))
    each, rest = 1000 // asked.count, 1000 % asked.count
    by_distance = sorted(range(asked.count), key=lambda rank: (abs(2 * rank + 1 - asked.count), rank))
    digits = len(str(asked.count))
    return tuple(
        Future(f"s{rank + 1:0{digits}d}", each + (1 if rank in by_distance[:rest] else 0), drawn[at])
        for rank, at in enumerate(order)
    )


def _at(band: Band, level: float) -> int:
    """Pods that demand exceeds with probability 1 - level."""
    if level < 0.5:
        return max(0, 2 * band.p50 - math.floor(_upper(band, 1.0 - level)))
    return math.ceil(_upper(band, level))


def _upper(band: Band, level: float) -> float:
    if level <= 0.9:
        return float(round(band.p50 + (band.p90 - band.p50) * (level - 0.5) / (0.9 - 0.5), 9))
    if level <= 0.99:
        return float(round(band.p90 + (band.p99 - band.p90) * (level - 0.9) / (0.99 - 0.9), 9))
    return float(band.p99)


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of the week that are planned as one: how many, and the largest share of each profile in them."""

    count: int
    ppm: tuple[int, ...]


def blocks_of(forecast: Forecast, block_of_hour: Sequence[int]) -> tuple[Hours, ...]:
    """The blocks of a partition of the week.

    Raises
    ------
    ValueError
        If it is none: an hour without a block, or a block without an hour.
    """
    if len(block_of_hour) != HOURS_OF_WEEK:
        raise ValueError(f"a week has {HOURS_OF_WEEK} hours, not {len(block_of_hour)}")
    number = max(block_of_hour) + 1
    if set(block_of_hour) != set(range(number)):
        raise ValueError("the blocks of hours are not numbered without a gap")
    found = []
    for block in range(number):
        hours = [hour for hour, own in enumerate(block_of_hour) if own == block]
        shares = tuple(max(profile.ppm[hour] for hour in hours) for profile in forecast.profiles)
        found.append(Hours(len(hours), shares))
    return tuple(found)


class Wanted:
    """Pods that each region, period, future and block must hold, by how they are bought."""

    def __init__(self, forecast: Forecast, futures: Sequence[Future], blocks: Sequence[Hours]) -> None:
        self._forecast = forecast
        self._futures = futures
        self._blocks = blocks
        self._profile = [
            [profile.name for profile in forecast.profiles].index(workload.profile)
            for workload in forecast.workloads
        ]
        self._is_spot = [_is_spot(workload.template) for workload in forecast.workloads]
        self._demands: dict[tuple[str, int], list[Demand]] = {}
        for demand in forecast.demands:
            self._demands.setdefault((demand.region, demand.period), []).append(demand)

    def pods(
        self, region: str, period: int, future: int, block: int
    ) -> tuple[dict[int, int], dict[int, int]]:
        """Pods by workload, those on demand and those on spot, none of them zero."""
        found: tuple[dict[int, int], dict[int, int]] = {}, {}
        for demand in self._demands.get((region, period), ()):
            pods = self._pods(demand, future, block)
            if pods:
                found[self._is_spot[demand.workload]][demand.workload] = pods
        return found

    def by_demand(self, period: int, future: int, block: int) -> dict[int, int]:
        """Pods of each demand of a cell by its index in the forecast, none of them zero."""
        found = {
            number: self._pods(demand, future, block)
            for number, demand in enumerate(self._forecast.demands)
            if demand.period == period
        }
        return {number: pods for number, pods in found.items() if pods}

    def _pods(self, demand: Demand, future: int, block: int) -> int:
        share = self._blocks[block].ppm[self._profile[demand.workload]]
        wanted = self._futures[future].replicas(demand)
        level = self._forecast.workloads[demand.workload].service_ppm
        level = self._forecast.service_ppm if level is None else level
        if wanted * PPM > demand.band.p99 * level:
            wanted = -(-demand.band.p99 * level // PPM)
        exact = wanted * share * (PPM + self._forecast.headroom_ppm)
        return -(-exact // (PPM * PPM))


def _is_spot(template: PodTemplate) -> bool:
    return any(
        r.key == labels.CAPACITY_TYPE and CapacityType.SPOT in r.values for r in template.node_selector
    )


def template_of(forecast: Forecast, workload: int) -> PodTemplate:
    """The pod with CPU and memory so large that nodes stay below the target utilisation."""
    template = forecast.workloads[workload].template
    fill = min(PPM, forecast.utilisation_ppm * (PPM + forecast.headroom_ppm) // PPM)
    amounts = {
        name: -(-amount * PPM // fill) if name in (CPU, MEMORY) else amount
        for name, amount in template.requests
    }
    return with_defaults(replace(template, requests=Resources.of(amounts)), EMBEDDED_CATALOG_DEFAULTS)

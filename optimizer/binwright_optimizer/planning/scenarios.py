"""Scenarios: the bands of a forecast as futures with probabilities.

Without a wish, three: each quantile stands for the part of the distribution nearest to it: p50 for the
lowest 70 % (half way between 50 and 90), p90 for the next 24.5 %, p99 for the highest 5.5 %. All workloads
and regions move together, which is the cautious reading: the platform's demand is high everywhere at once.

A forecast may ask for samples instead. Each draws for every workload and region a normal deviate, partly
common to all, and takes the quantile of the band at its probability; it holds for all periods, since a
forecast that is too low in one quarter is in the next. Equal forecasts draw equal samples on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from statistics import NormalDist

from binwright_optimizer.model.forecast import (
    PPM,
    Band,
    Demand,
    Forecast,
    Sampling,
)

PERMILLE = 1000
_LEVELS = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A future.

    Parameters
    ----------
    quantile
        The field of the bands that holds its demand; empty where ``levels`` has it.
    levels
        Probability, 0 to 1, at which the band of a workload and region is read.
    """

    name: str
    quantile: str
    permille: int
    levels: Mapping[tuple[int, str], float] = field(default_factory=dict)

    def replicas(self, demand: Demand) -> int:
        """Pods wanted at the busiest hour."""
        if not self.quantile:
            return quantile_of(demand.band, self.levels[demand.workload, demand.region])
        found: int = getattr(demand.band, self.quantile)
        return found


CERTAIN = (Scenario("certain", "p50", PERMILLE),)
BANDS = (
    Scenario("usual", "p50", 700),
    Scenario("high", "p90", 245),
    Scenario("extreme", "p99", 55),
)


def scenarios(forecast: Forecast) -> tuple[Scenario, ...]:
    """One scenario where all demand is certain, else samples if they are asked for, else three.

    The last one has the highest demand.
    """
    if all(demand.band.is_certain for demand in forecast.demands):
        return CERTAIN
    return BANDS if forecast.sampling is None else _samples(forecast, forecast.sampling)


def quantile_of(band: Band, probability: float) -> int:
    """Replicas that are exceeded with one less this probability, rounded up.

    Straight between the quantiles known; below the median as far as above it, at most as high as p99.

    Examples
    --------
    >>> [quantile_of(Band(100, 140, 158), p) for p in (0.05, 0.5, 0.7, 0.999)]
    [51, 100, 120, 158]
    """
    if probability < 0.5:
        return max(0, 2 * band.p50 - math.floor(_above(band, 1.0 - probability)))
    return math.ceil(_above(band, probability))


def _above(band: Band, probability: float) -> float:
    for (low, below), (high, above) in pairwise(_LEVELS):
        if probability <= high:
            one, other = getattr(band, below), getattr(band, above)
            # Rounded, so that a quantile met exactly does not gain a pod from an error of floats.
            return float(round(one + (other - one) * (probability - low) / (high - low), 9))
    return float(band.p99)


def _samples(forecast: Forecast, sampling: Sampling) -> tuple[Scenario, ...]:
    normal = NormalDist()
    pairs = sorted({(demand.workload, demand.region) for demand in forecast.demands})
    common = sampling.common_ppm / PPM
    drawn = []
    for number in range(sampling.count):
        random = Random(f"{sampling.seed}/{number}")  # noqa: S311 - samples, not secrets

        def deviate(random: Random = random) -> float:
            return normal.inv_cdf(min(max(random.random(), 1e-12), 1.0 - 1e-12))

        shared = deviate()
        drawn.append(
            {
                pair: normal.cdf(math.sqrt(common) * shared + math.sqrt(1.0 - common) * deviate())
                for pair in pairs
            }
        )
    unordered = [Scenario("", "", 0, levels) for levels in drawn]
    total = [sum(scenario.replicas(demand) for demand in forecast.demands) for scenario in unordered]
    order = sorted(range(sampling.count), key=lambda at: (total[at], at))
    each, more = divmod(PERMILLE, sampling.count)
    # What thousandths cannot share evenly goes to the middle, where samples are most alike.
    middle = sorted(range(sampling.count), key=lambda rank: (abs(2 * rank + 1 - sampling.count), rank))
    width = len(str(sampling.count))
    return tuple(
        Scenario(f"s{rank + 1:0{width}d}", "", each + (rank in middle[:more]), drawn[at])
        for rank, at in enumerate(order)
    )

"""Scenarios: the bands of a forecast as three futures with probabilities.

Each quantile stands for the part of the distribution nearest to it: p50 for the lowest 70 % (half way
between 50 and 90), p90 for the next 24.5 %, p99 for the highest 5.5 %. All workloads and regions move
together, which is the cautious reading: the platform's demand is high everywhere at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model.forecast import Band, Forecast

PERMILLE = 1000


@dataclass(frozen=True, slots=True)
class Scenario:
    """A future; ``quantile`` names the field of the bands that holds its demand."""

    name: str
    quantile: str
    permille: int

    def replicas(self, band: Band) -> int:
        """Demand at the busiest hour."""
        found: int = getattr(band, self.quantile)
        return found


CERTAIN = (Scenario("certain", "p50", PERMILLE),)
BANDS = (
    Scenario("usual", "p50", 700),
    Scenario("high", "p90", 245),
    Scenario("extreme", "p99", 55),
)


def scenarios(forecast: Forecast) -> tuple[Scenario, ...]:
    """One scenario where all demand is certain, else three."""
    return CERTAIN if all(demand.band.is_certain for demand in forecast.demands) else BANDS

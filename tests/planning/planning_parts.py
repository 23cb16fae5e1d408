"""Small forecasts and price lists for tests of planning."""

from __future__ import annotations

from binwright_optimizer.model import CapacityType, Catalog, PodTemplate, Requirement, Resources, labels
from binwright_optimizer.model.forecast import (
    OFFICE,
    Band,
    Demand,
    Forecast,
    ForecastWorkload,
    quarter,
)
from binwright_optimizer.model.offers import CommitmentOffer, Upfront
from binwright_optimizer.model.requirements import Operator
from builders import instance_type

HALF = CommitmentOffer("half", 1, Upfront.NONE, 500_000)
ON_DEMAND = Requirement(labels.CAPACITY_TYPE, Operator.IN, (str(CapacityType.ON_DEMAND),))


def two_types(region: str = "r") -> dict[str, Catalog]:
    """One region that sells 4 vCPU at 0.10 $/h and 16 vCPU at 0.36 $/h."""
    kinds = (
        instance_type("c4", 4, 16, price=0.10),
        instance_type("c16", 16, 64, price=0.36),
    )
    return {region: Catalog("test", kinds)}


def small_forecast(periods: int = 2, cpus: tuple[int, ...] = (900, 1300), most: int = 30) -> Forecast:
    """Some quarters of a few workloads with bands, office hours."""
    workloads = tuple(
        ForecastWorkload(
            f"w{at}", PodTemplate(Resources.of({"cpu": cpu}), node_selector=(ON_DEMAND,)), "office"
        )
        for at, cpu in enumerate(cpus)
    )
    demands = tuple(
        Demand(at, "r", period, Band(*((most + 3 * at + period) * share // 10 for share in (10, 12, 15))))
        for at in range(len(cpus))
        for period in range(periods)
    )
    return Forecast(
        "aws",
        ("r",),
        tuple(quarter(f"2027-Q{number}") for number in range(1, periods + 1)),
        workloads,
        demands,
        profiles=(OFFICE,),
        offers=(HALF,),
        utilisation_ppm=1_000_000,
    )

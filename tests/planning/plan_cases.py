"""Forecasts and markets small enough for paper."""

from __future__ import annotations

from binwright_optimizer.model import Catalog, PodTemplate, Requirement, Resources, labels
from binwright_optimizer.model.forecast import (
    FLAT,
    OFFICE,
    PPM,
    Band,
    Demand,
    Forecast,
    ForecastWorkload,
    quarter,
)
from binwright_optimizer.model.offers import CommitmentOffer, HeldCommitment
from binwright_optimizer.model.requirements import Operator
from builders import instance_type, offering


def forecast(
    bands: list[Band], offers: tuple[CommitmentOffer, ...] = (), held: tuple[HeldCommitment, ...] = (),
    profile: str = "office", cpu: tuple[int, ...] = (3000,), kind: str = "on-demand",
) -> Forecast:  # fmt: skip
    """Pods of some sizes in one region, a quarter for each band, requests taken as they are."""
    bought = Requirement(labels.CAPACITY_TYPE, Operator.IN, (kind,))
    workloads = tuple(
        ForecastWorkload(f"w{at}", PodTemplate(Resources.of({"cpu": size}), node_selector=(bought,)), profile)
        for at, size in enumerate(cpu)
    )
    return Forecast(
        cloud="aws",
        regions=("region-1",),
        periods=tuple(quarter(f"2027-Q{at + 1}") for at in range(len(bands))),
        workloads=workloads,
        demands=tuple(
            Demand(w, "region-1", at, band) for w in range(len(workloads)) for at, band in enumerate(bands)
        ),
        profiles=(OFFICE if profile == "office" else FLAT,),
        offers=offers,
        held=held,
        utilisation_ppm=PPM,
    )


def market(**prices: float) -> dict[str, Catalog]:
    """Types named after their cores, such as ``c4=0.10``; beside the daemons a core less is usable."""
    types = tuple(
        instance_type(name, cpu=int(name[1:]), memory_gib=64, price=price) for name, price in prices.items()
    )
    return {"region-1": Catalog("test", types)}


def sold(region: str, zones: int, kind: str = "on-demand", **prices: float) -> Catalog:
    """Types named after their cores in zones a, b, c ... of a region."""
    types = tuple(
        instance_type(
            name,
            cpu=int(name[1:]),
            memory_gib=64,
            offerings=[
                offering(price, zone=f"{region}{letter}", capacity_type=kind, region=region)
                for letter in "abc"[:zones]
            ],
        )
        for name, price in prices.items()
    )
    return Catalog(region, types)

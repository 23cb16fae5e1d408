"""A small plan of everything a forecast may say, as its document, and changes to such documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from binwright_clients.cli.plan_forecast import plan_document
from binwright_optimizer.model import CapacityType, Catalog, Offering, PodTemplate, PriceSource, Resources
from binwright_optimizer.model.forecast import (
    EVENING,
    FLAT,
    Band,
    Demand,
    Forecast,
    ForecastWorkload,
    quarter,
)
from binwright_optimizer.model.offers import (
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    ReservationOffer,
    Scope,
    Upfront,
)
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.verify.plan import verify_plan
from builders import instance_type

Document = dict[str, Any]
SOURCE = PriceSource("test", "2027-01-01")


def prices() -> dict[str, Catalog]:
    """Region r sells two types in two zones, one of them on spot; region q one type."""

    def sold(name: str, cpu: int, cents: int, zones: str, region: str) -> Any:
        offers = [
            Offering(region, f"{region}{zone}", capacity_type, 10_000 * cents * share // 10, SOURCE)
            for zone in zones
            for capacity_type, share in ((CapacityType.ON_DEMAND, 10), (CapacityType.SPOT, 4))
        ]
        return instance_type(name, cpu, 4 * cpu, offerings=offers)

    return {
        "r": Catalog("r", (sold("c4", 4, 10, "ab", "r"), sold("c16", 16, 36, "a", "r"))),
        "q": Catalog("q", (sold("c4", 4, 12, "a", "q"),)),
    }


def asked(**changes: Any) -> Forecast:
    """Two regions, three quarters, three workloads, one of them bought on spot; commitments of all kinds."""
    spot = replace(PodTemplate(Resources.of({"cpu": 700})), node_selector=(_on("spot"),))
    plain = replace(PodTemplate(Resources.of({"cpu": 900})), node_selector=(_on("on-demand"),))
    large = replace(PodTemplate(Resources.of({"cpu": 1300})), node_selector=(_on("on-demand"),))
    found = Forecast(
        "aws",
        ("r", "q"),
        tuple(quarter(f"2027-Q{number}") for number in (1, 2, 3)),
        (
            ForecastWorkload("plain", plain, "evening"),
            ForecastWorkload("large", large),
            ForecastWorkload("batch", spot),
        ),
        tuple(
            Demand(workload, region, period, Band(*(n + 2 * period for n in band)))
            for workload, band in ((0, (9, 11, 14)), (1, (5, 5, 6)), (2, (4, 6, 7)))
            for region in ("r", "q")
            for period in range(3)
            if (workload, region) != (1, "q")
        ),
        profiles=(FLAT, EVENING),
        offers=(
            CommitmentOffer("all", 1, Upfront.NONE, 270_000),
            CommitmentOffer("c4 only", 3, Upfront.PARTIAL, 400_000, scope=Scope(("c4",), "r")),
        ),
        reservations=(ReservationOffer("nodes", "c16", "r", 1, Upfront.NONE, discount_ppm=350_000),),
        held=(HeldCommitment("old", 50_000, 300_000, date(2026, 1, 1), date(2027, 7, 1)),),
        held_reservations=(HeldReservation("kept", "c4", "q", 1, date(2026, 1, 1), date(2028, 1, 1)),),
        utilisation_ppm=800_000,
        headroom_ppm=100_000,
    )
    return replace(found, **changes)


def _on(capacity_type: str) -> Any:
    from binwright_optimizer.model import Requirement, labels
    from binwright_optimizer.model.requirements import Operator

    return Requirement(labels.CAPACITY_TYPE, Operator.IN, (capacity_type,))


def made(forecast: Forecast, **params: Any) -> Document:
    plan = make_plan(forecast, PlanParams(600.0, **params), catalogs=prices())
    document: Document = json.loads(json.dumps(plan_document(plan)))
    return document


def findings(forecast: Forecast, document: Document) -> tuple[str, ...]:
    return verify_plan(forecast, prices(), (STEADY,), document).findings


def set_in(path: str, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        *parents, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
        inner: Any = document
        for part in parents:
            inner = inner[part]
        assert inner[last] != value
        inner[last] = value

    return change


def cheaper_statement(document: Document) -> None:
    document["total_cost_usd"] -= 1.0
    document["certificate"]["total_microusd"] -= 1_000_000


def better_statement(document: Document) -> None:
    document["lower_bound_usd"] += 1.0
    document["certificate"]["bound_microusd"] += 1_000_000

"""Planning over the wire: what a forecast message means, what is wrong with one, and the plan."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import date

import pytest
from binwright.v1 import planning_service_pb2
from binwright_clients.client import Client
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import PodTemplate, Requirement, Resources, labels
from binwright_optimizer.model.forecast import (
    FLAT,
    NIGHT,
    Band,
    Demand,
    Forecast,
    ForecastWorkload,
    Link,
    RegionLimit,
    Resilience,
    Sampling,
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
from binwright_optimizer.model.requirements import Operator
from binwright_server.convert import forecast_from_message, held_plan_from_message
from binwright_server.errors import AbandonedError, TooLateError
from binwright_server.limits import RequestLimits
from binwright_server.planning_service import answer
from harness import serving

Request = planning_service_pb2.PlanRequest


def asked(cpu: str = "1", pods: int = 4) -> Request:
    """Four pods of one CPU in us-east-1 in the first quarter of 2027, wanted all the time."""
    request = Request()
    forecast = request.forecast
    forecast.periods.add(name="2027-Q1")
    workload = forecast.workloads.add(name="api")
    workload.template.containers.add(name="api", requests={"cpu": cpu, "memory": "1Gi"})
    forecast.demands.add(workload="api", region="us-east-1", period="2027-Q1", p50=pods)
    return request


def read(request: Request) -> Forecast:
    return forecast_from_message(request.forecast, RequestLimits())


def bought(kind: str) -> tuple[Requirement, ...]:
    return (Requirement(labels.CAPACITY_TYPE, Operator.IN, (kind,)),)


def test_silent_message_means_what_a_silent_file_means() -> None:
    requests = Resources.of({"cpu": 1000, "memory": 2**30})
    assert read(asked()) == Forecast(
        "aws",
        ("us-east-1",),
        (quarter("2027-Q1"),),
        (ForecastWorkload("api", PodTemplate(requests, node_selector=bought("on-demand"))),),
        (Demand(0, "us-east-1", 0, Band.exactly(4)),),
        profiles=(FLAT,),
        headroom_ppm=200_000,
    )


def test_every_part_of_a_forecast_is_read() -> None:
    request = asked()
    forecast = request.forecast
    workload = forecast.workloads[0]
    workload.profile, workload.max_latency_ms, workload.egress_mib_per_hour = "night", 90, 7
    workload.regions.extend(["us-east-1", "eu-west-1"])
    workload.template.node_selector["karpenter.sh/capacity-type"] = "spot"
    workload.service_ppm = 900_000
    workload.resilience.spot_pools = 1
    forecast.demands[0].p90, forecast.demands[0].p99 = 6, 9
    forecast.resilience.zones, forecast.resilience.protected_ppm = 1, 500_000
    forecast.utilisation_ppm, forecast.headroom_ppm, forecast.service_ppm = 800_000, 0, 950_000
    forecast.max_node_cpu_milli = 8_000
    forecast.links.add(region="us-east-1", other_region="eu-west-1", latency_ms=75, microusd_per_gib=20_000)
    forecast.quotas.add(region="eu-west-1", cpu_milli=64_000)
    forecast.sampling.count = 5
    offer = forecast.offers.offers.add(name="one", years=1, upfront="all", discount_ppm=310_000)
    offer.scope.region = "us-east-1"
    forecast.held_commitments.add(
        name="old", microusd_per_hour=5_000_000, discount_ppm=450_000, start="2025-07-01", end="2027-02-01"
    )
    forecast.reservation_offers.add(
        name="r", instance_type="m5.large", region="us-east-1", years=3, microusd_per_hour=40_000
    )
    forecast.held_reservations.add(
        name="h", instance_type="m5.large", region="us-east-1", count=2, start="2026-01-01", end="2029-01-01"
    )
    found = read(request)
    assert found.workloads[0] == ForecastWorkload(
        "api",
        PodTemplate(Resources.of({"cpu": 1000, "memory": 2**30}), node_selector=bought("spot")),
        "night",
        ("us-east-1", "eu-west-1"),
        90,
        7,
        Resilience(spot_pools=1),
        900_000,
    )
    assert found.profiles == (NIGHT,)
    assert found.demands == (Demand(0, "us-east-1", 0, Band(4, 6, 9)),)
    assert found.resilience == Resilience(zones=1, protected_ppm=500_000)
    assert (found.utilisation_ppm, found.headroom_ppm, found.service_ppm) == (800_000, 0, 950_000)
    assert found.max_node_cpu_milli == 8_000
    assert found.links == (Link("us-east-1", "eu-west-1", 75, 20_000),)
    assert found.limits == (RegionLimit("eu-west-1", 64_000),)
    assert found.sampling == Sampling(5)
    assert found.offers == (CommitmentOffer("one", 1, Upfront.ALL, 310_000, scope=Scope((), "us-east-1")),)
    assert found.held == (HeldCommitment("old", 5_000_000, 450_000, date(2025, 7, 1), date(2027, 2, 1)),)
    assert found.reservations == (
        ReservationOffer("r", "m5.large", "us-east-1", 3, Upfront.NONE, microusd_per_hour=40_000),
    )
    assert found.held_reservations == (
        HeldReservation("h", "m5.large", "us-east-1", 2, date(2026, 1, 1), date(2029, 1, 1)),
    )


def held_past_its_end(request: Request) -> None:
    request.forecast.held_commitments.add(
        name="old", microusd_per_hour=1, discount_ppm=1, start="2025-01-01", end="2026-01-01"
    )


def of_a_type_not_sold(request: Request) -> None:
    request.forecast.reservation_offers.add(
        name="r", instance_type="m5.tiny", region="us-east-1", years=1, discount_ppm=1
    )


def spread_over_zones(request: Request) -> None:
    template = request.forecast.workloads[0].template
    template.topology_spread_constraints.add(
        topology_key=labels.ZONE, max_skew=1, when_unsatisfiable="DoNotSchedule"
    )


WRONG: list[tuple[Callable[[Request], object], str, str]] = [
    (lambda r: r.forecast.periods.add(name="2027-Q3"), "periods[1]", "missing before it"),
    (
        lambda r: r.forecast.periods.add(name="p", start="2027-02-01", end="2027-03-01"),
        "periods[1]",
        "overlaps 2027-Q1",
    ),
    (lambda r: r.forecast.periods.add(name="2027-Q2"), "demands", "api in us-east-1 lacks 2027-Q2"),
    (lambda r: setattr(r.forecast.periods[0], "name", "soon"), "periods[0].name", "is not a quarter"),
    (lambda r: setattr(r.forecast.demands[0], "p50", -1), "demands[0]", "must satisfy 0 <= p50"),
    (lambda r: setattr(r.forecast.demands[0], "p99", 3), "demands[0]", "p90 <= p99"),
    (lambda r: setattr(r.forecast.demands[0], "p50", 10**7), "demands[0]", "must be at most"),
    (lambda r: setattr(r.forecast.demands[0], "region", "mars-1"), "demands[0].region", "unknown region"),
    (
        lambda r: setattr(r.forecast.demands[0], "workload", "web"),
        "demands[0].workload",
        "must be one of api",
    ),
    (lambda r: r.forecast.demands.add().CopyFrom(r.forecast.demands[0]), "demands[1]", "is already"),
    (lambda r: setattr(r.forecast.workloads[0], "profile", "noon"), "workloads[0].profile", "must be one of"),
    (lambda r: r.forecast.profiles.add(name="x", ppm=[1]), "profiles[0].ppm", "168 hours"),
    (lambda r: setattr(r.forecast, "cloud", "ibm"), "cloud", "must be one of"),
    (lambda r: setattr(r.forecast, "max_node_cpu_milli", 0), "max_node_cpu_milli", "must be above 0"),
    (lambda r: setattr(r.forecast, "headroom_ppm", -1), "headroom_ppm", "must be in 0.."),
    (lambda r: setattr(r.forecast.resilience, "zones", 2), "resilience", "0 or 1 zones"),
    (lambda r: setattr(r.forecast.sampling, "count", 1), "sampling", "must be in 2.."),
    (spread_over_zones, "workloads[0].template", "no rules between pods about domains"),
    (held_past_its_end, "held_commitments[0].end", "past its end"),
    (of_a_type_not_sold, "reservation_offers[0].instance_type", "is not sold on demand"),
]


@pytest.mark.parametrize(("change", "field", "text"), WRONG, ids=[f"{f} {t}" for _, f, t in WRONG])
def test_wrong_field_is_named_with_its_path(
    change: Callable[[Request], object], field: str, text: str
) -> None:
    request = asked()
    change(request)
    with pytest.raises(InvalidProblemError) as caught:
        read(request)
    assert any(
        violation.field.startswith(field) and text in violation.description
        for violation in caught.value.violations
    ), caught.value.violations


@pytest.mark.parametrize(("field", "value"), [("risk_aversion_ppm", -1), ("tail_ppm", 10**6), ("seed", -1)])
def test_wrong_parameter_is_named_with_its_path(field: str, value: int) -> None:
    request = asked()
    setattr(request.params, field, value)
    with pytest.raises(InvalidProblemError, match=f"params.{field}"):
        answer(request, RequestLimits(), threading.Event(), None, processes=1)


def test_caller_that_gave_up_or_is_late_gets_no_plan() -> None:
    gone = threading.Event()
    gone.set()
    with pytest.raises(AbandonedError):
        answer(asked(), RequestLimits(), gone, None, processes=1)
    with pytest.raises(TooLateError, match="not whole"):
        answer(asked(), RequestLimits(), threading.Event(), time.monotonic() - 1.0, processes=1)


def test_plan_comes_with_progress_bound_nodes_and_certificate() -> None:
    """Four pods of 1 CPU at 84 % fill need more than four CPUs: some node is bought in every block."""
    with serving() as server, Client(server.address, timeout=240) as client:
        *steps, last = client.plan(asked())
        with pytest.raises(InvalidProblemError) as refused:
            list(client.plan(asked(cpu="5000")))
    (violation,) = refused.value.violations
    assert (violation.field, violation.value) == ('workloads[0].template.requests["cpu"]', "5000")
    assert "4 pods of api are wanted" in violation.description
    assert violation.description.endswith("(demands[0])")
    assert steps
    assert all(step.HasField("progress") for step in steps)
    assert steps[-1].progress.solved == steps[-1].progress.problems
    plan = last.plan
    assert 0 < plan.lower_bound_microusd <= plan.total_microusd
    assert plan.gap == pytest.approx(1 - plan.lower_bound_microusd / plan.total_microusd)
    assert [period.name for period in plan.periods] == ["2027-Q1"]
    assert sum(len(mix.hours) for mix in plan.mixes) == 168
    hourly = [n.count * n.price_microusd_per_hour for mix in plan.mixes for n in mix.nodes]
    assert plan.without_commitments_microusd == sum(hourly) * 2160
    assert json.loads(plan.certificate_json)["total_microusd"] == plan.total_microusd
    assert all(source.date for source in plan.price_sources)
    assert any(warning.startswith("on-demand prices are up to ") for warning in plan.warnings)


def test_every_wrong_field_of_a_plan_held_is_named() -> None:
    request = asked()
    request.held.churn_microusd = -1
    mix = request.held.mixes.add(
        region="us-east-1", period="2027-Q1", scenario="p50", shares_ppm={"flat": -5}
    )
    mix.nodes.add(instance_type="m5.large", zone="us-east-1a", count=-2)
    request.held.mixes.add(region="us-east-1", period="2027-Q1", scenario="p50", shares_ppm={"flat": -5})
    request.held.mixes.add(region="us-east-1", period="2026-Q4", scenario="p50")
    with pytest.raises(InvalidProblemError) as caught:
        held_plan_from_message(request.held, read(request))
    assert [violation.field for violation in caught.value.violations] == [
        "held.churn_microusd",
        'held.mixes[0].shares_ppm["flat"]',
        "held.mixes[0].nodes[0].count",
        'held.mixes[1].shares_ppm["flat"]',
        "held.mixes[1]",
        "held.mixes[2].period",
    ]

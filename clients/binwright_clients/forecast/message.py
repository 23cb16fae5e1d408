"""Forecasts as messages, for a server to plan for; all but demands keep their order."""

from __future__ import annotations

from collections.abc import Iterable

from binwright.v1 import forecast_pb2, problem_pb2
from binwright_optimizer.model.forecast import (
    Forecast,
    ForecastWorkload,
    Period,
    Resilience,
)
from binwright_optimizer.model.offers import (
    USUAL_OFFERS,
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    ReservationOffer,
    Scope,
)
from binwright_optimizer.model.quantity import format_quantity


def forecast_to_message(forecast: Forecast) -> forecast_pb2.Forecast:
    """The message of a forecast that was read from a file."""
    message = forecast_pb2.Forecast(
        cloud=forecast.cloud,
        periods=[
            forecast_pb2.ForecastPeriod(name=name_of(p), start=p.start.isoformat(), end=p.end.isoformat())
            for p in forecast.periods
        ],
        workloads=[_workload(workload) for workload in forecast.workloads],
        demands=[
            forecast_pb2.Demand(
                workload=forecast.workloads[d.workload].name,
                region=d.region,
                period=name_of(forecast.periods[d.period]),
                p50=d.band.p50,
                p90=d.band.p90,
                p99=d.band.p99,
            )
            for d in (forecast.demands[number] for number in demand_order(forecast))
        ],
        profiles=[forecast_pb2.HourProfile(name=p.name, ppm=p.ppm) for p in forecast.profiles],
        held_commitments=[_held(held) for held in forecast.held],
        reservation_offers=[_reservation(offer) for offer in forecast.reservations],
        held_reservations=[_held_reservation(held) for held in forecast.held_reservations],
        utilisation_ppm=forecast.utilisation_ppm,
        headroom_ppm=forecast.headroom_ppm,
        service_ppm=forecast.service_ppm,
        links=[
            forecast_pb2.RegionLink(
                region=link.one,
                other_region=link.other,
                latency_ms=link.latency_ms,
                microusd_per_gib=link.microusd_per_gib,
            )
            for link in forecast.links
        ],
        quotas=[forecast_pb2.RegionQuota(region=q.region, cpu_milli=q.cpu_milli) for q in forecast.limits],
        resilience=_resilience(forecast.resilience),
        max_node_cpu_milli=forecast.max_node_cpu_milli,
    )
    if forecast.offers != USUAL_OFFERS:
        # Unset means the usual ones, whose discounts are estimates.
        message.offers.offers.extend(_offers(forecast.offers))
        message.offers.SetInParent()
    if forecast.sampling is not None:
        message.sampling.count = forecast.sampling.count
        message.sampling.seed = forecast.sampling.seed
        message.sampling.common_ppm = forecast.sampling.common_ppm
    return message


def demand_order(forecast: Forecast) -> list[int]:
    """Numbers of the demands in the order of the message, which keeps the order of the regions."""
    regions = {region: at for at, region in enumerate(forecast.regions)}
    return sorted(range(len(forecast.demands)), key=lambda n: (regions[forecast.demands[n].region], n))


def name_of(period: Period) -> str:
    """What demands and plans call a period."""
    return period.name or period.start.isoformat()


def _workload(workload: ForecastWorkload) -> forecast_pb2.ForecastWorkload:
    template = problem_pb2.PodTemplate()
    container = template.containers.add(name="main")
    for resource, amount in workload.template.requests:
        container.requests[resource] = format_quantity(amount, resource)
    beyond = []
    for requirement in workload.template.node_selector:
        if len(requirement.values) == 1:
            template.node_selector[requirement.key] = requirement.values[0]
        else:
            beyond.append(requirement)
    if beyond:
        term = template.node_affinity.required.add()
        for requirement in beyond:
            term.match_expressions.add(
                key=requirement.key, operator=requirement.operator.value, values=requirement.values
            )
    for toleration in workload.template.tolerations:
        template.tolerations.add(
            key=toleration.key,
            operator="Exists" if toleration.exists else "Equal",
            value=toleration.value,
            effect="" if toleration.effect is None else toleration.effect.value,
        )
    return forecast_pb2.ForecastWorkload(
        name=workload.name,
        template=template,
        profile=workload.profile,
        regions=workload.regions,
        max_latency_ms=workload.most_latency_ms,
        egress_mib_per_hour=workload.egress_mib_per_hour,
        resilience=None if workload.resilience is None else _resilience(workload.resilience),
        service_ppm=workload.service_ppm,
    )


def _resilience(asked: Resilience) -> forecast_pb2.Resilience:
    return forecast_pb2.Resilience(
        zones=asked.zones,
        spot_pools=asked.spot_pools,
        region_failover_ppm=asked.failover_ppm,
        protected_ppm=asked.protected_ppm,
    )


def _scope(scope: Scope) -> forecast_pb2.CommitmentScope:
    return forecast_pb2.CommitmentScope(
        instance_types=scope.instance_types, region=scope.region, zone=scope.zone
    )


def _offers(offers: Iterable[CommitmentOffer]) -> list[forecast_pb2.CommitmentOffer]:
    return [
        forecast_pb2.CommitmentOffer(
            name=offer.name,
            years=offer.years,
            upfront=str(offer.upfront),
            discount_ppm=offer.discount_ppm,
            scope=_scope(offer.scope),
        )
        for offer in offers
    ]


def _held(held: HeldCommitment) -> forecast_pb2.HeldCommitment:
    return forecast_pb2.HeldCommitment(
        name=held.name,
        microusd_per_hour=held.microusd_per_hour,
        discount_ppm=held.discount_ppm,
        start=held.start.isoformat(),
        end=held.end.isoformat(),
        scope=_scope(held.scope),
    )


def _reservation(offer: ReservationOffer) -> forecast_pb2.ReservationOffer:
    return forecast_pb2.ReservationOffer(
        name=offer.name,
        instance_type=offer.instance_type,
        region=offer.region,
        zone=offer.zone,
        years=offer.years,
        upfront=str(offer.upfront),
        discount_ppm=offer.discount_ppm,
        microusd_per_hour=offer.microusd_per_hour,
        upfront_microusd=offer.upfront_microusd,
    )


def _held_reservation(held: HeldReservation) -> forecast_pb2.HeldReservation:
    return forecast_pb2.HeldReservation(
        name=held.name,
        instance_type=held.instance_type,
        region=held.region,
        zone=held.zone,
        count=held.count,
        start=held.start.isoformat(),
        end=held.end.isoformat(),
    )

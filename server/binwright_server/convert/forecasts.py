"""Forecasts from messages: demand, and what may be committed to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import TypeVar

from binwright.v1 import forecast_pb2
from binwright_optimizer.catalog import clouds, regions
from binwright_optimizer.model import WhenUnsatisfiable, labels
from binwright_optimizer.model.forecast import (
    PPM,
    STANDARD_PROFILES,
    Band,
    Demand,
    Forecast,
    ForecastWorkload,
    Link,
    Period,
    Profile,
    RegionLimit,
    Resilience,
    Sampling,
    quarter,
)
from binwright_optimizer.model.offerings import CapacityType
from binwright_optimizer.model.pods import PodTemplate
from binwright_optimizer.model.remarks import idle_commitments
from binwright_optimizer.model.requirements import Operator, Requirement

from binwright_server.convert.offers import Commitments, OfferReader
from binwright_server.convert.templates import TemplateReader
from binwright_server.convert.violations import Violations
from binwright_server.limits import RequestLimits

T = TypeVar("T")

DEFAULT_CLOUD = "aws"
UTILISATION_PPM, HEADROOM_PPM, COMMON_PPM = 700_000, 200_000, 500_000
MAX_NODE_CPU_MILLI = 32_000
"""Meant where the message is silent; the same as in a file."""


def forecast_from_message(message: forecast_pb2.Forecast, limits: RequestLimits) -> Forecast:
    """The forecast.

    Raises
    ------
    InvalidProblemError
        With every wrong field.
    """
    out = Violations()
    found = _Reader(message, limits, out).read()
    out.check()
    assert found is not None, "a forecast without violations is whole"
    return found


class _Reader:
    """One message while it is read."""

    def __init__(self, message: forecast_pb2.Forecast, limits: RequestLimits, out: Violations) -> None:
        self._message = message
        self._limits = limits
        self._out = out
        self._cloud = message.cloud or DEFAULT_CLOUD

    def read(self) -> Forecast | None:
        message, out = self._message, self._out
        if self._cloud not in clouds():
            out.add("cloud", self._cloud, f"must be one of {', '.join(clouds())}")
            return None
        periods = self._periods()
        profiles = self._profiles()
        workloads = self._workloads({profile.name for profile in profiles})
        demands = self._demands(periods, workloads)
        named = {workload.profile for workload in workloads}
        wanted = tuple(dict.fromkeys(demand.region for demand in message.demands))
        allowed = tuple(dict.fromkeys((*wanted, *(region for w in workloads for region in w.regions))))
        offers = OfferReader(self._cloud, allowed, periods[0].start if periods else None, out)
        utilisation = message.utilisation_ppm if message.HasField("utilisation_ppm") else UTILISATION_PPM
        headroom = message.headroom_ppm if message.HasField("headroom_ppm") else HEADROOM_PPM
        service = message.service_ppm if message.HasField("service_ppm") else PPM
        if not 0 < utilisation <= PPM:
            out.add("utilisation_ppm", utilisation, f"must be above 0 and at most {PPM}")
        most = message.max_node_cpu_milli if message.HasField("max_node_cpu_milli") else MAX_NODE_CPU_MILLI
        if most <= 0:
            out.add("max_node_cpu_milli", most, "must be above 0")
        self._check_share("headroom_ppm", headroom)
        self._check_share("service_ppm", service)
        links, quotas, sampling = self._links(), self._quotas(), self._sampling()
        bought = offers.read(message)
        resilience = self._resilience("resilience", message.resilience)
        if out.found:
            return None
        return Forecast(
            cloud=self._cloud,
            regions=wanted,
            periods=periods,
            workloads=workloads,
            demands=demands,
            profiles=tuple(p for p in sorted(profiles, key=lambda p: p.name) if p.name in named),
            offers=bought.offers,
            held=bought.held,
            reservations=bought.reservations,
            held_reservations=bought.held_reservations,
            links=links,
            limits=quotas,
            resilience=resilience,
            sampling=sampling,
            utilisation_ppm=utilisation,
            headroom_ppm=headroom,
            max_node_cpu_milli=most,
            service_ppm=service,
            remarks=tuple(_remarks(bought, periods)),
        )

    def _build(self, path: str, value: object, make: Callable[[], T]) -> T | None:
        try:
            return make()
        except ValueError as error:
            self._out.add(path, value, str(error))
            return None

    def _check_share(self, path: str, value: int) -> None:
        if not 0 <= value <= PPM:
            self._out.add(path, value, f"must be in 0..{PPM}")

    def _region(self, path: str, region: str) -> None:
        if region not in regions(self._cloud):
            self._out.add(path, region, f"unknown region of {self._cloud}")

    def _periods(self) -> tuple[Period, ...]:
        out = self._out
        out.refuse_repeated("periods", "name", (period.name for period in self._message.periods))
        if not self._message.periods:
            out.add("periods", "", "must hold at least one")
        found: list[Period] = []
        for at, period in enumerate(self._message.periods):
            path = f"periods[{at}]"
            if not period.start and not period.end:
                built = self._build(f"{path}.name", period.name, lambda name=period.name: quarter(name))  # type: ignore[misc]
            else:
                built = self._dated(path, period)
            if built is not None:
                found.append(built)
        if len(found) == len(self._message.periods):
            for at, (earlier, later) in enumerate(pairwise(found), start=1):
                if later.start < earlier.end:
                    how = f"overlaps {earlier.name}: that ends on {earlier.end}, this begins on {later.start}"
                    out.add(f"periods[{at}]", later.name, how)
                elif later.start > earlier.end:
                    how = f"a period is missing before it: {earlier.name} ends on {earlier.end}"
                    out.add(f"periods[{at}]", later.name, how)
        return tuple(found)

    def _dated(self, path: str, period: forecast_pb2.ForecastPeriod) -> Period | None:
        start = self._build(f"{path}.start", period.start, lambda: date.fromisoformat(period.start))
        end = self._build(f"{path}.end", period.end, lambda: date.fromisoformat(period.end))
        if start is None or end is None:
            return None
        return self._build(f"{path}.end", period.end, lambda: Period(start, end, period.name))

    def _profiles(self) -> tuple[Profile, ...]:
        own = self._message.profiles
        self._out.refuse_repeated("profiles", "name", (profile.name for profile in own))
        built = [
            self._build(
                f"profiles[{at}].ppm",
                profile.name,
                lambda p=profile: Profile(p.name, tuple(p.ppm)),  # type: ignore[misc]
            )
            for at, profile in enumerate(own)
        ]
        names = {profile.name for profile in own}
        standard = tuple(profile for profile in STANDARD_PROFILES if profile.name not in names)
        return (*standard, *(profile for profile in built if profile is not None))

    def _workloads(self, profiles: set[str]) -> tuple[ForecastWorkload, ...]:
        out, templates = self._out, TemplateReader()
        out.refuse_repeated("workloads", "name", (workload.name for workload in self._message.workloads))
        if not self._message.workloads:
            out.add("workloads", "", "must hold at least one")
        found = []
        for at, message in enumerate(self._message.workloads):
            path = f"workloads[{at}]"
            template, violations = templates.read(message.template)
            for violation in violations:
                out.add(f"{path}.template{violation.field}", violation.value, violation.description)
            for key in sorted(_domains_of(template) - {labels.HOSTNAME}):
                out.add(f"{path}.template", key, "plans hold no rules between pods about domains but nodes")
            if not message.name:
                out.add(f"{path}.name", "", "must not be empty")
            if message.profile and message.profile not in profiles:
                out.add(f"{path}.profile", message.profile, f"must be one of {', '.join(sorted(profiles))}")
            for k, region in enumerate(message.regions):
                self._region(f"{path}.regions[{k}]", region)
            if message.max_latency_ms < 0 or message.egress_mib_per_hour < 0:
                out.add(path, message.name, "max_latency_ms and egress_mib_per_hour must not be negative")
            has_own = message.HasField("resilience")
            level = message.service_ppm if message.HasField("service_ppm") else None
            if level is not None:
                self._check_share(f"{path}.service_ppm", level)
            found.append(
                ForecastWorkload(
                    message.name,
                    _bought(template),
                    message.profile or "flat",
                    tuple(message.regions),
                    message.max_latency_ms if message.HasField("max_latency_ms") else None,
                    message.egress_mib_per_hour,
                    self._resilience(f"{path}.resilience", message.resilience) if has_own else None,
                    level,
                )
            )
        return tuple(found)

    def _demands(
        self, periods: Sequence[Period], workloads: Sequence[ForecastWorkload]
    ) -> tuple[Demand, ...]:
        out, messages = self._out, self._message.demands
        by_name = {workload.name: at for at, workload in enumerate(workloads)}
        by_period = {period.name: at for at, period in enumerate(self._message.periods)}
        out.refuse_repeated(
            "demands", "workload, region and period", ((m.workload, m.region, m.period) for m in messages)
        )
        found: dict[tuple[int, str, int], Demand] = {}
        for at, message in enumerate(messages):
            path = f"demands[{at}]"
            workload = out.choose(f"{path}.workload", message.workload, by_name)
            period = out.choose(f"{path}.period", message.period, by_period)
            self._region(f"{path}.region", message.region)
            p90 = message.p90 if message.HasField("p90") else message.p50
            p99 = message.p99 if message.HasField("p99") else p90
            band = self._build(path, message.p50, lambda a=message.p50, b=p90, c=p99: Band(a, b, c))  # type: ignore[misc]
            if band is not None and band.p99 > self._limits.max_pods:
                out.add(path, band.p99, f"must be at most {self._limits.max_pods} pods")
            if workload is not None and period is not None and band is not None:
                key = workload, message.region, period
                found[key] = Demand(workload, message.region, period, band)
        for at_workload, region in sorted({key[:2] for key in found}):
            for at_period, lacking in enumerate(periods):
                if (at_workload, region, at_period) not in found:
                    name = workloads[at_workload].name
                    wanted = f"{name} in {region} lacks {lacking.name}; 0 where nothing is wanted"
                    out.add("demands", lacking.name, wanted)
        if not messages:
            out.add("demands", "", "must hold at least one")
        return tuple(demand for _, demand in sorted(found.items()))

    def _links(self) -> tuple[Link, ...]:
        found: list[Link] = []
        for at, message in enumerate(self._message.links):
            path = f"links[{at}]"
            self._region(f"{path}.region", message.region)
            self._region(f"{path}.other_region", message.other_region)
            latency = message.latency_ms if message.HasField("latency_ms") else None
            if (latency or 0) < 0 or message.microusd_per_gib < 0:
                self._out.add(path, message.region, "latency and price must not be negative")
            link = self._build(
                path,
                message.other_region,
                lambda m=message, ms=latency: Link(m.region, m.other_region, ms, m.microusd_per_gib),  # type: ignore[misc]
            )
            if link is not None and any(link.joins(other.one, other.other) for other in found):
                self._out.add(path, message.other_region, "names a link twice")
            elif link is not None:
                found.append(link)
        return tuple(found)

    def _quotas(self) -> tuple[RegionLimit, ...]:
        self._out.refuse_repeated("quotas", "region", (quota.region for quota in self._message.quotas))
        for at, quota in enumerate(self._message.quotas):
            self._region(f"quotas[{at}].region", quota.region)
            if quota.cpu_milli < 0:
                self._out.add(f"quotas[{at}].cpu_milli", quota.cpu_milli, "must not be negative")
        return tuple(RegionLimit(quota.region, quota.cpu_milli) for quota in self._message.quotas)

    def _resilience(self, path: str, message: forecast_pb2.Resilience) -> Resilience:
        protected = message.protected_ppm if message.HasField("protected_ppm") else PPM
        built = self._build(
            path,
            f"zones {message.zones}, spot pools {message.spot_pools}",
            lambda: Resilience(message.zones, message.spot_pools, message.region_failover_ppm, protected),
        )
        return built or Resilience()

    def _sampling(self) -> Sampling | None:
        if not self._message.HasField("sampling"):
            return None
        message = self._message.sampling
        common = message.common_ppm if message.HasField("common_ppm") else COMMON_PPM
        return self._build("sampling", message.count, lambda: Sampling(message.count, message.seed, common))


def _remarks(bought: Commitments, periods: Sequence[Period]) -> Iterator[str]:
    """What is right in the message but probably not meant."""
    for name, held in (
        ("held_commitments", bought.held),
        ("held_reservations", bought.held_reservations),
    ):
        for at, field, said in idle_commitments(held, periods):
            yield f"{name}[{at}].{field}: {said}"


def _domains_of(template: PodTemplate) -> set[str]:
    """Topology keys of the rules between pods that must hold."""
    required = (*template.pod_affinity.required, *template.pod_anti_affinity.required)
    spread = (
        s for s in template.topology_spread if s.when_unsatisfiable is WhenUnsatisfiable.DO_NOT_SCHEDULE
    )
    return {term.topology_key for term in required} | {s.topology_key for s in spread}


def _bought(template: PodTemplate) -> PodTemplate:
    """The template, bought on demand unless it says otherwise; plans count dollars, and no restarts."""
    template = replace(template, restart_cost_microusd=0)
    if any(requirement.key == labels.CAPACITY_TYPE for requirement in template.node_selector):
        return template
    on_demand = Requirement(labels.CAPACITY_TYPE, Operator.IN, (str(CapacityType.ON_DEMAND),))
    return replace(template, node_selector=(*template.node_selector, on_demand))

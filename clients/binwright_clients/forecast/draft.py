"""A forecast as it was written, with the place of each part, and the checks of the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from binwright_optimizer.model import CapacityType
from binwright_optimizer.model.forecast import (
    PPM,
    STANDARD_PROFILES,
    Backtest,
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
)
from binwright_optimizer.model.offers import (
    USUAL_OFFERS,
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    ReservationOffer,
    Scope,
)
from binwright_optimizer.model.remarks import idle_commitments

from binwright_clients.errors import Problems
from binwright_clients.spelling import suggestion

CURRENCY = "USD"
"""The currency of every price in the catalogues."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: place in the file, column or field, and its text."""

    place: str
    field: str
    value: str


@dataclass(frozen=True, slots=True)
class DemandCell:
    """One demand as written; its places are those of region, period and amount.

    Parameters
    ----------
    parts
        Where the parts of its workload were written beside it, by path in `ForecastWorkload`.
    """

    workload: str
    region: str
    period: Period
    band: Band
    region_place: Place
    period_place: Place
    band_place: Place
    parts: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkloadDraft:
    """A workload and where its profile was named."""

    workload: ForecastWorkload
    profile_place: Place


@dataclass(frozen=True, slots=True)
class Sold:
    """What a commitment covers, and where its instance types, region and zone were named."""

    scope: Scope
    type_places: tuple[Place, ...]
    region_place: Place
    zone_place: Place


@dataclass(slots=True)
class Draft:
    """Everything a file says, not checked as a whole yet.

    ``regions`` and ``periods`` are those that the file declares; empty if it only mentions them with
    its demands. ``mentioned`` are further regions that must exist. ``parts`` are places of further values, by
    path in `Forecast`. ``remarks`` are what is right but worth to know.

    ``cells`` with mistakes of their own are kept where workload, region and period are known, so that these
    are checked beside all others; ``spoilt_profiles`` are what their workloads name, ``unread_profiles``
    declared with mistakes. ``is_partial`` says that something could not be read at all, so that nothing can
    be said to be missing.
    """

    file: str
    cloud: str
    cloud_place: Place
    workloads: dict[str, WorkloadDraft] = field(default_factory=dict)
    cells: list[DemandCell] = field(default_factory=list)
    spoilt_profiles: dict[str, Place] = field(default_factory=dict)
    unread_profiles: set[str] = field(default_factory=set)
    is_partial: bool = False
    regions: list[tuple[str, Place]] = field(default_factory=list)
    periods: list[tuple[Period, Place]] = field(default_factory=list)
    profiles: dict[str, Profile] = field(default_factory=dict)
    offers: tuple[CommitmentOffer, ...] = USUAL_OFFERS
    held: list[tuple[HeldCommitment, Place]] = field(default_factory=list)
    reservations: list[ReservationOffer] = field(default_factory=list)
    held_reservations: list[tuple[HeldReservation, Place]] = field(default_factory=list)
    sold: list[Sold] = field(default_factory=list)
    currencies: list[Place] = field(default_factory=list)
    utilisation_ppm: int = 700_000
    headroom_ppm: int = 200_000
    max_node_cpu_milli: int = 32_000
    service_ppm: int = PPM
    resilience: Resilience = Resilience()
    links: list[Link] = field(default_factory=list)
    limits: list[RegionLimit] = field(default_factory=list)
    mentioned: list[tuple[str, Place]] = field(default_factory=list)
    backtests: list[Backtest] = field(default_factory=list)
    sampling: Sampling | None = None
    parts: dict[str, Place] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def finish(self, problems: Problems) -> Forecast | None:
        """The forecast, or None with at least one problem reported, now or before.

        What a mistake leaves in doubt is not reported beside it.
        """
        report = _Report(self.file, problems)
        self._check_currency(report)
        at = len(problems)
        self._check_regions(report)
        are_regions_known = len(problems) == at
        profiles = self._profiles(report)
        at = len(problems)
        periods = self._periods(report)
        is_in_order = len(problems) == at and not self.is_partial
        found = self._found(report)
        if is_in_order and are_regions_known:
            self._check_whole(found, periods, report)
        if is_in_order:
            self._check_held(periods, report)
        if are_regions_known and not self.is_partial:
            for sold in self.sold:
                self._check_sold(sold, report)
        if len(problems):
            return None
        index = {period: at for at, period in enumerate(periods)}
        names = {name: at for at, name in enumerate(self.workloads)}
        demands = (Demand(names[w], region, index[p], cell.band) for (w, region, p), cell in found.items())
        named = {draft.workload.profile for draft in self.workloads.values()}
        return Forecast(
            cloud=self.cloud,
            regions=tuple(dict.fromkeys(cell.region for cell in self.cells)),
            periods=periods,
            workloads=tuple(draft.workload for draft in self.workloads.values()),
            demands=tuple(sorted(demands, key=lambda d: (d.workload, d.region, d.period))),
            profiles=tuple(profiles[name] for name in sorted(named)),
            offers=self.offers,
            held=tuple(held for held, _ in self.held),
            reservations=tuple(self.reservations),
            held_reservations=tuple(held for held, _ in self.held_reservations),
            utilisation_ppm=self.utilisation_ppm,
            headroom_ppm=self.headroom_ppm,
            max_node_cpu_milli=self.max_node_cpu_milli,
            service_ppm=self.service_ppm,
            resilience=self.resilience,
            sampling=self.sampling,
            links=tuple(self.links),
            limits=tuple(self.limits),
            backtests=tuple(self.backtests),
            remarks=(*self.remarks, *self._idle_regions(), *self._idle_commitments(periods)),
        )

    def _idle_regions(self) -> Iterator[str]:
        """Regions that are declared, but where nothing is wanted and nothing may move to."""
        used = {cell.region for cell in self.cells}
        used |= {region for draft in self.workloads.values() for region in draft.workload.regions}
        for name, place in self.regions:
            if name not in used:
                yield f"{place.field}: no workload wants anything in {name}"

    def _idle_commitments(self, periods: tuple[Period, ...]) -> Iterator[str]:
        """Commitments held that do not count in a period because they do not cover the whole of it."""
        everything: list[tuple[HeldCommitment | HeldReservation, Place]] = [
            *self.held,
            *self.held_reservations,
        ]
        for at, field_name, said in idle_commitments([held for held, _ in everything], periods):
            yield f"{everything[at][1].field.removesuffix('end')}{field_name}: {said}"

    def _check_currency(self, report: _Report) -> None:
        first = self.currencies[0].value if self.currencies else CURRENCY
        for place in self.currencies:
            if place.value != first:
                report.at(place, f"mixes currencies: {first} elsewhere in the file")
            elif place.value != CURRENCY:
                report.at(place, f"must be {CURRENCY}, the currency of the price lists")

    def _check_regions(self, report: _Report) -> None:
        # Imported on first use: the price lists are read from disk.
        from binwright_optimizer.catalog import clouds, regions

        if self.cloud not in clouds():
            report.at(self.cloud_place, f"unknown cloud; known: {', '.join(clouds())}")
            return
        known = regions(self.cloud)
        declared = [name for name, _ in self.regions]
        for name, place in [*self.regions, *self.mentioned]:
            if name not in known:
                report.at(place, f"unknown region of {self.cloud}{suggestion(name, known)}")
        for cell in self.cells:
            if declared and cell.region not in declared:
                report.at(
                    cell.region_place,
                    f"is not among the forecast's regions{suggestion(cell.region, declared)}",
                )
            elif cell.region not in known:
                report.at(
                    cell.region_place, f"unknown region of {self.cloud}{suggestion(cell.region, known)}"
                )

    def _profiles(self, report: _Report) -> dict[str, Profile]:
        """All profiles by name; those that workloads name must be among them."""
        profiles = {profile.name: profile for profile in STANDARD_PROFILES} | self.profiles
        places = self.spoilt_profiles | {name: w.profile_place for name, w in self.workloads.items()}
        for place in places.values():
            if place.value not in profiles and place.value not in self.unread_profiles:
                report.at(place, f"unknown profile{suggestion(place.value, profiles)}")
        return profiles

    def _periods(self, report: _Report) -> tuple[Period, ...]:
        """All periods in order, without overlap, and without gap where all are known."""
        first_seen: dict[Period, Place] = {}
        for period, place in [*self.periods, *((cell.period, cell.period_place) for cell in self.cells)]:
            first_seen.setdefault(period, place)
        ordered = sorted(first_seen, key=lambda period: (period.start, period.end))
        for earlier, later in pairwise(ordered):
            if later.start < earlier.end:
                report.at(
                    first_seen[later],
                    f"overlaps {_named(earlier)}: that ends on {earlier.end}, this begins on {later.start}",
                )
            elif later.start > earlier.end and not self.is_partial:
                report.at(
                    first_seen[later],
                    f"a period is missing before it: {_named(earlier)} ends on {earlier.end}, "
                    f"this begins on {later.start}",
                )
        return tuple(ordered)

    def _found(self, report: _Report) -> dict[tuple[str, str, Period], DemandCell]:
        """Demands by workload, region and period, each given once."""
        found: dict[tuple[str, str, Period], DemandCell] = {}
        for cell in self.cells:
            first = found.setdefault((cell.workload, cell.region, cell.period), cell)
            if first is not cell:
                report.at(cell.period_place, f"was given before, in {first.period_place.place}")
        return found

    def _check_whole(
        self,
        found: Mapping[tuple[str, str, Period], DemandCell],
        periods: tuple[Period, ...],
        report: _Report,
    ) -> None:
        """Whatever is wanted somewhere in one period is stated of all of them."""
        last = {(workload, region): cell for (workload, region, _), cell in found.items()}
        for (workload, region), cell in last.items():
            for period in periods:
                if (workload, region, period) not in found:
                    # What is missing has no place of its own: of a document, the region that lacks it.
                    field_name = cell.region_place.field.removesuffix(f".{cell.period_place.value}")
                    report.at(
                        replace(cell.region_place, field=field_name, value=""),
                        f"{workload} in {region} lacks {_named(period)}; write 0 where nothing is wanted",
                    )

    def cells_in_order(self) -> list[DemandCell]:
        """Where each demand of the finished forecast was written."""
        names = {name: at for at, name in enumerate(self.workloads)}
        return sorted(self.cells, key=lambda c: (names[c.workload], c.region, c.period.start))

    def _check_held(self, periods: tuple[Period, ...], report: _Report) -> None:
        if not periods:
            return
        everything: list[tuple[HeldCommitment | HeldReservation, Place]] = [
            *self.held,
            *self.held_reservations,
        ]
        for held, place in everything:
            if held.end <= periods[0].start:
                report.at(
                    place,
                    f"commitment {held.name} is past its end: it ended on {held.end}, "
                    f"the forecast begins on {periods[0].start}",
                )

    def _check_sold(self, sold: Sold, report: _Report) -> None:
        """Commitments must be for what the price lists sell in the forecast's regions."""
        # Imported on first use: the price lists are read from disk.
        from binwright_optimizer.catalog import embedded_catalog

        allowed = (region for draft in self.workloads.values() for region in draft.workload.regions)
        mine = list(dict.fromkeys((*(cell.region for cell in self.cells), *allowed)))
        scope = sold.scope
        if scope.region and scope.region not in mine:
            report.at(
                sold.region_place, f"is not among the forecast's regions{suggestion(scope.region, mine)}"
            )
            return
        regions = [scope.region] if scope.region else mine
        if not scope.zone and not scope.instance_types:
            return
        catalogs = [embedded_catalog(self.cloud, [region]) for region in regions]
        types = [t for catalog in catalogs for t in catalog.instance_types]
        zones = sorted({offering.zone for t in types for offering in t.offerings})
        if scope.zone and scope.zone not in zones:
            report.at(sold.zone_place, f"is no zone of {scope.region}{suggestion(scope.zone, zones)}")
            return
        known = {
            t.name
            for t in types
            for offering in t.offerings
            if offering.capacity_type is CapacityType.ON_DEMAND and scope.zone in ("", offering.zone)
        }
        where = scope.zone or scope.region or self.cloud
        for name, place in zip(scope.instance_types, sold.type_places, strict=True):
            if name not in known:
                report.at(place, f"is not sold on demand in {where}{suggestion(name, known)}")


class _Report:
    """Adds problems of one file."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems

    def at(self, place: Place, description: str) -> None:
        """Report a wrong value."""
        self._problems.add(self._file, description, place=place.place, field=place.field, value=place.value)


def _named(period: Period) -> str:
    return period.name or f"{period.start} to {period.end}"

"""Forecasts: how many pods of which shape will be wanted where, when, and how surely.

Demand is counted in replicas at the busiest hour. A profile says how much of it each hour of the week
wants; a band says how sure it is. Money is micro-dollars; shares and discounts are parts per million, so
that a plan's cost and bound stay exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from binwright_optimizer.model.offers import (
    USUAL_OFFERS,
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    ReservationOffer,
)
from binwright_optimizer.model.pods import PodTemplate

HOURS_OF_WEEK = 168
PPM = 1_000_000
"""Parts in a million."""
FIRST_YEAR, LAST_YEAR = 2000, 2200
"""Years that plans are made for: beyond them a date is a slip, and terms would leave the calendar."""


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days from ``start`` up to but without ``end``; the name does not tell periods apart."""

    start: date
    end: date
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"period {self.name} ends on {self.end}, not after its start {self.start}")

    @property
    def hours(self) -> int:
        """Length in hours, summer time ignored."""
        return 24 * (self.end - self.start).days


def quarter(text: str) -> Period:
    """The quarter of a name such as ``2027-Q1``.

    Raises
    ------
    ValueError
        If the text names no quarter.

    Examples
    --------
    >>> quarter("2027-Q1").hours
    2160
    """
    year, _, number = text.partition("-Q")
    if len(year) != 4 or not year.isdecimal() or number not in ("1", "2", "3", "4"):
        raise ValueError("is not a quarter such as 2027-Q1")
    if not FIRST_YEAR <= int(year) <= LAST_YEAR:
        raise ValueError(f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    first = 3 * int(number) - 2
    after = (int(year) + 1, 1) if first == 10 else (int(year), first + 3)
    return Period(date(int(year), first, 1), date(*after, 1), text)


@dataclass(frozen=True, slots=True)
class Band:
    """Replicas at the busiest hour: even odds, one chance in ten and one in a hundred to be exceeded."""

    p50: int
    p90: int
    p99: int

    def __post_init__(self) -> None:
        if not 0 <= self.p50 <= self.p90 <= self.p99:
            raise ValueError(f"must satisfy 0 <= p50 <= p90 <= p99, not {self.p50}, {self.p90}, {self.p99}")

    @classmethod
    def exactly(cls, replicas: int) -> Band:
        """Demand that is known."""
        return cls(replicas, replicas, replicas)

    @property
    def is_certain(self) -> bool:
        """Whether all quantiles agree."""
        return self.p50 == self.p99


@dataclass(frozen=True, slots=True)
class Profile:
    """Share of the busiest hour's demand in each hour of the week, from Monday 00:00, in ppm."""

    name: str
    ppm: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.ppm) != HOURS_OF_WEEK:
            raise ValueError(f"a profile has {HOURS_OF_WEEK} hours, not {len(self.ppm)}")
        if not all(0 <= share <= PPM for share in self.ppm):
            raise ValueError("the factors of a profile must be in 0..1")

    @classmethod
    def weekly(cls, name: str, base_ppm: int, peaks: Iterable[tuple[range, range, int]] = ()) -> Profile:
        """A base and peaks, each (days 0..6, hours 0..23, ppm); later peaks win."""
        hours = [base_ppm] * HOURS_OF_WEEK
        for days, times, ppm in peaks:
            for day in days:
                for hour in times:
                    hours[24 * day + hour] = ppm
        return cls(name, tuple(hours))


FLAT = Profile.weekly("flat", PPM)
OFFICE = Profile.weekly("office", 400_000, [(range(5), range(8, 20), PPM)])
EVENING = Profile.weekly("evening", 350_000, [(range(7), range(17, 24), PPM)])
NIGHT = Profile.weekly("night", 100_000, [(range(7), range(6), PPM)])
STANDARD_PROFILES = (FLAT, OFFICE, EVENING, NIGHT)
"""Steady; working days from 8 to 20 h; every evening from 17 h; every night until 6 h."""


@dataclass(frozen=True, slots=True)
class Resilience:
    """What must be survived, and by how much of the demand.

    Parameters
    ----------
    zones
        1: protected pods still fit on what is left, headroom kept, if any one zone is lost.
    spot_pools
        1: the same if any one spot pool (an instance type in a zone) is lost; binds pods on spot nodes.
    failover_ppm
        Share of the demand that must still fit if any one region is lost.
    protected_ppm
        Share of the demand that losses of zones and spot pools must not touch.
    """

    zones: int = 0
    spot_pools: int = 0
    failover_ppm: int = 0
    protected_ppm: int = PPM

    def __post_init__(self) -> None:
        if self.zones not in (0, 1) or self.spot_pools not in (0, 1):
            raise ValueError(f"the loss of 0 or 1 zones and spot pools can be survived: {self}")
        if not 0 <= self.failover_ppm <= PPM or not 0 <= self.protected_ppm <= PPM:
            raise ValueError(f"shares must be in 0..1: {self}")

    @property
    def asks_nothing(self) -> bool:
        """Whether nothing must be survived."""
        return not (self.zones or self.spot_pools or self.failover_ppm)


@dataclass(frozen=True, slots=True)
class ForecastWorkload:
    """Pods of one shape; their template says how they may be bought.

    Parameters
    ----------
    regions
        Where its pods may run, whatever region wants them; empty means only there.
    most_latency_ms
        Longest way between the region that wants them and the one where they run; None for any.
    egress_mib_per_hour
        What one pod sends to the region that wants it when it runs elsewhere.
    resilience
        None means the forecast's.
    service_ppm
        Share of the demand at p99 that its nodes must hold; None means the forecast's.
    """

    name: str
    template: PodTemplate
    profile: str = "flat"
    regions: tuple[str, ...] = ()
    most_latency_ms: int | None = None
    egress_mib_per_hour: int = 0
    resilience: Resilience | None = None
    service_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """The way between two regions, the same in both directions.

    Parameters
    ----------
    latency_ms
        Round trip; None if it is not known, which no latency limit accepts.
    microusd_per_gib
        Price of data sent.
    """

    one: str
    other: str
    latency_ms: int | None = None
    microusd_per_gib: int = 0

    def __post_init__(self) -> None:
        if self.one == self.other:
            raise ValueError(f"a link joins two regions, not {self.one} with itself")

    def joins(self, region: str, other: str) -> bool:
        """Whether it is the way between these two."""
        return {region, other} == {self.one, self.other}


@dataclass(frozen=True, slots=True)
class RegionLimit:
    """What all pods in a region may request, headroom included: its quota."""

    region: str
    cpu_milli: int


@dataclass(frozen=True, slots=True)
class Demand:
    """How many pods of a workload one region wants in one period, by indices into the forecast."""

    workload: int
    region: str
    period: int
    band: Band


@dataclass(frozen=True, slots=True)
class Backtest:
    """How often bands made from a history held in its own past.

    Parameters
    ----------
    spans, points
        Spans forecast from what was before them, and points of each.
    p50, p90, p99
        Share of the spans whose highest point lay at or below each quantile.
    """

    workload: str
    region: str
    spans: int
    points: int
    p50: float
    p90: float
    p99: float


@dataclass(frozen=True, slots=True)
class Sampling:
    """How many futures are drawn from the bands, equally likely.

    Parameters
    ----------
    common_ppm
        Share of the variance that all workloads and regions have in common: 0 draws each for itself,
        a million moves all together.
    """

    count: int
    seed: int = 0
    common_ppm: int = 500_000

    def __post_init__(self) -> None:
        if not 2 <= self.count <= MOST_SAMPLES:
            raise ValueError(f"must be in 2..{MOST_SAMPLES}")
        if not 0 <= self.common_ppm <= PPM:
            raise ValueError("the common share must be in 0..1")


MOST_SAMPLES = 1000
"""Probabilities are counted in thousandths."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """A whole forecast.

    Parameters
    ----------
    periods
        Consecutive, without gap or overlap.
    demands
        One for each workload and region that appear together, and each period.
    utilisation_ppm
        Share of a node's CPU and memory that requests may fill.
    headroom_ppm
        Further pods of each workload that its nodes must hold, as a share of the demand.
    links
        Ways between regions that movable workloads use; without one, data costs nothing and the latency is
        not known.
    sampling
        Futures drawn from the bands; None stands for the quantiles themselves.
    service_ppm
        Service level: share of each demand at p99 that nodes must hold. What is wanted beyond it, in any
        future, is not served.
    max_node_cpu_milli
        Largest node to buy, so that the loss of one takes little; a pod that needs a larger one raises it.
    remarks
        What is right but probably not meant, for whoever wrote the forecast.
    """

    cloud: str
    regions: tuple[str, ...]
    periods: tuple[Period, ...]
    workloads: tuple[ForecastWorkload, ...]
    demands: tuple[Demand, ...]
    profiles: tuple[Profile, ...] = STANDARD_PROFILES
    offers: tuple[CommitmentOffer, ...] = USUAL_OFFERS
    held: tuple[HeldCommitment, ...] = ()
    reservations: tuple[ReservationOffer, ...] = ()
    held_reservations: tuple[HeldReservation, ...] = ()
    utilisation_ppm: int = 700_000
    links: tuple[Link, ...] = ()
    limits: tuple[RegionLimit, ...] = ()
    resilience: Resilience = Resilience()
    headroom_ppm: int = 0
    backtests: tuple[Backtest, ...] = ()
    sampling: Sampling | None = None
    service_ppm: int = PPM
    remarks: tuple[str, ...] = ()
    max_node_cpu_milli: int = 32_000

    def most_served(self, demand: Demand) -> int:
        """Pods of a demand that nodes must hold at most, by its service level, rounded up."""
        own = self.workloads[demand.workload].service_ppm
        share = self.service_ppm if own is None else own
        return -(-demand.band.p99 * share // PPM)

    @property
    def fill_ppm(self) -> int:
        """Share of a node's CPU and memory that requests may fill, those of the headroom's pods included."""
        return min(PPM, self.utilisation_ppm * (PPM + self.headroom_ppm) // PPM)

    def profile_of(self, workload: int) -> Profile:
        """Profile of a workload; raises KeyError if it is not among the forecast's."""
        wanted = self.workloads[workload].profile
        for profile in self.profiles:
            if profile.name == wanted:
                return profile
        raise KeyError(wanted)

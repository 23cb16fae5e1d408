"""What a forecast may commit to, and what it holds already: committed spend and reserved nodes.

Money is micro-dollars and discounts are parts per million, so that a plan's cost and bound stay exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from binwright_optimizer.model.spot import PPM

DAYS_OF_YEAR = 365


class Upfront(StrEnum):
    """When a commitment is paid."""

    NONE = "none"
    PARTIAL = "partial"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Scope:
    """Which on-demand nodes a commitment pays for; an empty part covers all of its kind.

    Parameters
    ----------
    zone
        A zone of ``region``; only with a region.
    """

    instance_types: tuple[str, ...] = ()
    region: str = ""
    zone: str = ""

    def __post_init__(self) -> None:
        if self.zone and not self.region:
            raise ValueError(f"zone {self.zone} needs its region")

    def covers(self, instance_type: str, region: str, zone: str) -> bool:
        """Whether a node is within it.

        Examples
        --------
        >>> Scope(("m5.large",), "us-east-1").covers("m5.large", "us-east-1", "us-east-1a")
        True
        """
        return (
            (not self.instance_types or instance_type in self.instance_types)
            and self.region in ("", region)
            and self.zone in ("", zone)
        )


def _check_years(name: str, years: int) -> None:
    if years not in (1, 3):
        raise ValueError(f"{name}: commitments last 1 or 3 years, not {years}")


def _end_of(start: date, years: int) -> date:
    """The same day some years later: a leap day within a term is paid for like its other days.

    Clouds count 365 days a year, so that such a term really ends a day earlier. A plan knows whole periods
    and would lose the last of the term for that day.
    """
    try:
        return start.replace(year=start.year + years)
    except ValueError:  # 29 February
        return date(start.year + years, 3, 1)


@dataclass(frozen=True, slots=True)
class CommitmentOffer:
    """A promise to spend dollars an hour for some years, at a discount on every on-demand node in scope.

    A dollar an hour of it pays for on-demand nodes that would cost 1 / (1 - discount) dollars; what is
    not used is lost.

    Parameters
    ----------
    is_estimate
        The discount is a usual one, not a quoted price.
    """

    name: str
    years: int
    upfront: Upfront
    discount_ppm: int
    is_estimate: bool = False
    scope: Scope = Scope()

    def __post_init__(self) -> None:
        if not 0 < self.discount_ppm < PPM:
            raise ValueError(f"{self.name}: the discount must be in (0, 1)")
        _check_years(self.name, self.years)

    def end_of(self, start: date) -> date:
        """When a commitment bought on ``start`` ends."""
        return _end_of(start, self.years)


@dataclass(frozen=True, slots=True)
class ReservationOffer:
    """Nodes of one instance type in one region, paid for whether they run or not: a reserved instance.

    Parameters
    ----------
    zone
        The zone it is tied to; empty for any zone of the region.
    discount_ppm
        Off the on-demand price; None where ``microusd_per_hour`` and ``upfront_microusd`` are quoted.
    microusd_per_hour, upfront_microusd
        What one node costs in each hour of the term, and once when it is bought.
    is_estimate
        The discount is a usual one, not a quoted price.
    """

    name: str
    instance_type: str
    region: str
    years: int
    upfront: Upfront
    zone: str = ""
    discount_ppm: int | None = None
    microusd_per_hour: int = 0
    upfront_microusd: int = 0
    is_estimate: bool = False

    def __post_init__(self) -> None:
        if self.discount_ppm is not None and not 0 < self.discount_ppm < PPM:
            raise ValueError(f"{self.name}: the discount must be in (0, 1)")
        if self.discount_ppm is None and self.microusd_per_hour + self.upfront_microusd <= 0:
            raise ValueError(f"{self.name}: a reservation has a discount or a price")
        _check_years(self.name, self.years)

    @property
    def scope(self) -> Scope:
        """The nodes that it pays for."""
        return Scope((self.instance_type,), self.region, self.zone)

    def end_of(self, start: date) -> date:
        """When a reservation bought on ``start`` ends."""
        return _end_of(start, self.years)

    def hourly_microusd(self, on_demand_microusd: int) -> int:
        """What one node costs an hour with the upfront payment spread over the term, rounded up.

        Examples
        --------
        >>> ReservationOffer("r", "m5.large", "us-east-1", 1, Upfront.ALL, upfront_microusd=876_000_000
        ... ).hourly_microusd(0)
        100000
        """
        if self.discount_ppm is not None:
            return -(-on_demand_microusd * (PPM - self.discount_ppm) // PPM)
        return self.microusd_per_hour - (-self.upfront_microusd // (24 * DAYS_OF_YEAR * self.years))


USUAL_OFFERS = (
    CommitmentOffer("1 year, no upfront", 1, Upfront.NONE, 270_000, True),
    CommitmentOffer("1 year, all upfront", 1, Upfront.ALL, 310_000, True),
    CommitmentOffer("3 years, no upfront", 3, Upfront.NONE, 450_000, True),
    CommitmentOffer("3 years, all upfront", 3, Upfront.ALL, 490_000, True),
)
"""What AWS Compute Savings Plans usually save on common Linux types; other clouds' flexible commitments are
of that order. Estimates, so state the discounts that you are quoted."""


@dataclass(frozen=True, slots=True)
class HeldCommitment:
    """A commitment bought before, sunk: it costs nothing more and pays until it ends."""

    name: str
    microusd_per_hour: int
    discount_ppm: int
    start: date
    end: date
    scope: Scope = Scope()


@dataclass(frozen=True, slots=True)
class HeldReservation:
    """``count`` nodes reserved before, sunk: they cost nothing more until the reservation ends."""

    name: str
    instance_type: str
    region: str
    count: int
    start: date
    end: date
    zone: str = ""

    @property
    def scope(self) -> Scope:
        """The nodes that it pays for."""
        return Scope((self.instance_type,), self.region, self.zone)

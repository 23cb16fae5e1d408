"""What a forecast may commit to and holds already, from messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from binwright.v1 import forecast_pb2
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model.forecast import PPM
from binwright_optimizer.model.offerings import CapacityType
from binwright_optimizer.model.offers import (
    USUAL_OFFERS,
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    ReservationOffer,
    Scope,
    Upfront,
)
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD

from binwright_server.convert.violations import Violations

T = TypeVar("T")
_UPFRONT = {str(kind): kind for kind in Upfront}


@dataclass(frozen=True, slots=True)
class Commitments:
    """All of them."""

    offers: tuple[CommitmentOffer, ...]
    held: tuple[HeldCommitment, ...]
    reservations: tuple[ReservationOffer, ...]
    held_reservations: tuple[HeldReservation, ...]


class OfferReader:
    """Reads the commitments of one forecast.

    Parameters
    ----------
    regions
        Where pods may run.
    begins
        First day of the forecast; None if that is wrong itself.
    """

    def __init__(self, cloud: str, regions: Sequence[str], begins: date | None, out: Violations) -> None:
        self._cloud = cloud
        self._regions = regions
        self._begins = begins
        self._out = out

    def read(self, message: forecast_pb2.Forecast) -> Commitments:
        """The commitments; what is wrong is recorded and left out."""
        offers: tuple[CommitmentOffer, ...] = USUAL_OFFERS
        if message.HasField("offers"):
            offers = self._each("offers.offers", message.offers.offers, self._offer)
        return Commitments(
            offers,
            self._each("held_commitments", message.held_commitments, self._held),
            self._each("reservation_offers", message.reservation_offers, self._reservation),
            self._each("held_reservations", message.held_reservations, self._held_reservation),
        )

    def _each(self, path: str, messages: Sequence[T], read: Callable[[str, T], object]) -> tuple:  # type: ignore[type-arg]
        names = [getattr(message, "name", "") for message in messages]
        self._out.refuse_repeated(path, "name", names)
        found = []
        for at, message in enumerate(messages):
            where = f"{path}[{at}]"
            if not names[at]:
                self._out.add(f"{where}.name", "", "must not be empty")
            try:
                one = read(where, message)
            except ValueError as error:
                self._out.add(where, names[at], str(error))
                continue
            if one is not None:
                found.append(one)
        return tuple(found)

    def _upfront(self, path: str, text: str) -> Upfront:
        return self._out.choose(f"{path}.upfront", text, _UPFRONT, Upfront.NONE) or Upfront.NONE

    def _offer(self, path: str, message: forecast_pb2.CommitmentOffer) -> CommitmentOffer:
        return CommitmentOffer(
            message.name,
            message.years,
            self._upfront(path, message.upfront),
            message.discount_ppm,
            scope=self._scope(path, message.scope),
        )

    def _held(self, path: str, message: forecast_pb2.HeldCommitment) -> HeldCommitment | None:
        days = self._days(path, message.start, message.end)
        if not 0 < message.discount_ppm < PPM:
            self._out.add(f"{path}.discount_ppm", message.discount_ppm, f"must be above 0 and below {PPM}")
            return None
        self._amount(f"{path}.microusd_per_hour", message.microusd_per_hour)
        if days is None:
            return None
        return HeldCommitment(
            message.name,
            message.microusd_per_hour,
            message.discount_ppm,
            *days,
            self._scope(path, message.scope),
        )

    def _reservation(self, path: str, message: forecast_pb2.ReservationOffer) -> ReservationOffer:
        scope = Scope((message.instance_type,), message.region, message.zone)
        self._check_sold(path, scope)
        self._amount(f"{path}.microusd_per_hour", message.microusd_per_hour)
        self._amount(f"{path}.upfront_microusd", message.upfront_microusd, MAX_PRICE_MICROUSD * 10**5)
        return ReservationOffer(
            message.name,
            message.instance_type,
            message.region,
            message.years,
            self._upfront(path, message.upfront),
            message.zone,
            message.discount_ppm if message.HasField("discount_ppm") else None,
            message.microusd_per_hour,
            message.upfront_microusd,
        )

    def _held_reservation(self, path: str, message: forecast_pb2.HeldReservation) -> HeldReservation | None:
        days = self._days(path, message.start, message.end)
        self._check_sold(path, Scope((message.instance_type,), message.region, message.zone))
        if message.count < 1:
            self._out.add(f"{path}.count", message.count, "must be at least 1")
        if days is None:
            return None
        return HeldReservation(
            message.name, message.instance_type, message.region, message.count, *days, message.zone
        )

    def _amount(self, path: str, value: int, most: int = MAX_PRICE_MICROUSD) -> None:
        if not 0 <= value <= most:
            self._out.add(path, value, f"must be in 0..{most}")

    def _days(self, path: str, start: str, end: str) -> tuple[date, date] | None:
        found = []
        for field, text in (("start", start), ("end", end)):
            try:
                found.append(date.fromisoformat(text))
            except ValueError:
                self._out.add(f"{path}.{field}", text, "must be a day such as 2027-01-01")
        if len(found) < 2:
            return None
        first, last = found
        if last <= first:
            self._out.add(f"{path}.end", end, f"must be after its start, {start}")
            return None
        if self._begins is not None and last <= self._begins:
            self._out.add(
                f"{path}.end", end, f"is past its end: the forecast begins on {self._begins.isoformat()}"
            )
        return first, last

    def _scope(self, path: str, message: forecast_pb2.CommitmentScope) -> Scope:
        scope = Scope(tuple(message.instance_types), message.region, message.zone)
        if scope != Scope():
            self._check_sold(f"{path}.scope", scope)
        return scope

    def _check_sold(self, path: str, scope: Scope) -> None:
        """Commitments must be for what the price lists sell where pods may run."""
        if scope.region and scope.region not in self._regions:
            self._out.add(f"{path}.region", scope.region, "is not among the forecast's regions")
            return
        mine = (scope.region,) if scope.region else tuple(self._regions)
        if not mine:
            return
        sold = {
            (kind.name, offering.zone)
            for kind in embedded_catalog(self._cloud, list(mine)).instance_types
            for offering in kind.offerings
            if offering.capacity_type is CapacityType.ON_DEMAND
        }
        if scope.zone and all(zone != scope.zone for _, zone in sold):
            self._out.add(f"{path}.zone", scope.zone, f"is no zone of {scope.region}")
            return
        for name in scope.instance_types:
            if not any(known == name and scope.zone in ("", zone) for known, zone in sold):
                where = scope.zone or scope.region or self._cloud
                self._out.add(f"{path}.instance_type", name, f"is not sold on demand in {where}")

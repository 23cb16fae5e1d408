"""What commitments cost and pay for, restated from the meaning of `model.forecast`.

An *instrument* is a commitment that the forecast offers or holds: a cent an hour of spend at a discount, or
one reserved node. On-demand nodes that the same instruments cover, and of one price where nodes are counted,
are a *group*. In each hour instruments are applied in order: reservations of a zone, of a region, spend on
some nodes, spend on all, the larger discount first; each first to groups that few instruments cover.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from binwright_optimizer.model import CapacityType, Catalog
from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.model.offers import (
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    ReservationOffer,
    Scope,
)

CENT = 10_000
"""Micro-dollars an hour of a unit of committed spend."""

Offered = CommitmentOffer | ReservationOffer
Held = HeldCommitment | HeldReservation


@dataclass(frozen=True, slots=True)
class Instrument:
    """One commitment.

    Parameters
    ----------
    worth
        On-demand micro-dollars an hour that a unit pays for, by group.
    unit_price
        Micro-dollars an hour that a unit costs; 0 for what is held.
    held
        Units held by period.
    """

    written: Offered | Held
    worth: Mapping[int, Fraction]
    rank: tuple[int, int]
    unit_price: int
    held: Mapping[int, Fraction]


class Instruments:
    """All commitments of a forecast over the price lists of its regions."""

    def __init__(
        self, forecast: Forecast, catalogs: Mapping[str, Catalog], *, charges_whole_term: bool
    ) -> None:
        self._forecast = forecast
        self._charges_whole_term = charges_whole_term
        written: tuple[Offered | Held, ...] = (
            *forecast.offers,
            *forecast.reservations,
            *forecast.held,
            *forecast.held_reservations,
        )
        self.keys: dict[tuple[frozenset[int], int], int] = {}
        self.group_of: dict[tuple[str, str, str], int] = {}
        prices: dict[tuple[str, str, str], int] = {}
        for region, catalog in catalogs.items():
            for kind in catalog.instance_types:
                for o in kind.offerings:
                    if o.capacity_type is not CapacityType.ON_DEMAND:
                        continue
                    covers = frozenset(
                        at for at, w in enumerate(written) if w.scope.covers(kind.name, region, o.zone)
                    )
                    counts = any(
                        isinstance(written[at], (ReservationOffer, HeldReservation)) for at in covers
                    )
                    price = o.price_microusd_per_hour if counts else 0
                    group = self.keys.setdefault((covers, price), len(self.keys))
                    self.group_of[region, kind.name, o.zone] = group
                    prices[region, kind.name, o.zone] = o.price_microusd_per_hour
        self.region_groups = {
            region: {group for place, group in self.group_of.items() if place[0] == region}
            for region in catalogs
        }
        self.all = tuple(self._instrument(at, w, prices) for at, w in enumerate(written))
        self.n_offered = len(forecast.offers) + len(forecast.reservations)

    def _instrument(
        self, at: int, written: Offered | Held, prices: Mapping[tuple[str, str, str], int]
    ) -> Instrument:
        worth = {}
        for (covers, price), group in self.keys.items():
            if at in covers:
                if isinstance(written, (CommitmentOffer, HeldCommitment)):
                    worth[group] = Fraction(CENT * PPM, PPM - written.discount_ppm)
                elif price:
                    worth[group] = Fraction(price)
        held: dict[int, Fraction] = {}
        if isinstance(written, (HeldCommitment, HeldReservation)):
            units = (
                Fraction(written.count)
                if isinstance(written, HeldReservation)
                else Fraction(written.microusd_per_hour, CENT)
            )
            held = dict.fromkeys(self.periods_within(written.start, written.end), units)
        return Instrument(written, worth, _rank(written), self._unit_price(written, prices), held)

    def _unit_price(self, written: Offered | Held, prices: Mapping[tuple[str, str, str], int]) -> int:
        if isinstance(written, CommitmentOffer):
            return CENT
        if not isinstance(written, ReservationOffer):
            return 0
        here = [
            price
            for (region, kind, zone), price in prices.items()
            if written.scope.covers(kind, region, zone)
        ]
        return max(1, written.hourly_microusd(min(here, default=0)))

    def periods_within(self, start: date, end: date) -> list[int]:
        """Periods that lie within a term from start to end."""
        return [at for at, p in enumerate(self._forecast.periods) if start <= p.start and p.end <= end]

    def periods_paid(self, instrument: int, bought: int) -> list[int]:
        """Periods in which a purchase at the start of one pays."""
        start = self._forecast.periods[bought].start
        return self.periods_within(start, self._offer(instrument).end_of(start))

    def cost(self, instrument: int, bought: int) -> int:
        """Micro-dollars over the horizon that a unit costs, bought at the start of a period."""
        start = self._forecast.periods[bought].start
        end = self._offer(instrument).end_of(start)
        if not self._charges_whole_term:
            end = min(end, self._forecast.periods[-1].end)
        return self.all[instrument].unit_price * 24 * (end - start).days

    def _offer(self, instrument: int) -> Offered:
        written = self.all[instrument].written
        assert isinstance(written, (CommitmentOffer, ReservationOffer)), "only what is offered is bought"
        return written

    def repriced(
        self, catalog: Catalog, region: str, ppm: Sequence[tuple[frozenset[int], int, int]]
    ) -> Catalog:
        """A price list with on-demand prices at so many parts per million by group, rounded down."""
        if not ppm:
            return catalog
        by_group = {self.keys[covers, price]: share for covers, price, share in ppm}
        kinds = []
        for kind in catalog.instance_types:
            offers = []
            for o in kind.offerings:
                if o.capacity_type is CapacityType.ON_DEMAND:
                    group = self.group_of[region, kind.name, o.zone]
                    price = o.price_microusd_per_hour * by_group.get(group, PPM) // PPM
                    offers.append(replace(o, price_microusd_per_hour=price))
                else:
                    offers.append(o)
            kinds.append(replace(kind, offerings=tuple(offers)))
        return Catalog(catalog.name, tuple(kinds))

    def paid_for(self, units: Sequence[Fraction], values: Mapping[int, int]) -> list[Fraction]:
        """On-demand micro-dollars an hour that so many units of each commitment pay for.

        ``values`` is what runs, by group.
        """
        left = {group: Fraction(value) for group, value in values.items() if value > 0}
        paid = [Fraction(0)] * len(self.all)
        spread = {group: sum(group in one.worth for one in self.all) for group in left}
        for at in sorted(range(len(self.all)), key=lambda at: (self.all[at].rank, at)):
            rest, worth = units[at], self.all[at].worth
            for group in sorted((g for g in worth if g in left), key=lambda g: (spread[g], g)):
                used = min(rest, left[group] / worth[group])
                rest -= used
                left[group] -= used * worth[group]
                paid[at] += used * worth[group]
        return paid


def _rank(written: Offered | Held) -> tuple[int, int]:
    if isinstance(written, (ReservationOffer, HeldReservation)):
        return (0, 0) if written.zone else (1, 0)
    return (2 if written.scope != Scope() else 3, -written.discount_ppm)

"""Commitments of a forecast over the nodes that the price lists sell: who covers what, and at what price.

On-demand offerings of a region fall into groups (see `coverage`): those that the same commitments cover and,
where reservations count nodes, that cost the same. Where every commitment covers everything there is one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model import CapacityType, Catalog
from binwright_optimizer.model.forecast import (
    HOURS_OF_WEEK,
    PPM,
    Forecast,
    Period,
)
from binwright_optimizer.model.offers import (
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    ReservationOffer,
    Scope,
)
from binwright_optimizer.planning.coverage import Instrument
from binwright_optimizer.planning.mix import Purchase
from binwright_optimizer.planning.programme import UNIT_MICROUSD, Market, Purchasable, Sunk

_Written = CommitmentOffer | ReservationOffer | HeldCommitment | HeldReservation


@dataclass(frozen=True, slots=True)
class Scopes:
    """Groups of on-demand offerings, and the commitments over them.

    Parameters
    ----------
    written
        What each instrument is in the forecast.
    region_groups
        Groups that a region's offerings belong to.
    group_of
        Group by (region, instance type, zone).
    """

    written: tuple[_Written, ...]
    market: Market
    region_groups: Mapping[str, tuple[int, ...]]
    group_of: Mapping[tuple[str, str, str], int]

    def values(self, region: str, purchases: Sequence[Purchase]) -> dict[int, int]:
        """On-demand micro-dollars an hour of a mix, by group."""
        found: dict[int, int] = {}
        for purchase in purchases:
            if purchase.capacity_type is CapacityType.ON_DEMAND:
                group = self.group_of[region, purchase.instance_type, purchase.zone]
                found[group] = found.get(group, 0) + purchase.cost_microusd_per_hour
        return found

    def counts_nodes(self, instrument: int) -> bool:
        """Whether an instrument reserves nodes."""
        return _counts_nodes(self.written[instrument])


def scopes_of(forecast: Forecast, catalogs: Mapping[str, Catalog], *, charges_whole_term: bool) -> Scopes:
    """The commitments that a forecast offers and holds, over what the price lists sell.

    Raises
    ------
    PlanningError
        If a reservation names what a price list does not sell on demand.
    """
    written: tuple[_Written, ...] = (
        *forecast.offers,
        *forecast.reservations,
        *forecast.held,
        *forecast.held_reservations,
    )
    group_of: dict[tuple[str, str, str], int] = {}
    keys: dict[tuple[frozenset[int], int], int] = {}
    prices: dict[tuple[str, str, str], int] = {}
    for region, catalog in catalogs.items():
        for instance_type in catalog.instance_types:
            for offering in instance_type.offerings:
                if offering.capacity_type is not CapacityType.ON_DEMAND:
                    continue
                where = instance_type.name, region, offering.zone
                covers = frozenset(at for at, w in enumerate(written) if w.scope.covers(*where))
                counted = any(_counts_nodes(written[at]) for at in covers)
                price = offering.price_microusd_per_hour if counted else 0
                place = region, instance_type.name, offering.zone
                group_of[place] = keys.setdefault((covers, price), len(keys))
                prices[place] = offering.price_microusd_per_hour
    _check_sold(forecast, catalogs, prices)
    instruments = tuple(_instrument(at, w, keys) for at, w in enumerate(written))
    offers: list[CommitmentOffer | ReservationOffer] = [*forecast.offers, *forecast.reservations]
    purchasables = tuple(
        _purchasable(forecast.periods, at, bought, offer, _unit_price(offer, prices), charges_whole_term)
        for at, offer in enumerate(offers)
        for bought in range(len(forecast.periods))
    )
    kept: tuple[HeldCommitment | HeldReservation, ...] = (*forecast.held, *forecast.held_reservations)
    held = tuple(
        Sunk(len(offers) + at, _held_units(h), covered_periods(forecast.periods, h.start, h.end))
        for at, h in enumerate(kept)
    )
    region_groups = {
        region: tuple(sorted({g for place, g in group_of.items() if place[0] == region}))
        for region in catalogs
    }
    return Scopes(written, Market(instruments, purchasables, held), region_groups, group_of)


def _counts_nodes(written: _Written) -> bool:
    return isinstance(written, (ReservationOffer, HeldReservation))


def _check_sold(
    forecast: Forecast, catalogs: Mapping[str, Catalog], prices: Mapping[tuple[str, str, str], int]
) -> None:
    reserved: tuple[ReservationOffer | HeldReservation, ...] = (
        *forecast.reservations,
        *forecast.held_reservations,
    )
    for wanted in reserved:
        if wanted.region in catalogs and not any(wanted.scope.covers(t, r, z) for r, t, z in prices):
            where = wanted.zone or wanted.region
            raise PlanningError(f"reservation {wanted.name}: {wanted.instance_type} is not sold in {where}")


def _instrument(at: int, written: _Written, keys: Mapping[tuple[frozenset[int], int], int]) -> Instrument:
    worth = {}
    for (covers, price), group in keys.items():
        if at not in covers:
            continue
        if isinstance(written, (CommitmentOffer, HeldCommitment)):
            worth[group] = Fraction(UNIT_MICROUSD * PPM, PPM - written.discount_ppm)
        elif price:
            worth[group] = Fraction(price)
    return Instrument(worth, _rank(written))


def _rank(written: _Written) -> int:
    """Reservations of a zone, of a region, spend on some nodes, spend on all; then the larger discount."""
    if isinstance(written, (ReservationOffer, HeldReservation)):
        return 0 if written.zone else 1
    width = 2 if written.scope != Scope() else 3
    return width * PPM + PPM - written.discount_ppm


def _unit_price(offer: CommitmentOffer | ReservationOffer, prices: Mapping[tuple[str, str, str], int]) -> int:
    if isinstance(offer, CommitmentOffer):
        return UNIT_MICROUSD
    # A region that the forecast does not use has no price list, and nothing there to cover.
    here = [price for (region, name, zone), price in prices.items() if offer.scope.covers(name, region, zone)]
    return max(1, offer.hourly_microusd(min(here, default=0)))


def _held_units(held: HeldCommitment | HeldReservation) -> Fraction:
    if isinstance(held, HeldReservation):
        return Fraction(held.count)
    return Fraction(held.microusd_per_hour, UNIT_MICROUSD)


def covered_periods(periods: Sequence[Period], start: date, end: date) -> frozenset[int]:
    """Periods within a term from start to end; a term that ends or begins within one does not count there."""
    return frozenset(at for at, period in enumerate(periods) if start <= period.start and period.end <= end)


def _purchasable(
    periods: Sequence[Period],
    instrument: int,
    bought: int,
    offer: CommitmentOffer | ReservationOffer,
    unit_microusd: int,
    charges_whole_term: bool,
) -> Purchasable:
    start = periods[bought].start
    end = offer.end_of(start)
    until = end if charges_whole_term else min(end, periods[-1].end)
    hours = 24 * (until - start).days
    return Purchasable(
        instrument, bought, unit_microusd, hours * HOURS_OF_WEEK, covered_periods(periods, start, end)
    )


def repriced(catalog: Catalog, region: str, scopes: Scopes, ppm: Mapping[int, int]) -> Catalog:
    """The catalogue with each group's on-demand prices at so many parts per million, rounded down.

    Rounding down keeps bounds valid: nothing is dearer than it should be.
    """
    types = []
    for instance_type in catalog.instance_types:
        offerings = tuple(
            replace(
                offering,
                price_microusd_per_hour=offering.price_microusd_per_hour
                * ppm.get(scopes.group_of[region, instance_type.name, offering.zone], PPM)
                // PPM,
            )
            if offering.capacity_type is CapacityType.ON_DEMAND
            else offering
            for offering in instance_type.offerings
        )
        types.append(replace(instance_type, offerings=offerings))
    return Catalog(f"{catalog.name}, at the prices of commitments", tuple(types))

"""What the expected cost of each period is made of, and how well commitments are used, worked out anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from binwright_optimizer.model.forecast import Forecast
from binwright_optimizer.verify.plan.commitments import Instruments


@dataclass(frozen=True, slots=True)
class Bought:
    """Units of a commitment bought at the start of a period."""

    instrument: int
    period: int
    units: int


@dataclass(frozen=True, slots=True)
class Usage:
    """What runs in one period, future and block of hours.

    Parameters
    ----------
    hours
        Length of it.
    values
        On-demand micro-dollars an hour at list prices, by group.
    other
        Micro-dollars an hour that no commitment could pay for: spot nodes and data.
    """

    period: int
    future: int
    hours: Fraction
    values: Mapping[int, int]
    other: int


@dataclass(frozen=True, slots=True)
class Account:
    """Expected micro-dollars of a period, and of each commitment in force its name, worth and use."""

    committed: int
    on_demand: int
    other: int
    coverage: tuple[tuple[str, int, int], ...]


def units_by_period(
    instruments: Instruments, forecast: Forecast, units: Sequence[Bought]
) -> list[list[Fraction]]:
    """Units of each commitment that pay in each period, held and bought."""
    found = [
        [one.held.get(period, Fraction(0)) for one in instruments.all]
        for period in range(len(forecast.periods))
    ]
    for one in units:
        for period in instruments.periods_paid(one.instrument, one.period):
            found[period][one.instrument] += one.units
    return found


def accounts(
    forecast: Forecast,
    instruments: Instruments,
    units: Sequence[Bought],
    usage: Sequence[Usage],
    chances: Sequence[Fraction],
) -> tuple[Account, ...]:
    """The account of each period; its parts are rounded so that they add up to its cost rounded up."""
    paying = units_by_period(instruments, forecast, units)
    found = []
    for period in range(len(forecast.periods)):
        committed = sum(
            one.units
            * instruments.all[one.instrument].unit_price
            * _hours_borne(forecast, instruments, one, period)
            for one in units
        )
        value = other = Fraction(0)
        paid = [Fraction(0)] * len(instruments.all)
        worth = [Fraction(0)] * len(instruments.all)
        for used in usage:
            if used.period != period:
                continue
            weight = chances[used.future] * used.hours
            value += weight * sum(used.values.values())
            other += weight * used.other
            for at, amount in enumerate(instruments.paid_for(paying[period], used.values)):
                paid[at] += weight * amount
                most = max(instruments.all[at].worth.values(), default=Fraction(0))
                worth[at] += weight * paying[period][at] * most
        total = -(-(committed + other + value - sum(paid)) // 1)
        coverage = tuple(
            (one.written.name, int(worth[at]), int(paid[at]))
            for at, one in enumerate(instruments.all)
            if paying[period][at]
        )
        found.append(Account(committed, total - committed - other // 1, other // 1, coverage))
    return tuple(found)


def _hours_borne(forecast: Forecast, instruments: Instruments, bought: Bought, period: int) -> int:
    """Hours of a purchase that a period bears: its own; the last one also what is counted after it."""
    if period < bought.period:
        return 0
    unit = instruments.all[bought.instrument].unit_price
    left = instruments.cost(bought.instrument, bought.period) // unit if unit else 0
    left -= sum(forecast.periods[at].hours for at in range(bought.period, period))
    if period < len(forecast.periods) - 1:
        left = min(left, forecast.periods[period].hours)
    return max(0, left)

"""What the expected cost of each period is made of, and how well commitments are used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from binwright_optimizer.model.forecast import HOURS_OF_WEEK, Period
from binwright_optimizer.planning.commit import Commitments, running, units_in
from binwright_optimizer.planning.coverage import covered
from binwright_optimizer.planning.programme import Cell, Purchasable
from binwright_optimizer.planning.scopes import Scopes


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one commitment pays for in a period, micro-dollars expected.

    Parameters
    ----------
    worth
        On-demand value that it could pay for.
    used
        On-demand value that it does pay for.
    """

    name: str
    worth: int
    used: int


@dataclass(frozen=True, slots=True)
class Account:
    """Expected cost of a period, micro-dollars.

    Parameters
    ----------
    committed
        Commitments bought, for the hours that the period bears.
    on_demand
        On-demand nodes that no commitment pays for.
    other
        What no commitment could pay for: spot nodes, egress between regions, and changes to a plan held.
    coverage
        Of each commitment that is in force, bought or held.
    """

    committed: int
    on_demand: int
    other: int
    coverage: tuple[Coverage, ...] = ()

    @property
    def total(self) -> int:
        """All of it."""
        return self.committed + self.on_demand + self.other


def accounts(
    periods: tuple[Period, ...],
    cells: Sequence[Cell],
    scopes: Scopes,
    chosen: Commitments,
    chances: Sequence[Fraction],
) -> tuple[Account, ...]:
    """The account of each period; amounts are rounded so that their sum is the total rounded up."""
    market = scopes.market
    found = []
    for at, period in enumerate(periods):
        committed = sum(
            (
                Fraction(units * p.unit_microusd * _hours_in(periods, period, p))
                for units, p in zip(chosen.units, market.purchasables, strict=True)
            ),
            Fraction(0),
        )
        units = units_in(market, chosen.units, at)
        paid = [Fraction(0)] * len(units)
        value = other = Fraction(0)
        worth = [Fraction(0)] * len(units)
        for cell, options in zip(cells, chosen.choices, strict=True):
            if cell.period != at:
                continue
            weight = chances[cell.scenario] * Fraction(cell.hours, 168)
            values, extra = running(cell, options)
            value += weight * sum(values.values())
            other += weight * extra
            for c, amount in enumerate(covered(market.instruments, units, values)):
                paid[c] += weight * amount
                most = max(market.instruments[c].worth.values(), default=Fraction(0))
                worth[c] += weight * units[c] * most
        parts = [committed, other]
        total = -(-(sum(parts, value) - sum(paid)) // 1)
        floors = [part // 1 for part in parts]
        coverage = tuple(
            Coverage(scopes.written[c].name, int(worth[c]), int(paid[c]))
            for c in range(len(units))
            if units[c]
        )
        found.append(Account(floors[0], total - sum(floors), floors[1], coverage))
    return tuple(found)


def _hours_in(periods: tuple[Period, ...], period: Period, purchasable: Purchasable) -> int:
    """Hours of a purchase that one period bears: those that fall into it, the last one also what follows."""
    start = periods[purchasable.bought].start
    if period.start < start:
        return 0
    left = purchasable.hours // HOURS_OF_WEEK - sum(
        p.hours for p in periods if start <= p.start < period.start
    )
    return max(0, left if period == periods[-1] else min(period.hours, left))

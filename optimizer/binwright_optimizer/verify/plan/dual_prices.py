"""Weights of scenarios and dual prices of commitments: what they prove, and what nodes cost by them.

See `check` for what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from binwright_optimizer.model.forecast import Forecast
from binwright_optimizer.verify.plan.commitments import Instruments
from binwright_optimizer.verify.plan.demand import Future
from binwright_optimizer.verify.plan.document import CertificateRecord


def are_weights(record: CertificateRecord, futures: Sequence[Future]) -> bool:
    """Whether the objective is at least the mean by the certificate's weights, whatever costs are."""
    a, level = record.aversion, record.level
    if sum(record.weights, Fraction(0)) != 1:
        return False
    for weight, future in zip(record.weights, futures, strict=True):
        chance = Fraction(future.permille, 1000)
        rest = weight - (1 - a) * chance
        if a == 0 and rest != 0:
            return False
        if a and not 0 <= rest / a <= chance / (1 - level):
            return False
    return True


def affordable(
    prices: Sequence[Sequence[Fraction]],
    cells: Sequence[tuple[int, int, int]],
    instruments: Instruments,
    forecast: Forecast,
) -> list[list[Fraction]]:
    """The dual prices, scaled down until no purchase is worth more than it costs.

    Parameters
    ----------
    cells
        Period, future and block of each row of prices.
    """
    shrink = [Fraction(1)] * len(instruments.all)
    spent: dict[tuple[int, int], Fraction] = {}
    for (period, _, _), mine in zip(cells, prices, strict=True):
        for at, price in enumerate(mine):
            spent[at, period] = spent.get((at, period), Fraction(0)) + price
    for at in range(instruments.n_offered):
        for bought in range(len(forecast.periods)):
            periods = instruments.periods_paid(at, bought)
            worth = sum((spent.get((at, period), Fraction(0)) for period in periods), Fraction(0))
            cost = instruments.cost(at, bought)
            if worth > cost:
                shrink[at] = min(shrink[at], cost / worth)
    return [[price * s for price, s in zip(mine, shrink, strict=True)] for mine in prices]


def factors_of(
    instruments: Instruments, period: int, weight: Fraction, mine: Sequence[Fraction]
) -> dict[int, Fraction]:
    """What a micro-dollar of list price costs over a cell in each group, at its dual prices.

    Parameters
    ----------
    weight
        Hours of the cell times its weight in the objective.
    """
    found = {}
    for group in instruments.keys.values():
        factor = weight
        for at, one in enumerate(instruments.all):
            if group in one.worth and _pays(instruments, at, period):
                factor = min(factor, mine[at] / one.worth[group])
        found[group] = factor
    return found


def _pays(instruments: Instruments, instrument: int, period: int) -> bool:
    """Whether a commitment can pay in a period: held, or bought at some time."""
    if instrument >= instruments.n_offered:
        return bool(instruments.all[instrument].held.get(period))
    return any(period in instruments.periods_paid(instrument, bought) for bought in range(period + 1))

"""Bands for the periods of a forecast from a history, and how often such bands held in the past."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model.forecast import Band, Period

from binwright_clients.errors import InputError
from binwright_clients.forecast.history import History


@dataclass(frozen=True, slots=True)
class HistoryBand:
    """The band of one workload, region and period."""

    history: History
    period: Period
    band: Band


def history_bands(path: str, known: History, season: int, periods: Sequence[Period]) -> Iterator[HistoryBand]:
    """The band of each period, that of its busiest point.

    Raises
    ------
    InputError
        If the history is too short, or does not end before the first period.
    """
    # Imported on first use: the statistics take more than a second.
    from binwright_optimizer.planning.history import outlook

    last = known.days[-1]
    if periods[0].start <= last:
        raise InputError.of(
            path,
            f"{known.workload} in {known.region}: the history must end before {periods[0].start}",
            place=known.lines[-1],
            field="date",
            value=str(last),
        )
    horizon = math.ceil((periods[-1].end - last).days / known.step.days)
    try:
        seen = outlook(known.values, horizon, season)
    except PlanningError as error:
        raise InputError.of(path, f"{known.workload} in {known.region}: {error}") from error
    for period in periods:
        inside = [at for at in range(horizon) if period.start <= last + (at + 1) * known.step < period.end]
        if not inside:
            raise InputError.of(
                path,
                f"{known.workload} in {known.region}: {period.name} is shorter than the "
                f"{known.step.days} days between two points",
            )
        amounts = (
            max(math.ceil(round(float(quantile[at]), 6)) for at in inside)
            for quantile in (seen.p50, seen.p90, seen.p99)
        )
        yield HistoryBand(known, period, Band(*amounts))

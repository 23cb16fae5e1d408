"""Bands for the periods of a forecast from a history."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model.forecast import Band, Period

from binwright_clients.errors import InputError
from binwright_clients.forecast.history import History
from binwright_clients.tables import cells


@dataclass(frozen=True, slots=True)
class HistoryBand:
    """The band of one workload, region and period."""

    history: History
    period: Period
    band: Band


def history_bands(path: str, known: History, season: int, periods: Sequence[Period]) -> Iterator[HistoryBand]:
    """The band of each period: quantiles of its highest point, whichever that will be.

    Raises
    ------
    InputError
        If the history is too short, or does not end before the first period.
    """
    # Imported on first use: the statistics take more than a second.
    from binwright_optimizer.planning.peaks import peaks

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
    spans = []
    for period in periods:
        inside = [at for at in range(1, horizon + 1) if period.start <= last + at * known.step < period.end]
        if not inside:
            raise InputError.of(
                path,
                f"{known.workload} in {known.region}: {period.name} is shorter than the "
                f"{known.step.days} days between two points",
            )
        spans.append(range(inside[0], inside[-1] + 1))
    try:
        found = peaks(known.values, spans, season)
    except PlanningError as error:
        raise InputError.of(path, f"{known.workload} in {known.region}: {error}") from error
    for period, quantiles in zip(periods, found, strict=True):
        if quantiles[-1] > cells.MAX_REPLICAS:
            raise InputError.of(
                path,
                f"{known.workload} in {known.region}: p99 of {period.name} is above the "
                f"{cells.MAX_REPLICAS} replicas that Kubernetes counts: the history moves too much to be "
                "forecast so far ahead",
                value=f"{quantiles[-1]:.3g}",
            )
        yield HistoryBand(known, period, Band(*(math.ceil(round(float(most), 6)) for most in quantiles)))

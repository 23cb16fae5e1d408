"""Demand of a forecast from other files: loads through an autoscaler, and histories."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from binwright_optimizer.model.autoscaling import HorizontalPodAutoscaler, TargetType
from binwright_optimizer.model.forecast import (
    HOURS_OF_WEEK,
    PPM,
    Backtest,
    Period,
    Profile,
)
from binwright_optimizer.model.resources import CPU, MEMORY, Resources

from binwright_clients.errors import InputError
from binwright_clients.forecast.autoscalers import read_autoscalers
from binwright_clients.forecast.bands import history_bands
from binwright_clients.forecast.history import read_histories
from binwright_clients.forecast.loads import LoadTable, read_loads
from binwright_clients.kubernetes.schema import STRING, MapOf, Record, Scalar, Schema, check, shown
from binwright_clients.spelling import suggestion

if TYPE_CHECKING:
    from binwright_optimizer.planning.hpa import ReplicaSeries

_INTEGER = Scalar("integer")
_ANY = Scalar("any")
_QUANTILES = ("p50", "p90", "p99")
_HOUR_S = 3600
SERIES: dict[str, Schema] = {
    "hpa": Record({"file": STRING, "name": STRING, "startupSeconds": _INTEGER}),
    "load": MapOf(Record({"file": STRING, "growth": MapOf(_ANY)})),
    "history": Record({"file": STRING, "season": _INTEGER, "backtest": _INTEGER}),
}
"""Fields of a workload."""
_BAND = Record(dict.fromkeys(_QUANTILES, Scalar("number")))

Cells = dict[str, dict[str, dict[str, int]]]
"""Bands by region and period, as a document's ``demand`` has them."""


class SeriesReader:
    """Turns loads and histories into bands by region and period.

    Parameters
    ----------
    folder
        Where files are that are named without their folder: beside the forecast.

    Attributes
    ----------
    remarks
        What is right in what was read but worth to know.
    """

    def __init__(self, folder: Path, report: Callable[[str, str, str], None]) -> None:
        self._folder = folder
        self._report = report
        self.remarks: list[str] = []

    def _file(self, path: str, name: Any) -> str | None:
        if not name:
            self._report(path, "", "must be given")
            return None
        file = self._folder / str(name)
        if not file.is_file():
            self._report(path, str(name), f"there is no file {file}")
            return None
        return str(file)

    def history(
        self, path: str, workload: str, entry: Mapping[str, Any], periods: Sequence[Period]
    ) -> tuple[Cells, list[Backtest]]:
        """Bands of a workload's histories, and their backtests.

        Raises
        ------
        InputError
            If the history is wrong, too short, or knows nothing of the workload.
        """
        file = self._file(f"{path}.file", entry.get("file"))
        season = entry.get("season") or 0
        if not periods:
            self._report(path, "", "needs the forecast's periods")
        if season < 0 or season == 1:
            self._report(f"{path}.season", shown(season), "must be 0 for none, or at least 2 points")
            return {}, []
        if file is None or not periods:
            return {}, []
        histories = read_histories(file)
        mine = [known for known in histories if known.workload == workload]
        if not mine:
            known = sorted({history.workload for history in histories})
            raise InputError.of(file, f"has no history of {workload}{suggestion(workload, known)}")
        cells: Cells = {}
        tests = []
        for one in mine:
            cells[one.region] = {
                line.period.name: {name: getattr(line.band, name) for name in _QUANTILES}
                for line in history_bands(file, one, season, periods)
            }
            if entry.get("backtest"):
                tests.append(self._backtest(f"{path}.backtest", file, one, entry["backtest"], season))
        return cells, tests

    def _backtest(self, path: str, file: str, one: Any, points: int, season: int) -> Backtest:
        # Imported on first use: the statistics take more than a second.
        from binwright_optimizer.errors import PlanningError
        from binwright_optimizer.planning.peaks import backtest_peaks

        if points < 1:
            raise InputError.of(file, "must be at least one point", field=path, value=points)
        try:
            seen = backtest_peaks(one.values, points, season)
        except PlanningError as error:
            raise InputError.of(file, f"{one.workload} in {one.region}: {error}") from error
        return Backtest(one.workload, one.region, seen.points, points, seen.p50, seen.p90, seen.p99)

    def load(
        self, path: str, workload: str, entry: Mapping[str, Any], requests: Resources
    ) -> tuple[Cells, Profile | None]:
        """Bands of a load through its autoscaler, and the profile of a load of a week or more.

        Raises
        ------
        InputError
            If the autoscaler or a load is wrong.
        """
        hpa = entry.get("hpa") or {}
        file = self._file(f"{path}.hpa.file", hpa.get("file"))
        if file is None:
            return {}, None
        known = read_autoscalers(file)
        name = hpa.get("name") or (next(iter(known)) if len(known) == 1 else workload)
        if name not in known:
            self._report(
                f"{path}.hpa.name", name, f"{hpa['file']} holds no such autoscaler{suggestion(name, known)}"
            )
            return {}, None
        amounts = self._requests(f"{path}.requests", known[name], requests)
        if amounts is None:
            return {}, None
        startup = hpa.get("startupSeconds") or 0
        if startup < 0:
            self._report(f"{path}.hpa.startupSeconds", shown(startup), "must not be negative")
            return {}, None
        run = _Run(known[name], amounts, float(startup))
        cells: Cells = {}
        weeks: list[list[Fraction]] = []
        for region, one in (entry.get("load") or {}).items():
            where = f"{path}.load.{region}"
            load_file = self._file(f"{where}.file", (one or {}).get("file"))
            if load_file is None:
                continue
            table = read_loads(load_file, [metric.name for metric in known[name].metrics])
            if not (one.get("growth") or {}):
                self._report(f"{where}.growth", "", "must be given: factors of the load by period")
            cells[region] = {}
            for label, growth in (one.get("growth") or {}).items():
                factors = self._growth(f"{where}.growth.{label}", growth)
                if factors is not None:
                    cells[region][label], held = run.band(load_file, table, factors)
                    if held:
                        self.remarks.append(f"{where}.growth.{label}: {held}")
            weeks += run.week(load_file, table)
        return cells, _profile(f"load of {workload}", weeks)

    def _requests(
        self, path: str, hpa: HorizontalPodAutoscaler, requests: Resources
    ) -> tuple[int | None, ...] | None:
        """What a pod requests of each metric's resource, in thousandths."""
        scale = {CPU: 1, MEMORY: 1000}
        amounts: list[int | None] = []
        for metric in hpa.metrics:
            amount = requests[metric.name] * scale.get(metric.name, 1000)
            if metric.target is TargetType.UTILIZATION and not amount:
                self._report(f"{path}[{metric.name}]", "", f"is needed: {hpa.name} has a utilisation target")
                return None
            amounts.append(amount or None)
        return tuple(amounts)

    def _growth(self, path: str, growth: Any) -> tuple[Fraction, Fraction, Fraction] | None:
        """Factors of the load at p50, p90 and p99."""
        wrong: list[str] = []

        def note(where: str, value: str, description: str) -> None:
            wrong.append(where)
            self._report(where, value, description)

        if not isinstance(growth, dict):
            growth = {"p50": growth}
        check(growth, _BAND, note, path)
        found: list[Fraction] = []
        for name in _QUANTILES:
            value = growth.get(name)
            if value is None and found:
                value = float(found[-1])
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 10**6:
                if not wrong:
                    note(f"{path}.{name}", shown(value), "must be a factor of zero or more")
                return None
            found.append(Fraction(str(value)))
        if wrong or sorted(found) != found:
            if not wrong:
                note(path, shown(growth), "must satisfy p50 <= p90 <= p99")
            return None
        return found[0], found[1], found[2]


class _Run:
    """One autoscaler under loads."""

    def __init__(
        self, hpa: HorizontalPodAutoscaler, requests: tuple[int | None, ...], startup_s: float
    ) -> None:
        self._hpa = hpa
        self._requests = requests
        self._startup_s = startup_s

    def _series(self, file: str, table: LoadTable, factor: Fraction) -> ReplicaSeries:
        # Imported on first use, like everything that plans.
        from binwright_optimizer.planning.hpa import LoadSeries, replica_series

        loads = tuple(
            LoadSeries(
                tuple(None if v is None else math.ceil(v * factor) for v in values) if shared else values,
                shared,
            )
            for values, shared in zip(table.values, table.is_shared, strict=True)
        )
        try:
            return replica_series(
                self._hpa, loads, float(table.step_s), requests=self._requests, startup_s=self._startup_s
            )
        except ValueError as error:
            raise InputError.of(file, str(error)) from error

    def band(self, file: str, table: LoadTable, factors: Sequence[Fraction]) -> tuple[dict[str, int], str]:
        """Most replicas at each quantile of the load, and what to say where the maximum holds them back.

        An autoscaler may keep as many under less.
        """
        runs = [self._series(file, table, factor) for factor in factors]
        most = [max(run.highest) for run in runs]
        held = [name for name, run in zip(_QUANTILES, runs, strict=True) if any(run.refused)]
        said = ""
        if held:
            beyond, steps = max(runs[-1].refused), sum(map(bool, runs[-1].refused))
            said = (
                f"autoscaler {self._hpa.name} is held at its maximum of {self._hpa.max_replicas} replicas at "
                f"{', '.join(held)}; at p99 in {steps} of {len(runs[-1].refused)} steps, where its metrics "
                f"ask for up to {beyond}: the load above is not served at its target, nor planned for"
            )
        return {name: max(most[: at + 1]) for at, name in enumerate(_QUANTILES)}, said

    def week(self, file: str, table: LoadTable) -> list[list[Fraction]]:
        """Shares of the most replicas by hour of the week, of a load that begins on Monday at 0 h.

        Empty for loads of less than a week.
        """
        steps = len(table.values[0])
        if steps * table.step_s < HOURS_OF_WEEK * _HOUR_S:
            return []
        replicas = self._series(file, table, Fraction(1)).highest
        hours = [0] * HOURS_OF_WEEK
        for at, count in enumerate(replicas):
            first, last = at * table.step_s, (at + 1) * table.step_s - 1
            for hour in range(first // _HOUR_S, last // _HOUR_S + 1):
                hours[hour % HOURS_OF_WEEK] = max(hours[hour % HOURS_OF_WEEK], count)
        most = max(hours) or 1
        return [[Fraction(count, most) for count in hours]]


def _profile(name: str, weeks: Sequence[Sequence[Fraction]]) -> Profile | None:
    """The largest share of any region in each hour."""
    if not weeks:
        return None
    return Profile(name, tuple(math.ceil(max(shares) * PPM) for shares in zip(*weeks, strict=True)))

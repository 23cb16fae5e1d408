"""Forecast documents: YAML or JSON of kind ``Forecast``; ``examples/forecast.yaml`` shows every field."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from binwright_optimizer.model import PodTemplate, Requirement, Resources, labels
from binwright_optimizer.model.forecast import (
    HOURS_OF_WEEK,
    PPM,
    Band,
    ForecastWorkload,
    Period,
    Profile,
    quarter,
)
from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.requirements import Operator

from binwright_clients.errors import InputError, Problems
from binwright_clients.forecast.commitments import COMMITMENTS, CommitmentReader
from binwright_clients.forecast.constraints import CONSTRAINTS, read_constraints
from binwright_clients.forecast.draft import CURRENCY, DemandCell, Draft, Place, WorkloadDraft
from binwright_clients.forecast.movement import MOVEMENT, RESILIENCE_FIELDS, WORKLOAD, MovementReader
from binwright_clients.forecast.sampling import SAMPLING, read_sampling
from binwright_clients.forecast.series import SERIES, SeriesReader
from binwright_clients.forecast.table import (
    parse_capacity_type,
    parse_date,
    parse_gpu_models,
    parse_replicas,
)
from binwright_clients.kubernetes.schema import (
    ANY,
    QUANTITIES,
    STRING,
    ListOf,
    MapOf,
    Record,
    Scalar,
    check,
    shown,
)

_T = TypeVar("_T")

API_VERSION = "binwright.dev/v1"
KIND = "Forecast"
_NUMBER = Scalar("number")
_PERIOD = Record({"name": STRING, "start": STRING, "end": STRING})
_PEAK = Record({"days": STRING, "hours": STRING, "factor": _NUMBER})
_PROFILE = Record({"base": _NUMBER, "peaks": ListOf(_PEAK), "hourly": ListOf(_NUMBER)})
_WORKLOAD = Record(
    {
        "name": STRING,
        "requests": QUANTITIES,
        "gpuModels": ListOf(STRING),
        "capacityType": STRING,
        "profile": STRING,
        "demand": MapOf(MapOf(ANY)),
        **CONSTRAINTS,
        **WORKLOAD,
        **SERIES,
    }
)
_SCHEMA = Record(
    {
        "apiVersion": STRING,
        "kind": STRING,
        "cloud": STRING,
        "currency": STRING,
        "targetUtilisation": _NUMBER,
        "regions": ListOf(STRING),
        "periods": ListOf(ANY),
        "profiles": MapOf(_PROFILE),
        "workloads": ListOf(_WORKLOAD),
        "commitments": COMMITMENTS,
        "scenarios": SAMPLING,
        **MOVEMENT,
    }
)
_BAND = Record({"p50": Scalar("integer"), "p90": Scalar("integer"), "p99": Scalar("integer")})
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"^(\d{1,2})-(\d{1,2})$", re.ASCII)


def draft_of_document(body: Any, file: str, cloud: str, problems: Problems) -> Draft:
    """The draft of a document; mistakes go to ``problems``.

    Raises
    ------
    InputError
        If it is no Forecast at all.
    """
    if not isinstance(body, dict) or (body.get("apiVersion"), body.get("kind")) != (API_VERSION, KIND):
        raise InputError.of(file, f"is no forecast: it must have apiVersion {API_VERSION} and kind {KIND}")

    def report(path: str, value: str, description: str) -> None:
        problems.add(file, description, field=path, value=value)

    check(body, _SCHEMA, report)
    problems.raise_if_any()
    own = body.get("cloud") or cloud or "aws"
    draft = Draft(file, own, Place("", "cloud", own))
    if cloud and own != cloud:
        report("cloud", own, f"is not the {cloud} of --cloud")
    _Document(body, draft, report).read()
    draft.is_partial = bool(len(problems))
    return draft


class _Document:
    """One document while it is read."""

    def __init__(
        self, body: Mapping[str, Any], draft: Draft, report: Callable[[str, str, str], None]
    ) -> None:
        self._body = body
        self._draft = draft
        self._report = report

    def read(self) -> None:
        """Fill the draft."""
        body, draft = self._body, self._draft
        draft.currencies.append(Place("", "currency", body.get("currency") or CURRENCY))
        utilisation = body.get("targetUtilisation")
        if utilisation is not None:
            draft.utilisation_ppm = self._share("targetUtilisation", utilisation) or draft.utilisation_ppm
        draft.sampling = read_sampling(body.get("scenarios"), self._report)
        for at, region in enumerate(body.get("regions") or ()):
            draft.regions.append((region, Place("", f"regions[{at}]", region)))
        named = self._periods()
        for name, profile in (body.get("profiles") or {}).items():
            built = self._profile(f"profiles.{name}", name, profile or {})
            if built is None:
                draft.unread_profiles.add(name)
            else:
                draft.profiles[name] = built
        if not body.get("workloads"):
            self._report("workloads", "", "must name at least one workload")
        for at, workload in enumerate(body.get("workloads") or ()):
            self._workload(f"workloads[{at}]", workload, named)
        MovementReader(draft, self._report).read(body)
        CommitmentReader(draft, self._report).read(body.get("commitments") or {})

    def _share(self, path: str, value: float) -> int | None:
        """A number above 0 and at most 1, in ppm."""
        if not math.isfinite(value) or not 0 < value <= 1:
            self._report(path, shown(value), "must be above 0 and at most 1")
            return None
        return round(value * PPM)

    def _parse(self, path: str, value: Any, parse: Callable[[str], _T]) -> _T | None:
        try:
            return parse(str(value))
        except ValueError as error:
            self._report(path, shown(value), str(error))
            return None

    def _periods(self) -> dict[str, Period]:
        """Declared periods by name."""
        named: dict[str, Period] = {}
        for at, entry in enumerate(self._body.get("periods") or ()):
            path = f"periods[{at}]"
            period: Period | None
            if isinstance(entry, str):
                period = self._parse(path, entry, quarter)
            else:
                before = len(named)
                check(entry, _PERIOD, self._report, path)
                period = self._dated(path, entry) if isinstance(entry, dict) else None
                assert len(named) == before
            if period is None:
                continue
            if period.name in named:
                self._report(path, period.name, "names a period twice")
            named[period.name] = period
            self._draft.periods.append((period, Place("", path, period.name)))
        return named

    def _dated(self, path: str, entry: Mapping[str, Any]) -> Period | None:
        name, days = entry.get("name"), []
        if not isinstance(name, str) or not name:
            self._report(f"{path}.name", shown(name), "must be given")
            return None
        for key in ("start", "end"):
            day = self._parse(f"{path}.{key}", entry.get(key), parse_date)
            if day is None:
                return None
            days.append(day)
        try:
            return Period(days[0], days[1], name)
        except ValueError:
            self._report(f"{path}.end", str(days[1]), f"must be after its start, {days[0]}")
            return None

    def _profile(self, path: str, name: str, entry: Mapping[str, Any]) -> Profile | None:
        hourly = entry.get("hourly")
        if hourly is not None:
            if entry.get("base") is not None or entry.get("peaks") is not None:
                self._report(path, "", "has hourly factors and also a base or peaks")
                return None
            if len(hourly) != HOURS_OF_WEEK:
                self._report(
                    f"{path}.hourly", f"{len(hourly)} numbers", f"must have {HOURS_OF_WEEK}, from Monday 0 h"
                )
                return None
            factors = [self._factor(f"{path}.hourly[{at}]", value) for at, value in enumerate(hourly)]
            return None if None in factors else Profile(name, tuple(factors))  # type: ignore[arg-type]
        base = self._factor(f"{path}.base", entry.get("base"))
        peaks = []
        for at, peak in enumerate(entry.get("peaks") or ()):
            where = f"{path}.peaks[{at}]"
            days = self._parse(f"{where}.days", peak.get("days") or "mon-sun", _days)
            hours = self._parse(f"{where}.hours", peak.get("hours") or "0-24", _hours)
            factor = self._factor(f"{where}.factor", peak.get("factor"))
            if days is None or hours is None or factor is None:
                return None
            peaks.append((days, hours, factor))
        return None if base is None else Profile.weekly(name, base, peaks)

    def _factor(self, path: str, value: float | None) -> int | None:
        """A share of the busiest hour in ppm; all of it where nothing is given."""
        if value is None:
            return PPM
        if not math.isfinite(value) or not 0 <= value <= 1:
            self._report(path, shown(value), "must be in 0..1: a share of the busiest hour")
            return None
        return round(value * PPM)

    def _workload(self, path: str, entry: Mapping[str, Any], named: Mapping[str, Period]) -> None:
        name = entry.get("name")
        if not name:
            self._report(f"{path}.name", "", "must be given")
            return
        if name in self._draft.workloads:
            self._report(f"{path}.name", name, "names a workload twice")
            return
        amounts: dict[str, int] = {}
        for resource, text in (entry.get("requests") or {}).items():
            parse = partial(parse_quantity, resource=resource)
            amounts[resource] = self._parse(f"{path}.requests[{resource}]", text, parse) or 0
        if not any(amounts.values()):
            self._report(f"{path}.requests", shown(entry.get("requests")), "the pod requests nothing")
        capacity_type = self._parse(
            f"{path}.capacityType", entry.get("capacityType") or "on-demand", parse_capacity_type
        )
        selector = [Requirement(labels.CAPACITY_TYPE, Operator.IN, (capacity_type or "on-demand",))]
        models: tuple[str, ...] = ()
        for at, model in enumerate(entry.get("gpuModels") or ()):
            models += self._parse(f"{path}.gpuModels[{at}]", model, parse_gpu_models) or ()
        if models:
            selector.append(Requirement(labels.GPU_MODEL, Operator.IN, models))
        wanted, tolerations = read_constraints(path, entry, self._report)
        demand, profile = self._demand(path, name, entry, Resources.of(amounts), named)
        workload = ForecastWorkload(
            name,
            PodTemplate(Resources.of(amounts), node_selector=(*selector, *wanted), tolerations=tolerations),
            profile,
        )
        workload = MovementReader(self._draft, self._report).movable(path, entry, workload)
        self._remember(path, entry)
        self._draft.workloads[name] = WorkloadDraft(workload, Place("", f"{path}.profile", profile))
        for region, by_period in demand.items():
            for label, amount in (by_period or {}).items():
                self._cell(f"{path}.demand.{region}.{label}", name, region, label, amount, named)

    def _remember(self, path: str, entry: Mapping[str, Any]) -> None:
        """Keep the places of what only planning can find wrong."""
        own, requests = f"workloads[{len(self._draft.workloads)}]", entry.get("requests") or {}
        parts = {f"template.requests[{json.dumps(r)}]": (f"requests[{r}]", v) for r, v in requests.items()}
        parts["template.requests"] = "requests", requests
        kind = next((key for key in ("nodeSelector", "gpuModels") if entry.get(key)), "capacityType")
        parts["template.node_selector"] = kind, entry.get(kind) or "on-demand"
        parts["most_latency_ms"] = "maxLatencyMs", entry.get("maxLatencyMs")
        resilience = entry.get("resilience") or {}
        for key, field in RESILIENCE_FIELDS.items():
            parts[f"resilience.{field}"] = f"resilience.{key}", resilience.get(key)
        for part, (field, value) in parts.items():
            self._draft.parts[f"{own}.{part}"] = Place("", f"{path}.{field}", shown(value))

    def _demand(
        self, path: str, name: str, entry: Mapping[str, Any], requests: Resources, named: Mapping[str, Period]
    ) -> tuple[Mapping[str, Any], str]:
        """Bands by region and period, and the name of the profile: as written, or made from other files."""
        profile = entry.get("profile") or "flat"
        given = [key for key in ("demand", "load", "history") if entry.get(key)]
        if len(given) != 1:
            said = "must be given: replicas by region and period" if not given else "is given beside demand"
            self._report(f"{path}.{given[-1] if given else 'demand'}", "", said)
            return {}, profile
        if entry.get("hpa") and given != ["load"]:
            self._report(f"{path}.hpa", "", "means nothing without a load")
        reader = SeriesReader(Path(self._draft.file).parent, self._report)
        if given == ["history"]:
            cells, tests = reader.history(f"{path}.history", name, entry["history"], list(named.values()))
            self._draft.backtests += tests
            return cells, profile
        if given == ["load"]:
            cells, week = reader.load(path, name, entry, requests)
            self._draft.remarks += reader.remarks
            if week is not None and not entry.get("profile"):
                self._draft.profiles[week.name] = week
                profile = week.name
            return cells, profile
        return entry["demand"], profile

    def _cell(
        self, path: str, name: str, region: str, label: str, amount: Any, named: Mapping[str, Period]
    ) -> None:
        period = named.get(label) or self._parse(path, label, quarter)
        if period is None:
            return
        band = self._band(path, amount)
        if band is None:
            return
        if named and label not in named:
            self._report(path, label, "is not among the forecast's periods")
            return
        self._draft.cells.append(
            DemandCell(
                name,
                region,
                period,
                band,
                Place("", path, region),
                Place("", path, label),
                Place("", path, shown(amount)),
            )
        )

    def _band(self, path: str, amount: Any) -> Band | None:
        if not isinstance(amount, dict):
            if isinstance(amount, bool) or amount is None:
                self._report(path, shown(amount), "must be a number of replicas, or p50, p90 and p99")
                return None
            replicas = self._parse(path, amount, parse_replicas)
            return None if replicas is None else Band.exactly(replicas)
        wrong: list[str] = []

        def note(where: str, value: str, description: str) -> None:
            wrong.append(where)
            self._report(where, value, description)

        check(amount, _BAND, note, path)
        if wrong:
            return None
        if amount.get("p50") is None:
            self._report(f"{path}.p50", "", "must be given")
            return None
        quantiles: list[int] = []
        for key in ("p50", "p90", "p99"):
            value = amount.get(key)
            parsed = quantiles[-1] if value is None else self._parse(f"{path}.{key}", value, parse_replicas)
            if parsed is None:
                return None
            quantiles.append(parsed)
        try:
            return Band(*quantiles)
        except ValueError as error:
            self._report(path, shown(amount), str(error))
            return None


def _days(text: str) -> range:
    """Days such as ``mon-fri`` or ``sat``.

    Examples
    --------
    >>> list(_days("mon-wed")), list(_days("sun"))
    ([0, 1, 2], [6])
    """
    first, _, last = text.lower().partition("-")
    last = last or first
    if first not in _DAYS or last not in _DAYS or _DAYS.index(last) < _DAYS.index(first):
        raise ValueError("must look like mon-fri or sat")
    return range(_DAYS.index(first), _DAYS.index(last) + 1)


def _hours(text: str) -> range:
    """Hours such as ``8-20``, the last one excluded.

    Examples
    --------
    >>> list(_hours("8-10"))
    [8, 9]
    """
    match = _HOURS.match(text)
    if match is None or not int(match[1]) < int(match[2]) <= 24:
        raise ValueError("must look like 8-20, hours of a day")
    return range(int(match[1]), int(match[2]))

"""Plans saved with ``binwright plan -o json``, read again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from binwright_optimizer.model.forecast import PPM, Forecast
from binwright_optimizer.model.offers import HeldCommitment, HeldReservation, Scope

from binwright_clients.errors import InputError
from binwright_clients.sources import read_source, text_of

_T = TypeVar("_T")
MICRO = 1_000_000
MOST_DOLLARS = 1_000_000.0
"""Dollars an hour that a commitment of a saved plan promises at most."""


@dataclass(frozen=True, slots=True)
class SavedMix:
    """The nodes of one block: counts by (instance type, capacity type, zone)."""

    region: str
    zone: str
    scenario: str
    hours_of_week: int
    shares: tuple[tuple[str, int], ...]
    nodes: Mapping[tuple[str, str, str], int]


@dataclass(frozen=True, slots=True)
class SavedPeriod:
    """A period of a plan; money in dollars."""

    name: str
    start: date
    end: date
    expected_usd: float
    mixes: tuple[SavedMix, ...]


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan as it was saved.

    Parameters
    ----------
    commitments
        What it bought, as if it were held.
    chances
        Probability of each scenario by name.
    """

    file: str
    periods: tuple[SavedPeriod, ...]
    commitments: tuple[HeldCommitment | HeldReservation, ...]
    chances: Mapping[str, float]

    def held_before(self, forecast: Forecast) -> tuple[HeldCommitment | HeldReservation, ...]:
        """What was bought before a forecast's first period and has not ended by then.

        Raises
        ------
        InputError
            If the forecast begins before the plan does.
        """
        first = forecast.periods[0].start
        if first < self.periods[0].start:
            raise InputError.of(
                self.file,
                f"the plan begins after the forecast's first period, {first}",
                field="periods[0].start",
                value=str(self.periods[0].start),
            )
        return tuple(held for held in self.commitments if held.start < first < held.end)


def read_plan(path: str) -> SavedPlan:
    """A plan that was saved as JSON.

    Raises
    ------
    InputError
        If the file holds no such plan; it names the field that is wrong.
    """
    body = read_document(path)
    if not {"periods", "scenarios", "commitments"} <= body.keys():
        raise InputError.of(path, "is no plan of `binwright plan -o json`")
    return _Reader(path).plan(body)


def read_document(path: str) -> dict[str, Any]:
    """The plain values of a saved plan.

    Raises
    ------
    InputError
        If the file holds no JSON object.
    """
    text = text_of(read_source(path))
    try:
        body = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError.of(path, f"is not JSON: {error.msg}", place=f"line {error.lineno}") from None
    if not isinstance(body, dict):
        raise InputError.of(path, "is no plan: binwright plan -o json writes one")
    return body


class _Reader:
    """One plan while it is read."""

    def __init__(self, file: str) -> None:
        self._file = file

    def _get(self, body: Any, path: str, key: str, parse: Callable[[Any], _T]) -> _T:
        where = f"{path}.{key}" if path else key
        value = body.get(key) if isinstance(body, dict) else None
        try:
            if value is None:
                raise ValueError("is missing")
            return parse(value)
        except (ValueError, TypeError) as error:
            raise InputError.of(
                self._file, f"is no plan of `binwright plan -o json`: {error}", field=where, value=value
            ) from None

    def _each(self, body: Any, path: str, key: str) -> Iterator[tuple[str, Any]]:
        items = self._get(body, path, key, _list)
        for at, item in enumerate(items):
            yield (f"{path}.{key}[{at}]" if path else f"{key}[{at}]"), item

    def plan(self, body: dict[str, Any]) -> SavedPlan:
        chances = {
            self._get(item, path, "name", str): self._get(item, path, "probability", float)
            for path, item in self._each(body, "", "scenarios")
        }
        periods = tuple(self._period(path, item, chances) for path, item in self._each(body, "", "periods"))
        if not periods:
            raise InputError.of(self._file, "is no plan of `binwright plan -o json`: it has no period")
        commitments = tuple(
            self._commitment(path, item) for path, item in self._each(body, "", "commitments")
        )
        return SavedPlan(self._file, periods, commitments, chances)

    def _period(self, path: str, item: Any, chances: Mapping[str, float]) -> SavedPeriod:
        return SavedPeriod(
            self._get(item, path, "name", str),
            self._get(item, path, "start", date.fromisoformat),
            self._get(item, path, "end", date.fromisoformat),
            self._get(item, path, "expected_cost_usd", float),
            tuple(self._mix(where, mix, chances) for where, mix in self._each(item, path, "mixes")),
        )

    def _mix(self, path: str, item: Any, chances: Mapping[str, float]) -> SavedMix:
        def scenario(value: Any) -> str:
            if value not in chances:
                raise ValueError("is none of the plan's scenarios")
            return str(value)

        nodes: Counter[tuple[str, str, str]] = Counter()
        for kind in ("on_demand", "spot"):
            mix = self._get(item, path, kind, dict)
            for where, purchase in self._each(mix, f"{path}.{kind}", "purchases"):
                key = (
                    self._get(purchase, where, "instance_type", str),
                    self._get(purchase, where, "capacity_type", str),
                    self._get(purchase, where, "zone", str),
                )
                nodes[key] += self._get(purchase, where, "nodes", int)
        shares = self._get(item, path, "share_of_busiest_hour", dict)
        return SavedMix(
            self._get(item, path, "region", str),
            self._get(item, path, "zone", str),
            self._get(item, path, "scenario", scenario),
            self._get(item, path, "hours_of_week", int),
            tuple(sorted((str(name), round(float(share) * PPM)) for name, share in shares.items())),
            nodes,
        )

    def _commitment(self, path: str, item: Any) -> HeldCommitment | HeldReservation:
        name = self._get(item, path, "offer", str)
        start = self._get(item, path, "start", date.fromisoformat)

        def later(value: Any) -> date:
            end = date.fromisoformat(value)
            if end <= start:
                raise ValueError(f"must be after start, {start}")
            return end

        end = self._get(item, path, "end", later)
        covers = self._get(item, path, "covers", dict)
        where = f"{path}.covers"
        types = tuple(self._get(covers, where, "instance_types", _list))
        region, zone = self._get(covers, where, "region", str), self._get(covers, where, "zone", str)
        if item.get("nodes"):
            nodes = self._get(item, path, "nodes", int)
            return HeldReservation(name, types[0], region, nodes, start, end, zone)
        return HeldCommitment(
            name,
            round(self._get(item, path, "usd_per_hour", _dollars) * MICRO),
            round(self._get(item, path, "discount", _share) * PPM),
            start,
            end,
            Scope(types, region, zone),
        )


def _dollars(value: Any) -> float:
    dollars = float(value)
    if not 0.0 <= dollars <= MOST_DOLLARS:
        raise ValueError(f"must be 0 to {MOST_DOLLARS:,.0f} dollars an hour")
    return dollars


def _share(value: Any) -> float:
    share = float(value)
    if not 0.0 <= share < 1.0:
        raise ValueError("must be at least 0 and below 1")
    return share


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("must be a list")
    return value

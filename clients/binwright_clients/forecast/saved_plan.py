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
from binwright_clients.forecast import saved_values as values
from binwright_clients.sources import read_source, text_of

_T = TypeVar("_T")
Held = HeldCommitment | HeldReservation
MICRO = 1_000_000
_RECENT = ("cloud", "held_commitments")
FIGURES = ("total_cost", "lower_bound", "expected_cost", "without_commitments", "upfront", "churn")


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
    cloud
        Whose nodes it buys.
    commitments
        What it bought, as if it were held.
    held
        What was held when it was made.
    chances
        Probability of each scenario by name.
    figures_usd
        Its totals by name, without the ending ``_usd``.
    scenarios_usd
        What it costs in each scenario.
    """

    file: str
    cloud: str
    periods: tuple[SavedPeriod, ...]
    commitments: tuple[Held, ...]
    held: tuple[Held, ...]
    chances: Mapping[str, float]
    figures_usd: Mapping[str, float]
    scenarios_usd: Mapping[str, float]

    def held_before(self, forecast: Forecast) -> tuple[tuple[str, Held], ...]:
        """What it held, and bought before a forecast's first period, that has not ended by then; with fields.

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
        return (
            *((f"held_commitments[{at}]", one) for at, one in enumerate(self.held) if first < one.end),
            *(
                (f"commitments[{at}]", one)
                for at, one in enumerate(self.commitments)
                if one.start < first < one.end
            ),
        )


BlockName = tuple[str, str, int, str, tuple[tuple[str, int], ...]]
"""Region, zone, period, scenario by name, and share of the busiest hour by profile in parts per million."""


def nodes_held(asked: Forecast, saved: SavedPlan) -> dict[BlockName, dict[tuple[str, str], int]]:
    """The on-demand nodes that a plan has for the forecast's periods, by (instance type, zone)."""
    periods = {(period.start, period.end): at for at, period in enumerate(asked.periods)}
    nodes: dict[BlockName, dict[tuple[str, str], int]] = {}
    for period in saved.periods:
        at = periods.get((period.start, period.end))
        if at is None:
            continue
        for mix in period.mixes:
            on_demand = {
                (name, zone): count
                for (name, capacity_type, zone), count in mix.nodes.items()
                if capacity_type == "on-demand"
            }
            nodes[mix.region, mix.zone, at, mix.scenario, mix.shares] = on_demand
    return nodes


def read_plan(path: str) -> SavedPlan:
    """A plan that was saved as JSON.

    Raises
    ------
    InputError
        If the file holds no such plan; it names the field that is wrong.
    """
    body = read_document(path)
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
    except RecursionError:
        raise InputError.of(path, "is nested too deeply") from None
    except ValueError:  # numbers of thousands of digits
        raise InputError.of(path, "is not JSON: it holds a number that is too long") from None
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
        if value is None:
            said = "is missing"
            if where in _RECENT:
                said += ", as in plans of earlier versions: make the plan again"
            raise self._wrong(where, "", said)
        try:
            return parse(value)
        except ValueError as error:
            raise self._wrong(where, value, str(error)) from None

    def _wrong(self, where: str, value: object, said: str) -> InputError:
        return InputError.of(
            self._file, f"is no plan of `binwright plan -o json`: {said}", field=where, value=value
        )

    def _each(self, body: Any, path: str, key: str) -> Iterator[tuple[str, Any]]:
        items = self._get(body, path, key, values.items)
        for at, item in enumerate(items):
            yield (f"{path}.{key}[{at}]" if path else f"{key}[{at}]"), item

    def plan(self, body: dict[str, Any]) -> SavedPlan:
        chances = {
            self._get(item, path, "name", values.text): self._get(item, path, "probability", values.number)
            for path, item in self._each(body, "", "scenarios")
        }
        costs = {
            self._get(item, path, "name", values.text): self._get(item, path, "cost_usd", values.number)
            for path, item in self._each(body, "", "scenarios")
        }
        figures = {name: self._get(body, "", f"{name}_usd", values.number) for name in FIGURES}
        periods = tuple(self._period(path, item, chances) for path, item in self._each(body, "", "periods"))
        if not periods:
            raise InputError.of(self._file, "is no plan of `binwright plan -o json`: it has no period")
        cloud = self._get(body, "", "cloud", values.text)
        commitments = tuple(
            self._commitment(path, item, "offer") for path, item in self._each(body, "", "commitments")
        )
        held = tuple(
            self._commitment(path, item, "name") for path, item in self._each(body, "", "held_commitments")
        )
        return SavedPlan(self._file, cloud, periods, commitments, held, chances, figures, costs)

    def _period(self, path: str, item: Any, chances: Mapping[str, float]) -> SavedPeriod:
        return SavedPeriod(
            self._get(item, path, "name", values.text),
            self._get(item, path, "start", values.day),
            self._get(item, path, "end", values.day),
            self._get(item, path, "expected_cost_usd", values.number),
            tuple(self._mix(where, mix, chances) for where, mix in self._each(item, path, "mixes")),
        )

    def _mix(self, path: str, item: Any, chances: Mapping[str, float]) -> SavedMix:
        def scenario(value: Any) -> str:
            if values.text(value) not in chances:
                raise ValueError("is none of the plan's scenarios")
            return values.text(value)

        nodes: Counter[tuple[str, str, str]] = Counter()
        for kind in ("on_demand", "spot"):
            mix = self._get(item, path, kind, values.mapping)
            for where, purchase in self._each(mix, f"{path}.{kind}", "purchases"):
                key = (
                    self._get(purchase, where, "instance_type", values.text),
                    self._get(purchase, where, "capacity_type", values.text),
                    self._get(purchase, where, "zone", values.text),
                )
                nodes[key] += self._get(purchase, where, "nodes", values.whole)
        shares = self._get(item, path, "share_of_busiest_hour", values.numbers_by_name)
        return SavedMix(
            self._get(item, path, "region", values.text),
            self._get(item, path, "zone", values.text),
            self._get(item, path, "scenario", scenario),
            self._get(item, path, "hours_of_week", values.whole),
            tuple(sorted((name, round(share * PPM)) for name, share in shares.items())),
            nodes,
        )

    def _commitment(self, path: str, item: Any, name_key: str) -> Held:
        name = self._get(item, path, name_key, values.text)
        start = self._get(item, path, "start", values.day)

        def later(value: Any) -> date:
            if values.day(value) <= start:
                raise ValueError(f"must be after start, {start}")
            return values.day(value)

        end = self._get(item, path, "end", later)
        scope = self._scope(f"{path}.covers", self._get(item, path, "covers", values.mapping))
        if item.get("nodes") is not None:
            nodes = self._get(item, path, "nodes", values.whole)
            if len(scope.instance_types) != 1 or not scope.region:
                said = "must name the one type and the region of reserved nodes"
                raise self._wrong(f"{path}.covers", item["covers"], said)
            return HeldReservation(name, scope.instance_types[0], scope.region, nodes, start, end, scope.zone)
        return HeldCommitment(
            name,
            round(self._get(item, path, "usd_per_hour", values.dollars_an_hour) * MICRO),
            round(self._get(item, path, "discount", values.share) * PPM),
            start,
            end,
            scope,
        )

    def _scope(self, path: str, covers: Mapping[str, Any]) -> Scope:
        types = self._get(covers, path, "instance_types", values.texts)
        region = self._get(covers, path, "region", values.text)
        zone = self._get(covers, path, "zone", values.text)
        if zone and not region:
            raise self._wrong(f"{path}.zone", zone, "needs its region")
        return Scope(types, region, zone)

"""Forecast tables: one row is the demand of a workload in a region and a period.

Columns: ``workload``, ``region``; ``period`` (``2027-Q1``) or ``period_start`` and ``period_end`` (the
first day after it); the pod's ``cpu_milli``, ``memory_mib``, optional ``gpu_count``, ``gpu_models``
(alternatives between ``|``), ``capacity_type`` (on-demand unless it says spot) and ``profile``; the
replicas at the busiest hour as ``replicas``, or as ``p50`` with optional ``p90`` and ``p99``; optional
``currency``. Rows of one workload agree in its shape.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import TypeVar

from binwright_optimizer.model import PodTemplate, Requirement, Resources, labels
from binwright_optimizer.model.forecast import (
    FIRST_YEAR,
    LAST_YEAR,
    Band,
    ForecastWorkload,
    Period,
    quarter,
)
from binwright_optimizer.model.gpus import canonical_gpu_models
from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU

from binwright_clients.errors import InputError, Problems
from binwright_clients.forecast.draft import DemandCell, Draft, Place, WorkloadDraft
from binwright_clients.tables import cells
from binwright_clients.tables.columns import RESOURCE_PREFIX, Columns, find_columns
from binwright_clients.tables.rows import Table

_T = TypeVar("_T")
_D = TypeVar("_D")

_PERIOD = frozenset({"period", "period_start", "period_end"})
_AMOUNT = frozenset({"replicas", "p50", "p90", "p99"})
_SHAPE = frozenset({"cpu_milli", "memory_mib", "gpu_count", "gpu_models", "capacity_type", "profile"})
KNOWN_COLUMNS = _PERIOD | _AMOUNT | _SHAPE | {"workload", "region", "currency"}
REQUESTS = {CPU: "cpu_milli", MEMORY: "memory_mib", NVIDIA_GPU: "gpu_count"}
CAPACITY_TYPES = ("on-demand", "spot")


def draft_of_table(table: Table, cloud: str, problems: Problems) -> Draft:
    """The draft of a table; wrong rows go to ``problems``.

    Raises
    ------
    InputError
        If columns are missing, unknown or contradict each other, or there is no row.
    """
    columns = find_columns(table, KNOWN_COLUMNS, {}, frozenset())
    _check_columns(table, columns)
    draft = Draft(table.file, cloud, Place("", "--cloud", cloud), is_partial=table.left_out > 0)
    for line, row in table.rows:
        _Row(table, columns, line, row, draft, problems).read()
    return draft


def _check_columns(table: Table, columns: Columns) -> None:
    has = columns.index.keys()
    missing = [name for name in ("workload", "region", "cpu_milli", "memory_mib") if name not in has]
    if "period" not in has and not {"period_start", "period_end"} <= has:
        missing.append("period (or period_start and period_end)")
    if "replicas" not in has and "p50" not in has:
        missing.append("replicas (or p50)")
    if missing:
        raise InputError.of(
            table.file, f"the header lacks the column {', '.join(missing)}", place=table.header_place
        )
    for one, other in (("period", "period_start"), ("replicas", "p50"), ("replicas", "p90")):
        if one in has and other in has:
            raise InputError.of(
                table.file, f"says the same as column {other!r}", place=table.header_place, field=one
            )
    if not table.rows and not table.left_out:
        raise InputError.of(table.file, "the table has no rows")


class _Row:
    """One row while it is read."""

    def __init__(
        self,
        table: Table,
        columns: Columns,
        line: int,
        row: Sequence[str],
        draft: Draft,
        problems: Problems,
    ) -> None:
        self._place = table.place(line)
        self._file = table.file
        self._columns = columns
        self._cells = row
        self._draft = draft
        self._problems = problems

    def read(self) -> None:
        """Add the row to the draft; of a row with mistakes, where and when it wants something."""
        before = len(self._problems)
        name, region = self._text("workload"), self._text("region")
        if not name:
            self._fail("workload", "must not be empty")
        shape = self._shape(name)
        period = self._period()
        band = self._band()
        if currency := self._text("currency"):
            self._draft.currencies.append(self._at("currency", currency))
        if not region:
            self._fail("region", "must not be empty")
        if not (name and region and period is not None):
            self._draft.is_partial = True
            return
        self._draft.cells.append(self._cell(name, region, period, band or Band.exactly(0)))
        profile = self._at("profile", shape.profile)
        if len(self._problems) > before:
            self._draft.spoilt_profiles.setdefault(name, profile)
            return
        known = self._draft.workloads.setdefault(name, WorkloadDraft(shape, profile))
        if known.workload != shape:
            self._fail("workload", "has another shape here than in the rows before")

    def _cell(self, name: str, region: str, period: Period, band: Band) -> DemandCell:
        period_column = "period" if "period" in self._columns.index else "period_start"
        amount_column = "replicas" if "replicas" in self._columns.index else "p50"
        return DemandCell(
            name,
            region,
            period,
            band,
            self._at("region"),
            self._at(period_column),
            self._at(amount_column, self._amounts()),
            {part: self._at(column) for part, column in self._parts().items()},
        )

    def _amounts(self) -> str:
        """The amounts of the row as written; with their columns where they are several."""
        given = [name for name in ("replicas", "p50", "p90", "p99") if self._text(name)]
        if len(given) == 1:
            return self._text(given[0])
        return ", ".join(f"{name} {self._text(name)}" for name in given)

    def _parts(self) -> dict[str, str]:
        """Columns of what only planning can find wrong, by path in a `ForecastWorkload`."""
        kind = "gpu_models" if self._text("gpu_models") else "capacity_type"
        return {
            **{f"template.requests[{json.dumps(name)}]": column for name, column in REQUESTS.items()},
            "template.requests": "cpu_milli",
            "template.node_selector": kind if kind in self._columns.index else "workload",
        }

    def _shape(self, name: str) -> ForecastWorkload:
        before = len(self._problems)
        gpus = self._parse("gpu_count", cells.parse_count, 0)
        amounts = {
            CPU: self._parse("cpu_milli", cells.parse_amount, 0),
            MEMORY: self._parse("memory_mib", lambda text: cells.parse_amount(text, cells.MIB), 0),
            NVIDIA_GPU: gpus,
        }
        for resource, at in self._columns.resources:
            if text := self._cells[at].strip():
                try:
                    amounts[resource] = parse_quantity(text, resource)
                except ValueError as error:
                    field = RESOURCE_PREFIX + resource
                    self._problems.add(self._file, str(error), place=self._place, field=field, value=text)
        requests = Resources.of(amounts)
        if not requests and len(self._problems) == before:
            self._fail("cpu_milli", "the pod requests nothing")
        capacity_type = self._parse("capacity_type", parse_capacity_type, "on-demand")
        selector = [Requirement(labels.CAPACITY_TYPE, Operator.IN, (capacity_type,))]
        models = self._parse("gpu_models", parse_gpu_models, ())
        if models and not gpus:
            self._fail("gpu_models", "names GPU models where gpu_count is 0")
        if models:
            selector.append(Requirement(labels.GPU_MODEL, Operator.IN, models))
        template = PodTemplate(requests, node_selector=tuple(selector))
        return ForecastWorkload(name, template, self._text("profile") or "flat")

    def _period(self) -> Period | None:
        if "period" in self._columns.index:
            return self._parse("period", quarter, None, required=True)
        start = self._parse("period_start", parse_date, None, required=True)
        end = self._parse("period_end", parse_date, None, required=True)
        if start is None or end is None:
            return None
        try:
            return Period(start, end)
        except ValueError:
            self._fail("period_end", f"must be after period_start, {start}")
            return None

    def _band(self) -> Band | None:
        if "replicas" in self._columns.index:
            replicas = self._parse("replicas", parse_replicas, None, required=True)
            return None if replicas is None else Band.exactly(replicas)
        p50 = self._parse("p50", parse_replicas, None, required=True)
        if p50 is None:
            return None
        p90 = self._parse("p90", parse_replicas, p50)
        p99 = self._parse("p99", parse_replicas, p90)
        try:
            return Band(p50, p90, p99)
        except ValueError as error:
            self._fail("p99" if p90 >= p50 else "p90", str(error))
            return None

    def _text(self, column: str) -> str:
        at = self._columns.index.get(column)
        return "" if at is None else self._cells[at].strip()

    def _at(self, column: str, value: str | None = None) -> Place:
        return Place(self._place, column, self._text(column) if value is None else value)

    def _fail(self, column: str, description: str) -> None:
        self._problems.add(self._file, description, place=self._place, field=column, value=self._text(column))

    def _parse(
        self, column: str, parse: Callable[[str], _T], default: _D, *, required: bool = False
    ) -> _T | _D:
        text = self._text(column)
        if not text:
            if required:
                self._fail(column, "must not be empty")
            return default
        try:
            return parse(text)
        except ValueError as error:
            self._fail(column, str(error))
            return default


def parse_replicas(text: str) -> int:
    """A whole number of replicas, at most what Kubernetes counts."""
    return cells.parse_count(text, cells.MAX_REPLICAS)


def parse_date(text: str) -> date:
    """A day such as ``2027-01-01``; Parquet may add a time of midnight."""
    try:
        day = date.fromisoformat(text.removesuffix(" 00:00:00"))
    except ValueError:
        raise ValueError("is not a day such as 2027-01-01") from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    return day


def parse_capacity_type(text: str) -> str:
    """How the pods' nodes are bought; plans keep the two apart."""
    if text not in CAPACITY_TYPES:
        raise ValueError(f"must be {' or '.join(CAPACITY_TYPES)}")
    return text


def parse_gpu_models(text: str) -> tuple[str, ...]:
    """GPU models in the catalogues' spelling."""
    names = cells.parse_choices(text)
    return tuple(dict.fromkeys(model for name in names for model in canonical_gpu_models(name)))

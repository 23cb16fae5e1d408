"""History tables: one row is how many replicas a workload had in a region at one time.

Columns: ``workload``, ``region``, ``date`` (``2026-05-01``) and ``replicas``, at the busiest hour of the
day or week that begins then. Further columns are those of a forecast table's shape (``cpu_milli``,
``memory_mib``, ``gpu_count``, ``gpu_models``, ``capacity_type``, ``profile``, ``resource:<name>``) and are
carried over to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import pairwise

from binwright_clients.errors import InputError, Problems
from binwright_clients.forecast.table import parse_date
from binwright_clients.sources import Format, read_source
from binwright_clients.tables import cells
from binwright_clients.tables.columns import RESOURCE_PREFIX, required_columns
from binwright_clients.tables.rows import read_table

SHAPE = ("cpu_milli", "memory_mib", "gpu_count", "gpu_models", "capacity_type", "profile")


@dataclass(slots=True)
class History:
    """The past of one workload in one region.

    Parameters
    ----------
    lines
        Places of the points in the file.
    shape
        Cells of the shape columns, by column.
    """

    workload: str
    region: str
    shape: Mapping[str, str]
    days: list[date] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    @property
    def step(self) -> timedelta:
        """Time between two points."""
        return self.days[1] - self.days[0]


def read_histories(path: str) -> tuple[History, ...]:
    """The histories of a CSV or Parquet file, in the order of their first rows.

    Raises
    ------
    InputError
        If anything in it is wrong; it lists every mistake that was found.
    """
    source = read_source(path)
    if source.format not in (Format.CSV, Format.PARQUET):
        raise InputError.of(path, "is no table: a history is CSV or Parquet")
    problems = Problems()
    table = read_table(source, problems)
    needed = ("workload", "region", "date", "replicas")
    columns = required_columns(table, needed, frozenset(SHAPE), path, has_resources=True)
    found: dict[tuple[str, str], History] = {}
    for line, row in table.rows:
        place = table.place(line)
        texts = {name: row[at].strip() for name, at in columns.index.items()}
        shape = {name: texts[name] for name in SHAPE if name in texts}
        shape |= {RESOURCE_PREFIX + name: row[at].strip() for name, at in columns.resources}
        key = texts["workload"], texts["region"]
        before = len(problems)
        for name in ("workload", "region"):
            if not texts[name]:
                problems.add(path, "must not be empty", place=place, field=name)
        try:
            day = parse_date(texts["date"])
        except ValueError as error:
            problems.add(path, str(error), place=place, field="date", value=texts["date"])
        try:
            value = float(cells.parse_number(texts["replicas"]))
            if value > cells.MAX_REPLICAS:
                raise ValueError(f"is too large (at most {cells.MAX_REPLICAS})")
        except ValueError as error:
            problems.add(path, str(error), place=place, field="replicas", value=texts["replicas"])
        if len(problems) > before:
            continue
        history = found.setdefault(key, History(*key, shape))
        if history.shape != shape:
            problems.add(
                path,
                "has another shape here than in the rows before",
                place=place,
                field="workload",
                value=key[0],
            )
        history.days.append(day)
        history.values.append(value)
        history.lines.append(place)
    problems.raise_if_any()
    if not found:
        raise InputError.of(path, "the table has no rows")
    for history in found.values():
        _check_steps(history, path, problems)
    problems.raise_if_any()
    return tuple(found.values())


def _check_steps(history: History, path: str, problems: Problems) -> None:
    """Days must follow each other at one distance, of a day or more."""
    if len(history.days) < 2:
        problems.add(
            path,
            f"{history.workload} in {history.region} has a single point",
            place=history.lines[0],
            field="date",
            value=str(history.days[0]),
        )
        return
    for at, (earlier, later) in enumerate(pairwise(history.days), start=1):
        if later <= earlier or later - earlier != history.step:
            expected = earlier + history.step
            problems.add(
                path,
                f"must be {expected}: {history.workload} in {history.region} goes by "
                f"{history.step.days} days, in order and without a gap"
                if history.step > timedelta(0)
                else "must be after the row before",
                place=history.lines[at],
                field="date",
                value=str(later),
            )
            return

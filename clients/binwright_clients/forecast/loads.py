"""Load tables: what an autoscaler's metrics are over time.

Columns: ``seconds`` from the start, at equal steps, and one for each metric by its name. A value is the
total over all pods, which the ready ones share; with ``:per-pod`` behind the name it is what each pod
has. Quantities as in Kubernetes (``35``, ``2500m``, ``40Gi``); an empty cell means that the metric cannot
be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from binwright_clients.errors import InputError, Problems
from binwright_clients.forecast.autoscalers import parse_milli
from binwright_clients.sources import Format, read_source
from binwright_clients.spelling import suggestion
from binwright_clients.tables.cells import parse_count
from binwright_clients.tables.rows import read_table

TIME = "seconds"
PER_POD = ":per-pod"


@dataclass(frozen=True, slots=True)
class LoadTable:
    """Loads by metric.

    Parameters
    ----------
    values
        One tuple for each metric asked for, in thousandths; None where a cell is empty.
    is_shared
        For each metric, whether its values are totals.
    """

    step_s: int
    values: tuple[tuple[int | None, ...], ...]
    is_shared: tuple[bool, ...]


def read_loads(path: str, metrics: Sequence[str]) -> LoadTable:
    """The loads of a CSV or Parquet file for the metrics of an autoscaler.

    Raises
    ------
    InputError
        If anything in it is wrong, or a metric has no column.
    """
    source = read_source(path)
    if source.format not in (Format.CSV, Format.PARQUET):
        raise InputError.of(path, "is no table: loads are CSV or Parquet")
    problems = Problems()
    table = read_table(source, problems)
    header = list(table.header)
    if TIME not in header:
        raise InputError.of(path, f"the header lacks the column {TIME}", place=table.header_place)
    places = []
    for metric in metrics:
        named = [name for name in (metric, metric + PER_POD) if name in header]
        if len(named) != 1:
            what = "lacks a column for" if not named else "has two columns for"
            raise InputError.of(
                path,
                f"the header {what} metric {metric!r}{suggestion(metric, header) if not named else ''}",
                place=table.header_place,
            )
        places.append(header.index(named[0]))
    times: list[int] = []
    values: list[list[int | None]] = [[] for _ in metrics]
    for line, row in table.rows:
        place = table.place(line)
        try:
            times.append(parse_count(row[header.index(TIME)].strip()))
        except ValueError as error:
            problems.add(path, str(error), place=place, field=TIME, value=row[header.index(TIME)])
        for series, at in zip(values, places, strict=True):
            text = row[at].strip()
            try:
                series.append(parse_milli(text) if text else None)
            except ValueError as error:
                problems.add(path, str(error), place=place, field=header[at], value=text)
    problems.raise_if_any()
    if len(times) < 2:
        raise InputError.of(path, "needs at least two rows")
    step = times[1] - times[0]
    for number, (earlier, later) in enumerate(pairwise(times), start=1):
        if later - earlier != step or step <= 0:
            raise InputError.of(
                path,
                f"must be {earlier + step}: the rows are {step} s apart" if step > 0 else "must grow",
                place=table.place(table.rows[number][0]),
                field=TIME,
                value=later,
            )
    shared = tuple(not header[at].endswith(PER_POD) for at in places)
    return LoadTable(step, tuple(tuple(series) for series in values), shared)

"""Usage tables: what ran and what it cost, to hold against a plan.

Columns: ``period`` (its name in the plan), ``region``, ``instance_type``, ``node_hours``; optional
``capacity_type`` (on-demand unless it says spot), ``cost_usd`` (what was billed; a period with a row that
does not tell it has no cost) and ``currency``. Several rows of the same nodes, such as one a day, are added
up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import TypeVar

from binwright_clients.errors import InputError, Problems
from binwright_clients.forecast.draft import CURRENCY
from binwright_clients.forecast.saved_plan import SavedPlan
from binwright_clients.forecast.table import CAPACITY_TYPES
from binwright_clients.sources import Format, read_source
from binwright_clients.spelling import suggestion
from binwright_clients.tables import cells
from binwright_clients.tables.columns import required_columns
from binwright_clients.tables.rows import read_table

_T = TypeVar("_T")

NEEDED = ("period", "region", "instance_type", "node_hours")
Pool = tuple[str, str, str, str]
"""Period, region, instance type and capacity type."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What ran: node-hours by pool, and dollars billed by period.

    A period of which some row does not tell its cost has none: a part of the bill is no bill.
    """

    node_hours: dict[Pool, float]
    cost_usd: dict[str, float]


def read_usage(path: str, plan: SavedPlan, until: date | None = None) -> Usage:
    """The usage of a CSV or Parquet file.

    Parameters
    ----------
    until
        The day before which it ends: of periods that begin later there can be none.

    Raises
    ------
    InputError
        If anything in it is wrong; it lists every mistake that was found.
    """
    source = read_source(path)
    if source.format not in (Format.CSV, Format.PARQUET):
        raise InputError.of(path, "is no table: usage is CSV or Parquet")
    problems = Problems()
    table = read_table(source, problems)
    known = frozenset({"capacity_type", "cost_usd", "currency"})
    columns = required_columns(table, NEEDED, known, path)
    periods = {period.name: period.start for period in plan.periods}
    regions = sorted({mix.region for period in plan.periods for mix in period.mixes})
    hours: dict[Pool, float] = {}
    costs: dict[str, float] = {}
    untold: set[str] = set()
    planned = {name for period in plan.periods for mix in period.mixes for name, _, _ in mix.nodes}
    sold = _sold(regions)
    for line, row in table.rows:
        place = table.place(line)
        texts = {name: row[at].strip() for name, at in columns.index.items()}

        def fail(column: str, description: str, place: str = place, texts: dict[str, str] = texts) -> None:
            problems.add(path, description, place=place, field=column, value=texts.get(column, ""))

        def parsed(
            column: str,
            parse: Callable[[str], _T],
            texts: dict[str, str] = texts,
            fail: Callable[[str, str], None] = fail,
        ) -> _T | None:
            try:
                return parse(texts[column])
            except ValueError as error:
                fail(column, str(error))
                return None

        before = len(problems)
        if texts["period"] not in periods:
            fail("period", f"is no period of the plan{suggestion(texts['period'], periods)}")
        elif until is not None and periods[texts["period"]] >= until:
            begins = periods[texts["period"]]
            fail("period", f"begins on {begins}, but the usage ends before {until} (--until)")
        if texts["region"] not in regions:
            fail("region", f"is no region of the plan{suggestion(texts['region'], regions)}")
        if not texts["instance_type"]:
            fail("instance_type", "must not be empty")
        elif texts["instance_type"] not in sold | planned:
            near = suggestion(texts["instance_type"], sorted(sold | planned))
            fail("instance_type", f"is sold in none of the plan's regions{near}")
        capacity_type = texts.get("capacity_type") or CAPACITY_TYPES[0]
        if capacity_type not in CAPACITY_TYPES:
            fail("capacity_type", f"must be {' or '.join(CAPACITY_TYPES)}")
        if texts.get("currency") not in (None, "", CURRENCY):
            fail("currency", f"must be {CURRENCY}, the currency of the plan")
        ran = parsed("node_hours", _amount)
        cost = parsed("cost_usd", _amount) if texts.get("cost_usd") else 0.0
        if not texts.get("cost_usd"):
            untold.add(texts["period"])
        if len(problems) > before or ran is None or cost is None:
            continue
        pool = texts["period"], texts["region"], texts["instance_type"], capacity_type
        hours[pool] = hours.get(pool, 0.0) + ran
        costs[texts["period"]] = costs.get(texts["period"], 0.0) + cost
    problems.raise_if_any()
    if not hours:
        raise InputError.of(path, "the table has no rows")
    return Usage(hours, {name: cost for name, cost in costs.items() if name not in untold})


def _sold(regions: Sequence[str]) -> frozenset[str]:
    """Names of all instance types that are sold in these regions, whichever cloud has them."""
    # Imported on first use: price lists are large.
    from binwright_optimizer.catalog import clouds, embedded_catalog
    from binwright_optimizer.catalog import regions as sold_in

    return frozenset(
        kind.name
        for cloud in clouds()
        for region in set(regions) & set(sold_in(cloud))
        for kind in embedded_catalog(cloud, [region]).instance_types
    )


def _amount(text: str) -> float:
    value = Fraction(cells.parse_number(text))
    if value < 0:
        raise ValueError("must not be negative")
    return float(value)

"""``binwright plan actuals``: a saved plan held against what really ran."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import Any

import click
from rich.console import Group
from rich.text import Text

from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.output import output_option, print_table, print_yaml
from binwright_clients.cli.plan_reference_view import plain_table
from binwright_clients.cli.render.text import literal
from binwright_clients.forecast.saved_plan import SavedPeriod, SavedPlan, read_plan
from binwright_clients.forecast.usage import Pool, Usage, read_usage

HOURS_OF_WEEK = 168


@click.command(
    epilog=examples(
        "binwright plan examples/forecast.yaml -o json > plan.json",
        "binwright plan actuals plan.json usage.csv",
        "binwright plan actuals plan.json usage.csv --until 2027-02-15 -o json",
    )
)
@click.argument("path", metavar="PLAN")
@click.argument("usage", metavar="USAGE")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="The usage ends before this day: of a period that goes on, only the part until then is compared.",
)
@output_option()
def actuals(path: str, usage: str, until: datetime | None, output: str) -> None:
    """Compare a plan saved with -o json and the usage since: node-hours by pool, cost by period.

    USAGE is a table (CSV, Parquet) with the columns period, region, instance_type and node_hours, and, where
    they are known, capacity_type and cost_usd. Planned node-hours are the mean over the plan's scenarios.
    """
    plan = read_plan(path)
    if until is not None:
        _check_within(plan, until.date())
    day = None if until is None else until.date()
    document = compared(plan, read_usage(usage, plan, day), day)
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    elif output == "yaml":
        print_yaml(document)
    else:
        print_table(_view(document))


def compared(plan: SavedPlan, usage: Usage, until: date | None) -> dict[str, Any]:
    """The comparison of the periods that the usage speaks of."""
    spoken = {pool[0] for pool in usage.node_hours}
    periods, pools = [], []
    for period in plan.periods:
        if period.name not in spoken:
            continue
        share = _share(period, until)
        planned = _planned(plan, period, share)
        for pool in sorted({*planned, *(p for p in usage.node_hours if p[0] == period.name)}):
            before, after = planned.get(pool, 0.0), usage.node_hours.get(pool, 0.0)
            pools.append(
                dict(zip(("period", "region", "instance_type", "capacity_type"), pool, strict=True))
                | {"planned": before, "actual": after, "change": after - before}
            )
        cost = usage.cost_usd.get(period.name)
        expected = period.expected_usd * share
        periods.append(
            {
                "period": period.name,
                "share_compared": share,
                "planned_usd": expected,
                "actual_usd": cost,
                "change_usd": None if cost is None else cost - expected,
            }
        )
    return {"periods": periods, "node_hours": pools}


def _check_within(plan: SavedPlan, until: date) -> None:
    """Refuse a day on which no period of the plan has begun, or all have long ended."""
    first, last = plan.periods[0].start, plan.periods[-1].end
    if not first < until <= last:
        raise BadInput(f"--until: must be after {first} and at most {last}, the plan's periods (got {until})")


def _share(period: SavedPeriod, until: date | None) -> float:
    """Part of a period that lies before a day."""
    if until is None or until >= period.end:
        return 1.0
    return max(timedelta(0), until - period.start) / (period.end - period.start)


def _planned(plan: SavedPlan, period: SavedPeriod, share: float) -> dict[Pool, float]:
    """Expected node-hours by pool."""
    weeks = (period.end - period.start).days * 24 / HOURS_OF_WEEK * share
    found: dict[Pool, float] = {}
    for mix in period.mixes:
        weight = plan.chances[mix.scenario] * mix.hours_of_week * weeks
        for (name, capacity_type, _), nodes in mix.nodes.items():
            pool = period.name, mix.region, name, capacity_type
            found[pool] = found.get(pool, 0.0) + weight * nodes
    return found


def _view(document: dict[str, Any]) -> Group:
    costs = plain_table(
        ("Period", False), ("Compared", True), ("Planned $", True), ("Actual $", True), ("Change $", True)
    )
    for row in document["periods"]:
        known = row["actual_usd"] is not None
        costs.add_row(
            literal(row["period"]),
            f"{100 * row['share_compared']:.0f} %",
            f"{row['planned_usd']:,.0f}",
            f"{row['actual_usd']:,.0f}" if known else "not told",
            f"{row['change_usd']:+,.0f}" if known else "",
        )
    pools = plain_table(
        ("Period", False),
        ("Region", False),
        ("Instance type", False),
        ("Capacity", False),
        ("Planned h", True),
        ("Actual h", True),
        ("Change h", True),
    )
    for row in document["node_hours"]:
        pools.add_row(
            *(literal(row[key]) for key in ("period", "region", "instance_type", "capacity_type")),
            f"{row['planned']:,.0f}",
            f"{row['actual']:,.0f}",
            f"{row['change']:+,.0f}",
        )
    return Group(Text("Cost", style="bold"), costs, Text(""), Text("Node-hours", style="bold"), pools)

"""``binwright plan diff``: what changes from one saved plan to another."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click
from binwright_optimizer.model.offers import HeldCommitment, Scope
from rich.console import Group
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.examples import examples
from binwright_clients.cli.output import output_option, print_table, print_yaml
from binwright_clients.cli.plan_reference_view import plain_table, warning_lines
from binwright_clients.cli.render.text import literal
from binwright_clients.forecast.saved_plan import MICRO, SavedPlan, read_plan

_Key = tuple[str, ...]
_TERM = ("start", "end", "offer", "covers")
_NAMED = ("scenario ", "period ")
"""What figures begin with that end in a name of the plan's own."""


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """What two plans are compared by.

    Parameters
    ----------
    money
        Dollars by name of the figure.
    commitments
        Dollars an hour, bought or held, by (start, end, offer, what it covers).
    reserved
        Reserved nodes, bought or held, likewise.
    nodes
        Expected node-hours of a week by (period, region, instance type, capacity type).
    """

    money: dict[str, float]
    commitments: dict[_Key, float]
    reserved: dict[_Key, float]
    nodes: dict[_Key, float]


@click.command(
    epilog=examples(
        "binwright plan examples/forecast.yaml -o json > held.json",
        "binwright plan examples/forecast.yaml --whole-term -o json > cautious.json",
        "binwright plan diff held.json cautious.json",
    )
)
@click.argument("before", metavar="BEFORE")
@click.argument("after", metavar="AFTER")
@output_option()
def diff(before: str, after: str, output: str) -> None:
    """Compare two plans, saved with -o json: cost, commitments bought or held, and node-hours by type.

    Totals of plans for other days or another cloud differ for that alone, which is said first.
    """
    one, other = read_plan(before), read_plan(after)
    old, new = figures_of(one), figures_of(other)
    document: dict[str, list[Any]] = {
        "warnings": list(_warnings(one, other)),
        "figures": _changes(old.money, new.money, lambda key: {"figure": key}),
        "commitments_usd_per_hour": _changes(
            old.commitments, new.commitments, lambda key: dict(zip(_TERM, key, strict=True))
        ),
        "reserved_nodes": _changes(
            old.reserved, new.reserved, lambda key: dict(zip(_TERM, key, strict=True))
        ),
        "node_hours_per_week": _changes(
            old.nodes,
            new.nodes,
            lambda key: dict(zip(("period", "region", "instance_type", "capacity_type"), key, strict=True)),
        ),
    }
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    elif output == "yaml":
        print_yaml(document)
    else:
        print_table(_view(document))


def _warnings(before: SavedPlan, after: SavedPlan) -> Iterator[str]:
    """Why totals cannot be compared."""
    spans = [f"{plan.periods[0].start} to {plan.periods[-1].end}" for plan in (before, after)]
    if spans[0] != spans[1]:
        yield f"the plans are for other days, {spans[0]} and {spans[1]}: totals differ for that alone"
    if before.cloud != after.cloud:
        yield f"the plans are for other clouds, {before.cloud} and {after.cloud}"


def figures_of(plan: SavedPlan) -> PlanFigures:
    """The figures of a saved plan."""
    money = dict(plan.figures_usd)
    money |= {f"scenario {name}": cost for name, cost in plan.scenarios_usd.items()}
    money |= {f"period {period.name}": period.expected_usd for period in plan.periods}
    commitments: defaultdict[_Key, float] = defaultdict(float)
    reserved: defaultdict[_Key, float] = defaultdict(float)
    for one in (*plan.held, *plan.commitments):
        key = str(one.start), str(one.end), one.name, _covers(one.scope)
        if isinstance(one, HeldCommitment):
            commitments[key] += one.microusd_per_hour / MICRO
        else:
            reserved[key] += one.count
    nodes: defaultdict[_Key, float] = defaultdict(float)
    for period in plan.periods:
        for mix in period.mixes:
            weight = plan.chances[mix.scenario] * mix.hours_of_week
            for (name, capacity_type, _), count in mix.nodes.items():
                nodes[period.name, mix.region, name, capacity_type] += weight * count
    return PlanFigures(money, dict(commitments), dict(reserved), dict(nodes))


def _covers(scope: Scope) -> str:
    """What a commitment pays for: two of one name may differ in it."""
    parts = [*scope.instance_types, scope.zone or scope.region]
    return ", ".join(part for part in parts if part) or "everything"


def _changes(before: dict[Any, float], after: dict[Any, float], named: Any) -> list[dict[str, Any]]:
    """Everything that differs by more than rounding, in the order of the first plan, then of the second."""
    found = []
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, 0.0), after.get(key, 0.0)
        if abs(new - old) > 1e-6 * max(1.0, abs(old), abs(new)):
            found.append(named(key) | {"before": old, "after": new, "change": new - old})
    return found


def _view(document: dict[str, list[Any]]) -> Group:
    if not any(document.values()):
        return Group(Text("the plans agree", style="bold"))
    pools = ("period", "region", "instance_type", "capacity_type")
    parts: list[Text | Table] = [*warning_lines(document["warnings"])]
    for heading, rows, keys, digits in (
        ("Dollars", document["figures"], ("figure",), 0),
        ("Commitments bought or held, $/h", document["commitments_usd_per_hour"], _TERM, 2),
        ("Reserved nodes, bought or held", document["reserved_nodes"], _TERM, 0),
        ("Expected node-hours of a week", document["node_hours_per_week"], pools, 0),
    ):
        if rows:
            parts += [Text(heading, style="bold"), _table(rows, keys, digits)]
    return Group(*parts)


def _table(rows: list[dict[str, Any]], keys: tuple[str, ...], digits: int) -> Table:
    table = plain_table(
        *((key.replace("_", " ").capitalize(), False) for key in keys),
        ("Before", True),
        ("After", True),
        ("Change", True),
    )
    for row in rows:
        table.add_row(
            *(literal(_readable(key, str(row[key]))) for key in keys),
            f"{row['before']:,.{digits}f}",
            f"{row['after']:,.{digits}f}",
            f"{row['change']:+,.{digits}f}",
        )
    return table


def _readable(key: str, value: str) -> str:
    """A value as a table shows it: figures without the underscores of their keys."""
    return value.replace("_", " ") if key == "figure" and not value.startswith(_NAMED) else value

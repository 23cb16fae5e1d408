"""``binwright plan diff``: what changes from one saved plan to another."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.examples import examples
from binwright_clients.cli.failures import BadInput
from binwright_clients.cli.output import output_option, print_table, print_yaml
from binwright_clients.cli.plan_reference_view import plain_table
from binwright_clients.cli.render.text import literal
from binwright_clients.sources import read_source, text_of

_Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """What two plans are compared by.

    Parameters
    ----------
    money
        Dollars by name of the figure.
    commitments
        Dollars an hour by (start, end, offer).
    nodes
        Expected node-hours of a week by (period, region, instance type, capacity type).
    """

    money: dict[str, float]
    commitments: dict[_Key, float]
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
    """Compare two plans, saved with -o json: cost, commitments, and node-hours by type."""
    old, new = read_figures(before), read_figures(after)
    document = {
        "figures": _changes(old.money, new.money, lambda key: {"figure": key}),
        "commitments_usd_per_hour": _changes(
            old.commitments,
            new.commitments,
            lambda key: dict(zip(("start", "end", "offer", "covers"), key, strict=True)),
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


def read_figures(path: str) -> PlanFigures:
    """The figures of a plan that was saved as JSON.

    Raises
    ------
    BadInput
        If the file holds no such plan.
    InputError
        If it cannot be read.
    """
    text = text_of(read_source(path))
    try:
        return _figures(json.loads(text))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}, line {error.lineno}: is not JSON: {error.msg}") from None
    except KeyError as error:
        raise BadInput(
            f"{path}: is no plan of `binwright plan -o json`: {error.args[0]} is missing"
        ) from None
    except (TypeError, AttributeError, ValueError) as error:
        raise BadInput(f"{path}: is no plan of `binwright plan -o json`: {error!r}") from None


def _figures(plan: dict[str, Any]) -> PlanFigures:
    money = {
        name: _finite(plan[f"{name}_usd"])
        for name in ("total_cost", "lower_bound", "expected_cost", "without_commitments")
    }
    money |= {f"scenario {s['name']}": _finite(s["cost_usd"]) for s in plan["scenarios"]}
    money |= {f"period {p['name']}": _finite(p["expected_cost_usd"]) for p in plan["periods"]}
    commitments: defaultdict[_Key, float] = defaultdict(float)
    for bought in plan["commitments"]:
        commitments[bought["start"], bought["end"], bought["offer"], _covers(bought)] += _finite(
            bought["usd_per_hour"]
        )
    chances = {s["name"]: _finite(s["probability"]) for s in plan["scenarios"]}
    nodes: defaultdict[_Key, float] = defaultdict(float)
    for period in plan["periods"]:
        for mix in period["mixes"]:
            weight = chances[mix["scenario"]] * _finite(mix["hours_of_week"])
            for kind in ("on_demand", "spot"):
                for purchase in mix[kind]["purchases"]:
                    key = (
                        period["name"],
                        mix["region"],
                        purchase["instance_type"],
                        purchase["capacity_type"],
                    )
                    nodes[key] += weight * _finite(purchase["nodes"])
    return PlanFigures(money, dict(commitments), dict(nodes))


def _finite(value: Any) -> float:
    """A figure; raises ValueError if it is infinite or none, which would compare as equal to all."""
    figure = float(value)
    if not math.isfinite(figure):
        raise ValueError(f"{value} is no finite figure")
    return figure


def _covers(bought: dict[str, Any]) -> str:
    """What a commitment pays for: two of one name may differ in it."""
    scope = bought.get("covers") or {}
    parts = [*scope.get("instance_types", ()), scope.get("zone") or scope.get("region") or ""]
    return ", ".join(part for part in parts if part) or "everything"


def _changes(before: dict[Any, float], after: dict[Any, float], named: Any) -> list[dict[str, Any]]:
    """Everything that differs by more than rounding, in the order of the first plan, then of the second."""
    found = []
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, 0.0), after.get(key, 0.0)
        if abs(new - old) > 1e-6 * max(1.0, abs(old), abs(new)):
            found.append(named(key) | {"before": old, "after": new, "change": new - old})
    return found


def _view(document: dict[str, list[dict[str, Any]]]) -> Group:
    if not any(document.values()):
        return Group(Text("the plans agree", style="bold"))
    return Group(
        Text("Dollars", style="bold"),
        _table(document["figures"], ("figure",), 0),
        Text("Commitments, $/h", style="bold"),
        _table(document["commitments_usd_per_hour"], ("start", "end", "offer", "covers"), 2),
        Text("Expected node-hours of a week", style="bold"),
        _table(document["node_hours_per_week"], ("period", "region", "instance_type", "capacity_type"), 0),
    )


def _table(rows: list[dict[str, Any]], keys: tuple[str, ...], digits: int) -> Table:
    table = plain_table(
        *((key.replace("_", " ").capitalize(), False) for key in keys),
        ("Before", True),
        ("After", True),
        ("Change", True),
    )
    for row in rows:
        table.add_row(
            *(literal(str(row[key])) for key in keys),
            f"{row['before']:,.{digits}f}",
            f"{row['after']:,.{digits}f}",
            f"{row['change']:+,.{digits}f}",
        )
    return table

"""Flavours as tables: total cost, what the machines become, scores and what would change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.plan_reference_view import plain_table, price_source_lines, warning_lines
from binwright_clients.cli.render.text import literal, percent
from binwright_clients.cli.today import today

if TYPE_CHECKING:
    from binwright_optimizer.planning.flavors import FlavorCost, Recommendation
    from binwright_optimizer.planning.flavors.requirements import Exclusion

_MICRO = 1_000_000


def compare_view(rows: Sequence[Sequence[FlavorCost]], hourly_rate: int) -> RenderableType:
    """Totals by size, the parts and the machines of the largest size up to 300, sources, assumptions."""
    shown = max(
        (row for row in rows if row[0].reference_nodes <= 300), key=_size, default=min(rows, key=_size)
    )
    from binwright_optimizer.planning.mix import stale_prices  # loads the solver

    sources = {source for row in rows for cost in row for source in cost.sources}
    return Group(
        Text("Total $ a month for the workloads of so many reference nodes", style="bold"),
        _totals(rows),
        "",
        Text(f"What it is made of, at {_size(shown)} reference nodes", style="bold"),
        _parts(shown),
        "",
        Text(f"What the same workloads become, at {_size(shown)} reference nodes", style="bold"),
        _machines(shown),
        "",
        *warning_lines(stale_prices((cost.mix for row in rows for cost in row), today())),
        *price_source_lines(sorted(sources, key=lambda s: (s.date, s.name), reverse=True)),
        *_assumptions(hourly_rate),
    )


def recommend_view(
    found: Recommendation,
    admitted: Sequence[FlavorCost],
    excluded: Sequence[Exclusion],
    criteria: Mapping[str, tuple[int, str]],
) -> RenderableType:
    """The winner, the ranking, what was left out and why, and the nearest change of each weight."""
    from binwright_optimizer.planning.mix import stale_prices  # loads the solver

    lines: list[RenderableType] = [
        Text(f"{found.winner} fits best", style="bold green"),
        "",
        _scores(found, admitted),
    ]
    lines += [
        Text(f"left out: {exclusion.flavor}: {'; '.join(exclusion.reasons)}", style="yellow")
        for exclusion in excluded
    ]
    lines += warning_lines(stale_prices((cost.mix for cost in admitted), today()))
    lines += ["", Text("Which weight would change the winner", style="bold"), _flips(found, criteria)]
    return Group(*lines)


def _size(row: Sequence[FlavorCost]) -> int:
    return row[0].reference_nodes


def _usd(microusd: int) -> str:
    return f"{(microusd + _MICRO // 2) // _MICRO:,}"


def _totals(rows: Sequence[Sequence[FlavorCost]]) -> Table:
    table = plain_table(("Flavour", False), *((f"{_size(row):,} nodes", True) for row in rows))
    for index, cost in enumerate(rows[0]):
        cells = [_usd(row[index].total_microusd) if not row[index].missing else "-" for row in rows]
        note = f" ({cost.missing})" if cost.missing else ""
        table.add_row(literal(cost.flavor.name + note), *cells)
    return table


def _parts(row: Sequence[FlavorCost]) -> Table:
    table = plain_table(
        ("Flavour", False),
        ("Nodes", True),
        ("Machines", True),
        ("Gap", True),
        ("Control plane", True),
        ("Support", True),
        ("People", True),
        ("Hours", True),
        ("$/month", True),
    )
    for cost in row:
        table.add_row(
            literal(cost.flavor.name),
            f"{cost.mix.nodes:,}",
            _usd(cost.compute_microusd),
            percent(cost.mix.gap),
            _usd(cost.control_plane_microusd),
            _usd(cost.support_microusd),
            _usd(cost.operations_microusd),
            f"{cost.operations_hours:.0f}",
            _usd(cost.total_microusd) if not cost.missing else "-",
        )
    return table


def _machines(row: Sequence[FlavorCost]) -> Table:
    table = plain_table(("Machines", False), ("Nodes", False))
    seen = set()
    for cost in row:
        where = cost.flavor.cloud or cost.flavor.name
        if where in seen:
            continue
        seen.add(where)
        bought = [
            f"{purchase.nodes} {purchase.instance_type}"
            + (" spot" if str(purchase.capacity_type) == "spot" else "")
            for purchase in cost.mix.purchases
        ]
        table.add_row(literal(where), literal(", ".join(bought)))
    return table


def _assumptions(hourly_rate: int) -> list[Text]:
    return [
        Text(
            f"Assumed: people's hours by flavour, ${hourly_rate} an hour; servers of one's own written off in"
        ),
        Text(
            "four years with 10 % spares; storage, traffic and software licences left out. Azure has no spot"
        ),
        Text("prices here, so batch runs on demand there. --help of each command says what can be changed."),
    ]


def _scores(found: Recommendation, admitted: Sequence[FlavorCost]) -> Table:
    totals = {cost.flavor.name: cost.total_microusd for cost in admitted}
    table = plain_table(
        ("Flavour", False),
        ("Score", True),
        ("$/month", True),
        *((criterion, True) for criterion in found.weights),
    )
    for name, score in found.scores:
        table.add_row(
            literal(name),
            f"{score:.3f}",
            _usd(totals[name]),
            *(f"{found.normalised[name][criterion]:.2f}" for criterion in found.weights),
        )
    table.add_row("weight", "", "", *(f"{weight:g}" for weight in found.weights.values()))
    return table


def _flips(found: Recommendation, criteria: Mapping[str, tuple[int, str]]) -> Table:
    table = plain_table(
        ("Criterion", False), ("Weight", True), ("Flips at", True), ("To", False), ("Measured as", False)
    )
    for flip in found.flips:
        table.add_row(
            literal(flip.criterion),
            f"{flip.current:g}",
            "never" if flip.weight is None else f"{flip.weight:.2f}",
            literal(flip.challenger),
            literal(criteria[flip.criterion][1]),
        )
    return table

"""The reference platform and its alternatives as tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from binwright_optimizer.model import HOURS_PER_MONTH, PriceSource
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.render.text import MICROUSD, dollars, literal, percent
from binwright_clients.cli.today import today

if TYPE_CHECKING:
    from binwright_optimizer.planning.mix import Mix
    from binwright_optimizer.planning.reference import Comparison

_VERDICTS = {
    True: Text("holds", style="green"),
    False: Text("does not", style="red"),
    None: Text("open", style="yellow"),
}


def reference_view(found: Comparison) -> RenderableType:
    """Findings, totals, mixes by region, and where the prices come from."""
    return Group(
        Text("The stated figures against the catalogue", style="bold"),
        _findings(found),
        "",
        Text("The same demand, bought in five ways", style="bold"),
        _totals(found),
        *_sizing_lines(found),
        "",
        Text("Optimal mix of the whole catalogue by region", style="bold"),
        _mixes(found),
        "",
        *warning_lines(found.stale_prices(today())),
        *price_source_lines(found.price_sources),
        Text(
            "Demand: what the 300 stated nodes hold at "
            f"{percent(float(found.utilisation))} of CPU and memory beside the daemons, "
            "split by " + ("role." if str(found.split) == "roles" else "where the nodes are."),
        ),
    )


def monthly(microusd_per_hour: int) -> str:
    """Whole dollars a month, rounded half up.

    Examples
    --------
    >>> monthly(62_568_000)
    '45,675'
    """
    return f"{(microusd_per_hour * HOURS_PER_MONTH + MICROUSD // 2) // MICROUSD:,}"


def plain_table(*columns: tuple[str, bool]) -> Table:
    """A table without frame; columns are (heading, is a number)."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading, is_number in columns:
        table.add_column(
            heading,
            justify="right" if is_number else "left",
            no_wrap=is_number,
            overflow="fold",
        )
    return table


def warning_lines(warnings: Iterable[str]) -> list[Text]:
    """One line for each warning."""
    return [Text(f"warning: {warning}", style="yellow") for warning in warnings]


def price_source_lines(sources: Iterable[PriceSource]) -> list[Text]:
    """One line for each source of prices."""
    return [
        Text(f"prices  {source.name}, {source.date}" + (" (estimate)" if source.is_estimate else ""))
        for source in sources
    ]


def _findings(found: Comparison) -> Table:
    table = plain_table(("Figure", False), ("Stated", False), ("Found", False), ("", False))
    for finding in found.findings:
        table.add_row(
            literal(finding.subject),
            literal(finding.stated),
            literal(finding.found),
            _VERDICTS[finding.holds],
        )
    return table


def _totals(found: Comparison) -> Table:
    table = plain_table(
        ("", False),
        *((r.region.name, True) for r in found.regions),
        ("Nodes", True),
        ("$/month", True),
        ("Gap", True),
    )
    rows: list[tuple[str, list[Mix], bool]] = [
        ("stated nodes at catalogue prices", [r.stated for r in found.regions], False),
        ("sizing rule as written", list(found.sizing_as_written.mixes), False),
        ("sizing rule, faults corrected", list(found.sizing.mixes), False),
        ("optimal mix of the same types", [r.same_types for r in found.regions], True),
        ("optimal mix of the whole catalogue", [r.whole_catalog for r in found.regions], True),
    ]
    for name, mixes, is_proven in rows:
        cost = sum(mix.cost_microusd_per_hour for mix in mixes)
        bound = sum(mix.bound_microusd_per_hour for mix in mixes)
        table.add_row(
            literal(name),
            *(monthly(mix.cost_microusd_per_hour) for mix in mixes),
            f"{sum(mix.nodes for mix in mixes):,}",
            monthly(cost),
            percent((cost - bound) / cost) if is_proven else "-",
        )
    return table


def _sizing_lines(found: Comparison) -> Iterable[Text]:
    """What is on top of every row, and what is wrong with the sizing rule."""
    # Imported on first use, like everything that plans.
    from binwright_optimizer.planning.sizing import FAULTS, LIMITS

    rule, written = found.sizing, found.sizing_as_written
    yield Text(
        f"nodes alone; on top of each row {rule.control_planes} control planes are "
        f"{_month(rule.control_planes_microusd_per_month)} a month, of which the rule as written counts "
        f"{_month(written.control_planes_microusd_per_month)}"
    )
    yield Text("faults of the sizing rule as it is commonly written:", style="bold")
    yield from (Text(f"- {fault}") for fault in FAULTS.values())
    yield Text("what remains wrong with it when they are corrected:", style="bold")
    yield from (Text(f"- {limit}") for limit in LIMITS)


def _month(microusd: int) -> str:
    return f"${(microusd + MICROUSD // 2) // MICROUSD:,}"


def _mixes(found: Comparison) -> Table:
    table = plain_table(
        ("Region", False),
        ("Instance type", False),
        ("Capacity", False),
        ("Nodes", True),
        ("each $/h", True),
        ("$/month", True),
    )
    for r in found.regions:
        for index, purchase in enumerate(r.whole_catalog.purchases):
            mark = "~" if purchase.source.is_estimate else ""
            table.add_row(
                literal(r.region.name if index == 0 else ""),
                literal(purchase.instance_type),
                str(purchase.capacity_type),
                str(purchase.nodes),
                mark + dollars(purchase.price_microusd_per_hour),
                monthly(purchase.cost_microusd_per_hour),
            )
    return table

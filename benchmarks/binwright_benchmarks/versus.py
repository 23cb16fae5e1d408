"""A decision beside what other rules pay for the same pods on the same offerings."""

from __future__ import annotations

from collections.abc import Sequence

from binwright.v1 import decision_pb2
from binwright_clients.cli.render.text import WIDTH, dollars, percent
from binwright_optimizer.model.decision import HOURS_PER_MONTH
from rich import box
from rich.table import Table
from rich.text import Text

from binwright_benchmarks.measure import MICROUSD, BaselineFigures

BAR_WIDTH = 24


def versus_table(decision: decision_pb2.Decision, baselines: Sequence[BaselineFigures]) -> Table:
    """Cost of the decision and of each rule, dearest last, with bars to one scale.

    A rule that leaves more pods out than the decision does is marked: its cost buys less.
    """
    ours = decision.hourly_cost_microusd / MICROUSD
    unplaced = len(decision.unschedulable_pods)
    largest = max([ours, *(figures.mean_usd for figures in baselines)])
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, width=WIDTH)
    table.add_column("Same pods, same offerings", no_wrap=True, ratio=1)
    for head in ("$/h", "$/month", "Nodes"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", width=BAR_WIDTH + 1, no_wrap=True)
    table.add_column("We save", justify="right", no_wrap=True)
    bound = decision.lower_bound_microusd / MICROUSD
    _add(table, "lower bound (proven)", bound, None, largest, "", "dim")
    _add(table, "binwright", ours, len(decision.node_claims), largest, "", "bold green")
    for figures in sorted(baselines, key=lambda f: f.mean_usd):
        saving = (figures.mean_usd - ours) / figures.mean_usd if figures.mean_usd else 0.0
        note = f"{percent(saving)}"
        if figures.pods_unplaced != unplaced:
            note = f"{figures.pods_unplaced - unplaced:+,} pods out"
        style = "bold red" if saving < 0 and figures.pods_unplaced <= unplaced else ""
        name = figures.name
        if figures.most_usd > figures.least_usd:
            name += f" (mean of {figures.runs} draws)"
        _add(table, name, figures.mean_usd, round(figures.nodes), largest, note, style)
    return table


def range_line(baselines: Sequence[BaselineFigures]) -> str:
    """How far random tie-breaking moves the rules that draw; empty if none does."""
    spread = [f for f in baselines if f.most_usd > f.least_usd]
    return "; ".join(
        f"{f.name} breaks ties at random: {f.least_usd:,.2f} to {f.most_usd:,.2f} $/h over {f.runs} seeds"
        for f in spread
    )


def _add(
    table: Table, name: str, usd: float, nodes: int | None, largest: float, saving: str, style: str
) -> None:
    filled = round(BAR_WIDTH * usd / largest) if largest else 0
    table.add_row(
        name,
        dollars(round(usd * MICROUSD), 2),
        f"{usd * HOURS_PER_MONTH:,.0f}",
        "" if nodes is None else f"{nodes:,}",
        Text(" " + "█" * filled, style=style or "red"),
        saving,
        style=style,
    )

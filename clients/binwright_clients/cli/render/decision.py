"""A decision for human eyes: what it costs, how good that is, what to buy, and what is left over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from binwright.v1 import catalog_pb2, decision_pb2
from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from binwright_clients.cli.render.mix import mix_table, node_mix
from binwright_clients.cli.render.paid import accelerators_text, charges_text, commitments_text
from binwright_clients.cli.render.text import WIDTH, counted, dollars, literal, percent, printable, some
from binwright_clients.cli.render.unschedulable import unschedulable_view

_STOP_REASONS = {
    decision_pb2.STOP_REASON_OPTIMAL: "proven optimal",
    decision_pb2.STOP_REASON_GAP: "gap reached",
    decision_pb2.STOP_REASON_DEADLINE: "deadline",
    decision_pb2.STOP_REASON_CANCELLED: "cancelled",
    decision_pb2.STOP_REASON_EXHAUSTED: "search exhausted",
    decision_pb2.STOP_REASON_WORK_LIMIT: "work limit",
}


def decision_view(
    decision: decision_pb2.Decision,
    *,
    price_sources: Sequence[catalog_pb2.PriceSource] = (),
    notes: Sequence[str] = (),
    title: str = "Decision",
    most_rows: int = 30,
    width: int = WIDTH,
) -> RenderableType:
    """The whole decision, laid out for ``width`` columns.

    Parameters
    ----------
    price_sources
        Where the prices of the bought offerings come from.
    notes
        What was assumed or left out while reading the input.
    title
        Heading of the summary.
    most_rows
        Most rows of the node mix; the rest is summed in one.
    """
    parts: list[RenderableType] = [summary_panel(decision, title, width)]
    if decision.node_claims:
        parts += [mix_table(node_mix(decision.node_claims), most_rows, width), ""]
    if decision.commitments:
        parts += [commitments_text(decision.commitments), ""]
    if decision.hourly_interruption_microusd or decision.penalties:
        parts += [charges_text(decision), ""]
    if decision.accelerators:
        parts += [accelerators_text(decision.accelerators), ""]
    if decision.existing_placements:
        parts += [existing_text(decision.existing_placements), ""]
    if decision.unschedulable_pods:
        parts += [unschedulable_view(decision.unschedulable_pods), ""]
    parts.append(remarks(decision, price_sources, notes))
    return Group(*parts)


def summary_panel(decision: decision_pb2.Decision, title: str = "Decision", width: int = WIDTH) -> Panel:
    """Cost, bound, gap, stop reason and counts in a frame."""
    on_new = sum(len(claim.pods) for claim in decision.node_claims)
    on_existing = sum(len(placement.pods) for placement in decision.existing_placements)
    unplaced = len(decision.unschedulable_pods)
    placed = on_new + on_existing
    cost = decision.hourly_cost_microusd
    beside = decision.hourly_interruption_microusd + decision.hourly_penalty_microusd
    of_all = f" of ${dollars(cost + beside)}/h in all" if beside else ""
    stopped = _STOP_REASONS.get(decision.stop_reason, "unknown")
    bound = Text(f"lower bound ${dollars(decision.lower_bound_microusd)}/h" + of_all)
    gap = Text.assemble("gap ", (percent(decision.gap), "bold"))
    counts = Text(
        f"{placed:,} of {counted(placed + unplaced, 'pod')} placed",
        style="bold" if not unplaced else "bold yellow",
    )
    if unplaced and not placed:
        # The bound is on the cost of the pods placed: met by nothing, it proves nothing worth a headline.
        bound, gap = Text("no bound without a pod placed"), Text("no gap")
        counts.stylize("bold red")
        if decision.stop_reason == decision_pb2.STOP_REASON_OPTIMAL:
            stopped = "no pod could be placed"
    facts = (
        Text(f"${dollars(cost)}/h", style="bold green"),
        Text(f"${decision.monthly_cost_usd:,.2f}/month"),
        bound,
        gap,
        Text(counted(len(decision.node_claims), "node"), style="bold"),
        counts,
        Text(f"{on_existing:,} on existing nodes" if on_existing else ""),
        Text(f"stopped: {stopped}"),
    )
    grid = _facts_grid(facts, width - _FRAME_WIDTH)
    return Panel(grid, title=literal(title), title_align="left", box=box.ROUNDED, width=width, padding=(0, 1))


_FRAME_WIDTH = 4
"""Columns that the frame and the blanks inside it take."""


def _facts_grid(facts: Sequence[Text], room: int) -> Table:
    """The facts in as many columns as fit ``room`` without cutting any: four, two or one."""
    for n_columns, gap in ((4, 3), (4, 2), (4, 1), (2, 3), (1, 0)):
        widest = [max(fact.cell_len for fact in facts[k::n_columns]) for k in range(n_columns)]
        if sum(widest) + gap * (n_columns - 1) <= room:
            break
    grid = Table.grid(padding=(0, gap, 0, 0))
    for _ in range(n_columns):
        grid.add_column(overflow="fold")
    for first in range(0, len(facts), n_columns):
        row = facts[first : first + n_columns]
        if any(fact.plain for fact in row):
            grid.add_row(*row)
    return grid


def existing_text(placements: Sequence[decision_pb2.ExistingPlacement], most: int = 10) -> Text:
    """How many pods go to which running nodes, fullest first."""
    ordered = sorted(placements, key=lambda placement: (-len(placement.pods), placement.node))
    total = sum(len(placement.pods) for placement in ordered)
    text = Text()
    text.append(f"Existing nodes: {counted(total, 'pod')} on {counted(len(ordered), 'node')}\n", style="bold")
    for placement in ordered[:most]:
        text.append(f"  {printable(placement.node)}", style="cyan")
        text.append(f"  {counted(len(placement.pods), 'pod')}: {some(placement.pods)}\n")
    if len(ordered) > most:
        text.append(f"  and {counted(len(ordered) - most, 'more node')}\n", style="dim")
    text.rstrip()
    return text


def remarks(
    decision: decision_pb2.Decision,
    price_sources: Sequence[catalog_pb2.PriceSource],
    notes: Sequence[str],
) -> Table:
    """Warnings, notes, where the prices come from, and where the time went."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style="cyan")
    grid.add_column()
    for warning in decision.warnings:
        grid.add_row(Text("warning", style="yellow"), literal(warning))
    for note in notes:
        grid.add_row("note", literal(note))
    for described in price_lines(price_sources):
        grid.add_row("prices", literal(described))
    if decision.timings:
        spent = ", ".join(f"{printable(timing.phase)} {timing.seconds:.2f} s" for timing in decision.timings)
        grid.add_row("time", literal(spent))
    if decision.node_claims:
        grid.add_row("bars", "share of what the nodes can allocate that their pods request")
    return grid


def price_lines(sources: Iterable[catalog_pb2.PriceSource]) -> list[str]:
    """Each price source once: name, date and whether it is an estimate."""
    unique = sorted({(source.is_estimate, source.name, source.date) for source in sources})
    return [
        printable(name) + (f", {printable(date)}" if date else "") + (" (estimate)" if is_estimate else "")
        for is_estimate, name, date in unique
        if name
    ]

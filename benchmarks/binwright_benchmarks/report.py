"""Measurements as a table for people and as JSON for programs; losses are never left out."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from binwright_clients.cli.render.text import WIDTH, counted, percent
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from binwright_benchmarks.baselines import RULES
from binwright_benchmarks.measure import Measurement, compare, median_savings
from binwright_benchmarks.registry import BenchmarkInstance


def as_json(
    machine: dict[str, object],
    measurements: Sequence[Measurement],
    skipped: dict[str, str],
    failed: dict[str, str],
) -> dict[str, Any]:
    """Everything that was measured, with comparisons."""
    return {
        "machine": machine,
        "measurements": [
            {**asdict(m), "comparisons": [asdict(compare(m, figures)) for figures in m.baselines]}
            for m in measurements
        ],
        "median_saving": median_savings(measurements),
        "losses": [f"{m.instance} seed {m.seed}: {name}" for m, name in losses(measurements)],
        "skipped": skipped,
        "failed": failed,
    }


def losses(measurements: Sequence[Measurement]) -> list[tuple[Measurement, str]]:
    """Each measurement with the name of a baseline that did better than we."""
    return [
        (measurement, figures.name)
        for measurement in measurements
        for figures in measurement.baselines
        if compare(measurement, figures).is_loss
    ]


def report(
    measurements: Sequence[Measurement], skipped: dict[str, str], failed: dict[str, str]
) -> RenderableType:
    """The table, what it says in short, and what was not measured; at most 100 columns."""
    parts: list[RenderableType] = []
    if measurements:
        parts += [_table(measurements), "", _ratios(measurements), "", _summary(measurements)]
    for title, style, reasons in (("Skipped", "yellow", skipped), ("Failed", "bold red", failed)):
        if reasons:
            grid = Table.grid(padding=(0, 2, 0, 0))
            for name, reason in reasons.items():
                grid.add_row(Text(title, style=style), name, reason)
            parts += ["", grid]
    return Group(*parts)


def instance_list(found: Sequence[BenchmarkInstance]) -> RenderableType:
    """Registered instances with what they are."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False, width=WIDTH)
    table.add_column("Instance", no_wrap=True, style="cyan")
    table.add_column("Seeds", no_wrap=True)
    table.add_column("Deadline", justify="right", no_wrap=True)
    table.add_column("What it is")
    for instance in found:
        seeds = "many" if instance.is_seeded else "one"
        table.add_row(instance.name, seeds, f"{instance.deadline_s:g} s", instance.description)
    return table


def _by_instance(measurements: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    found: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        found.setdefault(measurement.instance, []).append(measurement)
    return found


def _table(measurements: Sequence[Measurement]) -> Table:
    """What we answered, one row an instance: medians over its seeds, the worst gap."""
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("Instance", no_wrap=True)
    for head in ("Runs", "Pods", "Classes", "Offerings", "$/h", "Gap", "First", "Time"):
        table.add_column(head, justify="right", no_wrap=True)
    for instance, group in _by_instance(measurements).items():
        table.add_row(
            instance,
            str(len(group)),
            f"{group[0].pods:,}",
            f"{round(statistics.median(m.classes for m in group)):,}",
            f"{group[0].offerings:,}",
            _dollars(statistics.median(m.cost_usd for m in group)),
            _gap(group),
            _seconds(statistics.median(m.first_s for m in group)),
            _seconds(statistics.median(m.seconds for m in group)),
        )
    return table


def _gap(group: Sequence[Measurement]) -> str:
    """The worst gap; that of an answer without any pod says nothing."""
    if any(m.pods and m.pods_unplaced == m.pods for m in group):
        return "none placed"
    return percent(max(m.gap for m in group))


def _ratios(measurements: Sequence[Measurement]) -> Table:
    """What the baselines cost beside ours, one row an instance; losses say LOSS."""
    names = baseline_names(measurements)
    table = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("Cost over ours", no_wrap=True)
    for name in names:
        # One word a line: eight rules fit a hundred columns.
        table.add_column(name.replace(",", ",\n").replace("-", "-\n", 1), justify="right", no_wrap=True)
    for instance, group in _by_instance(measurements).items():
        table.add_row(instance, *(_ratio_cell(group, name) for name in names))
    return table


def baseline_names(measurements: Sequence[Measurement]) -> list[str]:
    """Names of the baselines that ran on any of them, in the order of reports."""
    found = {figures.name for m in measurements for figures in m.baselines}
    known = [name for name in RULES if name in found]
    return known + sorted(found.difference(known))


def _dollars(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.2f}"


def _seconds(value: float) -> str:
    return f"{value * 1e3:.0f} ms" if value < 1 else f"{value:.1f} s"


def _ratio_cell(group: Sequence[Measurement], name: str) -> Text:
    """Cost of a baseline over ours; LOSS where it did better for any seed."""
    pairs = [(m, f) for m in group for f in m.baselines if f.name == name]
    if not pairs:
        return Text("-", style="dim")
    compared = [compare(m, f) for m, f in pairs]
    if any(comparison.is_loss for comparison in compared):
        worst = min(f.least_usd / m.cost_usd if m.cost_usd else 1.0 for m, f in pairs)
        return Text(f"LOSS\n{worst:.3f}", style="bold red")
    ratios = [comparison.ratio for comparison in compared if comparison.ratio is not None]
    if not ratios:
        more = max(f.pods_unplaced - m.pods_unplaced for m, f in pairs)
        return Text(f"{more:+,}\nout", style="yellow")
    ratio = statistics.median(ratios)
    return Text(f"x {ratio:.3f}", style="green" if ratio > 1.0005 else "")


def _summary(measurements: Sequence[Measurement]) -> RenderableType:
    lines = Text()
    lines.append("Gap: the worst over the seeds. Cost over ours: median over the seeds.\n")
    lines.append("+n out: the rule leaves n more pods without a node, so that costs do not compare.\n")
    lines.append("Expanders but price break ties at random: cost is the mean of 10 draws.\n", style="dim")
    savings = median_savings(measurements)
    for name, saving in savings.items():
        count = sum(
            compare(m, f).saving is not None for m in measurements for f in m.baselines if f.name == name
        )
        lines.append(f"Median saving against {name}: ")
        lines.append(percent(saving), style="bold")
        lines.append(f" over {counted(count, 'comparison')}\n")
    lost = losses(measurements)
    if lost:
        lines.append(f"Losses: {len(lost)}\n", style="bold red")
        for measurement, name in lost:
            figures = next(f for f in measurement.baselines if f.name == name)
            lines.append(
                f"  {measurement.instance} seed {measurement.seed}: {name} {figures.least_usd:,.4f} $/h with "
                f"{figures.pods_unplaced:,} unplaced, ours {measurement.cost_usd:,.4f} with "
                f"{measurement.pods_unplaced:,}\n",
                style="red",
            )
    else:
        lines.append("Losses: none; no baseline was cheaper on any of them\n", style="green")
    lines.rstrip()
    return lines

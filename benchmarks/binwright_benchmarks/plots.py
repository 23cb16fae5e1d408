"""Pictures: how the gap closes over time, and what the baselines cost relative to us."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from binwright_benchmarks.heatmap import Cell, write_heatmap
from binwright_benchmarks.measure import Measurement, compare
from binwright_benchmarks.report import baseline_names
from binwright_benchmarks.style import LEAST_GAP, written

LEAST_S = 1e-3
LEAST_PANEL = 2
"""Families of at most so many instances share a panel."""

COLOURS = (
    "#0b6e4f", "#d1495b", "#edae49", "#30638e", "#7b2d8b", "#00798c", "#8d6a3b", "#444444",
)  # fmt: skip
"""One after the other for the instances of a panel."""
DASHES = ("-", "--", ":", "-.")


def write_plots(measurements: Sequence[Measurement], folder: Path) -> list[Path]:
    """Write both pictures as PNG and return their paths; measurements must not be empty."""
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.use("Agg")  # no window, whatever the user's settings say
    return [_gap_over_time(measurements, folder), _cost_ratios(measurements, folder)]


def _gap_over_time(measurements: Sequence[Measurement], folder: Path) -> Path:
    """A panel for each family with one step curve for the first seed of each instance."""
    first = list({m.instance: m for m in reversed(measurements)}.values())[::-1]
    panels = _families(first)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(6.5 * columns, 0.4 + 3.7 * rows), layout="constrained")
    figure.suptitle("Gap over time; the dot is the proven gap", x=0.01, ha="left", fontweight="bold")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    cells: list[Axes] = list(grid.flat)
    for axes, (family, members) in zip(cells, panels.items(), strict=False):
        for k, measurement in enumerate(members):
            _curve(axes, measurement, COLOURS[k % len(COLOURS)], DASHES[k // len(COLOURS) % len(DASHES)])
        axes.set_title(family, loc="left", fontsize=10)
        axes.legend(frameon=False, fontsize=8)
    for axes in cells[len(panels) :]:
        axes.set_visible(False)
    cells[0].set(xscale="log", yscale="log", ylim=(LEAST_GAP / 2, 1.5))
    for axes in cells[: len(panels)]:
        axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
        axes.yaxis.set_major_formatter(lambda gap, _: "0" if gap <= LEAST_GAP else f"{gap * 100:g} %")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_minor_formatter(NullFormatter())
        axes.tick_params(labelbottom=True)
        axes.grid(which="major", color="#dddddd")
        axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("seconds since the question", fontsize=10)
    figure.supylabel("gap: (cost - bound) / cost", fontsize=10)
    return written(figure, folder / "gap-over-time.png")


def _families(measurements: Sequence[Measurement]) -> dict[str, list[Measurement]]:
    """Measurements by the first two words of their instances; families of one or two together."""
    by_name: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        by_name.setdefault("-".join(measurement.instance.split("-")[:2]), []).append(measurement)
    panels = {family: members for family, members in by_name.items() if len(members) > LEAST_PANEL}
    rest = [m for members in by_name.values() if len(members) <= LEAST_PANEL for m in members]
    return {**panels, "others": rest} if rest else panels


def _curve(axes: Axes, measurement: Measurement, colour: str, dashes: str) -> None:
    """Gap after each step; the last step is the decision's, whose bound is proven."""
    held = [step for step in measurement.steps if step.cost_usd]
    axes.step(
        [max(LEAST_S, step.elapsed_s) for step in held],
        [max(LEAST_GAP, (step.cost_usd - step.bound_usd) / step.cost_usd) for step in held],
        where="post",
        color=colour,
        linestyle=dashes,
        linewidth=1.7,
        marker="o",
        markevery=[len(held) - 1] if held else None,
        markersize=4,
        label=measurement.instance,
    )


def _cost_ratios(measurements: Sequence[Measurement], folder: Path) -> Path:
    """The cost of each baseline over ours, mean over the seeds, one row an instance."""
    instances = list(dict.fromkeys(m.instance for m in measurements))
    names = baseline_names(measurements)
    cells = [[_cell(measurements, instance, name) for name in names] for instance in instances]
    title = "What other rules pay for the same pods"
    return write_heatmap(folder / "cost-ratios.png", title, instances, names, cells)


def _cell(measurements: Sequence[Measurement], instance: str, name: str) -> Cell:
    compared = [
        compare(m, figures)
        for m in measurements
        if m.instance == instance
        for figures in m.baselines
        if figures.name == name
    ]
    if not compared:
        return Cell(None, "-")
    found = [comparison.ratio for comparison in compared if comparison.ratio is not None]
    is_loss = any(comparison.is_loss for comparison in compared)
    return Cell(sum(found) / len(found), is_loss=is_loss) if found else Cell(None, "more out", is_loss)

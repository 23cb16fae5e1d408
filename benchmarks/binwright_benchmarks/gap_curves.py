"""How the gap closes: a panel for each family, median and 90th percentile over its seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from binwright_benchmarks.families import DEADLINES_S, SUITES, Group
from binwright_benchmarks.measure import Answer
from binwright_benchmarks.quality_report import quantile
from binwright_benchmarks.quality_result import Case, Quality
from binwright_benchmarks.style import (
    GREY,
    LEAST_GAP,
    OURS,
    SERIES,
    new_figure,
    number_label,
    percent_label,
    quiet,
    written,
)

LEAST_S = 3e-3
COLUMNS = 5
POINTS = 300
TARGET = "#d1495b"


def gap_at(answer: Answer, seconds: float) -> float:
    """Gap of the search at one moment; 1 before the first incumbent."""
    gap = 1.0
    for step in answer.steps:
        if step.elapsed_s > seconds:
            break
        gap = (step.cost_usd - step.bound_usd) / step.cost_usd
    return gap


def write_gap_curves(path: Path, quality: Quality) -> Path:
    """Write the picture."""
    by_instance: dict[str, list[Case]] = {}
    for case in quality.cases:
        by_instance.setdefault(case.instance, []).append(case)
    panels = [
        (group, name) for group in SUITES[quality.suite] for name in group.instances if name in by_instance
    ]
    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    figure = new_figure(
        max(7.0, 3.2 * columns),
        1.3 + 2.4 * rows,
        "How the gap closes",
        "line: median over the seeds; band: up to the 90th percentile; dots: proven gap of a solve with that "
        "deadline, 90th percentile; red: aim",
    )
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    cells: list[Axes] = list(grid.flat)
    groups = list(SUITES[quality.suite])
    times = np.geomspace(LEAST_S, quality.deadlines_s[-1], POINTS)
    for axes, (group, name) in zip(cells, panels, strict=False):
        colour = SERIES[groups.index(group) % len(SERIES)]
        _panel(axes, group, by_instance[name], quality.deadlines_s, times, colour)
        axes.set_title(name, loc="left", fontsize=10)
    for axes in cells[len(panels) :]:
        axes.set_visible(False)
    cells[0].set(xscale="log", yscale="log", ylim=(LEAST_GAP / 2, 1.3))
    cells[0].set_yticks([10.0**power for power in range(-6, 1)])
    for axes in cells[: len(panels)]:
        quiet(axes)
        axes.xaxis.set_major_formatter(number_label)
        axes.yaxis.set_major_formatter(percent_label)
        axes.tick_params(labelbottom=True, labelsize=8.5)
    figure.supxlabel("seconds", fontsize=10)
    figure.supylabel("(cost - bound) / cost", fontsize=10)
    return written(figure, path)


def _panel(
    axes: Axes,
    group: Group,
    cases: Sequence[Case],
    deadlines_s: Sequence[float],
    times: NDArray[np.float64],
    colour: str,
) -> None:
    gaps = [[gap_at(case.answers[-1], float(t)) for case in cases] for t in times]
    middle = [max(LEAST_GAP, quantile(values, 0.5)) for values in gaps]
    high = [max(LEAST_GAP, quantile(values, 0.9)) for values in gaps]
    axes.fill_between(times, middle, high, step="post", color=colour, alpha=0.22, linewidth=0)
    axes.step(times, middle, where="post", color=colour, linewidth=1.9)
    proven = [
        quantile((a.gap for case in cases for a in case.answers if a.deadline_s == deadline), 0.9)
        for deadline in deadlines_s
    ]
    axes.plot(
        deadlines_s, [max(LEAST_GAP, gap) for gap in proven], "o", color=OURS, markersize=5,
        markeredgecolor="white", clip_on=False, zorder=5,
    )  # fmt: skip
    for deadline, target in zip(DEADLINES_S, group.targets, strict=False):
        if target < 1:
            axes.plot(
                [deadline / 1.45, deadline * 1.45], [target, target], color=TARGET, linewidth=2.2,
                solid_capstyle="butt", zorder=4,
            )  # fmt: skip
    axes.text(
        0.03, 0.04, f"{cases[0].pods:,} pods\n{cases[0].classes} classes\n{cases[0].offerings:,} offerings",
        transform=axes.transAxes, ha="left", va="bottom", fontsize=7.5, color=GREY,
    )  # fmt: skip

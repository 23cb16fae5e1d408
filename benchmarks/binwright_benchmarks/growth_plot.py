"""Time to a gap of 1 % against the size of the question, and against the number of replicas."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from binwright_benchmarks.growth import Point
from binwright_benchmarks.instances.micro_services import MEANS
from binwright_benchmarks.style import GREY, SERIES, new_figure, number_label, quiet, written


def write_growth(path: Path, points: Sequence[Point], limit_s: float) -> Path:
    """Write the picture; a solve that did not get there stands at the limit, hollow."""
    figure = new_figure(
        12.5,
        5.0,
        "How the time to a gap of 1 % grows",
        f"median over the seeds, bars from least to most; hollow: not reached within {limit_s:g} s",
    )
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1), sharey=True)
    _size(left, [point for point in points if point.series == "size"], limit_s)
    _replicas(right, [point for point in points if point.series == "replicas"], limit_s)
    for axes in (left, right):
        axes.set(xscale="log", yscale="log")
        quiet(axes)
        axes.xaxis.set_major_formatter(number_label)
        axes.yaxis.set_major_formatter(number_label)
    left.set_ylabel("seconds")
    return written(figure, path)


def _size(axes: Axes, points: Sequence[Point], limit_s: float) -> None:
    for market, colour in zip(MEANS, SERIES, strict=False):
        mine = [point for point in points if point.market == market]
        if not mine:
            continue
        groups: dict[float, list[Point]] = {}
        for point in mine:
            groups.setdefault(float(point.classes * point.offerings), []).append(point)
        label = f"{mine[0].offerings:,} offerings"
        _series(axes, groups, limit_s, colour, label)
    sizes = [point.classes * point.offerings for point in points]
    times = [point.reached_s for point in points if point.reached_s is not None]
    if sizes and times:
        # Through the centre of the cloud, so that slopes can be compared by eye.
        x0, x1 = min(sizes), max(sizes)
        scale = statistics.median(times) / statistics.geometric_mean(sizes)
        axes.plot([x0, x1], [scale * x0, scale * x1], color=GREY, linestyle=":", linewidth=1.4, zorder=1)
        axes.annotate(
            "slope 1: linear", (x1, scale * x1), xytext=(-8, 2), textcoords="offset points", ha="right",
            fontsize=8.5, color=GREY,
        )  # fmt: skip
        axes.set_ylim(min(times) / 2, limit_s * 1.6)
    axes.set_xlabel("pod classes x offerings")
    pods = f"{points[0].pods:,} pods" if points else ""
    axes.set_title(f"Size of the question ({pods})", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8.5, loc="upper left")


def _replicas(axes: Axes, points: Sequence[Point], limit_s: float) -> None:
    groups: dict[float, list[Point]] = {}
    for point in points:
        groups.setdefault(float(point.pods), []).append(point)
    _series(axes, groups, limit_s, SERIES[0], "until the gap is 1 %")
    times = [statistics.median(point.decision_s for point in group) for group in groups.values()]
    axes.plot(
        list(groups), times, color=GREY, linestyle="--", linewidth=1.5, label="until the verified decision"
    )
    axes.set_xlabel("pods")
    said = f"{points[0].classes} classes, {points[0].offerings:,} offerings" if points else ""
    axes.set_title(f"Replicas ({said})", loc="left", fontsize=10)
    axes.legend(frameon=False, fontsize=8.5, loc="upper left")


def _series(axes: Axes, groups: dict[float, list[Point]], limit_s: float, colour: str, label: str) -> None:
    """Medians joined by a line, with bars from least to most."""
    xs = sorted(groups)
    spans = [
        sorted(point.reached_s if point.reached_s is not None else limit_s for point in groups[x]) for x in xs
    ]
    medians = [statistics.median(span) for span in spans]
    below = [median - span[0] for median, span in zip(medians, spans, strict=True)]
    above = [span[-1] - median for median, span in zip(medians, spans, strict=True)]
    axes.errorbar(
        xs, medians, yerr=[below, above], color=colour, linewidth=1.9, elinewidth=1.2, capsize=3, label=label
    )
    for x, median in zip(xs, medians, strict=True):
        is_reached = median < limit_s
        axes.plot(
            [x], [median], "o", markersize=6, color=colour if is_reached else "white", markeredgecolor=colour,
            zorder=5,
        )  # fmt: skip

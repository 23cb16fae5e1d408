"""Cost against the share of a service that one reclaimed spot pool takes."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from binwright_benchmarks.spot_risk import Point
from binwright_benchmarks.style import OURS, RULE_COLOURS, new_figure, quiet, written


def write_spot_risk(path: Path, points: Sequence[Point]) -> Path:
    """Write the picture: means over the seeds of cost relative to on demand only."""
    seeds = sorted({point.seed for point in points})
    strict = {p.seed: p.usd for p in points if p.who == "binwright" and p.cap_percent == 0}
    figure = new_figure(
        8.5,
        5.0,
        "What one reclaimed spot pool takes, and what it costs to bound it",
        f"cost relative to our own on demand only, means over {len(seeds)} seeds; labels: cap on a pool",
    )
    axes = figure.subplots()
    groups: dict[tuple[str, int | None], list[Point]] = {}
    for point in points:
        groups.setdefault((point.who, point.cap_percent), []).append(point)
    curve = []
    for (who, cap), group in groups.items():
        x = 100 * statistics.mean(point.worst_service_share for point in group)
        y = 100 * statistics.mean(point.usd / strict[point.seed] for point in group)
        if who == "binwright":
            curve.append((x, y))
            label = "no cap" if cap is None else "on demand only" if cap == 0 else f"{cap} %"
            axes.annotate(label, (x, y), (2, 8), textcoords="offset points", fontsize=8.5, color=OURS)
        else:
            axes.plot([x], [y], marker="s", linestyle="none", color=RULE_COLOURS["karpenter-like"])
            side = "right" if x > 50 else "left"
            shift = -6 if side == "right" else 8
            axes.annotate(who, (x, y), (shift, 8), textcoords="offset points", ha=side, fontsize=8.5)
    curve.sort()
    axes.plot([x for x, _ in curve], [y for _, y in curve], color=OURS, marker="o", linewidth=1.8)
    quiet(axes)
    axes.set(xlim=(-4, 112), xlabel="most of any service that the loss of one spot pool takes, %")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("cost, %")
    return written(figure, path)

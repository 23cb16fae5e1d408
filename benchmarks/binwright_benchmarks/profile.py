"""Performance profiles: for each solver the share of instances on which it is within a factor of the best.

After E. D. Dolan and J. J. More, "Benchmarking optimization software with performance profiles",
Mathematical Programming 91 (2002), https://doi.org/10.1007/s101070100263. The measure is cost, so the
curve of a solver starts at the share of instances it wins; what leaves more pods out than the best counts
as infinitely dear.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from binwright_benchmarks.quality_result import Case
from binwright_benchmarks.style import GREY, RULE_COLOURS, new_figure, quiet, written

OURS = "binwright"
LARGEST = 20.0
"""Right end of the axis."""


def cost_ratios(cases: Sequence[Case]) -> dict[str, list[float]]:
    """Cost of each solver over the best of that case; infinite where it leaves more pods out.

    A solver that ran on some of the cases only is measured on those.
    """
    ratios: dict[str, list[float]] = {}
    for case in cases:
        if not case.baselines:
            continue
        ours = case.answers[-1]
        costs = {OURS: (ours.pods_unplaced, ours.cost_usd)}
        costs.update((f.name, (f.pods_unplaced, f.mean_usd)) for f in case.baselines)
        fewest, best = min(costs.values())
        for name, (unplaced, cost) in costs.items():
            ratio = cost / best if best else 1.0
            ratios.setdefault(name, []).append(ratio if unplaced == fewest else math.inf)
    return ratios


def profile(ratios: Sequence[float], at: float) -> float:
    """Share of the ratios that are at most ``at``."""
    return sum(ratio <= at for ratio in ratios) / len(ratios)


def write_profile(path: Path, cases: Sequence[Case]) -> Path:
    """Write the picture."""
    ratios = cost_ratios(cases)
    figure = new_figure(
        9.5,
        5.2,
        "How often is a rule within a factor of the cheapest?",
        f"{len(ratios[OURS])} cases; higher is better",
    )
    axes = figure.subplots()
    order = sorted(ratios, key=lambda name: -_area(ratios[name]))
    ends = _label_heights({name: profile(ratios[name], LARGEST) for name in order})
    for name in order:
        times = sorted({1.0, *(r for r in ratios[name] if r <= LARGEST), LARGEST})
        shares = [profile(ratios[name], at * (1 + 1e-9)) for at in times]
        width = 3.0 if name == OURS else 1.8
        axes.step(
            times, shares, where="post", color=RULE_COLOURS.get(name, GREY), linewidth=width,
            zorder=4 if name == OURS else 3,
        )  # fmt: skip
        axes.text(
            LARGEST * 1.03, ends[name], name, color=RULE_COLOURS.get(name, GREY), va="center", fontsize=9,
            fontweight="bold" if name == OURS else "normal",
        )  # fmt: skip
    axes.set_xscale("log")
    ticks = [1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlim(0.99, LARGEST)
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    quiet(axes)
    axes.set_xlabel("cost over the cheapest of all")
    axes.set_ylabel("share of the cases")
    return written(figure, path)


def _area(ratios: Sequence[float]) -> float:
    """Area under the profile on the picture's logarithmic axis."""
    return sum(math.log(LARGEST / min(LARGEST, ratio)) for ratio in ratios) / len(ratios)


def _label_heights(ends: Mapping[str, float], apart: float = 0.045) -> dict[str, float]:
    """Where the labels stand: at the ends of the curves, moved down as far as they would overlap."""
    heights: dict[str, float] = {}
    ceiling = math.inf
    for name, end in sorted(ends.items(), key=lambda item: -item[1]):
        heights[name] = min(end, ceiling - apart)
        ceiling = heights[name]
    return heights

"""A picture of one answer: what each rule pays, and how the gap closed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from binwright.v1 import decision_pb2
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from binwright_benchmarks.measure import MICROUSD, BaselineFigures, Step
from binwright_benchmarks.plots import LEAST_S

OURS, OTHERS, BOUND = "#0b6e4f", "#c9ced6", "#1b1b1b"


def write_picture(
    path: Path,
    title: str,
    decision: decision_pb2.Decision,
    steps: Sequence[Step],
    baselines: Sequence[BaselineFigures],
) -> None:
    """Write the picture; the format follows from the name (``.png``, ``.svg``)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    matplotlib.use("Agg")  # no window, whatever the user's settings say
    figure = Figure(figsize=(11, 3.9), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _costs(left, decision, baselines)
    _progress(right, decision, steps)
    figure.savefig(path, dpi=130)


def _costs(axes: Axes, decision: decision_pb2.Decision, baselines: Sequence[BaselineFigures]) -> None:
    ours = decision.hourly_cost_microusd / MICROUSD
    bound = decision.lower_bound_microusd / MICROUSD
    rows = [("binwright", ours, 0.0, 0.0)]
    rows += [
        (f.name, f.mean_usd, f.mean_usd - f.least_usd, f.most_usd - f.mean_usd)
        for f in sorted(baselines, key=lambda f: f.mean_usd)
    ]
    for y, (_, usd, below, above) in enumerate(rows):
        axes.barh(y, usd, color=OURS if y == 0 else OTHERS, height=0.66)
        if above or below:
            axes.errorbar(usd, y, xerr=[[below], [above]], color="#777777", capsize=4, linewidth=1.4)
        text = f"${usd:,.0f}/h" if y == 0 else f"${usd:,.0f}/h   {1 - ours / usd:.0%} saved"
        axes.text(usd * 0.02, y, text, va="center", color="white" if y == 0 else "#222222", fontweight="bold")
        if above:
            axes.text(
                usd + above, y + 0.42, "range over random ties", ha="right", fontsize=7, color="#777777"
            )
    axes.axvline(bound, color=BOUND, linestyle=":", linewidth=1.6)
    axes.text(bound, -0.46, " proven lower bound", va="bottom", fontsize=8, color=BOUND)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set_ylim(len(rows) - 0.45, -0.75)
    axes.set_xlabel("dollars per hour")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _progress(axes: Axes, decision: decision_pb2.Decision, steps: Sequence[Step]) -> None:
    held = [step for step in steps if step.cost_usd]
    times = [max(LEAST_S, step.elapsed_s) for step in held]
    axes.step(times, [s.cost_usd for s in held], where="post", color=OURS, linewidth=2, label="best answer")
    axes.step(
        times, [s.bound_usd for s in held], where="post", color=BOUND, linestyle=":", linewidth=1.6,
        label="lower bound",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    bottom = min((s.bound_usd for s in held if s.bound_usd > 0), default=0.0)
    top = max((s.cost_usd for s in held), default=1.0)
    margin = 0.08 * (top - bottom) + 0.001 * top
    axes.set_ylim(max(0.0, bottom - margin), top + margin)
    axes.set_xlabel("seconds")
    axes.set_ylabel("dollars per hour")
    axes.set_title(f"final gap {decision.gap:.3%}", loc="right", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)

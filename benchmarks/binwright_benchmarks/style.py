"""One look for all pictures: a colour for each solver, quiet axes."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

OURS = "#0b6e4f"
RULE_COLOURS = {
    "binwright": OURS,
    "best-fit": "#2b2b2b",
    "price": "#7b2d8b",
    "least-waste,price": "#00798c",
    "least-waste": "#d1495b",
    "priority,least-waste": "#e58fa0",
    "most-pods": "#edae49",
    "least-nodes": "#30638e",
    "karpenter-like": "#8a8f98",
}
SERIES = ("#0b6e4f", "#30638e", "#edae49", "#d1495b", "#7b2d8b")
GREY = "#6b7280"
GRID = "#e5e7eb"

LEAST_GAP = 1e-6
"""Gaps below are drawn here: a logarithmic axis has no zero."""


def new_figure(width: float, height: float, title: str, subtitle: str = "") -> Figure:
    """A figure with its title at the left; ``subtitle`` stands below it in grey."""
    matplotlib.use("Agg")  # no window, whatever the user's settings say
    figure = Figure(figsize=(width, height), layout="constrained")
    text = figure.suptitle(title, x=0.008, ha="left", fontweight="bold", fontsize=13)
    if subtitle:
        text.set_text(f"{title}\n\n")
        figure.text(0.008, 1 - 0.40 / height, subtitle, ha="left", va="top", fontsize=9, color=GREY)
    return figure


def quiet(axes: Axes) -> None:
    """Two spines, a pale grid, no numbers at minor ticks."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(which="major", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())


def percent_label(gap: float, _position: float = 0) -> str:
    """Tick label of a gap."""
    return "0" if gap <= LEAST_GAP else f"{gap * 100:g} %"


def number_label(value: float, _position: float = 0) -> str:
    """Tick label of a time or a count: ``0.01``, ``10``, ``100k``, ``3M``."""
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e4 else f"{value:g}"


def written(figure: Figure, path: Path) -> Path:
    """Save as PNG; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return path

"""What every rule costs on every instance relative to us, as a table of colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from binwright_benchmarks.style import new_figure, written

LOSS = "#7b2d8b"
DEAREST = 8.0
"""Ratios from here on have the same colour."""

_COLOURS = LinearSegmentedColormap.from_list("dearer", ["#f2f7f4", "#f6d9a8", "#e58a5b", "#b5323e"])


@dataclass(frozen=True, slots=True)
class Cell:
    """One rule on one instance.

    Parameters
    ----------
    ratio
        Its cost over ours; None if it places other pods than we do, or was not run.
    note
        What to write instead of the ratio.
    is_loss
        Whether it is cheaper than we for some seed.
    """

    ratio: float | None
    note: str = ""
    is_loss: bool = False


def write_heatmap(
    path: Path, title: str, rows: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[Cell]]
) -> Path:
    """Write the picture: a row for each instance, a column for each rule."""
    height = 1.5 + 0.3 * len(rows)
    width = 3.0 + 1.0 * len(columns)
    figure = new_figure(width, height, title)
    axes = figure.subplots()
    values = np.array(
        [
            [math.log(max(1.0, cell.ratio)) if cell.ratio is not None else np.nan for cell in row]
            for row in cells
        ]
    )
    axes.imshow(values, cmap=_COLOURS, vmin=0, vmax=math.log(DEAREST), aspect="auto")
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            text = cell.note if cell.ratio is None else f"{cell.ratio:.2f}"
            is_dark = cell.ratio is not None and cell.ratio > DEAREST / 2
            colour = LOSS if cell.is_loss else "white" if is_dark else "#1f2937" if cell.ratio else "#9ca3af"
            weight = "bold" if cell.is_loss else "normal"
            axes.text(x, y, text, ha="center", va="center", fontsize=8.5, color=colour, fontweight=weight)
    axes.set_xticks(range(len(columns)), [name.replace(",", ",\n") for name in columns], fontsize=8.5)
    axes.set_yticks(range(len(rows)), rows, fontsize=8.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(-0.5, len(columns)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(rows)), minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    has_loss = any(cell.is_loss for row in cells for cell in row)
    said = "purple: cheaper than binwright for some seed" if has_loss else "no rule is cheaper than binwright"
    axes.set_xlabel(f"cost over binwright's, 1 is equal; {said}", fontsize=9, loc="left")
    return written(figure, path)

"""Bar charts as SVG text, for pages that must work without a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 16, 16, 26
_LETTER = 8
"""Width of a letter at most, to tell whether labels have room."""
COLOURS = ("#3b6ea5", "#e0892b", "#4f9d69", "#9a6fb0", "#c25b56", "#7f8c8d")
"""Told apart by most kinds of colour blindness, in this order; six series at most."""


@dataclass(frozen=True, slots=True)
class Series:
    """One value for each group; all at least zero."""

    name: str
    values: tuple[float, ...]


def bars(title: str, groups: Sequence[str], series: Sequence[Series], unit: str, *, stacked: bool) -> str:
    """A chart with one bar for each group, or one for each series in it, and every value as a tooltip.

    Series of nothing but zeros are left out.

    Parameters
    ----------
    unit
        Put in front of numbers, such as ``$``.
    """
    series = [one for one in series if any(one.values)]
    if stacked:
        highest = max((sum(s.values[at] for s in series) for at in range(len(groups))), default=0.0)
    else:
        highest = max((value for s in series for value in s.values), default=0.0)
    top = _round_up(highest)
    plot_width, plot_height = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM
    name = escape(title)
    parts = [f"<figure><figcaption>{name}</figcaption>"]
    parts.append(f'<div class="scroll"><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}">')
    for tick in range(5):
        value = top * tick / 4
        y = _TOP + plot_height * (1 - tick / 4)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{unit}{_short(value)}</text>'
        )
    slot = plot_width / max(1, len(groups))
    # Where neighbours would touch, every second label is left out, or more.
    every = max(1, -(-(_LETTER * (1 + max(map(len, groups), default=0))) // max(1, int(slot))))
    for at, group in enumerate(groups):
        left = _LEFT + slot * at
        base = float(_TOP + plot_height)
        for index, one in enumerate(series):
            height = plot_height * one.values[at] / top
            if stacked:
                x, width, base = left + slot * 0.15, slot * 0.7, base - height
                y = base
            else:
                width = slot * 0.8 / len(series)
                x, y = left + slot * 0.1 + width * index, _TOP + plot_height - height
            label = f"{escape(group)}, {escape(one.name)}: {unit}{one.values[at]:,.0f}"
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
                f'fill="{COLOURS[index % len(COLOURS)]}"><title>{label}</title></rect>'
            )
        if at % every == 0:
            parts.append(
                f'<text x="{left + slot / 2:.1f}" y="{HEIGHT - _BOTTOM + 18}" '
                f'text-anchor="middle">{escape(group)}</text>'
            )
    parts.append("</svg></div>")
    entries = (
        f'<li><i style="background:{COLOURS[index % len(COLOURS)]}"></i>{escape(one.name)}</li>'
        for index, one in enumerate(series)
    )
    parts.append(f'<ul class="legend">{"".join(entries)}</ul></figure>')
    return "".join(parts)


def _round_up(value: float) -> float:
    """The next of some numbers whose quarters are round, times a power of ten.

    Examples
    --------
    >>> _round_up(137_343), _round_up(0)
    (160000.0, 1.0)
    """
    if value <= 0:
        return 1.0
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    return next(power * step for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 6, 8, 10) if power * step >= value)


def _short(value: float) -> str:
    """A number with few digits.

    Examples
    --------
    >>> _short(150_000), _short(2_500_000), _short(75)
    ('150k', '2.5M', '75')
    """
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"

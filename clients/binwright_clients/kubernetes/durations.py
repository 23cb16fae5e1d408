"""Durations as Go writes them: ``90s``, ``1h30m``."""

from __future__ import annotations

import re

_UNITS = {"h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"^(?:\d{1,9}[hms])+$", re.ASCII)
_PART = re.compile(r"(\d+)([hms])")


def parse_duration(text: str) -> int:
    """Whole seconds of a duration.

    Raises
    ------
    ValueError
        If the text is no duration in hours, minutes and seconds.

    Examples
    --------
    >>> parse_duration("1h30m"), parse_duration("90s")
    (5400, 90)
    """
    if _DURATION.match(text.strip()) is None:
        raise ValueError("is no duration such as 90s, 15m or 1h30m")
    return sum(int(amount) * _UNITS[unit] for amount, unit in _PART.findall(text))

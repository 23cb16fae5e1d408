"""The values of saved plans: each parser says what must stand where something else does."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

MOST_DOLLARS = 1_000_000.0
"""Dollars an hour that a commitment of a saved plan promises at most."""


def text(value: Any) -> str:
    """Text, maybe empty."""
    if not isinstance(value, str):
        raise ValueError("must be text")
    return value


def day(value: Any) -> date:
    """A day such as ``2027-01-01``."""
    try:
        return date.fromisoformat(text(value))
    except ValueError:
        raise ValueError("must be a day such as 2027-01-01") from None


def number(value: Any) -> float:
    """A figure; one that is infinite, or none, would compare as equal to all."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("must be a finite number")
    return float(value)


def dollars_an_hour(value: Any) -> float:
    """What a commitment costs."""
    dollars = number(value)
    if not 0.0 <= dollars <= MOST_DOLLARS:
        raise ValueError(f"must be 0 to {MOST_DOLLARS:,.0f} dollars an hour")
    return dollars


def share(value: Any) -> float:
    """A part of something, not all of it."""
    part = number(value)
    if not 0.0 <= part < 1.0:
        raise ValueError("must be at least 0 and below 1")
    return part


def whole(value: Any) -> int:
    """A count."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("must be a whole number of 0 or more")
    return value


def items(value: Any) -> list[Any]:
    """A list of anything."""
    if not isinstance(value, list):
        raise ValueError("must be a list")
    return value


def texts(value: Any) -> tuple[str, ...]:
    """A list of names."""
    return tuple(text(one) for one in items(value))


def mapping(value: Any) -> dict[str, Any]:
    """Values by name."""
    if not isinstance(value, dict):
        raise ValueError("must be values by name")
    return value


def numbers_by_name(value: Any) -> dict[str, float]:
    """Figures by name."""
    return {name: number(one) for name, one in mapping(value).items()}

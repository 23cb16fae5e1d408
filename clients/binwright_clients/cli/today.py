"""The day by which the age of prices is told."""

from __future__ import annotations

import datetime


def today() -> datetime.date:
    """The day, in UTC as servers have it."""
    return datetime.datetime.now(datetime.UTC).date()

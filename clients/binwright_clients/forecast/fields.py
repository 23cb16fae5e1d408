"""Values of a forecast's fields, from what a document says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from binwright_clients.kubernetes.schema import Report, shown

_T = TypeVar("_T")


def parsed(value: Any, parse: Callable[[str], _T], path: str, report: Report) -> _T | None:
    """What ``parse`` makes of a value that must be given; None after a mistake, which is reported."""
    if value is None:
        report(path, "", "must be given")
        return None
    try:
        return parse(str(value))
    except ValueError as error:
        report(path, shown(value), str(error))
        return None

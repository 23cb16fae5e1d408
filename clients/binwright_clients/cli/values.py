"""Values of command line options: durations, ratios and prices."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import click
from binwright_optimizer.model.quantity import parse_price

from binwright_clients.cli.failures import BadInput

_DURATION = re.compile(r"^(\d+(?:\.\d*)?|\.\d+)(ms|s|m|h)?$")
_SECONDS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}

MAX_DURATION_S = 86_400.0
"""Longest duration accepted, one day: what `SolveParams` accepts as a deadline."""


class FiniteRange(click.FloatRange):
    """A number in a range; click takes ``nan`` for one, which is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number."""
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is not a number", param, ctx)
        return found


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``200ms``, ``10s``, ``1m``, ``1.5h`` or bare seconds.

    Raises
    ------
    ValueError
        If the text is no duration, is zero, or is above a day.

    Examples
    --------
    >>> parse_duration("200ms"), parse_duration("10"), parse_duration("1m")
    (0.2, 10.0, 60.0)
    """
    match = _DURATION.match(text.strip())
    if match is None or len(text) > 32:
        raise ValueError("is not a duration such as 200ms, 10s, 1m or 2.5 (seconds)")
    seconds = float(match[1]) * _SECONDS[match[2] or ""]
    if not 0 < seconds <= MAX_DURATION_S:
        raise ValueError("must be above zero and at most 24h")
    return seconds


def parse_ratio(text: str) -> float:
    """A share in [0, 1) written as ``0.1%`` or ``0.001``.

    Raises
    ------
    ValueError
        If the text is no finite number or lies outside [0, 1).

    Examples
    --------
    >>> parse_ratio("0.1%") == parse_ratio("0.001") == 0.001
    True
    """
    stripped = text.strip()
    percent = stripped.endswith("%")
    try:
        # Decimal keeps "0.1%" equal to "0.001"; dividing a float by 100 might not.
        value = float(Decimal(stripped.removesuffix("%").strip()) / (100 if percent else 1))
    except (ArithmeticError, ValueError):
        raise ValueError("is not a ratio such as 0.1% or 0.001") from None
    if not math.isfinite(value) or not 0 <= value < 1:
        raise ValueError("must be at least 0 and below 1 (100%)")
    return value


class _Parsed(click.ParamType[float]):
    """An option whose text a function turns into a number, with the reason when it cannot."""

    def __init__(self, name: str, parse: Callable[[str], float]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The parsed number; fails with the text and the reason."""
        if isinstance(value, float):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


class _Price(click.ParamType[int]):
    """Dollars, as micro-dollars."""

    name = "price"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The parsed amount; fails with the text and the reason."""
        if isinstance(value, int):
            return value
        try:
            return parse_price(value)
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


DURATION = _Parsed("duration", parse_duration)
RATIO = _Parsed("ratio", parse_ratio)
PRICE = _Price()


def host_and_port(address: str, option: str) -> tuple[str, int]:
    """Host and port of an address to listen on; raises BadInput, which names the option.

    >>> host_and_port("[::1]:8081", "--address")
    ('::1', 8081)
    """
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port[:6]) > 65_535:
        raise BadInput(f"{option}: must be HOST:PORT or [IPV6]:PORT (got {address!r})")
    return host.removeprefix("[").removesuffix("]"), int(port)

"""Single cells: text to exact amounts. A ValueError says what is wrong with the cell."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from binwright_optimizer.model.resources import MAX_AMOUNT

MIB = 2**20
"""Bytes in a mebibyte."""

MAX_REPLICAS = 2**31 - 1
"""Largest replica count, as in Kubernetes (int32)."""

_DECIMAL = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$", re.ASCII)


def parse_number(text: str) -> Fraction:
    """Exact value of a decimal number of zero or more; NaN and infinity are refused."""
    if len(text) > 64 or _DECIMAL.match(text) is None:
        raise ValueError("is not a finite decimal number")
    value = Fraction(text)
    if value < 0:
        raise ValueError("must not be negative")
    return value


def parse_amount(text: str, factor: int = 1) -> int:
    """``factor`` times a decimal number, rounded up to whole units; at most `MAX_AMOUNT`.

    Examples
    --------
    >>> parse_amount("0.5", MIB)
    524288
    """
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        amount = int(text) * factor
    else:
        amount = math.ceil(parse_number(text) * factor)
    if amount > MAX_AMOUNT:
        raise ValueError(f"is too large (at most {MAX_AMOUNT // factor})")
    return amount


def parse_count(text: str, most: int = MAX_AMOUNT) -> int:
    """A whole number from 0 to ``most``; ``2.0``, as Parquet spells floats, is whole."""
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        count = int(text)
    else:
        value = parse_number(text)
        if value.denominator != 1:
            raise ValueError("must be a whole number")
        count = int(value)
    if count > most:
        raise ValueError(f"is too large (at most {most})")
    return count


def parse_integer(text: str) -> int:
    """A whole number that fits into 32 bits, negative ones included (pod priorities)."""
    is_negative = text.startswith("-") and text[1:2].isdecimal()
    magnitude = parse_count(text[1:] if is_negative else text, MAX_REPLICAS)
    return -magnitude if is_negative else magnitude


def parse_choices(text: str) -> tuple[str, ...]:
    """Distinct values of a cell that lists alternatives with ``|`` or ``;``, in their order.

    Examples
    --------
    >>> parse_choices("T4| V100M16 |T4")
    ('T4', 'V100M16')
    """
    values = [value.strip() for value in text.replace(";", "|").split("|")]
    if not all(values):
        raise ValueError("has an empty alternative between its separators")
    return tuple(dict.fromkeys(values))

"""Kubernetes quantities and dollar amounts: text to exact integers, and back.

The grammar is that of ``k8s.io/apimachinery/pkg/api/resource.Quantity``: a decimal
number with a binary suffix (``Ki`` ... ``Ei``), a decimal one (``n u m k M G T P E``) or
an exponent. Fractions of the smallest unit round up, as Kubernetes rounds them.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

from binwright_optimizer.model.resources import CPU, MAX_AMOUNT, is_byte_resource

MICROUSD = 1_000_000
"""Micro-dollars in a dollar."""

MAX_PRICE_MICROUSD = 10**13
"""Largest hourly price accepted: ten million dollars. Keeps a fleet's cost inside int64."""

_NUMBER = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,3})|([KMGTPE]i|[numkMGTPE])?)$", re.ASCII)
_PRICE = re.compile(r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$", re.ASCII)
_SUFFIXES: dict[str, Fraction] = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
    "k": Fraction(10**3), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
    "P": Fraction(10**15), "E": Fraction(10**18),
    "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30), "Ti": Fraction(2**40),
    "Pi": Fraction(2**50), "Ei": Fraction(2**60),
}  # fmt: skip


def parse_quantity(text: str, resource: str) -> int:
    """Amount of ``resource`` in its integer unit (milli-CPU, bytes or counts).

    Raises
    ------
    ValueError
        If the text is no quantity, is negative, or is above `MAX_AMOUNT`.
    """
    value = exact_quantity(text)
    if value < 0:
        raise ValueError("must not be negative")
    amount = math.ceil(value * 1000 if resource == CPU else value)
    if amount > MAX_AMOUNT:
        raise ValueError(f"is too large (at most {format_quantity(MAX_AMOUNT, resource)})")
    if resource != CPU and not is_byte_resource(resource) and value.denominator != 1:
        raise ValueError("must be a whole number: extended resources cannot be split")
    return amount


def exact_quantity(text: str) -> Fraction:
    """A quantity as the number it is.

    Raises
    ------
    ValueError
        If the text is no quantity.
    """
    match = _NUMBER.match(text.strip())
    if match is None or len(text) > 64:
        raise ValueError("is not a quantity such as 500m, 2, 1.5Gi or 1e3")
    number, exponent, suffix = match.groups()
    value = Fraction(number)
    if exponent:
        return value * Fraction(10) ** int(exponent[1:])
    return value * _SUFFIXES[suffix or ""]


def format_quantity(amount: int, resource: str) -> str:
    """Shortest exact Kubernetes text for an integer amount of ``resource``."""
    if resource == CPU:
        return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
    if is_byte_resource(resource) and amount:
        for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
            unit = int(_SUFFIXES[suffix])
            if amount % unit == 0:
                return f"{amount // unit}{suffix}"
    return str(amount)


def parse_price(text: str) -> int:
    """Dollars as text to whole micro-dollars, rounded half up.

    Raises
    ------
    ValueError
        If the text is no finite decimal number, is negative, is above ten million, or is positive
        but rounds to zero: what costs something must not be taken for free.
    """
    if len(text) > 64 or _PRICE.match(text.strip()) is None:
        raise ValueError("is not a price in dollars such as 0.526")
    dollars = Fraction(text.strip())
    if dollars < 0:
        raise ValueError("must be a price of zero or more dollars")
    microusd = math.floor(dollars * MICROUSD + Fraction(1, 2))
    if dollars and not microusd:
        raise ValueError("is too small for an hourly price (at least 0.000001 dollars, or 0 if it is free)")
    if microusd > MAX_PRICE_MICROUSD:
        raise ValueError("is too large for an hourly price (at most 10000000 dollars)")
    return microusd

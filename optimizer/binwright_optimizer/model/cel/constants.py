"""Constants of an expression: numbers, texts, quantities and versions.

Each raises ValueError for what is none.
"""

from __future__ import annotations

import re

from binwright_optimizer.model.cel.tokens import Token
from binwright_optimizer.model.cel.tree import Expression, Op, Type, Version
from binwright_optimizer.model.quantity import exact_quantity

_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?", "n": "\n", "t": "\t", "r": "\r"}
_MOST_INT = 2**63


def number(token: Token) -> int:
    """A whole number of 64 bits."""
    if len(token.text) > 19 or int(token.text) >= _MOST_INT:
        raise ValueError(f"{token.text} is too large")
    return int(token.text)


def text_of(quoted: str) -> str:
    """The text that stands in quotes, raw or with escapes."""
    if quoted[0] in "rR":
        return quoted[2:-1]

    def escaped(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            raise ValueError(f"the escape {match[0]} is not understood")
        return _ESCAPES[match[1]]

    return re.sub(r"\\(.)", escaped, quoted[1:-1])


def amount(token: Token) -> Expression:
    """``quantity("40Gi")``."""
    text = text_of(token.text)
    try:
        return Expression(Op.CONSTANT, value=exact_quantity(text), type=Type.AMOUNT)
    except ValueError as error:
        raise ValueError(f"quantity({text!r}) {error}") from None


def version(token: Token) -> Expression:
    """``semver("8.6.0")``."""
    text = text_of(token.text)
    match = re.fullmatch(r"(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})", text, re.ASCII)
    if match is None:
        raise ValueError(f"semver({text!r}) is no version such as 8.6.0")
    major, minor, patch = map(int, match.groups())
    return Expression(Op.CONSTANT, value=Version(major, minor, patch), type=Type.VERSION)

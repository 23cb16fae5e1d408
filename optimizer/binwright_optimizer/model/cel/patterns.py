"""Regular expressions in CEL's ``matches()``: what RE2 and Python read alike, and match quickly.

RE2 (https://github.com/google/re2/wiki/Syntax) has neither look-around nor references back. Python's matcher
tries ways one after the other, so that repeated repetitions or alternatives could take forever on a short
text: such patterns are refused.
"""

from __future__ import annotations

import re
from functools import lru_cache

MOST_REPETITIONS = 4
"""Repetitions in one pattern: with the 64 characters of an attribute, some hundred thousand steps at most."""
LONGEST_PATTERN = 200
_CLASS = re.compile(r"\[\^?\]?(?:[^\]\[\\]|\\.)*\]")
_BOUNDS = re.compile(r"\{\d{1,3}(?:,\d{0,3})?\}", re.ASCII)
_ESCAPE = re.compile(r"\\(?:[dDwWsSbB]|[^A-Za-z0-9\n])", re.ASCII)


@lru_cache(maxsize=1_000)
def checked_pattern(text: str) -> re.Pattern[str]:
    """The pattern, to be searched anywhere in a text.

    Raises
    ------
    ValueError
        If it is no pattern, or beyond what is read.

    Examples
    --------
    >>> bool(checked_pattern("^.*a100.*$").search("nvidia a100-sxm4-40gb"))
    True
    >>> checked_pattern("(a+)+$")
    Traceback (most recent call last):
    ValueError: matches('(a+)+$'): a repetition of repetitions or alternatives is not understood
    """
    try:
        _check(text)
        return re.compile(text, re.ASCII)
    except (ValueError, re.error, OverflowError) as error:
        raise ValueError(f"matches({text!r}): {error}") from None


def _check(text: str) -> None:
    if len(text) > LONGEST_PATTERN:
        raise ValueError(f"is longer than {LONGEST_PATTERN} characters")
    at = 4 if text.startswith("(?i)") else 0
    repetitions = 0
    groups: list[bool] = []  # of each open group, whether there are several ways through it
    is_open = False  # whether there are several ways through what was read last
    while at < len(text):
        character = text[at]
        step = 1
        if character == "(":
            if text.startswith("(?", at) and not text.startswith("(?:", at):
                raise ValueError(f"{text[at : at + 3]!r} is not understood")
            step = 3 if text.startswith("(?:", at) else 1
            groups.append(False)
            is_open = False
        elif character == ")":
            is_open = groups.pop() if groups else False
            if groups:
                groups[-1] |= is_open
        elif character == "|":
            if groups:
                groups[-1] = True
            is_open = False
        elif character in "*+?{":
            if character == "{":
                match = _BOUNDS.match(text, at)
                if match is None:
                    raise ValueError("'{' is not understood")
                step = len(match[0])
            if is_open:
                raise ValueError("a repetition of repetitions or alternatives is not understood")
            if text.startswith(("?", "+"), at + step):
                raise ValueError(f"{text[at : at + step + 1]!r} is not understood")
            repetitions += 1
            is_open = True
            if groups:
                groups[-1] = True
        else:
            match = {"\\": _ESCAPE, "[": _CLASS}[character].match(text, at) if character in "\\[" else None
            if character in "\\[" and match is None:
                raise ValueError(f"{text[at : at + 2]!r} is not understood")
            step = len(match[0]) if match else 1
            is_open = False
        at += step
    if repetitions > MOST_REPETITIONS:
        raise ValueError(f"has more than {MOST_REPETITIONS} repetitions")

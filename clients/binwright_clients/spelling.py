"""The closest known word to a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like ``word``, or None if none is close.

    Examples
    --------
    >>> closest("resource", ["resources", "restartPolicy"])
    'resources'
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    lower = word[:100].lower()
    matches = difflib.get_close_matches(lower, by_lower, n=1, cutoff=0.6)
    if not matches and len(lower) >= 3:
        # "cpu" is meant to find "cpu_milli", which shares too few letters for difflib
        matches = sorted(candidate for candidate in by_lower if candidate.startswith(lower))
    return by_lower[matches[0]] if matches else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or, without a close word, the empty string."""
    match = closest(word, known)
    return f"; did you mean {match!r}?" if match else ""

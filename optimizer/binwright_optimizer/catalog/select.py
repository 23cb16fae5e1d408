"""Instance types by globs, and close matches for names that do not exist."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches
from fnmatch import translate

from binwright_optimizer.errors import CatalogError

SHOWN = 5
"""Close matches named in a message."""


class Globs:
    """Shell patterns (``g4dn.*``, ``Standard_D?s_v5``), compared without regard to case."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._compiled = tuple((p, re.compile(translate(p), re.IGNORECASE)) for p in patterns)

    def match(self, name: str) -> bool:
        """Whether any pattern matches ``name``."""
        return any(compiled.match(name) for _, compiled in self._compiled)

    def without_match(self, names: Collection[str]) -> str | None:
        """The first pattern that matches none of ``names``, or None."""
        for pattern, compiled in self._compiled:
            if not any(compiled.match(name) for name in names):
                return pattern
        return None


def unknown(kind: str, name: str, known: Iterable[str]) -> CatalogError:
    """Error for a name that does not exist, naming those it may have meant.

    Examples
    --------
    >>> print(unknown("region of aws", "us-east-l", ["eu-west-1", "us-east-1", "us-east-2"]))
    unknown region of aws 'us-east-l'; did you mean us-east-1, us-east-2?
    """
    names = {candidate.lower(): candidate for candidate in known}
    close = get_close_matches(name.lower(), names, n=SHOWN, cutoff=0.6)
    if close:
        return CatalogError(f"unknown {kind} {name!r}; did you mean {', '.join(names[c] for c in close)}?")
    listed = sorted(names.values())
    shown = ", ".join(listed[:SHOWN]) + (", ..." if len(listed) > SHOWN else "")
    return CatalogError(f"unknown {kind} {name!r}; known: {shown}")

"""Instance types by globs, and close matches for names that do not exist."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches
from fnmatch import translate

from binwright_optimizer.errors import CatalogError

SHOWN = 5
"""Names shown in a message."""

CUTOFF = 0.65
"""Least similarity of a name shown, as difflib measures it; one wrong letter of three passes."""

_WILDCARD = re.compile(r"[*?\[]")


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
    """Error for a name or glob that matches nothing, naming those it may have meant.

    Examples
    --------
    >>> print(unknown("region of aws", "eu-west-l", ["eu-west-1", "us-east-1"]))
    unknown region of aws 'eu-west-l'; did you mean eu-west-1, us-east-1?
    >>> print(unknown("instance type of aws", "g4nd.*", ["c5.large", "g4dn.xlarge"]))
    unknown instance type of aws 'g4nd.*'; did you mean g4dn.xlarge?
    """
    names = sorted(known)
    close = _close_matches(name.lower(), names)
    if close:
        return CatalogError(f"unknown {kind} {name!r}; did you mean {', '.join(close)}?")
    shown = ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
    return CatalogError(f"unknown {kind} {name!r}; known: {shown}")


def _close_matches(name: str, known: Sequence[str]) -> list[str]:
    """Names like ``name``; for a glob, names that start like what precedes its first wildcard."""
    literal = _WILDCARD.split(name, maxsplit=1)[0]
    if literal != name and not literal:
        return []
    compared: dict[str, list[str]] = {}
    for candidate in known:
        start = candidate.lower() if literal == name else candidate.lower()[: len(literal)]
        compared.setdefault(start, []).append(candidate)
    close = get_close_matches(literal, compared, n=SHOWN, cutoff=CUTOFF)
    return [candidate for start in close for candidate in compared[start]][:SHOWN]

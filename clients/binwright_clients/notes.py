"""Remarks to the user: what was skipped, and what was read but is not enforced."""

from __future__ import annotations

_WRITTEN_OUT = 3
"""Places named one by one for the same remark in the same file."""


class Notes:
    """Collects remarks; the same remark in many places of a file is counted, not repeated."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], list[str]] = {}

    def add(self, file: str, text: str, place: str = "") -> None:
        """Remember ``text`` about a place of a file; no place means the whole file."""
        self._places.setdefault((file, text), []).append(place)

    def lines(self) -> tuple[str, ...]:
        r"""Remarks in the order in which they first came up.

        Examples
        --------
        >>> notes = Notes()
        >>> for number in range(1, 6):
        ...     notes.add("web.yaml", "hostPort is not enforced", f"document {number}")
        >>> print(*notes.lines()[2:], sep="\n")
        web.yaml, document 3: hostPort is not enforced
        web.yaml: hostPort is not enforced (2 more places)
        """
        lines: list[str] = []
        for (file, text), places in self._places.items():
            lines.extend(
                f"{file}, {place}: {text}" if place else f"{file}: {text}" for place in places[:_WRITTEN_OUT]
            )
            hidden = len(places) - _WRITTEN_OUT
            if hidden > 0:
                lines.append(f"{file}: {text} ({hidden} more place{'s' if hidden > 1 else ''})")
        return tuple(lines)

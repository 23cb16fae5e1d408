"""Tables of a plan's page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from binwright_clients.cli.render.text import printable


def table(heads: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]) -> str:
    """A table, which scrolls by itself where it is wider than the page; heads are (text, is a number)."""
    kinds = [' class="n"' if is_number else "" for _, is_number in heads]
    head = "".join(f"<th{kind}>{escape(text)}</th>" for kind, (text, _) in zip(kinds, heads, strict=True))
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(printable(cell))}</td>" for kind, cell in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'

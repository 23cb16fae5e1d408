"""The examples at the end of every command's help."""

from __future__ import annotations


def examples(*lines: str) -> str:
    """An epilog that shows the lines as they are.

    Click rewraps paragraphs unless they begin with a backspace character.
    """
    heading = "Example:" if len(lines) == 1 else "Examples:"
    return "\n".join(["\b", heading, *(f"  {line}" for line in lines)])

"""Pieces of text shared by every table: safe names, money, shares and bars."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

WIDTH = 100
"""Widest output, in columns, so that it fits a terminal, a wiki page and a printout."""

MICROUSD = 1_000_000

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def printable(text: str) -> str:
    r"""The text with control characters replaced, so that a name cannot drive the terminal.

    Examples
    --------
    >>> printable("web\x1b[2J")
    'web�[2J'
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def literal(text: str, style: str = "") -> Text:
    """The text for a table cell or title, where a plain string would be read as markup.

    Examples
    --------
    >>> literal("zone In [us-east-1a]").plain
    'zone In [us-east-1a]'
    """
    return Text(printable(text), style=style)


def dollars(microusd: int, digits: int = 4) -> str:
    """Micro-dollars as dollars, rounded half up, without the sign of the currency.

    Amounts that would round to nothing keep all six digits.

    Examples
    --------
    >>> dollars(1_052_000), dollars(24_000_000_000, 2), dollars(3)
    ('1.0520', '24,000.00', '0.000003')
    """
    if 0 < microusd * 10**digits < MICROUSD:
        digits = 6
    step: int = 10 ** (6 - digits)
    rounded = (microusd + step // 2) // step
    whole, fraction = divmod(rounded, 10**digits)
    return f"{whole:,}.{fraction:0{digits}d}"


def percent(share: float) -> str:
    """A share in per cent, with enough digits to tell a small gap from none.

    Examples
    --------
    >>> percent(0.0), percent(0.00012), percent(0.0345), percent(1.0)
    ('0 %', '0.012 %', '3.45 %', '100 %')
    """
    if share == 0:
        return "0 %"
    value = share * 100
    if abs(value) < 0.001:
        return "< 0.001 %" if value > 0 else "> -0.001 %"
    digits = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1
    text = f"{value:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.')} %"


def bar(share: float, width: int = 5) -> Text:
    """A horizontal bar and the share in per cent, without the sign, ``width + 4`` columns wide.

    The colour runs from red (mostly idle) over yellow to green (well used).
    """
    clipped = min(max(share, 0.0), 1.0)
    eighths = round(clipped * width * 8)
    full, rest = divmod(eighths, 8)
    blocks = ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)
    colour = "green" if share >= 0.75 else "yellow" if share >= 0.4 else "red"
    return Text.assemble((blocks, colour), f"{share * 100:4.0f}")


def some(names: Sequence[str], most: int = 3) -> str:
    """The first few names and how many more there are.

    Examples
    --------
    >>> some(["a", "b", "c", "d"], most=2)
    'a, b and 2 more'
    """
    shown = ", ".join(printable(name) for name in names[:most])
    left = len(names) - most
    return f"{shown} and {left:,} more" if left > 0 else shown


def counted(count: int, noun: str) -> str:
    """A count with its noun in the right number.

    Examples
    --------
    >>> counted(1, "node"), counted(1200, "pod")
    ('1 node', '1,200 pods')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def wrapped(name: str, width: int) -> str:
    r"""A name broken over lines of at most ``width`` columns, after its punctuation if possible.

    Examples
    --------
    >>> wrapped("memory-optimized", 10)
    'memory-\noptimized'
    """
    broken = []
    while len(name) > width:
        end = max(name.rfind(mark, 0, width) for mark in "-_./ ") + 1 or width
        broken.append(name[:end])
        name = name[end:]
    return "\n".join([*broken, name])


def shrunk(widths: Sequence[int], room: int) -> list[int]:
    """Column widths cut down to ``room`` in all, the widest first.

    Examples
    --------
    >>> shrunk([17, 12, 10], 36)
    [14, 12, 10]
    """
    fitted = list(widths)
    while sum(fitted) > room and max(fitted) > 1:
        fitted[fitted.index(max(fitted))] -= 1
    return fitted

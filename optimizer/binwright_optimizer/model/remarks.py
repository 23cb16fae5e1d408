"""What is right in a forecast but probably not meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from binwright_optimizer.model.forecast import Period
from binwright_optimizer.model.offers import HeldCommitment, HeldReservation


def idle_commitments(
    held: Sequence[HeldCommitment | HeldReservation], periods: Sequence[Period]
) -> Iterator[tuple[int, str, str]]:
    """Commitments held that do not count in a period because they do not cover the whole of it.

    Yields
    ------
    Index of the commitment, its field (``start`` or ``end``), and what to say.
    """
    for at, one in enumerate(held):
        if one.start >= periods[-1].end:
            yield (
                at,
                "start",
                f"commitment {one.name} begins on {one.start}, after the last period, and counts for nothing",
            )
        for period in periods:
            for field, day in (("start", one.start), ("end", one.end)):
                if period.start < day < period.end:
                    verb = "begins" if field == "start" else "ends"
                    name = period.name or f"{period.start} to {period.end}"
                    said = f"commitment {one.name} {verb} on {day}, within {name}"
                    yield at, field, f"{said}, and counts for nothing in that period"

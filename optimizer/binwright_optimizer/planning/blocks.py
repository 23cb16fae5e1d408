"""Hours of the week in few blocks: hours that want the same of every workload are planned together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from binwright_optimizer.model.forecast import HOURS_OF_WEEK, Profile

MAX_BLOCKS = 4
"""Most blocks of a week. Each is solved for itself, so the work grows with their number."""


@dataclass(frozen=True, slots=True)
class HourBlock:
    """Hours of the week with one demand.

    Parameters
    ----------
    hours
        How many of the week's 168.
    ppm
        Share of the busiest hour by profile, in the order of the profiles.
    members
        Which of the week's hours they are, from Monday 0 h.
    """

    hours: int
    ppm: tuple[int, ...]
    members: tuple[int, ...] = field(default=(), compare=False)


def hour_blocks(profiles: Sequence[Profile], most: int = MAX_BLOCKS) -> tuple[HourBlock, ...]:
    """Blocks that cover the week, busiest first.

    Where there are more different hours than blocks, the two whose union adds the least demand are joined,
    again and again; a joint block wants the larger share of each profile, so demand is never understated.

    Examples
    --------
    >>> from binwright_optimizer.model.forecast import OFFICE
    >>> [(block.hours, block.ppm) for block in hour_blocks([OFFICE])]
    [(60, (1000000,)), (108, (400000,))]
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for hour in range(HOURS_OF_WEEK):
        alike.setdefault(tuple(profile.ppm[hour] for profile in profiles), []).append(hour)
    blocks = sorted((HourBlock(len(own), ppm, tuple(own)) for ppm, own in alike.items()), key=_order)
    while len(blocks) > most:
        one, other = min(
            ((a, b) for at, a in enumerate(blocks) for b in blocks[at + 1 :]),
            key=lambda pair: (_added(*pair), _order(pair[0]), _order(pair[1])),
        )
        blocks = sorted(
            [b for b in blocks if b is not one and b is not other] + [_joined(one, other)], key=_order
        )
    return tuple(blocks)


def _order(block: HourBlock) -> tuple[tuple[int, ...], int]:
    return tuple(-share for share in block.ppm), block.hours


def _joined(one: HourBlock, other: HourBlock) -> HourBlock:
    larger = tuple(max(a, b) for a, b in zip(one.ppm, other.ppm, strict=True))
    return HourBlock(one.hours + other.hours, larger, tuple(sorted((*one.members, *other.members))))


def _added(one: HourBlock, other: HourBlock) -> int:
    """Demand that joining adds, over the week."""
    joined = _joined(one, other)
    return sum(
        joined.hours * j - one.hours * a - other.hours * b
        for j, a, b in zip(joined.ppm, one.ppm, other.ppm, strict=True)
    )

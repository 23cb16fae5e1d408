"""What commitments pay for, in the order in which clouds apply them.

On-demand nodes fall into *groups* ``g`` that the same commitments cover. A unit of commitment ``c`` (a cent
an hour of committed spend, or one reserved node) pays for on-demand nodes worth ``worth[c][g]`` micro-dollars
an hour in group g. Clouds apply reservations before committed spend, and what is narrow before what is wide
(AWS, "Understanding how Savings Plans apply to your usage"): first reservations of a zone, then of a region,
then spend on few types, then spend on all, of equals the larger discount first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Instrument:
    """One kind of commitment, offered or held.

    Parameters
    ----------
    worth
        On-demand value, micro-dollars an hour, that one unit pays for, by group; groups that are not
        covered are left out.
    rank
        Order in which it is applied, smaller first; equals by their index.
    """

    worth: Mapping[int, Fraction]
    rank: int = 0


def spend(discount_ppm: int, groups: Sequence[int], unit_microusd: int, rank: int = 0) -> Instrument:
    """Committed spend: a unit pays for what would cost unit / (1 - discount).

    Examples
    --------
    >>> spend(500_000, [0], 10_000).worth
    {0: Fraction(20000, 1)}
    """
    value = Fraction(unit_microusd * 1_000_000, 1_000_000 - discount_ppm)
    return Instrument(dict.fromkeys(groups, value), rank)


def covered(
    instruments: Sequence[Instrument], units: Sequence[Fraction | int], values: Mapping[int, int]
) -> list[Fraction]:
    """On-demand value that each commitment pays for, micro-dollars an hour, when applied in order.

    Parameters
    ----------
    units
        What is committed, by instrument.
    values
        On-demand value that runs, by group.

    Examples
    --------
    A reserved node of 0.10 $/h and 0.02 $/h of spend at half price, over 0.10 and 0.30 $/h of usage:

    >>> node, plan = Instrument({0: Fraction(100_000)}), spend(500_000, [0, 1], 10_000, rank=1)
    >>> [int(value) for value in covered([node, plan], [1, 2], {0: 100_000, 1: 300_000})]
    [100000, 40000]
    """
    left = {group: Fraction(value) for group, value in values.items() if value > 0}
    found = [Fraction(0)] * len(instruments)
    for at in sorted(range(len(instruments)), key=lambda at: (instruments[at].rank, at)):
        units_left = Fraction(units[at])
        # Groups that nothing later covers first, so that the later ones keep theirs.
        mine = sorted(
            (g for g in instruments[at].worth if g in left),
            key=lambda g: (sum(g in other.worth for other in instruments), g),
        )
        for group in mine:
            if units_left <= 0:
                break
            worth = instruments[at].worth[group]
            paid = min(left[group], units_left * worth)
            found[at] += paid
            left[group] -= paid
            units_left -= paid / worth
    return found

"""How finely charges tell places apart: exactly for few pods and places, and less so for many.

Every charge of a kind of pods that differs makes one more local kind. Where those are many, charges that
differ by less than a hundredth of what the pod costs anyway count as the lowest of them, and where they are
too many, nothing is charged. Then the search minimises a little less than what decisions say; these, and the
proof of their bound, are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.bundles import Content

ChargeOf = Callable[[Content], NDArray[np.int64] | None]
"""Micro-dollars per hour that pods are charged for each candidate: (c,); None if nothing anywhere."""

Fluid = Callable[[Content], NDArray[np.float64]]
"""Dollars that pods take of each candidate, infinite where they do not fit: (c,)."""

MOST_EXACT = 1_000
"""Charged local kinds up to which charges are exact: 7,200 of them took most of two seconds."""
MOST_WEIGHED = 10_000
"""Charged local kinds beyond which nothing is charged."""
COARSENESS = 1e-2
"""Share of what a pod costs where it is cheapest, by which charges may be too low."""
MICRO = 1e-6
"""Dollars in a micro-dollar."""


def weigh(
    charge_of: ChargeOf,
    contents: Sequence[Content],
    rows: Sequence[int],
    admitted: NDArray[np.bool_],
    fluid: Fluid,
) -> tuple[ChargeOf, bool]:
    """Charges that do not make too many local kinds, and whether there are any left where there were some.

    Parameters
    ----------
    contents, rows
        Items, and the row of ``admitted`` of each.
    """
    steps: dict[Content, int] = {}

    def coarse(content: Content) -> NDArray[np.int64] | None:
        charge = charge_of(content)
        if charge is None:
            return None
        if content not in steps:
            cheapest = float(fluid(content).min(initial=np.inf))
            steps[content] = max(1, int(COARSENESS * cheapest / MICRO)) if np.isfinite(cheapest) else 1
        return charge // steps[content] * steps[content]

    for found, most in ((charge_of, MOST_EXACT), (coarse, MOST_WEIGHED)):
        if _are_at_most(most, found, contents, rows, admitted):
            return found, True
    return lambda _: None, False


def _are_at_most(
    most: int,
    charge_of: ChargeOf,
    contents: Sequence[Content],
    rows: Sequence[int],
    admitted: NDArray[np.bool_],
) -> bool:
    """Whether places that are charged differently make at most so many local kinds."""
    total = 0
    for content, row in zip(contents, rows, strict=True):
        charge = charge_of(content)
        if charge is not None:
            total += len(np.unique(charge[admitted[row]]))
            if total > most:
                return False
    return True

"""Duals of the master made sound: lowered or raised until they prove a bound on the cost.

The duals of a restricted master, and blends of them, may pay for nodes that nobody needs, or leave what a
commitment pays for without a price. Other duals nearby do neither.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from binwright_optimizer.columns.rows import Duals, Float, Rows


def without_prizes(rows: Rows, duals: Duals) -> Duals:
    """Duals under which an empty node is not worth buying: less for minimums and levels."""
    levels = duals.levels
    for level in np.flatnonzero(levels > 0):
        excess = -float(rows.costs(duals, with_supply=False)[rows.is_counted[:, level]].min(initial=0.0))
        if excess > 0.0:
            levels = levels.copy()
            levels[level] = max(0.0, levels[level] - excess)
            duals = replace(duals, levels=levels)
    minimums = duals.minimums
    for m in range(len(minimums)):
        members = rows.in_pool[:, m]
        excess = -float(rows.costs(duals, with_supply=False)[members].min(initial=0.0))
        if excess > 0.0:
            minimums = minimums.copy()
            minimums[m] = max(0.0, minimums[m] - excess)
            duals = replace(duals, minimums=minimums)
    return duals


def with_commitments_paid(rows: Rows, duals: Duals, worth: Float) -> Duals:
    """Duals that price commitments so high that no node they pay for is worth more than it takes.

    Else nothing that fits such a node would be worth anything as long as its commitment is free.

    Parameters
    ----------
    worth
        float64 array (j,): dollars that any pattern on a candidate is worth at most.
    """
    limits = duals.limits
    short = worth - rows.costs(duals, with_supply=False)
    for k in rows.commitments:
        use = rows.instance.limit_use[:, k]
        members = np.flatnonzero((use > 0) & (short > 0.0))
        if len(members):
            limits = limits.copy()
            limits[k] += float((short[members] / use[members]).max())
    return replace(duals, limits=limits)

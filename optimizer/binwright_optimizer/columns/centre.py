"""At which duals to price: between the master's and a centre, for columns or for the bound.

The master's duals jump about while it has few columns. Between them and their moving average, columns
are found that last (W. Ben-Ameur and J. Neto, Acceleration of cutting-plane and column generation algorithms,
2007, doi:10.1002/net.20137; A. Pessoa et al., Automation and combination of linear-programming based
stabilization techniques in column generation, 2018, doi:10.1287/ijoc.2017.0784).

That average exceeds what some candidate allows until the end, and scaled down to what is allowed proves less
than the first prices did. Now and then the way is gone from the other end: from the best bound's duals, which
are feasible, a step towards the master's, as long as the steps are feasible or nearly so.
"""

from __future__ import annotations

from binwright_optimizer.columns.rows import Duals

CENTRE_SHARE = 0.5
"""Share of the average in the duals that are priced for columns."""
CENTRE_STEP = 0.3
"""How far the average moves to the latest duals in one round."""
PROVING_SHARE, LEAST_SHARE, MOST_SHARE = 0.8, 0.5, 0.95
"""Share of the best bound's duals in those priced for a better one: to begin with, and limits of it."""
LONGER_STEP, SHORTER_STEP = 0.1, 0.05
"""By how much that share falls with every step that proved more, and rises with every other."""
LEAST_EVERY, PROVING_EVERY, MOST_EVERY = 2, 3, 6
"""Rounds from one such step to the next: at least, to begin with and at most; more with each that failed."""
SETTLED_SHARE = 0.1
"""Share of its distance to the bound that the master falls by at most in a round, for one such step to follow
another that proved more."""


class Centre:
    """What the rounds of one column generation steer by."""

    def __init__(self) -> None:
        self.average: Duals | None = None
        self._share = PROVING_SHARE
        self._every = PROVING_EVERY
        self._rounds = 0
        self._was_better = True

    def follow(self, duals: Duals) -> None:
        """Move the average towards the master's latest duals."""
        self.average = duals if self.average is None else self.average.blended(duals, CENTRE_STEP)

    def for_columns(self, duals: Duals) -> Duals:
        """Between the master's duals and their average, which moves on."""
        average = duals if self.average is None else self.average
        self.follow(duals)
        return duals.blended(average, CENTRE_SHARE)

    def is_proving_due(self, fallen: float, distance: float) -> bool:
        """Whether this round goes for the bound.

        Parameters
        ----------
        fallen, distance
            Dollars by which the master's objective fell since the last round, and from it to the bound.
        """
        self._rounds += 1
        is_settled = fallen <= SETTLED_SHARE * distance
        return self._rounds >= self._every or (is_settled and self._was_better)

    def for_bound(self, duals: Duals, best: Duals) -> Duals:
        """A step from the best bound's duals to the master's."""
        return duals.blended(best, self._share)

    def note(self, *, is_better: bool) -> None:
        """Take in whether the step proved more: the next is longer and sooner, or shorter and later."""
        self._rounds, self._was_better = 0, is_better
        if is_better:
            self._share = max(LEAST_SHARE, self._share - LONGER_STEP)
            self._every = max(LEAST_EVERY, self._every - 1)
        else:
            self._share = min(MOST_SHARE, self._share + SHORTER_STEP)
            self._every = min(MOST_EVERY, self._every + 1)

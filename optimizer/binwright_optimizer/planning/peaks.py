"""Peaks of periods: quantiles of the most that a series will be at any of several times.

Nodes for a quarter must hold its busiest hour, and the highest of ninety days lies above the 90 % quantile of
most of them: what a plan needs is the quantile of the highest, not the highest quantile. That depends on how
the errors of a period hang together, which the model knows: an innovation at one step is still in the level,
trend and season of later ones (`history`). So whole paths are simulated.

**Innovations** are drawn from those of the past, and sometimes from Student's t with `TAIL_FREEDOM` degrees
of freedom, as if `PRIOR_DRAWS` of those had been seen: the predictive distribution of a Dirichlet process (T.
Ferguson, A Bayesian Analysis of Some Nonparametric Problems, 1973, doi:10.1214/aos/1176342360). A history
has not seen the worst that can come in a quarter.

**Scale.** At each distance the paths spread as widely as forecasts of that distance were wrong in the past
(`history`). What the model does not explain of it by innovations is an error of the level that a whole path
has in common: drawn anew at each step it would lift every peak. A path is wider or narrower by a common
factor, for how little is known of the scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.planning.history import (
    ENOUGH,
    QUANTILES,
    TAIL_FREEDOM,
    Coverage,
    Fitted,
    Float,
    Past,
    fit_history,
    least_points,
)

PATHS = 4000
"""Simulated paths: forty lie above the extreme quantile."""
PRIOR_DRAWS = 50
"""Innovations of the prior: chosen by the coverage of the highest of 91 heavy-tailed days after 365."""
MOST_SPANS = 5
"""Spans of a history that a backtest forecasts at most; each takes a fit of its own."""


def peaks(values: Sequence[float], spans: Sequence[range], season: int = 0, seed: int = 0) -> Float:
    """Quantiles of the highest value in each span, (span, quantile); never below zero.

    Parameters
    ----------
    values
        The history at equal steps, at least zero.
    spans
        Steps ahead, from 1, that each span holds.
    season
        Steps after which the pattern repeats, such as 7 for days of the week; 0 for none.
    seed
        Of the simulated paths.

    Raises
    ------
    PlanningError
        If the history is too short or holds something that is no amount, or a span is empty.

    Examples
    --------
    >>> peaks([100.0] * 30, [range(1, 4)]).round().tolist()
    [[100.0, 100.0, 100.0]]
    """
    if not spans or any(not span or span[0] < 1 for span in spans):
        raise PlanningError(f"spans hold steps ahead from 1: {list(spans)}")
    horizon = max(span[-1] for span in spans)
    fitted = fit_history(values, horizon, season)
    if fitted is None:
        return np.full((len(spans), len(QUANTILES)), float(values[0]))
    highest: dict[float, Float] = {}
    found = np.zeros((len(spans), len(QUANTILES)))
    for at, level in enumerate(QUANTILES):
        freedom = _freedom(fitted.past, level)
        if freedom not in highest:
            paths = simulated_paths(fitted, horizon, freedom, seed)
            highest[freedom] = np.array([paths[:, span[0] - 1 : span[-1]].max(axis=1) for span in spans])
        found[:, at] = np.quantile(highest[freedom], level, axis=1)
    with np.errstate(over="ignore"):  # a series that explodes has infinite quantiles
        amounts: Float = np.maximum(np.expm1(np.maximum.accumulate(found, axis=1)), 0.0)
    return amounts


def _freedom(past: Past, level: float) -> float:
    """Degrees of freedom of what is known of the scale; few for the extreme quantile of a short history."""
    known = max(float(TAIL_FREEDOM), float(past.freedom[0]))
    return float(TAIL_FREEDOM) if level > 0.9 and past.independent < ENOUGH[level] else known


def backtest_peaks(values: Sequence[float], length: int, season: int = 0) -> Coverage:
    """How often the quantiles held: of the last spans of so many steps, each forecast from what was before.

    Raises
    ------
    PlanningError
        If what is left before the last span is too short.
    """
    hits, spans = np.zeros(len(QUANTILES)), 0
    for first in range(len(values) - length, least_points(season) - 1, -length):
        if spans == MOST_SPANS:
            break
        (quantiles,) = peaks(values[:first], [range(1, length + 1)], season)
        hits += max(values[first : first + length]) <= quantiles
        spans += 1
    if not spans:
        raise PlanningError(
            f"a history of {len(values)} points is too short to test spans of {length}: what is before one "
            f"takes {least_points(season)}"
        )
    return Coverage(spans, *(float(hit) / spans for hit in hits))


def simulated_paths(fitted: Fitted, horizon: int, freedom: float, seed: int) -> Float:
    """What the series may be, (path, step), on the logarithmic scale.

    Parameters
    ----------
    freedom
        Independent errors that its scale is known from.
    """
    rng = np.random.default_rng(seed)
    shape = PATHS, horizon
    known = fitted.innovations / np.sqrt(np.mean(fitted.innovations**2))
    prior = rng.standard_t(TAIL_FREEDOM, shape) / np.sqrt(TAIL_FREEDOM / (TAIL_FREEDOM - 2))
    is_known = rng.random(shape) < len(known) / (len(known) + PRIOR_DRAWS)
    shocks = np.where(is_known, rng.choice(known, shape), prior)
    # How much of an innovation is in the value so many steps later, and how widely that spreads the paths.
    lasting = np.concatenate([[1.0], fitted.carried(horizon - 1)])
    steps = np.arange(horizon)
    later = steps[None, :] - steps[:, None]
    weights = np.where(later >= 0, lasting[np.maximum(later, 0)], 0.0)
    spread, measured = np.sqrt(np.cumsum(lasting**2)), fitted.past.deviations
    own = np.minimum(measured[0], measured / spread)
    slow = np.sqrt(np.maximum(measured**2 - (own * spread) ** 2, 0.0))
    moved = own * (shocks @ weights) + slow * rng.standard_normal((PATHS, 1))
    factor = np.sqrt(freedom / rng.chisquare(freedom, (PATHS, 1)))
    found: Float = fitted.middle + factor * moved
    return found

"""History to forecast: seasonal exponential smoothing with intervals that are checked against the past.

The point forecast is that of an ETS(A, Ad, A) model on a logarithmic scale (R. Hyndman, A. Koehler, K.
Ord and R. Snyder, Forecasting with Exponential Smoothing, 2008, doi:10.1007/978-3-540-71918-2), fitted by
statsmodels. Its own intervals suppose that the model is true and are too narrow on real series.

These take the errors that forecasts of the same distance would have made within the history. For distances
that the history is too short to try, the error grows with the square root of the distance.

**Scale.** A short history that was calm says little about how far it may jump: of 400 weekly series of 23
points, those that left their 99 % intervals were nearly all calm before, some by a hundred times their own
error. So the mean square error is that of the history and of `PRIOR_POINTS` more with an error of `PRIOR`,
about the median of those series, which is the posterior mean under an inverse gamma prior.

**Tails.** Each past error over the scale that was known before it is a draw from the distribution of the
next. With enough of them a quantile is theirs (split conformal: the ceil((n + 1) p)-th smallest; V. Vovk, A.
Gammerman and G. Shafer, Algorithmic Learning in a Random World, 2005, doi:10.1007/b106715). With fewer it is
Student's t, for the extreme one with `TAIL_FREEDOM` degrees of freedom, which real series asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.errors import PlanningError

Float = NDArray[np.float64]

LEAST_POINTS = 12
"""Shortest history; a seasonal one needs three whole seasons."""
_WARM_UP = 6
"""Points whose forecasts are not judged, because the model has hardly seen anything yet."""
QUANTILES = (0.5, 0.9, 0.99)
PRIOR, PRIOR_POINTS = 0.05, 4
"""Error of one step on the logarithmic scale that a series has before it is known, and how many points that
counts for: chosen by coverage on 400 real weekly series, none of which the tests hold."""
TAIL_FREEDOM = 3
"""Degrees of freedom of the extreme quantile where the history is too short to show it."""
ENOUGH = {0.5: 50, 0.9: 100, 0.99: 200}
"""Independent past errors from which each quantile is theirs: at least two lie above the extreme one."""


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """Quantiles of the steps ahead, each an array (step,); never below zero."""

    p50: Float
    p90: Float
    p99: Float


@dataclass(frozen=True, slots=True)
class Coverage:
    """Share of what really came that lay at or below each quantile, over ``points`` steps."""

    points: int
    p50: float
    p90: float
    p99: float


def outlook(values: Sequence[float], horizon: int, season: int = 0) -> Outlook:
    """What a series will be.

    Parameters
    ----------
    values
        The history at equal steps, at least zero.
    horizon
        Steps ahead.
    season
        Steps after which the pattern repeats, such as 7 for days of the week; 0 for none.

    Raises
    ------
    PlanningError
        If the history is too short, or holds something that is no amount.

    Examples
    --------
    >>> steady = outlook([100.0] * 30, 3)
    >>> [round(float(value)) for value in steady.p99]
    [100, 100, 100]
    """
    fitted = fit_history(values, horizon, season)
    if fitted is None:
        same = np.full(horizon, float(values[0]))
        return Outlook(same, same, same)
    past = fitted.past
    middle = fitted.middle
    amounts = [np.maximum(np.expm1(middle + past.reach(level) * past.deviations), 0.0) for level in QUANTILES]
    # Draws may put a quantile of few below that of fewer.
    return Outlook(*np.maximum.accumulate(np.array(amounts)))


def backtest(values: Sequence[float], horizon: int, season: int = 0, origins: int = 1) -> Coverage:
    """How often the quantiles held: forecasts from the last ``origins`` points that leave a whole horizon.

    Raises
    ------
    PlanningError
        If what is left before the first origin is too short.
    """
    history = np.asarray(values, dtype=np.float64)
    hits = np.zeros(len(QUANTILES))
    for back in range(origins):
        cut = len(history) - horizon - back
        if cut < least_points(season):
            raise PlanningError(
                f"a history of {len(history)} points is too short to test {horizon} steps {origins} times"
            )
        seen = outlook(history[:cut].tolist(), horizon, season)
        truth = history[cut : cut + horizon]
        for at, quantile in enumerate((seen.p50, seen.p90, seen.p99)):
            hits[at] += float(np.count_nonzero(truth <= quantile))
    points = horizon * origins
    return Coverage(points, *(float(hit) / points for hit in hits))


def pooled(coverages: Sequence[Coverage]) -> Coverage:
    """Coverage over several series, each by its number of points."""
    points = sum(coverage.points for coverage in coverages)
    if not points:
        raise PlanningError("nothing was tested")
    return Coverage(
        points,
        *(
            sum(getattr(coverage, name) * coverage.points for coverage in coverages) / points
            for name in ("p50", "p90", "p99")
        ),
    )


def least_points(season: int) -> int:
    """Points of the shortest history that is forecast."""
    return max(LEAST_POINTS, 3 * season)


def _checked(values: Sequence[float], horizon: int, season: int) -> Float:
    history = np.asarray(values, dtype=np.float64)
    if horizon < 1:
        raise PlanningError(f"the horizon must be at least one step: {horizon}")
    if season < 0 or season == 1:
        raise PlanningError(f"a season has at least two steps, or is 0 for none: {season}")
    if len(history) < least_points(season):
        raise PlanningError(
            f"a history of {len(history)} points is too short: it takes {least_points(season)}"
            + (f", three seasons of {season}" if season else "")
        )
    if not np.all(np.isfinite(history)) or np.any(history < 0):
        raise PlanningError("a history must hold finite amounts of zero or more")
    return history


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The model of a history, on the logarithmic scale.

    Parameters
    ----------
    middle
        (step,): forecasts from the last point.
    past
        How wrong such forecasts would have been.
    innovations
        (point,): errors of one step, their warm-up left out.
    level, trend, seasonal, damping
        How much of an innovation goes into each state, and what is left of a trend a step later.
    season
        Steps of a season; 0 for none.
    """

    middle: Float
    past: Past
    innovations: Float
    level: float
    trend: float
    seasonal: float
    damping: float
    season: int

    def carried(self, steps: int) -> Float:
        """Share of an innovation that is in the value 1, 2 ... steps after it, (step,)."""
        after = np.arange(1, steps + 1)
        found: Float = self.level + self.trend * np.cumsum(self.damping**after)
        if self.season:
            found = found + np.where(after % self.season == 0, self.seasonal, 0.0)
        return found


def fit_history(values: Sequence[float], horizon: int, season: int) -> Fitted | None:
    """The model of a history; None where the history never moves.

    Raises
    ------
    PlanningError
        As `outlook`.
    """
    logs = np.log1p(_checked(values, horizon, season))
    if np.ptp(logs) == 0:
        return None
    # Imported on first use: it takes more than a second.
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    with warnings.catch_warnings():
        # A fit that has not converged is still a forecast, and its errors are measured below.
        warnings.simplefilter("ignore")
        model = ETSModel(
            logs,
            error="add",
            trend="add",
            damped_trend=True,
            seasonal="add" if season else None,
            seasonal_periods=season or None,
        )
        results = model.fit(disp=False)
    found = dict(zip(model.param_names, map(float, results.params), strict=True))
    damping = found["damping_trend"]
    steps = np.arange(1, horizon + 1)
    growth = np.cumsum(damping**steps)
    # Forecasts (origin, step) from every point of the history, with the parameters of the whole.
    ahead: Float = np.asarray(results.level)[:, None] + np.asarray(results.slope)[:, None] * growth
    if season:
        # the state of the same phase in the last season known at the origin
        origins = np.arange(len(logs))[:, None]
        phases = origins + steps - season * -(-steps // season)
        seasonal = np.asarray(results.season)
        ahead = ahead + seasonal[np.maximum(phases, 0)]
    return Fitted(
        ahead[-1],
        _past(logs, ahead),
        np.asarray(results.resid)[_WARM_UP:],
        found["smoothing_level"],
        found["smoothing_trend"],
        found.get("smoothing_seasonal", 0.0),
        damping,
        season,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """How wrong forecasts would have been within the history.

    Parameters
    ----------
    deviations
        (step,): root mean square error, never falling with the distance.
    freedom
        (step,): how many independent errors that is made of, less one.
    draws
        Past errors over what was known of their scale before, sorted.
    independent
        How many of these are news: errors of overlapping stretches are alike.
    """

    deviations: Float
    freedom: Float
    draws: Float
    independent: int

    def reach(self, level: float) -> Float:
        """Deviations from the middle to a quantile, (step,) or ()."""
        # Imported on first use: it takes half a second.
        from scipy.stats import t

        if self.independent >= ENOUGH[level]:
            rank = min(len(self.draws), int(np.ceil((len(self.draws) + 1) * level)))
            return np.asarray(self.draws[rank - 1])
        if level > 0.9:
            return np.asarray(t.ppf(level, TAIL_FREEDOM))
        return np.asarray(t.ppf(level, np.maximum(self.freedom, TAIL_FREEDOM)))


def _past(logs: Float, ahead: Float) -> Past:
    horizon = ahead.shape[1]
    deviations, freedom = np.zeros(horizon), np.ones(horizon)
    longest = min(horizon, (len(logs) - _WARM_UP) // 2)
    draws: list[Float] = []
    independent = 0
    for step in range(1, horizon + 1):
        at = min(step, longest)
        squares = (logs[_WARM_UP + at :] - ahead[_WARM_UP : len(logs) - at, at - 1]) ** 2
        count = len(squares)
        prior = PRIOR_POINTS * PRIOR**2 * at
        # Errors of overlapping stretches are alike: only every at-th is news.
        freedom[step - 1] = max(1, count // at - 1)
        mean = (float(squares.sum()) + prior) / (count + PRIOR_POINTS)
        deviations[step - 1] = np.sqrt(mean * (1 + at / count) * step / at)
        if step == at and count > at:
            # The scale known at an origin: the errors of forecasts that had come true by then.
            known = np.cumsum(squares)[:-at] + prior
            scales = np.sqrt(known / (np.arange(1, count - at + 1) + PRIOR_POINTS))
            errors = logs[_WARM_UP + 2 * at :] - ahead[_WARM_UP + at : len(logs) - at, at - 1]
            draws.append(errors / scales)
            independent += (count - at) // at
    return Past(
        np.maximum.accumulate(deviations),
        freedom,
        np.sort(np.concatenate(draws)) if draws else np.zeros(0),
        independent,
    )

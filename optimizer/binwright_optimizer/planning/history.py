"""History to forecast: seasonal exponential smoothing with intervals that are checked against the past.

The point forecast is that of an ETS(A, Ad, A) model on a logarithmic scale (R. Hyndman, A. Koehler, K.
Ord and R. Snyder, Forecasting with Exponential Smoothing, 2008, doi:10.1007/978-3-540-71918-2), fitted by
statsmodels. Its own intervals suppose that the model is true and are too narrow on real series; these
take the errors that forecasts of the same distance would have made within the history, and Student's t
for how few there are. For distances that the history is too short to try, the error grows with the square
root of the distance.
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
    history = _checked(values, horizon, season)
    logs = np.log1p(history)
    if np.ptp(logs) == 0:
        same = np.full(horizon, history[0])
        return Outlook(same, same, same)
    ahead = _forecasts(logs, horizon, season)
    deviations, freedom = _errors(logs, ahead)
    return Outlook(*(_quantile(ahead[-1], deviations, freedom, level) for level in QUANTILES))


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
        if cut < _least(season):
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


def _least(season: int) -> int:
    return max(LEAST_POINTS, 3 * season)


def _checked(values: Sequence[float], horizon: int, season: int) -> Float:
    history = np.asarray(values, dtype=np.float64)
    if horizon < 1:
        raise PlanningError(f"the horizon must be at least one step: {horizon}")
    if season < 0 or season == 1:
        raise PlanningError(f"a season has at least two steps, or is 0 for none: {season}")
    if len(history) < _least(season):
        raise PlanningError(
            f"a history of {len(history)} points is too short: it takes {_least(season)}"
            + (f", three seasons of {season}" if season else "")
        )
    if not np.all(np.isfinite(history)) or np.any(history < 0):
        raise PlanningError("a history must hold finite amounts of zero or more")
    return history


def _forecasts(logs: Float, horizon: int, season: int) -> Float:
    """Forecasts (origin, step) from every point of the history, with the parameters of the whole."""
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
        fitted = model.fit(disp=False)
    damping = float(fitted.params[model.param_names.index("damping_trend")])
    steps = np.arange(1, horizon + 1)
    growth = np.cumsum(damping**steps)
    ahead: Float = np.asarray(fitted.level)[:, None] + np.asarray(fitted.slope)[:, None] * growth
    if season:
        # the state of the same phase in the last season known at the origin
        origins = np.arange(len(logs))[:, None]
        phases = origins + steps - season * -(-steps // season)
        seasonal = np.asarray(fitted.season)
        ahead = ahead + seasonal[np.maximum(phases, 0)]
    return ahead


def _errors(logs: Float, ahead: Float) -> tuple[Float, Float]:
    """Root mean square error and degrees of freedom of each step ahead."""
    horizon = ahead.shape[1]
    deviations, freedom = np.zeros(horizon), np.ones(horizon)
    longest = min(horizon, (len(logs) - _WARM_UP) // 2)
    for step in range(1, horizon + 1):
        at = min(step, longest)
        errors = logs[_WARM_UP + at :] - ahead[_WARM_UP : len(logs) - at, at - 1]
        count = len(errors)
        # Errors of overlapping stretches are alike: only every at-th is news.
        freedom[step - 1] = max(1, count // at - 1)
        spread = np.sqrt(float(np.mean(errors**2)) * (1 + at / count))
        deviations[step - 1] = spread * np.sqrt(step / at)
    return np.maximum.accumulate(deviations), freedom


def _quantile(middle: Float, deviations: Float, freedom: Float, level: float) -> Float:
    from scipy.stats import t

    # Few degrees of freedom would make the extreme quantiles of t absurd on a logarithmic scale.
    reach = t.ppf(level, np.maximum(freedom, 3))
    found: Float = np.maximum(np.expm1(middle + reach * deviations), 0.0)
    return found

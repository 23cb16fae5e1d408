"""The highest point of a period: what nodes for a quarter have to hold, and how often its quantiles held.

Real series: those of `test_history`.
"""

from __future__ import annotations

import numpy as np
import pytest
from binwright_optimizer.errors import PlanningError

pytest.importorskip("statsmodels", reason="forecasts from history need statsmodels")

from binwright_optimizer.planning.history import Fitted, Past, fit_history, outlook, pooled
from binwright_optimizer.planning.peaks import backtest_peaks, peaks, simulated_paths
from test_history import hourly_arrivals, spot_series

QUARTER = range(1, 92)


def noise(seed: int, days: int, spread: float = 0.1) -> list[float]:
    rng = np.random.default_rng(seed)
    return (100 * np.exp(spread * rng.standard_normal(days))).tolist()


def held(histories: list[list[float]], steps: int) -> list[float]:
    """How often the last steps of each stayed below the quantiles of their peak."""
    hits = np.zeros(3)
    for values in histories:
        (found,) = peaks(values[:-steps], [range(1, steps + 1)])
        hits += max(values[-steps:]) <= found
    return (hits / len(histories)).tolist()


def test_quantiles_of_one_step_are_those_of_its_forecast() -> None:
    """The highest of one point is the point: both ways to its quantiles agree within their sampling."""
    history = noise(1, 300)
    (found,), ahead = peaks(history, [range(1, 2)]), outlook(history, 1)
    assert found == pytest.approx([ahead.p50[0], ahead.p90[0], ahead.p99[0]], rel=0.08)


def test_highest_of_a_quarter_lies_above_the_quantiles_of_its_days() -> None:
    """The median of the highest of 91 normal draws is 2.4 deviations up, where 90 % of them are below 1.3."""
    history = noise(2, 365)
    (found,), ahead = peaks(history, [QUARTER]), outlook(history, 91)
    assert found[0] > float(ahead.p90[:30].max())
    assert found[0] == pytest.approx(100 * np.exp(0.24), rel=0.08)
    assert np.all(np.diff(found) > 0)


def test_longer_spans_have_higher_peaks_and_equal_seeds_equal_ones() -> None:
    history = noise(3, 120)
    short, long = peaks(history, [range(1, 8), range(1, 31)])
    assert np.all(short < long)
    assert peaks(history, [range(1, 8)], seed=4).tolist() == peaks(history, [range(1, 8)], seed=4).tolist()


def test_paths_carry_an_innovation_as_the_library_does() -> None:
    """One innovation at the first step, in the library's own simulation and in the shares carried on."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    rng = np.random.default_rng(8)
    logs = np.log1p([100 + 10 * np.sin(day * 2 * np.pi / 7) + 3 * rng.standard_normal() for day in range(90)])
    fitted = fit_history(np.expm1(logs).tolist(), 20, 7)
    assert fitted is not None
    model = ETSModel(logs, error="add", trend="add", damped_trend=True, seasonal="add", seasonal_periods=7)
    results = model.fit(disp=False)
    errors = np.zeros((20, 1))
    calm = results.simulate(20, anchor="end", repetitions=1, random_errors=errors)
    errors[0] = 1.0
    moved = results.simulate(20, anchor="end", repetitions=1, random_errors=errors)
    expected = (np.asarray(moved) - np.asarray(calm)).ravel()
    assert expected == pytest.approx([1.0, *fitted.carried(19)], abs=1e-6)


def test_paths_spread_at_each_distance_as_forecasts_were_wrong() -> None:
    """A level that keeps half of each innovation, forecasts wrong by 0.1, 0.2 and 0.3: so are the paths.

    Innovations alone spread them by 0.1, 0.1 sqrt(1.25) and 0.1 sqrt(1.5); the rest a path has in common.
    """
    innovations = np.random.default_rng(6).standard_normal(5000)
    past = Past(np.array([0.1, 0.2, 0.3]), np.array([1e9, 1e9, 1e9]), np.zeros(0), 0)
    paths = simulated_paths(Fitted(np.full(3, 5.0), past, innovations, 0.5, 0.0, 0.0, 0.98, 0), 3, 1e9, 0)
    assert np.std(paths, axis=0) == pytest.approx([0.1, 0.2, 0.3], rel=0.05)
    among = np.corrcoef(paths, rowvar=False)
    assert among[0, 1] == pytest.approx(0.01 * 0.5 / (0.1 * 0.2), abs=0.05)
    common = np.sqrt(0.04 - 0.0125) * np.sqrt(0.09 - 0.015)
    assert among[1, 2] == pytest.approx((0.01 * (0.5 + 0.25) + common) / (0.2 * 0.3), abs=0.03)


def test_quantiles_hold_for_quarters_of_noise() -> None:
    """Twenty years and the quarters after them, of noise that is not forecast: 90 % of 20 is 18."""
    found = held([noise(100 + at, 365 + 91) for at in range(20)], 91)
    assert 0.4 <= found[0] <= 1.0
    assert found[1] >= 0.8
    assert found[2] >= 0.95


@pytest.mark.slow
def test_quantiles_of_peaks_hold_on_real_spot_prices() -> None:
    """Sixty series, the highest of four weeks after 23, 19 and 15. Measured: 71 %, 87 % and 97 %."""
    found = pooled([backtest_peaks(series, 4) for series in spot_series()])
    assert found.points == 180
    assert found.p90 == pytest.approx(0.9, abs=0.05)
    assert found.p99 >= 0.96


@pytest.mark.slow
def test_quantiles_of_peaks_hold_on_real_arrivals() -> None:
    """The busiest hour of each of the last ten days, from what was before. Measured: 80 %, 90 % and 100 %."""
    arrivals = hourly_arrivals()
    hits = np.zeros(3)
    for day in range(10):
        first = len(arrivals) - 24 * (day + 1)
        (found,) = peaks(arrivals[:first], [range(1, 25)], 24)
        hits += max(arrivals[first : first + 24]) <= found
    assert hits[0] >= 4
    assert hits[1] >= 8
    assert hits[2] >= 9


def test_backtest_counts_whole_spans_and_stops_where_too_little_is_before() -> None:
    """Forty points: twelve are the least, so that of spans of ten only two have enough before them."""
    assert backtest_peaks(noise(4, 40), 10).points == 2
    with pytest.raises(PlanningError, match="too short to test spans of 30: what is before one takes 12"):
        backtest_peaks(noise(4, 40), 30)


@pytest.mark.parametrize("spans", [[], [range(1, 1)], [range(3)]])
def test_spans_without_steps_ahead_are_refused(spans: list[range]) -> None:
    with pytest.raises(PlanningError, match="steps ahead from 1"):
        peaks([1.0, 2.0] * 20, spans)

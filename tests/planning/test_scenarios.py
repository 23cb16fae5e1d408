"""Futures drawn from the bands of a forecast."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from binwright_benchmarks.large_plan import large_forecast
from binwright_clients.errors import InputError
from binwright_clients.forecast import read_forecast
from binwright_optimizer.model.forecast import Band, Sampling
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.planning.scenarios import PERMILLE, quantile_of, scenarios
from hypothesis import given
from hypothesis import strategies as st
from planning_parts import small_forecast, two_types

BANDS = st.lists(st.integers(0, 500), min_size=3, max_size=3).map(lambda values: Band(*sorted(values)))
CHANCES = st.floats(0.0, 1.0)


@given(BANDS, CHANCES, CHANCES)
def test_a_higher_probability_never_wants_fewer_pods(band: Band, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert 0 <= quantile_of(band, low) <= quantile_of(band, high) <= band.p99


@given(BANDS)
def test_stated_quantiles_are_met_exactly(band: Band) -> None:
    assert [quantile_of(band, p) for p in (0.5, 0.9, 0.99)] == [band.p50, band.p90, band.p99]


@given(st.integers(2, 40), st.integers(0, 3), st.integers(0, 1_000_000))
def test_samples_are_as_likely_as_each_other_and_ordered_by_demand(
    count: int, seed: int, common: int
) -> None:
    asked = replace(small_forecast(), sampling=Sampling(count, seed, common))
    found = scenarios(asked)
    assert len({s.name for s in found}) == len(found) == count
    assert sum(s.permille for s in found) == PERMILLE
    assert max(Counter(s.permille for s in found)) - min(Counter(s.permille for s in found)) <= 1
    totals = [sum(s.replicas(demand) for demand in asked.demands) for s in found]
    assert totals == sorted(totals)
    assert scenarios(asked) == found


def test_a_common_share_of_one_moves_all_demand_together() -> None:
    """Then every workload is read at the same probability."""
    asked = replace(small_forecast(), sampling=Sampling(20, 0, 1_000_000))
    assert all(len({round(level, 9) for level in s.levels.values()}) == 1 for s in scenarios(asked))


def test_about_half_of_the_samples_lie_above_the_median() -> None:
    asked = replace(small_forecast(cpus=(900,), periods=1), sampling=Sampling(1000, 5))
    above = sum(s.levels[0, "r"] > 0.5 for s in scenarios(asked))
    assert 450 <= above <= 550


def test_a_plan_over_samples_serves_each_and_lies_between_its_cheapest_and_dearest() -> None:
    asked = replace(small_forecast(), sampling=Sampling(10, 1))
    found = make_plan(asked, PlanParams(600.0), catalogs=two_types())
    assert len(found.by_scenario) == 10
    assert min(found.by_scenario) <= found.expected <= max(found.by_scenario)
    assert found.bound <= found.total


def read(tmp_path: Path, **scenarios_asked: object) -> object:
    document = large_forecast(1, 1, 5, 2) | {"scenarios": scenarios_asked}
    path = tmp_path / "f.json"
    path.write_text(json.dumps(document))
    return read_forecast(str(path)).sampling


def test_a_forecast_file_says_how_many_futures_to_draw(tmp_path: Path) -> None:
    assert read(tmp_path, count=100, seed=7, common=0.25) == Sampling(100, 7, 250_000)
    assert read(tmp_path, count=2) == Sampling(2)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"count": 1}, r"scenarios.count.*must be in 2\.\.1000.*1"),
        ({"seed": 3}, "scenarios.count.*must be given"),
        ({"count": 10, "common": 1.5}, r"scenarios.common.*must be in 0\.\.1"),
        ({"count": "many"}, "scenarios.count"),
        ({"cuont": 10}, "scenarios.cuont"),
    ],
)
def test_mistakes_in_the_futures_asked_for_name_the_field(
    tmp_path: Path, asked: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, **asked)


def test_the_generator_gives_the_same_forecast_for_the_same_seed() -> None:
    one = large_forecast(12, 5, 100, 20)
    assert one == large_forecast(12, 5, 100, 20)
    assert one != large_forecast(12, 5, 100, 20, seed=2)
    assert len(one["workloads"]) == 20
    assert {len(by) for w in one["workloads"] for by in w["demand"].values()} == {12}

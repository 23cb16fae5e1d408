"""Forecast files whose demand is a load through an autoscaler, or a history."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from binwright_clients.errors import InputError
from binwright_clients.forecast import read_forecast
from binwright_optimizer.model.forecast import PPM, Band

HPA = """apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: api}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: api}
  minReplicas: 2
  maxReplicas: 40
  metrics:
    - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
"""

LOADED = """apiVersion: binwright.dev/v1
kind: Forecast
periods: [2027-Q1, 2027-Q2]
workloads:
  - name: api
    requests: {cpu: "1", memory: 1Gi}
    hpa: {file: hpa.yaml, name: api}
    load:
      us-east-1:
        file: load.csv
        growth: {2027-Q1: 1, 2027-Q2: {p50: 1.5, p90: 2, p99: 9}}
"""

REMEMBERED = """apiVersion: binwright.dev/v1
kind: Forecast
periods: [2027-Q1]
workloads:
  - name: api
    requests: {cpu: "1", memory: 1Gi}
    history: {file: history.csv, backtest: 14}
"""


def folder(tmp_path: Path, forecast: str, load: str = "", history: str = "") -> str:
    (tmp_path / "hpa.yaml").write_text(HPA, encoding="utf-8")
    (tmp_path / "load.csv").write_text(load, encoding="utf-8")
    (tmp_path / "history.csv").write_text(history, encoding="utf-8")
    (tmp_path / "f.yaml").write_text(forecast, encoding="utf-8")
    return str(tmp_path / "f.yaml")


def steady(cpu: int, step_s: int = 3600, steps: int = 4) -> str:
    return "seconds,cpu\n" + "".join(f"{at * step_s},{cpu}\n" for at in range(steps))


def past(days: int, last: date = date(2026, 12, 31)) -> str:
    rows = (f"api,us-east-1,{last - timedelta(days=days - 1 - at)},20\n" for at in range(days))
    return "workload,region,date,replicas\n" + "".join(rows)


def test_load_of_eight_cores_at_half_utilisation_is_sixteen_replicas(tmp_path: Path) -> None:
    """Pods of one core at 50 %: 8 cores take 16, 12 take 24, 16 take 32, and 72 the 40 that are allowed."""
    forecast = read_forecast(folder(tmp_path, LOADED, steady(8)))
    assert [d.band for d in forecast.demands] == [Band(16, 16, 16), Band(24, 32, 40)]
    assert forecast.workloads[0].profile == "flat"


def test_load_that_the_autoscalers_maximum_does_not_serve_is_told(tmp_path: Path) -> None:
    """72 cores on 40 pods are 180 % of a request each: at a target of 50 % it takes 144."""
    forecast = read_forecast(folder(tmp_path, LOADED, steady(8)))
    (said,) = forecast.remarks
    where, _, what = said.partition(": ")
    assert where == "workloads[0].load.us-east-1.growth.2027-Q2"
    assert what == (
        "autoscaler api is held at its maximum of 40 replicas at p99; at p99 in 4 of 4 steps, where its "
        "metrics ask for up to 144: the load above is not served at its target, nor planned for"
    )
    assert read_forecast(folder(tmp_path, LOADED.replace("p99: 9", "p99: 2"), steady(8))).remarks == ()


def test_load_of_a_week_brings_its_own_profile(tmp_path: Path) -> None:
    """16 replicas by day, 8 at night: half of the busiest hour, once the autoscaler has come down."""
    rows = "".join(f"{3600 * hour},{8 if 8 <= hour % 24 < 20 else 4}\n" for hour in range(168))
    forecast = read_forecast(folder(tmp_path, LOADED, "seconds,cpu\n" + rows))
    profile = forecast.profiles[0]
    assert (profile.name, forecast.workloads[0].profile) == ("load of api", "load of api")
    assert profile.ppm[12] == PPM
    assert profile.ppm[26] == PPM // 2
    stated = LOADED.replace("    hpa:", "    profile: office\n    hpa:")
    assert read_forecast(folder(tmp_path, stated, steady(8))).workloads[0].profile == "office"


def test_history_becomes_bands_and_says_how_such_bands_held(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    forecast = read_forecast(folder(tmp_path, REMEMBERED, history=past(60)))
    assert [d.band for d in forecast.demands] == [Band(20, 20, 20)]
    (test,) = forecast.backtests
    assert (test.workload, test.spans, test.points, test.p50) == ("api", 3, 14, 1.0)


@pytest.mark.parametrize(
    ("forecast", "load", "message"),
    [
        (LOADED.replace("name: api}", "name: apu}"), steady(8),
         "workloads[0].hpa.name: hpa.yaml holds no such autoscaler; did you mean 'api'"),
        (LOADED.replace("load.csv", "none.csv"), steady(8),
         "workloads[0].load.us-east-1.file: there is no file "),
        (LOADED.replace("    hpa: {file: hpa.yaml, name: api}\n", ""), steady(8),
         "workloads[0].hpa.file: must be given"),
        (LOADED.replace('cpu: "1", ', ""), steady(8), "workloads[0].requests[cpu]: is needed"),
        (LOADED.replace("2027-Q1: 1,", "2027-Q1: -1,"), steady(8),
         "growth.2027-Q1.p50: must be a factor of zero or more (got '-1')"),
        (LOADED.replace("p90: 2,", "p90: 1,"), steady(8), "growth.2027-Q2: must satisfy p50 <= p90 <= p99"),
        (LOADED.replace("2027-Q1: 1,", "2027-Q3: 1,"), steady(8), "is not among the forecast's periods"),
        (LOADED, steady(8).replace("3600,8", "3600,x"), "load.csv, line 3: cpu: is not a quantity"),
        (LOADED + "    demand: {us-east-1: {2027-Q1: 3}}\n", steady(8),
         "workloads[0].load: is given beside demand"),
        (LOADED.replace("name: api}", "name: api, startupSeconds: -3}"), steady(8),
         "workloads[0].hpa.startupSeconds: must not be negative (got '-3')"),
    ],
)  # fmt: skip
def test_mistake_in_a_load_is_named(tmp_path: Path, forecast: str, load: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_forecast(folder(tmp_path, forecast, load))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("forecast", "history", "message"),
    [
        (REMEMBERED, past(8), "api in us-east-1: a history of 8 points is too short"),
        (REMEMBERED, past(60, date(2027, 2, 1)), "the history must end before 2027-01-01 (got '2027-02-01')"),
        (REMEMBERED, past(60).replace("api", "apu"), "has no history of api; did you mean 'apu'"),
        (REMEMBERED, past(60).replace("2026-12-02", "2026-13-02"), "date: is not a day such as"),
        (REMEMBERED.replace("backtest: 14", "season: 1"), past(60),
         "history.season: must be 0 for none, or at least 2 points (got '1')"),
        (REMEMBERED.replace("periods: [2027-Q1]\n", ""), past(60), "history: needs the forecast's periods"),
        (REMEMBERED.replace("backtest: 14", "backtest: 59"), past(60), "is too short to test spans of 59"),
    ],
)  # fmt: skip
def test_mistake_in_a_history_is_named(tmp_path: Path, forecast: str, history: str, message: str) -> None:
    pytest.importorskip("statsmodels")
    with pytest.raises(InputError) as caught:
        read_forecast(folder(tmp_path, forecast, history=history))
    assert message in str(caught.value)

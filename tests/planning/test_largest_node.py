"""The largest node that plans buy: the forecast's limit, raised by pods that need more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from binwright_clients.errors import InputError
from binwright_clients.forecast import read_forecast
from binwright_optimizer.model.forecast import Band
from binwright_optimizer.planning.planner import PlanParams, make_plan, price_lists
from plan_cases import forecast, market

DOCUMENT = """apiVersion: binwright.dev/v1
kind: Forecast
maxNodeCpu: {}
workloads:
  - name: api
    requests: {{cpu: {}}}
    demand: {{us-east-1: {{2027-Q1: 1}}}}
"""


def largest(tmp_path: Path, limit: str, cpu: str) -> int:
    file = tmp_path / "forecast.yaml"
    file.write_text(DOCUMENT.format(limit, cpu), encoding="utf-8")
    (catalog,) = price_lists(read_forecast(str(file))).values()
    return max(kind.capacity["cpu"] for kind in catalog.instance_types)


def test_limit_is_the_forecasts_and_32_unless_told(tmp_path: Path) -> None:
    assert [largest(tmp_path, limit, "1") for limit in ("", "8", "64")] == [32_000, 8_000, 64_000]


def test_pod_that_needs_a_larger_node_raises_the_limit(tmp_path: Path) -> None:
    """29 vCPU over 0.7 * 1.2 are 34.6 of a node, more than 32: the next size has 36 vCPU (c5.9xlarge)."""
    assert largest(tmp_path, "", "29") == 36_000
    plan = make_plan(read_forecast(str(tmp_path / "forecast.yaml")), PlanParams(20.0))
    assert plan.total > 0


def test_limit_of_nothing_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"maxNodeCpu: must be above 0"):
        largest(tmp_path, "0", "1")


def test_price_lists_of_ones_own_are_taken_as_they_are() -> None:
    asked = replace(forecast([Band.exactly(1)]), max_node_cpu_milli=1000)
    assert make_plan(asked, catalogs=market(c64=0.10)).total > 0

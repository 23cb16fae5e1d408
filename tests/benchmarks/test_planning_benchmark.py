"""The table of the planning benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest
from binwright_benchmarks.planning import EXAMPLES, FORECASTS, HEADS, PlanResult, measured, row

SMALL = """workload,region,period,cpu_milli,memory_mib,replicas
api,us-east-1,2027-Q1,500,768,20
"""


def test_saving_is_stated_against_both() -> None:
    cells = row(PlanResult("f.yaml", 60.0, 59.4, 0.01, 120.0, 80.0, 1.25))
    assert dict(zip(HEADS, cells, strict=True))["saves"] == "50.0 % of the rule, 25.0 % of quarters alone"
    assert "25.0 % of quarters alone" in row(PlanResult("f.yaml", 60.0, 59.4, 0.01, None, 80.0, 1.25))[6]


def test_small_plan_is_below_both(tmp_path: Path) -> None:
    file = tmp_path / "small.csv"
    file.write_text(SMALL, encoding="utf-8")
    found = measured(file, 3.0)
    assert found.sizing_rule_usd is not None
    assert found.bound_usd <= found.total_usd < found.quarters_alone_usd < found.sizing_rule_usd


@pytest.mark.parametrize("name", FORECASTS)
def test_forecasts_are_shipped(name: str) -> None:
    assert (EXAMPLES / name).is_file()

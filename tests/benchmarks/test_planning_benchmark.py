"""The table of the planning benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest
from binwright_benchmarks.plan_growth import measured as growth
from binwright_benchmarks.plan_growth import schedule
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


def test_tasks_go_to_the_worker_that_is_free_first_and_waves_wait_for_each_other() -> None:
    """3, 2 and 2 s on two workers end after 4 s; the next wave takes 1 s, the driver 5 s: 10 s. One: 13 s."""
    waves = [[(3.0, 0.0), (2.0, 0.0), (2.0, 0.0)], [(1.0, 0.0)]]
    assert schedule(waves, 5.0, 2) == 10.0
    assert schedule(waves, 5.0, 1) == 13.0
    assert schedule(waves, 5.0, 1000) == 9.0


def test_what_is_sent_bounds_many_workers() -> None:
    """Three tasks of 200 MB follow each other in 2 s each over a gigabit; the last then takes 1 s."""
    assert schedule([[(1.0, 200.0)] * 3], 0.0, 1000) == 7.0


def test_growth_of_a_small_plan_adds_up() -> None:
    found = growth((2, 1, 3, 2))
    assert (found.quarters, found.regions, found.scenarios, found.workloads) == (2, 1, 3, 2)
    assert found.problems >= found.tasks > 0
    assert 0 < found.longest_task_s <= found.task_cpu_s
    assert found.seconds_on[1] == pytest.approx(found.task_cpu_s + found.driver_cpu_s)
    assert found.seconds_on[1] >= found.seconds_on[2] >= found.driver_cpu_s
    assert found.checkpoint_mb > 0

"""Published bin packing instances: reading, expressing, and the command that solves them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from binwright_benchmarks import known_optima
from binwright_benchmarks.known_optima import Outcome, chosen, rows, share_optimal, solve_by_command
from binwright_benchmarks.registry import SharedData
from binwright_benchmarks.vector_packing import (
    PackingQuestion,
    files,
    packing_problem,
    vector_questions,
)
from binwright_optimizer.model import StopReason
from binwright_optimizer.solve import solve

SAMPLE = SharedData(Path(__file__).parents[1] / "data")
"""Six of the published instances; see the README beside them."""


def test_instances_are_read_with_what_is_known_of_them() -> None:
    first, *_ = vector_questions("new", SAMPLE)
    assert (first.name, first.n_items, first.dimensions) == ("new/class1_20_3_0", 20, 3)
    assert first.bins == (((100, 100, 100), 1.0),)
    assert (first.optimum, first.best_known) == (11, 11)


def test_a_negative_size_cannot_be_asked_for_and_is_left_out() -> None:
    all_of_them = vector_questions("triplet", SAMPLE)
    assert [i.is_expressible for i in all_of_them] == [False, True]
    assert [i.name for i in chosen(["triplet"], SAMPLE, True)] == ["triplet/classF_60_3_0"]
    with pytest.raises(ValueError, match="outside"):
        packing_problem(all_of_them[0])


def test_tables_have_a_column_for_each_size() -> None:
    first, *_ = vector_questions("new", SAMPLE)
    workloads, catalog = files(first).values()
    assert workloads.splitlines()[0] == "name,replicas," + ",".join(
        f"resource:bench.example/size-00{r}" for r in range(3)
    )
    assert catalog.splitlines()[1] == "bin-0,1,100,100,100"


@pytest.mark.parametrize("name", ["new/class1_20_3_0", "new/class4_40_5_2", "panigrahy/class1_20_10_0"])
def test_the_command_reaches_the_published_optimum(name: str, tmp_path: Path) -> None:
    (instance,) = (i for i in chosen(["new", "panigrahy"], SAMPLE, False) if i.name == name)
    outcome = solve_by_command(instance, 5.0, tmp_path)
    assert outcome.is_optimal
    assert outcome.is_proven
    assert not outcome.contradicts


def test_the_run_writes_a_report_and_ends_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--data", str(SAMPLE.folder), "--sets", "new", "--every", "2", "--output", str(tmp_path)]
    assert known_optima.main(arguments) == 0
    assert "100.0% solved to it within 2 s" in capsys.readouterr().out
    (report,) = tmp_path.glob("known-optima-*.md")
    assert "| new | 3 | 20-60 | 2 | 2 | 2 | 2 |" in report.read_text()
    (result,) = tmp_path.glob("known-optima-*.json")
    assert len(json.loads(result.read_text())["outcomes"]) == 2


def test_the_run_says_which_data_it_needs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        known_optima.main(["--data", str(tmp_path)])
    assert ended.value.code == 2
    assert "panigrahy_known.csv does not exist" in capsys.readouterr().err


HIT = Outcome("new/a", 20, 3, 7.0, 8.0, 7.0, 7.0, "STOP_REASON_OPTIMAL", 0.1)


def test_only_instances_in_time_and_with_an_optimum_count() -> None:
    late = replace(HIT, seconds=2.2)
    missed = replace(HIT, cost=8.0)
    unknown = replace(HIT, optimum=None)
    large = replace(HIT, items=500)
    assert share_optimal([HIT, late, missed, unknown, large], 2.0) == pytest.approx(1 / 3)
    assert share_optimal([large], 2.0) is None


def test_an_answer_below_the_optimum_or_a_bound_above_it_is_a_contradiction() -> None:
    assert not HIT.contradicts
    assert replace(HIT, cost=6.0).contradicts
    assert replace(HIT, cost=9.0, bound=8.0).contradicts
    assert not replace(HIT, optimum=None, bound=8.0).contradicts


def test_rows_count_what_lost_to_the_heuristics() -> None:
    worse = replace(HIT, cost=9.0)
    assert rows([HIT, worse]) == [("new", "3", "20", "2", "2", "1", "1", "0.10 s", "0.10 s", "1", "1")]


# --- conflicts ------------------------------------------------------------------------------------

TRIANGLE = PackingQuestion(
    "case", (((3,), 1),) * 4, (((6,), 6.0), ((12,), 10.0)), 18.0, 18.0, frozenset({(0, 1), (0, 2), (1, 2)})
)
"""Four items of 3; bins of 6 for 6 dollars and of 12 for 10. 0, 1 and 2 must not meet.

Without conflicts one large bin holds all, for 10. With them three bins are needed, of which one takes
item 3 too: 18.
"""


def test_conflicts_keep_items_apart() -> None:
    apart, free = (solve(packing_problem(q)) for q in (TRIANGLE, replace(TRIANGLE, conflicts=frozenset())))
    assert [d.cost_microusd_per_hour for d in (apart, free)] == [18_000_000, 10_000_000]
    assert apart.stop_reason is free.stop_reason is StopReason.OPTIMAL


def test_the_command_reads_conflicts_as_manifests(tmp_path: Path) -> None:
    outcome = solve_by_command(TRIANGLE, 5.0, tmp_path)
    assert (outcome.cost, outcome.bound) == (18.0, 18.0)

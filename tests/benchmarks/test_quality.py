"""The quality run: what is measured, what the tables say, and that results can be read back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from binwright_benchmarks import memory, quality
from binwright_benchmarks.families import DEADLINES_S, MARKETS, MEMORY, SUITES, Group
from binwright_benchmarks.measure import Answer, BaselineFigures, Step
from binwright_benchmarks.memory import Memory, peak_memory
from binwright_benchmarks.quality import run_case, run_quality, thinned
from binwright_benchmarks.quality_report import gap_text, quantile, sections
from binwright_benchmarks.quality_result import Case, Quality, quality_of
from binwright_benchmarks.registry import SharedData, instances


def answer(deadline_s: float, gap: float, *, cost: float = 4.0, seconds: float | None = None) -> Answer:
    spent = deadline_s if seconds is None else seconds
    return Answer(
        deadline_s, cost, cost * (1 - gap), gap, "deadline", 3, 0, spent, 0.02, (Step(0.02, 5.0, 2.0),)
    )


def case(seed: int, gaps: tuple[float, ...], name: str = "gpu-trace-1000", baseline: float = 5.0) -> Case:
    figures = BaselineFigures("least-waste", baseline, baseline, baseline, 3.0, 0, 10, 0.1)
    answers = tuple(answer(deadline, gap) for deadline, gap in zip(DEADLINES_S, gaps, strict=True))
    return Case(name, seed, 1000, 60, 12_574, answers, (figures,))


def table(measured: Quality, title: str) -> tuple[tuple[str, ...], ...]:
    (found,) = (section for section in sections(measured) if section.title == title)
    return found.rows


def quality_with(*cases: Case, memory: tuple[Memory, ...] = ()) -> Quality:
    return Quality("table", DEADLINES_S, cases, memory, {}, {})


# --- tables ---------------------------------------------------------------------------------------


def test_quantiles_are_by_nearest_rank() -> None:
    values = [float(k) for k in range(1, 11)]
    assert [quantile(values, share) for share in (0.5, 0.9, 1.0)] == [5.0, 9.0, 10.0]
    assert quantile([7.0], 0.9) == 7.0


def test_gaps_keep_the_digits_that_matter() -> None:
    assert [gap_text(gap) for gap in (0.1389, 0.00819, 0.0005, 0.0000341, 0)] == [
        "13.9 %",
        "0.82 %",
        "0.05 %",
        "0.0034 %",
        "0",
    ]


def test_a_target_is_met_by_the_ninth_of_ten_seeds() -> None:
    """0.5 % and 0.05 % are asked for; nine seeds keep the first, none the second."""
    cases = [case(k, (0.004 if k else 0.9, 0.001, 0.0)) for k in range(10)]
    (row,) = table(quality_with(*cases), "Targets")
    assert row == (
        "1k GPU trace samples",
        "0.4 % / 0.5 % met",
        "0.1 % / 0.05 % MISSED x2.0",
        "0 / 0.01 % met",
    )


def test_a_family_is_judged_by_its_worst_member() -> None:
    good = case(0, (0.0, 0.0, 0.0), "micro-1k-25c-eu")
    bad = case(0, (0.02, 0.0, 0.0), "micro-1k-300c-eu")
    (row,) = table(quality_with(good, bad), "Targets")
    assert row[1] == "2 % / 5 % met (micro-1k-300c-eu)"


def test_losses_name_case_deadline_and_rule() -> None:
    rows = table(quality_with(case(7, (0.1, 0.1, 0.1), baseline=3.9)), "Losses")
    assert rows[0][:3] == ("gpu-trace-1000 seed 7", "0.1 s", "least-waste")
    assert len(rows) == 3
    assert table(quality_with(case(7, (0.1, 0.1, 0.1))), "Losses") == (("none", "", "", "", "", ""),)


def test_savings_are_apart_for_each_market() -> None:
    whole = case(0, (0.0, 0.0, 0.0), baseline=5.0)
    curated = case(0, (0.0, 0.0, 0.0), "gpu-trace-curated-1000", baseline=8.0)
    rows = dict(table(quality_with(whole, curated), "Median saving"))
    assert rows == {"whole catalogue": "20.0% (1)", "curated pools": "50.0% (1)"}


def test_an_overrun_deadline_is_said() -> None:
    late = replace(
        case(0, (0.0, 0.0, 0.0)), answers=(answer(0.1, 0.0, seconds=0.2), answer(1.0, 0.0, seconds=1.04))
    )
    measured = replace(quality_with(late), deadlines_s=(0.1, 1.0))
    (row,) = table(measured, "First answer and deadlines")
    assert row[-2:] == ("100 ms MISSED", "40 ms")


def test_memory_above_the_limit_is_said() -> None:
    small, large = (Memory("micro", 0, 100_000, 10.0, 250.0, peak, 0.01) for peak in (900.0, 1700.0))
    rows = table(quality_with(memory=(small, large)), "Peak memory")
    assert [row[3] for row in rows] == ["900 MiB", "1,700 MiB MISSED"]


# --- measuring ------------------------------------------------------------------------------------


def test_every_instance_of_a_suite_is_registered_once() -> None:
    registered = {instance.name for instance in instances()}
    for groups in SUITES.values():
        named = [name for group in groups for name in group.instances]
        assert len(named) == len(set(named))
        assert set(named) <= registered
    assert set(MEMORY) <= registered
    for globs in MARKETS.values():
        assert all(instances(glob) for glob in globs)


def test_all_registered_instances_but_a_few_are_in_the_suite_of_all() -> None:
    """The baselines know no rules between pods or shares of a GPU: those have a suite of their own."""
    named = {name for group in SUITES["all"] for name in group.instances}
    missing = {instance.name for instance in instances()} - named
    left = {name for name in missing if not name.startswith("worked-")}
    under_rules = {name for group in SUITES["constraints"] for name in group.instances}
    assert left == under_rules | {"reference-pools-trace"}


def test_a_case_is_solved_once_for_each_deadline() -> None:
    (instance,) = instances("worked-t4-pair")
    measured = run_case(instance, 3, SharedData(), (1.0, 0.5))
    assert [a.deadline_s for a in measured.answers] == [0.5, 1.0]
    assert all(a.cost_usd == 1.052 and a.gap == 0 for a in measured.answers)
    assert measured.answers[0].steps == ()
    assert measured.answers[-1].steps
    assert {figures.name for figures in measured.baselines} >= {"least-waste", "price", "karpenter-like"}


def test_steps_are_thinned_but_keep_first_and_last() -> None:
    steps = [Step(0.0, 0.0, 1.0), *(Step(k / 10, 100.0 - k, 50.0) for k in range(1, 200))]
    kept = thinned(steps, most=20)
    assert len(kept) == 20
    assert (kept[0], kept[-1]) == (steps[1], steps[-1])
    assert thinned(steps[:5], most=20) == tuple(steps[1:5])


def test_missing_data_are_reported_and_the_rest_is_measured() -> None:
    groups = [Group("a", ("manifests", "worked-t4-pair"))]
    measured = run_quality("all", groups, SharedData(), deadlines_s=(0.2,), baseline_seeds=0)
    assert list(measured.skipped) == ["manifests"]
    assert {c.instance for c in measured.cases} == {"worked-t4-pair"}
    assert measured.failed == {}


def test_an_interrupted_run_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    real = quality.run_case

    def stop_at_the_second(*arguments: Any) -> Case:
        if arguments[0].name == "worked-t4-five":
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(quality, "run_case", stop_at_the_second)
    groups = [Group("a", ("worked-t4-pair", "worked-t4-five"))]
    measured = run_quality("all", groups, SharedData(), deadlines_s=(0.2,), baseline_seeds=0)
    assert {c.instance for c in measured.cases} == {"worked-t4-pair"}
    assert measured.failed == {"the rest": "interrupted"}


def test_each_instance_is_kept_as_soon_as_it_is_measured() -> None:
    groups = [Group("a", ("worked-t4-pair", "worked-t4-five"))]
    parts: list[Quality] = []
    run_quality("all", groups, SharedData(), deadlines_s=(0.2,), baseline_seeds=0, on_part=parts.append)
    assert [{c.instance for c in part.cases} for part in parts] == [
        {"worked-t4-pair"},
        {"worked-t4-pair", "worked-t4-five"},
    ]


def test_baselines_run_on_the_first_seeds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bool] = []

    def note(*arguments: Any) -> Case:
        compared.append(arguments[4])
        return case(0, (0.0, 0.0, 0.0))

    monkeypatch.setattr(quality, "run_case", note)
    groups = [Group("a", ("worked-t4-pair",))]
    run_quality("all", groups, SharedData(), seeds=3, deadlines_s=(0.2,), baseline_seeds=2)
    assert compared == [True, True, False]


def test_a_run_may_be_cut_down_to_some_instances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = (Group("pairs", ("worked-t4-pair", "worked-gpu-pair")), Group("five", ("worked-t4-five",)))
    monkeypatch.setitem(SUITES, "smoke", groups)
    arguments = ["--suite", "smoke", "--deadlines", "0.1", "--no-memory", "--no-baselines"]
    assert quality.main([*arguments, "--output", str(tmp_path), "--instances", "*-t4-p*"]) == 0
    (result,) = tmp_path.glob("quality-*.json")
    assert {c.instance for c in quality_of(json.loads(result.read_text())).cases} == {"worked-t4-pair"}
    with pytest.raises(SystemExit) as ended:
        quality.main([*arguments, "--instances", "nothing"])
    assert ended.value.code == 2
    assert "no instance of the suite matches nothing" in capsys.readouterr().err


def test_results_are_read_back_as_they_were() -> None:
    measured = quality_with(case(0, (0.1, 0.01, 0.0)), memory=(Memory("m", 0, 1, 1.0, 2.0, 3.0, 0.0),))
    assert quality_of(json.loads(json.dumps(asdict(measured)))) == measured


def test_the_run_keeps_dated_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SUITES, "smoke", (Group("T4", ("worked-t4-pair",), (0.01, 0.01, 0.01)),))
    arguments = ["--suite", "smoke", "--deadlines", "0.1", "--no-memory", "--output", str(tmp_path)]
    assert quality.main(arguments) == 0
    assert "Targets" in capsys.readouterr().out
    (report,) = tmp_path.glob("quality-*.md")
    assert "| T4 | 0 / 1 % met | - | - |" in report.read_text()
    (result,) = tmp_path.glob("quality-*.json")
    assert quality_of(json.loads(result.read_text())).suite == "smoke"


def test_peak_memory_is_that_of_a_process_of_its_own() -> None:
    measured = peak_memory("worked-t4-pair", 0, 0.5)
    assert measured.pods == 2
    assert 30 < measured.before_mib <= measured.peak_mib < 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "0"], "'0' is not a number from 1 to 1000"),
        (["--deadlines", "-1"], "'-1' is not a duration"),
        (["--first-seed", "no"], "'no' is not a number from 1 to 1000000"),
        (["--suite", "everything"], "invalid choice: 'everything'"),
    ],
)
def test_a_wrong_option_ends_with_code_2_and_says_which(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        quality.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_memory_wants_one_instance_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        memory.main(["nothing"])
    assert ended.value.code == 2
    assert "0 instances are called 'nothing'" in capsys.readouterr().err

"""The suite from its command line: tables, JSON, result files, pictures, losses, bad options."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from binwright_benchmarks import suite
from binwright_benchmarks.baselines import RULES
from binwright_benchmarks.measure import BaselineFigures, Measurement, Step, compare, median_savings
from binwright_benchmarks.plots import write_plots
from binwright_benchmarks.report import losses, report
from rich.console import Console

OURS = Measurement(
    instance="case",
    seed=0,
    pods=10,
    classes=2,
    offerings=5,
    deadline_s=1.0,
    cost_usd=4.0,
    bound_usd=3.9,
    gap=0.025,
    stop_reason="deadline",
    nodes=3,
    pods_unplaced=0,
    seconds=1.0,
    first_s=0.01,
    steps=(Step(0.01, 5.0, 2.0), Step(1.0, 4.0, 3.9)),
    baselines=(),
)


def figures(
    mean: float, least: float | None = None, unplaced: int = 0, name: str = "least-waste"
) -> BaselineFigures:
    return BaselineFigures(name, mean, mean if least is None else least, mean, 3.0, unplaced, 1, 0.1)


def shown(measurements: list[Measurement]) -> str:
    console = Console(width=100, record=True, file=None, force_terminal=False)
    with console.capture() as captured:
        console.print(report(measurements, {}, {}))
    return captured.get()


# --- comparing ------------------------------------------------------------------------------------


def test_saving_is_the_share_of_the_baseline_that_is_not_spent() -> None:
    comparison = compare(OURS, figures(5.0))
    assert comparison.ratio == pytest.approx(1.25)
    assert comparison.saving == pytest.approx(0.2)
    assert not comparison.is_loss


def test_one_cheaper_draw_of_a_tie_is_a_loss_though_the_mean_is_dearer() -> None:
    assert compare(OURS, figures(5.0, least=3.99)).is_loss


def test_equal_cost_is_no_loss() -> None:
    assert not compare(OURS, figures(4.0)).is_loss


def test_costs_for_different_pods_are_not_compared() -> None:
    fewer = compare(OURS, figures(3.0, unplaced=2))
    assert (fewer.ratio, fewer.saving, fewer.is_loss) == (None, None, False)
    assert compare(replace(OURS, pods_unplaced=3), figures(9.0, unplaced=2)).is_loss


def test_a_loss_is_shown_in_the_table_and_by_name() -> None:
    lost = replace(OURS, baselines=(figures(3.8), figures(6.0, name="karpenter-like")))
    assert [name for _, name in losses([lost])] == ["least-waste"]
    text = shown([lost])
    assert "LOSS" in text.split("Losses")[0]
    assert "0.950" in text
    assert "Losses: 1" in text
    assert "case seed 0: least-waste 3.8000 $/h with 0 unplaced, ours 4.0000 with 0" in text


def test_no_loss_is_said_too_and_unplaced_pods_are_counted() -> None:
    text = shown([replace(OURS, baselines=(figures(5.0), figures(3.0, unplaced=2, name="other")))])
    assert "Losses: none" in text
    assert "+2" in text


def test_median_saving_is_over_comparable_measurements() -> None:
    measured = [
        replace(OURS, baselines=(figures(cost, unplaced=missing),))
        for cost, missing in ((5.0, 0), (8.0, 0), (16.0, 0), (1.0, 4))
    ]
    assert median_savings(measured) == {"least-waste": pytest.approx(0.5)}


def test_the_table_fits_a_hundred_columns() -> None:
    wide = replace(OURS, instance="gpu-trace-curated-1000", cost_usd=12_083.5, pods=100_000)
    wide = replace(wide, baselines=tuple(figures(12_000.0, name=name) for name in RULES))
    text = shown([wide])
    assert max(map(len, text.splitlines())) <= 100
    assert "…" not in text
    assert "0.993" in text


# --- from the command line ------------------------------------------------------------------------


def test_list_names_every_instance(capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert "gpu-trace-1000" in text
    assert "worked-t4-pair" in text
    assert max(map(len, text.splitlines())) <= 100


def test_list_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert suite.main(["--list", "--instances", "worked-t4*", "-o", "json"]) == 0
    names = [entry["name"] for entry in json.loads(capsys.readouterr().out)["instances"]]
    assert names == ["worked-t4-five", "worked-t4-pair"]


def test_worked_cases_are_solved_to_the_optimum_and_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--instances", "worked-*", "--output", str(tmp_path), "-o", "json"]
    assert suite.main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    costs = {m["instance"]: m["cost_usd"] for m in result["measurements"]}
    assert costs == {
        "worked-daemon": 0.68,
        "worked-g5-pair": 2.012,
        "worked-gpu-pair": 1.052,
        "worked-i3-or-r5": 0.504,
        "worked-one-4-50": 1.204,
        "worked-one-6-24": 0.752,
        "worked-six-3-50": 7.224,
        "worked-spot-or-not": pytest.approx(0.75744),
        "worked-t4-five": 2.63,
        "worked-t4-pair": 1.052,
        "worked-three-and-one": 0.255,
    }
    assert all(m["gap"] == 0 for m in result["measurements"])
    assert result["losses"] == []
    assert suite.main(arguments) == 0
    (file,) = tmp_path.glob("*.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(lines) == 22  # the second run is appended
    assert {"run", "machine", "instance", "steps", "baselines"} <= lines[0].keys()
    assert {"cores", "python", "versions", "commit"} <= lines[0]["machine"].keys()


def test_instances_without_data_are_listed_as_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BINWRIGHT_SHARED_DATA", raising=False)
    assert suite.main(["--instances", "manifests", "--output", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "Skipped" in text
    assert "set BINWRIGHT_SHARED_DATA or --data" in " ".join(text.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--instances", "nothing*"], "no instance matches 'nothing*'"),
        (["--deadline", "soon"], "'soon' is not a duration"),
        (["--seeds", "0"], "'0' is not a number from 1 to 1000"),
        (["-o", "xml"], "invalid choice: 'xml'"),
    ],
)
def test_a_wrong_option_ends_with_code_2_and_says_which(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        suite.main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_pictures_are_written(tmp_path: Path) -> None:
    measured = replace(OURS, baselines=(figures(5.0), figures(3.0, unplaced=2, name="other")))
    found = write_plots([measured, replace(measured, instance="two", gap=0.0)], tmp_path / "new")
    assert [path.name for path in found] == ["gap-over-time.png", "cost-ratios.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in found)

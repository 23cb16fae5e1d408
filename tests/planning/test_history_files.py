"""History tables and ``binwright plan history``."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from binwright_clients.cli.main import main
from binwright_clients.errors import InputError
from binwright_clients.forecast import read_forecast
from binwright_clients.forecast.history import read_histories
from click.testing import CliRunner

HEADER = "workload,region,date,replicas,cpu_milli,memory_mib,profile\n"


def rows(days: int, first: date = date(2026, 8, 31), step: int = 1) -> list[str]:
    return [
        f"api,us-east-1,{first + timedelta(days=step * day)},{100 + 10 * (day % 7)},500,768,office\n"
        for day in range(days)
    ]


def write(tmp_path: Path, lines: list[str], header: str = HEADER) -> str:
    file = tmp_path / "history.csv"
    file.write_text(header + "".join(lines), encoding="utf-8")
    return str(file)


def test_history_is_read_with_its_shape(tmp_path: Path) -> None:
    (history,) = read_histories(write(tmp_path, rows(30)))
    assert (history.workload, history.region, history.step) == ("api", "us-east-1", timedelta(days=1))
    assert history.values[:8] == [100, 110, 120, 130, 140, 150, 160, 100]
    assert history.shape == {"cpu_milli": "500", "memory_mib": "768", "profile": "office"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: [*lines[:5], *lines[6:]], "line 7: date: must be 2026-09-05"),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], "line 7: date: must be 2026-09-05"),
        (lambda lines: list(reversed(lines)), "line 3: date: must be after the row before"),
        (lambda lines: [lines[0].replace(",100,", ",-1,"), *lines[1:]], "replicas: must not be negative"),
        (lambda lines: [lines[0].replace(",100,", ",inf,"), *lines[1:]], "line 2: replicas: is not a finite"),
        (lambda lines: [lines[0].replace(",100,", ",1e12,"), *lines[1:]], "line 2: replicas: is too large"),
        (lambda lines: [lines[0].replace("2026-08-31", "31.8.2026"), *lines[1:]], "date: is not a day"),
        (lambda lines: [*lines[:-1], lines[-1].replace("768", "769")], "workload: has another shape"),
        (lambda lines: lines[:1], "has a single point"),
        (lambda lines: lines[:0], "has no rows"),
    ],
)  # fmt: skip
def test_mistake_names_line_column_and_value(tmp_path: Path, change: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_histories(write(tmp_path, change(rows(30))))  # type: ignore[operator]
    assert message in str(caught.value)
    assert "history.csv" in str(caught.value)


def test_missing_column_and_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lacks the column date"):
        read_histories(write(tmp_path, [], header="workload,region,replicas\n"))
    other = tmp_path / "history.yaml"
    other.write_text("a: 1\n", encoding="utf-8")
    with pytest.raises(InputError, match="is no table"):
        read_histories(str(other))


def test_command_writes_a_table_that_plan_reads(tmp_path: Path) -> None:
    """Thirteen weeks of an exact weekly pattern that peaks at 160: the quarters after go on with it."""
    pytest.importorskip("statsmodels")
    source = write(tmp_path, rows(91))
    arguments = ["plan", "history", source, "--season", "7", "--quarters", "2"]
    result = CliRunner().invoke(main, [*arguments, "-o", "csv"])
    assert result.exit_code == 0, result.output
    target = tmp_path / "forecast.csv"
    target.write_text(result.stdout, encoding="utf-8")
    forecast = read_forecast(str(target))
    assert [period.name for period in forecast.periods] == ["2027-Q1", "2027-Q2"]
    assert all(155 <= demand.band.p50 <= 170 for demand in forecast.demands)
    tested = CliRunner().invoke(main, [*arguments, "--backtest", "14", "-o", "json"])
    assert tested.exit_code == 0, tested.output
    document = json.loads(tested.stdout)
    assert (document["backtest"]["spans"], document["backtest"]["points"]) == (5, 14)
    assert document["backtest"]["p90"] == 1.0
    assert len(document["demands"]) == 2


def test_further_resources_of_a_history_are_those_of_the_forecast(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    header = HEADER.replace("profile", "resource:hugepages-2Mi")
    source = write(tmp_path, [line.replace("office", "64Mi") for line in rows(40)], header)
    result = CliRunner().invoke(main, ["plan", "history", source, "--quarters", "1", "--backtest", "7"])
    assert result.exit_code == 0, result.output
    table = CliRunner().invoke(main, ["plan", "history", source, "--quarters", "1", "-o", "csv"]).stdout
    target = tmp_path / "forecast.csv"
    target.write_text(table, encoding="utf-8")
    (workload,) = read_forecast(str(target)).workloads
    assert workload.template.requests["hugepages-2Mi"] == 64 * 2**20


def test_backtest_is_told_beside_a_table_of_bands_too(tmp_path: Path) -> None:
    """Five whole spans of a week lie behind three weeks: the exact pattern holds in all of them."""
    pytest.importorskip("statsmodels")
    arguments = [
        "plan",
        "history",
        write(tmp_path, rows(60)),
        "--season",
        "7",
        "--backtest",
        "7",
        "-o",
        "csv",
    ]
    result = CliRunner().invoke(main, arguments)
    assert "backtest: of 5 spans of 7 points the highest point lay at or below p50 in" in result.stderr
    assert "backtest" not in result.stdout


def test_history_that_jumps_by_orders_of_magnitude_is_refused_rather_than_forecast(tmp_path: Path) -> None:
    """One replica and a million in turn, at random: a year on, p99 is beyond any cluster."""
    pytest.importorskip("statsmodels")
    header = "workload,region,date,replicas\n"
    first = date(2026, 9, 1)
    jumps = [f"api,us-east-1,{first + timedelta(days=d)},{10 ** (d * d % 7)}\n" for d in range(40)]
    result = CliRunner().invoke(main, ["plan", "history", write(tmp_path, jumps, header)])
    assert result.exit_code == 2
    assert "api in us-east-1: p99 of 2027-Q" in result.stderr
    assert "moves too much" in " ".join(result.stderr.split())


def test_short_history_is_bad_input(tmp_path: Path) -> None:
    pytest.importorskip("statsmodels")
    result = CliRunner().invoke(main, ["plan", "history", write(tmp_path, rows(15)), "--season", "7"])
    assert result.exit_code == 2
    assert "api in us-east-1: a history of 15 points is too short: it takes 21" in result.stderr

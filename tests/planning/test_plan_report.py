"""The page of a plan: whole, offline, and safe whatever the forecast calls things."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from binwright_clients.cli.main import main
from binwright_clients.cli.plan_charts import HEIGHT, Series, bars
from click.testing import CliRunner

TABLE = """workload,region,period,cpu_milli,memory_mib,capacity_type,profile,p50,p90,p99
<b>api</b>,us-east-1,2027-Q1,500,768,,office,40,44,60
batch,us-east-1,2027-Q1,1000,1536,spot,night,8,8,8
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("plan")
    source, target = folder / "<i>demand.csv", folder / "plan.html"
    source.write_text(TABLE, encoding="utf-8")
    arguments = ["plan", str(source), "--deadline", "2s", "-q", "-o", "json", "--report", str(target)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return target.read_text(encoding="utf-8")


def test_page_asks_nobody_for_anything(page: str) -> None:
    for mark in ("http", "src=", "<script", "@import", "url(", "<link"):
        assert mark not in page, mark


def test_names_cannot_become_markup(page: str) -> None:
    assert "&lt;i&gt;demand.csv" in page
    assert "<i>" not in page
    assert "<b>" not in page


def test_every_price_has_its_source_and_date(page: str) -> None:
    nodes = page.split("<h2>Nodes at the busiest")[1]
    prices = re.findall(r"<td>(spot|on-demand)</td>.*?</tr>", nodes)
    dated = re.findall(r"<td>[^<]+, \d{4}-\d\d-\d\d</td></tr>", nodes)
    assert prices
    assert len(prices) == len(dated)


def test_pools_add_up_to_the_nodes_at_list_prices(page: str) -> None:
    section = page.split("<h2>Nodes by pool")[1].split("<h2>")[0]
    rows = [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>.*?</td>", row)]
        for row in re.findall(r"<tr>(<td.*?)</tr>", section)
    ]
    amounts = [int(row[2].strip("~").replace(",", "")) for row in rows]
    assert rows[-1][0] == "all nodes at list prices"
    assert sum(amounts[:-1]) == pytest.approx(amounts[-1], abs=len(amounts))
    assert all(re.fullmatch(r"[\d, -]+", row[3]) for row in rows[:-1] if "further" not in row[0])


def test_demand_is_told_of_one_hour_and_not_of_every_workload_s_own(page: str) -> None:
    """At noon 60 of api and a tenth of eight of batch, which runs at night: 60.8 pods, 30 and 0.8 vCPU."""
    assert "<title>2027-Q1, p99: 61</title>" in page
    assert "<title>2027-Q1, wanted p99: 31</title>" in page


def test_charts_are_well_formed_and_inside_their_frames(page: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(charts) == 4
    for chart in charts:
        for bar in ElementTree.fromstring(chart).iter("rect"):
            assert float(bar.get("height", "-1")) >= 0
            assert 0 <= float(bar.get("y", "-1")) <= HEIGHT


def test_stacked_bars_stand_on_each_other() -> None:
    """30 and 10 of a scale of 40: three quarters and one quarter of the plot's 238 units."""
    chart = bars("t", ["a"], [Series("x", (30.0,)), Series("y", (10.0,))], "$", stacked=True)
    drawn = [bar for bar in ElementTree.fromstring(chart).iter("rect") if list(bar)]
    heights = [float(bar.get("height", "0")) for bar in drawn]
    assert heights == [178.5, 59.5]
    assert float(drawn[1].get("y", "0")) + heights[1] == pytest.approx(float(drawn[0].get("y", "0")), abs=0.1)
    assert "a, x: $30" in chart


def test_report_that_cannot_be_written_fails_before_the_solve(tmp_path: Path) -> None:
    source = tmp_path / "demand.csv"
    source.write_text(TABLE, encoding="utf-8")
    result = CliRunner().invoke(main, ["plan", str(source), "--report", str(tmp_path / "no" / "plan.html")])
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr


@pytest.mark.parametrize("name", ["demand.csv", "plan.json", "page"])
def test_page_under_another_name_than_a_pages_is_refused(tmp_path: Path, name: str) -> None:
    source = tmp_path / "demand.csv"
    source.write_text(TABLE, encoding="utf-8")
    result = CliRunner().invoke(main, ["plan", str(source), "--report", str(tmp_path / name)])
    assert result.exit_code == 2
    assert "--report: a page's name must end in .html" in result.stderr
    assert source.read_text(encoding="utf-8") == TABLE


def test_page_is_not_written_over_the_forecast(tmp_path: Path) -> None:
    (tmp_path / "demand.html").hardlink_to(_written(tmp_path / "demand.csv"))
    arguments = ["plan", str(tmp_path / "demand.csv"), "--report", str(tmp_path / "demand.html")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "demand.csv is read, and would be written over" in " ".join(result.stderr.split())


def _written(file: Path) -> Path:
    file.write_text(TABLE, encoding="utf-8")
    return file

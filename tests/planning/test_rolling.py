"""Planning on from a plan held: what was bought stays, and changing nodes costs something."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.cli.main import main
from binwright_clients.errors import InputError
from binwright_clients.forecast.holdings import with_held
from binwright_clients.forecast.saved_plan import read_plan
from binwright_optimizer.model.forecast import PPM, Band
from binwright_optimizer.model.offers import (
    CommitmentOffer,
    HeldCommitment,
    HeldReservation,
    Scope,
    Upfront,
)
from binwright_optimizer.planning.plan import Plan
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.planning.rolling import HeldPlan
from click.testing import CliRunner
from plan_cases import forecast, market

TEN = forecast([Band.exactly(10)], profile="flat")
HOURS = 2160


def replanned(held: Mapping[tuple[str, str], int], churn_usd: float, **prices: float) -> Plan:
    """A quarter for which an earlier plan had these nodes."""
    block = "region-1", "", 0, "certain", (("flat", PPM),)
    return make_plan(
        TEN,
        PlanParams(30.0),
        catalogs=market(**prices),
        held=HeldPlan({block: held}, round(churn_usd * 1e6)),
    )


def bought(plan: Plan) -> dict[str, int]:
    return {p.instance_type: p.nodes for p in plan.mixes[0].on_demand.purchases}


@pytest.mark.parametrize(("churn", "chosen"), [(10.0, "e4"), (30.0, "c4")])
def test_nodes_change_where_that_saves_more_than_it_costs(churn: float, chosen: str) -> None:
    """Ten c4 at 0.10 $/h are held; e4 at 0.09 saves 0.01 * 2160 = 21.60 $ a node."""
    found = replanned({("c4", "zone-a"): 10}, churn, c4=0.10, e4=0.09)
    assert bought(found) == {chosen: 10}
    price = {"c4": 100_000, "e4": 90_000}[chosen]
    cost = 10 * churn * 1e6 if chosen == "e4" else 0
    assert found.churn == pytest.approx(cost, abs=HOURS)
    assert found.total == pytest.approx(10 * price * HOURS + cost, abs=HOURS)
    # What is proven holds nodes and churn together: the dearer way is no better.
    assert found.bound <= found.total
    assert found.gap < 1e-4
    assert sum(found.by_period) == found.total


def test_growth_adds_nodes_to_those_held() -> None:
    """Seven c4 are held, three more are needed: e4 at 0.09, each with 5 $ of churn."""
    found = replanned({("c4", "zone-a"): 7}, 25.0, c4=0.10, e4=0.09)
    assert bought(found) == {"c4": 7, "e4": 3}
    assert found.churn == pytest.approx(3 * 25e6, abs=HOURS)
    assert found.gap < 2e-3


def test_churn_is_proven_where_commitments_pay_for_most_of_a_node() -> None:
    """Seven of ten c4 are held, and 60 % less is paid for all: three new nodes cost churn of 25 $ in full."""
    offer = CommitmentOffer("60 % off", 1, Upfront.NONE, 600_000)
    block = "region-1", "", 0, "certain", (("flat", PPM),)
    found = make_plan(
        replace(TEN, offers=(offer,)),
        PlanParams(60.0),
        catalogs=market(c4=0.10),
        held=HeldPlan({block: {("c4", "zone-a"): 7}}, 25_000_000),
    )
    assert bought(found) == {"c4": 10}
    assert found.total == pytest.approx(10 * 40_000 * HOURS + 3 * 25e6, rel=0.01)
    assert found.gap < 0.02


@pytest.mark.parametrize("held", [{}, {"c4": 4}, {"c4": 3, "e8": 1}, {"e8": 4}])
def test_plan_with_churn_is_the_best_of_all_mixes(held: dict[str, int]) -> None:
    """Ten pods, three on a c4 at 0.10 and seven on an e8 at 0.21, 100 $ of churn: all mixes are looked at."""
    nodes = {(name, "zone-a"): count for name, count in held.items()}
    block = "region-1", "", 0, "certain", (("flat", PPM),)
    found = make_plan(
        forecast([Band.exactly(10)], profile="flat", cpu=(1000,)),
        PlanParams(60.0),
        catalogs=market(c4=0.10, e8=0.21),
        held=HeldPlan({block: nodes}, 100_000_000),
    )
    hourly = 100_000_000 / HOURS
    best = min(
        100_000 * c4
        + 210_000 * e8
        + hourly * (max(0, c4 - held.get("c4", 0)) + max(0, e8 - held.get("e8", 0)))
        for c4 in range(6)
        for e8 in range(6)
        if 3 * c4 + 7 * e8 >= 10
    )
    assert found.total == pytest.approx(best * HOURS, rel=1e-5)
    assert found.bound <= found.total


def test_types_no_longer_sold_are_replaced() -> None:
    assert bought(replanned({("old", "zone-a"): 10}, 50.0, c4=0.10)) == {"c4": 10}


TABLE = """workload,region,period,cpu_milli,memory_mib,replicas
api,us-east-1,2027-Q1,500,768,40
api,us-east-1,2027-Q2,500,768,44
"""
NEXT = """workload,region,period,cpu_milli,memory_mib,replicas
api,us-east-1,2027-Q2,500,768,50
api,us-east-1,2027-Q3,500,768,55
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rolling")
    (folder / "now.csv").write_text(TABLE, encoding="utf-8")
    (folder / "next.csv").write_text(NEXT, encoding="utf-8")
    result = CliRunner().invoke(
        main, ["plan", str(folder / "now.csv"), "-q", "--deadline", "3s", "-o", "json"]
    )
    assert result.exit_code == 0, result.output
    (folder / "plan.json").write_text(result.stdout, encoding="utf-8")
    return folder


def test_command_holds_what_the_plan_bought(saved: Path) -> None:
    held = read_plan(str(saved / "plan.json"))
    before = [one for one in held.commitments if one.start == date(2027, 1, 1)]
    assert before
    arguments = ["plan", str(saved / "next.csv"), "--from", str(saved / "plan.json"), "--churn-cost", "20"]
    result = CliRunner().invoke(main, [*arguments, "-q", "--deadline", "3s", "-o", "json"])
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    names = {c["commitment"] for c in plan["periods"][0]["coverage"]}
    assert {one.name for one in before} <= names
    assert plan["churn_usd"] >= 0
    afresh = CliRunner().invoke(
        main, ["plan", str(saved / "next.csv"), "-q", "--deadline", "3s", "-o", "json"]
    )
    assert plan["total_cost_usd"] < json.loads(afresh.stdout)["total_cost_usd"]


def test_plan_made_from_another_is_verified_with_that_one(saved: Path, tmp_path: Path) -> None:
    """What is held is no part of the forecast: with it the plan holds, without it the sums differ."""
    earlier, asked, file = str(saved / "plan.json"), str(saved / "next.csv"), tmp_path / "next.json"
    arguments = ["plan", asked, "--from", earlier, "-q", "--deadline", "3s", "-o", "json"]
    file.write_text(CliRunner().invoke(main, arguments).stdout, encoding="utf-8")
    verified = CliRunner().invoke(main, ["plan", "verify", str(file), asked, "--from", earlier])
    assert verified.exit_code == 0, verified.output
    assert "holds" in verified.stdout
    forgotten = CliRunner().invoke(main, ["plan", "verify", str(file), asked])
    assert forgotten.exit_code == 1
    assert "was it made --from an earlier plan?" in " ".join(forgotten.stdout.split())


def test_changes_to_a_plans_nodes_are_verified_with_that_plan(saved: Path, tmp_path: Path) -> None:
    earlier, asked, file = str(saved / "plan.json"), str(saved / "next.csv"), tmp_path / "next.json"
    arguments = ["plan", asked, "--from", earlier, "--churn-cost", "30", "-q", "--deadline", "3s"]
    file.write_text(CliRunner().invoke(main, [*arguments, "-o", "json"]).stdout, encoding="utf-8")
    verified = CliRunner().invoke(main, ["plan", "verify", str(file), asked, "--from", earlier])
    assert verified.exit_code == 0, verified.output
    assert json.loads(file.read_text(encoding="utf-8"))["churn_usd"] > 0
    forgotten = CliRunner().invoke(main, ["plan", "verify", str(file), asked])
    assert forgotten.exit_code == 2
    said = " ".join(forgotten.stderr.split())
    assert "next.json: the plan counts what it costs to change an earlier plan's nodes" in said
    assert "--from" in said


def test_churn_without_a_plan_is_refused(saved: Path) -> None:
    result = CliRunner().invoke(main, ["plan", str(saved / "next.csv"), "--churn-cost", "5"])
    assert result.exit_code == 2
    assert "means nothing without --from" in result.stderr


def document(saved: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((saved / "plan.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("periods",), None, "periods: is no plan of `binwright plan -o json`: is missing"),
        (("cloud",), None, "cloud: is no plan of `binwright plan -o json`: is missing, as in plans of"),
        (("held_commitments",), None, "is missing, as in plans of earlier versions: make the plan again"),
        (("periods", 0, "start"), "soon", "must be a day such as 2027-01-01 (got 'soon')"),
        (("periods", 0, "start"), 5, "must be a day such as 2027-01-01 (got '5')"),
        (("cloud",), 5, "cloud: is no plan of `binwright plan -o json`: must be text (got '5')"),
        (("commitments", 0, "usd_per_hour"), "x", "commitments[0].usd_per_hour"),
        (("commitments", 0, "nodes"), 2, "must name the one type and the region of reserved nodes"),
        (("commitments", 0, "covers", "zone"), "us-east-1a", "covers.zone: is no plan"),
        (("commitments", 0, "usd_per_hour"), -3, "must be 0 to 1,000,000 dollars an hour"),
        (("commitments", 0, "discount"), 1.5, "must be at least 0 and below 1"),
        (("commitments", 0, "end"), "2020-01-01", "must be after start"),
        (("periods", 0, "mixes", 0, "on_demand", "purchases", 0, "nodes"), None, "purchases[0].nodes"),
        (("scenarios", 0, "probability"), [], "scenarios[0].probability"),
        (
            ("periods", 0, "mixes", 0, "scenario"),
            "other",
            "periods[0].mixes[0].scenario: is no plan of `binwright plan -o json`: is none of the plan's",
        ),
    ],
)
def test_damaged_plan_is_named_by_file_and_field(
    saved: Path, tmp_path: Path, path: tuple[Any, ...], value: object, message: str
) -> None:
    body = document(saved)
    owner: Any = body
    for key in path[:-1]:
        owner = owner[key]
    owner[path[-1]] = value
    file = tmp_path / "damaged.json"
    file.write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_plan(str(file))
    assert message in str(caught.value)
    assert "damaged.json" in str(caught.value)


def test_only_what_was_bought_before_and_lasts_is_held(saved: Path) -> None:
    asked = forecast([Band.exactly(1)] * 2)
    first = HeldCommitment("a", 10, 300_000, date(2026, 1, 1), date(2027, 6, 1))
    ended = HeldReservation("b", "m5.large", "us-east-1", 3, date(2025, 1, 1), date(2026, 6, 1))
    later = HeldCommitment("c", 10, 300_000, date(2027, 1, 1), date(2028, 6, 1), Scope())
    plan = replace(read_plan(str(saved / "plan.json")), commitments=(first, ended, later))
    assert plan.held_before(asked) == (("commitments[0]", first),)
    early = replace(asked, periods=(replace(asked.periods[0], start=date(2026, 10, 1)),))
    with pytest.raises(InputError, match="the plan begins after the forecast's first period"):
        plan.held_before(early)


ROLLED = """apiVersion: binwright.dev/v1
kind: Forecast
cloud: {cloud}
periods: [{periods}]
commitments:
  held: [{held}]
  offers: [{{name: "3 years", years: 3, upfront: none, discount: 0.45}}]
workloads:
  - name: api
    requests: {{cpu: 500m, memory: 768Mi}}
    demand: {{{region}: {{{demand}}}}}
"""


def rolled(folder: Path, name: str, earlier: str = "", held: str = "", *quarters: str) -> dict[str, Any]:
    """The plan for equal demand in some quarters, made from an earlier one."""
    periods = ", ".join(f"2027-{quarter}" for quarter in quarters)
    demand = ", ".join(f"2027-{quarter}: 40" for quarter in quarters)
    text = ROLLED.format(cloud="aws", periods=periods, held=held, region="us-east-1", demand=demand)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    plan_from = ["--from", str(folder / f"{earlier}.json")] if earlier else []
    arguments = ["plan", str(folder / f"{name}.yaml"), *plan_from, "-q", "--deadline", "3s", "-o", "json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    (folder / f"{name}.json").write_text(result.stdout, encoding="utf-8")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_what_is_bought_once_is_held_however_often_a_plan_is_rolled_on(tmp_path: Path) -> None:
    """Three years bought in the first quarter serve the third: equal demand needs nothing more."""
    first = rolled(tmp_path, "first", "", "", "Q1", "Q2")
    assert [one["start"] for one in first["commitments"]] == ["2027-01-01"]
    hourly = first["commitments"][0]["usd_per_hour"]
    second = rolled(tmp_path, "second", "first", "", "Q2", "Q3")
    third = rolled(tmp_path, "third", "second", "", "Q3", "Q4")
    for later in (second, third):
        assert later["commitments"] == []
        held = [(one["name"], one["usd_per_hour"]) for one in later["held_commitments"]]
        assert held == [("3 years", hourly)]
        assert later["expected_cost_usd"] < first["expected_cost_usd"] / 100
    page = tmp_path / "third.html"
    arguments = [str(tmp_path / "third.yaml"), "--from", str(tmp_path / "second.json"), "--report", str(page)]
    shown = CliRunner().invoke(main, ["plan", *arguments, "-q", "--deadline", "3s"])
    table = shown.stdout[shown.stdout.index("Held") : shown.stdout.index("No commitment pays.")]
    assert "3 years" in table
    assert f"{hourly:.2f}" in table
    assert "<td>3 years</td>" in page.read_text(encoding="utf-8")
    diffed = CliRunner().invoke(
        main, ["plan", "diff", str(tmp_path / "second.json"), str(tmp_path / "third.json"), "-o", "json"]
    )
    assert json.loads(diffed.stdout)["commitments_usd_per_hour"] == []


def test_what_a_forecast_states_and_the_plan_held_counts_once(tmp_path: Path) -> None:
    """One dollar an hour is one dollar an hour; two dollars of the same name and days are a contradiction."""
    stated = "{{name: old, usdPerHour: {}, discount: 0.3, start: 2026-01-01, end: 2029-01-01}}"
    rolled(tmp_path, "first", "", stated.format(1), "Q1")
    second = rolled(tmp_path, "second", "first", stated.format(1), "Q2")
    assert [one["name"] for one in second["held_commitments"] if one["name"] == "old"] == ["old"]
    with pytest.raises(AssertionError) as caught:
        rolled(tmp_path, "third", "second", stated.format(2), "Q3")
    said = " ".join(str(caught.value).split())
    assert "second.json: held_commitments[0]: old from 2026-01-01 to 2029-01-01 is 1 $/h" in said
    assert "but 2 $/h at a discount of 0.3 in" in said


def test_plan_of_another_cloud_is_refused_with_file_field_and_values(saved: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    text = ROLLED.format(cloud="gcp", periods="2027-Q2", held="", region="us-central1", demand="2027-Q2: 5")
    other.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["plan", str(other), "--from", str(saved / "plan.json"), "-q"])
    assert result.exit_code == 2
    said = " ".join(result.stderr.split())
    assert "plan.json: cloud: the plan is for another cloud than" in said
    assert "other.yaml: gcp (got 'aws')" in said


def test_commitment_held_from_a_plan_that_ends_within_a_period_is_told(saved: Path) -> None:
    asked = forecast([Band.exactly(1)] * 2)
    ends = HeldCommitment("a", 10, 300_000, date(2026, 1, 1), date(2027, 6, 1))
    plan = replace(read_plan(str(saved / "plan.json")), commitments=(), held=(ends,))
    remarks = with_held(asked, "next.yaml", plan).remarks
    assert remarks == (
        "--from: commitment a ends on 2027-06-01, within 2027-Q2, and counts for nothing in that period",
    )


USAGE = """period,region,instance_type,node_hours,cost_usd
2027-Q1,us-east-1,{kind},100,12.5
2027-Q1,us-east-1,{kind},60,7.5
2027-Q1,us-east-1,x1.16xlarge,10,5
"""


def usage(saved: Path, tmp_path: Path, text: str = USAGE) -> str:
    period = read_plan(str(saved / "plan.json")).periods[0]
    (name, _, _), _ = max(period.mixes[0].nodes.items(), key=lambda item: item[1])
    file = tmp_path / "usage.csv"
    file.write_text(text.format(kind=name), encoding="utf-8")
    return str(file)


def test_actuals_are_added_up_and_held_against_the_plan(saved: Path, tmp_path: Path) -> None:
    """160 hours of a planned type and 10 of one that was not, 25 $ billed, over half of the quarter."""
    file = usage(saved, tmp_path)
    arguments = ["plan", "actuals", str(saved / "plan.json"), file, "--until", "2027-02-15", "-o", "json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    (period,) = found["periods"]
    assert (period["share_compared"], period["actual_usd"]) == (0.5, 25.0)
    assert period["planned_usd"] == pytest.approx(document(saved)["periods"][0]["expected_cost_usd"] / 2)
    hours = {row["instance_type"]: (row["planned"], row["actual"]) for row in found["node_hours"]}
    assert hours["x1.16xlarge"] == (0.0, 10.0)
    planned = sum(p for p, _ in hours.values())
    nodes = sum(
        c["probability"] * m["hours_of_week"] * (m["on_demand"]["nodes"] + m["spot"]["nodes"])
        for c in document(saved)["scenarios"]
        for m in document(saved)["periods"][0]["mixes"]
        if m["scenario"] == c["name"]
    )
    assert planned == pytest.approx(nodes * HOURS / 168 / 2)
    assert 160.0 in {actual for _, actual in hours.values()}
    table = CliRunner().invoke(main, ["plan", "actuals", str(saved / "plan.json"), file])
    assert "x1.16xlarge" in table.stdout


def test_cost_that_a_row_leaves_out_is_not_told_for_its_period(saved: Path, tmp_path: Path) -> None:
    """12.5 and 7.5 $ are known, of the third row nothing: 20 $ would be too little."""
    file = usage(saved, tmp_path, USAGE.replace(",10,5", ",10,"))
    result = CliRunner().invoke(main, ["plan", "actuals", str(saved / "plan.json"), file, "-o", "json"])
    (period,) = json.loads(result.stdout)["periods"]
    assert (period["actual_usd"], period["change_usd"]) == (None, None)
    assert "not told" in CliRunner().invoke(main, ["plan", "actuals", str(saved / "plan.json"), file]).stdout


@pytest.mark.parametrize("day", ["2026-12-31", "2027-01-01", "2031-01-01"])
def test_end_of_usage_outside_the_plan_is_refused(saved: Path, tmp_path: Path, day: str) -> None:
    arguments = ["plan", "actuals", str(saved / "plan.json"), usage(saved, tmp_path), "--until", day]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert f"--until: must be after 2027-01-01 and at most 2027-07-01, the plan's periods (got {day})" in (
        " ".join(result.stderr.split())
    )


def test_usage_of_a_period_that_begins_after_its_end_is_refused(saved: Path, tmp_path: Path) -> None:
    file = usage(saved, tmp_path, USAGE + "2027-Q2,us-east-1,x1.16xlarge,10,5\n")
    arguments = ["plan", "actuals", str(saved / "plan.json"), file, "--until"]
    early = CliRunner().invoke(main, [*arguments, "2027-04-01"])
    assert early.exit_code == 2
    said = "line 5: period: begins on 2027-04-01, but the usage ends before 2027-04-01 (--until)"
    assert said in " ".join(early.stderr.split())
    assert "(got '2027-Q2')" in early.stderr
    assert CliRunner().invoke(main, [*arguments, "2027-04-02"]).exit_code == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2027-Q1,us-east-1,x1", "2027-Q9,us-east-1,x1",
         "line 4: period: is no period of the plan; did you mean"),
        ("us-east-1,x1", "us-east-9,x1",
         "line 4: region: is no region of the plan; did you mean 'us-east-1'"),
        ("x1.16xlarge", "m5.huge", "line 4: instance_type: is sold in none of the plan's regions; did you"),
        (",10,5", ",-10,5", "line 4: node_hours: must not be negative (got '-10')"),
        (",10,5", ",10,x", "line 4: cost_usd:"),
        ("node_hours", "hours", "hours: unknown column"),
        ("cost_usd", "resource:cpu", "resource:cpu: unknown column: the table is not one of pods"),
    ],
)  # fmt: skip
def test_mistake_in_usage_names_line_column_and_value(
    saved: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = usage(saved, tmp_path, USAGE.replace(old, new))
    result = CliRunner().invoke(main, ["plan", "actuals", str(saved / "plan.json"), file])
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())

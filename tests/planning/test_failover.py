"""Simulated failover: what a plan promises holds, and what one without the promise loses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from binwright_clients.cli.main import main
from binwright_clients.cli.plan_forecast import plan_document
from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model import Catalog
from binwright_optimizer.model.forecast import (
    Band,
    Forecast,
    Link,
    Resilience,
)
from binwright_optimizer.planning.failover import Failover, Loss, LossKind, Outcome, bought_by, bought_in
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.planning.promises import unbound_promises
from binwright_optimizer.verify.plan import verify_plan
from click.testing import CliRunner
from plan_cases import forecast, sold

HOME, AWAY = "region-1", "region-2"
TEN = forecast([Band.exactly(10)], profile="flat")


def outcomes(asked: Forecast, *catalogs: Catalog) -> dict[Loss, Outcome]:
    lists = {c.name: c for c in catalogs}
    plan = make_plan(asked, PlanParams(60.0), catalogs=lists)
    bought = bought_by(plan)
    simulated = Failover(bought, lists, bought.busiest(0, 0))
    return {loss: simulated.outcome(loss) for loss in simulated.losses()}


def test_promised_zone_loss_leaves_no_protected_pod_without_a_place() -> None:
    """Fifteen nodes in three zones, ten pods on them: any zone's pods find room on the other ten."""
    found = outcomes(replace(TEN, resilience=Resilience(zones=1)), sold(HOME, 3, c4=0.10))
    zones = [outcome for loss, outcome in found.items() if loss.kind is LossKind.ZONE]
    assert len(zones) == 3
    for outcome in zones:
        assert outcome.is_promised
        assert (outcome.nodes_lost, outcome.protected_lost, outcome.lost) == (5, 0, ())
        assert sum(moved.pods for moved in outcome.moved) == outcome.displaced
        assert all(moved.zone != outcome.loss.zone for moved in outcome.moved)
        assert outcome.extra_microusd_per_hour == 0
    assert sum(outcome.displaced for outcome in zones) == 10


def test_plan_without_the_promise_loses_what_stood_in_the_zone() -> None:
    """All ten nodes stand in one zone; ten others elsewhere would replace them for 1.00 $/h."""
    found = outcomes(TEN, sold(HOME, 3, c4=0.10))
    (zone,) = (outcome for loss, outcome in found.items() if loss.kind is LossKind.ZONE)
    assert not zone.is_promised
    assert [(lost.workload, lost.home, lost.pods) for lost in zone.lost] == [("w0", HOME, 10)]
    assert zone.extra_microusd_per_hour == 1_000_000
    assert zone.protected_lost == 0


def test_part_that_is_protected_survives_and_the_rest_is_told() -> None:
    asked = replace(TEN, resilience=Resilience(zones=1, protected_ppm=600_000))
    found = outcomes(asked, sold(HOME, 3, c4=0.10))
    worst = max((o for o in found.values() if o.loss.kind is LossKind.ZONE), key=lambda o: o.displaced)
    assert worst.protected_lost == 0
    assert sum(lost.pods for lost in worst.lost) == worst.displaced <= 4


def test_lost_region_is_replaced_where_the_pods_may_run() -> None:
    workloads = tuple(replace(w, regions=(HOME, AWAY), egress_mib_per_hour=1024) for w in TEN.workloads)
    asked = replace(
        TEN,
        workloads=workloads,
        links=(Link(HOME, AWAY, 80, 500_000),),
        resilience=Resilience(failover_ppm=500_000),
    )
    found = outcomes(asked, sold(HOME, 1, c4=0.10), sold(AWAY, 1, c4=0.20))
    home = found[Loss(LossKind.REGION, HOME)]
    assert (home.displaced, home.protected_lost) == (10, 0)
    assert sum(moved.pods for moved in home.moved) == 5
    assert home.extra_microusd_per_hour == 5 * 200_000


def test_promise_for_all_binds_what_may_run_elsewhere_and_no_workload_promises_what_it_cannot() -> None:
    asked = replace(TEN, resilience=Resilience(failover_ppm=500_000))
    found = outcomes(asked, sold(HOME, 2, c4=0.10))
    assert not found[Loss(LossKind.REGION, HOME)].is_promised
    own = tuple(replace(w, resilience=Resilience(failover_ppm=500_000)) for w in TEN.workloads)
    with pytest.raises(PlanningError, match="50% of it must survive the loss of a region, but it may run"):
        outcomes(replace(TEN, workloads=own), sold(HOME, 2, c4=0.10))


def test_promise_for_all_that_binds_no_pod_of_a_workload_is_told() -> None:
    """w0 may run at home only; with a second region 10 ms away it is bound, with none known it is not."""
    asked = replace(TEN, resilience=Resilience(failover_ppm=1_000_000))
    (said,) = unbound_promises(asked)
    assert said.startswith("100% of all pods are to survive the loss of any region, but nothing is promised")
    assert f"w0 wanted in {HOME}: no second region" in said
    near = replace(
        asked,
        links=(Link(HOME, AWAY, 10),),
        workloads=(replace(asked.workloads[0], regions=(HOME, AWAY), most_latency_ms=10),),
    )
    assert unbound_promises(near) == ()
    assert unbound_promises(replace(near, links=())) == (said,)
    own = replace(TEN.workloads[0], resilience=Resilience(failover_ppm=0))
    assert unbound_promises(replace(asked, workloads=(own,))) == ()
    found = make_plan(asked, PlanParams(60.0), catalogs={HOME: sold(HOME, 1, c4=0.10)})
    assert said in found.warnings(date(2027, 1, 1))


def test_command_does_not_say_that_nothing_is_promised_where_a_promise_binds_no_pod(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(
        """apiVersion: binwright.dev/v1
kind: Forecast
periods: [2027-Q1]
resilience: {zones: 0, regionFailoverShare: 1}
workloads:
  - {name: api, requests: {cpu: "3"}, demand: {us-east-1: {2027-Q1: 2}}}
""",
        encoding="utf-8",
    )
    result = CliRunner().invoke(main, ["plan", "failover", str(file), "-q", "--deadline", "1s"])
    said = " ".join(result.stdout.split())
    assert "warning: 100% of all pods are to survive the loss of any region" in said
    assert "what the forecast promises binds no pod" in said
    assert "promises nothing" not in said


def test_pods_of_a_lost_region_that_may_run_nowhere_else_cannot_be_replaced() -> None:
    found = outcomes(TEN, sold(HOME, 2, c4=0.10))
    assert found[Loss(LossKind.REGION, HOME)].extra_microusd_per_hour is None


@pytest.mark.parametrize("zones", [2, 3])
def test_any_spot_pool_may_go_where_that_is_promised(zones: int) -> None:
    spot = forecast([Band.exactly(6)], profile="flat", kind="spot")
    found = outcomes(
        replace(spot, resilience=Resilience(spot_pools=1)), sold(HOME, zones, kind="spot", c4=0.04, c8=0.09)
    )
    pools = [outcome for loss, outcome in found.items() if loss.kind is LossKind.SPOT_POOL]
    assert len(pools) >= zones
    assert all(outcome.is_promised and not outcome.lost for outcome in pools)


def test_a_saved_plan_fails_over_as_the_plan_at_hand_in_every_hour() -> None:
    """Two quarters of office hours over two regions of three zones, in all of their four blocks."""
    asked = forecast([Band.exactly(9), Band(9, 10, 12)], cpu=(2000, 700))
    movable = replace(asked.workloads[0], regions=(HOME, AWAY))
    asked = replace(asked, workloads=(movable, asked.workloads[1]), resilience=Resilience(zones=1))
    lists = {c.name: c for c in (sold(HOME, 3, c4=0.10, c8=0.19), sold(AWAY, 2, c4=0.11))}
    plan = make_plan(asked, PlanParams(60.0), catalogs=lists)
    document = json.loads(json.dumps(plan_document(plan)))
    assert verify_plan(asked, lists, (STEADY,), document).findings == ()
    at_hand, saved = bought_by(plan), bought_in(document["certificate"], asked, lists)
    assert saved.splits == at_hand.splits
    promised = 0
    for cell in {cell for cell, _, _ in at_hand.nodes}:
        one, other = Failover(at_hand, lists, cell), Failover(saved, lists, cell)
        assert one.losses() == other.losses()
        for loss in one.losses():
            outcome = other.outcome(loss)
            assert outcome.protected_lost == 0
            assert outcome.nodes_lost == one.outcome(loss).nodes_lost
            promised += outcome.is_promised
    assert promised >= 2 * 2 * 3


DOCUMENT = """apiVersion: binwright.dev/v1
kind: Forecast
periods: [2027-Q1]
commitments: {offers: []}
workloads:
  - name: api
    requests: {cpu: 500m, memory: 768Mi}
    demand: {us-east-2: {2027-Q1: 30}}
"""


@pytest.mark.parametrize(("promise", "said"), [("resilience: {zones: 1}\n", "holds"), ("", "none")])
def test_command_shows_every_loss_and_whether_the_promise_holds(
    tmp_path: Path, promise: str, said: str
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(DOCUMENT + promise, encoding="utf-8")
    result = CliRunner().invoke(main, ["plan", "failover", str(file), "--deadline", "4s"])
    assert result.exit_code == 0, result.output
    assert "region us-east-2" in result.stdout
    assert said in result.stdout
    assert ("every promise holds" in result.stdout) == bool(promise)


def test_command_takes_a_saved_plan_once_it_is_verified(tmp_path: Path) -> None:
    file, saved = tmp_path / "f.yaml", tmp_path / "plan.json"
    file.write_text(DOCUMENT + "resilience: {zones: 1}\n", encoding="utf-8")
    runner = CliRunner()
    made = runner.invoke(main, ["plan", str(file), "-q", "--workers", "1", "-o", "json"])
    saved.write_text(made.stdout, encoding="utf-8")
    command = ["plan", "failover", str(file), "--plan", str(saved), "-o", "json"]
    held = runner.invoke(main, command)
    assert held.exit_code == 0, held.output
    (period,) = json.loads(held.stdout)["periods"]
    assert period["hours_of_week"] == 168
    assert [loss["lost"] for loss in period["losses"]].count("zone") == 3
    document = json.loads(made.stdout)
    document["periods"][0]["splits"][0]["pods_held"] += 1
    saved.write_text(json.dumps(document), encoding="utf-8")
    refuted = runner.invoke(main, command)
    assert refuted.exit_code == 1
    assert "the plan does not hold" in refuted.stderr


def test_command_takes_a_plan_made_from_another_with_that_one(tmp_path: Path) -> None:
    """What is held changes a plan's figures: without the earlier plan it does not hold."""
    runner = CliRunner()
    offers = 'offers: [{name: "3 years", years: 3, upfront: none, discount: 0.5}]'
    for name, quarter, extra in (
        ("a", "2027-Q1", ()),
        ("b", "2027-Q2", ("--from", str(tmp_path / "a.json"))),
    ):
        text = DOCUMENT.replace("2027-Q1", quarter).replace("offers: []", offers)
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        arguments = [str(tmp_path / f"{name}.yaml"), *extra, "-q", "--workers", "1", "-o", "json"]
        made = runner.invoke(main, ["plan", *arguments, "--deadline", "4s"])
        assert made.exit_code == 0, made.output
        (tmp_path / f"{name}.json").write_text(made.stdout, encoding="utf-8")
    command = ["plan", "failover", str(tmp_path / "b.yaml"), "--plan", str(tmp_path / "b.json")]
    held = runner.invoke(main, [*command, "--from", str(tmp_path / "a.json"), "-o", "json"])
    assert held.exit_code == 0, held.output
    forgotten = runner.invoke(main, command)
    assert forgotten.exit_code == 1
    assert "the plan does not hold" in forgotten.stderr


def test_command_names_unknown_periods_and_scenarios(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(DOCUMENT, encoding="utf-8")
    result = CliRunner().invoke(main, ["plan", "failover", str(file), "--period", "2027-Q2"])
    assert result.exit_code == 2
    assert "has no period '2027-Q2'; did you mean '2027-Q1'" in result.stderr
    result = CliRunner().invoke(main, ["plan", "failover", str(file), "--scenario", "worst"])
    assert result.exit_code == 2
    assert "has no scenario 'worst'; it has certain" in result.stderr


@pytest.mark.slow  # two quarters over nine zones, every hour of the week
def test_shipped_example_keeps_its_promises() -> None:
    example = Path(__file__).resolve().parents[2] / "examples" / "resilient.yaml"
    result = CliRunner().invoke(main, ["plan", "failover", str(example), "-o", "json"])
    assert result.exit_code == 0, result.output
    losses = [loss for period in json.loads(result.stdout)["periods"] for loss in period["losses"]]
    assert {loss["lost"] for loss in losses} == {"zone", "spot pool", "region"}
    promised = [loss for loss in losses if loss["is_promised"]]
    assert len([loss for loss in promised if loss["lost"] == "zone"]) >= 2 * 3 * 9
    assert all(loss["protected_pods_lost"] == 0 for loss in promised)

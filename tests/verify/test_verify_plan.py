"""Plans doubted from files alone: sound ones hold, and those for something else do not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.cli.main import main
from binwright_optimizer.model.forecast import (
    Band,
    Period,
    Sampling,
)
from binwright_optimizer.planning.commit import Risk
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.verify.plan import UnverifiableError, verify_plan
from click.testing import CliRunner
from plans_doubted import Document, asked, findings, made, prices, set_in


@pytest.fixture(scope="module")
def document() -> Document:
    return made(asked())


def test_a_plan_with_commitments_of_every_kind_holds(document: Document) -> None:
    found = verify_plan(asked(), prices(), (STEADY,), document)
    assert found.findings == ()
    assert found.total_microusd == round(document["total_cost_usd"] * 1e6)
    assert found.bound_microusd == round(document["lower_bound_usd"] * 1e6)
    assert 0 < document["lower_bound_usd"] <= document["total_cost_usd"]
    assert found.mixes > 10
    assert document["commitments"], "otherwise the plan shows too little"


@pytest.mark.parametrize(
    ("changes", "params"),
    [
        ({}, {"risk": Risk(Fraction(1, 2), Fraction(9, 10))}),
        ({}, {"charges_whole_term": True}),
        ({"sampling": Sampling(7, 3)}, {}),
        ({"service_ppm": 800_000}, {}),
        ({"offers": (), "reservations": ()}, {}),
        ({"held": (), "held_reservations": (), "offers": (), "reservations": ()}, {}),
    ],
)
def test_plans_by_other_measures_hold_too(changes: dict[str, Any], params: dict[str, Any]) -> None:
    forecast = asked(**changes)
    assert findings(forecast, made(forecast, **params)) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"utilisation_ppm": 700_000},
        {"headroom_ppm": 0},
        {"offers": asked().offers[:1]},
        {"held": ()},
        {"periods": (Period(date(2027, 1, 1), date(2027, 3, 31), "2027-Q1"), *asked().periods[1:])},
        {"demands": (replace(asked().demands[0], band=Band(50, 60, 70)), *asked().demands[1:])},
        {"sampling": Sampling(3)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_plan_for_another_forecast_is_refused(changes: dict[str, Any], document: Document) -> None:
    assert findings(asked(**changes), document) != ()


def test_a_plan_at_other_prices_is_refused(document: Document) -> None:
    dearer = prices()
    kind = dearer["r"].instance_types[0]
    offers = tuple(replace(o, price_microusd_per_hour=o.price_microusd_per_hour + 1) for o in kind.offerings)
    dearer["r"] = replace(
        dearer["r"], instance_types=(replace(kind, offerings=offers), *dearer["r"].instance_types[1:])
    )
    assert verify_plan(asked(), dearer, (STEADY,), document).findings != ()


@pytest.mark.parametrize(
    ("mutate", "message"),
    [
        (lambda document: document.pop("certificate"), "holds no certificate"),
        (set_in("certificate.form", 1), "form 1"),
        (set_in("certificate.answers", 3), "cannot be read: TypeError"),
        (set_in("certificate.patterns", ["a|b"]), "cannot be read: ValueError"),
        (set_in("certificate.risk.level", "x"), "cannot be read: ValueError"),
        (set_in("certificate.block_of_hour", "0 2"), "168 hours"),
        (set_in("certificate.total_microusd", 1.5), "no whole number"),
    ],
)
def test_what_cannot_be_read_is_neither_proven_nor_refuted(
    mutate: Callable[[Document], Any], message: str, document: Document
) -> None:
    changed = copy.deepcopy(document)
    mutate(changed)
    with pytest.raises(UnverifiableError, match=message):
        findings(asked(), changed)


FILE = """
apiVersion: binwright.dev/v1
kind: Forecast
regions: [us-east-1]
periods: [2027-Q1]
workloads:
  - name: web
    requests: {cpu: 500m, memory: 1Gi}
    demand: {us-east-1: {2027-Q1: {p50: 20, p90: 24, p99: 30}}}
"""


def test_the_command_says_what_holds_and_what_is_refuted(tmp_path: Path) -> None:
    forecast, plan = tmp_path / "f.yaml", tmp_path / "p.json"
    forecast.write_text(FILE)
    runner = CliRunner()
    made = runner.invoke(main, ["plan", str(forecast), "-q", "--workers", "1", "-o", "json"])
    assert made.exit_code == 0, made.output
    plan.write_text(made.stdout)
    held = runner.invoke(main, ["plan", "verify", str(plan), str(forecast)])
    assert held.exit_code == 0, held.output
    assert "holds" in held.output
    document = json.loads(made.stdout)
    document["total_cost_usd"] -= 1
    plan.write_text(json.dumps(document))
    refuted = runner.invoke(main, ["plan", "verify", str(plan), str(forecast), "-o", "json"])
    assert refuted.exit_code == 1
    answer = json.loads(refuted.stdout)
    assert not answer["holds"]
    assert any(finding.startswith("total_cost_usd is") for finding in answer["findings"])
    plan.write_text("{}")
    empty = runner.invoke(main, ["plan", "verify", str(plan), str(forecast)])
    assert empty.exit_code == 2
    said = " ".join(empty.output.split())
    assert "is no plan of `binwright plan -o json`: total_cost_usd is missing" in said
    plan.write_text("[]")
    wrong = runner.invoke(main, ["plan", "verify", str(plan), str(forecast)])
    assert wrong.exit_code == 2
    assert "is no plan" in wrong.output

"""Plans that count changes to an earlier plan's nodes, doubted from files alone."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from binwright_clients.cli.plan_forecast import plan_document
from binwright_clients.forecast.saved_plan import nodes_held, read_plan
from binwright_optimizer.model import Catalog
from binwright_optimizer.model.forecast import Band, Forecast
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.planning.rolling import HeldPlan
from binwright_optimizer.verify.plan import HeldNodes, UnverifiableError, verify_plan
from plans_doubted import Document, asked, better_statement, cheaper_statement, prices, set_in
from split_plans import places, spread

CHURN_USD = 40


@dataclass(frozen=True)
class Rolled:
    """A plan made from an earlier one, and what that one had."""

    forecast: Forecast
    lists: Mapping[str, Catalog]
    held: HeldNodes
    document: Document

    def findings(self, document: Document | None = None) -> tuple[str, ...]:
        doubted = self.document if document is None else document
        return verify_plan(self.forecast, self.lists, (STEADY,), doubted, self.held).findings


def grown(forecast: Forecast) -> Forecast:
    """Three pods more of each workload, whatever the future."""
    bands = [(d, (d.band.p50, d.band.p90, d.band.p99)) for d in forecast.demands]
    demands = tuple(replace(d, band=Band(*(pods + 3 for pods in band))) for d, band in bands)
    return replace(forecast, demands=demands)


def rolled(folder: Path, forecast: Forecast, lists: Mapping[str, Catalog]) -> Rolled:
    """The plan for grown demand, from the one for a forecast."""
    file = folder / "earlier.json"
    file.write_text(json.dumps(plan_document(make_plan(forecast, PlanParams(600.0), catalogs=lists))))
    later = grown(forecast)
    held = nodes_held(later, read_plan(str(file)))
    plan = make_plan(later, PlanParams(600.0), catalogs=lists, held=HeldPlan(held, CHURN_USD * 1_000_000))
    return Rolled(later, lists, held, json.loads(json.dumps(plan_document(plan))))


@pytest.fixture(scope="module")
def changed_plan(tmp_path_factory: pytest.TempPathFactory) -> Rolled:
    return rolled(tmp_path_factory.mktemp("alone"), asked(), prices())


def test_a_plan_that_counts_changed_nodes_holds(changed_plan: Rolled) -> None:
    document = changed_plan.document
    assert changed_plan.findings() == ()
    assert document["churn_usd"] > 0
    proofs = document["certificate"]["churn"]["of_answers"].split()
    assert set(proofs) != {"-"}, "otherwise the plan shows too little"


def test_without_its_proofs_of_churn_less_is_proven(changed_plan: Rolled) -> None:
    changed = copy.deepcopy(changed_plan.document)
    churn = changed["certificate"]["churn"]
    churn["of_answers"] = " ".join("-" for _ in churn["of_answers"].split())
    (finding, *_) = changed_plan.findings(changed)
    proven, stated = (int(word) for word in finding.split() if word.isdecimal())
    assert proven < stated == changed["certificate"]["bound_microusd"]


def other_proof(document: Document) -> None:
    """The first answer with a proof gets another one's."""
    churn = document["certificate"]["churn"]
    answers = churn["of_answers"].split()
    first = next(at for at, number in enumerate(answers) if number != "-")
    answers[first] = next(number for number in reversed(answers) if number not in ("-", answers[first]))
    churn["of_answers"] = " ".join(answers)


def dearer_nodes_held(document: Document) -> None:
    """Nodes held priced at nothing in every proof of churn: what they are worth is overstated."""
    certificate = document["certificate"]
    for number in certificate["churn_certificates"]:
        entry = certificate["certificates"][number]
        entry["pods"] = " ".join(str(int(price) * 2) for price in entry["pods"].split())
        entry.pop("commitments", None)


MUTATIONS: dict[str, Callable[[Document], None]] = {
    "cost stated too low": cheaper_statement,
    "bound stated too high": better_statement,
    "cheaper changes": set_in("certificate.churn.microusd_per_node", 1),
    "changes that earn money": set_in("certificate.churn.microusd_per_node", -(10**9)),
    "changes for nothing": set_in("certificate.churn", None),
    "no changes told": set_in("churn_usd", 0.0),
    "a proof of more": set_in("certificate.churn.proofs.0.2", 10**9),
    "a surcharge that is not paid": set_in("certificate.churn.proofs.0.1", 10**9),
    "a surcharge below zero": set_in("certificate.churn.proofs.0.1", -1),
    "a family that is not there": set_in("certificate.churn.proofs.0.0", 999),
    "another answer's proof": other_proof,
    "other prices of pods": dearer_nodes_held,
    "answers without a proof or its absence": set_in("certificate.churn.of_answers", "-"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_tampering_with_churn_is_refused(name: str, changed_plan: Rolled) -> None:
    changed = copy.deepcopy(changed_plan.document)
    MUTATIONS[name](changed)
    assert changed_plan.findings(changed) != ()


def fewer(nodes: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {kind: count // 2 for kind, count in nodes.items()}


@pytest.mark.parametrize("change", [fewer, lambda _: {}], ids=["half of them", "none"])
def test_a_plan_made_from_other_nodes_is_refused(change: Any, changed_plan: Rolled) -> None:
    others = {name: change(nodes) for name, nodes in changed_plan.held.items()}
    assert replace(changed_plan, held=others).findings() != ()


def test_changes_are_doubted_with_the_earlier_plan_only(changed_plan: Rolled) -> None:
    with pytest.raises(UnverifiableError, match="with that plan"):
        verify_plan(changed_plan.forecast, changed_plan.lists, (STEADY,), changed_plan.document)


def test_a_plan_over_several_places_that_counts_changed_nodes_holds(tmp_path: Path) -> None:
    """Churn is a twentieth of its cost, and most of it is proven: no bound on nodes alone is as near."""
    found = rolled(tmp_path, spread(), places())
    document = found.document
    assert document["churn_usd"] > 0.05 * document["total_cost_usd"]
    assert document["lower_bound_usd"] > document["total_cost_usd"] - document["churn_usd"]
    assert found.findings() == ()
    cheaper = copy.deepcopy(found.document)
    set_in("certificate.churn.microusd_per_node", 1)(cheaper)
    assert found.findings(cheaper) != ()
    dearer = copy.deepcopy(found.document)
    for prices_named in dearer["certificate"]["whole_prices"]["lists"]:
        prices_named["surcharge"] *= 3
    assert found.findings(dearer) != ()

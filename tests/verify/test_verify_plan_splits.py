"""Plans whose pods are split over places, doubted from files alone."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from binwright_clients.cli.plan_forecast import plan_document
from binwright_optimizer.model.forecast import (
    Link,
    RegionLimit,
    Resilience,
)
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.verify.plan import verify_plan
from plans_doubted import Document, better_statement, cheaper_statement, set_in
from split_plans import places, spread


@pytest.fixture(scope="module")
def split_document() -> Document:
    plan = make_plan(spread(), PlanParams(600.0), catalogs=places())
    document: Document = json.loads(json.dumps(plan_document(plan)))
    return document


def spread_findings(document: Document, **changes: Any) -> tuple[str, ...]:
    return verify_plan(spread(**changes), places(), (STEADY,), document).findings


def test_a_plan_over_several_places_with_promises_and_a_quota_holds(split_document: Document) -> None:
    found = verify_plan(spread(), places(), (STEADY,), split_document)
    assert found.findings == ()
    assert found.total_microusd == round(split_document["total_cost_usd"] * 1e6)
    assert 0.99 * found.total_microusd < found.bound_microusd <= found.total_microusd
    assert {s["zone"] for s in split_document["periods"][0]["splits"]} == {"ra", "rb", "qa", "qb"}


def in_split(change: Callable[[Document], None], kind: int = 0) -> Callable[[Document], None]:
    """A change of the first split of on-demand pods (0) or spot pods (1)."""
    return lambda document: change(document["certificate"]["splits"][kind])


def part_of_pods(at: int, change: Callable[[int], int]) -> Callable[[Document], None]:
    def mutate(split: Document) -> None:
        first, *rest = split["pods"].split()
        parts = [int(part) for part in first.split(":")]
        parts[at] = change(parts[at])
        split["pods"] = " ".join([":".join(map(str, parts)), *rest])

    return mutate


def heavier_cuts(split: Document) -> None:
    pairs = [text.split(":") for text in split["cuts"].split()]
    split["cuts"] = " ".join(f"{cut}:{Fraction(weight) * 3}" for cut, weight in pairs)


def dearer_losses(split: Document) -> None:
    split["losses"] = [[demand, name, str(-1 - Fraction(phi))] for demand, name, phi in split["losses"]]


def dearer_cuts(document: Document) -> None:
    """Prices of pods that no node is worth: the verifier divides them until they prove something, less."""
    for number in document["certificate"]["cut_certificates"]:
        entry = document["certificate"]["certificates"][number]
        while "split" in entry and not entry["pods"]:
            entry = entry["split"]["fewer"]
        prices = [int(price) for price in entry["pods"].split()]
        entry["pods"] = " ".join(str(price * (1 + 9 * (at % 2))) for at, price in enumerate(prices))


def cheaper_whole_nodes(document: Document) -> None:
    """All of them at half the price: so much less is proven."""
    for prices in document["certificate"]["whole_prices"]["lists"]:
        for entry in prices["ppm"]:
            entry[2] //= 2


SPLIT_MUTATIONS: dict[str, Callable[[Document], None]] = {
    "a pod held less": in_split(part_of_pods(2, lambda pods: pods - 1)),
    "a pod held more": in_split(part_of_pods(2, lambda pods: pods + 1)),
    "a pod that does not run": in_split(part_of_pods(3, lambda pods: pods - 1)),
    "more run than are held": in_split(part_of_pods(3, lambda pods: pods + 50)),
    "pods on another site": in_split(part_of_pods(1, lambda site: 3 - site)),
    "pods on a site that is not there": in_split(part_of_pods(1, lambda _: 9)),
    "pods of another demand": in_split(part_of_pods(0, lambda _: 99)),
    "spot pods held less": in_split(part_of_pods(2, lambda pods: pods - 1), kind=1),
    "weights above one": in_split(heavier_cuts),
    "losses of a negative price": in_split(dearer_losses),
    "a price for a quota that is not there": in_split(lambda s: s["quotas"].update({"r": "1"})),
    "cuts that are not there": in_split(lambda s: s.update(cuts="999:1")),
    "a split left out": lambda document: document["certificate"]["splits"].__setitem__(0, None),
    "a bound too high": better_statement,
    "a cost too low": cheaper_statement,
    "readable pods held": set_in("periods.0.splits.0.pods_held", 99),
    "readable pods running": set_in("periods.0.splits.0.pods_running", 99),
    "a readable split left out": lambda document: document["periods"][0]["splits"].pop(),
    "no prices of whole nodes": set_in("certificate.whole_prices", None),
    "other prices of whole nodes": cheaper_whole_nodes,
    "prices of whole nodes that are not there": set_in("certificate.whole_prices.of_cells", "99 - -"),
    "prices of nodes that nobody sells": set_in("certificate.whole_prices.lists.0.ppm.0.1", 7),
    "whole nodes with churn that nobody counts": set_in("certificate.whole_prices.lists.0.surcharge", 5),
    "whole nodes that are paid to run": set_in("certificate.whole_prices.lists.0.surcharge", -5),
    "data for nothing": set_in("periods.0.paid.other_usd", 0.01),
}


def test_cuts_of_dearer_pods_prove_less(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pods have too many combinations for any table, cuts are all that proves the bound."""
    monkeypatch.setattr("binwright_optimizer.verify.whole_nodes.MOST_POINTS", -1)
    plan = make_plan(spread(), PlanParams(600.0), catalogs=places())
    changed: Document = json.loads(json.dumps(plan_document(plan)))
    assert spread_findings(changed) == ()
    dearer_cuts(changed)
    assert spread_findings(changed) != ()


@pytest.mark.parametrize("name", SPLIT_MUTATIONS)
def test_every_tampering_with_splits_is_refused(name: str, split_document: Document) -> None:
    changed = copy.deepcopy(split_document)
    SPLIT_MUTATIONS[name](changed)
    assert spread_findings(changed) != ()


@pytest.mark.parametrize(
    "changes",
    [
        {"resilience": Resilience(zones=1)},
        {"limits": (RegionLimit("q", 1_000),)},
        {"links": (Link("r", "q", 80, 40_000),)},
        {"links": (Link("r", "q", 95, 20_000),)},
    ],
    ids=["a larger promise", "a smaller quota", "dearer data", "a longer way"],
)
def test_a_split_for_another_promise_is_refused(changes: dict[str, Any], split_document: Document) -> None:
    assert spread_findings(split_document, **changes) != ()

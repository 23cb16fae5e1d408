"""Plans of cells too large to be counted: prices of pods prove them, and nothing else does in their place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from binwright_clients.cli.plan_forecast import plan_document
from binwright_optimizer.model.forecast import Band, Resilience
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.verify.plan import UnverifiableError, verify_plan
from plan_cases import forecast, sold

Document = dict[str, Any]
ASKED = replace(forecast([Band.exactly(10)], profile="flat"), resilience=Resilience(zones=1))
LISTS = {"region-1": sold("region-1", 3, d13=0.40)}
HOURLY = 2160 * 1_000_000


@pytest.fixture(scope="module", autouse=True)
def nothing_is_counted() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("binwright_optimizer.verify.whole_split.MOST_STEPS", -1)
        yield


@pytest.fixture(scope="module")
def document(nothing_is_counted: None) -> Document:
    plan = make_plan(ASKED, PlanParams(600.0), catalogs=LISTS)
    found: Document = json.loads(json.dumps(plan_document(plan)))
    return found


def findings(document: Document) -> tuple[str, ...]:
    return verify_plan(ASKED, LISTS, (STEADY,), document).findings


def test_prices_of_pods_prove_more_than_full_nodes_would_cost(document: Document) -> None:
    """Ten pods must fit in any two of three zones, four on a node of 0.40 $/h: six, four and six, five nodes.

    Fifteen pods on full nodes are 1.50 $/h, which is all that a price for each pod proves; 1.80 is proven.
    """
    certificate = document["certificate"]
    assert certificate["total_microusd"] == 2.00 * HOURLY
    assert certificate["bound_microusd"] == pytest.approx(1.80 * HOURLY, rel=1e-4)
    assert certificate["whole_prices"]["trees"], "otherwise the plan shows too little"
    assert findings(document) == ()


def first_leaf(tree: Document) -> Document:
    return first_leaf(tree["fewer"]) if "item" in tree else tree


def in_tree(change: Callable[[Document], None]) -> Callable[[Document], None]:
    return lambda document: change(document["certificate"]["whole_prices"]["trees"][0])


def dearer(tree: Document) -> None:
    """Of some boxes more would be proven so, of the one that proves least it is less."""
    if "item" in tree:
        dearer(tree["fewer"])
        dearer(tree["more"])
    else:
        tree["losses"] = [" ".join(str(3 * int(n)) for n in own.split()) for own in tree["losses"]]
        tree["kept"] = " ".join(str(3 * int(n)) for n in tree["kept"].split())


MUTATIONS: dict[str, Callable[[Document], None]] = {
    "no prices": lambda document: document["certificate"].pop("whole_prices"),
    "dearer pods": in_tree(dearer),
    "pods for nothing": in_tree(
        lambda tree: first_leaf(tree).update(losses=["0 0 0"], kept="0", running="0")
    ),
    "a half for both": in_tree(lambda tree: tree.update(more=tree["fewer"])),
    "another middle": in_tree(lambda tree: tree.update(at_most=9)),
    "an item that is not there": in_tree(lambda tree: tree.update(item=7)),
    "a loss that is not there": in_tree(lambda tree: first_leaf(tree).update(losses=["1 1 1 1"])),
    "a quota that is not there": in_tree(lambda tree: first_leaf(tree).update(quotas="1")),
    "pods that are paid to run": in_tree(lambda tree: first_leaf(tree).update(running="-9")),
    "prices that are not there": lambda document: document["certificate"]["whole_prices"].update(
        tree_of_cells="5"
    ),
    "prices of more cells": lambda document: document["certificate"]["whole_prices"].update(
        tree_of_cells="0 0"
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_tampering_with_prices_of_pods_is_refused(name: str, document: Document) -> None:
    changed = copy.deepcopy(document)
    MUTATIONS[name](changed)
    assert findings(changed) != ()


def test_boxes_halved_without_end_cannot_be_read(document: Document) -> None:
    changed = copy.deepcopy(document)
    (tree,) = changed["certificate"]["whole_prices"]["trees"]
    for _ in range(100):
        tree = {"item": 0, "at_most": 7, "fewer": tree, "more": first_leaf(tree)}
    changed["certificate"]["whole_prices"]["trees"] = [tree]
    with pytest.raises(UnverifiableError, match="halved too often"):
        findings(changed)

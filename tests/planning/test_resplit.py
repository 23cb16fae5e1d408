"""Splits over zones that suit the nodes which commitments make cheap."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from binwright_clients.cli.plan_forecast import plan_document
from binwright_optimizer.model.forecast import PPM, Band, Forecast, Resilience
from binwright_optimizer.model.offers import CommitmentOffer, Scope, Upfront
from binwright_optimizer.planning.mix import STEADY
from binwright_optimizer.planning.plan import Plan
from binwright_optimizer.planning.planner import PlanParams, make_plan
from binwright_optimizer.planning.rolling import HeldPlan
from binwright_optimizer.verify.plan import verify_plan
from plan_cases import forecast, sold

HOURS = 2160
ZONES = 3
PRICES = {"c4": 0.10, "d13": 0.42}
"""Beside daemons they hold one pod of three vCPU, and four."""
LISTS = {"region-1": sold("region-1", ZONES, **PRICES)}


def survivor(pods: int, discount: int = 0) -> Forecast:
    """Pods that survive the loss of a zone, and a discount, if any, for committed spend on d13."""
    asked = replace(forecast([Band.exactly(pods)], profile="flat"), resilience=Resilience(zones=1))
    if discount:
        offer = CommitmentOffer("d13 plan", 1, Upfront.NONE, discount, scope=Scope(("d13",)))
        asked = replace(asked, offers=(offer,))
    return asked


def planned(asked: Forecast, held: HeldPlan | None = None) -> Plan:
    """The plan, proven from its document alone."""
    found = make_plan(asked, PlanParams(600.0), catalogs=LISTS, held=held)
    document = json.loads(json.dumps(plan_document(found)))
    before = None if held is None else held.nodes
    assert verify_plan(asked, LISTS, (STEADY,), document, before).findings == ()
    return found


def pods_held(found: Plan) -> list[int]:
    (cell,) = found.spread.values()
    return sorted(cell.split.pods.get((0, at), 0) for at in range(ZONES))


def test_pods_are_split_so_that_they_fill_the_nodes_that_commitments_make_cheap() -> None:
    """Twelve pods must fit in any two of three zones: six in each, or eight, eight and four.

    At list prices a pod costs least on a c4 of its own, 18 of them: 1.80 $/h. At 40 % off a d13 costs 0.252
    for four pods. Six in each zone take a d13 and two c4, 1.356 $/h; eight, eight and four five d13: 1.26.
    """
    asked = survivor(12, 400_000)
    found = planned(asked)
    assert pods_held(found) == [4, 8, 8]
    assert found.total == 1_260_000 * HOURS
    assert found.bound >= found.total - 1
    assert found.without_commitments == 1_800_000 * HOURS


@pytest.mark.parametrize(
    "splits",
    [
        None,
        ["0:0:8:4 0:1:8:4 0:2:4:4"],
        ["0:0:5:4 0:1:6:4 0:2:6:4"],
        ["0:0:6:4 0:1:6:4 0:2:6:4", None],
        [None],
    ],
    ids=["none", "that of the plan", "one that breaks a promise", "of two cells", "the plan's own"],
)
def test_the_split_of_a_plan_without_commitments_is_its_own(splits: list[str | None] | None) -> None:
    """Six pods in each zone cost it 1.80 $/h; with the plan's eight, eight and four it would cost 2.00."""
    asked = survivor(12, 400_000)
    document = json.loads(json.dumps(plan_document(planned(asked))))
    if splits is None:
        del document["certificate"]["alone_splits"]
    else:
        document["certificate"]["alone_splits"] = splits
    assert verify_plan(asked, LISTS, (STEADY,), document).findings != ()


def test_splits_stay_where_commitments_are_worth_nothing() -> None:
    """At 2 % off four pods on a d13 cost 0.4116 $/h, and 0.40 on nodes of their own."""
    found = planned(survivor(12, 20_000))
    assert pods_held(found) == [6, 6, 6]
    assert found.total == 1_800_000 * HOURS
    assert found.bound >= found.total - 1


def test_pods_are_split_so_that_they_fill_the_nodes_that_are_held() -> None:
    """Five d13 are held, two, two and one in the zones; each further node costs 120 $, 0.0556 $/h.

    Eight, eight and four pods fill them: 2.10 $/h. Six in each zone take a d13 and two c4, 1.86 $/h and churn
    of six nodes, 0.333; 18 c4 cost 1.80 and churn of 18 nodes.
    """
    nodes = {
        ("region-1", f"region-1{zone}", 0, "certain", (("flat", PPM),)): {("d13", f"region-1{zone}"): count}
        for zone, count in (("a", 2), ("b", 2), ("c", 1))
    }
    found = planned(survivor(12), HeldPlan(nodes, 120_000_000))
    assert pods_held(found) == [4, 8, 8]
    assert found.churn == 0
    assert found.total == 2_100_000 * HOURS
    assert found.bound >= found.total - 1

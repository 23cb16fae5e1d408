# ruff: noqa: E501 - one case a line reads as a table
"""Spot policies, and bounds on what may be lost at once: right decisions, and each way to break one."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import (
    CapacityType,
    InstanceType,
    LossBound,
    Policies,
    Problem,
    Share,
    SpotPolicy,
    labels,
)
from binwright_optimizer.model.rules import Rule
from builders import instance_type, offering
from rules import node, ruled

from rule_cases.world import BOX, A, B, box, case, mutant, on, wary, world

THIRD, TWO = Share(ppm=333_333), Share(count=2)

SPOT_RIGHT = [
    case("enough on demand", world(wary(4, min_on_demand=TWO)), box(A, web=2), box(A, "spot", web=2)),
    case("a share, rounded up", world(wary(4, min_on_demand=THIRD)), box(A, web=2), box(A, "spot", web=2)),
    case("all on demand", world(wary(2, min_on_demand=Share(count=5))), box(A, web=2)),
    case("two pools", world(wary(4, max_per_pool=TWO)), box(A, "spot", web=2), box(B, "spot", web=2)),
    case("two nodes of a pool", world(wary(2, max_per_pool=TWO)), box(A, "spot", web=1), box(A, "spot", web=1)),
    case("on demand is no pool", world(wary(4, max_per_pool=Share(count=1))), box(A, web=4)),
    case("a policy of its own", world(ruled("web", 2, spot=SpotPolicy(min_on_demand=Share(count=1))),
                                      policies=Policies(spot=SpotPolicy(min_on_demand=TWO))),
         box(A, web=1), box(A, "spot", web=1)),
    case("an existing node on demand", world(wary(2, min_on_demand=Share(count=1)), existing=[node("n")]),
         box(A, "spot", web=1), on("n", web=1)),
]  # fmt: skip

# A pool is reclaimed within a month with probability 0.1.
RISKY = instance_type(
    "box",
    cpu=8,
    offerings=[
        offering(1),
        *(
            dataclasses.replace(
                offering(0.5, zone=z, capacity_type="spot"), interruption_ppm_per_month=100_000
            )
            for z in (A, B)
        ),
    ],
)
SAFE, SURE = (
    dataclasses.replace(
        RISKY,
        offerings=tuple(dataclasses.replace(o, interruption_ppm_per_month=ppm) for o in RISKY.offerings),
    )
    for ppm in (0, 1_000_000)
)
MONTH = 730 * 3_600


def losing(share: int, probability_ppm: int, window_s: int = MONTH, kind: InstanceType = RISKY) -> Problem:
    policy = SpotPolicy(loss=LossBound(Share(count=share), probability_ppm, window_s))
    return world(ruled("web", 4, spot=policy), kinds=[kind])


LOSS_RIGHT = [
    case("both pools at once are rare enough", losing(2, 10_000), box(A, "spot", web=2), box(B, "spot", web=2)),
    case("one pool is rare enough", losing(1, 190_000), box(A, "spot", web=2), box(B, "spot", web=2)),
    case("a short window", losing(0, 200, 3_600), box(A, "spot", web=4)),
    case("as many as may be lost", losing(2, 1), box(A, "spot", web=2), box(A, web=2)),
    case("nothing on spot", losing(0, 1), box(A, web=4)),
    case("others without a bound", world(ruled("web", 1, spot=SpotPolicy(loss=LossBound(Share(), 1))), ruled("batch", 1, spot=SpotPolicy(max_per_pool=TWO))),
         box(A, web=1), box(A, "spot", batch=1)),
    case("an unknown rate is one a month: e^-1 of all months pass without", losing(0, 632_200, kind=BOX), box(A, "spot", web=4)),
    case("never reclaimed", losing(0, 1, kind=SAFE), box(A, "spot", web=4)),
]  # fmt: skip

SPOT_NODE = node("n", node_labels={labels.CAPACITY_TYPE: CapacityType.SPOT.value})
HALF_ON_SPOT = [box(A, web=2), box(A, "spot", web=2)]
ONE_SAFE = [box(A, web=1), box(A, "spot", web=3)]
TWO_POOLS = [box(A, "spot", web=2), box(B, "spot", web=2)]
ALL_ON_DEMAND = Policies(spot=SpotPolicy(min_on_demand=Share(ppm=1_000_000)))
NOBODY_LOST = Policies(spot=SpotPolicy(loss=LossBound(Share(), 1)))

SPOT_MUTANTS = [
    mutant(Rule.SPOT, "too few on demand", world(wary(4, min_on_demand=TWO)), HALF_ON_SPOT, ONE_SAFE,
           "1 pods of web are off spot capacity and 3 on it, at least 2 must be off it"),
    mutant(Rule.SPOT, "a share of the replicas", world(wary(4, min_on_demand=THIRD)), HALF_ON_SPOT, ONE_SAFE, "at least 2 must be"),
    mutant(Rule.SPOT, "one pool", world(wary(4, max_per_pool=TWO)), TWO_POOLS, [box(A, "spot", web=3), box(B, "spot", web=1)],
           "3 pods of web are on spot box in zone-a, at most 2 may be"),
    mutant(Rule.SPOT, "two nodes of one pool", world(wary(4, max_per_pool=TWO)), TWO_POOLS, [box(A, "spot", web=2), box(A, "spot", web=2)],
           "4 pods of web are on spot box in zone-a"),
    mutant(Rule.PROBLEM_SPOT, "the problem's policy", world(ruled("web", 2), policies=ALL_ON_DEMAND),
           [box(A, web=2)], [box(A, web=1), box(A, "spot", web=1)], "1 pods of web are off spot capacity"),
    mutant(Rule.SPOT, "an existing spot node", world(wary(2, min_on_demand=TWO), existing=[SPOT_NODE]),
           [box(A, web=2)], [box(A, web=1), on("n", web=1)], "1 pods of web are off spot capacity and 1 on it"),
]  # fmt: skip

LOSS_MUTANTS = [
    mutant(Rule.SPOT_LOSS, "one pool with more than may be lost", losing(2, 10_000), TWO_POOLS, [box(A, "spot", web=4)],
           "web loses more than 2 of its pods within 2628000 s with probability 0.1, at most 0.01 is allowed"),
    mutant(Rule.SPOT_LOSS, "either pool", losing(1, 189_999), [box(A, "spot", web=1), box(A, web=3)], TWO_POOLS,
           "more than 1 of its pods within 2628000 s with probability 0.19"),
    mutant(Rule.SPOT_LOSS, "both pools", losing(2, 9_999), HALF_ON_SPOT, TWO_POOLS, "with probability 0.01, at most 0.01 is allowed"),
    mutant(Rule.SPOT_LOSS, "two months", losing(3, 100_000, 2 * MONTH), ONE_SAFE, [box(A, "spot", web=4)], "with probability 0.19"),
    mutant(Rule.SPOT_LOSS, "an unknown rate", losing(0, 632_000, kind=BOX), [box(A, web=4)], [box(A, "spot", web=1), box(A, web=3)],
           "with probability 0.632,"),
    mutant(Rule.SPOT_LOSS, "a pool that is surely lost", losing(0, 999_999, 1, kind=SURE), [box(A, web=4)], [box(A, "spot", web=1), box(A, web=3)],
           "with probability 1,"),
    mutant(Rule.SPOT_LOSS, "the problem's bound", world(ruled("web", 4), kinds=[RISKY], policies=NOBODY_LOST),
           [box(A, web=4)], [box(A, "spot", web=4)], "web loses more than 0 of its pods within 3600 s"),
]  # fmt: skip

RIGHT = [*SPOT_RIGHT, *LOSS_RIGHT]
MUTANTS = [*SPOT_MUTANTS, *LOSS_MUTANTS]

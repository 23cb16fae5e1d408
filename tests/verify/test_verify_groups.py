# ruff: noqa: E501 - one case a line reads as a table
"""Gangs, spot policies and accelerated nodes: right decisions, and each way to break one rule."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from binwright_optimizer.model import (
    CapacityType,
    Decision,
    Gang,
    GangTopology,
    InstanceType,
    LossBound,
    Policies,
    Problem,
    Share,
    SpotPolicy,
    labels,
)
from builders import instance_type, offering
from decisions import bought
from rule_world import (
    BOX,
    GPU,
    NEVER,
    OTHER,
    PLAIN_WEB,
    RACK,
    A,
    B,
    box,
    case,
    check_right,
    check_wrong,
    wary,
    world,
)
from rules import HOSTNAME, ZONE, node, ruled, running


def ring(replicas: int, *topology: GangTopology, least: int | None = None, **parts: Any) -> Problem:
    return world(
        ruled("ring", replicas, gang="g"), OTHER, gangs=(Gang("g", "default", least, topology),), **parts
    )


MEMBER = ruled("member", gang="g")
SAME_ZONE = GangTopology(ZONE)

GANGS_RIGHT = [
    case("all", ring(3), box(A, ring=3, other=3)),
    case("none", ring(3), box(A, other=3)),
    case("enough", ring(3, least=2), box(A, ring=2, other=3)),
    case("enough with those that run", ring(3, least=3, existing=[node("n", running(MEMBER, 2))]), box(A, ring=1, other=3)),
    case("one zone", ring(3, SAME_ZONE), box(B, ring=2), box(B, ring=1), box(A, other=3)),
    case("the zone of those that run", ring(2, SAME_ZONE, existing=[node("n", running(MEMBER), zone=B)]), box(B, ring=2), box(A, other=3)),
    case("a wish", ring(2, GangTopology(ZONE, is_required=False)), box(A, ring=1), box(B, ring=1), box(A, other=3)),
    case("those that run are apart", ring(1, SAME_ZONE, existing=[node("n", running(MEMBER), zone=B), node("m", running(MEMBER), zone=A)]),
         box(B, ring=1), box(A, other=3)),
]  # fmt: skip

GANGS_WRONG = [
    (case("two of three", ring(3), box(A, ring=2, other=3)), "gang: 2 of 3 members of gang default/g are placed: all or none may be"),
    (case("too few", ring(4, least=3), box(A, ring=2, other=3)),
     "gang: 2 members of gang default/g are placed and 0 run, at least 3 are needed"),
    (case("too few with those that run", ring(4, least=4, existing=[node("n", running(MEMBER, 1))]), box(A, ring=2, other=3)),
     "2 members of gang default/g are placed and 1 run, at least 4 are needed"),
    (case("two zones", ring(2, SAME_ZONE), box(A, ring=1), box(B, ring=1), box(A, other=3)),
     "gang: members of gang default/g are in zone-a, zone-b, they need one topology.kubernetes.io/zone"),
    (case("another zone than those that run", ring(2, SAME_ZONE, existing=[node("n", running(MEMBER), zone=B)]), box(A, ring=2, other=3)),
     "are in zone-a, zone-b, they need one"),
    (case("no such label", ring(2, GangTopology(RACK)), box(A, ring=2, other=3)),
     f"gang: a member of gang default/g is on node claim n0, which has no label {RACK}"),
    (case("two nodes", ring(2, GangTopology(HOSTNAME)), box(A, ring=1), box(A, ring=1), box(A, other=3)),
     "are in node claim n0, node claim n1, they need one kubernetes.io/hostname"),
    (case("across workloads",
          world(ruled("ring", 2, gang="g"), ruled("head", 1, gang="g"), gangs=(Gang("g"),)), box(A, ring=2)),
     "2 of 3 members of gang default/g are placed"),
]  # fmt: skip

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
         box(A, "spot", web=1), existing={"n": {"web": 1}}),
]  # fmt: skip

SPOT_NODE = node("n", node_labels={labels.CAPACITY_TYPE: CapacityType.SPOT.value})
SPOT_WRONG = [
    (case("too few on demand", world(wary(4, min_on_demand=TWO)), box(A, web=1), box(A, "spot", web=3)),
     "spot policy: 1 pods of web are off spot capacity and 3 on it, at least 2 must be off it"),
    (case("a share of the replicas", world(wary(4, min_on_demand=THIRD)), box(A, web=1), box(A, "spot", web=3)), "at least 2 must be"),
    (case("one pool", world(wary(4, max_per_pool=TWO)), box(A, "spot", web=3), box(B, "spot", web=1)),
     "spot policy: 3 pods of web are on spot box in zone-a, at most 2 may be"),
    (case("two nodes of one pool", world(wary(4, max_per_pool=TWO)), box(A, "spot", web=2), box(A, "spot", web=2)),
     "4 pods of web are on spot box in zone-a"),
    (case("the problem's policy", world(ruled("web", 2), policies=Policies(spot=SpotPolicy(min_on_demand=Share(ppm=1_000_000)))),
          box(A, web=1), box(A, "spot", web=1)), "spot policy of the problem: 1 pods of web are off spot capacity"),
    (case("an existing spot node", world(wary(2, min_on_demand=TWO), existing=[SPOT_NODE]), box(A, web=1), existing={"n": {"web": 1}}),
     "1 pods of web are off spot capacity and 1 on it"),
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
SAFE = dataclasses.replace(
    RISKY, offerings=tuple(dataclasses.replace(o, interruption_ppm_per_month=0) for o in RISKY.offerings)
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
    case("never reclaimed", losing(0, 1, kind=SAFE), box(A, "spot", web=4)),
]  # fmt: skip
LOSS_WRONG = [
    (case("one pool with more than may be lost", losing(2, 10_000), box(A, "spot", web=4)),
     "spot loss: web loses more than 2 of its pods within 2628000 s with probability 0.1, at most 0.01 is allowed"),
    (case("either pool", losing(1, 189_999), box(A, "spot", web=2), box(B, "spot", web=2)), "more than 1 of its pods within 2628000 s with probability 0.19"),
    (case("both pools", losing(2, 9_999), box(A, "spot", web=2), box(B, "spot", web=2)), "with probability 0.01, at most 0.01 is allowed"),
    (case("two months", losing(3, 100_000, 2 * MONTH), box(A, "spot", web=4)), "with probability 0.19"),
    (case("an unknown rate", losing(0, 999_999, kind=BOX), box(A, "spot", web=1), box(A, web=3)), "with probability 1,"),
    (case("the problem's bound", world(ruled("web", 4), kinds=[RISKY], policies=Policies(spot=SpotPolicy(loss=LossBound(Share(), 1)))),
          box(A, "spot", web=4)), "spot loss: web loses more than 0 of its pods within 3600 s"),
]  # fmt: skip

GPU_RIGHT = [
    case("pods that ask", world(ruled("train", gpu=1), kinds=[BOX, GPU], policies=NEVER), bought("gpu", zone=A, train=1)),
    case("others elsewhere", world(ruled("train", gpu=1), PLAIN_WEB, kinds=[BOX, GPU], policies=NEVER),
         bought("gpu", zone=A, train=1), box(A, web=2)),
    case("allowed by default", world(PLAIN_WEB, kinds=[BOX, GPU]), bought("gpu", zone=A, web=2)),
]  # fmt: skip
GPU_WRONG = [
    (case("a pod that does not ask", world(PLAIN_WEB, kinds=[BOX, GPU], policies=NEVER), bought("gpu", zone=A, web=2)),
     "accelerated nodes: pod web-0 asks for no accelerator and is on node claim n0, which has one"),
    (case("beside one that asks", world(ruled("train", gpu=1), PLAIN_WEB, kinds=[BOX, GPU], policies=NEVER),
          bought("gpu", zone=A, train=1, web=2)), "pod web-0 asks for no accelerator"),
    (case("an existing one by its label", world(PLAIN_WEB, policies=NEVER, existing=[node("n", node_labels={labels.GPU_MODEL: "t4"})]),
          existing={"n": {"web": 2}}), "is on existing node n, which has one"),
    (case("an existing one", world(PLAIN_WEB, policies=NEVER, existing=[node("n", gpu=1)]), existing={"n": {"web": 2}}),
     "is on existing node n, which has one"),
]  # fmt: skip

RIGHT = [*GANGS_RIGHT, *SPOT_RIGHT, *LOSS_RIGHT, *GPU_RIGHT]
WRONG = [*GANGS_WRONG, *SPOT_WRONG, *LOSS_WRONG, *GPU_WRONG]


@pytest.mark.parametrize(("question", "decision"), [c[1:] for c in RIGHT], ids=[c[0] for c in RIGHT])
def test_right_decision_is_accepted_by_both_readings(question: Problem, decision: Decision) -> None:
    check_right(question, decision)


@pytest.mark.parametrize(
    ("question", "decision", "finding"),
    [(*c[1:], finding) for c, finding in WRONG],
    ids=[c[0] for c, _ in WRONG],
)
def test_one_broken_rule_is_found_by_both_readings_and_no_other(
    question: Problem, decision: Decision, finding: str
) -> None:
    check_wrong(question, decision, finding)

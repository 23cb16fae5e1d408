# ruff: noqa: E501 - one case a line reads as a table
"""Gangs: right decisions, and each way to break one."""

from __future__ import annotations

from typing import Any

from binwright_optimizer.model import Gang, GangTopology, Problem
from binwright_optimizer.model.rules import Rule
from rules import HOSTNAME, ZONE, node, ruled, running

from rule_cases.world import OTHER, RACK, A, B, box, case, mutant, world


def ring(replicas: int, *topology: GangTopology, least: int | None = None, **parts: Any) -> Problem:
    return world(
        ruled("ring", replicas, gang="g"), OTHER, gangs=(Gang("g", "default", least, topology),), **parts
    )


MEMBER = ruled("member", gang="g")
SAME_ZONE = GangTopology(ZONE)

RIGHT = [
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

RING = box(A, ring=3, other=3)
TWO_WORKLOADS = world(ruled("ring", 2, gang="g"), ruled("head", 1, gang="g"), gangs=(Gang("g"),))

MUTANTS = [
    mutant(Rule.GANGS, "two of three", ring(3), [RING], [box(A, ring=2, other=3)],
           "2 of 3 members of gang default/g are placed: all or none may be"),
    mutant(Rule.GANGS, "too few", ring(4, least=3), [RING], [box(A, ring=2, other=3)],
           "2 members of gang default/g are placed and 0 run, at least 3 are needed"),
    mutant(Rule.GANGS, "too few with those that run", ring(4, least=4, existing=[node("n", running(MEMBER, 1))]),
           [RING], [box(A, ring=2, other=3)], "2 members of gang default/g are placed and 1 run, at least 4 are needed"),
    mutant(Rule.GANGS, "two zones", ring(2, SAME_ZONE), [box(A, ring=2, other=3)], [box(A, ring=1), box(B, ring=1), box(A, other=3)],
           "members of gang default/g are in zone-a, zone-b, they need one topology.kubernetes.io/zone"),
    mutant(Rule.GANGS, "another zone than those that run", ring(2, SAME_ZONE, existing=[node("n", running(MEMBER), zone=B)]),
           [box(B, ring=2), box(A, other=3)], [box(A, ring=2, other=3)], "are in zone-a, zone-b, they need one"),
    mutant(Rule.GANGS, "no such label", ring(2, GangTopology(RACK)), [box(A, other=3)], [box(A, ring=2, other=3)],
           f"a member of gang default/g is on node claim n0, which has no label {RACK}"),
    mutant(Rule.GANGS_ON_NODES, "two nodes", ring(2, GangTopology(HOSTNAME)),
           [box(A, ring=2, other=3)], [box(A, ring=1), box(A, ring=1), box(A, other=3)],
           "are in node claim n0, node claim n1, they need one kubernetes.io/hostname"),
    mutant(Rule.GANGS, "across workloads", TWO_WORKLOADS, [box(A, ring=2, head=1)], [box(A, ring=2)],
           "2 of 3 members of gang default/g are placed"),
]  # fmt: skip

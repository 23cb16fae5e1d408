# ruff: noqa: E501 - one case a line reads as a table
"""Priorities of pods that are alike otherwise: right decisions, and each way to let the wrong ones wait.

One box of 8 CPUs may be bought, and an existing node may have room beside it.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.model import Gang, Problem, Share, SpotPolicy, Workload
from binwright_optimizer.model.rules import Rule
from builders import node_pool
from rules import HOSTNAME, ZONE, apps, away, node, ruled, spread

from rule_cases.world import RACK, A, box, case, mutant, on, world


def ranked(name: str, priority: int, replicas: int = 8, **parts: Any) -> Workload:
    return ruled(name, replicas, priority=priority, **parts)


def one_box(*workloads: Workload, **parts: Any) -> Problem:
    return world(*workloads, pools=[node_pool(max_nodes=1)], **parts)


HIGH, MIDDLE, LOW = ranked("high", 9), ranked("middle", 5), ranked("low", 1)
NEVER_PREEMPTS = ranked("high", 9, priority_class="polite", preempts=False)
EVEN = (spread(ZONE, 8, apps("web")),)
"""Of pods that carry the same label, so that a rule counts them alike."""
EVEN_HIGH, EVEN_LOW = (
    ranked(name, p, app="web", topology_spread=EVEN) for name, p in (("high", 9), ("low", 1))
)
ALONE = {"app": "web", "pod_anti_affinity": away(HOSTNAME, "web")}

RIGHT = [
    case("the highest are placed", one_box(HIGH, LOW), box(A, high=8)),
    case("room is left for some of the next", one_box(ranked("high", 9, 5), MIDDLE, LOW), box(A, high=5, middle=3)),
    case("all are placed", one_box(ranked("high", 9, 4), ranked("low", 1, 4)), box(A, high=4, low=4)),
    case("nobody is placed", one_box(HIGH, LOW)),
    case("equal priorities in any order", one_box(ranked("one", 5), ranked("other", 5)), box(A, one=3, other=5)),
    case("larger pods are not alike", one_box(ranked("high", 9, cpu=9), LOW), box(A, low=8)),
    case("pods that may not go there are not alike", one_box(ranked("high", 9, selector={RACK: "r1"}), LOW), box(A, low=8)),
    case("pods that a rule tells apart are not alike",
         one_box(ranked("high", 9, pod_anti_affinity=away(ZONE, "db")), ruled("db"), LOW), box(A, db=1, low=7)),
    case("a gang that does not fit as a whole", one_box(ranked("high", 9, 9, gang="g"), LOW, gangs=(Gang("g"),)), box(A, low=8)),
    case("shares on spot are counted by workload",
         one_box(dataclasses.replace(HIGH, spot=SpotPolicy(min_on_demand=Share(count=1))), LOW), box(A, "spot", low=8)),
]  # fmt: skip

MUTANTS = [
    mutant(Rule.PRIORITIES, "one waits behind a lower one", one_box(HIGH, LOW), [box(A, high=8)], [box(A, high=7, low=1)],
           "1 pods of high (priority 9) are left out while pods of low (priority 1), alike otherwise, are placed"),
    mutant(Rule.PRIORITIES, "all wait", one_box(HIGH, LOW), [box(A, high=8)], [box(A, low=8)], "8 pods of high (priority 9) are left out"),
    mutant(Rule.PRIORITIES, "the middle one of three waits", one_box(ranked("high", 9, 5), MIDDLE, LOW),
           [box(A, high=5, middle=3)], [box(A, high=5, low=3)], "8 pods of middle (priority 5) are left out while pods of low"),
    mutant(Rule.PRIORITIES, "the lower one is on a running node", one_box(HIGH, LOW, existing=[node("n", cpu=1)]),
           [box(A, high=7), on("n", high=1)], [box(A, high=7), on("n", low=1)], "1 pods of high (priority 9)"),
    mutant(Rule.PRIORITIES, "preemptionPolicy Never comes first in the queue all the same", one_box(NEVER_PREEMPTS, LOW),
           [box(A, high=8)], [box(A, low=8)], "8 pods of high (priority 9)"),
    mutant(Rule.PRIORITIES, "negative priorities", one_box(ranked("high", 0), ranked("low", -3)), [box(A, high=8)], [box(A, low=8)],
           "pods of low (priority -3), alike otherwise"),
    mutant(Rule.PRIORITIES, "in another namespace", one_box(ranked("high", 9, namespace="shop"), LOW), [box(A, high=8)], [box(A, low=8)],
           "8 pods of high (priority 9)"),
    mutant(Rule.PRIORITIES, "a rule counts both alike", one_box(EVEN_HIGH, EVEN_LOW), [box(A, high=8)], [box(A, high=7, low=1)],
           "1 pods of high (priority 9)"),
    mutant(Rule.PRIORITIES, "a rule keeps both apart", one_box(ranked("high", 9, 1, **ALONE), ranked("low", 1, 1, **ALONE)),
           [box(A, high=1)], [box(A, low=1)], "1 pods of high (priority 9)"),
]  # fmt: skip

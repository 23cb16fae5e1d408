# ruff: noqa: E501 - one case a line reads as a table
"""Pod affinity and anti-affinity: right decisions, and each way to break one."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import LabelSelector, Namespace, PodAffinity, labels
from binwright_optimizer.model.rules import Rule
from rules import HOSTNAME, ZONE, apps, away, near, node, ruled, running, term

from rule_cases.world import (
    DB,
    OTHER,
    PLAIN_WEB,
    RACK,
    SHOP_DB,
    WEB,
    A,
    B,
    C,
    box,
    case,
    mutant,
    on,
    world,
)

NEAR_DB = ruled("web", 2, pod_affinity=near(ZONE, "db"))
TOGETHER = ruled("web", 3, pod_affinity=near(ZONE, "web"))
SHOP = (Namespace("shop", (("team", "a"),)),)
TEAM_A = LabelSelector.of_labels({"team": "a"})

AFFINITY_RIGHT = [
    case("in the zone of what it needs", world(DB, NEAR_DB), box(A, db=2, web=1), box(A, web=1)),
    case("in the zone of a running pod", world(NEAR_DB, existing=[node("n", running(DB), zone=B)]), box(B, web=2)),
    case("on the node itself", world(DB, ruled("web", 1, pod_affinity=near(HOSTNAME, "db"))), box(A, db=2, web=1)),
    case("the first of its kind starts a zone", world(TOGETHER), box(B, web=2), box(B, web=1)),
    case("alone, it needs nobody else", world(ruled("web", 1, pod_affinity=near(ZONE, "web"))), box(C, web=1)),
    case("beside one of its kind that runs", world(TOGETHER, existing=[node("n", running(TOGETHER), zone=C)]), box(C, web=3)),
    case("a chain", world(DB, NEAR_DB, ruled("log", 1, pod_affinity=near(ZONE, "web"))), box(A, db=2), box(A, web=2, log=1)),
    case("its own kind runs where no node has the key",
         world(TOGETHER, existing=[node("n", running(TOGETHER))]), box(C, web=3)),
    case("another namespace by name", world(SHOP_DB, ruled("web", 1, pod_affinity=near(ZONE, "db", namespaces=("shop",)))),
         box(A, db=1, web=1)),
    case("another namespace by label",
         world(SHOP_DB, ruled("web", 1, pod_affinity=near(ZONE, "db", namespace_selector=TEAM_A)), namespaces=SHOP),
         box(A, db=1, web=1)),
    case("two terms in two domains of one pod",
         world(DB, ruled("web", 1, pod_affinity=PodAffinity((term(ZONE, apps("db")), term(labels.CAPACITY_TYPE, apps("db")))))),
         box(A, db=2, web=1)),
]  # fmt: skip

ALONE = ruled("web", 3, pod_anti_affinity=away(HOSTNAME, "web"))
NOT_BY_DB = ruled("web", 1, pod_anti_affinity=away(ZONE, "db"))
GUARD = ruled("guard", 1, pod_anti_affinity=away(ZONE, "web"))

ANTI_RIGHT = [
    case("one a node", world(ALONE), box(A, web=1), box(A, web=1), box(A, web=1)),
    case("other zones", world(DB, NOT_BY_DB), box(A, db=2), box(B, web=1)),
    case("nodes without the key are free of it", world(ruled("web", 2, pod_anti_affinity=away(RACK, "web"))), box(A, web=2)),
    case("running pods may do as they please", world(OTHER, existing=[node("n", running(ALONE, 2), zone=A)]),
         on("n", other=3)),
    case("another namespace is not meant", world(SHOP_DB, NOT_BY_DB), box(A, db=1, web=1)),
    case("a term that selects nobody", world(ruled("web", 2, pod_anti_affinity=PodAffinity((term(HOSTNAME, None),)))), box(A, web=2)),
    case("mismatchLabelKeys spare its own revision",
         world(ruled("web", 2, more_labels={"hash": "1"},
                     pod_anti_affinity=PodAffinity((term(HOSTNAME, WEB, mismatch_label_keys=("hash",)),)))), box(A, web=2)),
]  # fmt: skip

AFFINITY, BY_NODE, ANTI = Rule.POD_AFFINITY, Rule.AFFINITY_ON_NODES, Rule.POD_ANTI_AFFINITY
NEAR_RACK = ruled("web", 1, pod_affinity=near(RACK, "db"))
EITHER_FIRST = ruled("web", 1, pod_affinity=near(ZONE, "db")), ruled("db", 1, pod_affinity=near(ZONE, "web"))
OTHERS_HASH = PodAffinity((term(ZONE, WEB, mismatch_label_keys=("hash",)),))
OWN_HASH = PodAffinity((term(HOSTNAME, WEB, match_label_keys=("hash",)),))

AFFINITY_MUTANTS = [
    mutant(AFFINITY, "in another zone", world(DB, NEAR_DB), [box(A, db=2, web=2)], [box(A, db=2), box(B, web=2)],
           "pod web-0 is on node claim n1 in topology.kubernetes.io/zone=zone-b with 0 other pods"),
    mutant(BY_NODE, "on another node", world(DB, ruled("web", 1, pod_affinity=near(HOSTNAME, "db"))),
           [box(A, db=2, web=1)], [box(A, db=2), box(A, web=1)], "kubernetes.io/hostname=node claim n1 with 0 other pods"),
    mutant(AFFINITY, "nobody it needs is placed", world(DB, NEAR_DB), [box(A, db=2, web=2)], [box(A, web=2)], "zone=zone-a with 0 other pods"),
    mutant(AFFINITY, "its kind in two zones", world(ruled("web", 4, pod_affinity=near(ZONE, "web"))),
           [box(A, web=4)], [box(A, web=2), box(B, web=2)],
           "zone=zone-a with 1 other pods that its terms select, none of which can be there before it"),
    mutant(AFFINITY, "a new zone although its kind runs elsewhere", world(TOGETHER, existing=[node("n", running(TOGETHER), zone=C)]),
           [box(C, web=3)], [box(A, web=3)], "zone=zone-a with 2 other pods"),
    mutant(AFFINITY, "two that wait for each other", world(*EITHER_FIRST), [], [box(A, web=1, db=1)],
           "zone=zone-a with 1 other pods that its terms select, none of which can be there before it"),
    mutant(AFFINITY, "a node without the key", world(DB, NEAR_RACK, existing=[node("n", node_labels={RACK: "r1"})]),
           [on("n", db=2, web=1)], [box(A, db=2, web=1)], f"pod web is on node claim n0, which has no label {RACK}"),
    mutant(AFFINITY, "another namespace is not meant", world(SHOP_DB, ruled("web", 1, pod_affinity=near(ZONE, "db"))),
           [box(A, db=1)], [box(A, db=1, web=1)], "with 0 other pods"),
    mutant(AFFINITY, "a namespace without the label",
           world(dataclasses.replace(SHOP_DB, namespace="zoo"),
                 ruled("web", 1, pod_affinity=near(ZONE, "db", namespace_selector=TEAM_A)), namespaces=SHOP),
           [box(A, db=1)], [box(A, db=1, web=1)], "with 0 other pods"),
    mutant(AFFINITY, "one pod for each term is not enough: all terms select the same pods",
           world(DB, ruled("log"), ruled("web", 1, pod_affinity=PodAffinity((term(ZONE, apps("db")), term(ZONE, apps("log")))))),
           [box(A, db=2, log=1)], [box(A, db=2, log=1, web=1)], "with 0 other pods"),
    mutant(AFFINITY, "a term that selects nobody", world(ruled("web", 1, pod_affinity=PodAffinity((term(ZONE, None),)))),
           [], [box(A, web=1)], "with 0 other pods"),
    mutant(AFFINITY, "mismatchLabelKeys exclude its own revision", world(ruled("web", 2, more_labels={"hash": "1"}, pod_affinity=OTHERS_HASH)),
           [], [box(A, web=2)], "with 0 other pods"),
]  # fmt: skip

ANTI_MUTANTS = [
    mutant(ANTI, "two on a node", world(ALONE), [box(A, web=1), box(A, web=1), box(A, web=1)], [box(A, web=2), box(A, web=1)],
           "pod web-0 is on node claim n0 in kubernetes.io/hostname=node claim n0 with 1 other pods"),
    mutant(ANTI, "the same zone", world(DB, NOT_BY_DB), [box(A, db=2), box(B, web=1)], [box(A, db=2), box(A, web=1)],
           "pod web is on node claim n1 in topology.kubernetes.io/zone=zone-a with 2 other pods that it keeps away from"),
    mutant(ANTI, "beside a running pod", world(NOT_BY_DB, existing=[node("n", running(DB), zone=B)]),
           [box(A, web=1)], [box(B, web=1)], "zone=zone-b with 1 other pods"),
    mutant(ANTI, "each other's, stated by one", world(PLAIN_WEB, GUARD), [box(A, guard=1), box(B, web=2)], [box(A, guard=1, web=2)],
           "pod guard is on node claim n0"),
    mutant(ANTI, "another namespace by label",
           world(SHOP_DB, ruled("web", 1, pod_anti_affinity=away(ZONE, "db", namespace_selector=LabelSelector()))),
           [box(A, db=1), box(B, web=1)], [box(A, db=1, web=1)], "with 1 other pods"),
    mutant(Rule.RUNNING_PODS, "a running pod keeps newcomers away", world(PLAIN_WEB, existing=[node("n", running(GUARD), zone=B)]),
           [box(A, web=2)], [box(B, web=2)],
           "a pod that runs on existing node n keeps 2 placed pods away from topology.kubernetes.io/zone=zone-b"),
    mutant(ANTI, "matchLabelKeys mean its own revision", world(ruled("web", 2, more_labels={"hash": "1"}, pod_anti_affinity=OWN_HASH)),
           [box(A, web=1), box(A, web=1)], [box(A, web=2)], "with 1 other pods"),
]  # fmt: skip

RIGHT = [*AFFINITY_RIGHT, *ANTI_RIGHT]
MUTANTS = [*AFFINITY_MUTANTS, *ANTI_MUTANTS]

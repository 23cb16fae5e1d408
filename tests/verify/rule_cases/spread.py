# ruff: noqa: E501 - one case a line reads as a table
"""Topology spread: right decisions, and each way to break one."""

from __future__ import annotations

import dataclasses
from typing import Any

from binwright_optimizer.model import AttachLimit, Volume, Workload, labels
from binwright_optimizer.model.rules import Rule
from builders import daemon_set, instance_type, node_pool, offering, requires
from decisions import Bought, bought
from rules import HOSTNAME, ZONE, apps, node, ruled, running, spread

from rule_cases.world import (
    DRIVER,
    NEVER,
    OTHER,
    OWN,
    RACK,
    TAINT,
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

EVEN = ruled("web", 3, topology_spread=(spread(ZONE, 1, WEB),))
BY_HOST = ruled("web", 3, topology_spread=(spread(HOSTNAME, 2, WEB),))
IN_A_OR_B = (requires(ZONE, "In", A, B),)
EVEN_A_B = ruled("web", 3, affinity=(IN_A_OR_B,), topology_spread=(spread(ZONE, 1, WEB),))
EVEN_A_B_IGNORED = ruled(
    "web", 3, affinity=(IN_A_OR_B,), topology_spread=(spread(ZONE, 1, WEB, ignores_affinity=True),)
)
TAINTED_C = node("tainted", zone=C, taints=[TAINT])
BY_CAPACITY = ruled("web", 2, topology_spread=(spread(labels.CAPACITY_TYPE, 1, WEB),))
BY_RACK = ruled("web", 2, topology_spread=(spread(RACK, 1, WEB),))
RACKS = [node_pool("default", requires(RACK, "In", "r1", "r2"))]


def racked(rack: str, **pods: int) -> Bought:
    return bought("box", zone=A, custom={RACK: rack}, **pods)


def even(**constraint: Any) -> Workload:
    return ruled("web", 3, topology_spread=(spread(ZONE, 1, WEB, **constraint),))


GPU_IN_B = instance_type("gpu", cpu=8, gpu=1, offerings=[offering(5, zone=B)])
ONE_ZONE = instance_type("box", cpu=8, price=1)
TINY = instance_type("tiny", cpu=2, memory_gib=1, offerings=[offering(1, zone=B)])
NO_VOLUMES = dataclasses.replace(TINY, attach_limits=(AttachLimit(DRIVER, 0),))
ONE_VOLUME = dataclasses.replace(TINY, attach_limits=(AttachLimit(DRIVER, 1),))
BIG_IN_B = daemon_set("big", cpu=2, selector={ZONE: B})
MEMORY_IN_B = daemon_set("cache", memory_gib=1, selector={ZONE: B})
MANY_RACKS = node_pool("default", requires(RACK, "In", *(f"r{n}" for n in range(65))))
BOTH = (spread(ZONE, 1, WEB), spread(HOSTNAME, 1, WEB))

ONE_EACH = [box(A, web=1), box(B, web=1), box(C, web=1)]
SPREAD = Rule.TOPOLOGY_SPREAD

RIGHT = [
    case("one in each zone", world(EVEN), box(A, web=1), box(B, web=1), box(C, web=1)),
    case("other pods do not count", world(EVEN, OTHER), box(A, web=1, other=3), box(B, web=1), box(C, web=1)),
    case("running pods fill a zone", world(EVEN, existing=[node("n", running(EVEN, 3), zone=B)]),
         box(A, web=2), box(C, web=1)),
    case("a zone too full before gets none", world(EVEN, existing=[node("n", running(EVEN, 9), zone=B)]),
         box(A, web=1), box(C, web=1)),
    case("running pods of another namespace do not count",
         world(EVEN, existing=[node("n", running(dataclasses.replace(EVEN, namespace="shop"), 9), zone=A)]),
         box(A, web=1), box(B, web=1), box(C, web=1)),
    case("zones that affinity excludes do not count", world(EVEN_A_B), box(A, web=2), box(B, web=1)),
    case("skew two", world(ruled("web", 4, topology_spread=(spread(ZONE, 2, WEB),))),
         box(A, web=2), box(B, web=1), box(C, web=1)),
    case("ScheduleAnyway binds nobody", world(even(anyway=True)), box(A, web=3)),
    case("a constraint that selects nobody", world(ruled("web", 3, topology_spread=(spread(ZONE, 1),))), box(A, web=3)),
    case("two on a host", world(BY_HOST), box(A, web=2), box(A, web=1)),
    case("capacity types", world(BY_CAPACITY), box(A, web=1), box(A, "spot", web=1)),
    case("labels that a pool chooses", world(BY_RACK, pools=RACKS), racked("r1", web=1), racked("r2", web=1)),
    case("more zones wanted than there are", world(ruled("web", 3, topology_spread=(spread(ZONE, 1, WEB, min_domains=4),))),
         box(A, web=1), box(B, web=1), box(C, web=1)),
    case("hash of the revision tells pods apart",
         world(ruled("web", 1, more_labels={"hash": "2"}, topology_spread=(spread(ZONE, 1, WEB, match=["hash"]),)),
               existing=[node("n", running(ruled("web", 3, more_labels={"hash": "1"})), zone=A)]),
         box(A, web=1)),
    case("taints honoured: a tainted zone is no domain",
         world(ruled("web", 2, topology_spread=(spread(ZONE, 1, WEB, honors_taints=True),)),
               kinds=[instance_type("box", cpu=8, price=1)], existing=[TAINTED_C]),
         bought("box", web=2)),
    case("nothing to buy elsewhere: one domain", world(EVEN, kinds=[instance_type("box", cpu=8, price=1)]),
         bought("box", web=3)),
    case("a zone where the pod does not fit is no domain",
         world(ruled("web", 2, cpu=4, topology_spread=(spread(ZONE, 1, WEB),)),
               kinds=[instance_type("box", cpu=8, price=1), instance_type("tiny", cpu=2, offerings=[offering(1, zone=B)])]),
         bought("box", web=2)),
    case("a zone sold out is no domain",
         world(EVEN, kinds=[instance_type("box", cpu=8, offerings=[offering(1), offering(1, zone=B, available=0)])]),
         bought("box", web=3)),
    case("a zone where a volume cannot be attached is no domain",
         world(ruled("web", 2, volumes=(OWN,), topology_spread=(spread(ZONE, 1, WEB),)), kinds=[ONE_ZONE, NO_VOLUMES]),
         bought("box", web=2)),
    case("a zone with accelerated nodes only is no domain, by policy",
         world(ruled("web", 2, topology_spread=(spread(ZONE, 1, WEB),)), kinds=[ONE_ZONE, GPU_IN_B], policies=NEVER), bought("box", web=2)),
    case("selector and affinity both have to admit a domain",
         world(ruled("web", 2, selector={"disk": "ssd"}, affinity=(IN_A_OR_B,), topology_spread=(spread(ZONE, 1, WEB),)), kinds=[],
               existing=[node("n", zone=A, node_labels={"disk": "ssd"}), node("m", zone=B)]), on("n", web=2)),
    case("a zone that a daemon fills is no domain", world(EVEN, kinds=[ONE_ZONE, TINY], daemons=[BIG_IN_B]), bought("box", web=3)),
    case("a pod that does not count itself", world(ruled("web", 3, topology_spread=(spread(ZONE, 1, apps("db")),))),
         box(A, web=3)),
]  # fmt: skip

MUTANTS = [
    mutant(SPREAD, "two zones of three empty", world(EVEN), ONE_EACH, [box(A, web=3)],
           "pod web-0 is in topology.kubernetes.io/zone=zone-a with 3 selected pods, zone-b 0; maxSkew is 1"),
    mutant(SPREAD, "one zone empty", world(EVEN), ONE_EACH, [box(A, web=2), box(B, web=1)], "zone=zone-a with 2 selected pods, zone-c 0"),
    mutant(SPREAD, "a zone where one node runs is a domain", world(even(), kinds=[ONE_ZONE], existing=[node("n", zone=B)]),
           [bought("box", web=2), on("n", web=1)], [bought("box", web=3)], "with 3 selected pods, zone-b 0"),
    mutant(SPREAD, "running pods count", world(EVEN, existing=[node("n", running(EVEN, 2), zone=A)]),
           [box(B, web=2), box(C, web=1)], ONE_EACH, "with 3 selected pods, zone-b 1"),
    mutant(SPREAD, "affinity ignored: excluded zones count", world(EVEN_A_B_IGNORED, existing=[node("n", zone=C)]),
           [box(A, web=1), box(B, web=1)], [box(A, web=2), box(B, web=1)], "with 2 selected pods, zone-c 0"),
    mutant(SPREAD, "taints ignored: a tainted zone counts",
           world(ruled("web", 2, topology_spread=(spread(ZONE, 1, WEB),)), kinds=[ONE_ZONE], existing=[TAINTED_C]),
           [bought("box", web=1)], [bought("box", web=2)], "with 2 selected pods, zone-c 0"),
    mutant(SPREAD, "too few domains", world(even(min_domains=2), kinds=[ONE_ZONE]), [bought("box", web=1)], [bought("box", web=3)],
           "there are 1 domains, fewer than minDomains 2; maxSkew is 1"),
    mutant(SPREAD, "a node without the key",
           world(ruled("web", 1, topology_spread=(spread(RACK, 1, WEB),)), existing=[node("n", node_labels={RACK: "r1"})]),
           [on("n", web=1)], [box(A, web=1)], f"pod web is on node claim n0, which has no label {RACK}"),
    mutant(SPREAD, "an existing node without the key",
           world(ruled("web", 1, topology_spread=(spread(ZONE, 1, WEB),)), existing=[node("n")]),
           [box(A, web=1)], [on("n", web=1)], "pod web is on existing node n, which has no label"),
    mutant(SPREAD, "three on a host", world(BY_HOST), [box(A, web=2), box(A, web=1)], [box(A, web=3)],
           "pod web-0 is on node claim n0 with 3 selected pods, maxSkew 2"),
    mutant(SPREAD, "newcomers beside running pods on a host", world(BY_HOST, existing=[node("n", running(BY_HOST, 2), zone=A)]),
           [box(A, web=2), box(A, web=1)], [box(A, web=2), on("n", web=1)], "pod web-2 is on existing node n with 3 selected pods"),
    mutant(SPREAD, "one capacity type", world(BY_CAPACITY), [box(A, web=1), box(A, "spot", web=1)], [box(A, web=2)],
           "capacity-type=on-demand with 2 selected pods, spot 0"),
    mutant(SPREAD, "one label of the pool", world(BY_RACK, pools=RACKS), [racked("r1", web=1), racked("r2", web=1)], [racked("r1", web=2)],
           "rack=r1 with 2 selected pods, r2 0"),
    mutant(SPREAD, "the same revision counts",
           world(ruled("web", 1, more_labels={"hash": "1"}, topology_spread=(spread(ZONE, 1, WEB, match=["hash"]),)),
                 existing=[node("n", running(ruled("web", 1, more_labels={"hash": "1"})), zone=A)]),
           [box(B, web=1)], [box(A, web=1)], "zone=zone-a with 2 selected pods"),
    mutant(SPREAD, "the first of two constraints", world(ruled("web", 3, topology_spread=BOTH)),
           ONE_EACH, [box(A, web=1), box(A, web=1), box(B, web=1)], "zone=zone-a with 2 selected pods, zone-c 0"),
    mutant(SPREAD, "the second of two constraints", world(ruled("web", 6, topology_spread=BOTH)),
           [*ONE_EACH, *ONE_EACH], [box(A, web=2), box(B, web=1), box(B, web=1), box(C, web=1), box(C, web=1)],
           "pod web-0 is on node claim n0 with 2 selected pods, maxSkew 1"),
    mutant(SPREAD, "a zone where the pod fits exactly is a domain", world(ruled("web", 2, cpu=8, topology_spread=(spread(ZONE, 1, WEB),))),
           [box(A, web=1), box(B, web=1)], [box(A, web=1), box(A, web=1)], "zone-b 0"),
    mutant(SPREAD, "a zone with room beside its daemon is a domain",
           world(ruled("web", 2, cpu=2, topology_spread=(spread(ZONE, 1, WEB),)), kinds=[ONE_ZONE, TINY], daemons=[MEMORY_IN_B]),
           [bought("box", web=1), bought("tiny", zone=B, web=1)], [bought("box", web=2)], "zone-b 0"),
    mutant(SPREAD, "a zone where the daemon does not tolerate the taint is a domain",
           world(ruled("web", 3, tolerations=[TAINT], topology_spread=(spread(ZONE, 1, WEB),)), kinds=[ONE_ZONE, TINY], daemons=[BIG_IN_B],
                 pools=[node_pool("default", taints=[TAINT])]),
           [bought("box", web=2), bought("tiny", zone=B, web=1)], [bought("box", web=3)], "zone-b 0"),
    mutant(SPREAD, "a zone where a shared volume can be attached is a domain",
           world(ruled("web", 2, volumes=(Volume("data", DRIVER),), topology_spread=(spread(ZONE, 1, WEB),)), kinds=[ONE_ZONE, ONE_VOLUME]),
           [bought("box", web=1), bought("tiny", zone=B, web=1)], [bought("box", web=2)], "zone-b 0"),
    mutant(SPREAD, "one of very many values that the pool leaves open", world(BY_RACK, pools=[MANY_RACKS]),
           [racked("r1", web=1), racked("r2", web=1)], [racked("r1", web=2)], "rack=r1 with 2 selected pods, r0 0"),
    mutant(SPREAD, "other pods that it selects are too many",
           world(ruled("web", 1, topology_spread=(spread(ZONE, 1, apps("web", "other")),)), OTHER),
           [box(A, other=1), box(B, other=1), box(C, other=1, web=1)], [box(A, web=1, other=3)], "with 4 selected pods, zone-b 0"),
]  # fmt: skip

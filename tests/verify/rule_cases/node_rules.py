# ruff: noqa: E501 - one case a line reads as a table
"""Caps, host ports and volumes: right decisions, and each way to break one rule."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import AttachLimit, HostPort, NodeCap, Protocol, Volume
from binwright_optimizer.model.rules import Rule
from builders import node_pool, requires
from rules import ZONE, apps, node, ruled, running

from rule_cases.world import (
    AGENT,
    DB,
    DRIVER,
    OTHER,
    OWN,
    PLAIN_WEB,
    WEB,
    A,
    B,
    C,
    box,
    case,
    mounts,
    mutant,
    on,
    ported,
    world,
)

CAPPED = ruled("web", 4, node_caps=(NodeCap(WEB, 2),))
NO_DB = ruled("web", 1, node_caps=(NodeCap(apps("db"), 1),))

CAPS_RIGHT = [
    case("two a node", world(CAPPED), box(A, web=2), box(A, web=2)),
    case("binds only where its pod is", world(DB, NO_DB), box(A, db=2), box(A, web=1)),
    case("one of two beside it", world(DB, NO_DB), box(A, db=1, web=1), box(A, db=1)),
    case("other namespaces do not count", world(dataclasses.replace(DB, namespace="shop"), NO_DB), box(A, db=2, web=1)),
    case("a running pod's cap, reached", world(PLAIN_WEB, existing=[node("n", running(ruled("web", node_caps=(NodeCap(WEB, 3),))), zone=A)]),
         on("n", web=2)),
    case("a running pod's cap, broken before", world(OTHER, existing=[node("n", running(CAPPED, 5), zone=A)]),
         on("n", other=3)),
]  # fmt: skip

PORTS_RIGHT = [
    case("one a node", world(ported("web", HostPort(80), replicas=2)), box(A, web=1), box(A, web=1)),
    case("other ports", world(ported("web", HostPort(80)), ported("db", HostPort(81))), box(A, web=1, db=1)),
    case("other protocols", world(ported("web", HostPort(80)), ported("db", HostPort(80, Protocol.UDP))), box(A, web=1, db=1)),
    case("other addresses", world(ported("web", HostPort(80, host_ip="10.0.0.1")), ported("db", HostPort(80, host_ip="10.0.0.2"))),
         box(A, web=1, db=1)),
    case("a daemon elsewhere", world(ported("web", HostPort(80)), daemons=[AGENT]), box(B, web=1)),
    case("pods without ports beside a daemon", world(PLAIN_WEB, daemons=[AGENT]), box(A, web=2)),
]  # fmt: skip

IN_B = ((requires(ZONE, "In", B),),)


DATA = Volume("data", DRIVER)
FREE_ONE = (AttachLimit(DRIVER, 1),)

VOLUMES_RIGHT = [
    case("where it is", world(mounts("web", Volume("data", topology=IN_B))), box(B, web=1)),
    case("one of several terms",
         world(mounts("web", Volume("data", topology=(*IN_B, (requires(ZONE, "In", C),))))), box(C, web=1)),
    case("as many as the node takes", world(mounts("web", OWN, replicas=3)), box(A, web=2), box(A, web=1)),
    case("a shared one counts once", world(mounts("web", DATA, replicas=4), mounts("db", OWN)), box(A, web=4, db=1)),
    case("drivers that nobody counts", world(mounts("web", Volume(driver="nfs"), Volume(), replicas=4)), box(A, web=4)),
    case("attached already", world(mounts("web", DATA), existing=[node("n", running(mounts("db", DATA)), attach_limits=[AttachLimit(DRIVER, 0)])]),
         on("n", web=1)),
    case("exclusive, one pod", world(mounts("web", Volume("data", is_exclusive=True))), box(A, web=1)),
    case("exclusive, one pod each", world(mounts("web", Volume(is_exclusive=True), replicas=2)), box(A, web=2)),
    case("exclusive, in two namespaces",
         world(mounts("web", Volume("data", is_exclusive=True)), mounts("db", Volume("data", is_exclusive=True), namespace="shop")),
         box(A, web=1, db=1)),
    case("single node", world(mounts("web", Volume("data", is_single_node=True), replicas=2)), box(A, web=2)),
    case("single node, where it is mounted",
         world(mounts("web", Volume("data", is_single_node=True)), existing=[node("n", running(mounts("db", DATA)))]),
         on("n", web=1)),
    case("running pods share as they please",
         world(OTHER, existing=[node("n", running(mounts("db", Volume("data", is_exclusive=True)), 2))]), on("n", other=3)),
]  # fmt: skip

CAPS_MUTANTS = [
    mutant(Rule.NODE_CAPS, "three on a node", world(CAPPED), [box(A, web=2), box(A, web=2)], [box(A, web=3), box(A, web=1)],
           "pod web-0 is on node claim n0 with 3 pods of app In [web], its cap is 2"),
    mutant(Rule.NODE_CAPS, "two beside it", world(DB, NO_DB), [box(A, db=2), box(A, web=1)], [box(A, db=2, web=1)],
           "pod web is on node claim n0 with 2 pods of app In [db], its cap is 1"),
    mutant(Rule.NODE_CAPS, "running pods count", world(NO_DB, existing=[node("n", running(DB, 2), zone=A)]),
           [box(A, web=1)], [on("n", web=1)], "pod web is on existing node n with 2 pods"),
    mutant(Rule.RUNNING_PODS, "a running pod's cap", world(PLAIN_WEB, existing=[node("n", running(CAPPED, 2), zone=A)]),
           [box(A, web=2)], [on("n", web=2)],
           "existing node n runs a pod whose cap on pods of app In [web] is 2; 2 placed ones make it 4"),
]  # fmt: skip

PORTS_MUTANTS = [
    mutant(Rule.HOST_PORTS, "two replicas on a node", world(ported("web", HostPort(80), replicas=2)),
           [box(A, web=1), box(A, web=1)], [box(A, web=2)], "2 pods like web-0 want port 80/TCP of 0.0.0.0 of node claim n0"),
    mutant(Rule.HOST_PORTS, "two workloads on a node", world(ported("web", HostPort(80)), ported("db", HostPort(79), HostPort(80))),
           [box(A, web=1), box(A, db=1)], [box(A, web=1, db=1)], "pod db wants port 80/TCP of 0.0.0.0 of node claim n0, which pod web holds"),
    mutant(Rule.HOST_PORTS, "any address clashes with one", world(ported("web", HostPort(80)), ported("db", HostPort(80, host_ip="10.0.0.2"))),
           [box(A, web=1), box(A, db=1)], [box(A, web=1, db=1)], "wants port 80/TCP of 10.0.0.2"),
    mutant(Rule.RUNNING_PODS, "a running pod holds it", world(ported("web", HostPort(80)), existing=[node("n", running(ported("db", HostPort(80))))]),
           [box(A, web=1)], [on("n", web=1)], "pod web wants port 80/TCP of 0.0.0.0 of existing node n, which a running pod holds"),
    mutant(Rule.DAEMON_PORTS, "a daemon holds it", world(ported("web", HostPort(80)), daemons=[AGENT]),
           [box(B, web=1)], [box(A, web=1)], "pod web wants port 80/TCP of 0.0.0.0 of node claim n0, which daemon agent holds"),
    mutant(Rule.DAEMON_PORTS, "a daemon on a running node holds it",
           world(ported("web", HostPort(80)), daemons=[AGENT], existing=[node("n", zone=A)]),
           [box(B, web=1)], [on("n", web=1)], "pod web wants port 80/TCP"),
]  # fmt: skip

ATTACHES_ONE = [dataclasses.replace(node_pool(), attach_limits=FREE_ONE)]
ONE_POD = Volume("data", is_exclusive=True)
"""``ReadWriteOncePod``."""
ONE_NODE = Volume("data", is_single_node=True)
"""``ReadWriteOnce``."""
MOUNTED = node("n", running(mounts("db", DATA)))

VOLUMES_MUTANTS = [
    mutant(Rule.VOLUMES, "in another zone", world(mounts("web", Volume("data", topology=IN_B))), [box(B, web=1)], [box(A, web=1)],
           "volume data of pod web cannot be attached to node claim n0: none of its topology terms holds there"),
    mutant(Rule.VOLUMES, "on an existing node in another zone", world(mounts("web", Volume(topology=IN_B)), existing=[node("n", zone=A)]),
           [box(B, web=1)], [on("n", web=1)], "volume (its own) of pod web cannot be attached to existing node n"),
    mutant(Rule.VOLUMES, "more than the type takes", world(mounts("web", OWN, replicas=3)), [box(A, web=2), box(A, web=1)], [box(A, web=3)],
           f"node claim n0 has to attach 3 volumes of {DRIVER}, those of pod web-0 among them; its limit is 2"),
    mutant(Rule.VOLUMES, "more than the pool lets", world(mounts("web", OWN, replicas=2), pools=ATTACHES_ONE),
           [box(A, web=1), box(A, web=1)], [box(A, web=2)], "has to attach 2 volumes"),
    mutant(Rule.VOLUMES, "more than a running node has free", world(mounts("web", OWN, replicas=2), existing=[node("n", attach_limits=FREE_ONE)]),
           [on("n", web=1), box(A, web=1)], [on("n", web=2)], "existing node n has to attach 2 volumes"),
    mutant(Rule.VOLUMES, "shared and own together", world(mounts("web", DATA, replicas=2), mounts("db", OWN, replicas=2)),
           [box(A, web=2, db=1), box(A, db=1)], [box(A, web=2, db=2)], "has to attach 3 volumes"),
    mutant(Rule.VOLUMES, "the same name in two namespaces is two volumes",
           world(mounts("web", DATA), mounts("db", DATA, namespace="shop"), pools=ATTACHES_ONE),
           [box(A, web=1), box(A, db=1)], [box(A, web=1, db=1)], "has to attach 2 volumes"),
    mutant(Rule.SHARED_VOLUMES, "ReadWriteOncePod, two replicas", world(mounts("web", ONE_POD, replicas=2)),
           [box(A, web=1)], [box(A, web=1), box(B, web=1)], "volume default/data is for one pod at a time, 2 pods with web-0 mount it"),
    mutant(Rule.SHARED_VOLUMES, "ReadWriteOncePod, mounted by a running pod", world(mounts("web", ONE_POD), existing=[MOUNTED]),
           [], [on("n", web=1)], "for one pod at a time"),
    mutant(Rule.SHARED_VOLUMES, "ReadWriteOnce, two nodes", world(mounts("web", ONE_NODE, replicas=2)),
           [box(A, web=2)], [box(A, web=1), box(A, web=1)],
           "volume default/data of pod web-0 is for one node at a time, its pods are on node claim n0, node claim n1"),
    mutant(Rule.SHARED_VOLUMES, "ReadWriteOnce, mounted elsewhere", world(mounts("web", ONE_NODE), existing=[MOUNTED]),
           [on("n", web=1)], [box(A, web=1)], "its pods are on existing node n, node claim n0"),
]  # fmt: skip

RIGHT = [*CAPS_RIGHT, *PORTS_RIGHT, *VOLUMES_RIGHT]
MUTANTS = [*CAPS_MUTANTS, *PORTS_MUTANTS, *VOLUMES_MUTANTS]

"""The world of the tables of rules: what is sold, who asks, and how a case is judged.

The cloud sells a ``box`` of 8 CPUs in three zones, on demand at 1, 2 and 3 dollars an hour and as spot
at half a dollar, and a ``gpu`` node in zone a at 5. Every pod takes one CPU, so that room never matters.
The two readings of the rules, the verifier's and that of `brute_force`, are both asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from binwright_optimizer.model import (
    AttachLimit,
    Decision,
    GpuNodePolicy,
    HostPort,
    Policies,
    Problem,
    Share,
    SpotPolicy,
    Volume,
    Workload,
)
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify import check_placement
from brute_force import broken_rules
from builders import daemon_set, instance_type, offering, problem
from decisions import Bought, bought, decided, findings, placement_of
from rules import ZONE, apps, ruled

RACK = "example.com/rack"
TAINT = "team=x:NoSchedule"
DRIVER = "ebs.csi.aws.com"
A, B, C = "zone-a", "zone-b", "zone-c"

BOX = dataclasses.replace(
    instance_type(
        "box",
        cpu=8,
        offerings=[
            *(offering(price, zone=zone) for price, zone in ((1, A), (2, B), (3, C))),
            *(offering(0.5, zone=zone, capacity_type="spot") for zone in (A, B)),
        ],
    ),
    attach_limits=(AttachLimit(DRIVER, 2),),
)
GPU = instance_type("gpu", cpu=8, gpu=1, offerings=[offering(5, zone=A)])


def world(*workloads: Workload, kinds: Any = (BOX,), pools: Any = None, **parts: Any) -> Problem:
    plain = problem(
        workloads,
        kinds,
        pools,
        existing=parts.pop("existing", ()),
        daemons=parts.pop("daemons", ()),
    )
    return dataclasses.replace(plain, **parts)


def box(zone: str = A, capacity_type: str = "on-demand", **pods: int) -> Bought:
    return bought("box", zone=zone, capacity_type=capacity_type, **pods)


Case = tuple[str, Problem, Decision]


def case(
    name: str,
    question: Problem,
    *nodes: Bought,
    existing: Mapping[str, Mapping[str, int]] | None = None,
) -> Case:
    return name, question, decided(question, nodes, existing)


def check_right(question: Problem, decision: Decision) -> None:
    """Neither reading finds anything wrong."""
    assert findings(question, decision) == ()
    placement = placement_of(question, decision)
    assert broken_rules(question, placement.nodes, placement.pods) == []


def check_wrong(question: Problem, decision: Decision, finding: str) -> None:
    """The verifier finds this under one rule, and brute force one broken rule; waived, it is right."""
    found = findings(question, decision)
    assert any(finding in text for text in found), found
    assert len({text.partition(":")[0] for text in found}) == 1, found
    placement = placement_of(question, decision)
    assert len(broken_rules(question, placement.nodes, placement.pods)) == 1
    assert check_placement(question, decision, waived=frozenset(Rule)) == ()


WEB = apps("web")
OTHER = ruled("other", 3)
PLAIN_WEB = ruled("web", 2)
DB = ruled("db", 2)
SHOP_DB = ruled("db", 1, namespace="shop")
OWN = Volume(driver=DRIVER)
NEVER = Policies(gpu_nodes=GpuNodePolicy.NEVER)
AGENT = dataclasses.replace(
    daemon_set("agent", selector={ZONE: A}),
    template=dataclasses.replace(daemon_set(selector={ZONE: A}).template, host_ports=(HostPort(80),)),
)


def ported(name: str, *ports: HostPort, replicas: int = 1) -> Workload:
    return ruled(name, replicas, host_ports=ports)


def mounts(name: str, *volumes: Volume, replicas: int = 1, namespace: str = "default") -> Workload:
    return ruled(name, replicas, namespace=namespace, volumes=volumes)


def wary(replicas: int, **policy: Share) -> Workload:
    return ruled("web", replicas, spot=SpotPolicy(**policy))

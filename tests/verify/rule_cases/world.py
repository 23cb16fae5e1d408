"""The world of the cases of rules: what is sold, who asks, and decisions written in a line.

The cloud sells a ``box`` of 8 CPUs in three zones, on demand at 1, 2 and 3 dollars an hour and as spot
at half a dollar, and a ``gpu`` node in zone a at 5. Every pod takes one CPU, so that room never matters.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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
from builders import daemon_set, instance_type, offering, problem
from decisions import Bought, bought, decided
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


@dataclass(frozen=True)
class On:
    """Pods put on an existing node, by name of their workload."""

    node: str
    pods: dict[str, int]


def on(node: str, **pods: int) -> On:
    return On(node, pods)


def decide(question: Problem, *nodes: Bought | On) -> Decision:
    """The decision that buys these nodes and fills these existing ones; all other pods are left out."""
    existing = {node.node: node.pods for node in nodes if isinstance(node, On)}
    return decided(question, [node for node in nodes if isinstance(node, Bought)], existing)


class Case(NamedTuple):
    """A decision that breaks no rule."""

    name: str
    question: Problem
    decision: Decision


def case(name: str, question: Problem, *nodes: Bought | On) -> Case:
    return Case(name, question, decide(question, *nodes))


class Mutant(NamedTuple):
    """A decision that breaks exactly one rule, beside one on the same question that breaks none.

    ``finding`` is part of what the verifier says of it under the name of the rule.
    """

    name: str
    rule: Rule
    question: Problem
    right: Decision
    wrong: Decision
    finding: str


Nodes = Sequence[Bought | On]


def mutant(rule: Rule, name: str, question: Problem, right: Nodes, wrong: Nodes, finding: str) -> Mutant:
    return Mutant(name, rule, question, decide(question, *right), decide(question, *wrong), finding)


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

"""Nodes, pods and what can be bought, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from binwright_optimizer.model import (
    ExistingNode,
    InstanceType,
    NodePool,
    Offering,
    PodTemplate,
    Problem,
    Reservation,
    Taint,
    labels,
)


@dataclass(eq=False)
class Node:
    """A node of a placement; ``option`` is what was bought, None for an existing one."""

    name: str
    labels: dict[str, str]
    taints: tuple[Taint, ...]
    existing: ExistingNode | None = None
    option: Option | None = None

    def label(self, key: str) -> str | None:
        """Value of a label; a node to be bought will have a host name of its own."""
        if key == labels.HOSTNAME and self.existing is None:
            return f"(host name of {self.name})"
        return self.labels.get(key)


@dataclass(frozen=True)
class Option:
    """Something to buy: an offering for a NodePool, with a choice of the pool's custom labels.

    ``reservation`` is the one whose capacity it is, if any.
    """

    pool: NodePool
    kind: InstanceType
    offering: Offering
    custom: tuple[tuple[str, str], ...]
    reservation: Reservation | None = None

    def node(self, name: str) -> Node:
        """A node of this option."""
        carried = node_labels(self.pool, self.kind, self.offering, dict(self.custom))
        return Node(name, carried, self.pool.taints, None, self)


def node_labels(
    pool: NodePool, kind: InstanceType, offering: Offering, custom: Mapping[str, str]
) -> dict[str, str]:
    """Labels of a node of this pool, but its host name."""
    return {
        **custom,
        **dict(pool.labels),
        **dict(kind.labels),
        labels.REGION: offering.region,
        labels.ZONE: offering.zone,
        labels.CAPACITY_TYPE: offering.capacity_type.value,
        labels.NODE_POOL: pool.name,
    }


@dataclass(eq=False)
class Pod:
    """One pod; ``workload`` is -1 for a running one."""

    template: PodTemplate
    namespace: str
    node: Node
    workload: int = -1
    gang: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.labels = dict(self.template.labels)

    @property
    def is_new(self) -> bool:
        return self.workload >= 0


@dataclass
class Placement:
    """Nodes, the existing ones first, and the placed pods."""

    nodes: list[Node]
    pods: list[Pod]


def existing_nodes(problem: Problem) -> list[Node]:
    """The nodes that run already."""
    return [
        Node(node.name, {labels.HOSTNAME: node.name, **dict(node.labels)}, node.taints, node)
        for node in problem.existing_nodes
    ]


def running_pods(problem: Problem, nodes: Sequence[Node]) -> list[Pod]:
    """The pods that run on existing nodes, one by one."""
    return [
        Pod(pods.template, pods.namespace, node, gang=pods.gang)
        for node in nodes
        if node.existing is not None
        for pods in node.existing.pods
        for _ in range(pods.count)
    ]

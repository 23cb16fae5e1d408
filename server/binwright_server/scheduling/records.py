"""Nodes and pods of a running cluster, as the server keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model import CapacityType, Namespace, PodTemplate, PriceSource, Resources, Taint

from binwright_server.scheduling.rules import NO_RULES, Identity, Labels, PodRules

PodKey = tuple[str, str]
"""Namespace and name of a pod."""


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node.

    Parameters
    ----------
    taints
        A cordoned node has the taint that kube-scheduler sees in it.
    allocatable
        What pods may use; a node without ``pods`` has slots without limit.
    version
        Kubernetes' resourceVersion as a number; None where it is no number.
    priced_by
        Capacity type and source of a catalogue's price; None where the price was told or estimated.
    """

    name: str
    labels: tuple[tuple[str, str], ...]
    taints: tuple[Taint, ...]
    allocatable: Resources
    price_microusd_per_hour: int
    version: int | None = None
    priced_by: tuple[CapacityType, PriceSource] | None = None


@dataclass(frozen=True, slots=True)
class PodRecord:
    """A pod that has not ended.

    Parameters
    ----------
    kind
        Equal for pods that are equal for scheduling, but for what rules between pods make of their labels.
    node
        Name of its node; empty while it is pending.
    is_daemon
        Whether it belongs to its node and goes with it.
    priority
        By which preemption weighs it; plans don't.
    labels
        Its labels; its template has them only where it carries rules between pods.
    rules
        Its required rules between pods, and its host ports.
    is_ending
        Whether it is being deleted.
    """

    key: PodKey
    template: PodTemplate
    kind: bytes
    node: str = ""
    is_daemon: bool = False
    uid: str = ""
    version: int | None = None
    priority: int = 0
    labels: Labels = ()
    rules: PodRules = NO_RULES
    is_ending: bool = False

    @property
    def identity(self) -> Identity:
        """What rules see of it."""
        return Identity(self.key[0], self.labels, self.is_ending)


@dataclass(frozen=True, slots=True)
class ClusterUpdate:
    """A snapshot, or what changed since the snapshot named ``epoch``."""

    is_snapshot: bool
    epoch: str
    nodes: tuple[NodeRecord, ...] = ()
    pods: tuple[PodRecord, ...] = ()
    deleted_nodes: tuple[str, ...] = ()
    deleted_pods: tuple[PodKey, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    deleted_namespaces: tuple[str, ...] = ()

"""Pods: what they request and where they may run."""

from __future__ import annotations

from dataclasses import dataclass, field

from binwright_optimizer.model.requirements import NodeSelectorTerm, Requirement
from binwright_optimizer.model.resources import Resources
from binwright_optimizer.model.taints import Toleration


@dataclass(frozen=True, slots=True)
class PreferredTerm:
    """A preferred node affinity: a term with a weight of 1 to 100."""

    weight: int
    term: NodeSelectorTerm


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """Everything about a pod that matters to scheduling, without its name.

    Parameters
    ----------
    requests
        Effective request (`effective_request`), without the pod slot.
    node_selector
        Requirements that must all hold.
    node_affinity
        Required terms, of which one must hold (OR); empty means no constraint.
    preferred_affinity
        Preferred terms; they do not change what a decision costs and are not weighed yet, which the
        decision says.
    tolerations
        Taints the pod ignores.
    labels
        Sorted pairs (key, value).
    priority
        Larger goes first when limits bind.
    do_not_disrupt
        Whether consolidation must leave the pod where it is.
    """

    requests: Resources = Resources()
    node_selector: tuple[Requirement, ...] = ()
    node_affinity: tuple[NodeSelectorTerm, ...] = ()
    preferred_affinity: tuple[PreferredTerm, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    priority: int = 0
    do_not_disrupt: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """Pods of one template: a single pod, or the replicas of its owner.

    Parameters
    ----------
    names
        Explicit pod names; if empty, a workload of one replica has its own name and the
        replicas of a larger one are ``<name>-0``, ``<name>-1``, ...
    """

    name: str
    template: PodTemplate
    replicas: int = 1
    namespace: str = "default"
    kind: str = "Pod"
    names: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if self.replicas < 0:
            raise ValueError(f"replicas of {self.name} must not be negative: {self.replicas}")
        if self.names and len(self.names) != self.replicas:
            raise ValueError(f"{self.name} names {len(self.names)} pods for {self.replicas} replicas")

    def pod_name(self, ordinal: int) -> str:
        """Name of one replica; with ``namespace/`` in front unless that is ``default``."""
        if self.names:
            name = self.names[ordinal]
        else:
            name = self.name if self.replicas == 1 else f"{self.name}-{ordinal}"
        return name if self.namespace == "default" else f"{self.namespace}/{name}"

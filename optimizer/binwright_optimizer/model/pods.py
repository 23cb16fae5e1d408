"""Pods: what they request and where they may run."""

from __future__ import annotations

from dataclasses import dataclass, field

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.affinity import PodAffinity
from binwright_optimizer.model.caps import NodeCap
from binwright_optimizer.model.claims import DeviceClaim
from binwright_optimizer.model.gpu_sharing import GpuShare
from binwright_optimizer.model.ports import HostPort
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD
from binwright_optimizer.model.requirements import NodeSelectorTerm, Requirement
from binwright_optimizer.model.resources import Resources
from binwright_optimizer.model.spot import DEFAULT_GRACE_S, SpotPolicy
from binwright_optimizer.model.taints import Toleration
from binwright_optimizer.model.topology import TopologySpread
from binwright_optimizer.model.volumes import Volume


@dataclass(frozen=True, slots=True)
class PreferredTerm:
    """A preferred node affinity: a term with a weight of 1 to 100."""

    weight: int
    term: NodeSelectorTerm

    def __str__(self) -> str:
        return f"{' and '.join(map(str, self.term))} (weight {self.weight})"


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
        Preferred terms; each that a node does not satisfy has its price (`Policies`).
    tolerations
        Taints the pod ignores.
    labels
        Sorted pairs (key, value).
    priority
        Larger goes first when limits bind.
    do_not_disrupt
        Whether consolidation must leave the pod where it is.
    topology_spread, pod_affinity, pod_anti_affinity, node_caps
        Rules about other pods: evenly, near to, away from, and at most so many of them.
    host_ports
        Ports of the node; no two pods of a node may clash.
    volumes
        Persistent volumes that it mounts.
    gpu_share
        What it needs of each ``nvidia.com/gpu`` that it requests; None means all of it.
    device_claims
        Devices claimed beside what it requests.
    priority_class
        Name of the class that ``priority`` comes from; empty if it is a plain number.
    preempts
        Whether it may displace pods of lower priority (``preemptionPolicy``).
    restart_cost_microusd
        What one interruption of the pod costs, micro-dollars; 0 leaves it to the problem's policies.
    grace_s
        Seconds it takes to end in good order (``terminationGracePeriodSeconds``).
    """

    requests: Resources = Resources()
    node_selector: tuple[Requirement, ...] = ()
    node_affinity: tuple[NodeSelectorTerm, ...] = ()
    preferred_affinity: tuple[PreferredTerm, ...] = ()
    tolerations: tuple[Toleration, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    priority: int = 0
    do_not_disrupt: bool = False
    topology_spread: tuple[TopologySpread, ...] = ()
    pod_affinity: PodAffinity = PodAffinity()
    pod_anti_affinity: PodAffinity = PodAffinity()
    node_caps: tuple[NodeCap, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    volumes: tuple[Volume, ...] = ()
    gpu_share: GpuShare | None = None
    device_claims: tuple[DeviceClaim, ...] = ()
    priority_class: str = ""
    preempts: bool = True
    restart_cost_microusd: int = 0
    grace_s: int = DEFAULT_GRACE_S

    def __post_init__(self) -> None:
        if not 0 <= self.restart_cost_microusd <= MAX_PRICE_MICROUSD:
            raise WrongFieldError(
                "restart_cost_microusd", self.restart_cost_microusd, f"must be in 0..{MAX_PRICE_MICROUSD}"
            )
        if not 0 <= self.grace_s < 2**31:
            raise WrongFieldError("grace_s", self.grace_s, "must not be negative")


@dataclass(frozen=True, slots=True)
class Workload:
    """Pods of one template: a single pod, or the replicas of its owner.

    Parameters
    ----------
    names
        Explicit pod names; if empty, a workload of one replica has its own name and the
        replicas of a larger one are ``<name>-0``, ``<name>-1``, ...
    gang
        Name of the gang, of the same namespace, that its pods belong to; empty if none.
    spot
        How much of it may be on spot capacity; an empty policy leaves it to the problem's.
    """

    name: str
    template: PodTemplate
    replicas: int = 1
    namespace: str = "default"
    kind: str = "Pod"
    names: tuple[str, ...] = field(default=())
    gang: str = ""
    spot: SpotPolicy = SpotPolicy()

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

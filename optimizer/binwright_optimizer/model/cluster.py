"""The cluster as it stands: nodes with free capacity, and daemons."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.pods import PodTemplate
from binwright_optimizer.model.resources import Resources
from binwright_optimizer.model.taints import Taint
from binwright_optimizer.model.volumes import AttachLimit


@dataclass(frozen=True, slots=True)
class RunningPods:
    """Equal pods on a node already running; the room they take is no part of its ``free``.

    Parameters
    ----------
    template
        Their labels, anti-affinity, host ports, volumes, priority and requests.
    gang
        Name of the gang, of the same namespace, that they belong to; empty if none.
    names
        What they are called, for the reasons of pods that they keep away or that would preempt them; as far
        as that is told.
    """

    template: PodTemplate
    count: int = 1
    namespace: str = "default"
    gang: str = ""
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= self.count < 2**31:
            raise WrongFieldError("count", self.count, "must be at least 1")


@dataclass(frozen=True, slots=True)
class ExistingNode:
    """A node that is already paid for.

    Parameters
    ----------
    free
        Allocatable less the requests of the pods on it, pod slots included.
    capacity
        Raw capacity; counts against the limits of its NodePool.
    node_pool
        Name of the NodePool it belongs to; empty if none.
    pods
        Pods that run on it: they count for the topology rules of others, and their own anti-affinity,
        caps, ports and volumes bind those that come.
    attach_limits
        Volumes by driver that it can still attach; a driver that is not named is not limited.
    """

    name: str
    free: Resources
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[Taint, ...] = ()
    capacity: Resources = Resources()
    node_pool: str = ""
    pods: tuple[RunningPods, ...] = ()
    attach_limits: tuple[AttachLimit, ...] = ()


@dataclass(frozen=True, slots=True)
class DaemonSet:
    """A daemon that runs on every node its selectors and tolerations admit."""

    name: str
    template: PodTemplate
    namespace: str = "default"

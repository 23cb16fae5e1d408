"""The cluster as it stands: nodes with free capacity, and daemons."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model.pods import PodTemplate
from binwright_optimizer.model.resources import Resources
from binwright_optimizer.model.taints import Taint


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
    """

    name: str
    free: Resources
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[Taint, ...] = ()
    capacity: Resources = Resources()
    node_pool: str = ""


@dataclass(frozen=True, slots=True)
class DaemonSet:
    """A daemon that runs on every node its selectors and tolerations admit."""

    name: str
    template: PodTemplate
    namespace: str = "default"

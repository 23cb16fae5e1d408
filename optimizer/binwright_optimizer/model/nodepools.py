"""NodePools as in Karpenter: templates of nodes with limits."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model.gpu_sharing import GpuSharing
from binwright_optimizer.model.nodeclasses import NodeClass
from binwright_optimizer.model.offerings import InstanceType
from binwright_optimizer.model.requirements import Requirement
from binwright_optimizer.model.resources import Resources
from binwright_optimizer.model.taints import Taint
from binwright_optimizer.model.volumes import AttachLimit


@dataclass(frozen=True, slots=True)
class NodePool:
    """A template of nodes that may be bought.

    Parameters
    ----------
    requirements
        Which instance types, zones, capacity types and custom labels its nodes have.
    startup_taints
        Taints removed before pods land; they repel no pod.
    weight
        Larger is preferred between nodes of the same room and price; Karpenter fills heavier pools first.
    limits
        Largest total node *capacity* of the pool by resource, existing nodes included, as
        pairs (name, amount); unlike in `Resources`, an amount of zero is kept.
    min_nodes, max_nodes
        Bounds on the number of nodes, existing nodes included.
    overhead
        Daemon requests on each node of this pool, beside the problem's DaemonSets.
    gpu_sharing
        How its nodes give their GPUs to pods.
    attach_limits
        Volumes by driver that each of its nodes takes, where less than its instance type.
    node_class
        What its EC2NodeClass says of the room on its nodes; None for what the catalogue states.
    """

    name: str
    requirements: tuple[Requirement, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[Taint, ...] = ()
    startup_taints: tuple[Taint, ...] = ()
    weight: int = 0
    limits: tuple[tuple[str, int], ...] = ()
    min_nodes: int = 0
    max_nodes: int | None = None
    overhead: Resources = Resources()
    gpu_sharing: GpuSharing = GpuSharing()
    attach_limits: tuple[AttachLimit, ...] = ()
    node_class: NodeClass | None = None

    def capacity_of(self, kind: InstanceType) -> Resources:
        """Raw amounts of a node of this type in the pool; its limits count these."""
        return kind.capacity if self.node_class is None else self.node_class.capacity(kind)

    def allocatable_of(self, kind: InstanceType) -> Resources:
        """What such a node advertises to pods and daemons, GPUs as often as the pool replicates them."""
        stated = kind.allocatable if self.node_class is None else self.node_class.allocatable(kind)
        return self.gpu_sharing.advertised(stated)

"""Node classes: the provider's objects that say how a node is launched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from binwright.v1 import node_class_pb2
from binwright_optimizer.model import labels
from binwright_optimizer.model.requirements import Operator, Requirement


@dataclass(frozen=True, slots=True)
class NodeClassRef:
    """Names the object that holds a node's image, network and disks."""

    group: str
    kind: str
    name: str = "default"


EC2_GROUP = "karpenter.k8s.aws"
"""API group of the AWS provider."""

DEFAULT_NODE_CLASSES: Mapping[str, NodeClassRef] = {
    "aws": NodeClassRef(EC2_GROUP, "EC2NodeClass"),
    "azure": NodeClassRef("karpenter.azure.com", "AKSNodeClass"),
    "gcp": NodeClassRef("karpenter.k8s.gcp", "GCENodeClass"),
}
"""Node class named ``default`` of each cloud's Karpenter provider, used where a NodePool names none."""


@dataclass(frozen=True, slots=True)
class Ec2NodeClass:
    """What an EC2NodeClass says of the nodes of NodePools that name it.

    Parameters
    ----------
    room
        What its nodes keep and hold.
    zones
        Zones of its subnets; empty where its status does not tell.
    """

    room: node_class_pb2.NodeClass
    zones: tuple[str, ...] = ()

    def requirements(self) -> tuple[Requirement, ...]:
        """What it demands of the nodes."""
        return (Requirement(labels.ZONE, Operator.IN, self.zones),) if self.zones else ()


def node_class_of(reference: Mapping[str, str]) -> NodeClassRef | None:
    """The reference in a NodePool's ``nodeClassRef``; None if it names no object.

    Examples
    --------
    >>> node_class_of({"apiVersion": "karpenter.k8s.aws/v1beta1", "kind": "EC2NodeClass", "name": "gpu"})
    NodeClassRef(group='karpenter.k8s.aws', kind='EC2NodeClass', name='gpu')
    """
    group = reference.get("group") or reference.get("apiVersion", "").partition("/")[0]
    kind, name = reference.get("kind", ""), reference.get("name", "")
    return NodeClassRef(group, kind, name) if group and kind and name else None

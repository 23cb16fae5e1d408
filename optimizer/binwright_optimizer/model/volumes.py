"""Volumes that pods mount: where they can be attached, and how many a node takes.

What the scheduler plugins VolumeZone, VolumeBinding and NodeVolumeLimits need, resolved by the reader:
a bound claim has the node affinity of its volume, an unbound one the allowed topologies of its
storage class. https://kubernetes.io/docs/concepts/storage/storage-limits/
"""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.requirements import NodeSelectorTerm


@dataclass(frozen=True, slots=True)
class Volume:
    """A persistent volume that a pod mounts.

    Parameters
    ----------
    name
        Claim that pods share: on one node, pods with the same ``name`` and namespace use one
        attachment. Empty if each pod has a volume of its own (ephemeral volumes, claim templates).
    driver
        CSI driver whose attachments are counted, such as ``ebs.csi.aws.com``; empty if it is not known
        and so not counted.
    topology
        Terms of which a node must satisfy one; empty if the volume can be attached anywhere.
    is_exclusive
        Whether one pod at a time may use it (``ReadWriteOncePod``).
    is_single_node
        Whether the pods that share it must share a node (``ReadWriteOnce``, bound or not).
    """

    name: str = ""
    driver: str = ""
    topology: tuple[NodeSelectorTerm, ...] = ()
    is_exclusive: bool = False
    is_single_node: bool = False

    def __post_init__(self) -> None:
        if any(not term for term in self.topology):
            raise WrongFieldError("topology", "", "an empty term matches no node")


@dataclass(frozen=True, slots=True)
class AttachLimit:
    """Most volumes of one CSI driver on a node; on a running node, those still free."""

    driver: str
    count: int

    def __post_init__(self) -> None:
        if not self.driver:
            raise WrongFieldError("driver", "", "must name a CSI driver")
        if not 0 <= self.count < 2**31:
            raise WrongFieldError("count", self.count, "must not be negative")

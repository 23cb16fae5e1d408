"""What Cluster Autoscaler asks: options to grow node groups, and the pods that each would help."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from binwright_optimizer.model import Resources
from numpy.typing import NDArray

from binwright_server.prices import NodePrice


@dataclass(frozen=True, slots=True)
class PodKind:
    """Pending pods with equal requests that the same options help.

    Parameters
    ----------
    count
        Pods of this kind over all options, each counted once.
    """

    requests: Resources
    count: int


@dataclass(frozen=True, slots=True)
class ScaleUpOption:
    """Growing one node group.

    Parameters
    ----------
    node_count
        Nodes that Cluster Autoscaler would add: this many, whatever is answered.
    helps
        Pods that the autoscaler would help, int64 array (kind,).
    """

    node_group: str
    node_count: int
    instance_type: str
    allocatable: Resources
    price: NodePrice
    helps: NDArray[np.int64] = field(compare=False)

    @property
    def cost_microusd_per_hour(self) -> int:
        """What all of its nodes cost."""
        return self.price.microusd_per_hour * max(1, self.node_count)


@dataclass(frozen=True, slots=True)
class ScaleUpQuestion:
    """The options that can be judged, and remarks about what cannot."""

    options: tuple[ScaleUpOption, ...]
    kinds: tuple[PodKind, ...]
    remarks: tuple[str, ...] = ()

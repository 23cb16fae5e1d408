"""What Cluster Autoscaler asks: options to grow node groups, and the pods that each would help."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.model import PodTemplate, Resources

from binwright_server.prices import NodePrice


@dataclass(frozen=True, slots=True)
class PodKind:
    """Pending pods that are equal for scheduling.

    Parameters
    ----------
    count
        Pods of this kind over all options, each counted once.
    """

    template: PodTemplate
    count: int


@dataclass(frozen=True, slots=True)
class ScaleUpOption:
    """Growing one node group.

    Parameters
    ----------
    node_count
        Nodes that Cluster Autoscaler would add: this many, whatever is answered.
    helps
        Pairs (index of a pod kind, pods of it that the autoscaler would help), by index.
    """

    node_group: str
    node_count: int
    instance_type: str
    allocatable: Resources
    price: NodePrice
    helps: tuple[tuple[int, int], ...]

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

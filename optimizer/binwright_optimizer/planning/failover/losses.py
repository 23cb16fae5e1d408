"""What may fail, and what a failure does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from binwright_optimizer.model import CapacityType, Catalog
from binwright_optimizer.model.mixes import NodePattern


class LossKind(StrEnum):
    """What fails."""

    ZONE = "zone"
    SPOT_POOL = "spot pool"
    REGION = "region"


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """A failure; ``zone`` and ``instance_type`` are empty where they do not matter."""

    kind: LossKind
    region: str
    zone: str = ""
    instance_type: str = ""

    @property
    def name(self) -> str:
        """What to call it."""
        return " ".join(filter(None, (self.instance_type, self.zone or self.region)))

    def takes(self, pattern: NodePattern) -> bool:
        """Whether a node is gone with it."""
        if self.kind is LossKind.SPOT_POOL and pattern.capacity_type is not CapacityType.SPOT:
            return False
        return (
            self.region == pattern.region
            and self.zone in ("", pattern.zone)
            and self.instance_type in ("", pattern.instance_type)
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """Pods of a workload that find another place; an empty ``zone`` means that they find none."""

    workload: str
    home: str
    pods: int
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a loss does.

    Parameters
    ----------
    displaced
        Pods that ran on the nodes lost.
    protected_lost
        Pods without a place that the forecast promised to protect from this kind of loss.
    is_promised
        Whether the forecast promises anything for this kind of loss.
    extra_microusd_per_hour
        Cheapest further nodes for all pods without a place; None if these may run nowhere else.
    """

    loss: Loss
    nodes_lost: int
    displaced: int
    moved: tuple[Moved, ...]
    lost: tuple[Moved, ...]
    protected_lost: int
    is_promised: bool
    extra_microusd_per_hour: int | None


def without(catalog: Catalog, loss: Loss) -> Catalog:
    """What a region still sells: nothing in a lost zone, and no spot nodes of a lost pool."""
    types = []
    for kind in catalog.instance_types:
        left = tuple(
            o
            for o in kind.offerings
            if not loss.takes(NodePattern("", kind.name, o.region, o.zone, o.capacity_type, 0, ()))
        )
        if left:
            types.append(replace(kind, offerings=left))
    return Catalog(f"{catalog.name} without {loss.name}", tuple(types))

"""The simple sizing rule, kept as a baseline: demand x 1.2, over 8 vCPU, 64 GiB and 1 GPU a node, 730 h.

As it is commonly written it has three faults, which `Faults` names and `size` corrects unless told not to.
What remains are properties of the rule, not slips; `LIMITS` has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Flag, auto
from fractions import Fraction
from math import ceil

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import HOURS_PER_MONTH, CapacityType, Workload, labels
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU
from binwright_optimizer.planning.mix import Mix, Purchase, cheapest_offering

HEADROOM = Fraction(12, 10)
NODE_CPU_MILLI = 8_000
NODE_MEMORY_BYTES = 64 * 2**30
CONTROL_PLANE_MICROUSD_PER_HOUR = 100_000
"""EKS, standard support: 0.10 $/h a cluster (AWS price list, 2026-04)."""


class Faults(Flag):
    """What the rule gets wrong as it is commonly written."""

    NONE = 0
    GPU_IN_EVERY_REGION = auto()
    NO_SPOT_DISCOUNT = auto()
    ONE_CONTROL_PLANE = auto()
    ALL = GPU_IN_EVERY_REGION | NO_SPOT_DISCOUNT | ONE_CONTROL_PLANE


FAULTS = {
    Faults.GPU_IN_EVERY_REGION: "GPU demand is not split by region: each gets the GPUs of the whole platform",
    Faults.NO_SPOT_DISCOUNT: "no spot discount: nodes for interruptible work are priced on demand",
    Faults.ONE_CONTROL_PLANE: "control planes are counted once, not for each region",
}
"""What is wrong with the rule as it is commonly written, in words."""
LIMITS = (
    "it counts raw capacity instead of what pods may use beside the daemons and under a target utilisation",
    "it knows one node shape for everything but GPUs",
    "it knows no fragmentation: pods need not fit on its nodes",
    "it neither knows nor proves how far it is from the optimum",
)
"""What remains wrong with it once its faults are corrected."""


@dataclass(frozen=True, slots=True)
class SizingNodes:
    """The node shapes that the rule buys: 8 vCPU and 64 GiB, and one with a GPU."""

    general: str = "r5.2xlarge"
    gpu: str = "g4dn.2xlarge"


@dataclass(frozen=True, slots=True)
class Sizing:
    """What the rule says: a mix per region, in their order, and the control planes it counts."""

    mixes: tuple[Mix, ...]
    control_planes: int

    @property
    def nodes_microusd_per_month(self) -> int:
        """What its nodes cost, without control planes."""
        return sum(mix.cost_microusd_per_hour for mix in self.mixes) * HOURS_PER_MONTH

    @property
    def control_planes_microusd_per_month(self) -> int:
        """What the control planes cost that it counts."""
        return self.control_planes * CONTROL_PLANE_MICROUSD_PER_HOUR * HOURS_PER_MONTH


def size(
    demand: Sequence[tuple[str, Sequence[Workload]]],
    faults: Faults = Faults.NONE,
    nodes: SizingNodes = SizingNodes(),
) -> Sizing:
    """Nodes by the rule for each (AWS region, workloads).

    Raises
    ------
    CatalogError, PlanningError
        If a region does not sell a node that the rule wants.

    Examples
    --------
    Ten pods of 1 vCPU and 4 GiB: 12 vCPU over 8 are two nodes, 48 GiB over 64 would be one.

    >>> from binwright_optimizer.model import PodTemplate, Resources
    >>> pod = PodTemplate(Resources.of({"cpu": 1000, "memory": 4 * 2**30}))
    >>> size([("us-east-1", [Workload("web", pod, 10)])]).mixes[0].nodes
    2
    """
    gpus = [sum(w.replicas * w.template.requests[NVIDIA_GPU] for w in workloads) for _, workloads in demand]
    if Faults.GPU_IN_EVERY_REGION in faults:
        gpus = [sum(gpus)] * len(gpus)
    mixes = []
    for (region, workloads), gpu in zip(demand, gpus, strict=True):
        general = [w for w in workloads if not w.template.requests[NVIDIA_GPU]]
        bought = {CapacityType.ON_DEMAND: 0, CapacityType.SPOT: 0}
        for kind in bought:
            bought[kind] = _general_nodes([w for w in general if _kind(w) is kind])
        if Faults.NO_SPOT_DISCOUNT in faults:
            bought = {CapacityType.ON_DEMAND: sum(bought.values()), CapacityType.SPOT: 0}
        wanted = [(nodes.general, kind, count) for kind, count in bought.items()]
        wanted.append((nodes.gpu, CapacityType.ON_DEMAND, ceil(gpu * HEADROOM)))
        purchases = []
        for name, kind, count in wanted:
            if count:
                offering = cheapest_offering(embedded_catalog("aws", [region], [name]), name, kind)
                price, zone = offering.price_microusd_per_hour, offering.zone
                purchases.append(Purchase(name, kind, count, price, offering.source, zone=zone))
        # The rule proves nothing: its bound is zero.
        mixes.append(Mix(tuple(purchases), sum(p.cost_microusd_per_hour for p in purchases), 0))
    return Sizing(tuple(mixes), 1 if Faults.ONE_CONTROL_PLANE in faults else len(demand))


def _kind(workload: Workload) -> CapacityType:
    """Spot for workloads that ask for it, on demand for all others."""
    for requirement in workload.template.node_selector:
        if requirement.key == labels.CAPACITY_TYPE and CapacityType.SPOT in requirement.values:
            return CapacityType.SPOT
    return CapacityType.ON_DEMAND


def _general_nodes(workloads: Sequence[Workload]) -> int:
    cpu = sum(w.replicas * w.template.requests[CPU] for w in workloads)
    memory = sum(w.replicas * w.template.requests[MEMORY] for w in workloads)
    return max(ceil(cpu * HEADROOM / NODE_CPU_MILLI), ceil(memory * HEADROOM / NODE_MEMORY_BYTES))

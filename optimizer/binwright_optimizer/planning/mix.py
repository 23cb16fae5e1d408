"""Node mixes: what the engine buys for some workloads, counted by offering."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from binwright_optimizer.catalog.staleness import stale_source_warnings
from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    Decision,
    InstanceType,
    NodePool,
    Offering,
    PriceSource,
    Problem,
    Requirement,
    Resources,
    SolutionStatus,
    Workload,
    labels,
    relative_gap,
)
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.mixes import NodePattern, Packed, PackedMix
from binwright_optimizer.model.requirements import Operator
from binwright_optimizer.model.resources import CPU, MEMORY, PODS
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve

TARGET_UTILISATION = Fraction(7, 10)
"""Share of a node's CPU and memory that requests may fill, so that load can rise before nodes do."""


DAEMONS = Resources.of({CPU: 200, MEMORY: 256 * 2**20, PODS: 4})
"""Taken to run on every node: network, proxy, volumes, logs. An assumption; EKS's own four daemons request
about this much."""
STEADY = NodePool(
    name="steady",
    requirements=(
        Requirement(labels.OS, Operator.IN, ("linux",)),
        Requirement(labels.BURSTABLE, Operator.DOES_NOT_EXIST),
        Requirement(labels.BARE_METAL, Operator.DOES_NOT_EXIST),
    ),
    overhead=DAEMONS,
)
"""What plans buy from: Linux on shared hosts, no CPU credits, which steady load would use up."""


MAX_NODE_CPU_MILLI = 32_000
"""Largest node that plans buy, so that the loss of one takes little; an assumption."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """Nodes of one kind in one zone, each at the same list price.

    Parameters
    ----------
    cpu_milli
        What one node has, daemons' share included.
    """

    instance_type: str
    capacity_type: CapacityType
    nodes: int
    price_microusd_per_hour: int
    source: PriceSource
    cpu_milli: int = 0
    zone: str = ""

    @property
    def cost_microusd_per_hour(self) -> int:
        """Cost of all of them."""
        return self.nodes * self.price_microusd_per_hour


@dataclass(frozen=True, slots=True)
class Mix:
    """The nodes that hold some workloads.

    Parameters
    ----------
    purchases
        Dearest first.
    cost_microusd_per_hour
        At list prices.
    bound_microusd_per_hour
        Proven: no nodes sold hold these workloads for less, at the prices they were chosen by.
    packed
        Node by node, with the proof of the bound, at the prices that the nodes were chosen by; None where
        nothing was solved.
    """

    purchases: tuple[Purchase, ...]
    cost_microusd_per_hour: int
    bound_microusd_per_hour: int
    packed: Packed | None = None

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return sum(purchase.nodes for purchase in self.purchases)

    @property
    def gap(self) -> float:
        """(cost - bound) / cost."""
        return relative_gap(self.cost_microusd_per_hour, self.bound_microusd_per_hour)


def with_headroom(workload: Workload, utilisation: Fraction = TARGET_UTILISATION) -> Workload:
    """The workload with CPU and memory requests so large that nodes fill to ``utilisation`` at most.

    The sum of requests over the target must fit what a node allocates, which is the constraint
    itself, node by node; devices are whole and keep their number.

    Examples
    --------
    >>> from binwright_optimizer.model import PodTemplate
    >>> web = Workload("web", PodTemplate(Resources.of({"cpu": 500})))
    >>> with_headroom(web).template.requests["cpu"]
    715
    """
    if not 0 < utilisation <= 1:
        raise ValueError(f"the target utilisation must be in (0, 1]: {utilisation}")
    requests = {
        name: math.ceil(amount / utilisation) if name in (CPU, MEMORY) else amount
        for name, amount in workload.template.requests
    }
    return replace(workload, template=replace(workload.template, requests=Resources.of(requests)))


def needs(key: str, *values: str) -> Requirement:
    """The requirement that a node's label has one of these values."""
    return Requirement(key, Operator.IN, values)


def on(capacity_type: CapacityType) -> Requirement:
    """The requirement that a node is bought in one way."""
    return needs(labels.CAPACITY_TYPE, str(capacity_type))


def cheapest_mix(
    workloads: Sequence[Workload],
    catalog: Catalog,
    params: SolveParams = SolveParams(),
    node_pools: Sequence[NodePool] = (STEADY,),
    list_prices: Catalog | None = None,
) -> Mix:
    """The cheapest nodes for workloads, verified, with the engine's proven bound.

    Pods that are silent about architecture and capacity type get amd64 and on demand.

    Parameters
    ----------
    list_prices
        What the nodes really cost, where ``catalog`` holds other prices to choose by.

    Raises
    ------
    PlanningError
        If some pod fits nothing sold: a mix that leaves pods out is none.
    """
    complete = tuple(
        replace(workload, template=with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS))
        for workload in workloads
        if workload.replicas
    )
    if not complete:
        return Mix((), 0, 0)
    decision = solve(Problem(complete, tuple(node_pools), catalog), params)
    if decision.status is not SolutionStatus.COMPLETE:
        raise PlanningError(_unserved(decision, complete, catalog))
    purchases = _purchases(decision, list_prices or catalog)
    return Mix(
        purchases,
        sum(purchase.cost_microusd_per_hour for purchase in purchases),
        decision.bound_microusd_per_hour,
        Packed(_packed(decision), tuple(at for at, w in enumerate(workloads) if w.replicas)),
    )


def _packed(decision: Decision) -> PackedMix:
    """The nodes of a decision by pattern."""
    counts: Counter[NodePattern] = Counter()
    for claim in decision.node_claims:
        pods: Counter[int] = Counter()
        for some in claim.pods:
            pods[some.workload] += some.count
        pattern = NodePattern(
            claim.node_pool,
            claim.instance_type,
            claim.region,
            claim.zone,
            claim.capacity_type,
            claim.price_microusd_per_hour,
            tuple(sorted(pods.items())),
        )
        counts[pattern] += 1
    return PackedMix(
        tuple(sorted(counts.items())),
        decision.cost_microusd_per_hour,
        decision.bound_microusd_per_hour,
        decision.certificate,
    )


def _unserved(decision: Decision, workloads: Sequence[Workload], catalog: Catalog) -> str:
    first = decision.unschedulable[0]
    name = workloads[first.pods.workload].name
    reasons = "; ".join(refusal.message for refusal in first.refusals[:2])
    return (
        f"{catalog.name}: nothing sold there can serve {first.pods.count} pods of {name}: {reasons}. "
        f"Nearest: {first.nearest_miss or 'nothing'}"
    )


def _purchases(decision: Decision, catalog: Catalog) -> tuple[Purchase, ...]:
    types = {instance_type.name: instance_type for instance_type in catalog.instance_types}
    counts = Counter((claim.instance_type, claim.zone, claim.capacity_type) for claim in decision.node_claims)
    purchases = []
    for (name, zone, capacity_type), nodes in counts.items():
        offering = next(
            offering
            for offering in types[name].offerings
            if (offering.zone, offering.capacity_type) == (zone, capacity_type)
        )
        price, cpu = offering.price_microusd_per_hour, types[name].allocatable[CPU]
        purchases.append(Purchase(name, capacity_type, nodes, price, offering.source, cpu, zone))
    return tuple(
        sorted(
            purchases,
            key=lambda p: (-p.cost_microusd_per_hour, p.instance_type, p.capacity_type, p.zone),
        )
    )


def cheapest_offering(catalog: Catalog, instance_type: str, capacity_type: CapacityType) -> Offering:
    """The cheapest offering of a type, of several zones the first by name.

    Raises
    ------
    PlanningError
        If the catalogue does not sell it so.
    """
    found = instance_type_of(catalog, instance_type)
    offerings = [offering for offering in found.offerings if offering.capacity_type is capacity_type]
    if not offerings:
        raise PlanningError(f"{catalog.name} does not sell {instance_type} as {capacity_type}")
    return min(offerings, key=lambda offering: (offering.price_microusd_per_hour, offering.zone))


def instance_type_of(catalog: Catalog, name: str) -> InstanceType:
    """An instance type by name; raises PlanningError if the catalogue does not sell it."""
    for instance_type in catalog.instance_types:
        if instance_type.name == name:
            return instance_type
    raise PlanningError(f"{catalog.name} does not sell {name}")


@lru_cache(maxsize=64)
def without_giants(catalog: Catalog, max_cpu_milli: int = MAX_NODE_CPU_MILLI) -> Catalog:
    """The catalogue without instance types of more CPU; the same arguments give the same object."""
    kept = tuple(t for t in catalog.instance_types if t.capacity[CPU] <= max_cpu_milli)
    return Catalog(f"{catalog.name}, at most {max_cpu_milli // 1000} vCPU", kept, catalog.digest)


def most_that_fit(requests: Resources, room: Resources) -> int:
    """How many pods of these requests fit into a room; pod slots are the caller's.

    Examples
    --------
    >>> most_that_fit(Resources.of({"cpu": 700}), Resources.of({"cpu": 7910}))
    11
    """
    return min(room[name] // amount for name, amount in requests)


def stale_prices(mixes: Iterable[Mix], today: datetime.date) -> tuple[str, ...]:
    """What is to be said of prices paid that are old."""
    return stale_source_warnings(
        ((purchase.capacity_type, purchase.source) for mix in mixes for purchase in mix.purchases), today
    )


def sources_of(mixes: Iterable[Mix]) -> tuple[PriceSource, ...]:
    """Sources of all prices paid, latest first."""
    found = {purchase.source for mix in mixes for purchase in mix.purchases}
    return tuple(sorted(found, key=lambda source: (source.date, source.name), reverse=True))

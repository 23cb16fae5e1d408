"""Planning on from a plan that is held: what it bought stays, and changing its nodes costs something.

What an earlier plan committed to before the first period is held (`model.forecast.HeldCommitment`). Where it
also planned a block's on-demand nodes, each node of a new mix that the old one does not have costs the churn
price once a period, weighted by scenario and hours as any other cost. Beside the mix that is cheapest afresh
a block may keep the old nodes and buy what they lack; `commit` chooses. Churn costs nothing at least, so the
bounds of the fresh problems hold. Spot nodes come and go anyway and are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    Certificate,
    ExistingNode,
    Offering,
    Problem,
    SolutionStatus,
    Workload,
    labels,
)
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.mixes import NodePattern, Packed, PackedMix
from binwright_optimizer.model.resources import CPU
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.mix import DAEMONS, STEADY, Mix, Purchase
from binwright_optimizer.solve import solve

Nodes = Mapping[tuple[str, str], int]
"""On-demand nodes by (instance type, zone)."""
BlockName = tuple[str, str, int, str, tuple[tuple[str, int], ...]]
"""Region, zone, period, scenario by name, and share of the busiest hour by profile in ppm."""


@dataclass(frozen=True, slots=True)
class HeldPlan:
    """The on-demand nodes of an earlier plan.

    Parameters
    ----------
    nodes
        By block; blocks that it did not plan are left out and cost no churn.
    churn_microusd
        What each node costs that it does not have.
    """

    nodes: Mapping[BlockName, Nodes]
    churn_microusd: int


def added(mix: Mix, held: Nodes) -> int:
    """On-demand nodes of a mix that the plan held does not have.

    Examples
    --------
    >>> added(Mix((), 0, 0), {("m5.large", "us-east-1a"): 2})
    0
    """
    counts: Counter[tuple[str, str]] = Counter()
    for purchase in mix.purchases:
        if purchase.capacity_type is CapacityType.ON_DEMAND:
            counts[purchase.instance_type, purchase.zone] += purchase.nodes
    return sum(max(0, n - held.get(where, 0)) for where, n in counts.items())


def kept_mix(workloads: Sequence[Workload], catalog: Catalog, held: Nodes, params: SolveParams) -> Mix | None:
    """The mix that keeps nodes held, as far as they hold any pods, and buys what they lack.

    None if pods are left without a place, or a type held is no longer sold.

    Parameters
    ----------
    workloads
        As they are packed, headroom included.
    """
    types = {kind.name: kind for kind in catalog.instance_types}
    existing: list[ExistingNode] = []
    kinds: list[tuple[str, Offering]] = []
    for (name, zone), count in sorted(held.items()):
        kind = types.get(name)
        offers = [
            o
            for o in (kind.offerings if kind is not None else ())
            if (o.zone, o.capacity_type) == (zone, CapacityType.ON_DEMAND)
        ]
        if kind is None or not offers:
            return None
        own = {
            labels.REGION: offers[0].region,
            labels.ZONE: zone,
            labels.CAPACITY_TYPE: str(CapacityType.ON_DEMAND),
        }
        node = ExistingNode(
            "", kind.allocatable.minus(DAEMONS), tuple(sorted((dict(kind.labels) | own).items()))
        )
        for _ in range(count):
            existing.append(replace(node, name=f"held-{len(existing)}"))
            kinds.append((name, offers[0]))
    complete = tuple(
        replace(workload, template=with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS))
        for workload in workloads
    )
    decision = solve(Problem(complete, (STEADY,), catalog, existing_nodes=tuple(existing)), params)
    if decision.status is not SolutionStatus.COMPLETE:
        return None
    patterns: Counter[NodePattern] = Counter()
    for placement in decision.existing_placements:
        name, offer = kinds[int(placement.node.removeprefix("held-"))]
        pods: Counter[int] = Counter()
        for some in placement.pods:
            pods[some.workload] += some.count
        patterns[_pattern(name, offer.region, offer.zone, offer.price_microusd_per_hour, pods)] += 1
    for claim in decision.node_claims:
        pods = Counter()
        for some in claim.pods:
            pods[some.workload] += some.count
        price = claim.price_microusd_per_hour
        patterns[_pattern(claim.instance_type, claim.region, claim.zone, price, pods)] += 1
    counts: Counter[tuple[str, str]] = Counter()
    for pattern, n in patterns.items():
        counts[pattern.instance_type, pattern.zone] += n
    purchases = []
    for (name, zone), n in counts.items():
        offer = next(
            o for o in types[name].offerings if (o.zone, o.capacity_type) == (zone, CapacityType.ON_DEMAND)
        )
        cpu = types[name].allocatable[CPU]
        price = offer.price_microusd_per_hour
        purchases.append(Purchase(name, CapacityType.ON_DEMAND, n, price, offer.source, cpu, zone))
    purchases.sort(key=lambda p: (-p.cost_microusd_per_hour, p.instance_type, p.zone))
    cost = sum(p.cost_microusd_per_hour for p in purchases)
    packed = PackedMix(tuple(sorted(patterns.items())), cost, 0, Certificate(0, ()))
    return Mix(tuple(purchases), cost, 0, Packed(packed, tuple(range(len(workloads)))))


def _pattern(name: str, region: str, zone: str, price: int, pods: Counter[int]) -> NodePattern:
    return NodePattern(
        STEADY.name, name, region, zone, CapacityType.ON_DEMAND, price, tuple(sorted(pods.items()))
    )

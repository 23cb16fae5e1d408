"""Planning on from a plan that is held: what it bought stays, and changing its nodes costs something.

What an earlier plan committed to before the first period is held (`model.forecast.HeldCommitment`). Where it
also planned a block's on-demand nodes, each node of a new mix that the old one does not have costs the churn
price once a period, weighted by scenario and hours as any other cost. Beside the mix that is cheapest afresh
a block has the one that is cheapest where further nodes cost more (`churn`, which says what that proves);
`commit` chooses. Spot nodes come and go anyway and are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from binwright_optimizer.errors import PlanningError
from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    Certificate,
    Problem,
    Reservation,
    SolutionStatus,
    Workload,
)
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, with_defaults
from binwright_optimizer.model.mixes import NodePattern, Packed, PackedMix
from binwright_optimizer.model.resources import CPU
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.churn import surcharged
from binwright_optimizer.planning.mix import STEADY, Mix, Purchase
from binwright_optimizer.solve import solve
from binwright_optimizer.verify.mixes import proven_by

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


@dataclass(frozen=True, slots=True)
class Kept:
    """The best mix beside nodes held.

    Parameters
    ----------
    bound
        Proven by ``certificate``: no nodes cost less, surcharges of those not held included.
    """

    mix: Mix
    bound: int
    certificate: Certificate


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


def held_as_reservations(catalog: Catalog, held: Nodes) -> tuple[Reservation, ...]:
    """Nodes held, on sale at their price; types that are not sold any more are given up."""
    on_demand = {
        (kind.name, o.zone): o
        for kind in catalog.instance_types
        for o in kind.offerings
        if o.capacity_type is CapacityType.ON_DEMAND
    }
    return tuple(
        Reservation(
            f"{name}/{zone}",
            name,
            on_demand[name, zone].region,
            count,
            zone,
            CapacityType.ON_DEMAND,
            on_demand[name, zone].price_microusd_per_hour,
        )
        for (name, zone), count in sorted(held.items())
        if count and (name, zone) in on_demand
    )


def kept_mix(
    workloads: Sequence[Workload],
    list_prices: Catalog,
    catalog: Catalog,
    held: Nodes,
    surcharge: int,
    params: SolveParams,
) -> Kept:
    """The best mix where further nodes cost a surcharge, and what is proven of prices and surcharges.

    Parameters
    ----------
    workloads
        As they are packed, headroom included.
    list_prices
        What the nodes of the mix cost.
    catalog
        The same offers at the prices to choose by; types held that are not among them are given up.

    Raises
    ------
    PlanningError
        If pods are left without a place.
    """
    complete = tuple(
        replace(workload, template=with_defaults(workload.template, EMBEDDED_CATALOG_DEFAULTS))
        for workload in workloads
    )
    kept = held_as_reservations(catalog, held)
    problem = Problem(complete, (STEADY,), surcharged(catalog, surcharge), reservations=kept)
    decision = solve(problem, params)
    if decision.status is not SolutionStatus.COMPLETE:
        raise PlanningError(f"{len(decision.unschedulable)} workloads find no place beside nodes held")
    types = {kind.name: kind for kind in list_prices.instance_types}
    offers = {
        (kind.name, o.zone): o
        for kind in list_prices.instance_types
        for o in kind.offerings
        if o.capacity_type is CapacityType.ON_DEMAND
    }
    patterns: Counter[NodePattern] = Counter()
    for claim in decision.node_claims:
        pods: Counter[int] = Counter()
        for some in claim.pods:
            pods[some.workload] += some.count
        price = offers[claim.instance_type, claim.zone].price_microusd_per_hour
        patterns[_pattern(claim.instance_type, claim.region, claim.zone, price, pods)] += 1
    counts: Counter[tuple[str, str]] = Counter()
    for pattern, n in patterns.items():
        counts[pattern.instance_type, pattern.zone] += n
    purchases = []
    for (name, zone), n in counts.items():
        offer, cpu = offers[name, zone], types[name].allocatable[CPU]
        price = offer.price_microusd_per_hour
        purchases.append(Purchase(name, CapacityType.ON_DEMAND, n, price, offer.source, cpu, zone))
    purchases.sort(key=lambda p: (-p.cost_microusd_per_hour, p.instance_type, p.zone))
    cost = sum(p.cost_microusd_per_hour for p in purchases)
    packed = PackedMix(tuple(sorted(patterns.items())), cost, 0, Certificate(0, ()))
    mix = Mix(tuple(purchases), cost, 0, Packed(packed, tuple(range(len(workloads)))))
    bound = proven_by(problem, decision.certificate, [workload.replicas for workload in complete])
    return Kept(mix, bound, decision.certificate)


def _pattern(name: str, region: str, zone: str, price: int, pods: Counter[int]) -> NodePattern:
    return NodePattern(
        STEADY.name, name, region, zone, CapacityType.ON_DEMAND, price, tuple(sorted(pods.items()))
    )

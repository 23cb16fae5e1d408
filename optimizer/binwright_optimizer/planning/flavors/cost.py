"""What the same workloads cost a month on each flavour: machines solved, the rest by price list.

The workloads are those of the reference platform, as many as a given number of its nodes serve. Storage,
traffic and licences of software are left out: they depend on what the pods do, not on the flavour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import (
    HOURS_PER_MONTH,
    CapacityType,
    Catalog,
    NodePool,
    PriceSource,
    Workload,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.planning.flavors.bare_metal import SPARE_PERCENT, bare_metal_catalog
from binwright_optimizer.planning.flavors.catalogue import (
    FLAVORS,
    REGION_OF,
    Area,
    Flavor,
    SupportLevel,
    SupportPlan,
    Tier,
    microusd_per_month,
)
from binwright_optimizer.planning.flavors.operations import EFFORT, HOURLY_RATE_USD
from binwright_optimizer.planning.mix import (
    DAEMONS,
    STEADY,
    Mix,
    cheapest_mix,
    cheapest_offering,
    with_headroom,
    without_giants,
)
from binwright_optimizer.planning.reference.demand import SERVICES, pods_of

_MICRO = 1_000_000
_OWN_SERVERS = NodePool(name="servers", overhead=DAEMONS)

CONTROL_PLANE_MACHINES = ((10, "m5.large"), (100, "m5.xlarge"), (250, "m5.2xlarge"), (500, "m5.4xlarge"))
LARGEST_CONTROL_PLANE_MACHINE = "m5.8xlarge"
"""Machine of each of three control-plane replicas up to so many nodes: the sizes that the Kubernetes
documentation gave for AWS (2, 4, 8, 16 and 36 vCPU), in a current family."""
CONTROL_PLANE_REPLICAS = 3


@dataclass(frozen=True, slots=True)
class FlavorCost:
    """A month of one flavour.

    Parameters
    ----------
    reference_nodes
        Nodes of the reference platform whose workloads are served.
    missing
        Why the flavour cannot be priced as asked for; empty if it can.
    compute_microusd, control_plane_microusd, support_microusd, operations_microusd
        By the month; zero where ``missing`` says why.
    """

    flavor: Flavor
    reference_nodes: int
    mix: Mix
    compute_microusd: int
    control_plane_microusd: int
    support_microusd: int
    operations_microusd: int
    operations_hours: float
    sources: tuple[PriceSource, ...]
    missing: str = ""

    @property
    def total_microusd(self) -> int:
        """Everything, by the month."""
        return (
            self.compute_microusd
            + self.control_plane_microusd
            + self.support_microusd
            + self.operations_microusd
        )


def costs_at(
    reference_nodes: int,
    area: Area = Area.US,
    tier: Tier = Tier.STANDARD,
    support: SupportLevel = SupportLevel.BUSINESS,
    hourly_rate_usd: int = HOURLY_RATE_USD,
    flavors: Sequence[Flavor] = FLAVORS,
    params: SolveParams = SolveParams(deadline_s=4.0, gap=0.005),
    on_step: Callable[[str], None] | None = None,
) -> tuple[FlavorCost, ...]:
    """Costs of the flavours for the workloads of ``reference_nodes`` nodes; a solve for each price list."""
    mixes: dict[str, Mix] = {}
    costs = []
    for flavor in flavors:
        if flavor.cloud not in mixes:
            if on_step is not None:
                on_step(f"{reference_nodes} nodes' workloads on {flavor.cloud or flavor.name}")
            mixes[flavor.cloud] = _mix(flavor.cloud, area, reference_nodes, params)
        mix = mixes[flavor.cloud]
        costs.append(_cost(flavor, reference_nodes, mix, area, tier, support, hourly_rate_usd))
    return tuple(costs)


def workloads_of(reference_nodes: int, catalog: Catalog) -> tuple[Workload, ...]:
    """The workloads with headroom; interruptible ones run on spot where it has a price, else on demand."""
    has_spot = any(o.capacity_type is CapacityType.SPOT for t in catalog.instance_types for o in t.offerings)
    workloads = []
    for pool, pods in pods_of(reference_nodes).items():
        service = SERVICES[pool]
        if not has_spot:
            kept = tuple(r for r in service.template.node_selector if r.key != labels.CAPACITY_TYPE)
            service = replace(service, template=replace(service.template, node_selector=kept))
        workloads.append(with_headroom(replace(service, replicas=pods)))
    return tuple(workloads)


def _mix(cloud: str, area: Area, reference_nodes: int, params: SolveParams) -> Mix:
    if not cloud:
        catalog = bare_metal_catalog()
        mix = cheapest_mix(workloads_of(reference_nodes, catalog), catalog, params, (_OWN_SERVERS,))
        return _with_spares(mix)
    catalog = without_giants(embedded_catalog(cloud, [REGION_OF[cloud, area]]))
    return cheapest_mix(workloads_of(reference_nodes, catalog), catalog, params, (STEADY,))


def _with_spares(mix: Mix) -> Mix:
    """The mix with servers that stand by; the bound grows alike, as spares are no choice."""
    purchases = tuple(replace(p, nodes=p.nodes + ceil(p.nodes * SPARE_PERCENT / 100)) for p in mix.purchases)
    cost = sum(purchase.cost_microusd_per_hour for purchase in purchases)
    added = cost - mix.cost_microusd_per_hour
    return Mix(purchases, cost, mix.bound_microusd_per_hour + added)


def _cost(
    flavor: Flavor,
    reference_nodes: int,
    mix: Mix,
    area: Area,
    tier: Tier,
    support: SupportLevel,
    hourly_rate_usd: int,
) -> FlavorCost:
    missing = []
    compute = mix.cost_microusd_per_hour * HOURS_PER_MONTH
    sources = {purchase.source for purchase in mix.purchases}
    control_plane = 0
    if flavor.has_own_control_plane:
        control_plane = _own_control_plane(flavor, mix, area)
    elif tier in flavor.tiers:
        control_plane = microusd_per_month(flavor.tiers[tier])
        sources.add(flavor.tiers[tier].source)
    else:
        missing.append(f"has no control plane of tier {tier}")
    charge = 0
    plan: SupportPlan | None = flavor.support.get(support)
    if plan is not None:
        charge = plan.microusd_per_month(compute + control_plane)
        sources.add(plan.source)
    elif flavor.cloud and support is not SupportLevel.NONE:
        missing.append(f"has no list price for {support} support, it is negotiated")
    hours = EFFORT[flavor.name].hours(mix.nodes)
    return FlavorCost(
        flavor=flavor,
        reference_nodes=reference_nodes,
        mix=mix,
        compute_microusd=compute,
        control_plane_microusd=control_plane,
        support_microusd=charge,
        operations_microusd=round(hours * hourly_rate_usd * _MICRO),
        operations_hours=hours,
        sources=tuple(sorted(sources, key=lambda source: (source.date, source.name), reverse=True)),
        missing="; ".join(missing),
    )


def _own_control_plane(flavor: Flavor, mix: Mix, area: Area) -> int:
    """Three machines of the flavour's own; of servers the smallest."""
    if flavor.cloud:
        name = next(
            (machine for most, machine in CONTROL_PLANE_MACHINES if mix.nodes <= most),
            LARGEST_CONTROL_PLANE_MACHINE,
        )
        catalog = embedded_catalog(flavor.cloud, [REGION_OF[flavor.cloud, area]])
        price = cheapest_offering(catalog, name, CapacityType.ON_DEMAND).price_microusd_per_hour
    else:
        price = min(t.offerings[0].price_microusd_per_hour for t in bare_metal_catalog().instance_types)
    return CONTROL_PLANE_REPLICAS * price * HOURS_PER_MONTH

"""The reference platform as it is stated: regions, pools and a monthly budget."""

from __future__ import annotations

from dataclasses import dataclass

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import CapacityType, Catalog
from binwright_optimizer.planning.mix import Mix, Purchase, cheapest_offering

CLOUD = "aws"


@dataclass(frozen=True, slots=True)
class ReferenceRegion:
    """A region with its role, zones used, share of demand in per cent, and nodes."""

    name: str
    role: str
    zones: int
    demand_percent: int
    nodes: int


@dataclass(frozen=True, slots=True)
class ReferencePool:
    """A pool of one instance type and its share of each region's nodes in per cent."""

    name: str
    instance_type: str
    capacity_type: CapacityType
    node_percent: int


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """A line of the stated monthly budget, in whole dollars."""

    name: str
    usd_per_month: int


REGIONS = (
    ReferenceRegion("us-east-1", "primary", 3, 60, 150),
    ReferenceRegion("eu-west-1", "secondary", 3, 30, 100),
    ReferenceRegion("ap-southeast-1", "tertiary", 2, 10, 50),
)
POOLS = (
    ReferencePool("general-purpose", "c5.2xlarge", CapacityType.ON_DEMAND, 40),
    ReferencePool("memory-optimized", "r5.2xlarge", CapacityType.ON_DEMAND, 20),
    ReferencePool("gpu-compute", "g4dn.2xlarge", CapacityType.ON_DEMAND, 20),
    ReferencePool("spot-batch", "c5.2xlarge", CapacityType.SPOT, 20),
)
BUDGET = (
    BudgetLine("nodes", 45_000),
    BudgetLine("control planes", 219),
    BudgetLine("storage", 5_000),
    BudgetLine("network", 3_000),
    BudgetLine("monitoring", 2_000),
)
STATED_TOTAL_USD = 55_219


def region_catalog(region: str, *, pools_only: bool = False) -> Catalog:
    """What the cloud sells in a region, or of it only the instance types of the pools."""
    types = sorted({pool.instance_type for pool in POOLS}) if pools_only else ()
    return embedded_catalog(CLOUD, [region], types)


def pool_nodes(region: ReferenceRegion) -> tuple[tuple[ReferencePool, int], ...]:
    """Nodes of each pool in a region; the shares divide every region's nodes without rest."""
    return tuple((pool, region.nodes * pool.node_percent // 100) for pool in POOLS)


def reference_mix(region: ReferenceRegion) -> Mix:
    """The stated nodes of a region at catalogue prices; its bound is its cost, as nothing is chosen."""
    catalog = region_catalog(region.name, pools_only=True)
    purchases = []
    for pool, nodes in pool_nodes(region):
        offering = cheapest_offering(catalog, pool.instance_type, pool.capacity_type)
        purchases.append(
            Purchase(
                pool.instance_type,
                pool.capacity_type,
                nodes,
                offering.price_microusd_per_hour,
                offering.source,
            )
        )
    cost = sum(purchase.cost_microusd_per_hour for purchase in purchases)
    return Mix(tuple(purchases), cost, cost)

"""What the reference platform serves: the pods that its nodes hold at the target utilisation.

The statement gives nodes, not pods. Each pool is taken to run one service of a usual shape, as many pods as
fit beside the daemons while CPU and memory requests fill 70 % of the rest at most; a GPU is whole. These
pods are *the same demand* that the optimal mix must serve.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import cache

from binwright_optimizer.model import CapacityType, PodTemplate, Resources, Workload, labels
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU
from binwright_optimizer.planning.mix import (
    DAEMONS,
    instance_type_of,
    most_that_fit,
    needs,
    on,
    with_headroom,
)
from binwright_optimizer.planning.reference.platform import (
    POOLS,
    REGIONS,
    ReferenceRegion,
    pool_nodes,
    region_catalog,
)

_MIB = 2**20

SERVICES = {
    "general-purpose": Workload("api", PodTemplate(Resources.of({CPU: 500, MEMORY: 768 * _MIB}))),
    "memory-optimized": Workload("cache", PodTemplate(Resources.of({CPU: 1000, MEMORY: 8192 * _MIB}))),
    "gpu-compute": Workload(
        "inference",
        PodTemplate(
            Resources.of({CPU: 3000, MEMORY: 12_288 * _MIB, NVIDIA_GPU: 1}),
            node_selector=(needs(labels.GPU_MODEL, "t4"),),
        ),
    ),
    "spot-batch": Workload(
        "batch",
        PodTemplate(Resources.of({CPU: 1000, MEMORY: 1536 * _MIB}), node_selector=(on(CapacityType.SPOT),)),
    ),
}
"""The service of each pool: an API, a cache, inference on one T4, and batch jobs that may be interrupted."""


class Split(StrEnum):
    """Where the demand arises."""

    ROLES = "roles"
    """60/30/10 % in the primary, secondary and tertiary region, as stated."""
    NODES = "nodes"
    """Where the nodes are: 150, 100 and 50 nodes' worth."""


@cache
def pods_per_node() -> dict[str, int]:
    """Pods of each pool's service on one of its nodes, by pool."""
    catalog = region_catalog(REGIONS[0].name, pools_only=True)
    return {
        pool.name: most_that_fit(
            with_headroom(SERVICES[pool.name]).template.requests,
            instance_type_of(catalog, pool.instance_type).allocatable.minus(DAEMONS),
        )
        for pool in POOLS
    }


def pods_of(nodes: int) -> dict[str, int]:
    """Pods of each pool's service on ``nodes`` reference nodes; halves of a node round to even."""
    counts = {pool.name: nodes * pool.node_percent // 100 for pool in POOLS}
    rest = sorted(POOLS, key=lambda pool: (-(nodes * pool.node_percent % 100), pool.name))
    for pool in rest[: nodes - sum(counts.values())]:
        counts[pool.name] += 1
    return {name: count * pods_per_node()[name] for name, count in counts.items()}


def reference_workloads(region: ReferenceRegion, split: Split = Split.ROLES) -> tuple[Workload, ...]:
    """The workloads of a region, requests as the pods state them, without headroom.

    Pods of the whole platform are split by the regions' shares; what does not divide goes to the
    regions in their order.
    """
    return tuple(replace(SERVICES[pool.name], replicas=_share(pool.name, region, split)) for pool in POOLS)


def _share(pool: str, region: ReferenceRegion, split: Split) -> int:
    per_node = pods_per_node()[pool]
    here = {r.name: sum(nodes for p, nodes in pool_nodes(r) if p.name == pool) * per_node for r in REGIONS}
    if split is Split.NODES:
        return here[region.name]
    total = sum(here.values())
    shares = {r.name: total * r.demand_percent // 100 for r in REGIONS}
    for other in REGIONS[: total - sum(shares.values())]:
        shares[other.name] += 1
    return shares[region.name]

"""Spot pools whose interruption rate is not known, where chances of loss are bounded.

Something has to be taken for it (`UNKNOWN_RATE_PPM`), and whoever bounds a chance should hear what.
"""

from __future__ import annotations

from collections.abc import Iterator

from binwright_optimizer.instance import Instance
from binwright_optimizer.model import CapacityType, labels

MOST_NAMED = 3
"""Spot pools that a warning names before it stops."""


def unknown_rates(instance: Instance) -> tuple[str, ...]:
    """A warning if a bound on spot capacity lost is about pools of which no rate is known."""
    problem = instance.problem
    policies = [workload.spot or problem.policies.spot for workload in problem.workloads]
    if all(policy.loss is None for policy in policies):
        return ()
    pools = sorted(set(_pools(instance)))
    if not pools:
        return ()
    names = ", ".join(f"{kind or 'no type'} in {zone or 'no zone'}" for kind, zone in pools[:MOST_NAMED])
    names += ", ..." if len(pools) > MOST_NAMED else ""
    many = "1 spot pool" if len(pools) == 1 else f"{len(pools)} spot pools"
    return (f"interruption rates of {many} ({names}) are not known: max-loss takes them for one a month",)


def _pools(instance: Instance) -> Iterator[tuple[str, str]]:
    """Instance type and zone of spot capacity without a rate that may be bought, or runs already."""
    problem, shelf = instance.problem, instance.shelf
    kinds = problem.catalog.instance_types
    known = {
        (kind.name, sold.zone)
        for kind in kinds
        for sold in kind.offerings
        if sold.capacity_type is CapacityType.SPOT and sold.interruption_ppm_per_month is not None
    }
    for part in instance.origin.shelved:
        for row in part.rows.tolist():
            sold = shelf.offering(problem.catalog, row)
            pool = kinds[int(shelf.type_of[row])].name, sold.zone
            if sold.capacity_type is CapacityType.SPOT and pool not in known:
                yield pool
    for node in problem.existing_nodes:
        own = dict(node.labels)
        pool = own.get(labels.INSTANCE_TYPE, ""), own.get(labels.ZONE, "")
        if own.get(labels.CAPACITY_TYPE) == CapacityType.SPOT.value and pool not in known:
            yield pool

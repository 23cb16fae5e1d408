"""Which spot pools are told apart where pods are counted in each of them.

All pools of a region times all kinds of pods would be too many local kinds. Where a kind would be cheapest is
told apart, and the others count as one pool, so that a cap holds for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.bundles import Bundle, Content
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.domains.charging import Fluid
from binwright_optimizer.instance.domains.linking import Cells
from binwright_optimizer.instance.domains.spot_loss import plans, reclaim_rates
from binwright_optimizer.instance.domains.table import NO_DOMAIN, DomainTable
from binwright_optimizer.instance.stated import Stated
from binwright_optimizer.model import CapacityType, Problem, labels

POOLS_PER_SHARE = 3
"""Spot pools told apart for one kind, as a multiple of the fewest that a cap per pool needs ..."""
MORE_POOLS = 6
"""... and so many more; the others count as one pool, so that the cap holds for each of them."""
MOST_IN_POOLS = 2_000
"""Pairs of a kind and a spot pool up to which all kinds are told apart by the same pools."""
SPOT = CapacityType.SPOT.value
SpotPool = tuple[int, int]
"""Codes of instance type and zone."""


def told_apart(
    problem: Problem,
    kinds: Kinds,
    items: Sequence[Bundle],
    rows: Sequence[int],
    admitted: NDArray[np.bool_],
    table: DomainTable,
    fluid: Fluid,
) -> dict[Content, list[SpotPool]]:
    """Spot pools that are told apart for each item whose pods are counted in pools.

    Those where a pod is cheapest; and since small pods fill what others leave of a node, wherever it is,
    those of all others as well, unless these are too many, or chances of loss are added up over pools.
    """
    own: dict[Content, list[SpotPool]] = {}
    has_chances = False
    for item, row in zip(items, rows, strict=True):
        counted = [kinds.stated[k] for k, _ in item.content if kinds.stated[k].spot[0].counts_pools]
        if counted and item.content not in own:
            least = max(_least_pools(problem, stated) for stated in counted)
            has_chances |= any(stated.spot[0].loss is not None for stated in counted)
            most = POOLS_PER_SHARE * least + MORE_POOLS
            own[item.content] = _cheapest_pools(admitted[row], table, fluid(item.content))[:most]
    everyone = sorted({pool for few in own.values() for pool in few})
    if has_chances or len(own) * len(everyone) > MOST_IN_POOLS:
        return own
    return dict.fromkeys(own, everyone)


def _cheapest_pools(
    admitted: NDArray[np.bool_], table: DomainTable, fluid: NDArray[np.float64]
) -> list[SpotPool]:
    """Spot pools among these candidates, those where pods are cheapest first."""
    types, zones = table.codes(labels.INSTANCE_TYPE), table.codes(labels.ZONE)
    names = np.array([*table.values(labels.CAPACITY_TYPE), ""])  # `NO_DOMAIN` finds the last
    is_spot = admitted & (names[table.codes(labels.CAPACITY_TYPE)] == SPOT) & np.isfinite(fluid)
    cheapest: dict[SpotPool, float] = {}
    for c in np.flatnonzero(is_spot):
        pool = int(types[c]), int(zones[c])
        cheapest[pool] = min(cheapest.get(pool, np.inf), float(fluid[c]))
    return sorted(cheapest, key=lambda pool: (cheapest[pool], pool))


def with_spot_pools(cells: Cells, pools: Sequence[SpotPool], table: DomainTable) -> Cells:
    """Cells of spot capacity split into these spot pools, and one for the rest."""
    types, zones = table.codes(labels.INSTANCE_TYPE), table.codes(labels.ZONE)
    result = []
    for scope, mask in cells:
        if (labels.CAPACITY_TYPE, SPOT) not in scope:
            result.append((scope, mask))
            continue
        rest = mask.copy()
        for kind, zone in pools:
            mine = mask & (types == kind) & (zones == zone)
            if mine.any():
                own = dict(scope)
                own[labels.INSTANCE_TYPE] = (
                    table.values(labels.INSTANCE_TYPE)[kind] if kind != NO_DOMAIN else None
                )
                own[labels.ZONE] = table.values(labels.ZONE)[zone] if zone != NO_DOMAIN else None
                result.append((tuple(sorted(own.items())), mine))
                rest &= ~mine
        if rest.any():
            result.append((scope, rest))
    return result


def _least_pools(problem: Problem, stated: Stated) -> int:
    """Fewest spot pools that hold all pods of a workload within its policy, as far as any number does."""
    policy, workload = stated.spot
    replicas = problem.workloads[workload].replicas
    least = 1
    if policy.max_per_pool is not None:
        least = -(-replicas // max(policy.max_per_pool.at_most(replicas), 1))
    if policy.loss is not None:
        rates = reclaim_rates(problem.catalog, policy.loss.window_s).values()
        choices = plans(policy.loss, replicas, sorted(set(rates)))
        needed = [-(-replicas // p.cap) for p in choices if p.cap * p.pools >= replicas]
        least = max(least, min(needed, default=max((p.pools for p in choices), default=1)))
    return least

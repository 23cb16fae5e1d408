"""A bound from whole nodes in each domain, for few pods that are spread over domains.

The master buys parts of nodes: four pods over two zones, on nodes that hold four, are half a node in each.
With f_d(t) what whole nodes cost at least that hold t pods of a kind in domain d, its n pods cost at least

    min_(u, T)  sum_d f_d(T_d)   where sum_d T_d = n,  u <= T_d <= u + maxSkew in each domain d

under a spread constraint that counts no other pods; u is 0 where a domain has no place for any. The figure
ends searches early; what a decision states is proven again by ``verify``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.domains import Linking
from binwright_optimizer.instance.stated import Spread
from binwright_optimizer.model import labels

Int64Array = NDArray[np.int64]

MOST_PODS = 200
"""Pods of a kind beyond which whole nodes and parts of nodes differ too little to look."""
MOST_KINDS = 16
"""Kinds beyond which pods fill each other's nodes, so that those of one alone bound little."""
MOST_DOMAINS = 16
NEVER = 1 << 50
"""Micro-dollars an hour of pods that no nodes hold: more than anything costs."""


def least_on_whole_nodes(instance: Instance) -> int:
    """Micro-dollars an hour that the pods of the dearest kind cost at least; 0 where nothing is known."""
    linking = instance.linking
    if linking is None or instance.problem.existing_nodes or len(linking.kinds) > MOST_KINDS:
        return 0
    stated = instance.origin.kinds.stated
    return max(
        (
            _least(instance, linking, q, spread)
            for q, k in enumerate(linking.kinds.tolist())
            for spread in stated[k].spread
            if _counts_only(instance, k, spread)
        ),
        default=0,
    )


def _counts_only(instance: Instance, k: int, spread: Spread) -> bool:
    """Whether a constraint must hold, over domains larger than a node, and selects this kind alone."""
    constraint = spread.constraint
    if not constraint.is_required or constraint.topology_key == labels.HOSTNAME:
        return False
    selected = instance.origin.kinds.selected
    return [m for m, numbers in enumerate(selected) if spread.selection in numbers] == [k]


def _least(instance: Instance, linking: Linking, q: int, spread: Spread) -> int:
    """What the pods of one kind cost at least by one constraint."""
    constraint, k = spread.constraint, int(linking.kinds[q])
    pods = int(linking.demand[q] - linking.left_least[q])
    by_name: dict[str, list[int]] = {}
    for part in np.flatnonzero(linking.part_kind == q).tolist():
        v = int(linking.part_of[part])
        name = dict(linking.scopes[v]).get(constraint.topology_key)
        if linking.part_pods[part] != 1 or (linking.part_of == v).sum() != 1:
            return 0  # pods that are placed together
        if name is not None and linking.most[v]:
            by_name.setdefault(name, []).append(int(linking.class_of[v]))
    if not 0 < pods <= MOST_PODS or not 0 < len(by_name) <= MOST_DOMAINS:
        return 0
    domains = instance.origin.localized.spread_over.of[k, spread]
    is_short = len(domains.settled) + len(domains.opened) < constraint.min_domains
    has_place_in_all = len(by_name) == len(domains.settled)
    costs = [_costs(instance, classes, pods) for classes in by_name.values()]
    smallest = range(pods // len(costs) + 1) if has_place_in_all and not is_short else range(1)
    found = min(
        _together([cost[u : u + constraint.max_skew + 1] for cost in costs], pods - u * len(costs))
        for u in smallest
    )
    return found if found < NEVER else 0


def _costs(instance: Instance, classes: list[int], pods: int) -> Int64Array:
    """Micro-dollars an hour of whole nodes of one domain that hold 0, 1, ... pods: (pods + 1,)."""
    held = np.zeros(instance.n_candidates, dtype=np.int64)
    for i in classes:
        asked = np.flatnonzero(instance.requests[i])
        mine = (instance.allocatable[:, asked] // instance.requests[i, asked]).min(axis=1, initial=pods)
        held = np.maximum(held, np.where(instance.compatible[i], np.minimum(mine, instance.node_cap[i]), 0))
    counts = np.unique(held[held > 0])
    prices = np.array([instance.price[held == count].min() for count in counts], dtype=np.int64)
    costs = np.full(pods + 1, NEVER, dtype=np.int64)
    costs[0] = 0
    for t in range(1, pods + 1) if len(counts) else ():
        costs[t] = min(NEVER, int((costs[np.maximum(0, t - counts)] + prices).min()))
    return costs


def _together(windows: list[Int64Array], pods: int) -> int:
    """The least sum of one entry of each window, of which the indices add up to so many pods."""
    total = np.full(pods + 1, NEVER, dtype=np.int64)
    total[0] = 0
    for window in windows:
        found = np.full(pods + 1, NEVER, dtype=np.int64)
        for more, cost in enumerate(window.tolist()[: pods + 1]):
            found[more:] = np.minimum(found[more:], np.minimum(total[: pods + 1 - more] + cost, NEVER))
        total = found
    return int(total[pods])

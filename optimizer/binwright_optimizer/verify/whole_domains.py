"""What pods that are spread over domains cost at least on whole nodes of each domain.

Prices know no numbers of nodes: four pods over two zones, on nodes that hold four, are half a node in each.
But each zone holds two of them, on a node of its own. With f_d(t) the least that nodes of domain d cost that
hold t pods,

    f_d(0) = 0,   f_d(t) = min_o c_o + f_d(t - m_o)     over nodes o of d, which hold m_o of the pods,

and free nodes that run there taken off t, the pods cost at least

    min sum_d f_d(y_d)    over all y with sum_d y_d = n that hold the constraint (`spread_counts`).

This looks at the pods of one constraint alone: other rules, other pods and supplies only add to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from binwright_optimizer.verify.market import Int64Array, Market
from binwright_optimizer.verify.spread_counts import SpreadCounts

MOST_PODS = 200
"""Pods of a group beyond which whole nodes and parts of nodes differ too little to look."""
MOST_DOMAINS = 16
MOST_CONSTRAINTS = 32
"""Constraints beyond which pods fill each other's nodes, so that those of one alone bound little."""
_NEVER = 1 << 50
"""Micro-dollars an hour of pods that no nodes hold: more than anything costs."""


def least_on_whole_nodes(shop: Market, spread: Sequence[SpreadCounts]) -> int:
    """Micro-dollars an hour that the pods of the dearest of some constraints cost at least.

    Parameters
    ----------
    shop
        With local workloads for the pods.
    """
    if len(spread) > MOST_CONSTRAINTS:
        return 0
    return max((_least(shop, counts) for counts in spread if 0 < counts.pods <= MOST_PODS), default=0)


def _least(shop: Market, counts: SpreadCounts) -> int:
    """What the pods of a constraint cost at least; 0 where no nodes hold them."""
    if len(counts.names | counts.local.keys()) > MOST_DOMAINS:
        return 0
    nobody = np.full(counts.pods + 1, _NEVER, dtype=np.int64)
    nobody[0] = 0
    class_of = shop.classes.class_of
    costs = {
        name: _costs(shop, sorted({int(class_of[v]) for v in local}), counts.pods)
        for name, local in counts.local.items()
    }
    found = min(
        (
            _together(
                [costs.get(name, nobody)[low : high + 1] for name, (low, high) in ranges.items()],
                counts.pods - sum(low for low, _ in ranges.values()),
            )
            for ranges in counts.windows()
        ),
        default=_NEVER,
    )
    return found if found < _NEVER else 0


def _costs(shop: Market, classes: list[int], pods: int) -> Int64Array:
    """Micro-dollars an hour of the nodes of one domain that hold 0, 1, ... pods: (pods + 1,)."""
    cheapest: dict[int, int] = {}
    held = _held(shop, classes, shop.room, shop.row_of)
    free = _held(shop, classes, shop.existing_room, shop.existing_row)
    for most, price in zip(np.minimum(held, pods).tolist(), shop.price.tolist(), strict=True):
        if most:
            cheapest[most] = min(price, cheapest.get(most, price))
    most_of = np.array(sorted(cheapest), dtype=np.int64)
    price_of = np.array([cheapest[most] for most in most_of.tolist()], dtype=np.int64)
    costs = np.full(pods + 1, _NEVER, dtype=np.int64)
    costs[: int(min(pods, (free * shop.existing_count).sum())) + 1] = 0
    for t in range(1, pods + 1) if len(most_of) else ():
        if costs[t]:
            costs[t] = min(_NEVER, int((costs[np.maximum(0, t - most_of)] + price_of).min()))
    return costs


def _held(shop: Market, classes: list[int], rooms: Int64Array, rows: Int64Array) -> Int64Array:
    """Most pods of some classes that nodes hold if there are no others: (node,)."""
    request = shop.requests[classes].min(axis=0)  # no mixture takes less of anything
    asked = np.flatnonzero(request)
    most = (rooms[:, asked] // request[asked]).min(axis=1, initial=1 << 40)
    admitted = shop.is_admitted[rows][:, classes]
    most = np.minimum(most, (admitted * shop.most[classes]).sum(axis=1))
    return np.where((rooms >= 0).all(axis=1), np.maximum(most, 0), 0)


def _together(windows: list[Int64Array], pods: int) -> int:
    """The least sum of one entry of each window, of which the indices add up to so many pods.

    Indices of a window count from its first entry; pods that are fixed before are taken off already.
    """
    total = np.full(pods + 1, _NEVER, dtype=np.int64)
    total[0] = 0
    for window in windows:
        found = np.full(pods + 1, _NEVER, dtype=np.int64)
        for more, cost in enumerate(window.tolist()[: pods + 1]):
            found[more:] = np.minimum(found[more:], np.minimum(total[: pods + 1 - more] + cost, _NEVER))
        total = found
    return int(total[pods])

"""What a pod of each kind costs: its part of the nodes it shares in the cheapest mix, or on its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from binwright_optimizer.model import Decision
from numpy.typing import NDArray

from binwright_server.duals import pod_worths
from binwright_server.expansion.demand import Demand
from binwright_server.expansion.question import ScaleUpOption


def worth_in_mix(demand: Demand, options: Sequence[ScaleUpOption], decision: Decision) -> NDArray[np.float64]:
    """Mean cost of a pod of each kind in the decision, micro-dollars an hour.

    The price of each node is divided among its pods by their dual prices, so that the costs of all pods
    sum to that of the mix. Dual prices alone sum to the bound and give nothing for what is left empty: one
    small pod would be worth a tenth of the node that has to be bought for it. Where a search had no
    time for prices, `worth_alone` divides. Kinds without a place are worth that, too.
    """
    alone = worth_alone(demand, options)
    weights = np.array(pod_worths(decision, demand.counts.tolist()), dtype=np.float64)
    if not weights.any():
        weights = alone
    total = np.zeros(len(alone))
    placed = np.zeros(len(alone), dtype=np.int64)
    for claim in decision.node_claims:
        kinds = np.array([pods.workload for pods in claim.pods], dtype=np.int64)
        counts = np.array([pods.count for pods in claim.pods], dtype=np.int64)
        parts = weights[kinds] * counts
        if not parts.any():
            parts = alone[kinds] * counts
        if parts.any():
            np.add.at(total, kinds, parts * (claim.price_microusd_per_hour / parts.sum()))
        np.add.at(placed, kinds, counts)
    return np.where(placed > 0, total / np.maximum(placed, 1), alone)


def worth_alone(demand: Demand, options: Sequence[ScaleUpOption]) -> NDArray[np.float64]:
    """Least price of the share of a node that a pod of each kind fills, micro-dollars an hour.

    The share is that of its scarcest resource; the nodes are those of the options that help it.
    """
    least = np.full(len(demand.requests), np.inf)
    for option, helps in zip(options, demand.helps, strict=True):
        cost = demand.filled(option).max(axis=1) * option.price.microusd_per_hour
        least = np.minimum(least, np.where(helps > 0, cost, np.inf))
    return least

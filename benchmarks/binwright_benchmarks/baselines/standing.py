"""Nodes that stand before the rule buys any: existing ones and the minimum of every NodePool.

Autoscalers meet them as running nodes, on which pending pods go first. Pods are tried in the order
the rule queues them, first fit by name: kindest to the baseline, since kube-scheduler would spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_benchmarks.baselines.kernels.fit import first_fit
from binwright_benchmarks.baselines.market import Amounts, Market
from binwright_benchmarks.baselines.result import Filled


@dataclass(frozen=True, slots=True)
class Standing:
    """Standing nodes with their pods, and what is left to place and to buy.

    Parameters
    ----------
    pods
        int64 array (pod,): classes of the pods left, in the order given.
    room
        int64 array (k,): what each limit leaves after the minimum nodes.
    """

    filled: Filled
    pods: Amounts
    room: Amounts


def fill_standing(market: Market, pods: Amounts) -> Standing:
    """Place pods, tried in the order given, on the standing nodes."""
    instance = market.instance
    room = np.array([row.room for row in instance.limits], dtype=np.int64)
    minimum = _minimum_nodes(market, room)
    names = [node.name for node in instance.problem.existing_nodes]
    by_name = sorted(range(len(names)), key=names.__getitem__)
    candidates = np.array([market.n_bought + n for n in by_name] + minimum, dtype=np.int64)
    patterns = np.zeros((len(candidates), instance.n_classes), dtype=np.int32)
    if len(candidates) and len(pods):
        left = first_fit(
            pods, instance.requests, instance.allocatable[candidates],
            np.ascontiguousarray(instance.compatible[:, candidates]), patterns,
        )  # fmt: skip
        pods = pods[left]
    is_used = (candidates < market.n_bought) | patterns.any(axis=1)
    return Standing(Filled(candidates[is_used], patterns[is_used]), pods, room)


def _minimum_nodes(market: Market, room: Amounts) -> list[int]:
    """The cheapest node of each pool as often as its minimum asks; takes them off the room.

    No rule chooses what a minimum consists of, so each baseline gets the cheapest.
    """
    instance = market.instance
    bought: list[int] = []
    for row in instance.minimums:
        mine = np.flatnonzero(instance.pool_of[: market.n_bought] == row.pool)
        order: NDArray[np.intp] = mine[np.lexsort((mine, instance.price[mine]))]
        for _ in range(row.missing):
            fitting = order[(instance.limit_use[order] <= room).all(axis=1)]
            if not len(fitting):
                break
            j = int(fitting[0])
            room -= instance.limit_use[j]
            bought.append(j)
    return bought

"""What may be bought in place of a node, what more may be bought, and which pods stay where they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.alternatives import counted_by_spot_pool
from binwright_optimizer.extract import Bought
from binwright_optimizer.instance import UNLIMITED, Instance
from binwright_optimizer.model import labels

MOST_OPENED = 5
"""Kinds of nodes that a pod tries to open, cheapest first."""


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """What could be bought in place of a node; ``admits`` as of a `Node`."""

    bought: Bought
    price: int
    admits: NDArray[np.bool_]


def staying(instance: Instance) -> NDArray[np.bool_]:
    """Classes whose pods stay on their nodes: bool array (i,).

    They are placed together with others, must be on a node with others, or are counted by spot pool.
    """
    kinds, localized = instance.origin.kinds, instance.origin.localized
    needed = {n.selection for s in kinds.stated for n in s.near if n.topology_key == labels.HOSTNAME}
    result = counted_by_spot_pool(instance)
    for i, content in zip(instance.origin.class_of_local.tolist(), localized.contents, strict=True):
        if i >= 0:
            result[i] |= sum(pods for _, pods in content) > 1 or any(
                kinds.shared[k]
                or kinds.stated[k].gang[1]
                or needed & set(kinds.selected[k])
                or any(n.topology_key == labels.HOSTNAME for n in kinds.stated[k].near)
                for k, _ in content
            )
    return result


def openable(instance: Instance) -> dict[int, list[int]]:
    """By class, candidates of which one more node may be bought whatever else is, cheapest first."""
    if instance.problem.savings_plans or instance.problem.reservations:
        return {}
    is_free = (instance.row_of >= 0) & ~(instance.limit_use > 0).any(axis=1)
    is_free &= ~np.isin(instance.pool_of, [row.pool for row in instance.minimums])
    order = np.argsort(instance.price, kind="stable")
    order = order[is_free[order]]
    return {i: order[can[order]][:MOST_OPENED].tolist() for i, can in enumerate(instance.compatible)}


def twins(instance: Instance, bought: Bought) -> list[Twin]:
    """What is like a variant's shelf row to pods that may be on it, itself included; cheap first."""
    shelf, shelved, localized = instance.shelf, instance.origin.shelved, instance.origin.localized
    variant, row = bought
    pool = instance.variants[variant].pool
    kinds_of_capacity = shelf.labels.columns[labels.CAPACITY_TYPE].codes
    regions = shelf.labels.columns[labels.REGION].codes
    own = shelved[variant]
    room = own.allocatable[np.searchsorted(own.rows, row)]
    local = np.flatnonzero(instance.origin.class_of_local >= 0)
    is_counted = counted_by_spot_pool(instance)
    first, found = 0, []
    for v, part in enumerate(shelved):
        rows = part.rows
        if instance.variants[v].pool == pool:
            alike = (shelf.type_of[rows] == shelf.type_of[row]) & (regions[rows] == regions[row])
            alike &= kinds_of_capacity[rows] == kinds_of_capacity[row]
            alike &= (shelf.held_limit[rows] < 0) & (shelf.available[rows] >= UNLIMITED)
            alike &= (part.allocatable == room).all(axis=1)
            for at in np.flatnonzero(alike).tolist():
                admits = ~is_counted
                may_run = localized.admitted[localized.placement_of[local], first + at]
                np.logical_and.at(admits, instance.origin.class_of_local[local], may_run)
                found.append(Twin((v, int(rows[at])), int(shelf.price[rows[at]]), admits))
        first += len(rows)
    return sorted(found, key=lambda twin: (twin.price, twin.bought))

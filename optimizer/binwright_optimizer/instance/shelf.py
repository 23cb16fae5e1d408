"""A catalogue as arrays: the shelf that NodePools buy from. Built once per catalogue."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.labels import LabelColumns
from binwright_optimizer.model import CapacityType, Catalog, NodePool, Offering, Resources, labels
from binwright_optimizer.model.nodeclasses import NodeClass

UNLIMITED = 2**40
"""Stands for "no known limit" on a number of nodes."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Offerings ``k`` of all instance types ``t`` of a catalogue.

    Parameters
    ----------
    resources
        Resource names that any type has, the columns of the matrices below.
    capacity, allocatable
        int64 arrays (t, r). Where a type does not name ``pods`` its slots are unlimited.
    type_of
        intp array (k,): instance type of each offering.
    offering_of
        intp array (k,): position of the offering within its type.
    price, available
        int64 arrays (k,): micro-dollars per hour; nodes that can be bought.
    labels
        Labels of a node bought from each offering, without those of its NodePool.
    supplied_by
        intp array (k,): row whose supply a node takes from; its own but for rows of commitments.
    held_limit, held_use
        intp and int64 arrays (k,): of rows that commitments pay for (`held`), which of their limits a node
        uses and how much of it; -1 and 0 for others.
    plan_draw
        int64 array (plan, k): what a node at its ordinary price takes from each savings plan; 0 where
        the plan does not cover it.
    plan_limit
        intp array (plan,): limit of each savings plan; -1 where nothing is left of it.
    """

    catalog_size: int
    resources: tuple[str, ...]
    capacity: NDArray[np.int64]
    allocatable: NDArray[np.int64]
    type_of: NDArray[np.intp]
    offering_of: NDArray[np.intp]
    price: NDArray[np.int64]
    available: NDArray[np.int64]
    labels: LabelColumns
    supplied_by: NDArray[np.intp]
    held_limit: NDArray[np.intp]
    held_use: NDArray[np.int64]
    plan_draw: NDArray[np.int64]
    plan_limit: NDArray[np.intp]

    def offering(self, catalog: Catalog, row: int) -> Offering:
        """What is bought from a row, at the price that remains to be paid."""
        kind = catalog.instance_types[int(self.type_of[row])]
        sold = kind.offerings[int(self.offering_of[row])]
        if self.held_limit[row] < 0:
            return sold
        bought_as = self.labels.columns[labels.CAPACITY_TYPE]
        return replace(
            sold,
            capacity_type=CapacityType(str(bought_as.vocabulary[bought_as.codes[row]])),
            price_microusd_per_hour=int(self.price[row]),
        )


_SHELVES: weakref.WeakKeyDictionary[Catalog, Shelf] = weakref.WeakKeyDictionary()


def shelf_of(catalog: Catalog) -> Shelf:
    """The catalogue's shelf, built on first use."""
    shelf = _SHELVES.get(catalog)
    if shelf is None:
        shelf = _SHELVES[catalog] = _build(catalog)
    return shelf


_UNDER: weakref.WeakKeyDictionary[Catalog, dict[NodeClass, tuple[NDArray[np.int64], NDArray[np.int64]]]] = (
    weakref.WeakKeyDictionary()
)
MOST_NODE_CLASSES = 64
"""Node classes whose amounts are kept per catalogue, so that a long-lived server stays small."""


def shelf_of_pool(shelf: Shelf, catalog: Catalog, pool: NodePool) -> Shelf:
    """The shelf with the amounts of nodes of this pool; the same one where its node class says nothing."""
    node_class = pool.node_class
    if node_class is None:
        return shelf
    kept = _UNDER.setdefault(catalog, {})
    amounts = kept.get(node_class)
    if amounts is None:
        kinds = catalog.instance_types
        amounts = (
            _matrix([node_class.capacity(kind) for kind in kinds], shelf.resources),
            _matrix([node_class.allocatable(kind) for kind in kinds], shelf.resources),
        )
        if len(kept) >= MOST_NODE_CLASSES:
            kept.clear()
        kept[node_class] = amounts
    return replace(shelf, capacity=amounts[0], allocatable=amounts[1])


def _matrix(rows: Sequence[Resources], names: tuple[str, ...]) -> NDArray[np.int64]:
    """Amounts over ``names``: int64 array (row, r)."""
    column = {name: index for index, name in enumerate(names)}
    result = np.zeros((len(rows), len(names)), dtype=np.int64)
    for t, amounts in enumerate(rows):
        for name, amount in amounts:
            result[t, column[name]] = amount
    return result


def _build(catalog: Catalog) -> Shelf:
    types = catalog.instance_types
    names: dict[str, int] = {}
    for instance_type in types:
        for amounts in (instance_type.capacity, instance_type.allocatable):
            for name, _ in amounts:
                names.setdefault(name, len(names))
    capacity = _matrix([kind.capacity for kind in types], tuple(names))
    allocatable = _matrix([kind.allocatable for kind in types], tuple(names))
    pairs = [(t, o) for t, kind in enumerate(types) for o in range(len(kind.offerings))]
    type_of = np.array([t for t, _ in pairs], dtype=np.intp)
    offerings = [types[t].offerings[o] for t, o in pairs]
    columns = LabelColumns.of_rows([t.labels for t in types]).expand(type_of)
    columns = columns.with_column(labels.REGION, [o.region for o in offerings])
    columns = columns.with_column(labels.ZONE, [o.zone for o in offerings])
    columns = columns.with_column(labels.CAPACITY_TYPE, [o.capacity_type.value for o in offerings])
    return Shelf(
        catalog_size=len(types),
        resources=tuple(names),
        capacity=capacity,
        allocatable=allocatable,
        type_of=type_of,
        offering_of=np.array([o for _, o in pairs], dtype=np.intp),
        price=np.array([o.price_microusd_per_hour for o in offerings], dtype=np.int64),
        available=np.array(
            [UNLIMITED if o.available is None else o.available for o in offerings], dtype=np.int64
        ),
        labels=columns,
        supplied_by=np.arange(len(pairs), dtype=np.intp),
        held_limit=np.full(len(pairs), -1, dtype=np.intp),
        held_use=np.zeros(len(pairs), dtype=np.int64),
        plan_draw=np.zeros((0, len(pairs)), dtype=np.int64),
        plan_limit=np.zeros(0, dtype=np.intp),
    )

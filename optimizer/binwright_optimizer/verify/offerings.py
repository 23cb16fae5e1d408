"""A catalogue as columns over its offerings, kept as long as the catalogue lives."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import Catalog, InstanceType, NodePool, Requirement, labels
from binwright_optimizer.model.nodeclasses import NodeClass
from binwright_optimizer.model.resources import PODS

UNLIMITED_SLOTS = 2**50
"""Pod slots of a node that does not limit them: more than any workload has pods."""

MOST_NODE_CLASSES = 64
"""Node classes whose amounts are kept per catalogue."""

MOST_MASKS = 512
"""Requirements whose masks are kept per catalogue, so that a long-lived server stays small."""

WELL_KNOWN_LABELS = frozenset(value for name, value in vars(labels).items() if name.isupper())
"""Labels with a meaning of their own: a NodePool requirement never invents a value for them."""


@dataclass(frozen=True, slots=True)
class LabelColumn:
    """Values of one label: ``values[codes[row]]``, where None means that the row lacks it."""

    codes: NDArray[np.intp]
    values: tuple[str | None, ...]


def label_column(values: list[str | None]) -> LabelColumn:
    """The column of one value per row."""
    index: dict[str | None, int] = {}
    codes = np.array([index.setdefault(value, len(index)) for value in values], dtype=np.intp)
    return LabelColumn(codes, tuple(index))


@dataclass(slots=True)
class OfferingColumns:
    """Offerings of a catalogue in its order, one row each.

    Parameters
    ----------
    type_of
        (offering,): index into ``catalog.instance_types``.
    price
        (offering,): micro-dollars per hour.
    available
        (offering,): nodes that can be bought, -1 without a limit.
    defined_keys
        Label keys that the instance types or the offerings define.
    held, use
        (offering,): of offerings that a commitment pays for (`held`), its number and how much of it a node
        takes; -1 and 0 for those of the catalogue.
    """

    type_of: NDArray[np.intp]
    price: NDArray[np.int64]
    available: NDArray[np.int64]
    defined_keys: frozenset[str]
    held: NDArray[np.intp]
    use: NDArray[np.int64]
    _type_labels: list[dict[str, str]]
    _own_labels: dict[str, LabelColumn]
    _allocatable: list[dict[str, int]]
    _capacity: list[dict[str, int]]
    _columns: dict[str, LabelColumn] = field(default_factory=dict)
    _masks: dict[Requirement, NDArray[np.bool_]] = field(default_factory=dict)
    _amounts: dict[tuple[str, bool], NDArray[np.int64]] = field(default_factory=dict)
    _under: dict[NodeClass, OfferingColumns] = field(default_factory=dict)

    @classmethod
    def of(cls, catalog: Catalog) -> OfferingColumns:
        """Columns of a catalogue."""
        types = catalog.instance_types
        sold = [(t, offering) for t, kind in enumerate(types) for offering in kind.offerings]
        own = {
            labels.REGION: label_column([o.region for _, o in sold]),
            labels.ZONE: label_column([o.zone for _, o in sold]),
            labels.CAPACITY_TYPE: label_column([o.capacity_type.value for _, o in sold]),
        }
        type_labels = [dict(kind.labels) for kind in types]
        return cls(
            type_of=np.array([t for t, _ in sold], dtype=np.intp),
            price=np.array([o.price_microusd_per_hour for _, o in sold], dtype=np.int64),
            available=np.array([-1 if o.available is None else o.available for _, o in sold], dtype=np.int64),
            defined_keys=frozenset(own).union(*type_labels),
            held=np.full(len(sold), -1, dtype=np.intp),
            use=np.zeros(len(sold), dtype=np.int64),
            _type_labels=type_labels,
            _own_labels=own,
            _allocatable=[dict(kind.allocatable) for kind in types],
            _capacity=[dict(kind.capacity) for kind in types],
        )

    def with_rows(
        self,
        like: NDArray[np.intp],
        capacity_types: list[str],
        price: NDArray[np.int64],
        available: NDArray[np.int64],
        held: NDArray[np.intp],
        use: NDArray[np.int64],
    ) -> OfferingColumns:
        """With more offerings: each ``like`` one of these but for what the other arrays (row,) say."""
        own = {}
        for key, column in self._own_labels.items():
            values = [column.values[code] for code in column.codes]
            added = [values[row] for row in like.tolist()] if key != labels.CAPACITY_TYPE else capacity_types
            own[key] = label_column([*values, *added])
        return OfferingColumns(
            type_of=np.concatenate([self.type_of, self.type_of[like]]),
            price=np.concatenate([self.price, price]),
            available=np.concatenate([self.available, available]),
            defined_keys=self.defined_keys,
            held=np.concatenate([self.held, held]),
            use=np.concatenate([self.use, use]),
            _type_labels=self._type_labels,
            _own_labels=own,
            _allocatable=self._allocatable,
            _capacity=self._capacity,
        )

    def of_pool(self, pool: NodePool, kinds: Sequence[InstanceType]) -> OfferingColumns:
        """With the amounts of nodes of this pool, where its node class changes what ``kinds`` state."""
        if pool.node_class is None:
            return self
        known = self._under.get(pool.node_class)
        if known is None:
            if len(self._under) >= MOST_NODE_CLASSES:
                self._under.clear()
            known = self._under[pool.node_class] = replace(
                self,
                _allocatable=[dict(pool.node_class.allocatable(kind)) for kind in kinds],
                _capacity=[dict(pool.node_class.capacity(kind)) for kind in kinds],
                _amounts={},
                _under={},
            )
        return known

    def admitted(self, requirement: Requirement) -> NDArray[np.bool_]:
        """Offerings whose own label satisfies a requirement on a defined key: bool (offering,)."""
        mask = self._masks.get(requirement)
        if mask is None:
            if len(self._masks) >= MOST_MASKS:
                self._masks.clear()
            column = self.label(requirement.key)
            mask = np.array([requirement.admits(value) for value in column.values])[column.codes]
            self._masks[requirement] = mask
        return mask

    def label(self, key: str) -> LabelColumn:
        """Values of a label over offerings."""
        column = self._columns.get(key)
        if column is None:
            column = self._own_labels.get(key)
            if column is None:
                by_type = label_column([pairs.get(key) for pairs in self._type_labels])
                column = LabelColumn(by_type.codes[self.type_of], by_type.values)
            self._columns[key] = column
        return column

    def allocatable(self, resource: str) -> NDArray[np.int64]:
        """Allocatable amounts over *instance types*; pod slots that are not limited are many."""
        return self._amount(resource, True)

    def capacity(self, resource: str) -> NDArray[np.int64]:
        """Raw amounts over *instance types*."""
        return self._amount(resource, False)

    def _amount(self, resource: str, is_allocatable: bool) -> NDArray[np.int64]:
        known = self._amounts.get((resource, is_allocatable))
        if known is None:
            rows = self._allocatable if is_allocatable else self._capacity
            known = np.array([row.get(resource, 0) for row in rows], dtype=np.int64)
            if resource == PODS and is_allocatable:
                named = zip(rows, self._capacity, strict=True)
                is_unlimited = [PODS not in row and PODS not in raw for row, raw in named]
                known[is_unlimited] = UNLIMITED_SLOTS
            self._amounts[resource, is_allocatable] = known
        return known


_cache: WeakKeyDictionary[Catalog, OfferingColumns] = WeakKeyDictionary()
_cache_lock = threading.Lock()


def offering_columns(catalog: Catalog) -> OfferingColumns:
    """Columns of ``catalog``, computed once while it lives."""
    with _cache_lock:
        columns = _cache.get(catalog)
    if columns is None:
        columns = OfferingColumns.of(catalog)
        with _cache_lock:
            _cache[catalog] = columns
    return columns

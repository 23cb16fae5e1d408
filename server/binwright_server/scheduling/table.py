"""The nodes of a cluster as arrays that change in place.

A row is a node. Whatever changes a row stamps it with the table's clock, so that whoever derives something
from the rows recomputes only those that changed since.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from binwright_optimizer.model import Requirement, Resources, Taint
from binwright_optimizer.model.resources import MAX_AMOUNT, PODS
from numpy.typing import NDArray

from binwright_server.scheduling.records import NodeRecord

UNKNOWN = -1
"""Row of a node that is not there."""

_FIRST_ROWS = 64
_STALE_VALUES = 1_024

Rows = NDArray[np.intp]


class RowIndex(dict[str, int]):
    """Rows by node name; `UNKNOWN` for names that are not there, so that many are found in one go."""

    def __missing__(self, name: str) -> int:
        return UNKNOWN


@dataclass(slots=True)
class LabelColumn:
    """Values of one label: ``codes`` int32 array (row,) into ``values``, whose first means absence."""

    codes: NDArray[np.int32]
    values: list[str | None] = field(default_factory=lambda: [None])
    code_of: dict[str, int] = field(default_factory=dict)

    def put(self, row: int, value: str) -> None:
        """Set the value of a row."""
        code = self.code_of.get(value)
        if code is None:
            code = self.code_of[value] = len(self.values)
            self.values.append(value)
        self.codes[row] = code


class NodeTable:
    """Rows of nodes.

    Attributes
    ----------
    allocatable, free
        int64 arrays (row, resource) over `resources`; ``free`` may be negative on a node that is
        overcommitted.
    price
        int64 array (row,): micro-dollars an hour.
    is_there
        bool array (row,): false for rows that no node has.
    version
        int64 array (row,): clock of the last change.
    members
        Counts up when a node comes or goes.
    """

    def __init__(self) -> None:
        self.row_of = RowIndex()
        self.names: list[str] = [""] * _FIRST_ROWS
        self.resources: dict[str, int] = {}
        self.allocatable = np.zeros((_FIRST_ROWS, 0), dtype=np.int64)
        self.free = np.zeros((_FIRST_ROWS, 0), dtype=np.int64)
        self.price = np.zeros(_FIRST_ROWS, dtype=np.int64)
        self.is_there = np.zeros(_FIRST_ROWS, dtype=bool)
        self.version = np.zeros(_FIRST_ROWS, dtype=np.int64)
        self.taint_code = np.zeros(_FIRST_ROWS, dtype=np.int32)
        self.taint_sets: list[tuple[Taint, ...]] = [()]
        self.clock = 0
        self.members = 0
        self._taint_codes: dict[tuple[Taint, ...], int] = {(): 0}
        self._columns: dict[str, LabelColumn] = {}
        self._labels: list[tuple[tuple[str, str], ...]] = [()] * _FIRST_ROWS
        self._unused = list(range(_FIRST_ROWS - 1, -1, -1))

    @property
    def capacity(self) -> int:
        """Rows there is room for."""
        return len(self.names)

    def rows(self) -> Rows:
        """Rows of all nodes, by name."""
        return np.fromiter((self.row_of[name] for name in sorted(self.row_of)), np.intp, len(self.row_of))

    def put(self, node: NodeRecord, used: Resources) -> None:
        """Add a node or change it; ``used`` is what its pods take, slots included."""
        row = self.row_of[node.name]
        if row == UNKNOWN:
            row = self._new_row()
            self.members += 1
            self.row_of[node.name] = row
            self.names[row] = node.name
        self._put_labels(row, node.labels)
        code = self._taint_codes.get(node.taints)
        if code is None:
            code = self._taint_codes[node.taints] = len(self.taint_sets)
            self.taint_sets.append(node.taints)
        self.taint_code[row] = code
        self.price[row] = node.price_microusd_per_hour
        self.is_there[row] = True
        self._add_resources(node.allocatable)
        self._add_resources(used)
        self.allocatable[row] = 0
        for name, amount in node.allocatable:
            self.allocatable[row, self.resources[name]] = amount
        if PODS in self.resources and not node.allocatable[PODS]:
            self.allocatable[row, self.resources[PODS]] = MAX_AMOUNT
        self.free[row] = self.allocatable[row]
        self.take(row, used)

    def remove(self, name: str) -> None:
        """Take a node out, if it is there."""
        row = self.row_of.pop(name, UNKNOWN)
        if row == UNKNOWN:
            return
        self.members += 1
        self._put_labels(row, ())
        self.names[row] = ""
        self.is_there[row] = False
        self.free[row] = self.allocatable[row] = 0
        self._stamp(row)
        self._unused.append(row)

    def take(self, row: int, amounts: Resources, times: int = 1) -> None:
        """Take room on a node, or give it back with ``times`` = -1."""
        self._add_resources(amounts)
        for name, amount in amounts:
            self.free[row, self.resources[name]] -= times * amount
        self._stamp(row)

    def label(self, key: str) -> tuple[NDArray[np.int32], list[str | None]]:
        """Values of a label by row, as codes into a list whose first stands for nodes without it."""
        column = self._columns.get(key)
        if column is None:
            return np.zeros(self.capacity, dtype=np.int32), [None]
        return column.codes, column.values

    def admitted(self, requirement: Requirement, rows: Rows) -> NDArray[np.bool_]:
        """Which of the rows satisfy a requirement: bool array (row,)."""
        column = self._columns.get(requirement.key)
        if column is None:
            return np.full(len(rows), requirement.admits(None))
        codes = column.codes[rows]
        if len(rows) < len(column.values):
            return np.fromiter((requirement.admits(column.values[c]) for c in codes), bool, len(rows))
        return np.fromiter(map(requirement.admits, column.values), bool, len(column.values))[codes]

    def has_accelerator_free(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of the rows have a free accelerator: bool array (row,)."""
        result = np.zeros(len(rows), dtype=bool)
        for name, column in self.resources.items():
            if is_accelerator(name):
                result |= self.free[rows, column] > 0
        return result

    def _stamp(self, row: int) -> None:
        self.clock += 1
        self.version[row] = self.clock

    def _put_labels(self, row: int, labels: tuple[tuple[str, str], ...]) -> None:
        if self._labels[row] == labels:
            return
        for key, _ in self._labels[row]:
            self._columns[key].codes[row] = 0
        self._labels[row] = labels
        for key, value in labels:
            column = self._columns.get(key)
            if column is None:
                column = self._columns[key] = LabelColumn(np.zeros(self.capacity, dtype=np.int32))
            elif len(column.values) > 2 * self.capacity + _STALE_VALUES:
                column = self._columns[key] = self._without_stale_values(key)
            column.put(row, value)

    def _without_stale_values(self, key: str) -> LabelColumn:
        """The column anew: nodes come and go, each with a name of its own."""
        column = LabelColumn(np.zeros(self.capacity, dtype=np.int32))
        for row, labels in enumerate(self._labels):
            for label, value in labels:
                if label == key:
                    column.put(row, value)
        return column

    def _add_resources(self, amounts: Resources) -> None:
        fresh = [name for name, _ in amounts if name not in self.resources]
        if not fresh:
            return
        zeros = np.zeros((self.capacity, len(fresh)), dtype=np.int64)
        self.allocatable = np.hstack((self.allocatable, zeros))
        self.free = np.hstack((self.free, zeros))
        for name in fresh:
            self.resources[name] = len(self.resources)
            if name == PODS:  # nodes that came before said nothing about slots
                self.allocatable[:, -len(fresh) + fresh.index(name)] = MAX_AMOUNT
                self.free[:, -len(fresh) + fresh.index(name)] = MAX_AMOUNT

    def _new_row(self) -> int:
        if not self._unused:
            before = self.capacity
            self.names += [""] * before
            self._labels += [()] * before
            for name in ("allocatable", "free", "price", "is_there", "version", "taint_code"):
                array = getattr(self, name)
                setattr(self, name, np.concatenate((array, np.zeros_like(array))))
            for column in self._columns.values():
                column.codes = np.concatenate((column.codes, np.zeros_like(column.codes)))
            self._unused = list(range(2 * before - 1, before - 1, -1))
        return self._unused.pop()


_ACCELERATOR_DOMAINS = ("nvidia.com/", "amd.com/", "gpu.intel.com/", "habana.ai/", "aws.amazon.com/neuron")


def is_accelerator(resource: str) -> bool:
    """Whether a resource is a device that a node is bought for.

    >>> is_accelerator("nvidia.com/gpu"), is_accelerator("vpc.amazonaws.com/pod-eni")
    (True, False)
    """
    return resource.startswith(_ACCELERATOR_DOMAINS)

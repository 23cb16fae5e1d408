"""Pods of the nodes, counted by what rules between pods ask: who is there, and who keeps others away.

Counts are kept by row of the node table and changed with each pod that comes or goes, as most questions come
between two such changes. A selection is counted from the first question about it on.
Host ports are counted like pods that keep others away, by port.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from binwright_optimizer.model.ports import HostPort
from numpy.typing import NDArray

from binwright_server.scheduling.namespaces import Namespaces
from binwright_server.scheduling.records import PodRecord
from binwright_server.scheduling.rules import Apart, Identity, Selection, SelectionIndex

MOST_SELECTIONS = 1_000
"""Selections counted; beyond, all are forgotten and counted again when they are asked for."""

MOST_IDENTITIES = 20_000
"""Pods, told apart by namespace and labels, for which is remembered what concerns them."""

Counts = NDArray[np.int64]


class Neighbours:
    """Counts by row of a node table.

    Parameters
    ----------
    namespaces
        Of the cluster; `note_namespaces` is to be called when they change.
    """

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces
        self._selected: dict[Selection, Counts] = {}
        self._carriers: dict[Apart, Counts] = {}
        self._ports: dict[HostPort, Counts] = {}
        self._selected_index = SelectionIndex[Selection](namespaces)
        self._carried_index = SelectionIndex[Apart](namespaces)
        self._selections_of: dict[Identity, tuple[Selection, ...]] = {}
        self._foes_of: dict[Identity, tuple[Apart, ...]] = {}

    def take(self, row: int, pod: PodRecord, times: int = 1) -> None:
        """Count a pod on a row, or no longer with ``times`` = -1."""
        for selection in self._concerning(pod.identity):
            self._selected[selection] = _added(self._selected[selection], row, times)
        for apart in pod.rules.apart:
            counts = self._carriers.get(apart)
            if counts is None:
                counts = np.zeros(0, dtype=np.int64)
                self._carried_index.add(apart[1], apart)
                self._foes_of.clear()
            self._carriers[apart] = counts = _added(counts, row, times)
            if not counts.any():
                self._forget(apart)
        for port in pod.rules.ports:
            held = self._ports.get(port, np.zeros(0, dtype=np.int64))
            self._ports[port] = held = _added(held, row, times)
            if not held.any():
                del self._ports[port]

    def put(self, row: int, pods: Iterable[PodRecord]) -> None:
        """Count the pods of a row anew."""
        self.clear(row)
        for pod in pods:
            self.take(row, pod)

    def clear(self, row: int) -> None:
        """Nobody is on a row any more."""
        for counts in self._selected.values():
            if row < len(counts):
                counts[row] = 0
        for apart, counts in list(self._carriers.items()):
            if row < len(counts) and counts[row]:
                counts[row] = 0
                if not counts.any():
                    self._forget(apart)
        for port, counts in list(self._ports.items()):
            if row < len(counts) and counts[row]:
                counts[row] = 0
                if not counts.any():
                    del self._ports[port]

    def note_namespaces(self) -> None:
        """Labels of namespaces have changed: what they decide is counted anew when it is asked for."""
        for selection in [selection for selection in self._selected if selection.asks_namespaces]:
            del self._selected[selection]
        self._selected_index = SelectionIndex(self._namespaces)
        for selection in self._selected:
            self._selected_index.add(selection, selection)
        self._selections_of.clear()
        self._foes_of.clear()

    def selected(
        self, selection: Selection, capacity: int, placed: Iterable[tuple[int, PodRecord]]
    ) -> Counts:
        """Pods of a selection: int64 array (row,) of ``capacity`` rows, to be read only.

        Parameters
        ----------
        placed
            All pods on rows, looked at where the selection is new.
        """
        counts = self._selected.get(selection)
        if counts is None:
            if len(self._selected) >= MOST_SELECTIONS:
                self._selected.clear()
                self._selected_index = SelectionIndex(self._namespaces)
            counts = np.zeros(capacity, dtype=np.int64)
            found: dict[Identity, bool] = {}
            for row, pod in placed:
                if pod.identity not in found:
                    found[pod.identity] = selection.selects(pod.identity, self._namespaces)
                counts[row] += found[pod.identity]
            self._selected[selection] = counts
            self._selected_index.add(selection, selection)
            self._selections_of.clear()
        return _padded(counts, capacity)

    def carriers(self, apart: Apart, capacity: int) -> Counts:
        """Pods that carry a rule: int64 array (row,) of ``capacity`` rows, to be read only."""
        return _padded(self._carriers[apart], capacity)

    def port_holders(self, wanted: Iterable[HostPort], capacity: int) -> Counts:
        """How often pods hold ports that clash with these: int64 array (row,) of ``capacity`` rows."""
        total = np.zeros(capacity, dtype=np.int64)
        for port in wanted:
            for held, counts in self._ports.items():
                if port.clashes_with(held):
                    total += _padded(counts, capacity)
        return total

    def foes(self, identity: Identity) -> tuple[Apart, ...]:
        """Rules of placed pods that keep this one away."""
        found = self._foes_of.get(identity)
        if found is None:
            if len(self._foes_of) >= MOST_IDENTITIES:
                self._foes_of.clear()
            found = self._foes_of[identity] = tuple(self._carried_index.find(identity))
        return found

    def label_keys(self) -> tuple[str, ...]:
        """Labels by which placed pods keep others away."""
        return tuple(sorted({key for _, selection in self._carriers for key in selection.label_keys()}))

    def _forget(self, apart: Apart) -> None:
        del self._carriers[apart]
        self._carried_index = SelectionIndex(self._namespaces)
        for kept in self._carriers:
            self._carried_index.add(kept[1], kept)
        self._foes_of.clear()

    def _concerning(self, identity: Identity) -> tuple[Selection, ...]:
        """Selections that a pod is among."""
        if not self._selected:
            return ()
        found = self._selections_of.get(identity)
        if found is None:
            if len(self._selections_of) >= MOST_IDENTITIES:
                self._selections_of.clear()
            found = self._selections_of[identity] = tuple(self._selected_index.find(identity))
        return found


def _added(counts: Counts, row: int, times: int) -> Counts:
    """The counts with a pod more on a row, grown where the row is new."""
    if row >= len(counts):
        counts = _padded(counts, 2 * row + 1)
    counts[row] += times
    return counts


def _padded(counts: Counts, capacity: int) -> Counts:
    if len(counts) >= capacity:
        return counts[:capacity]
    return np.concatenate((counts, np.zeros(capacity - len(counts), dtype=np.int64)))

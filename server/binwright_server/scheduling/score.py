"""Scores: how well a node suits a pod, on the way to the plan.

Four bands, because what separates them is worth more than any difference within:

==========  ==================================================================================
``70-100``  the plan keeps the node and means its group for pods of this kind
``40-69``   the plan keeps the node
``20-39``   the plan gives the node up: another pod would keep it alive, for its whole price
``0-9``     the node has a free accelerator that the pod does not ask for: it may be stranded
==========  ==================================================================================

Within a band a node scores by what the placement leaves. Let :math:`V(f)` be the worth of free room ``f``:
the most that copies of one planned kind, at their dual prices, can make of it. The placement uses up
:math:`V(f) - V(f - r)`; room that no planned kind can use costs nothing, room that a dear kind (a GPU pod)
needs costs much. What this leaves open, the fuller node decides, so that others run empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_server.prices import estimated_price
from binwright_server.scheduling.plan import Plan, PlannedKind
from binwright_server.scheduling.table import NodeTable, Rows, is_accelerator
from binwright_server.scheduling.view import PodView

MOST_KINDS = 32
"""Kinds by which room is valued, those worth most in all; more would cost more than they tell."""

BAND_PLANNED, BAND_KEPT, BAND_GIVEN_UP, BAND_STRANDING = (70, 30), (40, 29), (20, 19), (0, 9)
"""Lowest score of a band, and how far it reaches."""

_FULLNESS_SHARE = 0.25
"""Share of a band decided by fullness, the rest by the room used up."""

Scores = NDArray[np.float64]


class PlanInForce:
    """A plan, or none yet, laid over the rows of a table.

    Parameters
    ----------
    plan
        None keeps every node and means none for any kind.
    """

    def __init__(self, table: NodeTable, plan: Plan | None) -> None:
        self.table = table
        self.number = plan.number if plan is not None else 0
        self.kinds = {kind.kind: kind for kind in plan.kinds} if plan is not None else {}
        self._of_node = {node.name: node for node in plan.nodes} if plan is not None else {}
        ranked = sorted(self.kinds.values(), key=lambda k: (-k.worth_microusd * k.count, k.kind))
        self._valued = [kind for kind in ranked[:MOST_KINDS] if kind.worth_microusd > 0]
        self.is_kept = np.ones(0, dtype=bool)
        self.group = np.full(0, -1, dtype=np.int64)
        self.worth = np.zeros(0, dtype=np.float64)
        self._seen = -1

    def refresh(self) -> None:
        """Bring the arrays up to date with the rows."""
        table = self.table
        grown = table.capacity - len(self.is_kept)
        if grown:
            self.is_kept = np.concatenate((self.is_kept, np.ones(grown, dtype=bool)))
            self.group = np.concatenate((self.group, np.full(grown, -1)))
            self.worth = np.concatenate((self.worth, np.zeros(grown)))
        rows = np.flatnonzero(table.version > self._seen)
        self._seen = table.clock
        for row in rows.tolist():
            # A node that came after the plan is kept: somebody just bought it.
            planned = self._of_node.get(table.names[row])
            self.is_kept[row] = planned is None or planned.is_kept
            self.group[row] = -1 if planned is None else planned.group
        if len(rows):
            self.worth[rows] = self.worth_of(table.free[rows])

    def worth_of(self, free: NDArray[np.int64]) -> Scores:
        """Worth of free room: float64 array (row,), micro-dollars an hour, from int64 (row, resource)."""
        worth = np.zeros(len(free))
        for kind in self._valued:
            copies = np.full(len(free), np.iinfo(np.int64).max)
            for name, amount in kind.requests:
                column = self.table.resources.get(name)
                room = free[:, column] if column is not None else np.zeros(len(free), dtype=np.int64)
                np.minimum(copies, room // amount, out=copies)
            np.maximum(worth, kind.worth_microusd * np.maximum(copies, 0), out=worth)
        return worth


class PodScores:
    """Scores of all rows for the pods of one view, recomputed for rows that changed."""

    def __init__(self, view: PodView, kind: bytes, plan: PlanInForce) -> None:
        self._view = view
        self.plan = plan
        self._planned: PlannedKind | None = plan.kinds.get(kind)
        self._wants_accelerator = any(is_accelerator(name) for name, _ in view.template.requests)
        self._scores = np.zeros(0, dtype=np.int32)
        self._seen = -1

    def scores(self, rows: Rows) -> NDArray[np.int32]:
        """Score 0 to 100 of each row: int32 array (row,)."""
        table = self._view.table
        self.plan.refresh()
        if len(self._scores) != table.capacity:
            grown = table.capacity - len(self._scores)
            self._scores = np.concatenate((self._scores, np.zeros(grown, dtype=np.int32)))
        changed = np.flatnonzero(table.version > self._seen)
        self._seen = table.clock
        if len(changed):
            self._scores[changed] = self._computed(changed)
        found: NDArray[np.int32] = self._scores[rows]
        return found

    def _computed(self, rows: Rows) -> NDArray[np.int32]:
        table, plan = self._view.table, self.plan
        left = table.free[rows].copy()
        for name, amount in self._view.requests:
            column = table.resources.get(name)
            if column is not None:
                left[:, column] -= amount
        used_up = plan.worth[rows] - plan.worth_of(left)
        thrift = 1.0 - np.clip(used_up / (2.0 * self._own_worth()), 0.0, 1.0)
        allocatable = table.allocatable[rows]
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(allocatable > 0, 1.0 - left / allocatable, 0.0)
        fullness = np.clip(shares.max(axis=1, initial=0.0), 0.0, 1.0)
        within = (1.0 - _FULLNESS_SHARE) * thrift + _FULLNESS_SHARE * fullness
        low, reach = self._bands(rows)
        found: NDArray[np.int32] = np.floor(low + within * reach).astype(np.int32)
        return found

    def _bands(self, rows: Rows) -> tuple[Scores, Scores]:
        is_kept = self.plan.is_kept[rows]
        if self._planned is not None and self._planned.groups:
            is_meant = is_kept & np.isin(self.plan.group[rows], list(self._planned.groups))
        else:
            is_meant = np.zeros(len(rows), dtype=bool)
        is_stranding = np.zeros(len(rows), dtype=bool)
        if not self._wants_accelerator:
            is_stranding = self._view.table.has_accelerator_free(rows)
        bands = np.select(
            [is_stranding[:, None], is_meant[:, None], is_kept[:, None]],
            [np.array([BAND_STRANDING]), np.array([BAND_PLANNED]), np.array([BAND_KEPT])],
            default=np.array([BAND_GIVEN_UP]),
        ).astype(np.float64)
        return bands[:, 0], bands[:, 1]

    def _own_worth(self) -> float:
        """Worth of one such pod: its dual price, or what its requests cost where it has none."""
        if self._planned is not None and self._planned.worth_microusd > 0:
            return self._planned.worth_microusd
        return float(estimated_price(self._view.template.requests))

"""What a pod is charged for a place beside the price of its node, as integers over candidates.

Two charges depend on the pod and the place alone: preferred node affinity and PreferNoSchedule taints,
at the exchange rate of `Policies`, and on spot capacity what interruptions are expected to cost: the restart
cost of the pod times the interruptions of its offering a month, over the hours of a month, rounded up.

A kind of pod that is charged differently in different places is split into local kinds of one charge each,
like those that rules about domains tell apart (`domains`): the charge is the cost of the variable that counts
its pods there. So patterns and their pricing know nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.bundles import Content
from binwright_optimizer.instance.candidates import Shelved, existing_labels
from binwright_optimizer.instance.classes import Kinds
from binwright_optimizer.instance.labels import LabelColumns, Mask
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.instance.stated import Charged
from binwright_optimizer.model import (
    HOURS_PER_MONTH,
    CapacityType,
    NodeSelectorTerm,
    Operator,
    Problem,
    Taint,
    Toleration,
    labels,
)
from binwright_optimizer.model.policies import UNTOLERATED_WEIGHT
from binwright_optimizer.model.spot import PPM, UNKNOWN_RATE_PPM

Int64 = NDArray[np.int64]


class Charges:
    """Charges of the kinds of one problem; candidates ``c`` are numbered as in `Localized`."""

    def __init__(self, problem: Problem, shelf: Shelf, shelved: Sequence[Shelved], kinds: Kinds) -> None:
        self._problem = problem
        self._shelf = shelf
        self._shelved = shelved
        self._kinds = kinds
        self._weight_price = problem.policies.weight_price
        taints = [pool.taints for pool in problem.node_pools]
        taints += [node.taints for node in problem.existing_nodes]
        self._has_soft_taints = any(not taint.repels for some in taints for taint in some)
        self._existing = existing_labels(problem.existing_nodes)
        self._is_empty = not (self._has_soft_taints and self._weight_price) and not any(
            stated.charged for stated in kinds.stated
        )
        self._rates: Int64 | None = None
        self._known: dict[tuple[Charged, tuple[Toleration, ...]], Int64 | None] = {}

    def of_item(self, content: Content) -> Int64 | None:
        """What the pods of an item are charged together: int64 array (c,); None if never anything."""
        if self._is_empty:
            return None
        total: Int64 | None = None
        for k, pods in content:
            own = self._of_kind(k)
            if own is not None:
                total = pods * own if total is None else total + pods * own
        return total

    def _of_kind(self, k: int) -> Int64 | None:
        charged = self._kinds.stated[k].charged
        tolerations = self._kinds.placements[int(self._kinds.placement_of[k])].tolerations
        key = charged, tolerations if self._has_soft_taints else ()
        if key not in self._known:
            found = self._preferences(charged, tolerations)
            if charged.restart_cost_microusd:
                found += self._interruptions(charged.restart_cost_microusd)
            self._known[key] = found if found.any() else None
        return self._known[key]

    def _preferences(self, charged: Charged, tolerations: Iterable[Toleration]) -> Int64:
        parts = []
        tolerations = tuple(tolerations)
        for part in self._shelved:
            fixed = dict(part.variant.fixed)
            points = np.full(
                len(part.rows), _untolerated(self._problem.node_pools[part.variant.pool].taints, tolerations)
            )
            for term in charged.preferred:
                is_kept = _satisfied(self._shelf.labels, term.term, fixed, is_new=True)
                points += term.weight * ~is_kept[part.rows]
            parts.append(points)
        nodes = self._problem.existing_nodes
        points = np.array([_untolerated(node.taints, tolerations) for node in nodes], dtype=np.int64)
        for term in charged.preferred:
            points += term.weight * ~_satisfied(self._existing, term.term, {}, is_new=False)
        return np.asarray(np.concatenate([*parts, points]) * self._weight_price, dtype=np.int64)

    def _interruptions(self, restart_cost: int) -> Int64:
        values, index = np.unique(self._rates_of_candidates(), return_inverse=True)
        each = [-(-restart_cost * rate // (PPM * HOURS_PER_MONTH)) for rate in values.tolist()]
        return np.array(each, dtype=np.int64)[index]

    def _rates_of_candidates(self) -> Int64:
        """Interruptions a month, parts per million; 0 off spot: int64 array (c,)."""
        if self._rates is not None:
            return self._rates
        catalog, shelf = self._problem.catalog, self._shelf
        bought_as = shelf.labels.columns.get(labels.CAPACITY_TYPE)
        by_row = np.zeros(len(shelf.price), dtype=np.int64)
        of_pool: dict[tuple[str, str], int] = {}
        for kind in catalog.instance_types:
            for sold in kind.offerings:
                if sold.capacity_type is CapacityType.SPOT:
                    of_pool[kind.name, sold.zone] = _rate(sold.interruption_ppm_per_month)
        if bought_as is not None:
            is_spot = np.array([word == CapacityType.SPOT.value for word in bought_as.vocabulary])
            for row in np.flatnonzero(is_spot[bought_as.codes]).tolist():
                kind = catalog.instance_types[int(shelf.type_of[row])]
                sold = kind.offerings[int(shelf.offering_of[row])]
                by_row[row] = _rate(sold.interruption_ppm_per_month)
        running = []
        for node in self._problem.existing_nodes:
            own = dict(node.labels)
            where = own.get(labels.INSTANCE_TYPE, ""), own.get(labels.ZONE, "")
            is_taken_back = own.get(labels.CAPACITY_TYPE) == CapacityType.SPOT.value
            running.append(of_pool.get(where, UNKNOWN_RATE_PPM) if is_taken_back else 0)
        self._rates = np.concatenate(
            [*(by_row[part.rows] for part in self._shelved), np.array(running, dtype=np.int64)]
        )
        return self._rates


def _rate(ppm_per_month: int | None) -> int:
    return UNKNOWN_RATE_PPM if ppm_per_month is None else ppm_per_month


def _untolerated(taints: Iterable[Taint], tolerations: tuple[Toleration, ...]) -> int:
    """Points of the PreferNoSchedule taints that no toleration matches."""
    return UNTOLERATED_WEIGHT * sum(
        not taint.repels and not any(t.tolerates(taint) for t in tolerations) for taint in taints
    )


def _satisfied(
    columns: LabelColumns, term: NodeSelectorTerm, fixed: dict[str, str | None], *, is_new: bool
) -> Mask:
    """Rows that satisfy a term; a node still to be bought has a host name that nobody knows."""
    named = [r for r in term if is_new and r.key == labels.HOSTNAME]
    if not all(r.operator in (Operator.EXISTS, Operator.NOT_IN) for r in named):
        return np.zeros(columns.n_rows, dtype=bool)
    return columns.mask_all([r for r in term if r not in named], fixed)

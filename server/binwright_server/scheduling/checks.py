"""Which nodes break a required rule between pods for one pod, by the counts of the cluster's pods.

The rules are kube-scheduler's (plugins NodePorts, PodTopologySpread and InterPodAffinity). Domains are those
of the cluster's nodes, also where a question brings nodes of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from binwright_optimizer.model.ports import HostPort
from binwright_optimizer.model.topology import NodeInclusionPolicy
from numpy.typing import NDArray

from binwright_server.scheduling.namespaces import Namespaces
from binwright_server.scheduling.rules import Apart, Identity, PodRules, Selection
from binwright_server.scheduling.table import UNKNOWN, NodeTable

SPREAD, AFFINITY, ANTI_AFFINITY = "topology-spread", "pod-affinity", "pod-anti-affinity"
HOST_PORT = "host-port"
"""Constraints as answers name them."""

ABOUT_PODS = frozenset({SPREAD, AFFINITY, ANTI_AFFINITY, HOST_PORT})
"""Constraints about other pods, of which a scheduler knows sooner than we do."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Broken:
    """Rows that break one rule; ``is_unresolvable`` where removing pods would not help."""

    constraint: str
    message: str
    rows: Mask
    is_unresolvable: bool = False


@dataclass(frozen=True, slots=True)
class Eligible:
    """Rows of the cluster's nodes that the pod's node affinity admits, and whose taints it tolerates."""

    is_affine: Mask
    is_tolerated: Mask


class RuleChecks:
    """The rules that bind one pod: its own, and those of placed pods that keep it away.

    Parameters
    ----------
    home
        The cluster's nodes.
    selected, carriers
        Pods of a selection, and pods that carry a rule, by row of ``home``.
    port_holders
        How often pods hold ports that clash with some, by row of ``home``.
    eligible
        Tells which rows form the domains of topology spread.
    """

    def __init__(
        self,
        home: NodeTable,
        identity: Identity,
        rules: PodRules,
        foes: tuple[Apart, ...],
        namespaces: Namespaces,
        selected: Callable[[Selection], NDArray[np.int64]],
        carriers: Callable[[Apart], NDArray[np.int64]],
        port_holders: Callable[[tuple[HostPort, ...]], NDArray[np.int64]],
        eligible: Callable[[], Eligible],
    ) -> None:
        self._home = home
        self._identity = identity
        self._rules = rules
        self._foes = foes
        self._namespaces = namespaces
        self._selected = selected
        self._carriers = carriers
        self._port_holders = port_holders
        self._eligible = eligible

    def broken(self, table: NodeTable, own_row: int = UNKNOWN) -> list[Broken]:
        """Rows of a table that break a rule, by rule.

        Parameters
        ----------
        own_row
            Row of the table where the pod itself is counted already.
        """
        if own_row != UNKNOWN and table is not self._home:
            own_row = self._home.row_of[table.names[own_row]]
        found = [*self._ports(table, own_row), *self._spread(table, own_row), *self._near(table, own_row)]
        for key, selection in self._rules.apart:
            counts = self._domains(key, self._without(selection, own_row))
            text = "node(s) didn't match pod anti-affinity rules"
            found.append(Broken(ANTI_AFFINITY, text, self._on(table, key, counts > 0, lacking=False)))
        for foe in self._foes:
            counts = self._carriers(foe)
            if own_row != UNKNOWN and foe in self._rules.apart:
                counts = _less_one(counts, own_row)
            text = "node(s) didn't satisfy existing pods anti-affinity rules"
            bad = self._domains(foe[0], counts) > 0
            found.append(Broken(ANTI_AFFINITY, text, self._on(table, foe[0], bad, lacking=False)))
        return found

    def _ports(self, table: NodeTable, own_row: int) -> Iterable[Broken]:
        ports = self._rules.ports
        if not ports:
            return
        counts = self._port_holders(ports)
        if own_row != UNKNOWN:
            counts[own_row] -= len(ports)
        is_bad = counts > 0
        if table is not self._home:  # ports are of the node itself, wherever a question puts it
            rows = [self._home.row_of[name] for name in table.names]
            is_bad = np.append(is_bad, False)[rows]  # the last for nodes that the cluster does not have
        text = "node(s) didn't have free ports for the requested pod ports"
        yield Broken(HOST_PORT, text, is_bad)

    def _near(self, table: NodeTable, own_row: int) -> Iterable[Broken]:
        near = self._rules.near
        if near is None:
            return
        counts = self._without(near, own_row)
        # The first of its like may go anywhere; pods on nodes without the labels are near to nobody.
        are_none = not any(self._domains(key, counts).any() for key in self._rules.near_keys)
        starts = are_none and self._is_among(near)
        text = "node(s) didn't match pod affinity rules"
        for key in self._rules.near_keys:
            is_bad = np.zeros(len(self._codes(key)[1]), dtype=bool)
            if not starts:
                is_bad = self._domains(key, counts) == 0
            # A domain that the cluster does not know yet holds nobody.
            rows = self._on(table, key, is_bad, lacking=True, unknown=not starts)
            yield Broken(AFFINITY, text, rows, is_unresolvable=True)

    def _spread(self, table: NodeTable, own_row: int) -> Iterable[Broken]:
        if not self._rules.spread:
            return
        eligible = self._eligible()
        has_keys = self._home.is_there.copy()
        for constraint, _ in self._rules.spread:
            has_keys &= self._codes(constraint.topology_key)[0] > 0
        for constraint, selection in self._rules.spread:
            key = constraint.topology_key
            counted = has_keys.copy()
            if constraint.node_affinity_policy is NodeInclusionPolicy.HONOR:
                counted &= eligible.is_affine
            if constraint.node_taints_policy is NodeInclusionPolicy.HONOR:
                counted &= eligible.is_tolerated
            counts = self._domains(key, np.where(counted, self._without(selection, own_row), 0))
            is_domain = self._domains(key, counted) > 0
            is_domain[0] = False
            least = 0
            if is_domain.sum() >= constraint.min_domains:
                least = int(counts[is_domain].min(initial=np.iinfo(np.int64).max)) if is_domain.any() else 0
            own = int(self._is_among(selection))
            is_bad = counts + own - least > constraint.max_skew
            text = "node(s) didn't match pod topology spread constraints"
            lacking = self._on(table, key, np.zeros(len(is_bad), dtype=bool), lacking=True)
            yield Broken(SPREAD, f"{text} (missing required label)", lacking, is_unresolvable=True)
            unknown = own - least > constraint.max_skew
            yield Broken(SPREAD, text, self._on(table, key, is_bad, lacking=False, unknown=unknown))

    def _is_among(self, selection: Selection) -> bool:
        return selection.selects(self._identity, self._namespaces)

    def _without(self, selection: Selection, own_row: int) -> NDArray[np.int64]:
        """Pods of a selection by row, the pod itself left out."""
        counts = self._selected(selection)
        if own_row != UNKNOWN and self._is_among(selection):
            return _less_one(counts, own_row)
        return counts

    def _codes(self, key: str) -> tuple[NDArray[np.int32], list[str | None]]:
        return self._home.label(key)

    def _domains(self, key: str, amounts: NDArray[np.int64] | Mask) -> NDArray[np.int64]:
        """Sums by domain of the cluster's nodes; the first is that of nodes without the label, made 0."""
        codes, values = self._codes(key)
        sums = np.bincount(codes, weights=amounts, minlength=len(values)).astype(np.int64)
        sums[0] = 0
        return sums

    def _on(self, table: NodeTable, key: str, is_bad: Mask, *, lacking: bool, unknown: bool = False) -> Mask:
        """Rows of a table in bad domains.

        Parameters
        ----------
        is_bad
            By domain of the cluster's nodes.
        lacking, unknown
            What is said of nodes without the label, and of domains that the cluster does not have.
        """
        home_values = self._codes(key)[1]
        codes, values = table.label(key)
        if table is self._home:
            by_code = is_bad.copy()
        else:
            known = dict(zip(home_values, is_bad.tolist(), strict=True))
            by_code = np.array([known.get(value, unknown) for value in values], dtype=bool)
        by_code[0] = lacking
        found: Mask = by_code[codes]
        return found


def _less_one(counts: NDArray[np.int64], row: int) -> NDArray[np.int64]:
    less = counts.copy()
    less[row] -= 1
    return less

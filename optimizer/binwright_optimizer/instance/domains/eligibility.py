"""Which nodes form the domains of a spread constraint: kube-scheduler counts pods on no others.

A node is eligible for a constraint of a pod if it carries the topology keys of all the pod's required
constraints and, as far as the constraint's policies ask, passes its node selection and its tolerations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.candidates import Shelved, admitted_rows, existing_labels
from binwright_optimizer.instance.domains.table import NO_DOMAIN, DomainTable
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.instance.stated import Spread, Stated
from binwright_optimizer.model import PodTemplate, Problem, Taint, labels
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.model.topology import NodeInclusionPolicy

Mask = NDArray[np.bool_]


class Eligibility:
    """Masks over candidates, kept by what they depend on."""

    def __init__(
        self, problem: Problem, shelf: Shelf, shelved: Sequence[Shelved], table: DomainTable
    ) -> None:
        self._problem = problem
        self._shelf = shelf
        self._shelved = shelved
        self._table = table
        self._known: dict[tuple[object, ...], Mask] = {}

    def of(self, template: PodTemplate, stated: Stated, spread: Spread) -> Mask:
        """Candidates that are eligible: bool array (c,), read-only.

        Parameters
        ----------
        template
            Any with the node selection and the tolerations of the pod that states the constraint.
        """
        constraint = spread.constraint
        by_selection = constraint.node_affinity_policy is NodeInclusionPolicy.HONOR
        by_taints = constraint.node_taints_policy is NodeInclusionPolicy.HONOR
        keys = spread_keys(stated)
        name = (
            keys,
            (template.node_selector, template.node_affinity) if by_selection else None,
            template.tolerations if by_taints else None,
        )
        known = self._known.get(name)
        if known is None:
            known = np.ones(self._table.n_candidates, dtype=bool)
            for key in keys:
                known &= self._table.codes(key) != NO_DOMAIN
            if by_selection:
                known &= self._selected(template)
            if by_taints:
                known &= self._tolerated(template)
            self._known[name] = known
        return known

    def _selected(self, template: PodTemplate) -> Mask:
        columns = self._shelf.labels
        parts = [admitted_rows(template, columns, dict(p.variant.fixed))[p.rows] for p in self._shelved]
        return np.concatenate(
            [*parts, admitted_rows(template, existing_labels(self._problem.existing_nodes), {})]
        )

    def _tolerated(self, template: PodTemplate) -> Mask:
        def is_tolerated(taints: tuple[Taint, ...]) -> bool:
            return untolerated(taints, template.tolerations) is None

        pools = self._problem.node_pools
        parts = [np.full(len(p.rows), is_tolerated(pools[p.variant.pool].taints)) for p in self._shelved]
        nodes = [is_tolerated(node.taints) for node in self._problem.existing_nodes]
        return np.concatenate([*parts, np.array(nodes, dtype=bool)])


def spread_keys(stated: Stated) -> tuple[str, ...]:
    """Topology keys, but the hostname, of all required constraints of a pod."""
    keys = {s.constraint.topology_key for s in stated.spread if s.constraint.is_required}
    return tuple(sorted(keys - {labels.HOSTNAME}))

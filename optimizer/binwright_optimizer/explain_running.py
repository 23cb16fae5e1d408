"""Places that required anti-affinity closes because of pods that run already: theirs, or the pod's own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.domains.table import NO_DOMAIN, DomainTable
from binwright_optimizer.instance.kept_away import kept_away, meant_by, some
from binwright_optimizer.instance.selections import Selections
from binwright_optimizer.model import labels

Masks = dict[str, NDArray[np.bool_]]


class ClosedByRunning:
    """What of one instance is closed to whom."""

    def __init__(self, instance: Instance, table: DomainTable) -> None:
        self._problem = instance.problem
        self._selections = Selections(instance.problem)
        self._table = table
        self._kept_away = kept_away(instance.problem, self._selections)

    def masks(self, w: int) -> Masks:
        """Candidates that stay open to a workload, by the reason why others do not: bool arrays (c,).

        Candidates are those of `Origin.localized`.
        """
        found: Masks = {}
        for entry in self._kept_away:
            if w in self._selections.workloads(entry.selection):
                key = entry.term.topology_key
                who = entry.who(self._problem)
                self._close(
                    found, f"anti-affinity by {key} to {meant_by(entry.term)} of {who}", key, entry.nodes
                )
        workload = self._problem.workloads[w]
        own = dict(workload.template.labels)
        for term in workload.template.pod_anti_affinity.required:
            selection = self._selections.of_term(term, own, workload.namespace)
            nodes = np.flatnonzero(self._selections.running(selection)).tolist() if selection >= 0 else []
            if nodes:
                names = some([self._problem.existing_nodes[n].name for n in nodes], len(nodes))
                text = (
                    f"pod anti-affinity by {term.topology_key} to {meant_by(term)}: such pods run on {names}"
                )
                self._close(found, text, term.topology_key, nodes)
        return found

    def _close(self, found: Masks, text: str, key: str, nodes: list[int]) -> None:
        """Note the candidates of a domain with any of these nodes."""
        n_bought = self._table.n_candidates - self._table.n_existing
        if key == labels.HOSTNAME:
            closed = np.zeros(self._table.n_candidates, dtype=bool)
            closed[[n_bought + n for n in nodes]] = True
        else:
            domains = self._table.existing_codes(key)[nodes]
            closed = np.isin(self._table.codes(key), domains[domains != NO_DOMAIN])
        if closed.any():
            found[text] = found.get(text, np.ones(len(closed), dtype=bool)) & ~closed

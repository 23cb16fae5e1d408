"""Which nodes admit one kind of pods, recomputed only for nodes that changed.

Taints, selectors and affinity are compared by the domain model's own rules, once per distinct value
instead of once per node; resources are compared with what is free at the moment of the question.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from binwright_optimizer.model import PodTemplate
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.model.taints import untolerated
from numpy.typing import NDArray

from binwright_server.scheduling.checks import Broken, Eligible, RuleChecks
from binwright_server.scheduling.table import UNKNOWN, NodeTable, Rows

PASSED, UNKNOWN_NODE, TAINTED, NOT_AFFINE = 0, 1, 2, 3
"""Verdicts; those above `NOT_AFFINE` name the resource that is short, and then the rule that breaks."""
FIRST_RESOURCE = 4


@dataclass(frozen=True, slots=True)
class Reason:
    """Why nodes are refused; ``is_unresolvable`` if removing pods from them would not help."""

    constraint: str
    message: str
    is_unresolvable: bool = False


class PodView:
    """Verdicts on nodes for the pods of one template.

    Parameters
    ----------
    template
        Pods that are equal for scheduling share a view.
    checks
        Rules between pods that bind them, if any.
    """

    def __init__(self, table: NodeTable, template: PodTemplate, checks: RuleChecks | None = None) -> None:
        self.table = table
        self.template = template
        self.checks = checks
        self.requests = (*template.requests, (PODS, 1))
        self._broken: list[Broken] = []
        self._is_tainted = np.zeros(0, dtype=bool)
        self._is_affine = np.zeros(0, dtype=bool)
        self._seen = -1

    def refresh(self) -> Rows:
        """Bring the view up to date; returns the rows that had changed."""
        table = self.table
        if len(self._is_affine) != table.capacity:
            grown = table.capacity - len(self._is_affine)
            self._is_tainted = np.concatenate((self._is_tainted, np.zeros(grown, dtype=bool)))
            self._is_affine = np.concatenate((self._is_affine, np.zeros(grown, dtype=bool)))
        rows = np.flatnonzero(table.version > self._seen)
        self._seen = table.clock
        if len(rows):
            self._is_tainted[rows] = self._tainted(rows)
            self._is_affine[rows] = self._affine(rows)
        return rows

    def eligible(self) -> Eligible:
        """Rows of the whole table by node affinity and taints."""
        self.refresh()
        return Eligible(self._is_affine, ~self._is_tainted)

    def verdicts(self, rows: Rows, own_row: int = UNKNOWN) -> NDArray[np.int32]:
        """Verdict on each row: int32 array (row,).

        Parameters
        ----------
        rows
            May contain `UNKNOWN`.
        own_row
            Row where a pod of this kind already counts that is the pod in question.
        """
        self.refresh()
        table = self.table
        verdict = np.zeros(len(rows), dtype=np.int32)
        # From the last reason to the first, so that the first is told.
        self._broken = self.checks.broken(table, own_row) if self.checks is not None else []
        first_rule = FIRST_RESOURCE + len(self.requests)
        for index, broken in reversed(list(enumerate(self._broken))):
            verdict[broken.rows[rows]] = first_rule + index
        for index, (name, amount) in reversed(list(enumerate(self.requests))):
            column = table.resources.get(name)
            if column is None:
                if name != PODS:
                    verdict[:] = FIRST_RESOURCE + index
                continue
            free = table.free[rows, column]
            if own_row != UNKNOWN:
                free = free + np.where(rows == own_row, amount, 0)
            verdict[free < amount] = FIRST_RESOURCE + index
        verdict[~self._is_affine[rows]] = NOT_AFFINE
        verdict[self._is_tainted[rows]] = TAINTED
        verdict[rows == UNKNOWN] = UNKNOWN_NODE
        return verdict

    def reasons(self, rows: Rows, verdicts: NDArray[np.int32]) -> list[tuple[Reason, NDArray[np.intp]]]:
        """Reasons with the positions in ``rows`` that they refuse, of the verdicts just asked for."""
        found: list[tuple[Reason, NDArray[np.intp]]] = []
        for verdict in np.unique(verdicts[verdicts != PASSED]).tolist():
            positions = np.flatnonzero(verdicts == verdict)
            if verdict == UNKNOWN_NODE:
                found.append((Reason("unknown-node", "this server does not know the node"), positions))
            elif verdict == NOT_AFFINE:
                text = "node(s) didn't match the pod's node affinity/selector"
                found.append((Reason("node-affinity", text, True), positions))
            elif verdict == TAINTED:
                found += self._taint_reasons(rows, positions)
            elif verdict >= FIRST_RESOURCE + len(self.requests):
                broken = self._broken[verdict - FIRST_RESOURCE - len(self.requests)]
                found.append((Reason(broken.constraint, broken.message, broken.is_unresolvable), positions))
            else:
                found += self._resource_reasons(rows, positions, verdict - FIRST_RESOURCE)
        return found

    def _taint_reasons(
        self, rows: Rows, positions: NDArray[np.intp]
    ) -> list[tuple[Reason, NDArray[np.intp]]]:
        codes = self.table.taint_code[rows[positions]]
        found = []
        for code in np.unique(codes).tolist():
            taint = untolerated(self.table.taint_sets[code], self.template.tolerations)
            text = f"node(s) had untolerated taint {{{taint}}}"
            found.append((Reason("taint", text, True), positions[codes == code]))
        return found

    def _resource_reasons(
        self, rows: Rows, positions: NDArray[np.intp], index: int
    ) -> list[tuple[Reason, NDArray[np.intp]]]:
        name, amount = self.requests[index]
        text = f"Insufficient {name}: the pod asks for {format_quantity(amount, name)}"
        if name == PODS:
            text = "Too many pods"
        column = self.table.resources.get(name)
        if column is None:
            return [(Reason(name, text, True), positions)]
        is_never = self.table.allocatable[rows[positions], column] < amount
        parts = ((True, positions[is_never]), (False, positions[~is_never]))
        return [(Reason(name, text, never), part) for never, part in parts if len(part)]

    def _tainted(self, rows: Rows) -> NDArray[np.bool_]:
        codes = self.table.taint_code[rows]
        repels = np.zeros(len(self.table.taint_sets), dtype=bool)
        for code in np.unique(codes).tolist():
            repels[code] = untolerated(self.table.taint_sets[code], self.template.tolerations) is not None
        return repels[codes]

    def _affine(self, rows: Rows) -> NDArray[np.bool_]:
        result = self.table.is_there[rows].copy()
        for requirement in self.template.node_selector:
            result &= self.table.admitted(requirement, rows)
        if not self.template.node_affinity:
            return result
        any_term = np.zeros(len(rows), dtype=bool)
        for term in self.template.node_affinity:
            if term:  # Kubernetes: an empty term matches nothing
                matches = np.ones(len(rows), dtype=bool)
                for requirement in term:
                    matches &= self.table.admitted(requirement, rows)
                any_term |= matches
        return result & any_term

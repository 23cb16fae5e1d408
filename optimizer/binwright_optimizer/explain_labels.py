"""Places without the node label by which required spread, affinity or the topology of a gang goes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.explain_gangs import gang_name
from binwright_optimizer.instance.domains.table import NO_DOMAIN, DomainTable
from binwright_optimizer.instance.kept_away import meant_by
from binwright_optimizer.model import Problem, Workload, labels


@dataclass(frozen=True, slots=True)
class NeededLabel:
    """A label without which a node holds no pod of a workload.

    Parameters
    ----------
    reason
        Why a node without it does not.
    has
        Candidates that have it: bool array (c,), those of `Origin.localized`.
    """

    key: str
    reason: str
    has: NDArray[np.bool_]


class NeededLabels:
    """What of one instance lacks which label.

    Required anti-affinity is not among what needs one: kube-scheduler takes nodes without its topology
    key, where it keeps nobody apart.
    """

    def __init__(self, problem: Problem, table: DomainTable) -> None:
        self._table = table
        self._gangs = {(gang.namespace, gang.name): gang for gang in problem.gangs}

    def of(self, workload: Workload) -> list[NeededLabel]:
        """The labels that some candidate lacks, with who needs them."""
        found: dict[tuple[str, str], NeededLabel] = {}
        for key, needed_by in self._needs(workload):
            has = self._table.codes(key) != NO_DOMAIN
            if has.all():
                continue
            who = "these lack" if has.any() else "no node has"
            reason = f"{who} the label {key}, which {needed_by} needs"
            found[key, reason] = NeededLabel(key, reason, has)
        return list(found.values())

    def _needs(self, workload: Workload) -> Iterator[tuple[str, str]]:
        """Topology keys of a workload's rules but the host name, which every node has, and the rules."""
        template = workload.template
        for spread in template.topology_spread:
            if spread.is_required and spread.topology_key != labels.HOSTNAME:
                yield spread.topology_key, "its topology spread"
        for term in template.pod_affinity.required:
            if term.topology_key != labels.HOSTNAME:
                yield term.topology_key, f"its pod affinity to {meant_by(term)}"
        gang = self._gangs.get((workload.namespace, workload.gang))
        for rule in gang.topology if gang is not None else ():
            if rule.is_required and rule.topology_key != labels.HOSTNAME:
                assert gang is not None
                yield rule.topology_key, f"the topology of gang {gang_name(gang)}"

"""Volumes that pods mount by name: who shares which, and what each allows.

On one node all pods that mount a claim use one attachment. ``ReadWriteOnce`` keeps the pods of a claim
on one node, ``ReadWriteOncePod`` lets one pod at a time use it
(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import PodTemplate, Problem, Volume
from binwright_optimizer.model.templates import templates_of

ClaimName = tuple[str, str]
"""Namespace and name."""
_User = tuple[str, PodTemplate, int | None, int | None]
"""Namespace, template, and the number of the workload or of the existing node."""


@dataclass(slots=True)
class Claim:
    """A volume by name.

    Parameters
    ----------
    workloads
        Those whose pods mount it.
    running
        Running pods that mount it, by existing node.
    attached
        By driver, the workloads whose pods attach it, and existing nodes where it is attached.
    """

    workloads: list[int] = field(default_factory=list)
    running: dict[int, int] = field(default_factory=dict)
    attached: dict[str, tuple[set[int], set[int]]] = field(default_factory=dict)
    is_exclusive: bool = False
    is_single_node: bool = False

    def add(self, volume: Volume, workload: int | None, node: int | None) -> None:
        """Take over what one who mounts it says of it."""
        workloads, nodes = self.attached.setdefault(volume.driver, (set(), set()))
        if workload is not None:
            workloads.add(workload)
        if node is not None:
            nodes.add(node)
        self.is_exclusive |= volume.is_exclusive
        self.is_single_node |= volume.is_single_node


def shared_claims(problem: Problem) -> dict[ClaimName, Claim]:
    """Claims that some pods to be placed mount, and that more than one pod mounts in all."""
    if not any(template.volumes for template in templates_of(problem)):
        return {}
    claims: dict[ClaimName, Claim] = {}
    for w, workload in enumerate(problem.workloads):
        if workload.replicas:
            for volume in by_name(workload.template).values():
                claim = claims.setdefault((workload.namespace, volume.name), Claim())
                claim.workloads.append(w)
    pods = {name: sum(problem.workloads[w].replicas for w in c.workloads) for name, c in claims.items()}
    for n, node in enumerate(problem.existing_nodes):
        for running in node.pods:
            for name in by_name(running.template):
                known = claims.get((running.namespace, name))
                if known is not None:
                    known.running[n] = known.running.get(n, 0) + running.count
    everyone: list[_User] = [
        (workload.namespace, workload.template, w, None) for w, workload in enumerate(problem.workloads)
    ]
    for n, node in enumerate(problem.existing_nodes):
        everyone += [(pods.namespace, pods.template, None, n) for pods in node.pods]
    for namespace, template, workload_number, node_number in everyone:
        for volume in template.volumes:
            known = claims.get((namespace, volume.name))
            if known is not None:
                known.add(volume, workload_number, node_number)
    return {name: claim for name, claim in claims.items() if pods[name] + sum(claim.running.values()) > 1}


def by_name(template: PodTemplate) -> dict[str, Volume]:
    """The volumes that a pod mounts by name."""
    return {volume.name: volume for volume in template.volumes if volume.name}


def kinds_with_exclusive_claims(
    workload_kind: NDArray[np.intp], n_kinds: int, claims: Mapping[ClaimName, Claim]
) -> NDArray[np.bool_]:
    """Kinds whose pods use a volume that is for one pod at a time: bool array (kind,)."""
    result = np.zeros(n_kinds, dtype=bool)
    for claim in claims.values():
        if claim.is_exclusive:
            result[workload_kind[claim.workloads]] = True
    return result

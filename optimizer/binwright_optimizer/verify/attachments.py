"""Volumes that pods attach to their nodes, as resources for the bound.

A pod takes one attachment of a driver for each volume that no other pod mounts: those without a name, and
claims with a single user in the whole problem. A volume that pods share is attached once on a node however
many of them are there, or is attached already; it is left out, which makes the bound lower, never wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import AttachLimit, ExistingNode, NodePool, PodTemplate, Problem, Volume
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.volumes import Claim, attach_limits

Int64Array = NDArray[np.int64]

ATTACHED = "volumes of "
"""Begins the name of such a resource; no resource of Kubernetes has a space."""
_NO_LIMIT = 2**50
"""Room for a driver that a node does not limit: more than any workload has volumes."""


class Attachments:
    """Attachments that pods of one problem surely need, and what nodes have of them.

    Attributes
    ----------
    limited
        Drivers that some node limits, if pods mount any volumes.
    """

    def __init__(self, problem: Problem) -> None:
        self._kinds = problem.catalog.instance_types
        self.limited: frozenset[str] = frozenset()
        if not any(template.volumes for template in templates_of(problem)):
            return
        everywhere: Iterable[tuple[AttachLimit, ...]] = (
            *(kind.attach_limits for kind in self._kinds),
            *(pool.attach_limits for pool in problem.node_pools),
            *(node.attach_limits for node in problem.existing_nodes),
        )
        self.limited = frozenset(limit.driver for limits in everywhere for limit in limits)
        self._shared = {name for (_, name), users in users_of_claims(problem).items() if users > 1}
        self._of_types: dict[tuple[str, str], Int64Array] = {}

    def needed(self, template: PodTemplate) -> dict[str, int]:
        """Attachments that each pod of a template takes for itself alone, by name of their resource."""
        own = {(v.driver, v.name) for v in template.volumes if v.name and v.name not in self._shared}
        drivers = Counter(driver for driver, _ in own)
        drivers.update(v.driver for v in template.volumes if not v.name)
        return {f"{ATTACHED}{driver}": n for driver, n in drivers.items() if driver in self.limited}

    @property
    def is_needed(self) -> bool:
        """Whether any pod may take any."""
        return bool(self.limited)

    def speaks_of(self, name: str) -> bool:
        """Whether a resource is of attachments."""
        return name.startswith(ATTACHED)

    def of_types(self, name: str, pool: NodePool) -> Int64Array:
        """Room on nodes of each instance type in a NodePool: (type,)."""
        known = self._of_types.get((name, pool.name))
        if known is None:
            rooms = [_room(name, kind.attach_limits, pool.attach_limits) for kind in self._kinds]
            known = self._of_types[name, pool.name] = np.array(rooms, dtype=np.int64)
        return known

    def of_node(self, name: str, node: ExistingNode) -> int:
        """Room left on a running node."""
        return _room(name, node.attach_limits)


def _room(name: str, *limits: Iterable[AttachLimit]) -> int:
    return attach_limits(*limits).get(name.removeprefix(ATTACHED), _NO_LIMIT)


def users_of_claims(problem: Problem) -> Counter[Claim]:
    """Pods that mount each named volume, running ones included."""
    users: Counter[Claim] = Counter()
    everyone = [(w.namespace, w.template, w.replicas) for w in problem.workloads]
    everyone += [(p.namespace, p.template, p.count) for n in problem.existing_nodes for p in n.pods]
    for namespace, template, count in everyone:
        for name in {volume.name for volume in template.volumes if volume.name}:
            users[namespace, name] += count
    return users


def as_own(volumes: Iterable[Volume], namespace: str, is_sole: Callable[[Claim], bool]) -> tuple[Volume, ...]:
    """Volumes of a pod that stands for others, which must not pass for further users of their claims.

    Claims without other users become volumes of its own; of others only where they can be attached counts.
    """
    found = [volume for volume in volumes if not volume.name]
    for volume in {(v.driver, v.name): v for v in volumes if v.name}.values():
        driver = volume.driver if is_sole((namespace, volume.name)) else ""
        found.append(replace(volume, name="", driver=driver, is_exclusive=False, is_single_node=False))
    return tuple(found)

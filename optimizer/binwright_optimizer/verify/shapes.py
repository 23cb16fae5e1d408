"""Node shapes: an instance type as a NodePool would run it, with what its daemons leave."""

from __future__ import annotations

from dataclasses import dataclass, field

from binwright_optimizer.model import (
    InstanceType,
    NodePool,
    Offering,
    PodTemplate,
    Problem,
    Resources,
    Taint,
)
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.verify.nodes import (
    daemon_overhead,
    given_labels,
    lacking,
    refused_requirement,
    satisfies_affinity,
)

CustomLabels = tuple[tuple[str, str], ...]
"""Labels whose values the decision chose, sorted."""


@dataclass(slots=True)
class NodeShape:
    """One offering bought for one pool with these custom labels.

    ``refusals`` remembers why each placement (index into the pod classes' placements) is refused; what
    the pool refuses and what daemons leave are found out once, too.
    """

    pool: NodePool
    kind: InstanceType
    offering: Offering
    labels: dict[str, str]
    overhead: Resources
    refusals: dict[int, str] = field(default_factory=dict)
    _pool_refusal: str | None = None
    _room: dict[str, int] | None = None
    _allocatable: Resources | None = None

    def refusal(self, placement: int, template: PodTemplate) -> str:
        """Why labels or taints keep such a pod away; empty if they do not."""
        reason = self.refusals.get(placement)
        if reason is None:
            reason = self.refusals[placement] = pod_refusal(
                template, self.labels, self.pool.taints, is_new=True
            )
        return reason

    def pool_refusal(self) -> str:
        """Why the pool may not buy it; empty if it may."""
        if self._pool_refusal is None:
            self._pool_refusal = self._refusal_of_pool()
        return self._pool_refusal

    def _refusal_of_pool(self) -> str:
        for key, value in self.pool.labels:
            if self.labels[key] != value:
                return f"label {key}={self.labels[key]} contradicts the pool's label {key}={value}"
        requirement = refused_requirement(self.pool.requirements, self.labels, is_new=True)
        return "" if requirement is None else f"pool requirement {requirement} is not satisfied"

    @property
    def allocatable(self) -> Resources:
        """What the node advertises: under the pool's node class, with the replicas of GPUs it makes."""
        if self._allocatable is None:
            self._allocatable = self.pool.allocatable_of(self.kind)
        return self._allocatable

    def lacking(self, requests: Resources) -> tuple[str, ...]:
        """Resources that it has too little of for pods with ``requests`` and its daemons."""
        if self._room is None:
            self._room = dict(self.allocatable)
            for name, amount in self.overhead:
                self._room[name] = self._room.get(name, 0) - amount
        room = self._room
        if min(room.values(), default=0) >= 0 and all(a <= room.get(name, 0) for name, a in requests.amounts):
            return ()
        return lacking(requests + self.overhead, self.allocatable, self.pool.capacity_of(self.kind))


def pod_refusal(
    template: PodTemplate, labels: dict[str, str], taints: tuple[Taint, ...], *, is_new: bool
) -> str:
    """Why labels or taints of a node keep a pod away; empty if they do not."""
    requirement = refused_requirement(template.node_selector, labels, is_new=is_new)
    if requirement is not None:
        return f"node selector {requirement} is not satisfied"
    if not satisfies_affinity(template, labels, is_new=is_new):
        return "no required node affinity term is satisfied"
    taint = untolerated(taints, template.tolerations)
    return "" if taint is None else f"taint {taint} is not tolerated"


class ShapeIndex:
    """Shapes of a problem by name, each built once."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.pools = {pool.name: pool for pool in problem.node_pools}
        self.types = {kind.name: kind for kind in problem.catalog.instance_types}
        self._sold: dict[str, dict[tuple[str, str, str], list[Offering]]] = {}
        self._shapes: dict[tuple[str, str, Offering, CustomLabels], NodeShape] = {}

    def offerings(self, kind: InstanceType, region: str, zone: str, capacity_type: str) -> list[Offering]:
        """What a type is sold as under this name; more than one only in odd catalogues."""
        sold = self._sold.get(kind.name)
        if sold is None:
            sold = self._sold[kind.name] = {}
            for o in kind.offerings:
                sold.setdefault((o.region, o.zone, o.capacity_type), []).append(o)
        return sold.get((region, zone, capacity_type), [])

    def shape(
        self, pool: NodePool, kind: InstanceType, offering: Offering, custom: CustomLabels
    ) -> NodeShape:
        """The shape, remembered."""
        key = (pool.name, kind.name, offering, custom)
        found = self._shapes.get(key)
        if found is None:
            labels = {**dict(custom), **given_labels(pool, kind, offering)}
            overhead = daemon_overhead(self._problem, pool, labels)
            found = self._shapes[key] = NodeShape(pool, kind, offering, labels, overhead)
        return found

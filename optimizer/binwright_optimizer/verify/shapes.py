"""Node shapes: an instance type as a NodePool would run it, with what its daemons leave."""

from __future__ import annotations

from dataclasses import dataclass, field

from binwright_optimizer.model import (
    CapacityType,
    InstanceType,
    NodePool,
    Offering,
    PodTemplate,
    Problem,
    Resources,
    Taint,
)
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.verify.gpu_devices import DeviceRoom, room_of_type
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
    _holds_daemons: bool = False
    _devices: DeviceRoom | None = None

    @property
    def devices(self) -> DeviceRoom:
        """Its devices for pods."""
        if self._devices is None:
            self._devices = room_of_type(self.kind, self.pool, self.overhead)
        return self._devices

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
            self._holds_daemons = min(self._room.values(), default=0) >= 0
        is_enough = self._holds_daemons
        for name, amount in requests.amounts:
            is_enough = is_enough and amount <= self._room.get(name, 0)
        if is_enough:
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


class Place:
    """Nodes of one pool in one zone and capacity type with the same custom labels."""

    def __init__(
        self, index: ShapeIndex, pool: NodePool, sold_in: tuple[str, str, CapacityType], custom: CustomLabels
    ) -> None:
        self._index = index
        self._pool = pool
        self._sold_in = sold_in
        self._custom = custom
        self._shapes: dict[tuple[str, int], NodeShape | str] = {}

    def shape(self, name: str, price: int) -> NodeShape | str:
        """The node of an instance type at this price, or why there is none."""
        found = self._shapes.get((name, price))
        if found is None:
            found = self._shapes[name, price] = self._shape(name, price)
        return found

    def _shape(self, name: str, price: int) -> NodeShape | str:
        kind = self._index.types.get(name)
        if kind is None:
            return "does not exist"
        for offering in self._index.offerings(kind, *self._sold_in):
            if offering.price_microusd_per_hour == price:
                return self._index.shape(self._pool, kind, offering, self._custom)
        return f"is not offered there at {price}"


class ShapeIndex:
    """Shapes of a problem by name, each built once."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self.pools = {pool.name: pool for pool in problem.node_pools}
        self.types = {kind.name: kind for kind in problem.catalog.instance_types}
        self._sold: dict[str, dict[tuple[str, str, str], list[Offering]]] = {}
        self._shapes: dict[tuple[str, str, Offering, CustomLabels], NodeShape] = {}
        self._places: dict[tuple[str, str, str, CapacityType, CustomLabels], Place] = {}

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

    def place(
        self, pool: NodePool, region: str, zone: str, capacity_type: CapacityType, custom: CustomLabels
    ) -> Place:
        """The place, remembered."""
        key = (pool.name, region, zone, capacity_type, custom)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = Place(self, pool, (region, zone, capacity_type), custom)
        return found

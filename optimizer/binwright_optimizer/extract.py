"""From a packing in solver indices back to names: NodeClaims with every pod placed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.on_nodes import RULE_COLUMN
from binwright_optimizer.model import (
    Alternative,
    ExistingPlacement,
    NodeClaim,
    Offering,
    PodRange,
    Resources,
    labels,
)
from binwright_optimizer.packing import Packing

MAX_ALTERNATIVES = 20
"""Instance types listed per NodeClaim, the chosen one included."""


@dataclass(frozen=True, slots=True)
class Placed:
    """Names for a packing.

    Parameters
    ----------
    left_out
        Pods not placed, in the order of the workloads.
    """

    node_claims: tuple[NodeClaim, ...]
    existing: tuple[ExistingPlacement, ...]
    left_out: tuple[PodRange, ...]


def extract(instance: Instance, packing: Packing) -> Placed:
    """NodeClaims, placements on existing nodes, and the pods left out."""
    queues = _ClassQueues(instance)
    claims: list[NodeClaim] = []
    existing: list[ExistingPlacement] = []
    next_existing = [iter(nodes) for nodes in instance.existing_of]
    templates: dict[tuple[int, bytes], _ClaimTemplate] = {}
    alternatives = _Alternatives(instance)
    order = np.lexsort((np.arange(len(packing.counts)), packing.candidates))
    for p in order:
        j, pattern = int(packing.candidates[p]), packing.patterns[p]
        for _ in range(int(packing.counts[p])):
            if instance.row_of[j] < 0:
                node = instance.problem.existing_nodes[next(next_existing[j])]
                if pattern.any():
                    existing.append(ExistingPlacement(node.name, queues.take(pattern)))
                continue
            key = (j, pattern.tobytes())
            if key not in templates:
                templates[key] = _claim_template(instance, alternatives, j, pattern)
            claims.append(templates[key].claim(len(claims) + 1, queues.take(pattern)))
    return Placed(tuple(claims), tuple(existing), queues.rest())


class _ClassQueues:
    """Pods of each class in the order of the workloads, handed out as ranges."""

    def __init__(self, instance: Instance) -> None:
        self._workloads = instance.problem.workloads
        members: list[list[int]] = [[] for _ in range(instance.n_classes)]
        self._unplaceable: list[int] = []
        for w, i in enumerate(instance.class_of):
            (members[i] if i >= 0 else self._unplaceable).append(w)
        self._members = members
        self._position = [0] * instance.n_classes
        self._used = [0] * instance.n_classes

    def take(self, pattern: NDArray[np.int32]) -> tuple[PodRange, ...]:
        """Pods for one node of this pattern."""
        ranges: list[PodRange] = []
        for i in np.flatnonzero(pattern):
            ranges.extend(self._take(int(i), int(pattern[i])))
        return tuple(ranges)

    def _take(self, i: int, count: int) -> Iterator[PodRange]:
        while count:
            w = self._members[i][self._position[i]]
            left = self._workloads[w].replicas - self._used[i]
            step = min(left, count)
            if step:
                yield PodRange(w, self._used[i], step)
            self._used[i] += step
            count -= step
            if step == left:
                self._position[i] += 1
                self._used[i] = 0

    def rest(self) -> tuple[PodRange, ...]:
        """Every pod not handed out."""
        ranges = [PodRange(w, 0, self._workloads[w].replicas) for w in self._unplaceable]
        for i, members in enumerate(self._members):
            for position in range(self._position[i], len(members)):
                w = members[position]
                first = self._used[i] if position == self._position[i] else 0
                ranges.append(PodRange(w, first, self._workloads[w].replicas - first))
        return tuple(sorted((r for r in ranges if r.count), key=lambda r: (r.workload, r.first)))


@dataclass(frozen=True, slots=True)
class _ClaimTemplate:
    """Everything that NodeClaims of one pattern share."""

    node_pool: str
    instance_type: str
    offering: Offering
    labels: tuple[tuple[str, str], ...]
    requests: Resources
    allocatable: Resources
    overhead: Resources
    alternatives: tuple[Alternative, ...]

    def claim(self, number: int, pods: tuple[PodRange, ...]) -> NodeClaim:
        """The NodeClaim with this number, holding these pods."""
        return NodeClaim(
            name=f"{self.node_pool}-{number:05d}",
            node_pool=self.node_pool,
            instance_type=self.instance_type,
            region=self.offering.region,
            zone=self.offering.zone,
            capacity_type=self.offering.capacity_type,
            price_microusd_per_hour=self.offering.price_microusd_per_hour,
            labels=self.labels,
            requests=self.requests,
            allocatable=self.allocatable,
            daemon_overhead=self.overhead,
            pods=pods,
            alternatives=self.alternatives,
        )


def _claim_template(
    instance: Instance, nearby: _Alternatives, j: int, pattern: NDArray[np.int32]
) -> _ClaimTemplate:
    problem, shelf = instance.problem, instance.shelf
    pool = problem.node_pools[instance.pool_of[j]]
    row = instance.row_of[j]
    kind = problem.catalog.instance_types[shelf.type_of[row]]
    offering = kind.offerings[shelf.offering_of[row]]
    variant = instance.variants[instance.variant_of[j]]
    node_labels = dict(pool.labels)
    node_labels.update((key, value) for key, value in variant.fixed if value is not None)
    node_labels.update(kind.labels)
    node_labels.update(
        {
            labels.REGION: offering.region,
            labels.ZONE: offering.zone,
            labels.CAPACITY_TYPE: offering.capacity_type.value,
            labels.NODE_POOL: pool.name,
        }
    )
    load = pattern @ instance.requests
    requests = Resources.of(
        {
            name: int(amount)
            for name, amount in zip(instance.resources, load, strict=True)
            if not name.startswith(RULE_COLUMN)
        }
    )
    return _ClaimTemplate(
        node_pool=pool.name,
        instance_type=kind.name,
        offering=offering,
        labels=tuple(sorted(node_labels.items())),
        requests=requests,
        allocatable=kind.allocatable,
        overhead=instance.origin.shelved[instance.variant_of[j]].overhead_on(int(row)),
        alternatives=nearby.of(j, pattern, load),
    )


class _Alternatives:
    """Types of the same NodePool variant, zone and capacity type that hold a node's pods."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        columns = instance.shelf.labels.columns
        self._where = np.stack(
            [columns[key].codes for key in (labels.REGION, labels.ZONE, labels.CAPACITY_TYPE)]
        )
        self._neighbours: dict[tuple[int, bytes], NDArray[np.intp]] = {}
        widths = [len(part.rows) for part in instance.origin.shelved]
        self._placements: list[set[int]] = [set() for _ in range(instance.n_classes)]
        for i, placement in zip(
            instance.origin.class_of_local.tolist(),
            instance.origin.localized.kinds.placement_of.tolist(),
            strict=True,
        ):
            if i >= 0:
                self._placements[i].add(placement)
        self._first = np.concatenate([[0], np.cumsum(widths)]).astype(np.intp)

    def of(self, j: int, pattern: NDArray[np.int32], load: NDArray[np.int64]) -> tuple[Alternative, ...]:
        """Alternatives to candidate ``j`` for this pattern, the candidate itself first."""
        instance, shelf, origin = self._instance, self._instance.shelf, self._instance.origin
        variant = int(instance.variant_of[j])
        chosen = int(instance.row_of[j])
        part = origin.shelved[variant]
        near = self._near(variant, chosen)
        suits = (load[: part.allocatable.shape[1]] <= part.allocatable[near]).all(axis=1)
        used = set().union(*(self._placements[i] for i in np.flatnonzero(pattern)))
        for placement in used:
            suits &= origin.localized.admitted[placement, self._first[variant] + near]
        types = instance.problem.catalog.instance_types
        own = Alternative(types[shelf.type_of[chosen]].name, int(shelf.price[chosen]))
        found, seen = [own], {own.instance_type}
        rows = part.rows[near[suits]]
        rows = rows[shelf.price[rows] >= own.price_microusd_per_hour][: 4 * MAX_ALTERNATIVES]
        for row, price in zip(rows.tolist(), shelf.price[rows].tolist(), strict=True):
            name = types[shelf.type_of[row]].name
            if name not in seen:
                seen.add(name)
                found.append(Alternative(name, price))
            if len(found) == MAX_ALTERNATIVES:
                break
        return tuple(found)

    def _near(self, variant: int, chosen: int) -> NDArray[np.intp]:
        """Positions in the variant's rows that share region, zone and capacity type; cheap first."""
        where = self._where[:, chosen]
        key = (variant, where.tobytes())
        near = self._neighbours.get(key)
        if near is None:
            rows = self._instance.origin.shelved[variant].rows
            near = np.flatnonzero((self._where[:, rows] == where[:, None]).all(axis=0))
            near = near[np.lexsort((near, self._instance.shelf.price[rows[near]]))]
            self._neighbours[key] = near
        return near

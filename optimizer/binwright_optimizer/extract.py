"""From a packing in solver indices back to names: NodeClaims with every pod placed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.coverage import Priced, priced
from binwright_optimizer.device_plan import DeviceColumns, DevicePlans, Plan
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.attachments import ATTACHED
from binwright_optimizer.instance.devices import is_sum
from binwright_optimizer.instance.on_nodes import RULE_COLUMN
from binwright_optimizer.instance.shelf import Shelf
from binwright_optimizer.model import (
    Alternative,
    CapacityType,
    Cover,
    ExistingPlacement,
    NodeClaim,
    Offering,
    PodRange,
    Problem,
    Resources,
    labels,
)
from binwright_optimizer.model.resources import NVIDIA_GPU
from binwright_optimizer.packing import Packing
from binwright_optimizer.queues import ClassQueues

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
    queues = ClassQueues(instance, packing)
    claims: list[NodeClaim] = []
    existing: list[ExistingPlacement] = []
    next_existing = [iter(nodes) for nodes in instance.existing_of]
    templates: dict[tuple[int, bytes, int, tuple[Cover, ...]], _ClaimTemplate] = {}
    alternatives = _Alternatives(instance)
    plans = DevicePlans(instance)
    nodes_at = priced(instance, packing.candidates, packing.counts)
    for nodes in sorted(nodes_at, key=lambda nodes: (packing.candidates[nodes.p], nodes.p)):
        j, pattern = int(packing.candidates[nodes.p]), packing.patterns[nodes.p]
        held = np.flatnonzero(pattern)
        wanted = list(zip(held.tolist(), pattern[held].tolist(), strict=True))
        for _ in range(nodes.count):
            if instance.row_of[j] < 0:
                position = next(next_existing[j])
                node = instance.problem.existing_nodes[position]
                if wanted:
                    pods = queues.take(wanted)
                    uses = plans.plan(plans.node(j, position), pattern).uses(pods)
                    existing.append(ExistingPlacement(node.name, pods, uses))
                continue
            key = (j, pattern.tobytes(), nodes.price, nodes.covers)
            if key not in templates:
                templates[key] = _claim_template(instance, alternatives, plans, nodes, j, pattern)
            claims.append(templates[key].claim(len(claims) + 1, queues.take(wanted)))
    return Placed(tuple(claims), tuple(existing), queues.rest())


@dataclass(frozen=True, slots=True)
class _ClaimTemplate:
    """Everything that NodeClaims of one pattern share."""

    node_pool: str
    instance_type: str
    offering: Offering
    price: int
    covers: tuple[Cover, ...]
    labels: tuple[tuple[str, str], ...]
    requests: Resources
    allocatable: Resources
    overhead: Resources
    alternatives: tuple[Alternative, ...]
    plan: Plan

    def claim(self, number: int, pods: tuple[PodRange, ...]) -> NodeClaim:
        """The NodeClaim with this number, holding these pods."""
        return NodeClaim(
            name=f"{self.node_pool}-{number:05d}",
            node_pool=self.node_pool,
            instance_type=self.instance_type,
            region=self.offering.region,
            zone=self.offering.zone,
            capacity_type=self.offering.capacity_type,
            price_microusd_per_hour=self.price,
            labels=self.labels,
            requests=self.requests,
            allocatable=self.allocatable,
            daemon_overhead=self.overhead,
            pods=pods,
            alternatives=self.alternatives,
            devices=self.plan.uses(pods),
            covers=self.covers,
        )


def _claim_template(
    instance: Instance,
    nearby: _Alternatives,
    plans: DevicePlans,
    nodes: Priced,
    j: int,
    pattern: NDArray[np.int32],
) -> _ClaimTemplate:
    problem, shelf = instance.problem, instance.shelf
    pool = problem.node_pools[instance.pool_of[j]]
    row = instance.row_of[j]
    kind = problem.catalog.instance_types[shelf.type_of[row]]
    offering = shelf.offering(problem.catalog, int(row))
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
    node = plans.node(j)
    plan = plans.plan(node, pattern)
    amounts = {
        name: int(amount)
        for name, amount in zip(instance.resources, load, strict=True)
        if not name.startswith((RULE_COLUMN, ATTACHED)) and not is_sum(name)
    }
    if node is not None and plan.pieces:
        amounts[NVIDIA_GPU] = plan.devices
        amounts = {name: amount for name, amount in amounts.items() if not node.cuts(name)}
    return _ClaimTemplate(
        node_pool=pool.name,
        instance_type=kind.name,
        offering=offering,
        price=nodes.price,
        covers=nodes.covers,
        labels=tuple(sorted(node_labels.items())),
        requests=Resources.of(amounts),
        allocatable=pool.allocatable_of(kind),
        overhead=instance.origin.shelved[instance.variant_of[j]].overhead_on(int(row)),
        alternatives=(
            (Alternative(kind.name, nodes.price),) if nodes.covers else nearby.of(j, pattern, load, plan)
        ),
        plan=plan,
    )


class _Alternatives:
    """Types of the same NodePool variant, zone and capacity type that hold a node's pods.

    They agree with the chosen type on every topology key that a rule names, and on spot capacity there
    are none beside it where the pods in one spot pool are bounded: whichever is launched, rules hold.
    """

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        columns = instance.shelf.labels.columns
        shared = {labels.REGION, labels.ZONE, labels.CAPACITY_TYPE}
        shared |= _topology_keys(instance.problem) & columns.keys()
        self._where = np.stack([columns[key].codes for key in sorted(shared)])
        self._is_bounded = np.zeros(instance.n_classes, dtype=bool)
        self._neighbours: dict[tuple[int, bytes], NDArray[np.intp]] = {}
        self._devices: dict[int, DeviceColumns] = {}
        widths = [len(part.rows) for part in instance.origin.shelved]
        self._placements: list[set[int]] = [set() for _ in range(instance.n_classes)]
        localized, stated = instance.origin.localized, instance.origin.kinds.stated
        for i, placement, content in zip(
            instance.origin.class_of_local.tolist(),
            localized.placement_of.tolist(),
            localized.contents,
            strict=True,
        ):
            if i >= 0:
                self._placements[i].add(placement)
                self._is_bounded[i] |= any(stated[k].spot[0].counts_pools for k, _ in content)
        self._first = np.concatenate([[0], np.cumsum(widths)]).astype(np.intp)

    def of(
        self, j: int, pattern: NDArray[np.int32], load: NDArray[np.int64], plan: Plan
    ) -> tuple[Alternative, ...]:
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
        if plan.pieces:
            if variant not in self._devices:
                self._devices[variant] = DeviceColumns.of(part.devices)
            suits &= plan.fits(self._devices[variant], int(np.searchsorted(part.rows, chosen)))[near]
        types = instance.problem.catalog.instance_types
        own = Alternative(types[shelf.type_of[chosen]].name, int(shelf.price[chosen]))
        if self._is_bounded[pattern > 0].any():
            offering = shelf.offering(instance.problem.catalog, chosen)
            if offering.capacity_type is CapacityType.SPOT:
                return (own,)
        seen = {own.instance_type}
        suits &= shelf.held_limit[part.rows[near]] < 0  # what is held is for those who hold it
        rows = part.rows[near[suits]]
        rows = rows[shelf.price[rows] >= own.price_microusd_per_hour]
        pool = instance.problem.node_pools[instance.pool_of[j]]
        counters = [_Values(shelf, r.key, r.min_values, chosen) for r in pool.requirements if r.min_values]
        if not counters:
            rows = rows[: 4 * MAX_ALTERNATIVES]
        needed: list[Alternative] = []
        others: list[Alternative] = []
        for row, price in zip(rows.tolist(), shelf.price[rows].tolist(), strict=True):
            name = types[shelf.type_of[row]].name
            if name in seen:
                continue
            seen.add(name)
            is_needed = sum(counter.gains(row) for counter in counters) > 0  # each counts the row
            (needed if is_needed else others).append(Alternative(name, price))
            is_satisfied = all(counter.is_satisfied for counter in counters)
            if is_satisfied and len(needed) + len(others) >= MAX_ALTERNATIVES:
                break
        spare = max(0, MAX_ALTERNATIVES - 1 - len(needed))
        return (own, *sorted((*needed, *others[:spare]), key=lambda a: a.price_microusd_per_hour))

    def _near(self, variant: int, chosen: int) -> NDArray[np.intp]:
        """Positions in the variant's rows that share the labels that must be shared; cheap first."""
        where = self._where[:, chosen]
        key = (variant, where.tobytes())
        near = self._neighbours.get(key)
        if near is None:
            rows = self._instance.origin.shelved[variant].rows
            near = np.flatnonzero((self._where[:, rows] == where[:, None]).all(axis=0))
            near = near[np.lexsort((near, self._instance.shelf.price[rows[near]]))]
            self._neighbours[key] = near
        return near


class _Values:
    """Values of a label that the alternatives of a claim have, while they are chosen.

    Parameters
    ----------
    least
        Values that ``minValues`` asks for.
    chosen
        Shelf row that the claim is for, whose value counts.
    """

    def __init__(self, shelf: Shelf, key: str, least: int, chosen: int) -> None:
        column = shelf.labels.columns.get(key)
        self._codes = None if column is None else column.codes
        self._least = least
        self._seen: set[int] = set()
        self.gains(chosen)

    @property
    def is_satisfied(self) -> bool:
        """Whether there are enough, or all have the same."""
        return self._codes is None or len(self._seen) >= self._least

    def gains(self, row: int) -> bool:
        """Count the value of one more row; returns whether it was missing."""
        if self._codes is None or self.is_satisfied:
            return False
        code = int(self._codes[row])
        is_new = code > 0 and code not in self._seen
        if is_new:
            self._seen.add(code)
        return is_new


def _topology_keys(problem: Problem) -> set[str]:
    """Topology keys of the rules that must hold."""
    templates = {id(w.template): w.template for w in problem.workloads}
    running = [pods.template for node in problem.existing_nodes for pods in node.pods]
    keys = {term.topology_key for t in running for term in t.pod_anti_affinity.required}
    for template in templates.values():
        keys |= {c.topology_key for c in template.topology_spread if c.is_required}
        keys |= {term.topology_key for term in template.pod_affinity.required}
        keys |= {term.topology_key for term in template.pod_anti_affinity.required}
    for gang in problem.gangs:
        keys |= {rule.topology_key for rule in gang.topology if rule.is_required}
    return keys

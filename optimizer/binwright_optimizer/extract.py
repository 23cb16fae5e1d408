"""From a packing in solver indices back to names: NodeClaims with every pod placed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.alternatives import Alternatives
from binwright_optimizer.coverage import Priced, priced
from binwright_optimizer.device_plan import DevicePlans, Plan
from binwright_optimizer.instance import Instance
from binwright_optimizer.instance.attachments import ATTACHED, attached_together
from binwright_optimizer.instance.claims import shared_claims
from binwright_optimizer.instance.device_sums import is_sum
from binwright_optimizer.instance.on_nodes import RULE_COLUMN
from binwright_optimizer.model import (
    Alternative,
    Cover,
    DeviceUse,
    ExistingPlacement,
    NodeClaim,
    PodRange,
    Resources,
    labels,
)
from binwright_optimizer.model.many import many
from binwright_optimizer.packing import Packing
from binwright_optimizer.queues import ClassQueues, Handed

NODES_A_POLL = 1_000
"""Nodes that are named between two polls: some milliseconds."""
Bought = tuple[int, int]
"""NodePool variant and shelf row."""


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


def extract(instance: Instance, packing: Packing, poll: Callable[[], object] = lambda: None) -> Placed:
    """NodeClaims, placements on existing nodes, and the pods left out.

    Parameters
    ----------
    poll
        Called now and then; ends the extraction if it raises.
    """
    parts = priced(instance, packing.candidates, packing.counts)
    parts.sort(key=lambda nodes: (packing.candidates[nodes.p], nodes.p))
    rows = np.array([nodes.p for nodes in parts], dtype=np.intp)
    counts = np.array([nodes.count for nodes in parts], dtype=np.int64)
    handed = ClassQueues(instance, packing).hand_out(packing.patterns, rows, counts)
    existing: list[ExistingPlacement] = []
    next_existing = [iter(nodes) for nodes in instance.existing_of]
    plans = DevicePlans(instance)
    templates = ClaimTemplates(instance, plans)
    bought = _Bought(handed, plans, poll)
    node = 0
    for nodes in parts:
        j, pattern = int(packing.candidates[nodes.p]), packing.patterns[nodes.p]
        if instance.row_of[j] >= 0:
            bought.add(templates.of(nodes, j, pattern), node, nodes.count)
        elif pattern.any():
            for n in range(node, node + nodes.count):
                position = next(next_existing[j])
                by_class = handed.by_class(n)
                uses = plans.uses(plans.plan(j, pattern, position), by_class)
                name = instance.problem.existing_nodes[position].name
                existing.append(ExistingPlacement(name, handed.joined(by_class), uses))
        node += nodes.count
    return Placed(bought.claims(), tuple(existing), handed.rest())


@dataclass(frozen=True, slots=True)
class ClaimTemplate:
    """What NodeClaims of one pattern share.

    Parameters
    ----------
    stated
        What all of them state, in the order of the fields: from the NodePool to the labels, then
        allocatable and daemons, alternatives, commitments.
    requests
        The same by devices in use where pods have parts of them.
    """

    prefix: str
    stated: tuple[object, ...]
    plan: Plan
    requests: Resources
    counted: dict[int, Resources] = field(default_factory=dict)

    def requests_with(self, uses: tuple[DeviceUse, ...]) -> Resources:
        """Requests of the pods, devices by how many are in use."""
        if not uses:
            return self.requests
        devices = len({use.device for use in uses})
        if devices not in self.counted:
            self.counted[devices] = Resources.of({**dict(self.requests), self.plan.resource: devices})
        return self.counted[devices]


Run = tuple[ClaimTemplate, int]
"""So many NodeClaims from one template."""


def name_claims(
    runs: Sequence[Run],
    number: int,
    pods: Sequence[tuple[PodRange, ...]],
    uses: Sequence[tuple[DeviceUse, ...]],
) -> list[NodeClaim]:
    """NodeClaims from these templates with these pods and devices, numbered from ``number`` on."""
    templates, counts = zip(*runs, strict=True)
    each = [template for template, count in runs for _ in range(count)]
    names = [f"{template.prefix}{number + n:05d}" for n, template in enumerate(each)]
    requests = [template.requests_with(mine) for template, mine in zip(each, uses, strict=True)]
    columns = zip(*(template.stated for template in templates), strict=True)
    stated = [chain.from_iterable(map(repeat, column, counts)) for column in columns]
    *before, allocatable, daemons, alternatives, covers = stated
    return many(
        NodeClaim, names, *before, requests, allocatable, daemons, pods, alternatives, uses, covers
    )  # fmt: skip


class _Bought:
    """NodeClaims, made some at a time."""

    def __init__(self, handed: Handed, plans: DevicePlans, poll: Callable[[], object]) -> None:
        self._handed = handed
        self._plans = plans
        self._poll = poll
        self._made: list[NodeClaim] = []
        self._runs: list[Run] = []
        self._nodes: list[list[int]] = []  # stretches of nodes that follow each other, from and to
        self._uses: list[tuple[DeviceUse, ...]] = []

    def add(self, template: ClaimTemplate, node: int, count: int) -> None:
        """Add the nodes handed out from ``node`` on."""
        self._poll()
        for begin in range(node, node + count, NODES_A_POLL):
            end = min(begin + NODES_A_POLL, node + count)
            self._runs.append((template, end - begin))
            if self._nodes and self._nodes[-1][1] == begin:
                self._nodes[-1][1] = end
            else:
                self._nodes.append([begin, end])
            if template.plan.is_told:
                by_class = map(self._handed.by_class, range(begin, end))
                self._uses += [self._plans.uses(template.plan, mine) for mine in by_class]
            else:
                self._uses += [()] * (end - begin)
            if len(self._uses) >= NODES_A_POLL:
                self._poll()
                self._make()

    def _make(self) -> None:
        if self._runs:
            pods = [mine for begin, end in self._nodes for mine in self._handed.pods(begin, end)]
            self._made += name_claims(self._runs, len(self._made) + 1, pods, self._uses)
        self._runs, self._nodes, self._uses = [], [], []

    def claims(self) -> tuple[NodeClaim, ...]:
        """All of them, numbered in the order they were added."""
        self._make()
        return tuple(self._made)


def _workloads_of(instance: Instance) -> list[set[int]]:
    """Workloads whose pods are in items of each class."""
    of_kind: dict[int, set[int]] = {}
    for w, k in enumerate(instance.origin.kinds.workload_kind.tolist()):
        of_kind.setdefault(k, set()).add(w)
    found: list[set[int]] = [set() for _ in range(instance.n_classes)]
    contents = instance.origin.localized.contents
    for i, content in zip(instance.origin.class_of_local.tolist(), contents, strict=True):
        if i >= 0:
            found[i].update(*(of_kind.get(k, set()) for k, _ in content))
    return found


class ClaimTemplates:
    """Templates of NodeClaims, with what those on one candidate share."""

    def __init__(self, instance: Instance, plans: DevicePlans) -> None:
        self._instance = instance
        self._plans = plans
        self._alternatives = Alternatives(instance)
        self._made: dict[tuple[int, bytes, int, tuple[Cover, ...], Bought], ClaimTemplate] = {}
        self._described_as: dict[Bought, tuple[tuple[object, ...], tuple[object, ...]]] = {}
        self._claims = shared_claims(instance.problem)
        self._workloads_of = _workloads_of(instance) if self._claims else []
        self._is_stated = [
            not name.startswith((RULE_COLUMN, ATTACHED)) and not is_sum(name) for name in instance.resources
        ]

    def _attached(self, pattern: NDArray[np.int32]) -> NDArray[np.int64] | int:
        """What volumes that pods share take of a node, beside what each pod requests."""
        if not self._claims:
            return 0
        return attached_together(self._claims, self._instance.resources, self._workloads_of, pattern)

    def of(
        self, nodes: Priced, j: int, pattern: NDArray[np.int32], bought: Bought | None = None
    ) -> ClaimTemplate:
        """The template for nodes of a pattern on candidate ``j``, made once.

        Parameters
        ----------
        bought
            What is bought in its place: the same to all pods of the pattern.
        """
        if bought is None:
            bought = int(self._instance.variant_of[j]), int(self._instance.row_of[j])
        key = (j, pattern.tobytes(), nodes.price, nodes.covers, bought)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = self._template(nodes, j, pattern, bought)
        return found

    def _template(self, nodes: Priced, j: int, pattern: NDArray[np.int32], bought: Bought) -> ClaimTemplate:
        instance = self._instance
        load = pattern @ instance.requests
        plan = self._plans.plan(j, pattern)
        columns = zip(instance.resources, load.tolist(), self._is_stated, strict=True)
        amounts = {name: amount for name, amount, is_stated in columns if is_stated}
        if plan.pieces:
            amounts = {n: amount for n, amount in amounts.items() if not self._plans.cuts(j, n)}
        variant, row = bought
        described = self._described_as.get(bought)
        if described is None:
            described = self._described_as[bought] = self._described(variant, row)
        place, labels_and_room = described
        kind = instance.problem.catalog.instance_types[instance.shelf.type_of[row]]
        alternatives = (
            (Alternative(kind.name, nodes.price),)
            if nodes.covers
            else self._alternatives.of(variant, row, pattern, load + self._attached(pattern), plan)
        )
        stated = (*place, nodes.price, *labels_and_room, alternatives, nodes.covers)
        prefix = f"{instance.problem.node_pools[instance.pool_of[j]].name}-"
        return ClaimTemplate(prefix, stated, plan, Resources.of(amounts))

    def _described(self, variant: int, row: int) -> tuple[tuple[object, ...], tuple[object, ...]]:
        """What NodeClaims on a variant's shelf row say of their node, whatever is on it."""
        problem, shelf = self._instance.problem, self._instance.shelf
        pool = problem.node_pools[self._instance.variants[variant].pool]
        kind = problem.catalog.instance_types[shelf.type_of[row]]
        offering = shelf.offering(problem.catalog, row)
        overhead = self._instance.origin.shelved[variant].overhead_on(row)
        own = tuple(sorted(labels_of(self._instance, variant, row).items()))
        return (
            (pool.name, kind.name, offering.region, offering.zone, offering.capacity_type),
            (own, pool.allocatable_of(kind), overhead),
        )


def labels_of(instance: Instance, variant: int, row: int) -> dict[str, str]:
    """Labels of a node bought from a variant's shelf row, but its host name."""
    problem, chosen = instance.problem, instance.variants[variant]
    pool = problem.node_pools[chosen.pool]
    kind = problem.catalog.instance_types[instance.shelf.type_of[row]]
    offering = instance.shelf.offering(problem.catalog, row)
    node_labels = dict(pool.labels)
    node_labels.update((key, value) for key, value in chosen.fixed if value is not None)
    node_labels.update(kind.labels)
    node_labels.update(
        {
            labels.REGION: offering.region,
            labels.ZONE: offering.zone,
            labels.CAPACITY_TYPE: offering.capacity_type.value,
            labels.NODE_POOL: pool.name,
        }
    )
    return node_labels

"""From a packing in solver indices back to names: NodeClaims with every pod placed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

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
from binwright_optimizer.packing import Packing
from binwright_optimizer.queues import ClassQueues

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
    queues = ClassQueues(instance, packing)
    claims: list[NodeClaim] = []
    existing: list[ExistingPlacement] = []
    next_existing = [iter(nodes) for nodes in instance.existing_of]
    plans = DevicePlans(instance)
    templates = ClaimTemplates(instance, plans)
    nodes_at = priced(instance, packing.candidates, packing.counts)
    for nodes in sorted(nodes_at, key=lambda nodes: (packing.candidates[nodes.p], nodes.p)):
        j, pattern = int(packing.candidates[nodes.p]), packing.patterns[nodes.p]
        held = np.flatnonzero(pattern)
        wanted = list(zip(held.tolist(), pattern[held].tolist(), strict=True))
        if instance.row_of[j] >= 0:
            template = templates.of(nodes, j, pattern)
            for first in range(0, nodes.count, NODES_A_POLL):
                poll()
                number = len(claims) + 1
                some = range(min(NODES_A_POLL, nodes.count - first))
                if not template.plan.is_told:
                    claims += [template.claim(number + n, queues.take(wanted)) for n in some]
                    continue
                for n in some:
                    by_class = queues.take_by_class(wanted)
                    uses = plans.uses(template.plan, by_class)
                    claims.append(template.claim_with(number + n, queues.joined(by_class), uses))
            continue
        for _ in range(nodes.count):
            position = next(next_existing[j])
            node = instance.problem.existing_nodes[position]
            if wanted:
                by_class = queues.take_by_class(wanted)
                uses = plans.uses(plans.plan(j, pattern, position), by_class)
                existing.append(ExistingPlacement(node.name, queues.joined(by_class), uses))
    return Placed(tuple(claims), tuple(existing), queues.rest())


@dataclass(frozen=True, slots=True)
class ClaimTemplate:
    """Everything that NodeClaims of one pattern share, filled in by ``fill``."""

    prefix: str
    fill: Callable[..., NodeClaim]
    plan: Plan
    requests: Resources
    counted: dict[int, Resources] = field(default_factory=dict)

    def claim(self, number: int, pods: tuple[PodRange, ...]) -> NodeClaim:
        """The NodeClaim with this number, holding these pods."""
        return self.fill(name=f"{self.prefix}{number:05d}", pods=pods, requests=self.requests)

    def claim_with(self, number: int, pods: tuple[PodRange, ...], uses: tuple[DeviceUse, ...]) -> NodeClaim:
        """The same with the devices that the pods have: requests count those in use."""
        requests = self.requests
        if uses:
            devices = len({use.device for use in uses})
            if devices not in self.counted:
                self.counted[devices] = Resources.of({**dict(requests), self.plan.resource: devices})
            requests = self.counted[devices]
        name = f"{self.prefix}{number:05d}"
        return self.fill(name=name, pods=pods, requests=requests, devices=uses)


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
        self._described_as: dict[Bought, Callable[..., NodeClaim]] = {}
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
        kind = instance.problem.catalog.instance_types[instance.shelf.type_of[row]]
        fill = partial(
            described,
            price_microusd_per_hour=nodes.price,
            alternatives=(
                (Alternative(kind.name, nodes.price),)
                if nodes.covers
                else self._alternatives.of(variant, row, pattern, load + self._attached(pattern), plan)
            ),
            covers=nodes.covers,
        )
        prefix = f"{instance.problem.node_pools[instance.pool_of[j]].name}-"
        return ClaimTemplate(prefix, fill, plan, Resources.of(amounts))

    def _described(self, variant: int, row: int) -> Callable[..., NodeClaim]:
        """What NodeClaims on a variant's shelf row say of their node, whatever is on it."""
        problem, shelf = self._instance.problem, self._instance.shelf
        pool = problem.node_pools[self._instance.variants[variant].pool]
        kind = problem.catalog.instance_types[shelf.type_of[row]]
        offering = shelf.offering(problem.catalog, row)
        return partial(
            NodeClaim,
            node_pool=pool.name,
            instance_type=kind.name,
            region=offering.region,
            zone=offering.zone,
            capacity_type=offering.capacity_type,
            labels=tuple(sorted(labels_of(self._instance, variant, row).items())),
            allocatable=pool.allocatable_of(kind),
            daemon_overhead=self._instance.origin.shelved[variant].overhead_on(row),
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

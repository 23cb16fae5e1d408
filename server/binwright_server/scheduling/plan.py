"""A plan for a running cluster: the cheapest subset of its nodes that holds its pods.

Every node is for sale once, at its price; all pods that may move, running or pending, are to be placed. The
solver's decision tells how many nodes of each group of equal ones are worth keeping, and which groups hold
which kinds of pods. Nodes with pods that must not move are kept, with the room those pods leave.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from binwright_optimizer.catalog.staleness import stale_source_warnings
from binwright_optimizer.model import (
    CapacityType,
    Catalog,
    Decision,
    ExistingNode,
    InstanceType,
    NodePool,
    Offering,
    Operator,
    PodRange,
    PodTemplate,
    PriceSource,
    Problem,
    Requirement,
    Resources,
    Taint,
    Workload,
)
from binwright_optimizer.model import labels as label_keys
from binwright_optimizer.model.resources import PODS

from binwright_server.duals import pod_worths
from binwright_server.scheduling.records import NodeRecord, PodKey, PodRecord

TAINTS = "binwright.dev/taint-set"
"""Label that ties groups of nodes to the NodePool with their taints."""

_SOURCE = PriceSource("cluster", "")


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """What becomes of a node; nodes of one group are alike."""

    name: str
    is_kept: bool
    group: int


@dataclass(frozen=True, slots=True)
class PlannedKind:
    """Where pods of one kind should go.

    Parameters
    ----------
    requests
        Of one pod, its slot included.
    groups
        Groups of nodes that hold them in the plan.
    worth_microusd
        Dual price of one pod: what it costs at the margin, micro-dollars an hour.
    """

    kind: bytes
    requests: Resources
    count: int
    groups: frozenset[int]
    worth_microusd: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan; costs are micro-dollars an hour."""

    nodes: tuple[PlannedNode, ...]
    kinds: tuple[PlannedKind, ...]
    current_cost: int
    cost: int
    bound: int
    unplaced: int = 0
    number: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Group:
    """Equal nodes that may be given up."""

    labels: tuple[tuple[str, str], ...]
    taints: tuple[Taint, ...]
    room: Resources
    price: int
    nodes: list[str] = field(default_factory=list)


class PlanningProblem:
    """A cluster as a `Problem`, and the way back.

    Parameters
    ----------
    nodes, pods
        The cluster's, by name; not changed meanwhile.
    """

    def __init__(self, nodes: Mapping[str, NodeRecord], pods: Mapping[PodKey, PodRecord]) -> None:
        self._nodes = nodes
        self._daemons: dict[str, Resources] = {}
        self._pinned: dict[str, Resources] = {}
        self._used: dict[str, Resources] = {}
        self._templates: dict[bytes, PodTemplate] = {}
        self._counts: Counter[bytes] = Counter()
        for pod in pods.values():
            self._count(pod)
        self._kinds = sorted(self._counts)
        self._groups = self._grouped()
        self._kept = [name for name in sorted(nodes) if name in self._pinned]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to decide."""
        return not self._kinds or not self._nodes

    def problem(self) -> Problem:
        """What the solver gets."""
        taint_sets = sorted({group.taints for group in self._groups}, key=str)
        pools = tuple(
            NodePool(
                name=f"taints-{k}",
                requirements=(Requirement(TAINTS, Operator.IN, (str(k),)),),
                taints=taints,
            )
            for k, taints in enumerate(taint_sets)
        )
        types = tuple(
            _instance_type(k, group, taint_sets.index(group.taints)) for k, group in enumerate(self._groups)
        )
        workloads = tuple(
            Workload(f"kind-{k}", self._templates[kind], self._counts[kind])
            for k, kind in enumerate(self._kinds)
        )
        return Problem(
            workloads=workloads,
            node_pools=pools or (NodePool("none"),),
            catalog=Catalog("cluster", types),
            existing_nodes=tuple(self._existing(name) for name in self._kept),
        )

    def plan(self, decision: Decision, today: datetime.date | None = None) -> Plan:
        """What a decision on `problem` means for the cluster.

        Parameters
        ----------
        today
            The day by which prices are old or not; today by default.
        """
        keep = Counter(int(claim.instance_type) for claim in decision.node_claims)
        nodes = [PlannedNode(name, True, len(self._groups) + k) for k, name in enumerate(self._kept)]
        for index, group in enumerate(self._groups):
            # The fullest stay: least has to move.
            ranked = sorted(group.nodes, key=lambda name: (-self._fullness(name), name))
            nodes += [PlannedNode(name, k < keep[index], index) for k, name in enumerate(ranked)]
        groups: dict[int, set[int]] = {}

        def note(pods: Iterable[PodRange], group: int) -> None:
            for part in pods:
                groups.setdefault(part.workload, set()).add(group)

        for claim in decision.node_claims:
            note(claim.pods, int(claim.instance_type))
        positions = {name: len(self._groups) + k for k, name in enumerate(self._kept)}
        for placement in decision.existing_placements:
            note(placement.pods, positions[placement.node])
        pinned_cost = sum(self._nodes[name].price_microusd_per_hour for name in self._kept)
        worths = pod_worths(decision, [self._counts[kind] for kind in self._kinds])
        return Plan(
            nodes=tuple(nodes),
            kinds=tuple(
                PlannedKind(
                    kind=kind,
                    requests=self._templates[kind].requests + Resources.of({PODS: 1}),
                    count=self._counts[kind],
                    groups=frozenset(groups.get(k, ())),
                    worth_microusd=worths[k],
                )
                for k, kind in enumerate(self._kinds)
            ),
            current_cost=sum(node.price_microusd_per_hour for node in self._nodes.values()),
            cost=decision.total_microusd_per_hour + pinned_cost,
            bound=decision.bound_microusd_per_hour + pinned_cost,
            unplaced=sum(entry.pods.count for entry in decision.unschedulable),
            warnings=stale_source_warnings(
                (node.priced_by for node in self._nodes.values() if node.priced_by is not None),
                today or datetime.date.today(),
            ),
        )

    def _count(self, pod: PodRecord) -> None:
        request = pod.template.requests + Resources.of({PODS: 1})
        if pod.node in self._nodes:
            into = self._daemons if pod.is_daemon else self._pinned if _is_pinned(pod) else self._used
            into[pod.node] = into.get(pod.node, Resources()) + request
            if into is not self._used:
                return
        elif pod.node or pod.is_daemon or _names_its_node(pod.template):
            return  # on a node that is gone, or for one node only: no choice to plan
        if pod.kind not in self._templates:
            self._templates[pod.kind] = _planned(pod.template)
        self._counts[pod.kind] += 1

    def _grouped(self) -> list[_Group]:
        """Groups of nodes that may be given up, alike in all that a pod can tell."""
        asked = {key for template in self._templates.values() for key in _label_keys(template)}
        asked |= {label_keys.REGION, label_keys.ZONE, label_keys.CAPACITY_TYPE}
        groups: dict[tuple[object, ...], _Group] = {}
        for name in sorted(self._nodes):
            node = self._nodes[name]
            if name in self._pinned:
                continue
            labels = tuple(pair for pair in node.labels if pair[0] in asked)
            room = _less(node.allocatable, self._daemons.get(name))
            if node.allocatable[PODS] and not room[PODS]:
                continue  # full of daemons: it holds no pod, and no slots would mean slots without limit
            key = (labels, node.taints, room, node.price_microusd_per_hour)
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group(labels, node.taints, room, node.price_microusd_per_hour)
            group.nodes.append(name)
        return list(groups.values())

    def _existing(self, name: str) -> ExistingNode:
        node = self._nodes[name]
        free = _less(_less(node.allocatable, self._daemons.get(name)), self._pinned[name])
        return ExistingNode(name, free, node.labels, node.taints, node.allocatable)

    def _fullness(self, name: str) -> float:
        """Largest share of a resource that movable pods use."""
        room = self._nodes[name].allocatable
        used = self._used.get(name, Resources())
        return max((amount / room[r] for r, amount in used if room[r]), default=0.0)


def _planned(template: PodTemplate) -> PodTemplate:
    """What the plan holds a pod to: the same that filtering checks."""
    return PodTemplate(
        requests=template.requests,
        node_selector=template.node_selector,
        node_affinity=template.node_affinity,
        tolerations=template.tolerations,
    )


def _is_pinned(pod: PodRecord) -> bool:
    return pod.template.do_not_disrupt or _names_its_node(pod.template)


def _names_its_node(template: PodTemplate) -> bool:
    return label_keys.HOSTNAME in _label_keys(template)


def _label_keys(template: PodTemplate) -> set[str]:
    keys = {requirement.key for requirement in template.node_selector}
    return keys | {requirement.key for term in template.node_affinity for requirement in term}


def _less(room: Resources, taken: Resources | None) -> Resources:
    return room.minus(taken) if taken else room


def _instance_type(index: int, group: _Group, taint_set: int) -> InstanceType:
    labels = dict(group.labels)
    region, zone = labels.pop(label_keys.REGION, ""), labels.pop(label_keys.ZONE, "")
    spelled = labels.pop(label_keys.CAPACITY_TYPE, "")
    capacity_type = next((c for c in CapacityType if c.value == spelled), CapacityType.ON_DEMAND)
    labels[TAINTS] = str(taint_set)
    return InstanceType(
        name=str(index),
        cloud="",
        arch=labels.get(label_keys.ARCH, ""),
        capacity=group.room,
        allocatable=group.room,
        labels=tuple(sorted(labels.items())),
        offerings=(Offering(region, zone, capacity_type, group.price, _SOURCE, len(group.nodes)),),
    )


def numbered(plan: Plan, number: int) -> Plan:
    """The plan with its number."""
    return replace(plan, number=number)

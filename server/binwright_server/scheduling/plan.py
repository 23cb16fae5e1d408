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
    PriceSource,
    Problem,
    Requirement,
    Resources,
    RunningPods,
    Taint,
    Workload,
)
from binwright_optimizer.model import labels as label_keys
from binwright_optimizer.model.resources import PODS

from binwright_server.duals import pod_worths
from binwright_server.scheduling.classes import PodClass, PodClasses, asked_labels, selecting_labels
from binwright_server.scheduling.namespaces import Namespaces
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
    namespaces
        The cluster's; not changed either.
    """

    def __init__(
        self, nodes: Mapping[str, NodeRecord], pods: Mapping[PodKey, PodRecord], namespaces: Namespaces
    ) -> None:
        self._nodes = nodes
        self._namespaces = namespaces
        self._daemons: dict[str, Resources] = {}
        self._pinned: dict[str, Resources] = {}
        self._used: dict[str, Resources] = {}
        self._staying: dict[str, Counter[PodClass]] = {}
        self._classes = PodClasses(pods.values(), namespaces)
        self._counts: Counter[PodClass] = Counter()
        for pod in pods.values():
            self._count(pod)
        self._planned = sorted(self._counts, key=lambda c: (c.kind, c.namespace, c.template.labels))
        self._groups = self._grouped()
        self._kept = [name for name in sorted(nodes) if name in self._pinned]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to decide."""
        return not self._planned or not self._nodes

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
            Workload(f"class-{k}", each.template, self._counts[each], each.namespace)
            for k, each in enumerate(self._planned)
        )
        return Problem(
            workloads=workloads,
            node_pools=pools or (NodePool("none"),),
            catalog=Catalog("cluster", types),
            existing_nodes=tuple(self._existing(name) for name in self._kept),
            namespaces=self._namespaces.among(self._mentioned()),
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
        groups: dict[bytes, set[int]] = {}

        def note(pods: Iterable[PodRange], group: int) -> None:
            for part in pods:
                groups.setdefault(self._planned[part.workload].kind, set()).add(group)

        for claim in decision.node_claims:
            note(claim.pods, int(claim.instance_type))
        positions = {name: len(self._groups) + k for k, name in enumerate(self._kept)}
        for placement in decision.existing_placements:
            note(placement.pods, positions[placement.node])
        pinned_cost = sum(self._nodes[name].price_microusd_per_hour for name in self._kept)
        return Plan(
            nodes=tuple(nodes),
            kinds=tuple(self._planned_kinds(decision, groups)),
            current_cost=sum(node.price_microusd_per_hour for node in self._nodes.values()),
            cost=decision.total_microusd_per_hour + pinned_cost,
            bound=decision.bound_microusd_per_hour + pinned_cost,
            unplaced=sum(entry.pods.count for entry in decision.unschedulable),
            warnings=stale_source_warnings(
                (node.priced_by for node in self._nodes.values() if node.priced_by is not None),
                today or datetime.date.today(),
            ),
        )

    def _planned_kinds(self, decision: Decision, groups: Mapping[bytes, set[int]]) -> Iterable[PlannedKind]:
        """Kinds with the worth of a pod, the mean over the classes of a kind."""
        worths = pod_worths(decision, [self._counts[each] for each in self._planned])
        pods: Counter[bytes] = Counter()
        worth: dict[bytes, float] = {}
        requests: dict[bytes, Resources] = {}
        for each, one in zip(self._planned, worths, strict=True):
            pods[each.kind] += self._counts[each]
            worth[each.kind] = worth.get(each.kind, 0.0) + one * self._counts[each]
            requests[each.kind] = each.template.requests
        for kind, count in pods.items():
            yield PlannedKind(
                kind=kind,
                requests=requests[kind] + Resources.of({PODS: 1}),
                count=count,
                groups=frozenset(groups.get(kind, ())),
                worth_microusd=worth[kind] / count,
            )

    def _count(self, pod: PodRecord) -> None:
        if pod.is_ending:
            return  # its room is free by the time that anybody has followed the plan
        request = pod.template.requests + Resources.of({PODS: 1})
        if pod.node in self._nodes:
            into = self._daemons if pod.is_daemon else self._pinned if _is_pinned(pod) else self._used
            into[pod.node] = into.get(pod.node, Resources()) + request
            if into is not self._used:
                if pod.rules or self._classes.counted(pod.identity):
                    self._staying.setdefault(pod.node, Counter())[self._classes.of(pod)] += 1
                return
        elif pod.node or pod.is_daemon or _names_its_node(pod):
            return  # on a node that is gone, or for one node only: no choice to plan
        self._counts[self._classes.of(pod)] += 1

    def _grouped(self) -> list[_Group]:
        """Groups of nodes that may be given up, alike in all that a pod can tell."""
        asked = {key for each in self._counts for key in asked_labels(each.template, each.rules)}
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

    def _mentioned(self) -> Iterable[str]:
        """Namespaces of the problem's pods."""
        yield from (each.namespace for each in self._planned)
        yield from (each.namespace for staying in self._staying.values() for each in staying)

    def _existing(self, name: str) -> ExistingNode:
        node = self._nodes[name]
        free = _less(_less(node.allocatable, self._daemons.get(name)), self._pinned[name])
        staying = tuple(
            RunningPods(each.template, count, each.namespace)
            for each, count in self._staying.get(name, Counter[PodClass]()).items()
        )
        return ExistingNode(name, free, node.labels, node.taints, node.allocatable, pods=staying)

    def _fullness(self, name: str) -> float:
        """Largest share of a resource that movable pods use."""
        room = self._nodes[name].allocatable
        used = self._used.get(name, Resources())
        return max((amount / room[r] for r, amount in used if room[r]), default=0.0)


def _is_pinned(pod: PodRecord) -> bool:
    return pod.template.do_not_disrupt or _names_its_node(pod)


def _names_its_node(pod: PodRecord) -> bool:
    return label_keys.HOSTNAME in selecting_labels(pod.template)


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

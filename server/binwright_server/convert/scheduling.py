"""Messages of the scheduling API to records, and plans back."""

from __future__ import annotations

from collections.abc import Iterable

from binwright.v1 import problem_pb2, scheduling_service_pb2
from binwright_optimizer.errors import InvalidProblemError, Violation
from binwright_optimizer.model import Namespace, PodTemplate, Resources, Taint
from binwright_optimizer.model.quantity import MAX_PRICE_MICROUSD, MICROUSD
from binwright_optimizer.model.resources import PODS

from binwright_server.convert.amounts import amounts_from_map
from binwright_server.convert.selection import labels_from_map, taints_from_messages
from binwright_server.convert.templates import TemplateReader
from binwright_server.convert.violations import Violations, entry
from binwright_server.convert.workloads import DEFAULT_NAMESPACE
from binwright_server.prices import node_price
from binwright_server.scheduling.plan import Plan, PlannedKind, PlannedNode
from binwright_server.scheduling.records import ClusterUpdate, NodeRecord, PodKey, PodRecord
from binwright_server.scheduling.rules import NO_RULES, Identity, Labels, PodRules, rules_of

MOST_TEMPLATES = 20_000
"""Templates remembered by one reader; beyond, it starts afresh."""

UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable")
"""What kube-scheduler sees in a cordoned node."""


class ClusterReader:
    """Reads messages; pods with equal templates share one."""

    def __init__(self) -> None:
        self._templates = TemplateReader()
        self._seen: set[bytes] = set()
        self._labels: dict[Labels, Labels] = {}
        self._rules: dict[PodRules, PodRules] = {}

    def update(self, message: scheduling_service_pb2.UpdateClusterRequest) -> ClusterUpdate:
        """The update; raises InvalidProblemError with every wrong field."""
        out = Violations()
        pods = [self._pod(pod, f"pods[{k}]", out) for k, pod in enumerate(message.pods)]
        nodes = self._nodes(message.nodes, out)
        namespaces = tuple(
            _namespace(each, f"namespaces[{k}]", out) for k, each in enumerate(message.namespaces)
        )
        out.check()
        return ClusterUpdate(
            is_snapshot=message.is_snapshot,
            epoch=message.epoch,
            nodes=nodes,
            pods=tuple(pod for pod in pods if pod is not None),
            deleted_nodes=tuple(message.deleted_nodes),
            deleted_pods=tuple(pod_key(name) for name in message.deleted_pods),
            namespaces=namespaces,
            deleted_namespaces=tuple(message.deleted_namespaces),
        )

    def nodes(self, messages: Iterable[scheduling_service_pb2.ClusterNode]) -> tuple[NodeRecord, ...]:
        """The nodes; raises InvalidProblemError with every wrong field."""
        out = Violations()
        nodes = self._nodes(messages, out)
        out.check()
        return nodes

    def template(self, message: problem_pb2.PodTemplate, path: str = "pod") -> tuple[bytes, PodTemplate]:
        """What tells kinds of pods apart, and the template; raises InvalidProblemError."""
        kind, template, violations = self._read(message)
        if violations:
            raise InvalidProblemError(
                [Violation(f"{path}{v.field}", v.value, v.description) for v in violations]
            )
        return kind, template

    def _read(self, message: problem_pb2.PodTemplate) -> tuple[bytes, PodTemplate, tuple[Violation, ...]]:
        """Kind, template and what is wrong; labels are read where the pod's own rules look at them."""
        kind, shape = kind_of(message), message
        if message.labels and not _carries_rules(message):
            shape = problem_pb2.PodTemplate.FromString(kind)
        if kind not in self._seen:
            if len(self._seen) >= MOST_TEMPLATES:
                self._templates, self._seen = TemplateReader(), set()
                self._labels, self._rules = {}, {}
            self._seen.add(kind)
        return kind, *self._templates.read(shape)

    def _nodes(
        self, messages: Iterable[scheduling_service_pb2.ClusterNode], out: Violations
    ) -> tuple[NodeRecord, ...]:
        return tuple(_node(message, f"nodes[{k}]", out) for k, message in enumerate(messages))

    def _pod(
        self, message: scheduling_service_pb2.ClusterPod, path: str, out: Violations
    ) -> PodRecord | None:
        if not message.name:
            out.add(f"{path}.name", "", "must not be empty")
        kind, template, violations = self._read(message.template)
        for violation in violations:
            out.add(f"{path}.template{violation.field}", violation.value, violation.description)
        labels = labels_from_map(message.template.labels, f"{path}.template.labels", out)
        labels = self._labels.setdefault(labels, labels)
        namespace = message.namespace or DEFAULT_NAMESPACE
        rules = rules_of(template, Identity(namespace, labels))
        return PodRecord(
            key=(namespace, message.name),
            template=template,
            kind=kind,
            node=message.node,
            is_daemon=message.is_daemon,
            uid=message.uid,
            version=_version(message.resource_version),
            priority=message.priority,
            labels=labels,
            rules=self._rules.setdefault(rules, rules) if rules else NO_RULES,
            is_ending=message.is_ending,
        )


def kind_of(template: problem_pb2.PodTemplate) -> bytes:
    """Equal for pods that are equal for scheduling, but for their labels."""
    if template.labels:
        bare = problem_pb2.PodTemplate()
        bare.CopyFrom(template)
        bare.ClearField("labels")
        template = bare
    return template.SerializeToString(deterministic=True)


def _carries_rules(template: problem_pb2.PodTemplate) -> bool:
    """Whether a pod carries rules that look at its own labels."""
    return bool(
        template.topology_spread_constraints
        or template.HasField("pod_affinity")
        or template.HasField("pod_anti_affinity")
        or template.node_caps
    )


def identity_of(name: scheduling_service_pb2.PodName, template: problem_pb2.PodTemplate) -> Identity:
    """What selectors see of a pod."""
    return Identity(name.namespace or DEFAULT_NAMESPACE, tuple(sorted(template.labels.items())))


def pod_key(name: scheduling_service_pb2.PodName) -> PodKey:
    """A pod's name as a key."""
    return name.namespace or DEFAULT_NAMESPACE, name.name


def _node(message: scheduling_service_pb2.ClusterNode, path: str, out: Violations) -> NodeRecord:
    if not message.name:
        out.add(f"{path}.name", "", "must not be empty")
    allocatable = amounts_from_map(message.allocatable, f"{path}.allocatable", out)
    if allocatable.get(PODS) == 0:
        # `Resources` holds no zeros and none means without limit: a node without slots takes no pod.
        out.add(entry(f"{path}.allocatable", PODS), "0", "must be at least 1; cordon a node without slots")
    taints = list(taints_from_messages(message.taints, f"{path}.taints", out))
    if message.unschedulable and UNSCHEDULABLE not in taints:
        taints.append(UNSCHEDULABLE)
    room = Resources.of(allocatable)
    price, priced_by = message.price_microusd_per_hour, None
    if not message.HasField("price_microusd_per_hour"):
        found = node_price(message.labels, room)
        price = found.microusd_per_hour
        priced_by = (found.capacity_type, found.source) if found.source is not None else None
    elif not 0 <= price <= MAX_PRICE_MICROUSD:
        out.add(f"{path}.price_microusd_per_hour", price, f"must be in 0..{MAX_PRICE_MICROUSD}")
    return NodeRecord(
        name=message.name,
        labels=labels_from_map(message.labels, f"{path}.labels", out),
        taints=tuple(taints),
        allocatable=room,
        price_microusd_per_hour=price,
        version=_version(message.resource_version),
        priced_by=priced_by,
    )


def _namespace(message: problem_pb2.Namespace, path: str, out: Violations) -> Namespace:
    if not message.name:
        out.add(f"{path}.name", "", "must not be empty")
    return Namespace(message.name, labels_from_map(message.labels, f"{path}.labels", out))


def _version(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else None


def plan_to_message(plan: Plan) -> scheduling_service_pb2.Plan:
    """The plan."""
    message = scheduling_service_pb2.Plan(
        number=plan.number,
        current_hourly_cost_usd=plan.current_cost / MICROUSD,
        hourly_cost_usd=plan.cost / MICROUSD,
        lower_bound_usd=plan.bound / MICROUSD,
        unplaced_pods=plan.unplaced,
        warnings=plan.warnings,
    )
    for node in plan.nodes:
        message.nodes.add(name=node.name, is_kept=node.is_kept, group=node.group)
    for kind in plan.kinds:
        pods = message.pods.add(
            count=kind.count, groups=sorted(kind.groups), worth_usd=kind.worth_microusd / MICROUSD
        )
        pods.template.MergeFromString(kind.kind)
    return message


def plan_from_message(
    message: scheduling_service_pb2.Plan, reader: ClusterReader, number: int | None = None
) -> Plan:
    """The plan that another process of ours made; ``number`` takes the place of its own."""
    kinds = []
    for pods in message.pods:
        kind, template = reader.template(pods.template)
        kinds.append(
            PlannedKind(
                kind=kind,
                requests=template.requests + Resources.of({PODS: 1}),
                count=pods.count,
                groups=frozenset(pods.groups),
                worth_microusd=pods.worth_usd * MICROUSD,
            )
        )
    return Plan(
        nodes=tuple(PlannedNode(node.name, node.is_kept, node.group) for node in message.nodes),
        kinds=tuple(kinds),
        current_cost=round(message.current_hourly_cost_usd * MICROUSD),
        cost=round(message.hourly_cost_usd * MICROUSD),
        bound=round(message.lower_bound_usd * MICROUSD),
        unplaced=message.unplaced_pods,
        number=message.number if number is None else number,
        warnings=tuple(message.warnings),
    )

"""The cheapest decision on a tiny problem, by trying them all, and a reading of every rule, pod by pod.

Slow and plain on purpose: nothing is counted by class, no answer is carried over, and no code is shared
with the solver or the verifier. What a rule means is in the docstrings of `binwright_optimizer.model`; how it
is read here is said beside it.

Not read here: shares of GPUs, MIG, commitments.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model import (
    CapacityType,
    ExistingNode,
    GpuNodePolicy,
    InstanceType,
    LabelSelector,
    MinValuesPolicy,
    NodeInclusionPolicy,
    NodePool,
    NodeSelectorTerm,
    Offering,
    Operator,
    PodAffinityTerm,
    PodTemplate,
    PreferencePolicy,
    Problem,
    Requirement,
    Taint,
    TaintEffect,
    TopologySpread,
    labels,
)
from claims_by_hand import MAKERS, Titled, devices_of, whole_devices

ACCELERATORS = ("nvidia.com/gpu", "amd.com/gpu", "aws.amazon.com/neuron", "habana.ai/gaudi")


@dataclass(eq=False)
class Node:
    """A node of a placement; ``option`` is what was bought, None for an existing one."""

    name: str
    labels: dict[str, str]
    taints: tuple[Taint, ...]
    existing: ExistingNode | None = None
    option: Option | None = None

    def label(self, key: str) -> str | None:
        """Value of a label; a node to be bought will have a host name of its own."""
        if key == labels.HOSTNAME and self.existing is None:
            return f"(host name of {self.name})"
        return self.labels.get(key)


@dataclass(frozen=True)
class Option:
    """Something to buy: an offering for a NodePool, with a choice of the pool's custom labels."""

    pool: NodePool
    kind: InstanceType
    offering: Offering
    custom: tuple[tuple[str, str], ...]

    def node(self, name: str) -> Node:
        """A node of this option."""
        carried = node_labels(self.pool, self.kind, self.offering, dict(self.custom))
        return Node(name, carried, self.pool.taints, None, self)


@dataclass(eq=False)
class Pod:
    """One pod; ``workload`` is -1 for a running one."""

    template: PodTemplate
    namespace: str
    node: Node
    workload: int = -1
    gang: str = ""
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.labels = dict(self.template.labels)

    @property
    def is_new(self) -> bool:
        return self.workload >= 0


# --- what can be bought -----------------------------------------------------------------------------


def node_labels(
    pool: NodePool, kind: InstanceType, offering: Offering, custom: Mapping[str, str]
) -> dict[str, str]:
    """Labels of a node of this pool, but its host name."""
    return {
        **custom,
        **dict(pool.labels),
        **dict(kind.labels),
        labels.REGION: offering.region,
        labels.ZONE: offering.zone,
        labels.CAPACITY_TYPE: offering.capacity_type.value,
        labels.NODE_POOL: pool.name,
    }


@functools.lru_cache(maxsize=16)
def options(problem: Problem) -> list[Option]:
    """Everything that may be bought once, cheapest first.

    A custom label that a pool requires takes one of the values it lists; a requirement that lists none
    is not read here.
    """
    found = []
    for pool in problem.node_pools:
        for kind in problem.catalog.instance_types:
            defined = set(dict(kind.labels)) | {labels.REGION, labels.ZONE, labels.CAPACITY_TYPE}
            listed: dict[str, set[str]] = {}
            for r in pool.requirements:
                if r.key not in defined | set(dict(pool.labels)) and not r.key.startswith(
                    ("kubernetes.io/", "topology.kubernetes.io/", "karpenter.sh/")
                ):
                    assert r.operator is Operator.IN
                    listed[r.key] = listed.get(r.key, set(r.values)) & set(r.values)
            for offering in kind.offerings:
                for values in itertools.product(*(sorted(listed[key]) for key in sorted(listed))):
                    option = Option(pool, kind, offering, tuple(zip(sorted(listed), values, strict=True)))
                    if _may_buy(problem, option):
                        found.append(option)
    return sorted(found, key=lambda o: (o.offering.price_microusd_per_hour, o.pool.name, o.kind.name))


def _may_buy(problem: Problem, option: Option) -> bool:
    node = option.node("new")
    if option.offering.available == 0:
        return False
    if any(node.labels.get(key) != value for key, value in option.pool.labels):
        return False
    if not all(_satisfies(r, node) for r in option.pool.requirements):
        return False
    return within_limits(problem, [node])


def within_limits(problem: Problem, nodes: Sequence[Node]) -> bool:
    """Whether NodePools and offerings have room for these new nodes beside the existing ones."""
    new = [node.option for node in nodes if node.option is not None]
    for pool in problem.node_pools:
        mine = [option for option in new if option.pool is pool]
        old = [node for node in problem.existing_nodes if node.node_pool == pool.name]
        limits = [(name, amount) for name, amount in pool.limits]
        if pool.max_nodes is not None:
            limits.append(("nodes", pool.max_nodes))
        for name, limit in limits:
            if name == "nodes":
                used, bought = len(old), len(mine)
            else:
                used = sum(node.capacity[name] for node in old)
                bought = sum(pool.capacity_of(option.kind)[name] for option in mine)
            if bought > max(0, limit - used):
                return False
    for option in new:
        same = [o for o in new if o.kind is option.kind and o.offering is option.offering]
        if option.offering.available is not None and len(same) > option.offering.available:
            return False
    return True


def daemon_overhead(problem: Problem, pool: NodePool, carried: Mapping[str, str]) -> dict[str, int]:
    """What daemons and the pool itself take of a new node with these labels."""
    node = Node("new", dict(carried), pool.taints)
    total = dict(pool.overhead)
    for daemon in problem.daemon_sets:
        if admits(daemon.template, node):
            for name, amount in (*daemon.template.requests, ("pods", 1)):
                total[name] = total.get(name, 0) + amount
    return total


# --- one pod on one node ----------------------------------------------------------------------------


def _satisfies(requirement: Requirement, node: Node) -> bool:
    if requirement.key == labels.HOSTNAME and node.existing is None:
        # The name will be one that nobody can have asked for.
        return requirement.operator in (Operator.EXISTS, Operator.NOT_IN)
    return requirement.admits(node.labels.get(requirement.key))


def _any_term(terms: Sequence[NodeSelectorTerm], node: Node) -> bool:
    return any(term and all(_satisfies(r, node) for r in term) for term in terms)


def selects_node(template: PodTemplate, node: Node) -> bool:
    """Whether node selector and required node affinity admit a node."""
    if not all(_satisfies(r, node) for r in template.node_selector):
        return False
    return not template.node_affinity or _any_term(template.node_affinity, node)


def tolerates(template: PodTemplate, node: Node) -> bool:
    """Whether a pod ignores every taint that would repel it."""
    return all(
        any(toleration.tolerates(taint) for toleration in template.tolerations)
        for taint in node.taints
        if taint.repels
    )


def admits(template: PodTemplate, node: Node) -> bool:
    """Whether labels and taints of a node let a pod run there."""
    return selects_node(template, node) and tolerates(template, node)


def has_room(problem: Problem, node: Node, pods: Sequence[Pod]) -> bool:
    """Whether the placed pods of a node fit beside its daemons."""
    if node.existing is not None:
        room, capacity, taken = node.existing.free, node.existing.capacity, {}
    else:
        assert node.option is not None
        pool, kind = node.option.pool, node.option.kind
        room, capacity = pool.allocatable_of(kind), pool.capacity_of(kind)
        taken = daemon_overhead(problem, pool, node.labels)
    total = dict(taken)
    for pod in pods:
        for name, amount in (*pod.template.requests, ("pods", 1)):
            total[name] = total.get(name, 0) + amount
    if "pods" not in room.names() and "pods" not in capacity.names():
        total.pop("pods", None)  # such a node does not limit them
    has_amounts = all(amount <= room[name] for name, amount in total.items())
    return has_amounts and has_devices(problem, node, pods)


def devices_by_pod(problem: Problem, node: Node, pods: Sequence[Pod]) -> list[list[Titled]] | None:
    """Devices of each placed pod of a node; None if some claim is not met there."""
    kind, total, most = _devices_there(problem, node)
    held = _held_there(problem, node)
    found = []
    for pod in pods:
        mine = devices_of(pod.namespace, pod.template, kind, total, most, held)
        if mine is None:
            return None
        found.append(mine)
    return found


def has_devices(problem: Problem, node: Node, pods: Sequence[Pod]) -> bool:
    """Whether the devices of a node are enough for claims and requests; a shared claim counts once."""
    if not any(pod.template.device_claims for pod in pods) and not _has_claims(node):
        return True
    each = [devices_by_pod(problem, node, [pod]) for pod in pods]
    found = [mine for one in each for mine in one or ()]  # claims that are not met are another rule
    own = sum(number for mine in found for name, _, number in mine if not name)
    shared = {name: number for mine in found for name, _, number in mine if name}
    _, _, most = _devices_there(problem, node)
    if node.option is not None:
        taken = daemon_overhead(problem, node.option.pool, node.labels)
        most -= sum(taken.get(name, 0) for name in MAKERS)
    return own + sum(shared.values()) <= most


def _has_claims(node: Node) -> bool:
    return node.existing is not None and any(pods.template.device_claims for pods in node.existing.pods)


def _devices_there(problem: Problem, node: Node) -> tuple[InstanceType | None, int, int]:
    """Type of a node, all its devices and those that new pods may have."""
    if node.existing is None:
        assert node.option is not None
        kind = node.option.kind
        if not any(kind.allocatable[name] for name in MAKERS):
            return None, 0, 0
        return kind, whole_devices(kind.allocatable), whole_devices(kind.allocatable)
    name = node.labels.get(labels.INSTANCE_TYPE)
    known = [kind for kind in problem.catalog.instance_types if kind.name == name]
    total = max(whole_devices(node.existing.capacity), whole_devices(node.existing.free))
    taken: dict[object, int] = {}
    for n, pods in enumerate(node.existing.pods):
        for claim in pods.template.device_claims:
            # Which alternative they were given is not told.
            most = sum(
                max(0 if r.is_admin else (r.count or total) for r in choice) for choice in claim.requests
            )
            key: object = (pods.namespace, claim.name) if claim.name else n
            taken[key] = most if claim.name else taken.get(key, 0) + pods.count * most
    free = max(0, whole_devices(node.existing.free) - sum(taken.values()))
    is_known = bool(known) and any(
        known[0].allocatable[m] and (node.existing.capacity[m] or node.existing.free[m]) for m in MAKERS
    )
    return (known[0] if is_known else None), total, free


def _held_there(problem: Problem, node: Node) -> list[tuple[str, str]]:
    if node.existing is None:
        return []
    return [
        (pods.namespace, claim.name)
        for pods in node.existing.pods
        for claim in pods.template.device_claims
        if claim.name
    ]


def claims_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Claims are met by their nodes, and the pods of a shared one are on one node, where others have it."""
    where: dict[tuple[str, str], set[str]] = {}
    before: dict[tuple[str, str], set[str]] = {}
    for pods, found in ((placed, where), (running, before)):
        for pod in pods:
            for claim in pod.template.device_claims:
                if claim.name:
                    found.setdefault((pod.namespace, claim.name), set()).add(pod.node.name)
    for name, mine in where.items():
        if len(mine) > 1 or (name in before and not mine <= before[name]):
            return False
    return all(devices_by_pod(problem, pod.node, [pod]) is not None for pod in placed)


# --- who is selected --------------------------------------------------------------------------------


def _selector(
    selector: LabelSelector | None, own: Mapping[str, str], match: Sequence[str], mismatch: Sequence[str] = ()
) -> LabelSelector | None:
    """The selector with label keys put in; None if it selects nothing."""
    if selector is None:
        return None
    extra = [Requirement(key, Operator.IN, (own[key],)) for key in match if key in own]
    extra += [Requirement(key, Operator.NOT_IN, (own[key],)) for key in mismatch if key in own]
    try:
        return LabelSelector((*selector.requirements, *extra))
    except WrongFieldError:
        return None  # they contradict the selector


def counts_for(constraint: TopologySpread, pod: Pod, other: Pod) -> bool:
    """Whether ``other`` is counted by a topology spread constraint of ``pod``."""
    selector = _selector(constraint.selector, pod.labels, constraint.match_label_keys)
    return selector is not None and other.namespace == pod.namespace and selector.matches(other.labels)


def selected(problem: Problem, term: PodAffinityTerm, pod: Pod, other: Pod) -> bool:
    """Whether an affinity term of ``pod`` selects ``other``."""
    selector = _selector(term.selector, pod.labels, term.match_label_keys, term.mismatch_label_keys)
    if selector is None or not selector.matches(other.labels):
        return False
    if not term.namespaces and term.namespace_selector is None:
        return other.namespace == pod.namespace
    if other.namespace in term.namespaces:
        return True
    known = {n.name: dict(n.labels) for n in problem.namespaces}
    own = {**known.get(other.namespace, {}), "kubernetes.io/metadata.name": other.namespace}
    return term.namespace_selector is not None and term.namespace_selector.matches(own)


# --- the rules --------------------------------------------------------------------------------------


def broken_rules(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> list[str]:
    """Rules that a placement breaks; empty if it is right.

    Parameters
    ----------
    nodes
        All existing nodes and those bought.
    placed
        The new pods that are placed; the others are left out.
    """
    return list(_broken(problem, nodes, placed))


def _broken(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> Iterator[str]:
    running = running_pods(problem, nodes)
    if not within_limits(problem, nodes):
        yield "limits"
    for pool in problem.node_pools:
        mine = [n for n in nodes if n.option is not None and n.option.pool is pool]
        old = [n for n in problem.existing_nodes if n.node_pool == pool.name]
        if len(mine) + len(old) < pool.min_nodes and len(mine) < pool.min_nodes - len(old):
            yield "minimum"
    if not all(has_room(problem, node, [pod for pod in placed if pod.node is node]) for node in nodes):
        yield "room"
    if not all(admits(pod.template, pod.node) for pod in placed):
        yield "labels or taints"
    for rule, holds in (
        ("node cap", caps_hold),
        ("host port", ports_hold),
        ("pod anti-affinity", anti_affinity_holds),
        ("pod affinity", affinity_holds),
        ("topology spread", spread_holds),
        ("volume", volumes_hold),
        ("gang", gangs_hold),
        ("spot policy", spot_holds),
        ("spot loss", losses_hold),
        ("device claim", claims_hold),
        ("minValues", choices_hold),
        ("accelerated nodes", gpu_nodes_hold),
    ):
        if not holds(problem, nodes, placed, running):
            yield rule


def running_pods(problem: Problem, nodes: Sequence[Node]) -> list[Pod]:
    """The pods that run on existing nodes, one by one."""
    return [
        Pod(pods.template, pods.namespace, node, gang=pods.gang)
        for node in nodes
        if node.existing is not None
        for pods in node.existing.pods
        for _ in range(pods.count)
    ]


def spread_holds(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Topology spread with DoNotSchedule."""
    for pod in placed:
        required = [c for c in pod.template.topology_spread if c.is_required]
        keys = [c.topology_key for c in required]
        if any(pod.node.label(key) is None for key in keys):
            return False
        for c in required:
            everyone = [other for other in (*placed, *running) if counts_for(c, pod, other)]
            if c.topology_key == labels.HOSTNAME:
                # A further empty node can always be had: the least count is 0.
                here = [
                    o for o in everyone if o.node.label(labels.HOSTNAME) == pod.node.label(labels.HOSTNAME)
                ]
                if len(here) > c.max_skew:
                    return False
                continue
            eligible = [node for node in nodes if _is_eligible(pod, c, keys, node)]
            domains = {node.label(c.topology_key) for node in eligible}
            domains |= {node.label(c.topology_key) for node in _within_reach(problem, pod, keys)}
            count = {
                d: sum(1 for o in everyone if o.node in eligible and o.node.label(c.topology_key) == d)
                for d in domains
            }
            least = 0 if len(domains) < c.min_domains else min(count.values(), default=0)
            if count.get(pod.node.label(c.topology_key), 0) - least > c.max_skew:
                return False
    return True


def _is_eligible(pod: Pod, constraint: TopologySpread, keys: Sequence[str], node: Node) -> bool:
    if any(node.label(key) is None for key in keys):
        return False
    honors_affinity = constraint.node_affinity_policy is NodeInclusionPolicy.HONOR
    if honors_affinity and not selects_node(pod.template, node):
        return False
    honors_taints = constraint.node_taints_policy is NodeInclusionPolicy.HONOR
    return not honors_taints or tolerates(pod.template, node)


def _within_reach(problem: Problem, pod: Pod, keys: Sequence[str]) -> list[Node]:
    """Nodes that could be bought with all these keys, and hold the pod if it had one to itself."""
    return [
        node
        for node in (option.node("new") for option in options(problem))
        if all(node.label(key) is not None for key in keys) and could_hold(problem, pod.template, node)
    ]


def could_hold(problem: Problem, template: PodTemplate, node: Node) -> bool:
    """Whether a new node could hold one such pod, and nothing else."""
    alone = Pod(template, "", node, 0)
    return (
        admits(template, node)
        and has_room(problem, node, [alone])
        and devices_by_pod(problem, node, [alone]) is not None
        and ports_hold(problem, [node], [alone], [])
        and _attachable(problem, [node], [alone], [])
        and gpu_nodes_hold(problem, [node], [alone], [])
    )


def affinity_holds(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Required pod affinity: every pod can come at some time and find its terms satisfied.

    Pods come as soon as they can. A pod whose terms select no pod that is, or ever will be, elsewhere
    may start a domain if it selects itself; kube-scheduler lets it do so only while none is anywhere.
    """

    def targets(pod: Pod, among: Sequence[Pod]) -> list[Pod]:
        terms = pod.template.pod_affinity.required
        return [o for o in among if all(selected(problem, term, pod, o) for term in terms)]

    def may_start(pod: Pod) -> bool:
        terms = pod.template.pod_affinity.required
        if pod not in targets(pod, [pod]):
            return False
        for term in terms:
            key = term.topology_key
            if any(o.node.label(key) is not None for o in targets(pod, running)):
                return False
            everywhere = {o.node.label(key) for o in targets(pod, placed)} - {None}
            if everywhere != {pod.node.label(key)}:
                return False
        return True

    there = [*running, *(pod for pod in placed if not pod.template.pod_affinity.required)]
    waiting = [pod for pod in placed if pod.template.pod_affinity.required]
    while waiting:
        for pod in waiting:
            found = targets(pod, there)
            is_near = all(
                pod.node.label(term.topology_key) is not None
                and any(o.node.label(term.topology_key) == pod.node.label(term.topology_key) for o in found)
                for term in pod.template.pod_affinity.required
            )
            if is_near or may_start(pod):
                waiting = [other for other in waiting if other is not pod]
                there.append(pod)
                break
        else:
            return False
    return True


def anti_affinity_holds(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Required anti-affinity of placed and of running pods; two running pods may do as they please."""
    everyone = [*placed, *running]
    for pod, other in itertools.permutations(everyone, 2):
        if not pod.is_new and not other.is_new:
            continue
        for term in pod.template.pod_anti_affinity.required:
            here = pod.node.label(term.topology_key)
            is_near = here is not None and here == other.node.label(term.topology_key)
            if is_near and selected(problem, term, pod, other):
                return False
    return True


def caps_hold(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]) -> bool:
    """Caps per node of placed pods, and those of running pods where a placed pod is counted."""
    everyone = [*placed, *running]
    for pod in everyone:
        for cap in pod.template.node_caps:
            counted = [
                o
                for o in everyone
                if o.node is pod.node and o.namespace == pod.namespace and cap.selector.matches(o.labels)
            ]
            is_ours = pod.is_new or any(o.is_new for o in counted)
            if is_ours and len(counted) > cap.max_pods:
                return False
    return True


def ports_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Host ports: no pod wants one that another pod, or a daemon, of its node has."""
    for pod in placed:
        holders = [o.template for o in (*placed, *running) if o is not pod and o.node is pod.node]
        holders += [d.template for d in problem.daemon_sets if admits(d.template, pod.node)]
        for template in holders:
            for mine, theirs in itertools.product(pod.template.host_ports, template.host_ports):
                if (mine.port, mine.protocol) == (theirs.port, theirs.protocol) and (
                    mine.host_ip == theirs.host_ip or "0.0.0.0" in (mine.host_ip, theirs.host_ip)
                ):
                    return False
    return True


def volumes_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Volumes: attachable, and shared only as they may be."""
    if not _attachable(problem, nodes, placed, running):
        return False
    everyone = [*placed, *running]
    for pod in placed:
        for volume in pod.template.volumes:
            if not volume.name:
                continue
            sharing = [
                (o, v)
                for o in everyone
                if o.namespace == pod.namespace
                for v in o.template.volumes
                if v.name == volume.name
            ]
            others = [o for o, _ in sharing if o is not pod]
            if others and any(v.is_exclusive for _, v in sharing):
                return False
            if any(v.is_single_node for _, v in sharing):
                old = [o.node for o in others if not o.is_new]
                if old and pod.node not in old:
                    return False
                if any(o.node is not pod.node for o in others if o.is_new):
                    return False
    return True


def _attachable(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    for pod in placed:
        for volume in pod.template.volumes:
            if volume.topology and not _any_term(volume.topology, pod.node):
                return False
    for node in nodes:
        mine = [pod for pod in placed if pod.node is node]
        if node.existing is not None:
            limits = list(node.existing.attach_limits)
        else:
            assert node.option is not None
            limits = [*node.option.kind.attach_limits, *node.option.pool.attach_limits]
        attached = {
            (pod.namespace, v.driver, v.name)
            for pod in running
            if pod.node is node
            for v in pod.template.volumes
        }
        for limit in limits:
            shared = {
                (pod.namespace, v.driver, v.name)
                for pod in mine
                for v in pod.template.volumes
                if v.name and v.driver == limit.driver
            }
            own = [v for pod in mine for v in pod.template.volumes if not v.name and v.driver == limit.driver]
            needed = len(shared - attached) + len(own)
            if needed > limit.count and (shared or own):
                return False
    return True


def gangs_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Gangs: enough members or none, and members in one domain of each required key."""
    for gang in problem.gangs:
        mine = [pod for pod in placed if (pod.namespace, pod.gang) == (gang.namespace, gang.name)]
        old = [pod for pod in running if (pod.namespace, pod.gang) == (gang.namespace, gang.name)]
        if not mine:
            continue
        wanted = sum(
            w.replicas for w in problem.workloads if (w.namespace, w.gang) == (gang.namespace, gang.name)
        )
        if gang.min_members is None and len(mine) < wanted:
            return False
        if gang.min_members is not None and len(mine) + len(old) < gang.min_members:
            return False
        for rule in gang.topology:
            if rule.is_required:
                domains = {pod.node.label(rule.topology_key) for pod in mine}
                before = {pod.node.label(rule.topology_key) for pod in old} - {None}
                if None in domains or len(domains) > 1 or (before and not domains <= before):
                    return False
    return True


def spot_holds(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Spot policies: enough pods of a workload off spot, and not too many in one pool."""
    for w, workload in enumerate(problem.workloads):
        policy = workload.spot or problem.policies.spot
        mine = [pod for pod in placed if pod.workload == w]
        on_spot = [p for p in mine if p.node.labels.get(labels.CAPACITY_TYPE) == CapacityType.SPOT.value]
        if policy.min_on_demand is not None:
            least = min(len(mine), policy.min_on_demand.at_least(workload.replicas))
            if len(mine) - len(on_spot) < least:
                return False
        if policy.max_per_pool is not None:
            most = policy.max_per_pool.at_most(workload.replicas)
            pools = [
                (p.node.labels.get(labels.INSTANCE_TYPE), p.node.labels.get(labels.ZONE)) for p in on_spot
            ]
            if any(pools.count(pool) > most for pool in pools):
                return False
    return True


def losses_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Bounds on loss: every set of pools that may be reclaimed is tried."""
    for w, workload in enumerate(problem.workloads):
        bound = (workload.spot or problem.policies.spot).loss
        on_spot = [p for p in placed if p.workload == w and p.node.labels.get(labels.CAPACITY_TYPE) == "spot"]
        if bound is None or not on_spot:
            continue
        pool_of = [(p.node.labels.get(labels.INSTANCE_TYPE), p.node.labels.get(labels.ZONE)) for p in on_spot]
        chance = {}
        for pool in set(pool_of):
            [rate] = [
                o.interruption_ppm_per_month
                for kind in problem.catalog.instance_types
                for o in kind.offerings
                if (kind.name, o.zone, o.capacity_type.value) == (*pool, "spot")
            ] or [None]
            months = bound.window_s / (730 * 3600)
            chance[pool] = 1.0 if rate is None else 1 - (1 - rate / 1_000_000) ** months
        too_much = 0.0
        for reclaimed in itertools.product((False, True), repeat=len(chance)):
            taken = dict(zip(chance, reclaimed, strict=True))
            lost = sum(taken[pool] for pool in pool_of)
            if lost > bound.share.at_most(workload.replicas):
                too_much += math.prod(q if taken[pool] else 1 - q for pool, q in chance.items())
        if too_much > bound.probability_ppm / 1_000_000 * (1 + 1e-6):
            return False
    return True


def choices_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Values of a label that types have between them which could be launched for each new node."""
    if problem.policies.min_values is not MinValuesPolicy.STRICT:
        return True
    of_types = {key for kind in problem.catalog.instance_types for key, _ in kind.labels}
    for node in nodes:
        own = node.option
        wanted = [r for r in own.pool.requirements if r.min_values] if own is not None else []
        if own is None or not wanted:
            continue
        mine = [pod for pod in placed if pod.node is node]
        found = [own.node("same")]
        for other in options(problem):
            launched = other.node("other")
            where = (labels.REGION, labels.ZONE, labels.CAPACITY_TYPE)
            if (
                (other.pool is own.pool and other.custom == own.custom)
                and all(launched.labels[key] == node.labels[key] for key in where)
                and other.offering.price_microusd_per_hour >= own.offering.price_microusd_per_hour
                and all(admits(pod.template, launched) for pod in mine)
                and has_room(problem, launched, mine)
            ):
                found.append(launched)
        for r in wanted:
            assert r.min_values is not None
            values = {n.labels.get(r.key) for n in (found if r.key in of_types else found[:1])}
            if len(values - {None}) < r.min_values:
                return False
    return True


def gpu_nodes_hold(
    problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod], running: Sequence[Pod]
) -> bool:
    """Pods that ask for no accelerator stay off nodes that have one, if the policy says never."""
    if problem.policies.gpu_nodes is not GpuNodePolicy.NEVER:
        return True
    for pod in placed:
        asks = any(pod.template.requests[name] for name in ACCELERATORS) or pod.template.device_claims
        if pod.node.existing is not None:
            has = any(pod.node.existing.capacity[name] for name in ACCELERATORS)
            has |= labels.GPU_MODEL in pod.node.labels
        else:
            assert pod.node.option is not None
            has = pod.node.option.kind.gpu_count > 0
        if has and not asks:
            return False
    return True


# --- what is charged beside nodes ---------------------------------------------------------------------


def charges(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> int:
    """Micro-dollars per hour of preferences that pods go without and of expected interruptions."""
    total = penalty(problem, nodes, placed) + interruptions(problem, placed)
    return total + unmet_between_pods(problem, nodes, placed)


def penalty(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> int:
    """What preferences that pods go without weigh."""
    if problem.policies.preferences is PreferencePolicy.IGNORE:
        return 0
    points = 0
    for pod in placed:
        for preferred in pod.template.preferred_affinity:
            if not all(_satisfies(r, pod.node) for r in preferred.term):
                points += preferred.weight
        for taint in pod.node.taints:
            is_tolerated = any(toleration.tolerates(taint) for toleration in pod.template.tolerations)
            if taint.effect is TaintEffect.PREFER_NO_SCHEDULE and not is_tolerated:
                points += 100
    return points * problem.policies.microusd_per_weight_hour


def unmet_between_pods(problem: Problem, nodes: Sequence[Node], placed: Sequence[Pod]) -> int:
    """What preferred pod affinity and ScheduleAnyway weigh where they are not met."""
    policies = problem.policies
    if policies.preferences is PreferencePolicy.IGNORE or not policies.microusd_per_weight_hour:
        return 0
    everyone = [*placed, *running_pods(problem, nodes)]
    points = 0
    for pod in placed:
        for is_near, affinity in ((True, pod.template.pod_affinity), (False, pod.template.pod_anti_affinity)):
            for preferred in set(affinity.preferred):
                here = pod.node.label(preferred.term.topology_key)
                has_others = here is not None and any(
                    other is not pod
                    and other.node.label(preferred.term.topology_key) == here
                    and selected(problem, preferred.term, pod, other)
                    for other in everyone
                )
                points += preferred.weight * (has_others is not is_near)
    seen: list[tuple[object, ...]] = []
    for workload in problem.workloads:
        one = Pod(workload.template, workload.namespace, Node("nowhere", {}, ()))
        for c in set(workload.template.topology_spread):
            if not c.is_required and _spread_identity(c, one) not in seen:
                seen.append(_spread_identity(c, one))
                points += 100 * _beyond_skew(problem, nodes, placed, everyone, c, one)
    return points * problem.policies.microusd_per_weight_hour


def _spread_identity(c: TopologySpread, pod: Pod) -> tuple[object, ...]:
    """What pods that pay together for a constraint have in common."""
    of_nodes = pod.template.node_selector, pod.template.node_affinity, pod.template.tolerations
    return c, _selector(c.selector, pod.labels, c.match_label_keys), pod.namespace, of_nodes


def _beyond_skew(
    problem: Problem,
    nodes: Sequence[Node],
    placed: Sequence[Pod],
    everyone: Sequence[Pod],
    c: TopologySpread,
    one: Pod,
) -> int:
    """Placed pods that pay for a constraint with ScheduleAnyway."""
    alike = [
        Pod(w.template, w.namespace, one.node, number)
        for number, w in enumerate(problem.workloads)
        if any(
            _spread_identity(other, Pod(w.template, w.namespace, one.node)) == _spread_identity(c, one)
            for other in w.template.topology_spread
        )
    ]
    mine = [pod for pod in placed if pod.workload in {other.workload for other in alike}]
    eligible = [node for node in nodes if _is_eligible(one, c, [c.topology_key], node)]
    domains = {node.label(c.topology_key) for node in eligible if node.existing is not None}
    for pod in alike:
        domains |= {node.label(c.topology_key) for node in _within_reach(problem, pod, [c.topology_key])}

    def count(domain: str | None) -> int:
        return sum(
            1
            for other in everyone
            if other.node in eligible
            and other.node.label(c.topology_key) == domain
            and counts_for(c, one, other)
        )

    is_by_node = c.topology_key == labels.HOSTNAME  # a further empty node can always be had
    least = 0 if is_by_node else min(map(count, domains), default=0)
    paying = 0
    for domain in {pod.node.label(c.topology_key) for pod in mine}:
        here = sum(1 for pod in mine if pod.node.label(c.topology_key) == domain)
        paying += here if domain is None else min(here, max(0, count(domain) - least - c.max_skew))
    return paying


def interruptions(problem: Problem, placed: Sequence[Pod]) -> int:
    """What interruptions of pods on spot nodes cost on average; of a rate not known, one a month."""
    total = 0
    for pod in placed:
        own = pod.node.labels
        if own.get(labels.CAPACITY_TYPE) != CapacityType.SPOT.value:
            continue
        [rate] = [
            o.interruption_ppm_per_month
            for kind in problem.catalog.instance_types
            for o in kind.offerings
            if (kind.name, o.zone) == (own.get(labels.INSTANCE_TYPE), own.get(labels.ZONE))
            and o.capacity_type is CapacityType.SPOT
        ] or [None]
        cost = pod.template.restart_cost_microusd or problem.policies.restart_cost_microusd
        total += math.ceil(Fraction(cost * (1_000_000 if rate is None else rate), 1_000_000 * 730))
    return total


# --- the cheapest placement -------------------------------------------------------------------------


@dataclass
class Placement:
    """Nodes, the existing ones first, and the placed pods."""

    nodes: list[Node]
    pods: list[Pod]

    @property
    def cost(self) -> int:
        """Micro-dollars per hour of the nodes bought."""
        return sum(n.option.offering.price_microusd_per_hour for n in self.nodes if n.option is not None)


def existing_nodes(problem: Problem) -> list[Node]:
    """The nodes that run already."""
    return [
        Node(node.name, {labels.HOSTNAME: node.name, **dict(node.labels)}, node.taints, node)
        for node in problem.existing_nodes
    ]


def cheapest(problem: Problem, counts: Sequence[int] | None = None) -> Placement | None:
    """The placement of all pods, or of so many of each workload, of least total; None if there is none.

    The total is what nodes cost and pods are charged.
    """
    wanted = [workload.replicas for workload in problem.workloads] if counts is None else list(counts)
    best: list[Placement] = []
    least: list[int] = []
    for placement in _placements(problem, wanted, least):
        total = placement.cost + charges(problem, placement.nodes, placement.pods)
        if least and total >= least[0]:
            continue
        if next(_broken(problem, placement.nodes, placement.pods), None) is None:
            best[:] = [Placement(list(placement.nodes), list(placement.pods))]
            least[:] = [total]
    return best[0] if best else None


def _placements(problem: Problem, counts: Sequence[int], least: list[int]) -> Iterator[Placement]:
    """Placements that have room, on nodes that cost less than the least total; equal pods in one order only.

    Pods go one after the other to an existing node, to a node opened before, or to one more node; in
    the end further nodes stay empty where NodePools have minimums.
    """
    sold = options(problem)
    queue = [w for w, count in enumerate(counts) for _ in range(count)]
    nodes, pods = existing_nodes(problem), []

    def too_dear() -> bool:
        return bool(least) and Placement(nodes, []).cost >= least[0]

    def place(k: int, first: int) -> Iterator[Placement]:
        if too_dear():
            return
        if k == len(queue):
            yield from fill(0)
            return
        workload = problem.workloads[queue[k]]
        begin = first if k and queue[k - 1] == queue[k] else 0

        def on(n: int) -> Iterator[Placement]:
            pod = Pod(workload.template, workload.namespace, nodes[n], queue[k], workload.gang)
            mine = [p for p in pods if p.node is nodes[n]]
            is_met = devices_by_pod(problem, nodes[n], [pod]) is not None
            if is_met and admits(workload.template, nodes[n]) and has_room(problem, nodes[n], [*mine, pod]):
                pods.append(pod)
                yield from place(k + 1, n)
                pods.pop()

        for n in range(begin, len(nodes)):
            yield from on(n)
        for option in sold:
            nodes.append(option.node(f"n{len(nodes)}"))
            if within_limits(problem, nodes):
                yield from on(len(nodes) - 1)
            nodes.pop()

    def fill(first: int) -> Iterator[Placement]:
        if too_dear():
            return
        yield Placement(nodes, pods)
        if any(pool.min_nodes for pool in problem.node_pools):
            for o in range(first, len(sold)):
                pool = sold[o].pool
                mine = [n for n in nodes if n.option is not None and n.option.pool is pool]
                old = [n for n in problem.existing_nodes if n.node_pool == pool.name]
                if len(mine) + len(old) < pool.min_nodes:
                    nodes.append(sold[o].node(f"n{len(nodes)}"))
                    if within_limits(problem, nodes):
                        yield from fill(o)
                    nodes.pop()

    yield from place(0, 0)

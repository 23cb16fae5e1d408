"""A decision as node groups: what clouds scale where there is no Karpenter.

A node group is the nodes of one NodePool, instance type, zone and capacity type. One zone and
one type each, because that is what the decision's cost holds for, and because Cluster Autoscaler
expects every node of a group to be alike (its FAQ, "one node group per availability zone").
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from binwright.v1 import decision_pb2, node_class_pb2, problem_pb2
from binwright_optimizer.model import labels
from binwright_optimizer.model.nodeclasses import LOCAL_DISK_LABEL, AmiFamily
from binwright_optimizer.model.offerings import CapacityType
from binwright_optimizer.model.quantity import parse_quantity
from binwright_optimizer.model.resources import EPHEMERAL_STORAGE

from binwright_clients.errors import InputError

GROWTH = 2
"""A group may grow to this many times the nodes of the decision, so that an autoscaler has room; all groups
of a NodePool together keep to its largest number of nodes and to its limits on resources."""

_NODES = "nodes"
"""Key of a NodePool's largest number of nodes, among its limits on resources."""

_SET_BY_CLOUD = frozenset(
    {labels.ARCH, labels.OS, labels.HOSTNAME, labels.INSTANCE_TYPE, labels.REGION, labels.ZONE}
)
"""Labels that the kubelet or the cloud controller sets; a node group must not."""

_Key = tuple[str, str, str, str, str]
"""NodePool, instance type, region, zone and capacity type."""

_ZONELESS = "zoneless"
_HASH_DIGITS = 6
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class GroupTaint:
    """A taint of every node of a group; ``is_startup`` marks one that is removed before pods land."""

    key: str
    value: str
    effect: str
    is_startup: bool = False


@dataclass(frozen=True, slots=True)
class NodeGroup:
    """Equal nodes of a decision.

    Parameters
    ----------
    name
        Unique in the decision; lower case letters, digits and dashes, a letter first.
    zone
        Empty in a catalogue without zones.
    desired, min_size, max_size
        Numbers of nodes; ``min_size <= desired <= max_size``.
    labels
        Those of the NodePool and those that pods of the problem ask for, as sorted pairs, without
        what the cloud sets itself.
    disk_bytes
        Allocatable ephemeral storage of a node; 0 where the catalogue does not tell.
    gpu_count
        NVIDIA GPUs of a node.
    gpu_model
        Canonical model; empty without accelerator.
    accelerator
        What Google calls the accelerator; empty elsewhere.
    max_pods
        Pod slots that the NodePool's EC2NodeClass sets; 0 where it sets none.
    """

    name: str
    node_pool: str
    instance_type: str
    region: str
    zone: str
    capacity_type: str
    price_microusd_per_hour: int
    desired: int
    min_size: int
    max_size: int
    labels: tuple[tuple[str, str], ...] = ()
    taints: tuple[GroupTaint, ...] = ()
    arch: str = "amd64"
    disk_bytes: int = 0
    gpu_count: int = 0
    gpu_model: str = ""
    accelerator: str = ""
    max_pods: int = 0

    @property
    def is_spot(self) -> bool:
        """Whether its nodes are bought as spot; reserved capacity is used by on-demand nodes."""
        return self.capacity_type == CapacityType.SPOT


def node_groups(decision: decision_pb2.Decision, problem: problem_pb2.Problem) -> tuple[NodeGroup, ...]:
    """The nodes that a decision buys as groups, in the order in which they first appear.

    Parameters
    ----------
    problem
        What was asked, for the NodePools' labels, taints and bounds and the labels pods ask for.
    """
    pools = {pool.name: pool for pool in problem.node_pools}
    standing: dict[str, list[problem_pb2.ExistingNode]] = {name: [] for name in pools}
    for node in problem.existing_nodes:
        standing.setdefault(node.node_pool or node.labels.get(labels.NODE_POOL, ""), []).append(node)
    missing = {name: max(0, pool.min_nodes - len(standing[name])) for name, pool in pools.items()}
    asked = asked_labels(problem)
    by_key: dict[_Key, list[decision_pb2.NodeClaim]] = {}
    for claim in decision.node_claims:
        key = (claim.node_pool, claim.instance_type, claim.region, claim.zone, claim.capacity_type)
        by_key.setdefault(key, []).append(claim)
    bought: dict[str, list[decision_pb2.NodeClaim]] = {name: [] for name in pools}
    for claim in decision.node_claims:
        bought.setdefault(claim.node_pool, []).append(claim)
    spare = {
        name: _spare(
            pool, [*(node.capacity for node in standing[name]), *(claim.capacity for claim in bought[name])]
        )
        for name, pool in pools.items()
    }
    counts = {key: len(claims) for key, claims in by_key.items()}
    sizes = {key: _amounts(claims[0].capacity) for key, claims in by_key.items()}
    largest = _largest_sizes(counts, sizes, spare)
    groups = []
    names: set[str] = set()
    for key, claims in by_key.items():
        first, pool = claims[0], pools.get(claims[0].node_pool)
        least = min(len(claims), missing.get(first.node_pool, 0))
        if least:
            missing[first.node_pool] -= least
        name = _name(first)
        if name in names:  # NodePools "a.b" and "a-b" are two
            name = f"{name}-{_digest(repr(key))}"
        names.add(name)
        groups.append(_group(name, first, len(claims), least, largest[key], pool, asked))
    return tuple(groups)


def _largest_sizes(
    counts: Mapping[_Key, int], sizes: Mapping[_Key, Mapping[str, int]], spare: dict[str, dict[str, int]]
) -> dict[_Key, int]:
    """Largest number of nodes of each group: `GROWTH` times its own, within what its NodePool allows.

    What a NodePool allows beyond the decision goes to its groups in turn, a node at a time.

    Parameters
    ----------
    sizes
        What a node of each group counts for, `_NODES` included.
    spare
        What each NodePool allows beyond the decision, by resource with a limit; used up here.
    """
    largest = dict(counts)
    growing = list(counts)
    while growing:
        still = []
        for key in growing:
            left = spare.get(key[0], {})
            size = sizes[key]
            is_grown = largest[key] >= counts[key] * GROWTH
            if is_grown or any(size.get(name, 0) > amount for name, amount in left.items()):
                continue
            largest[key] += 1
            for name in left:
                left[name] -= size.get(name, 0)
            still.append(key)
        growing = still
    return largest


def _spare(pool: problem_pb2.NodePool, capacities: Iterable[Mapping[str, str]]) -> dict[str, int]:
    """What a NodePool's limits leave beside its nodes of these capacities, by resource with a limit."""
    left = {name: parse_quantity(text, name) for name, text in pool.limits.items()}
    if pool.HasField("max_nodes"):
        left[_NODES] = pool.max_nodes
    for capacity in capacities:
        amounts = _amounts(capacity)
        for name in left:
            left[name] -= amounts.get(name, 0)
    return {name: max(0, amount) for name, amount in left.items()}


def _amounts(capacity: Mapping[str, str]) -> dict[str, int]:
    """Amounts of one node, and the node itself."""
    return {_NODES: 1} | {name: parse_quantity(text, name) for name, text in capacity.items()}


def _group(
    name: str,
    claim: decision_pb2.NodeClaim,
    count: int,
    least: int,
    most: int,
    pool: problem_pb2.NodePool | None,
    asked: frozenset[str],
) -> NodeGroup:
    own = dict(pool.labels) if pool is not None else {}
    found = {
        **own,
        **{key: value for key, value in claim.labels.items() if key in asked},
        labels.NODE_POOL: claim.node_pool,
        labels.CAPACITY_TYPE: claim.capacity_type,
    }
    node_class = pool.node_class if pool is not None else node_class_pb2.NodeClass()
    storage = claim.allocatable.get(EPHEMERAL_STORAGE)
    if node_class.uses_local_disks and LOCAL_DISK_LABEL in claim.labels:
        storage = None  # the pods' files lie on disks that come with the machine
    return NodeGroup(
        name=name,
        node_pool=claim.node_pool,
        instance_type=claim.instance_type,
        region=claim.region,
        zone=claim.zone,
        capacity_type=claim.capacity_type,
        price_microusd_per_hour=claim.price_microusd_per_hour,
        desired=count,
        min_size=least,
        max_size=most,
        labels=tuple(sorted((key, value) for key, value in found.items() if key not in _SET_BY_CLOUD)),
        taints=() if pool is None else tuple(_taints(pool)),
        arch=claim.labels.get(labels.ARCH, "amd64"),
        disk_bytes=parse_quantity(storage, EPHEMERAL_STORAGE) if storage else 0,
        gpu_count=parse_quantity(claim.allocatable.get("nvidia.com/gpu", "0"), "nvidia.com/gpu"),
        gpu_model=claim.labels.get(labels.GPU_MODEL, ""),
        accelerator=claim.labels.get("cloud.google.com/gke-accelerator", ""),
        max_pods=node_class.max_pods,
    )


def node_class_settings(pool: problem_pb2.NodePool) -> tuple[str, ...]:
    """What the NodePool's EC2NodeClass sets about its nodes, as fields of its spec; the root disk aside."""
    found = pool.node_class
    is_set = {
        "kubelet.maxPods": found.HasField("max_pods"),
        "kubelet.podsPerCore": found.pods_per_core > 0,
        "kubelet.kubeReserved": bool(found.kube_reserved),
        "kubelet.systemReserved": bool(found.system_reserved),
        "kubelet.evictionHard": bool(found.eviction_hard),
        "instanceStorePolicy": found.uses_local_disks,
        f"amiFamily {found.ami_family}": found.ami_family not in ("", AmiFamily.AL2023, AmiFamily.CUSTOM),
    }
    return tuple(field for field, is_it in is_set.items() if is_it)


def _taints(pool: problem_pb2.NodePool) -> Iterable[GroupTaint]:
    for taint in pool.taints:
        yield GroupTaint(taint.key, taint.value, taint.effect)
    for taint in pool.startup_taints:
        yield GroupTaint(taint.key, taint.value, taint.effect, is_startup=True)


def asked_labels(problem: problem_pb2.Problem) -> frozenset[str]:
    """Label keys that a pod or daemon of the problem selects its node by."""
    keys: set[str] = set()
    templates = [workload.template for workload in problem.workloads]
    templates += [daemon_set.template for daemon_set in problem.daemon_sets]
    for template in templates:
        keys.update(template.node_selector)
        terms = list(template.node_affinity.required)
        terms += [preferred.preference for preferred in template.node_affinity.preferred]
        keys.update(requirement.key for term in terms for requirement in term.match_expressions)
    return frozenset(keys)


def _name(claim: decision_pb2.NodeClaim) -> str:
    bought = "spot" if claim.capacity_type == CapacityType.SPOT else claim.capacity_type
    zone = claim.zone or claim.region or _ZONELESS
    text = "-".join((claim.node_pool, claim.instance_type, zone, bought))
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    # Terraform and Google want a letter first; a NodePool may begin with a digit.
    return name if name[:1].isalpha() else f"pool-{name}"


def fitted_name(name: str, limit: int) -> str:
    """The name itself, or where it is too long its beginning with a hash that keeps it unique.

    Examples
    --------
    >>> fitted_name("gpu-g4dn-xlarge", 40)
    'gpu-g4dn-xlarge'
    >>> fitted_name("general-m7i-flex-16xlarge-us-east-1a-on-demand", 20)
    'general-m7i-f-cdecb0'
    """
    if len(name) <= limit:
        return name
    return f"{name[: limit - _HASH_DIGITS - 1].rstrip('-')}-{_digest(name)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]


def only_region(groups: Sequence[NodeGroup], what: str) -> str:
    """The one region of all groups.

    Raises
    ------
    InputError
        If they lie in several: a cluster has one region.
    """
    regions = sorted({group.region for group in groups})
    if len(regions) > 1:
        raise InputError.of(
            what,
            f"describes the nodes of one region, but the decision buys in {', '.join(regions)}; "
            "solve for one --region at a time",
        )
    return regions[0]


def disk_gib(group: NodeGroup, least: int) -> int:
    """Root disk in GiB that leaves at least the group's allocatable storage to pods.

    The kubelet keeps 10 % of a disk for eviction and 1 GiB for itself, as the catalogue counts.

    >>> from dataclasses import replace
    >>> group = NodeGroup("g", "p", "m5.large", "us-east-1", "us-east-1a", "on-demand", 96_000, 1, 0, 2)
    >>> disk_gib(replace(group, disk_bytes=17 * 2**30), least=1)  # 20 GiB less 2 GiB less 1 GiB
    20
    """
    if not group.disk_bytes:
        return least
    return max(least, -(-(group.disk_bytes + _GIB) * 10 // (9 * _GIB)))

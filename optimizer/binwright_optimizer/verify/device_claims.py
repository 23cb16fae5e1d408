"""Device claims, as the verifier reads them: what a claim takes of a node, and where its pods may be.

A claim takes whole devices of one node. Those that pods share are counted once, and keep their pods on one
node; where running pods have the claim already, newcomers join them and take no further device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from binwright_optimizer.model import Device, ExistingNode, InstanceType, NodePool, Problem, labels
from binwright_optimizer.model.claims import DeviceClaim, DeviceRequest
from binwright_optimizer.model.devices import counted_by, shown_device
from binwright_optimizer.model.gpus import WHOLE_DEVICES
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.verify.device_selectors import passes
from binwright_optimizer.verify.final_state import FinalState, Finding, Node

ClaimName = tuple[str, str]
"""Namespace and name of a claim that pods share."""


@dataclass(frozen=True, slots=True)
class Claimable:
    """Devices of a node that claims may have.

    Parameters
    ----------
    resource
        Under which the devices are requested otherwise; empty without devices.
    total
        All devices of the node; those that ``allocationMode: All`` takes.
    within_reach
        Devices that one claim can have at most: all of a new node, those free on a running one.
    """

    device: Device | None = None
    resource: str = ""
    total: int = 0
    within_reach: int = 0


NOTHING = Claimable()


def claimable_of_type(kind: InstanceType, pool: NodePool) -> Claimable:
    """Devices of a node to be bought; replicas of devices cannot be claimed."""
    resource = counted_by(kind)
    if not resource or pool.gpu_sharing.is_replicated:
        return NOTHING
    total = kind.allocatable[resource]
    return Claimable(shown_device(kind), resource, total, total)


def claimable_of_node(problem: Problem, node: ExistingNode) -> Claimable:
    """Devices of a running node, known by its instance type."""
    name = dict(node.labels).get(labels.INSTANCE_TYPE)
    kind = next((kind for kind in problem.catalog.instance_types if kind.name == name), None)
    pool = next((pool for pool in problem.node_pools if pool.name == node.node_pool), None)
    resource = next((r for r in WHOLE_DEVICES if node.capacity[r] or node.free[r]), "")
    if kind is None or resource != counted_by(kind) or (pool and pool.gpu_sharing.is_replicated):
        return NOTHING
    total = max(node.capacity[resource], node.free[resource])
    free = max(0, node.free[resource] - sum(claims_of_running(problem, node).values()))
    return Claimable(shown_device(kind), resource, total, free)


def claims_of_running(problem: Problem, node: ExistingNode) -> Mapping[object, int]:
    """Devices that claims have on a node already: by shared claim, or by kind of running pods."""
    found: dict[object, int] = {}
    total = max((max(node.capacity[r], node.free[r]) for r in WHOLE_DEVICES), default=0)
    for number, pods in enumerate(node.pods):
        for claim in pods.template.device_claims:
            if claim.name:
                found[pods.namespace, claim.name] = _most(claim, total)
            else:
                found[number] = found.get(number, 0) + _most(claim, total) * pods.count
    for name, claim in _held(problem).allocated.get(node.name, {}).items():
        found.setdefault(name, _most(claim, total))
    return found


def _most(claim: DeviceClaim, total: int) -> int:
    """Most devices that a claim may have: which of its alternatives was taken is not told."""
    return sum(
        max(0 if request.is_admin else request.count or total for request in alternatives)
        for alternatives in claim.requests
    )


def devices_taken(claim: DeviceClaim, node: Claimable) -> int | None:
    """Devices of an otherwise empty node that a claim takes; None if the node cannot meet it.

    Of all choices among alternatives it is the first in order that fits.
    """
    if claim.missing:
        return None
    if not claim.requests:
        return 0  # nothing is to be allocated
    if node.device is None or any(name not in node.device.attributes for name in claim.match_attributes):
        return None
    ways = []
    for alternatives in claim.requests:
        wanted = [_taken(request, node.device, node) for request in alternatives]
        ways.append([number for number in wanted if number is not None])
    if not all(ways):
        return None
    left = node.within_reach - sum(map(min, ways))  # beyond the fewest that all of them need
    if left < 0:
        return None
    for way in ways:
        left -= next(number for number in way if number - min(way) <= left) - min(way)
    return node.within_reach - left


def _taken(request: DeviceRequest, device: Device, node: Claimable) -> int | None:
    if not all(passes(device, selector) for selector in request.selectors):
        return None
    wanted = request.count or node.total
    if not wanted or wanted > node.total:
        return None
    return 0 if request.is_admin else wanted


@dataclass(frozen=True, slots=True)
class _Held:
    """Shared claims that have their devices already.

    Parameters
    ----------
    running
        Nodes where running pods have them.
    allocated
        By node, those that are allocated there by what is said of them.
    """

    running: Mapping[ClaimName, frozenset[str]]
    allocated: Mapping[str, Mapping[ClaimName, DeviceClaim]]

    def nodes(self, name: ClaimName) -> frozenset[str]:
        """Nodes where a claim has devices."""
        found = self.running.get(name, frozenset())
        return found or frozenset(node for node, claims in self.allocated.items() if name in claims)


_known: WeakKeyDictionary[Problem, _Held] = WeakKeyDictionary()


def _held(problem: Problem) -> _Held:
    held = _known.get(problem)
    if held is None:
        running: dict[ClaimName, frozenset[str]] = {}
        allocated: dict[str, dict[ClaimName, DeviceClaim]] = {}
        for node in problem.existing_nodes:
            for pods in node.pods:
                for claim in pods.template.device_claims:
                    if claim.name:
                        name = pods.namespace, claim.name
                        running[name] = running.get(name, frozenset()) | {node.name}
        for workload in problem.workloads:
            for claim in workload.template.device_claims:
                if claim.node:
                    allocated.setdefault(claim.node, {})[workload.namespace, claim.name] = claim
        held = _known[problem] = _Held(running, allocated)
    return held


def claims_held(problem: Problem, name: ClaimName) -> frozenset[str]:
    """Running nodes where a shared claim has its devices already."""
    return _held(problem).nodes(name)


def is_held_on(problem: Problem, namespace: str, claim: DeviceClaim, node: ExistingNode | None) -> bool:
    """Whether a shared claim has its devices on a running node already."""
    return bool(node and claim.name) and node.name in _held(problem).nodes((namespace, claim.name))  # type: ignore[union-attr]


def check_device_claims(state: FinalState) -> Iterator[Finding]:
    """Placed pods whose claims their node does not meet, and shared claims on more than one node."""
    problem = state.problem
    users: dict[ClaimName, set[int]] = {}
    offered: dict[int, Claimable] = {}
    pools = {pool.name: pool for pool in problem.node_pools}
    for n, pods in state.ranges:
        workload = problem.workloads[pods.workload]
        node = state.nodes[n]
        for claim in workload.template.device_claims:
            if claim.name:
                users.setdefault((workload.namespace, claim.name), set()).add(n)
            if is_held_on(problem, workload.namespace, claim, node.existing):
                continue
            if n not in offered:
                offered[n] = _claimable(problem, node, pools)
            if devices_taken(claim, offered[n]) is None:
                yield Finding(
                    Rule.DEVICE_CLAIMS,
                    f"claim {claim.label} of pod {workload.pod_name(pods.first)} is not met by the devices "
                    f"of {node.name}",
                )
    for (namespace, name), where in sorted(users.items()):
        names = {_plain_name(state.nodes[n]) for n in where}
        held = claims_held(problem, (namespace, name))
        if len(where) > 1 or (held and not names <= held):
            everywhere = ", ".join(sorted(names | held))
            yield Finding(
                Rule.DEVICE_CLAIMS, f"claim {namespace}/{name} is of one node, its pods are on {everywhere}"
            )


def _plain_name(node: Node) -> str:
    return node.name if node.existing is None else node.existing.name


def _claimable(problem: Problem, node: Node, pools: Mapping[str, NodePool]) -> Claimable:
    if node.existing is not None:
        return claimable_of_node(problem, node.existing)
    pool = pools.get(node.claim.node_pool) if node.claim else None
    return NOTHING if node.kind is None or pool is None else claimable_of_type(node.kind, pool)

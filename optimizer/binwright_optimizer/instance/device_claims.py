"""Device claims in the instance: which nodes meet them, and what they take there.

Where a claim takes the same number of devices of one maker on every node that meets it, it is nothing
but a request for whole devices (`ClaimedDevices.lowered`). What it takes may also differ, for all devices
of a node or by alternatives: nodes are then told apart by *sorts*, on each of which every claim takes one
number, and each sort has a resource of its own, of which nodes of other sorts have plenty. So patterns
stay sums, and bounds know them. Claims that pods share are taken once for each bundle of those pods, see
`bundles`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache

from binwright_optimizer.instance.device_selectors import admits
from binwright_optimizer.model import (
    Device,
    ExistingNode,
    InstanceType,
    NodePool,
    PodTemplate,
    Problem,
    Resources,
    labels,
)
from binwright_optimizer.model.claims import DeviceClaim, DeviceRequest
from binwright_optimizer.model.devices import counted_by, shown_device
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.gpus import WHOLE_DEVICES
from binwright_optimizer.model.resources import NVIDIA_GPU
from binwright_optimizer.model.templates import templates_of

Claims = tuple[DeviceClaim, ...]
ClaimName = tuple[str, str]
"""Namespace and name of a claim that pods share."""

SORT = "devices-of-sort-"
"""Begins the name of the resource of a sort: thousandths of devices. No Kubernetes resource is called so."""


@dataclass(frozen=True, slots=True)
class NodeView:
    """Devices of a node that claims may have.

    Parameters
    ----------
    resource
        Under which the devices are requested otherwise; empty without devices to claim.
    total
        All devices of the node.
    reach
        Devices that claims can have at most: all of a new node, those free on a running one.
    """

    resource: str = ""
    device: Device | None = None
    total: int = 0
    reach: int = 0

    @classmethod
    def of_type(cls, kind: InstanceType, pool: NodePool) -> NodeView:
        """Devices of a node to be bought; replicas of devices cannot be claimed."""
        resource = counted_by(kind)
        if not resource or pool.gpu_sharing.is_replicated:
            return cls()
        total = kind.allocatable[resource]
        return cls(resource, shown_device(kind), total, total)

    def refusal(self, claim: DeviceClaim) -> str:
        """Why the node does not meet a claim by itself; empty if it does."""
        if claim.missing:
            return f"claim {claim.label}: {claim.missing}"
        if not claim.requests:
            return ""
        if self.device is None:
            return f"claim {claim.label}: the node has no devices that can be claimed"
        for name in claim.match_attributes:
            if name not in self.device.attributes:
                return f"claim {claim.label}: {name}, which must match, is not known before a node exists"
        for alternatives in claim.requests:
            if all(self._taken(request) is None for request in alternatives):
                return f"claim {claim.label}, request {_request_refusal(alternatives, self)}"
        if self.taken(claim) is None:
            return f"claim {claim.label}: all its requests together need more than {self.reach} devices"
        return ""

    def taken(self, claim: DeviceClaim) -> int | None:
        """Devices that a claim takes if nothing new is on the node; None if it is not met."""
        if claim.missing:
            return None
        if not claim.requests:
            return 0  # nothing is to be allocated
        if self._lacks(claim):
            return None

        @cache
        def rest(k: int, left: int) -> int | None:
            """Devices of the requests from ``k`` on, each by its first alternative that leaves enough."""
            if k == len(claim.requests):
                return 0
            for request in claim.requests[k]:
                mine = self._taken(request)
                if mine is not None and mine <= left:
                    others = rest(k + 1, left - mine)
                    if others is not None:
                        return mine + others
            return None

        return rest(0, self.reach)

    def _lacks(self, claim: DeviceClaim) -> bool:
        """Whether there are no devices, or they lack an attribute that must match."""
        device = self.device
        return device is None or any(name not in device.attributes for name in claim.match_attributes)

    def taken_together(self, claims: Claims) -> int | None:
        """Devices that several claims take; None if they are not met together."""
        total = 0
        for claim in claims:
            mine = self.taken(claim)
            if mine is None:
                return None
            total += mine
        return total if total <= self.reach else None

    def _taken(self, request: DeviceRequest) -> int | None:
        assert self.device is not None
        wanted = request.count or self.total
        if not 0 < wanted <= self.total or not admits(request.selectors, self.device):
            return None
        return 0 if request.is_admin else wanted


def _request_refusal(alternatives: Iterable[DeviceRequest], view: NodeView) -> str:
    assert view.device is not None
    reasons = []
    for request in alternatives:
        if admits(request.selectors, view.device):
            reasons.append(f"{request.name}: wants {request.count} devices of one node")
        else:
            unknown = sorted(
                {name for s in request.selectors for name in s.expression.names()}
                - {*view.device.attributes, *view.device.capacity}
            )
            known = [name for name in unknown if name.startswith(f"{view.device.driver}/")]
            hint = f" ({', '.join(known)} is not known before a node exists)" if known else ""
            reasons.append(f"{request.name}: its selectors refuse the devices{hint}")
    return ", or ".join(dict.fromkeys(reasons))


@dataclass(slots=True)
class SharedClaim:
    """A claim that pods share.

    Parameters
    ----------
    workloads
        Those whose pods have it.
    nodes
        Running nodes where it has its devices already; empty if it has none.
    is_elsewhere
        Whether it has them on a node that is not among those of the problem: its pods have no place.
    """

    claim: DeviceClaim
    workloads: list[int] = field(default_factory=list)
    nodes: frozenset[int] = frozenset()
    is_elsewhere: bool = False


def own_claims(template: PodTemplate) -> Claims:
    """Claims of a pod that it shares with no other."""
    return tuple(claim for claim in template.device_claims if not claim.name)


def claim_names(template: PodTemplate, namespace: str) -> tuple[ClaimName, ...]:
    """Claims of a pod that it shares."""
    return tuple((namespace, claim.name) for claim in template.device_claims if claim.name)


class ClaimedDevices:
    """What the claims of one problem take of its nodes."""

    def __init__(self, problem: Problem) -> None:
        templates = templates_of(problem)
        running = [pods.template for node in problem.existing_nodes for pods in node.pods]
        self._problem = problem
        self._lowered: dict[int, tuple[PodTemplate, PodTemplate]] = {}
        self._number: dict[tuple[Claims, int], int | None] = {}  # by identity of views, which are kept
        self._sorts: dict[tuple[object, ...], int] = {}
        self._varying: tuple[Claims, ...] = ()
        self._views: tuple[NodeView, ...] = ()
        self.shared: dict[ClaimName, SharedClaim] = {}
        self.is_empty = not any(t.device_claims for t in templates)
        self._has_running = any(template.device_claims for template in running)
        self._node_views = [NodeView()] * len(problem.existing_nodes)
        if self.is_empty:
            return
        self._read_shared()
        kinds = problem.catalog.instance_types
        pools = {pool.gpu_sharing.is_replicated: pool for pool in problem.node_pools}
        views = {is_r: [NodeView.of_type(kind, pool) for kind in kinds] for is_r, pool in pools.items()}
        self._of_type = views
        self._node_views = [self._view_of_node(n) for n in range(len(problem.existing_nodes))]
        everything = [view for mine in views.values() for view in mine] + self._node_views
        self._kept = everything
        self._views = tuple(dict.fromkeys(view for view in everything if view.resource))
        units = {own_claims(template) for template in templates}
        units |= {(shared.claim,) for shared in self.shared.values()}
        self._varying = tuple(sorted((c for c in units if c and self._base(c) is None), key=repr))
        for view in self._views if self._varying else ():
            self._sorts.setdefault(self._profile(view), len(self._sorts))

    def _read_shared(self) -> None:
        problem = self._problem
        position = {node.name: n for n, node in enumerate(problem.existing_nodes)}
        for w, workload in enumerate(problem.workloads):
            for claim in workload.template.device_claims:
                if claim.name and workload.replicas:
                    known = self.shared.setdefault((workload.namespace, claim.name), SharedClaim(claim))
                    known.workloads.append(w)
                    if claim.node in position:
                        known.nodes |= {position[claim.node]}
                    known.is_elsewhere |= bool(claim.node) and claim.node not in position
        for name, shared in self.shared.items():
            where = [
                n
                for n, node in enumerate(problem.existing_nodes)
                for pods in node.pods
                if name in claim_names(pods.template, pods.namespace)
            ]
            shared.nodes = frozenset(where) or shared.nodes
            shared.is_elsewhere &= not shared.nodes

    # --- nodes

    def free(self, n: int) -> Resources:
        """What is free on a running node, less the devices that claims have there."""
        node = self._problem.existing_nodes[n]
        taken = self._claimed_on(n) if self._has_running or self.shared else 0
        if not taken:
            return node.free
        resource = _resource_of(node)
        left = max(0, node.free[resource] - taken)
        return Resources.of({**dict(node.free), resource: left}) if resource else node.free

    def _claimed_on(self, n: int) -> int:
        """Devices that claims have on a running node; of alternatives, the most that may have been taken."""
        node = self._problem.existing_nodes[n]
        resource = _resource_of(node)
        total = max(node.capacity[resource], node.free[resource]) if resource else 0
        once: dict[ClaimName, DeviceClaim] = {}
        taken = 0
        for pods in node.pods:
            for claim in pods.template.device_claims:
                if claim.name:
                    once[pods.namespace, claim.name] = claim
                else:
                    taken += pods.count * _most_taken(claim, total)
        for name, shared in self.shared.items():
            if n in shared.nodes and shared.claim.node == node.name:
                once.setdefault(name, shared.claim)
        return taken + sum(_most_taken(claim, total) for claim in once.values())

    def _view_of_node(self, n: int) -> NodeView:
        node = self._problem.existing_nodes[n]
        name = dict(node.labels).get(labels.INSTANCE_TYPE)
        kind = next((kind for kind in self._problem.catalog.instance_types if kind.name == name), None)
        pool = next((pool for pool in self._problem.node_pools if pool.name == node.node_pool), None)
        resource = _resource_of(node)
        if kind is None or not resource or resource != counted_by(kind):
            return NodeView()
        if pool is not None and pool.gpu_sharing.is_replicated:
            return NodeView()
        total = max(node.capacity[resource], node.free[resource])
        return NodeView(resource, shown_device(kind), total, self.free(n)[resource])

    def view_of_type(self, t: int, pool: NodePool) -> NodeView:
        """Devices of a node of type ``t`` in a NodePool."""
        return self._of_type[pool.gpu_sharing.is_replicated][t]

    def view_of_node(self, n: int) -> NodeView:
        """Devices of a running node."""
        return self._node_views[n]

    def view_code(self, view: NodeView) -> int:
        """A number by which nodes with different devices are told apart."""
        return self._views.index(view) if view.resource else -1

    # --- what claims take

    def taken(self, claims: Claims, view: NodeView) -> int | None:
        """Devices that claims take of an otherwise empty node; None if it does not meet them."""
        key = claims, id(view)
        if key not in self._number:
            self._number[key] = view.taken_together(claims)
        return self._number[key]

    def meets(self, name: ClaimName, view: NodeView, node: int = -1) -> bool:
        """Whether a node meets a shared claim, or has its devices already."""
        shared = self.shared[name]
        if shared.nodes or shared.is_elsewhere:
            return node in shared.nodes
        return self.taken((shared.claim,), view) is not None

    def refusals(self, template: PodTemplate, namespace: str, view: NodeView, node: int = -1) -> list[str]:
        """Why a node does not meet the claims of a pod, one by one."""
        found = []
        for claim in template.device_claims:
            shared = self.shared[namespace, claim.name] if claim.name else None
            if shared is None or not (shared.nodes or shared.is_elsewhere):
                found.append(view.refusal(claim))
            elif node not in shared.nodes:
                names = [self._problem.existing_nodes[n].name for n in sorted(shared.nodes)] or [claim.node]
                found.append(f"claim {claim.label} has its devices on {', '.join(names)}")
        return [reason for reason in found if reason]

    def _base(self, claims: Claims) -> tuple[str, int] | None:
        """Resource and number of devices, if they are the same wherever claims are met."""
        found = {(v.resource, n) for v in self._views if (n := self.taken(claims, v)) is not None}
        if not any(n for _, n in found):
            return NVIDIA_GPU, 0
        return found.pop() if len(found) == 1 else None

    def lowered(self, template: PodTemplate) -> PodTemplate:
        """The pod with claims of its own as requests, as far as they are; then it has no shares of GPUs."""
        if not template.device_claims:
            return template
        known = self._lowered.get(id(template))
        if known is None:
            base = self._base(own_claims(template)) if own_claims(template) else None
            requests = template.requests
            if base is not None:
                requests = requests + Resources.of({base[0]: base[1]})
            # The template is kept beside it, so that its identity is not given to another.
            known = self._lowered[id(template)] = (
                template,
                replace(template, requests=requests, gpu_share=None),
            )
        return known[1]

    def columns(self, template: PodTemplate, of_gpus: int) -> Resources:
        """What a pod takes of the resource of each sort.

        Parameters
        ----------
        of_gpus
            Thousandths of NVIDIA's devices that it takes beside claims which differ.
        """
        return self._sort_amounts(self.lowered(template).requests, own_claims(template), of_gpus)

    def _sort_amounts(self, requests: Resources, claims: Claims, of_gpus: int) -> Resources:
        amounts: dict[str, int] = {}
        for view in self._views if self._varying else ():
            plain = of_gpus if view.resource == NVIDIA_GPU else WHOLE_GPU_MILLI * requests[view.resource]
            varying = (self.taken(claims, view) or 0) if claims in self._varying else 0
            amounts[f"{SORT}{self._sorts[self._profile(view)]}"] = plain + WHOLE_GPU_MILLI * varying
        return Resources.of(amounts)

    def once(self, name: ClaimName) -> tuple[Resources, Resources]:
        """Requests that a shared claim comes to, and what it takes of the resources of sorts beside them."""
        shared = self.shared[name]
        if shared.nodes:
            return Resources(), Resources()
        claims = (shared.claim,)
        base = self._base(claims)
        requests = Resources.of({base[0]: base[1]}) if base is not None else Resources()
        return requests, self._sort_amounts(requests, claims, WHOLE_GPU_MILLI * requests[NVIDIA_GPU])

    # --- sorts

    def _profile(self, view: NodeView) -> tuple[object, ...]:
        return (view.resource, *(self.taken(claims, view) for claims in self._varying))

    def sort(self, view: NodeView) -> int:
        """Number of the sort of a node; -1 if sorts are not told apart, or it has no devices."""
        return self._sorts.get(self._profile(view), -1) if view.resource else -1

    @property
    def sort_columns(self) -> tuple[str, ...]:
        """Resources of the sorts."""
        return tuple(f"{SORT}{sort}" for sort in sorted(self._sorts.values()))


def _resource_of(node: ExistingNode) -> str:
    """The resource that counts a running node's devices; empty without any."""
    return next((name for name in WHOLE_DEVICES if node.capacity[name] or node.free[name]), "")


def _most_taken(claim: DeviceClaim, total: int) -> int:
    return sum(
        max(0 if request.is_admin else (request.count or total) for request in alternatives)
        for alternatives in claim.requests
    )

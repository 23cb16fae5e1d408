"""Checks of where the pods go: each rule of a problem is one function and one finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from binwright_optimizer.model import CapacityType, Decision, NodeClaim, PodRange, Problem, Resources, labels
from binwright_optimizer.model.resources import PODS
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.unenforced import WAIVED
from binwright_optimizer.verify.constraints import check_constraints
from binwright_optimizer.verify.gpu_devices import (
    DeviceContent,
    any_asks_for_mig,
    counted_requests,
    device_findings,
    parted_claims,
    room_of_node,
    room_of_type,
)
from binwright_optimizer.verify.held import commitment_findings, offering_on_commitments
from binwright_optimizer.verify.market import market
from binwright_optimizer.verify.nodes import lacking, limits_slots
from binwright_optimizer.verify.offerings import offering_columns
from binwright_optimizer.verify.purchase import NODES, is_custom_key, pool_terms
from binwright_optimizer.verify.shapes import NodeShape, ShapeIndex, pod_refusal


def check_placement(
    problem: Problem, decision: Decision, waived: frozenset[Rule] = WAIVED
) -> tuple[str, ...]:
    """Violations of the problem's rules by the decision's nodes and pods; empty if there are none.

    Rules that are ``waived`` are not looked at: by default those that decisions say they do not hold.
    """
    findings = [*_pod_ranges(problem, decision)]
    if findings:
        return tuple(findings)  # the other checks need ranges that exist
    index = ShapeIndex(problem)
    pods = _Pods(problem)
    findings += _coverage(problem, decision)
    findings += _names(decision)
    claims = _Claims(problem, index, pods)
    for claim in decision.node_claims:
        findings += claims.findings(claim)
    findings += _existing_nodes(problem, pods, decision)
    findings += _supply(problem, index, decision)
    findings += commitment_findings(problem, decision)
    findings += _limits(problem, index, decision)
    findings += _minimums(problem, decision)
    findings += check_constraints(problem, decision, waived)
    findings += parted_claims(problem, decision)
    return tuple(findings)


class _Pods:
    """Requests and placements of workloads."""

    def __init__(self, problem: Problem) -> None:
        self._workloads = problem.workloads
        classes = market(problem).classes
        self.templates = classes.placements
        self._placement_of = classes.placement_of[classes.class_of].tolist()

    def requests(self, ranges: Iterable[PodRange]) -> Resources:
        """Requests of these pods, their slots included."""
        total: dict[str, int] = {PODS: 0}
        for pods in ranges:
            total[PODS] += pods.count
            for name, amount in self._workloads[pods.workload].template.requests.amounts:
                total[name] = total.get(name, 0) + amount * pods.count
        return Resources(tuple(sorted((name, amount) for name, amount in total.items() if amount)))

    def placements(self, ranges: Iterable[PodRange]) -> dict[int, int]:
        """Distinct placements of these pods, each with the first workload that has it."""
        first: dict[int, int] = {}
        for pods in ranges:
            first.setdefault(self._placement_of[pods.workload], pods.workload)
        return first


def _all_ranges(decision: Decision) -> Iterator[PodRange]:
    for claim in decision.node_claims:
        yield from claim.pods
    for placement in decision.existing_placements:
        yield from placement.pods
    for entry in decision.unschedulable:
        yield entry.pods


def _pod_ranges(problem: Problem, decision: Decision) -> Iterator[str]:
    for pods in _all_ranges(decision):
        if not 0 <= pods.workload < len(problem.workloads):
            yield f"pods {pods} name workload {pods.workload}, which does not exist"
        elif pods.count < 1 or pods.first < 0:
            yield f"pods {pods} are no range of pods"
        elif pods.first + pods.count > problem.workloads[pods.workload].replicas:
            workload = problem.workloads[pods.workload]
            yield f"pods {pods} reach beyond the {workload.replicas} replicas of {workload.name}"


def _coverage(problem: Problem, decision: Decision) -> Iterator[str]:
    by_workload: dict[int, list[tuple[int, int]]] = {w: [] for w in range(len(problem.workloads))}
    for pods in _all_ranges(decision):
        by_workload[pods.workload].append((pods.first, pods.first + pods.count))
    for w, spans in by_workload.items():
        workload = problem.workloads[w]
        reached = 0
        for start, end in sorted(spans):
            if start > reached:
                yield f"pod {workload.pod_name(reached)} is neither placed nor listed as unschedulable"
            elif start < reached:
                yield f"pod {workload.pod_name(start)} is placed or listed more than once"
            reached = max(reached, end)
        if reached < workload.replicas:
            yield f"pod {workload.pod_name(reached)} is neither placed nor listed as unschedulable"


def _names(decision: Decision) -> Iterator[str]:
    for name, count in Counter(claim.name for claim in decision.node_claims).items():
        if count > 1:
            yield f"node claim name {name} is used {count} times"
    for name, count in Counter(placement.node for placement in decision.existing_placements).items():
        if count > 1:
            yield f"existing node {name} is listed {count} times"


class _Claims:
    """Findings of NodeClaims; claims that state the same about the same kinds of pods share them.

    Sharing goes by the identity of what a claim states, which is alive as long as the decision
    is, and by the value of what its pods request.
    """

    def __init__(self, problem: Problem, index: ShapeIndex, pods: _Pods) -> None:
        self._problem = problem
        self._index = index
        self._pods = pods
        self._known: dict[tuple[object, ...], tuple[str, ...]] = {}
        templates = [workload.template for workload in problem.workloads]
        self._has_parts = any(t.gpu_share is not None or t.device_claims for t in templates)
        self._has_parts |= any_asks_for_mig(templates)

    def findings(self, claim: NodeClaim) -> Iterator[str]:
        """What is wrong with one claim."""
        requests = self._pods.requests(claim.pods)
        placements = self._pods.placements(claim.pods)
        content = None
        if claim.devices or self._has_parts:
            shape = _shape(self._problem, self._index, claim)
            if not isinstance(shape, str):
                room = room_of_type(shape.kind, shape.pool, shape.overhead)
                workloads = self._problem.workloads
                for finding in device_findings(workloads, claim.pods, claim.devices, room):
                    yield f"node claim {claim.name}: {finding}"
                requests = counted_requests(requests, claim.devices, room)
                content = DeviceContent.of(workloads, claim.pods, claim.devices, room)
        key = (
            content,
            claim.node_pool,
            claim.instance_type,
            claim.region,
            claim.zone,
            claim.capacity_type,
            claim.price_microusd_per_hour,
            claim.covers,
            id(claim.labels),
            id(claim.requests),
            id(claim.allocatable),
            id(claim.daemon_overhead),
            id(claim.alternatives),
            requests.amounts,
            tuple(placements),
        )
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = tuple(self._check(claim, requests, placements, content))
        for finding in known:
            yield f"node claim {claim.name}: {finding}"

    def _check(
        self,
        claim: NodeClaim,
        requests: Resources,
        placements: dict[int, int],
        content: DeviceContent | None,
    ) -> Iterator[str]:
        shape = _shape(self._problem, self._index, claim)
        if isinstance(shape, str):
            yield shape
            return
        refusal = shape.pool_refusal()
        if refusal:
            yield refusal
        yield from _labels(shape, claim)
        yield from _amounts(shape, requests, claim)
        for placement, workload in placements.items():
            reason = shape.refusal(placement, self._pods.templates[placement])
            if reason:
                yield f"{self._problem.workloads[workload].name} may not run there: {reason}"
        yield from _alternatives(self._index, shape, self._pods, claim, requests, placements, content)


def _shape(problem: Problem, index: ShapeIndex, claim: NodeClaim) -> NodeShape | str:
    """What the claim buys, or why there is no such thing."""
    pool = index.pools.get(claim.node_pool)
    if pool is None:
        return f"NodePool {claim.node_pool} does not exist"
    kind = index.types.get(claim.instance_type)
    if kind is None:
        return f"instance type {claim.instance_type} does not exist"
    where = f"{claim.region}/{claim.zone}/{claim.capacity_type.value}"
    sold = index.offerings(kind, claim.region, claim.zone, claim.capacity_type)
    if claim.covers:
        bought = offering_on_commitments(problem, claim, sold)
        if isinstance(bought, str):
            return f"{kind.name} in {where}: {bought}"
    elif not sold:
        return f"{kind.name} is not offered in {where}"
    else:
        at_price = [o for o in sold if o.price_microusd_per_hour == claim.price_microusd_per_hour]
        if not at_price:
            prices = ", ".join(str(o.price_microusd_per_hour) for o in sold)
            return f"{kind.name} in {where} costs {prices}, not {claim.price_microusd_per_hour}"
        bought = at_price[0]
    defined = offering_columns(problem.catalog).defined_keys
    asked = {r.key for r in pool.requirements}
    custom = tuple(
        (key, value) for key, value in claim.labels if key in asked and is_custom_key(key, pool, defined)
    )
    return index.shape(pool, kind, bought, custom)


def _labels(shape: NodeShape, claim: NodeClaim) -> Iterator[str]:
    claimed = dict(claim.labels)
    if tuple(sorted(claimed.items())) != claim.labels:
        yield "labels are not sorted and distinct"
    for key in sorted(claimed.keys() | shape.labels.keys()):
        expected, found = shape.labels.get(key), claimed.get(key)
        if expected != found:
            yield f"label {key} is {found}, should be {expected}"


def _amounts(shape: NodeShape, requests: Resources, claim: NodeClaim) -> Iterator[str]:
    has_slots = limits_slots(shape.allocatable, shape.pool.capacity_of(shape.kind))
    for what, claimed, expected in (
        ("requests", claim.requests, requests),
        ("allocatable", claim.allocatable, shape.allocatable),
        ("daemon overhead", claim.daemon_overhead, shape.overhead),
    ):
        if _comparable(claimed, has_slots) != _comparable(expected, has_slots):
            yield f"{what} are stated as {dict(claimed)}, should be {dict(expected)}"
    for name in shape.lacking(requests):
        used = (requests + shape.overhead)[name]
        yield f"pods and daemons request {used} of {name}, {shape.allocatable[name]} are allocatable"


def _comparable(amounts: Resources, has_slots: bool) -> Resources:
    """Amounts without pod slots where the node does not limit them."""
    return amounts if has_slots else Resources(tuple((n, a) for n, a in amounts if n != PODS))


def _alternatives(
    index: ShapeIndex,
    shape: NodeShape,
    pods: _Pods,
    claim: NodeClaim,
    requests: Resources,
    placements: dict[int, int],
    content: DeviceContent | None,
) -> Iterator[str]:
    if not claim.alternatives:
        return
    first = claim.alternatives[0]
    if (first.instance_type, first.price_microusd_per_hour) != (
        claim.instance_type,
        claim.price_microusd_per_hour,
    ):
        yield f"the first alternative is {first.instance_type}, not the chosen {claim.instance_type}"
    prices = [alternative.price_microusd_per_hour for alternative in claim.alternatives]
    if prices != sorted(prices):
        yield "alternatives are not sorted by price"
    if len({alternative.instance_type for alternative in claim.alternatives}) < len(claim.alternatives):
        yield "alternatives repeat an instance type"
    if claim.covers:
        if len(claim.alternatives) > 1:
            yield "there are no alternatives to what a commitment pays for"
        return
    custom = tuple((key, value) for key, value in claim.labels if _is_chosen(shape, key))
    own = room_of_type(shape.kind, shape.pool, shape.overhead) if content else None
    for alternative in claim.alternatives:
        name = alternative.instance_type
        kind = index.types.get(name)
        if kind is None:
            yield f"alternative {name} does not exist"
            continue
        sold = index.offerings(kind, claim.region, claim.zone, claim.capacity_type)
        at_price = [o for o in sold if o.price_microusd_per_hour == alternative.price_microusd_per_hour]
        if not at_price:
            yield f"alternative {name} is not offered there at {alternative.price_microusd_per_hour}"
            continue
        other = index.shape(shape.pool, kind, at_price[0], custom)
        reason = other.pool_refusal() or next(
            (r for p in placements if (r := other.refusal(p, pods.templates[p]))), ""
        )
        if reason:
            yield f"alternative {name} may not hold these pods: {reason}"
        elif other.lacking(requests):
            yield f"alternative {name} does not hold these pods: too little {other.lacking(requests)[0]}"
        elif (
            own is not None
            and content
            and not content.fits(room_of_type(kind, shape.pool, other.overhead), own)
        ):
            yield f"alternative {name} does not hold these pods on its devices"


def _is_chosen(shape: NodeShape, key: str) -> bool:
    """Whether the decision chose the value of a label, rather than pool, type or offering."""
    given = {labels.REGION, labels.ZONE, labels.CAPACITY_TYPE, labels.NODE_POOL}
    return not (key in given or key in dict(shape.kind.labels) or key in dict(shape.pool.labels))


def _existing_nodes(problem: Problem, pods: _Pods, decision: Decision) -> Iterator[str]:
    nodes = {node.name: node for node in problem.existing_nodes}
    for placement in decision.existing_placements:
        prefix = f"existing node {placement.node}: "
        node = nodes.get(placement.node)
        if node is None:
            yield prefix + "does not exist"
            continue
        carried = {labels.HOSTNAME: node.name, **dict(node.labels)}
        for p, workload in pods.placements(placement.pods).items():
            reason = pod_refusal(pods.templates[p], carried, node.taints, is_new=False)
            if reason:
                yield f"{prefix}{problem.workloads[workload].name} may not run there: {reason}"
        requests = pods.requests(placement.pods)
        room = room_of_node(problem, node)
        for finding in device_findings(problem.workloads, placement.pods, placement.devices, room):
            yield prefix + finding
        if placement.devices:  # these are compared device by device
            requests = Resources.of({n: a for n, a in requests if n != room.resource})
        for name in lacking(requests, node.free, node.capacity):
            yield f"{prefix}pods request {requests[name]} of {name}, {node.free[name]} are free"


def _supply(problem: Problem, index: ShapeIndex, decision: Decision) -> Iterator[str]:
    bought: Counter[tuple[str, str, str, CapacityType, int]] = Counter()
    reserved = {held.name for held in problem.reservations}
    for claim in decision.node_claims:
        kind = index.types.get(claim.instance_type)
        sold = index.offerings(kind, claim.region, claim.zone, claim.capacity_type) if kind else []
        price = claim.price_microusd_per_hour
        if claim.covers:  # a discount does not make more nodes available; what is kept for us is there
            if claim.capacity_type is CapacityType.RESERVED:
                continue
            offering = offering_on_commitments(problem, claim, sold)
            if not isinstance(offering, str):
                of_reservation = claim.covers[0].commitment in reserved
                price = (sold[0] if of_reservation else offering).price_microusd_per_hour
        bought[claim.instance_type, claim.region, claim.zone, claim.capacity_type, price] += 1
    for (name, region, zone, capacity_type, price), count in bought.items():
        kind = index.types.get(name)
        for o in index.offerings(kind, region, zone, capacity_type) if kind else ():
            is_same = o.price_microusd_per_hour == price
            if is_same and o.available is not None and count > o.available:
                where = f"{region}/{zone}/{capacity_type.value}"
                yield f"{count} nodes of {name} in {where} are bought, {o.available} are available"


def _limits(problem: Problem, index: ShapeIndex, decision: Decision) -> Iterator[str]:
    for terms in pool_terms(problem):
        mine = [claim for claim in decision.node_claims if claim.node_pool == terms.name]
        for name, room in terms.room.items():
            if name == NODES:
                used = len(mine)
            else:
                kinds = (index.types.get(claim.instance_type) for claim in mine)
                pool = index.pools[terms.name]
                used = sum(pool.capacity_of(kind)[name] for kind in kinds if kind)
            if used > room:
                yield f"NodePool {terms.name}: {used} of {name} are bought, its limit leaves {room}"


def _minimums(problem: Problem, decision: Decision) -> Iterator[str]:
    count = Counter(claim.node_pool for claim in decision.node_claims)
    for terms in pool_terms(problem):
        if count[terms.name] < terms.missing:
            yield (
                f"NodePool {terms.name}: {count[terms.name]} nodes are bought, "
                f"its minimum needs {terms.missing} more than exist"
            )

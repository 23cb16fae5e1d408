"""Decisions written by hand: which nodes are bought, and how many pods of each workload go where.

A worked example, on a problem with a workload ``web`` of three pods::

    decided(question, [bought("small", web=2), bought("small", zone="zone-b", web=1)])

Labels, amounts and costs are stated as they should be; pods that no node names are unschedulable. The
bound is 0, so that nothing has to be proven.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from binwright_optimizer.accelerators import accelerator_uses
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import (
    Alternative,
    CapacityType,
    Certificate,
    Decision,
    DeviceUse,
    ExistingPlacement,
    InstanceType,
    NodeClaim,
    Offering,
    PodRange,
    Problem,
    Refusal,
    Resources,
    SolutionStatus,
    StopReason,
    Unschedulable,
)
from binwright_optimizer.model.rules import Rule
from binwright_optimizer.penalties import interruption_cost, penalties_of
from binwright_optimizer.pod_wishes import PodWishes, has_pod_wishes
from binwright_optimizer.verify import check_placement
from brute_force import (
    Node,
    Option,
    Placement,
    Pod,
    daemon_overhead,
    devices_by_pod,
    existing_nodes,
    node_labels,
    options,
)
from brute_force.commitments import kept_for_us
from builders import REGION, ZONE
from claims_by_hand import MAKERS

EVERY_RULE: frozenset[Rule] = frozenset()
"""What to waive so that every rule is looked at."""


@dataclass(frozen=True)
class Bought:
    """One node to buy; ``pods`` by name of their workload."""

    instance_type: str
    zone: str
    capacity_type: str
    pool: str
    region: str
    custom: tuple[tuple[str, str], ...]
    alternatives: tuple[str, ...]
    pods: tuple[tuple[str, int], ...]


def bought(
    instance_type: str,
    *,
    zone: str = ZONE,
    capacity_type: str = "on-demand",
    pool: str = "default",
    region: str = REGION,
    custom: Mapping[str, str] | None = None,
    alternatives: Sequence[str] = (),
    **pods: int,
) -> Bought:
    """A node with these pods; underscores in names of workloads stand for hyphens."""
    return Bought(
        instance_type,
        zone,
        capacity_type,
        pool,
        region,
        tuple(sorted((custom or {}).items())),
        tuple(alternatives),
        tuple((name.replace("_", "-"), count) for name, count in pods.items()),
    )


def decided(
    question: Problem, nodes: Sequence[Bought] = (), existing: Mapping[str, Mapping[str, int]] | None = None
) -> Decision:
    """The decision that buys these nodes and puts so many pods of each workload on existing ones."""
    index = {workload.name: w for w, workload in enumerate(question.workloads)}
    used = [0] * len(question.workloads)

    def take(counts: Sequence[tuple[str, int]]) -> tuple[PodRange, ...]:
        ranges = []
        for name, count in counts:
            if count:
                w = index[name]
                ranges.append(PodRange(w, used[w], count))
                used[w] += count
        return tuple(ranges)

    claims = tuple(_claim(question, f"n{k}", node, take(node.pods)) for k, node in enumerate(nodes))
    running = {node.name: node for node in existing_nodes(question)}

    def placed(name: str, pods: tuple[PodRange, ...]) -> ExistingPlacement:
        uses = _device_uses(question, running[name], pods) if name in running else ()
        return ExistingPlacement(name, pods, uses)

    placements = tuple(
        placed(name, take([(w.replace("_", "-"), count) for w, count in counts.items()]))
        for name, counts in (existing or {}).items()
    )
    left = tuple(
        Unschedulable(PodRange(w, used[w], workload.replicas - used[w]), (Refusal("cpu", 1, "left out"),))
        for w, workload in enumerate(question.workloads)
        if used[w] < workload.replicas
    )
    status = SolutionStatus.PARTIAL if left else SolutionStatus.COMPLETE
    cost = sum(claim.price_microusd_per_hour for claim in claims)
    made = Decision(
        status=status if any(used) or not left else SolutionStatus.NONE,
        stop_reason=StopReason.EXHAUSTED,
        cost_microusd_per_hour=cost,
        bound_microusd_per_hour=0,
        node_claims=claims,
        existing_placements=placements,
        unschedulable=left,
        certificate=Certificate(20, (0,) * len(question.workloads)),
    )
    return charged(question, made)


def charged(question: Problem, decision: Decision) -> Decision:
    """The decision with what it is charged beside its nodes, as the engine tells it."""
    wishes = PodWishes(build_instance(question)) if has_pod_wishes(question) else None
    told = dataclasses.replace(
        decision,
        interruption_microusd_per_hour=interruption_cost(
            question, decision.node_claims, decision.existing_placements
        ),
        penalties=penalties_of(question, decision.node_claims, decision.existing_placements, wishes),
        accelerators=accelerator_uses(question, decision.node_claims),
    )
    is_optimal = told.total_microusd_per_hour == told.bound_microusd_per_hour
    return dataclasses.replace(told, stop_reason=StopReason.OPTIMAL) if is_optimal else told


def stated(question: Problem, placement: Placement) -> Decision:
    """The decision that makes a placement of `brute_force`."""

    def on(node: Node) -> dict[str, int]:
        names = [question.workloads[pod.workload].name for pod in placement.pods if pod.node is node]
        return {name: names.count(name) for name in names}

    nodes = [
        Bought(
            node.option.kind.name,
            node.option.offering.zone,
            node.option.offering.capacity_type.value,
            node.option.pool.name,
            node.option.offering.region,
            node.option.custom,
            (),
            tuple(on(node).items()),
        )
        for node in placement.nodes
        if node.option is not None
    ]
    existing = {node.existing.name: on(node) for node in placement.nodes if node.existing is not None}
    return decided(question, nodes, {name: pods for name, pods in existing.items() if pods})


def placement_of(question: Problem, decision: Decision) -> Placement:
    """The placement that a decision makes, for `brute_force`."""
    nodes = existing_nodes(question)
    pods: list[Pod] = []

    def put(node: Node, ranges: Sequence[PodRange]) -> None:
        for r in ranges:
            workload = question.workloads[r.workload]
            pods.extend(
                Pod(workload.template, workload.namespace, node, r.workload, workload.gang)
                for _ in range(r.count)
            )

    for claim in decision.node_claims:
        option = next(
            option
            for option in options(question)
            if (option.pool.name, option.kind.name) == (claim.node_pool, claim.instance_type)
            and (option.offering.region, option.offering.zone) == (claim.region, claim.zone)
            and option.offering.capacity_type is claim.capacity_type
            and option.node("").labels == dict(claim.labels)
        )
        nodes.append(option.node(claim.name))
        put(nodes[-1], claim.pods)
    for placement in decision.existing_placements:
        put(next(node for node in nodes if node.name == placement.node), placement.pods)
    return Placement(nodes, pods)


def _claim(question: Problem, name: str, node: Bought, pods: tuple[PodRange, ...]) -> NodeClaim:
    kinds = {kind.name: kind for kind in question.catalog.instance_types}
    pool = next(pool for pool in question.node_pools if pool.name == node.pool)
    kind = kinds[node.instance_type]

    def offered(kind: InstanceType) -> Offering:
        held = (offering for offering, _ in kept_for_us(question, kind))
        return next(
            o
            for o in (*kind.offerings, *held)
            if (o.region, o.zone, o.capacity_type.value) == (node.region, node.zone, node.capacity_type)
        )

    offering = offered(kind)
    carried = node_labels(pool, kind, offering, dict(node.custom))
    amounts: dict[str, int] = {}
    for r in pods:
        amounts["pods"] = amounts.get("pods", 0) + r.count
        for resource, amount in question.workloads[r.workload].template.requests:
            amounts[resource] = amounts.get(resource, 0) + amount * r.count
    names = (node.instance_type, *node.alternatives)
    uses = _device_uses(question, Option(pool, kind, offering, node.custom).node(name), pods)
    if uses:
        resource = next(maker for maker in MAKERS if kind.allocatable[maker])
        amounts[resource] = len({use.device for use in uses})
    return NodeClaim(
        name=name,
        node_pool=node.pool,
        instance_type=node.instance_type,
        region=node.region,
        zone=node.zone,
        capacity_type=CapacityType(node.capacity_type),
        price_microusd_per_hour=offering.price_microusd_per_hour,
        labels=tuple(sorted(carried.items())),
        requests=Resources.of(amounts),
        allocatable=kind.allocatable,
        daemon_overhead=Resources.of(daemon_overhead(question, pool, carried)),
        pods=pods,
        alternatives=tuple(Alternative(n, offered(kinds[n]).price_microusd_per_hour) for n in names),
        devices=uses,
    )


def _device_uses(question: Problem, node: Node, pods: Sequence[PodRange]) -> tuple[DeviceUse, ...]:
    """Devices of a node given out in order, where some pod claims any and all claims can be met."""
    each = [(r.workload, r.first + n, question.workloads[r.workload]) for r in pods for n in range(r.count)]
    if not any(workload.template.device_claims for _, _, workload in each):
        return ()
    found = devices_by_pod(question, node, [Pod(w.template, w.namespace, node, k) for k, _, w in each])
    if found is None:
        return ()
    uses: list[DeviceUse] = []
    shared: dict[str, list[int]] = {}
    device = 0
    for (w, ordinal, _), mine in zip(each, found, strict=True):
        for name, title, number in mine:
            given = list(range(device, device + number))
            if name:
                given = shared.setdefault(name, given)
            uses += [DeviceUse(d, PodRange(w, ordinal, 1), claim=title) for d in given]
            device = max(device, *(d + 1 for d in given), 0)
    return tuple(uses)


def findings(question: Problem, decision: Decision) -> tuple[str, ...]:
    """What the verifier finds wrong with a placement when it looks at every rule."""
    return check_placement(question, decision, waived=EVERY_RULE)

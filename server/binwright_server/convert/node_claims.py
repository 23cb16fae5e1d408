"""NodeClaims to messages: what many of them have in common is spelled once.

Claims of one pattern share their resources, labels and alternatives as objects and differ in name, pods and
devices only. Thousands of nodes with dozens of alternatives each would otherwise take longer to spell than
the deadlines of small calls, and hold up whoever passes the message on.
"""

from __future__ import annotations

from binwright.v1 import decision_pb2
from binwright_optimizer.model.decision import NodeClaim
from binwright_optimizer.model.problem import Problem

from binwright_server.convert.amounts import dollars, resources_to_map
from binwright_server.convert.pod_names import device_uses, pod_names


def add_node_claims(
    message: decision_pb2.Decision, problem: Problem, claims: tuple[NodeClaim, ...], *, apart: bool
) -> None:
    """Append the NodeClaims.

    Parameters
    ----------
    apart
        Whether shapes go to ``node_shapes``, where claims refer to them; else every claim is whole.
    """
    workloads = problem.workloads
    pools = {pool.name: pool for pool in problem.node_pools}
    bought = {claim.instance_type for claim in claims}
    kinds = {kind.name: kind for kind in problem.catalog.instance_types if kind.name in bought}
    shapes: dict[tuple[object, ...], tuple[int, decision_pb2.NodeClaim]] = {}
    numbers: dict[bytes, int] = {}
    for claim in claims:
        key = _key(claim)
        known = shapes.get(key)
        if known is None:
            shape = _shape(claim)
            capacity = pools[claim.node_pool].capacity_of(kinds[claim.instance_type])
            shape.capacity.update(resources_to_map(capacity))
            number = numbers.setdefault(shape.SerializeToString(deterministic=True), len(numbers) + 1)
            known = shapes[key] = number, shape
            if apart and number > len(message.node_shapes):
                message.node_shapes.append(shape)
        added = message.node_claims.add()
        if apart:
            added.shape = known[0]
        else:
            added.CopyFrom(known[1])
        added.name = claim.name
        added.pods.extend(pod_names(workloads, claim.pods))
        added.devices.extend(device_uses(workloads, claim.devices))


def _key(claim: NodeClaim) -> tuple[object, ...]:
    return (
        claim.node_pool,
        claim.instance_type,
        claim.region,
        claim.zone,
        claim.capacity_type,
        claim.price_microusd_per_hour,
        claim.covers,
        # by identity: hashing the contents costs as much as spelling them
        id(claim.labels),
        id(claim.requests),
        id(claim.allocatable),
        id(claim.daemon_overhead),
        id(claim.alternatives),
    )


def _shape(claim: NodeClaim) -> decision_pb2.NodeClaim:
    """The claim without its name, pods and devices."""
    return decision_pb2.NodeClaim(
        node_pool=claim.node_pool,
        instance_type=claim.instance_type,
        region=claim.region,
        zone=claim.zone,
        capacity_type=claim.capacity_type.value,
        hourly_price_usd=dollars(claim.price_microusd_per_hour),
        price_microusd_per_hour=claim.price_microusd_per_hour,
        labels=dict(claim.labels),
        requests=resources_to_map(claim.requests),
        allocatable=resources_to_map(claim.allocatable),
        daemon_overhead=resources_to_map(claim.daemon_overhead),
        instance_types=[
            decision_pb2.RankedInstanceType(
                name=a.instance_type, hourly_price_usd=dollars(a.price_microusd_per_hour)
            )
            for a in claim.alternatives
        ],
        covers=[
            decision_pb2.Cover(commitment=c.commitment, microusd_per_hour=c.microusd_per_hour)
            for c in claim.covers
        ],
    )

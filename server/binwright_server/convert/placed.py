"""Decision messages back to decisions: pod names become counts again.

A decision read from a file is not trusted: names that the problem does not know, amounts that
are no quantities and dollars that disagree with the exact micro-dollars beside them are
recorded as violations. Whether the decision is *right* is for the verifier to say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from binwright.v1 import decision_pb2
from binwright_optimizer.model.decision import (
    HOURS_PER_MONTH,
    AcceleratorUse,
    Alternative,
    Certificate,
    CommitmentUse,
    Cover,
    Decision,
    DeviceUse,
    ExistingPlacement,
    LocalPrices,
    NodeClaim,
    Penalty,
    PhaseTiming,
    PodRange,
    Refusal,
    SolutionStatus,
    Split,
    StopReason,
    Unschedulable,
    relative_gap,
)
from binwright_optimizer.model.offerings import CapacityType
from binwright_optimizer.model.problem import Problem
from binwright_optimizer.model.quantity import MICROUSD

from binwright_server.convert.amounts import dollars, resources_from_map, resources_to_map
from binwright_server.convert.catalogs import CAPACITY_TYPES
from binwright_server.convert.decisions import STATUS_TO_WIRE, STOP_REASON_TO_WIRE, workload_label
from binwright_server.convert.violations import Violations
from binwright_server.shapes import whole

_STATUS_FROM_WIRE = {wire: status for status, wire in STATUS_TO_WIRE.items()}
_STOP_REASON_FROM_WIRE = {wire: reason for reason, wire in STOP_REASON_TO_WIRE.items()}

_RELATIVE_TOLERANCE = 1e-9
"""Doubles are rounded once when written; anything beyond that was not written by us."""

MAX_SCALE_BITS = 62
"""Dual prices are int64 on the wire, so that a larger scale could only hold zeros."""

PodIndex = Mapping[str, tuple[int, int]]
"""Pod name to (workload index, ordinal)."""


def decision_from_message(problem: Problem, message: decision_pb2.Decision) -> Decision:
    """The decision on ``problem`` that a message spells.

    Raises
    ------
    InvalidProblemError
        With every field that cannot belong to a decision on this problem.
    """
    message = whole(message)
    out = Violations()
    index = _pods_by_name(problem)
    told = sum(penalty.microusd_per_hour for penalty in message.penalties)
    if told != message.hourly_penalty_microusd:
        out.add("hourly_penalty_microusd", message.hourly_penalty_microusd, f"the penalties add up to {told}")
    status = _STATUS_FROM_WIRE.get(message.status)
    if status is None:
        out.add("status", message.status, "is no status of a decision")
    stop_reason = _STOP_REASON_FROM_WIRE.get(message.stop_reason)
    if stop_reason is None:
        out.add("stop_reason", message.stop_reason, "is no stop reason")
    _check_dollars(message, out)
    _check_capacities(problem, message, out)
    decision = Decision(
        status=status or SolutionStatus.NONE,
        stop_reason=stop_reason or StopReason.EXHAUSTED,
        cost_microusd_per_hour=message.hourly_cost_microusd,
        bound_microusd_per_hour=message.lower_bound_microusd,
        node_claims=tuple(
            _node_claim(claim, f"node_claims[{k}]", index, out) for k, claim in enumerate(message.node_claims)
        ),
        existing_placements=tuple(
            ExistingPlacement(
                p.node,
                _ranges(p.pods, f"existing_placements[{k}].pods", index, out),
                _device_uses(p.devices, f"existing_placements[{k}].devices", index, out),
            )
            for k, p in enumerate(message.existing_placements)
        ),
        unschedulable=_unschedulable(problem, message.unschedulable_pods, index, out),
        certificate=_certificate(message.certificate, len(problem.workloads), out),
        timings=tuple(PhaseTiming(t.phase, t.seconds) for t in message.timings),
        warnings=tuple(message.warnings),
        commitments=tuple(
            CommitmentUse(use.commitment, use.is_reservation, use.held, use.running, use.used)
            for use in message.commitments
        ),
        interruption_microusd_per_hour=message.hourly_interruption_microusd,
        penalties=_penalties(problem, message.penalties, out),
        accelerators=tuple(
            _accelerators(use, f"accelerators[{k}]", out) for k, use in enumerate(message.accelerators)
        ),
    )
    out.check()
    return decision


def _accelerators(message: decision_pb2.AcceleratorUse, path: str, out: Violations) -> AcceleratorUse:
    return AcceleratorUse(
        message.resource,
        message.bought,
        message.used_milli,
        message.stranded_milli,
        _microusd(message.unused_usd, f"{path}.unused_usd", out),
        _microusd(message.stranded_usd, f"{path}.stranded_usd", out),
    )


def _pods_by_name(problem: Problem) -> PodIndex:
    return {
        workload.pod_name(ordinal): (w, ordinal)
        for w, workload in enumerate(problem.workloads)
        for ordinal in range(workload.replicas)
    }


def _check_dollars(message: decision_pb2.Decision, out: Violations) -> None:
    """Record dollars and gap that disagree with the exact amounts."""
    cost, bound = message.hourly_cost_microusd, message.lower_bound_microusd
    interruption, penalty = message.hourly_interruption_microusd, message.hourly_penalty_microusd
    expected = {
        "hourly_cost_usd": dollars(cost),
        "monthly_cost_usd": dollars(cost * HOURS_PER_MONTH),
        "lower_bound_usd": dollars(bound),
        "gap": relative_gap(cost + interruption + penalty, bound),
        "hourly_interruption_usd": dollars(interruption),
        "hourly_penalty_usd": dollars(penalty),
    }
    for field, value in expected.items():
        shown = getattr(message, field)
        if not math.isclose(shown, value, rel_tol=_RELATIVE_TOLERANCE, abs_tol=_RELATIVE_TOLERANCE):
            out.add(field, shown, f"disagrees with the exact micro-dollars, which give {value}")


def _check_capacities(problem: Problem, message: decision_pb2.Decision, out: Violations) -> None:
    """Record raw amounts that are not those of the claim's instance type; files may leave them out."""
    pools = {pool.name: pool for pool in problem.node_pools}
    kinds = {kind.name: kind for kind in problem.catalog.instance_types}
    for k, claim in enumerate(message.node_claims):
        pool, kind = pools.get(claim.node_pool), kinds.get(claim.instance_type)
        if not claim.capacity or pool is None or kind is None:
            continue  # whether they exist, the verifier says
        path = f"node_claims[{k}].capacity"
        if resources_from_map(claim.capacity, path, out) != pool.capacity_of(kind):
            shown = dict(resources_to_map(pool.capacity_of(kind)))
            out.add(path, dict(claim.capacity), f"disagrees with the instance type's, {shown}")


def _penalties(
    problem: Problem, messages: Sequence[decision_pb2.Penalty], out: Violations
) -> tuple[Penalty, ...]:
    """Preferences that are told not to be met; whether they add up, the verifier says."""
    for k, message in enumerate(messages):
        path = f"penalties[{k}]"
        if not 0 <= message.workload < len(problem.workloads):
            out.add(f"{path}.workload", message.workload, "is no workload of the problem")
        elif message.workload_name != workload_label(problem.workloads[message.workload]):
            out.add(f"{path}.workload_name", message.workload_name, "is not the name of that workload")
        exact = dollars(message.microusd_per_hour)
        if not math.isclose(message.hourly_usd, exact, rel_tol=_RELATIVE_TOLERANCE):
            out.add(f"{path}.hourly_usd", message.hourly_usd, f"disagrees with the exact {exact}")
    return tuple(Penalty(m.workload, m.wish, m.pods, m.microusd_per_hour) for m in messages)


def _node_claim(message: decision_pb2.NodeClaim, path: str, index: PodIndex, out: Violations) -> NodeClaim:
    capacity_type = CAPACITY_TYPES.get(message.capacity_type)
    if capacity_type is None:
        out.add(f"{path}.capacity_type", message.capacity_type, f"must be one of {', '.join(CAPACITY_TYPES)}")
    exact = dollars(message.price_microusd_per_hour)
    if not math.isclose(message.hourly_price_usd, exact, rel_tol=_RELATIVE_TOLERANCE):
        out.add(f"{path}.hourly_price_usd", message.hourly_price_usd, f"disagrees with the exact {exact}")
    return NodeClaim(
        name=message.name,
        node_pool=message.node_pool,
        instance_type=message.instance_type,
        region=message.region,
        zone=message.zone,
        capacity_type=capacity_type or CapacityType.ON_DEMAND,
        price_microusd_per_hour=message.price_microusd_per_hour,
        labels=tuple(sorted(message.labels.items())),
        requests=resources_from_map(message.requests, f"{path}.requests", out),
        allocatable=resources_from_map(message.allocatable, f"{path}.allocatable", out),
        daemon_overhead=resources_from_map(message.daemon_overhead, f"{path}.daemon_overhead", out),
        pods=_ranges(message.pods, f"{path}.pods", index, out),
        alternatives=tuple(
            Alternative(
                a.name, _microusd(a.hourly_price_usd, f"{path}.instance_types[{k}].hourly_price_usd", out)
            )
            for k, a in enumerate(message.instance_types)
        ),
        devices=_device_uses(message.devices, f"{path}.devices", index, out),
        covers=tuple(Cover(cover.commitment, cover.microusd_per_hour) for cover in message.covers),
    )


def _device_uses(
    messages: Iterable[decision_pb2.DeviceUse], path: str, index: PodIndex, out: Violations
) -> tuple[DeviceUse, ...]:
    return tuple(
        DeviceUse(message.device, pods, message.mig_profile, message.mig_start, message.claim)
        for k, message in enumerate(messages)
        for pods in _ranges(message.pods, f"{path}[{k}].pods", index, out)
    )


def _microusd(usd: float, field: str, out: Violations) -> int:
    if not 0 <= usd < MICROUSD * MICROUSD:
        out.add(field, usd, "is no price")
        return 0
    return round(usd * MICROUSD)


def _ranges(names: Iterable[str], path: str, index: PodIndex, out: Violations) -> tuple[PodRange, ...]:
    """Named pods as ranges; a pod named twice stays in two ranges, for the verifier to find."""
    pods = []
    for k, name in enumerate(names):
        pod = index.get(name)
        if pod is None:
            out.add(f"{path}[{k}]", name, "is no pod of the problem")
        else:
            pods.append(pod)
    return tuple(_coalesce(sorted(pods)))


def _coalesce(pods: Sequence[tuple[int, int]]) -> Iterable[PodRange]:
    """Ranges of consecutive ordinals.

    >>> list(_coalesce([(0, 0), (0, 1), (0, 3), (1, 4)]))  # doctest: +ELLIPSIS
    [PodRange(workload=0, first=0, count=2), PodRange(workload=0, first=3, count=1), ...]
    """
    start = 0
    for k, (workload, ordinal) in enumerate(pods):
        if k + 1 == len(pods) or pods[k + 1] != (workload, ordinal + 1):
            yield PodRange(workload, pods[start][1], k + 1 - start)
            start = k + 1


def _unschedulable(
    problem: Problem, messages: Sequence[decision_pb2.UnschedulablePod], index: PodIndex, out: Violations
) -> tuple[Unschedulable, ...]:
    """One entry per run of consecutive replicas with the same reasons."""
    result: list[Unschedulable] = []
    for k, message in enumerate(messages):
        pod = index.get(message.pod)
        if pod is None:
            out.add(f"unschedulable_pods[{k}].pod", message.pod, "is no pod of the problem")
            continue
        w, ordinal = pod
        label = workload_label(problem.workloads[w])
        if message.workload != label:
            out.add(f"unschedulable_pods[{k}].workload", message.workload, f"must be {label}")
        refusals = tuple(Refusal(r.constraint, r.refused, r.message) for r in message.reasons)
        last = result[-1] if result else None
        if (
            last is not None
            and last.pods.workload == w
            and last.pods.first + last.pods.count == ordinal
            and (last.refusals, last.nearest_miss) == (refusals, message.nearest_miss)
        ):
            first, count = last.pods.first, last.pods.count + 1
            result[-1] = Unschedulable(PodRange(w, first, count), refusals, message.nearest_miss)
        else:
            result.append(Unschedulable(PodRange(w, ordinal, 1), refusals, message.nearest_miss))
    return tuple(result)


def _local_prices(
    message: decision_pb2.LocalPrices, n_workloads: int, out: Violations, field: str
) -> LocalPrices:
    for index, w in enumerate(message.workloads):
        if not 0 <= w < n_workloads:
            out.add(f"{field}.workloads[{index}]", w, f"must be in 0..{n_workloads - 1}")
    prices = []
    for index, entry in enumerate(message.prices):
        where = f"{field}.prices[{index}]"
        if entry.price < 0:
            out.add(f"{where}.price", entry.price, "must not be negative")
        if any(not label.key for label in entry.labels):
            out.add(f"{where}.labels", "", "a label key must not be empty")
            continue
        scope = tuple((label.key, label.value if label.HasField("value") else None) for label in entry.labels)
        prices.append((scope, entry.price))
    return LocalPrices(tuple(message.workloads), tuple(prices))


def _certificate(
    message: decision_pb2.Certificate, n_workloads: int, out: Violations, field: str = "certificate"
) -> Certificate:
    if not 0 <= message.scale_bits <= MAX_SCALE_BITS:
        out.add(f"{field}.scale_bits", message.scale_bits, f"must be in 0..{MAX_SCALE_BITS}")
    split = None
    if message.HasField("split"):
        split = _split(message.split, n_workloads, out, f"{field}.split")
    elif len(message.pod_prices) != n_workloads:
        wanted = f"must hold one price for each of the {n_workloads} workload(s)"
        out.add(f"{field}.pod_prices", len(message.pod_prices), wanted)
    return Certificate(
        scale_bits=message.scale_bits,
        pod_prices=tuple(message.pod_prices),
        limit_prices=tuple((p.node_pool, p.resource, p.price) for p in message.limit_prices),
        minimum_prices=tuple((p.node_pool, p.price) for p in message.minimum_prices),
        level_prices=tuple((p.level_microusd_per_hour, p.price) for p in message.level_prices),
        local_prices=tuple(
            _local_prices(prices, n_workloads, out, f"{field}.local_prices[{index}]")
            for index, prices in enumerate(message.local_prices)
        ),
        commitment_prices=tuple((p.commitment, p.price) for p in message.commitment_prices),
        split=split,
    )


def _split(message: decision_pb2.Split, n_workloads: int, out: Violations, field: str) -> Split:
    if message.at_most < 0:
        out.add(f"{field}.at_most", message.at_most, "must not be negative")
    return Split(
        level_microusd_per_hour=message.level_microusd_per_hour,
        at_most=message.at_most,
        fewer=_certificate(message.fewer, n_workloads, out, f"{field}.fewer"),
        more=_certificate(message.more, n_workloads, out, f"{field}.more"),
    )

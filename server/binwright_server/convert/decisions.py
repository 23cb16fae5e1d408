"""Decisions to messages: counts become pod names, micro-dollars also dollars."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import version

from binwright.v1 import decision_pb2
from binwright_optimizer.model.decision import (
    HOURS_PER_MONTH,
    Certificate,
    Conflict,
    Decision,
    LocalPrices,
    SolutionStatus,
    Split,
    StopReason,
    Unschedulable,
)
from binwright_optimizer.model.pods import Workload
from binwright_optimizer.model.problem import Problem

from binwright_server.convert.amounts import dollars
from binwright_server.convert.node_claims import add_node_claims
from binwright_server.convert.pod_names import device_uses, pod_names
from binwright_server.convert.workloads import DEFAULT_NAMESPACE

STATUS_TO_WIRE = {
    SolutionStatus.COMPLETE: decision_pb2.SOLUTION_STATUS_COMPLETE,
    SolutionStatus.PARTIAL: decision_pb2.SOLUTION_STATUS_PARTIAL,
    SolutionStatus.NONE: decision_pb2.SOLUTION_STATUS_NONE,
}
STOP_REASON_TO_WIRE = {
    StopReason.OPTIMAL: decision_pb2.STOP_REASON_OPTIMAL,
    StopReason.GAP: decision_pb2.STOP_REASON_GAP,
    StopReason.DEADLINE: decision_pb2.STOP_REASON_DEADLINE,
    StopReason.CANCELLED: decision_pb2.STOP_REASON_CANCELLED,
    StopReason.EXHAUSTED: decision_pb2.STOP_REASON_EXHAUSTED,
    StopReason.WORK_LIMIT: decision_pb2.STOP_REASON_WORK_LIMIT,
}


def decision_to_message(
    problem: Problem, decision: Decision, *, wants_node_shapes: bool = False
) -> decision_pb2.Decision:
    """The decision on ``problem``, with every pod by name.

    Parameters
    ----------
    wants_node_shapes
        Whether what NodeClaims have in common is told apart from them, for `shapes.make_whole`.
    """
    workloads = problem.workloads
    cost, bound = decision.cost_microusd_per_hour, decision.bound_microusd_per_hour
    penalty = decision.penalty_microusd_per_hour
    message = decision_pb2.Decision(
        status=STATUS_TO_WIRE[decision.status],
        stop_reason=STOP_REASON_TO_WIRE[decision.stop_reason],
        hourly_cost_usd=dollars(cost),
        monthly_cost_usd=dollars(cost * HOURS_PER_MONTH),
        lower_bound_usd=dollars(bound),
        gap=decision.gap,
        hourly_cost_microusd=cost,
        lower_bound_microusd=bound,
        existing_placements=[
            decision_pb2.ExistingPlacement(
                node=placement.node,
                pods=pod_names(workloads, placement.pods),
                devices=device_uses(workloads, placement.devices),
            )
            for placement in decision.existing_placements
        ],
        unschedulable_pods=[
            message for entry in decision.unschedulable for message in _unschedulable(workloads, entry)
        ],
        certificate=_certificate(decision.certificate),
        timings=[decision_pb2.PhaseTiming(phase=t.phase, seconds=t.seconds) for t in decision.timings],
        warnings=decision.warnings,
        version=_version(),
        commitments=[
            decision_pb2.CommitmentUse(
                commitment=use.commitment,
                is_reservation=use.is_reservation,
                held=use.held,
                running=use.running,
                used=use.used,
                unused=use.unused,
            )
            for use in decision.commitments
        ],
        accelerators=[
            decision_pb2.AcceleratorUse(
                resource=use.resource,
                bought=use.bought,
                used_milli=use.used_milli,
                stranded_milli=use.stranded_milli,
                unused_usd=dollars(use.unused_microusd),
                stranded_usd=dollars(use.stranded_microusd),
            )
            for use in decision.accelerators
        ],
        hourly_interruption_usd=dollars(decision.interruption_microusd_per_hour),
        hourly_interruption_microusd=decision.interruption_microusd_per_hour,
        hourly_penalty_usd=dollars(penalty),
        hourly_penalty_microusd=penalty,
        penalties=[
            decision_pb2.Penalty(
                workload=p.workload,
                workload_name=workload_label(workloads[p.workload]),
                wish=p.wish,
                pods=p.pods,
                hourly_usd=dollars(p.microusd_per_hour),
                microusd_per_hour=p.microusd_per_hour,
            )
            for p in decision.penalties
        ],
    )
    add_node_claims(message, problem, decision.node_claims, apart=wants_node_shapes)
    return message


@cache
def _version() -> str:
    """Our version; reading it from the installed files takes longer than the rest of a small answer."""
    return version("binwright")


def workload_label(workload: Workload) -> str:
    """Kind and name of a workload, such as ``Deployment default/web``."""
    return f"{workload.kind} {workload.namespace or DEFAULT_NAMESPACE}/{workload.name}"


def _unschedulable(
    workloads: tuple[Workload, ...], entry: Unschedulable
) -> Iterable[decision_pb2.UnschedulablePod]:
    label = workload_label(workloads[entry.pods.workload])
    reasons = [
        decision_pb2.Refusal(constraint=r.constraint, refused=r.refused, message=r.message)
        for r in entry.refusals
    ]
    for name in pod_names(workloads, (entry.pods,)):
        yield decision_pb2.UnschedulablePod(
            pod=name,
            workload=label,
            reasons=reasons,
            nearest_miss=entry.nearest_miss,
            conflict=_conflict(entry.conflict) if entry.conflict else None,
        )


def _conflict(conflict: Conflict) -> decision_pb2.Conflict:
    return decision_pb2.Conflict(
        constraints=conflict.constraints,
        cheapest_relaxation=conflict.relaxation,
        relaxed_cost_microusd_per_hour=conflict.relaxed_cost_microusd_per_hour,
    )


def _certificate(certificate: Certificate) -> decision_pb2.Certificate:
    return decision_pb2.Certificate(
        scale_bits=certificate.scale_bits,
        pod_prices=certificate.pod_prices,
        limit_prices=[
            decision_pb2.LimitPrice(node_pool=pool, resource=resource, price=price)
            for pool, resource, price in certificate.limit_prices
        ],
        minimum_prices=[
            decision_pb2.MinimumPrice(node_pool=pool, price=price)
            for pool, price in certificate.minimum_prices
        ],
        level_prices=[
            decision_pb2.LevelPrice(level_microusd_per_hour=level, price=price)
            for level, price in certificate.level_prices
        ],
        split=_split(certificate.split) if certificate.split is not None else None,
        local_prices=[_local_prices(prices) for prices in certificate.local_prices],
        commitment_prices=[
            decision_pb2.CommitmentPrice(commitment=name, price=price)
            for name, price in certificate.commitment_prices
        ],
    )


def _local_prices(prices: LocalPrices) -> decision_pb2.LocalPrices:
    message = decision_pb2.LocalPrices
    return message(
        workloads=prices.workloads,
        prices=[
            message.Price(
                labels=[message.DomainLabel(key=key, value=value) for key, value in scope], price=price
            )
            for scope, price in prices.prices
        ],
    )


def _split(split: Split) -> decision_pb2.Split:
    return decision_pb2.Split(
        level_microusd_per_hour=split.level_microusd_per_hour,
        at_most=split.at_most,
        fewer=_certificate(split.fewer),
        more=_certificate(split.more),
    )

"""Checks of what a decision says about itself: cost, bound, status, stop reason, reasons."""

from __future__ import annotations

from collections.abc import Iterator

from binwright_optimizer.model import Decision, SolutionStatus, StopReason

_EARLY = (StopReason.DEADLINE, StopReason.CANCELLED, StopReason.WORK_LIMIT)


def check_statement(decision: Decision) -> tuple[str, ...]:
    """Contradictions within the decision; empty if there are none."""
    return (
        *_cost(decision),
        *_bound(decision),
        *_status(decision),
        *_stop_reason(decision),
        *_reasons(decision),
    )


def _cost(decision: Decision) -> Iterator[str]:
    total = sum(claim.price_microusd_per_hour for claim in decision.node_claims)
    if total != decision.cost_microusd_per_hour:
        yield f"the cost is stated as {decision.cost_microusd_per_hour}, the nodes cost {total}"


def _bound(decision: Decision) -> Iterator[str]:
    bound, total = decision.bound_microusd_per_hour, decision.total_microusd_per_hour
    if not 0 <= bound <= total:
        yield f"the bound {bound} is not between 0 and the cost {total}"


def _status(decision: Decision) -> Iterator[str]:
    is_anything_placed = any(claim.pods for claim in decision.node_claims) or any(
        placement.pods for placement in decision.existing_placements
    )
    if not decision.unschedulable:
        consistent = {SolutionStatus.COMPLETE}
    elif is_anything_placed:
        consistent = {SolutionStatus.PARTIAL}
    else:
        consistent = {SolutionStatus.PARTIAL, SolutionStatus.NONE}
    if decision.status not in consistent:
        yield (
            f"status {decision.status.value} contradicts {len(decision.unschedulable)} "
            "entries of unschedulable pods"
        )


def _stop_reason(decision: Decision) -> Iterator[str]:
    is_met = decision.total_microusd_per_hour == decision.bound_microusd_per_hour
    is_called_optimal = decision.stop_reason is StopReason.OPTIMAL
    ended_early = decision.stop_reason in _EARLY and bool(decision.unschedulable)  # more pods might be placed
    if is_met != is_called_optimal and not (is_met and ended_early):
        yield (
            f"stop reason {decision.stop_reason.value} contradicts cost {decision.total_microusd_per_hour} "
            f"and bound {decision.bound_microusd_per_hour}"
        )


def _reasons(decision: Decision) -> Iterator[str]:
    for entry in decision.unschedulable:
        if not entry.refusals:
            yield f"unschedulable pods {entry.pods} come without a reason"

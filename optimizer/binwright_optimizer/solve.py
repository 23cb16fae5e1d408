"""The wiring: a problem in, a verified decision out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from binwright_optimizer.bounds import volume_prices
from binwright_optimizer.certify import certificate, tree_certificate
from binwright_optimizer.columns.generate import Bound
from binwright_optimizer.coverage import commitment_uses
from binwright_optimizer.errors import VerificationError
from binwright_optimizer.explain import explain
from binwright_optimizer.extract import Placed, extract
from binwright_optimizer.incumbent import Progress
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.model import (
    Certificate,
    Decision,
    PhaseTiming,
    Problem,
    SolutionStatus,
    StopReason,
    relative_gap,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.pricing import MICRO
from binwright_optimizer.search import MOST_PARTS, Found, Search, with_demand_of
from binwright_optimizer.stopping import Deadline, Reserved, Stop
from binwright_optimizer.unenforced import enforced_part, unenforced
from binwright_optimizer.verify import check_placement, check_statement, prepare, prove_bound

LEAST_PROOF_S = 0.05
"""Seconds the proof may always take: a bound cut short is worth less than a deadline kept to the hair."""
NEARLY_PROVEN = 0.999
"""Share of the search's bound below which the proof counts as cut short."""
PODS_S = 12e-6
"""Seconds to name and verify one placed pod: measured at 8,152 and 100,000 pods."""


def solve(
    problem: Problem,
    params: SolveParams | None = None,
    stop: Stop | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Decision:
    """The cheapest verified decision found in time, with a proven bound.

    Parameters
    ----------
    stop
        When to end; by default ``params.deadline_s`` from now.
    on_progress
        Called from this thread whenever the incumbent or the bound improves.

    Raises
    ------
    InvalidProblemError
        If the problem cannot be represented exactly.
    VerificationError
        If the independent checker refuses the answer: a bug, and nothing is returned.
    """
    params = params or SolveParams()
    stop = stop or Deadline(params.deadline_s)
    timer = _Timer(stop)
    warnings = unenforced(problem)
    problem = enforced_part(problem)
    with timer.phase("instance"):
        instance = build_instance(problem)
        prepare(problem)
    with timer.phase("search"):
        found = _search(instance, params, Reserved(stop, _reserve_s(instance, stop)), on_progress)
    with timer.phase("extract"):
        placed = extract(instance, found.packing)
        unschedulable = explain(instance, placed.left_out)
    with timer.phase("prove"):
        proof, bound = _prove(instance, found, _placed_counts(problem, placed), stop)
    with timer.phase("verify"):
        decision = Decision(
            status=_status(placed),
            stop_reason=_stop_reason(found, bound, params, stop),
            cost_microusd_per_hour=found.packing.cost,
            bound_microusd_per_hour=min(bound, found.packing.cost),
            node_claims=placed.node_claims,
            existing_placements=placed.existing,
            unschedulable=unschedulable,
            certificate=proof,
            warnings=(*found.warnings, *warnings),
            commitments=commitment_uses(problem, placed.node_claims),
        )
        findings = (*check_placement(problem, decision), *check_statement(decision))
        if bound > found.packing.cost:
            findings += (f"the bound {bound} exceeds the cost {found.packing.cost}",)
        if findings:
            raise VerificationError(findings)
    return timer.on(decision)


def _search(
    instance: Instance, params: SolveParams, stop: Stop, on_progress: Callable[[Progress], None] | None
) -> Found:
    """The search; where limits leave pods out, another proves a bound for those placed."""
    found = Search(instance, params, stop, on_progress, _most_parts(instance, stop)).run()
    if not found.packing.is_partial(instance):
        return found
    smaller = with_demand_of(instance, found.packing)
    placed_only = Search(smaller, params, stop).run()
    packing = found.packing
    if not placed_only.packing.is_partial(smaller) and placed_only.packing.cost <= packing.cost:
        packing = placed_only.packing.with_demand(instance)
    is_exhausted = found.is_exhausted and placed_only.is_exhausted
    return Found(packing, placed_only.proof, is_exhausted, found.warnings or placed_only.warnings)


def _reserve_s(instance: Instance, stop: Stop) -> float:
    """Seconds kept for extraction, proof and verification, from the size of the problem."""
    offerings = sum(len(part.rows) for part in instance.origin.shelved)
    pods = sum(workload.replicas for workload in instance.problem.workloads)
    left = max(0.0, stop.remaining_s())
    return min(0.002 + 2e-6 * offerings + PODS_S * pods + _proof_reserve_s(stop), 0.5 * left)


def _proof_reserve_s(stop: Stop) -> float:
    """Seconds kept for the proof."""
    return min(1.5, 0.08 * max(0.0, stop.remaining_s()))


def _most_parts(instance: Instance, stop: Stop) -> Callable[[Bound], int]:
    """Into how many parts the search may split the solutions: the proof of one is timed."""

    def most(bound: Bound) -> int:
        began = time.perf_counter()
        everything = [workload.replicas for workload in instance.problem.workloads]
        prove_bound(instance.problem, certificate(instance, bound), everything, time_limit_s=LEAST_PROOF_S)
        seconds = time.perf_counter() - began
        return min(MOST_PARTS, int(0.5 * _proof_reserve_s(stop) / seconds))

    return most


def _prove(instance: Instance, found: Found, placed: list[int], stop: Stop) -> tuple[Certificate, int]:
    """The certificate, and the bound that the independent checker derives from it.

    Where the checker cannot follow the search's dual prices in the time left, prices of the whole
    instead of its parts, or prices that are proven at a glance, may give the better bound.
    """
    problem, whole = instance.problem, found.proof.bound
    proof = tree_certificate(instance, found.proof)
    bound = prove_bound(problem, proof, placed, time_limit_s=_proof_time_s(problem, stop))
    others = [whole.with_pod_prices(volume_prices(instance))]
    if found.proof.fewer is not None:
        others.insert(0, whole)
    for other in others:
        if bound >= NEARLY_PROVEN * whole.dollars / MICRO:
            break
        simple = certificate(instance, other)
        proven = prove_bound(problem, simple, placed, time_limit_s=LEAST_PROOF_S)
        if proven > bound:
            proof, bound = simple, proven
    return proof, bound


def _proof_time_s(problem: Problem, stop: Stop) -> float:
    """Seconds the proof may take, so that time is left to verify."""
    pods = sum(workload.replicas for workload in problem.workloads)
    return max(LEAST_PROOF_S, stop.remaining_s() - 0.5 * PODS_S * pods)


def _placed_counts(problem: Problem, placed: Placed) -> list[int]:
    """Pods placed of each workload."""
    counts = [workload.replicas for workload in problem.workloads]
    for pods in placed.left_out:
        counts[pods.workload] -= pods.count
    return counts


def _status(placed: Placed) -> SolutionStatus:
    if not placed.left_out:
        return SolutionStatus.COMPLETE
    has_pods = bool(placed.existing) or any(claim.pods for claim in placed.node_claims)
    return SolutionStatus.PARTIAL if has_pods else SolutionStatus.NONE


def _stop_reason(found: Found, bound: int, params: SolveParams, stop: Stop) -> StopReason:
    cost = found.packing.cost
    if bound >= cost:
        return StopReason.OPTIMAL
    if stop.is_cancelled():
        return StopReason.CANCELLED
    if relative_gap(cost, bound) <= params.gap:
        return StopReason.GAP
    return StopReason.EXHAUSTED if found.is_exhausted else StopReason.DEADLINE


class _Timer:
    """Seconds by phase; a stop that raises to abandon the solve may do so between phases."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._phases: list[PhaseTiming] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        self._stop.is_cancelled()
        began = time.perf_counter()
        yield
        self._phases.append(PhaseTiming(name, time.perf_counter() - began))

    def on(self, decision: Decision) -> Decision:
        """The decision with the timings written on it."""
        return replace(decision, timings=tuple(self._phases))

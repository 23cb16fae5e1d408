"""The wiring: a problem in, a verified decision out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from binwright_optimizer.accelerators import accelerator_uses
from binwright_optimizer.collecting import without_collecting
from binwright_optimizer.conflicts import conflict_reserve_s, conflicts_of
from binwright_optimizer.coverage import commitment_uses
from binwright_optimizer.errors import VerificationError
from binwright_optimizer.explain import TAKEN, explain
from binwright_optimizer.extract import Placed, extract
from binwright_optimizer.head_start import head_start
from binwright_optimizer.incumbent import Progress
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.memory import Memory
from binwright_optimizer.model import (
    Conflict,
    Decision,
    PhaseTiming,
    Problem,
    SolutionStatus,
    StopReason,
    Unschedulable,
    relative_gap,
)
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.penalties import cut_off, interruption_cost, penalties_of
from binwright_optimizer.pod_wishes import PodWishes, has_pod_wishes
from binwright_optimizer.preemptions import preemptions
from binwright_optimizer.priorities import highest_first
from binwright_optimizer.proof import Prover
from binwright_optimizer.search import Found, Search, with_demand_of
from binwright_optimizer.settle import settle
from binwright_optimizer.settle.second_start import SecondStart
from binwright_optimizer.settle.settled import Settled
from binwright_optimizer.stopping import Deadline, Keeping, Reserved, Stop
from binwright_optimizer.unbound_terms import unbound_terms
from binwright_optimizer.unenforced import unenforced
from binwright_optimizer.unknown_rates import unknown_rates
from binwright_optimizer.verify import check_placement, check_statement, prepare
from binwright_optimizer.work import Work, WorkLimit

IN_CONFLICT = "would hold such a pod, but not all that the constraints below ask for"
"""What is said of places that refuse a pod since rules contradict each other."""
UNDECIDED = "would hold such a pod; what keeps it off was not decided within the time"
NOT_ASKED = (
    "would hold such a pod; what keeps it off is undecided: to find out takes more than reasons are worth"
)
"""What is said of places where neither that nor `TAKEN` is known: for want of time, or as pods left out are
too many, or depend on too many others."""
NOT_WEIGHED = "preferences and restart costs are too many to be weighed: they are told, and not minimised"
CUT_OFF = "pods on spot nodes are given longer to end than the notice before an interruption"
NONE_PLACED = "no pod could be placed: cost, bound and gap are of no pod at all"
NONE_IN_TIME = "no pod was placed in time: cost, bound and gap are of no pod at all"
MOST_NAMED = 3
"""Workloads that a warning names before it stops."""
SETTLE_SHARE = 0.2
"""Share of the time left, or of a work limit beside it, that moving pods for wishes between pods may take,
if there are any."""
TIMES_TOLD = 4.0
"""How often a placement is made and its penalties are told, or checked, after pods have moved for them."""
CONFLICT_SHARE = 0.3
"""Share of the time left, once pods are left out, that the reasons for it may take."""


def solve(
    problem: Problem,
    params: SolveParams | None = None,
    stop: Stop | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    memory: Memory | None = None,
) -> Decision:
    """The cheapest verified decision found in time, with a proven bound.

    Parameters
    ----------
    stop
        When to end; by default ``params.deadline_s`` from now.
    on_progress
        Called from this thread whenever the incumbent or the bound improves.
    memory
        Where to begin if a question like this one was asked before, and what keeps this one for the next.
        Under a work limit it is not looked at, because the answer would depend on what it holds.

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
    with timer.phase("instance"):
        instance = build_instance(problem, stop.is_cancelled)
        stop.is_cancelled()
        prepare(problem)
    prover = Prover(instance, params, stop)
    with timer.phase("search"):
        wishes = PodWishes(instance) if has_pod_wishes(problem) else None
        kept_s = conflict_reserve_s(instance, stop)
        kept_s += SETTLE_SHARE * max(0.0, stop.remaining_s()) if wishes else 0.0
        second = SecondStart(instance, wishes, params, stop, timer.seconds_of("instance"))
        search_stop = Keeping(stop, lambda: prover.reserve_s() + kept_s + second.reserve_s())
        found, is_left_for_good = _search(instance, params, search_stop, prover, second, on_progress, memory)
        prover.note(found.packing)
    with ExitStack() as held:
        held.enter_context(without_collecting())
        with timer.phase("extract"):
            began_s = stop.elapsed_s()
            placed = highest_first(instance, extract(instance, found.packing, stop.is_cancelled))
            cost = found.packing.cost - found.packing.charge
            unschedulable = explain(instance, placed.left_out)
        if wishes is not None or unschedulable:
            held.close()  # what follows may take seconds, and leave more than it keeps
        if wishes is not None:
            with timer.phase("settle"):
                as_found = Settled(placed, cost)
                settled = _settled(
                    instance, found, as_found, wishes, params, stop, prover.reserve_s(), began_s, second
                )
                placed, cost = settled.placed, settled.cost
        if unschedulable:
            with timer.phase("conflicts"):
                reasons_stop = Reserved(stop, prover.reserve_s())
                conflicts = conflicts_of(problem, placed.left_out, reasons_stop)
                is_late = not is_left_for_good or reasons_stop.remaining_s() <= 0
                undecided = UNDECIDED if is_late else NOT_ASKED
                unschedulable = tuple(
                    _as_decided(entry, conflicts, undecided, is_left_for_good=is_left_for_good)
                    for entry in unschedulable
                )
        with timer.phase("prove"):
            proof, bound = prover.prove(found, _placed_counts(problem, placed), cost)
        with timer.phase("verify"):
            penalties = penalties_of(problem, placed.node_claims, placed.existing, wishes)
            interruptions = interruption_cost(problem, placed.node_claims, placed.existing)
            total = cost + interruptions + sum(penalty.microusd_per_hour for penalty in penalties)
            decision = Decision(
                status=_status(placed),
                stop_reason=_stop_reason(
                    found, total, bound, params, stop, is_open=bool(unschedulable) and not is_left_for_good
                ),
                cost_microusd_per_hour=cost,
                bound_microusd_per_hour=min(bound, total),
                node_claims=placed.node_claims,
                existing_placements=placed.existing,
                unschedulable=unschedulable,
                certificate=proof,
                warnings=(
                    *_about_none(placed, is_left_for_good=is_left_for_good),
                    *found.warnings,
                    *warnings,
                    *unknown_rates(instance),
                    *unbound_terms(problem, placed.node_claims, placed.existing),
                    *preemptions(instance, placed),
                    *_about_charges(instance, placed),
                ),
                commitments=commitment_uses(problem, placed.node_claims),
                interruption_microusd_per_hour=interruptions,
                penalties=penalties,
                accelerators=accelerator_uses(problem, placed.node_claims),
            )
            placement = check_placement(problem, decision, poll=stop.is_cancelled)
            findings = (*placement, *check_statement(decision))
            if bound > total:
                findings += (f"the bound {bound} exceeds the cost {total}",)
            if findings:
                raise VerificationError(findings)
    if wishes is None:  # telling these takes time of its own, which `_settled` keeps
        prover.learn(timer.seconds_of("extract") + timer.seconds_of("verify"))
    return timer.on(decision)


def _search(
    instance: Instance,
    params: SolveParams,
    stop: Stop,
    prover: Prover,
    second: SecondStart,
    on_progress: Callable[[Progress], None] | None,
    memory: Memory | None,
) -> tuple[Found, bool]:
    """The search; where limits leave pods out, another proves a bound for those placed.

    The second value says whether it ended before its time with what it leaves out.
    """
    work, known = Work(), None
    if params.work_limit is not None:
        work = Work(deadline=stop)
        stop = WorkLimit(work, params.work_limit)
    elif memory is not None:
        known = memory.recall(instance)

    def note(packing: Packing) -> None:
        prover.note(packing)
        second.note(packing)

    head = head_start(instance, params, stop, work)
    search = Search(
        instance, params, stop, on_progress, prover.most_parts, work, known, head=head,
        on_packing=note, on_bound=prover.note_bound,
    )  # fmt: skip
    found = search.run()
    if memory is not None:
        memory.keep(instance, search.known())
    if not found.packing.is_partial(instance):
        return found, True
    smaller = with_demand_of(instance, found.packing)
    kept_s = CONFLICT_SHARE * max(0.0, stop.remaining_s())
    placed_only = Search(smaller, params, Reserved(stop, kept_s), work=work).run()
    packing = found.packing
    if not placed_only.packing.is_partial(smaller) and placed_only.packing.cost <= packing.cost:
        packing = placed_only.packing.with_demand(instance)
    is_exhausted = found.is_exhausted and placed_only.is_exhausted
    warnings = found.warnings or placed_only.warnings
    return Found(packing, placed_only.proof, is_exhausted, warnings), found.is_exhausted


def _settled(
    instance: Instance,
    found: Found,
    as_found: Settled,
    wishes: PodWishes,
    params: SolveParams,
    stop: Stop,
    reserve_s: float,
    began_s: float,
    second: SecondStart,
) -> Settled:
    """The answer with wishes between pods weighed, or as it was found if that is no better."""
    problem = instance.problem
    total = as_found.total(problem, wishes)
    told_s = stop.elapsed_s() - began_s
    reserve_s += TIMES_TOLD * told_s
    most_units = None if params.work_limit is None else SETTLE_SHARE * params.work_limit
    settle_stop = Reserved(stop, reserve_s + second.reserve_s())
    better = settle(instance, found.packing, wishes, settle_stop, most_units)
    better = replace(better, placed=highest_first(instance, better.placed))
    settled = better if better.total(problem, wishes) < total else as_found
    return second.better(settled, wishes, Reserved(stop, reserve_s), told_s)


def _as_decided(
    entry: Unschedulable, conflicts: Mapping[int, Conflict | None], undecided: str, *, is_left_for_good: bool
) -> Unschedulable:
    """The entry with its conflict, if it has one; other pods are blamed only where that is known.

    Parameters
    ----------
    undecided
        What is said where it is not.
    is_left_for_good
        Whether the search found no place for these pods although it had time.
    """
    conflict = conflicts.get(entry.pods.workload)
    if conflict is not None:
        constraint, message = "conflict", IN_CONFLICT
    elif is_left_for_good and entry.pods.workload in conflicts:
        return entry
    else:
        constraint, message = "undecided", undecided
    refusals = tuple(
        replace(refusal, constraint=constraint, message=message) if refusal.message == TAKEN else refusal
        for refusal in entry.refusals
    )
    return replace(entry, refusals=refusals, conflict=conflict)


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


def _about_none(placed: Placed, *, is_left_for_good: bool) -> tuple[str, ...]:
    """That nothing is placed: a bound of nothing is met by nothing, and must not pass for an answer."""
    if _status(placed) is not SolutionStatus.NONE:
        return ()
    return (NONE_PLACED if is_left_for_good else NONE_IN_TIME,)


def _about_charges(instance: Instance, placed: Placed) -> tuple[str, ...]:
    told = [] if instance.origin.localized.is_weighed else [NOT_WEIGHED]
    slow = cut_off(instance.problem, placed.node_claims)
    if slow:
        names = ", ".join(slow[:MOST_NAMED]) + (", ..." if len(slow) > MOST_NAMED else "")
        told.append(f"{CUT_OFF}: {names}")
    return tuple(told)


def _stop_reason(
    found: Found, cost: int, bound: int, params: SolveParams, stop: Stop, *, is_open: bool
) -> StopReason:
    """Why the search ended; where more pods might be placed (``is_open``), no gap of the others ended it."""
    if bound >= cost and not is_open:
        return StopReason.OPTIMAL
    if stop.is_cancelled():
        return StopReason.CANCELLED
    if relative_gap(cost, bound) <= params.gap and not is_open:
        return StopReason.GAP
    if found.is_exhausted:
        return StopReason.EXHAUSTED
    is_counted = params.work_limit is not None and stop.remaining_s() > 0
    return StopReason.WORK_LIMIT if is_counted else StopReason.DEADLINE


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

    def seconds_of(self, name: str) -> float:
        """What a phase took."""
        return sum(phase.seconds for phase in self._phases if phase.phase == name)

    def on(self, decision: Decision) -> Decision:
        """The decision with the timings written on it."""
        return replace(decision, timings=tuple(self._phases))

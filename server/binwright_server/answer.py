"""From a request to a decision within the time its caller has."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from binwright.v1 import decision_pb2
from binwright_optimizer.catalog.staleness import (
    MAX_AGE_DAYS,
    MAX_SPOT_AGE_DAYS,
    stale_price_warnings,
)
from binwright_optimizer.model.decision import Decision
from binwright_optimizer.model.problem import Problem
from binwright_optimizer.model.unsold import unsold_pool_warnings
from binwright_optimizer.params import SolveParams
from binwright_optimizer.stopping import Deadline, Stop

from binwright_server.convert import AnySolveRequest, progress_to_message, request_to_problem
from binwright_server.errors import AbandonedError, TooLateError
from binwright_server.limits import RequestLimits

if TYPE_CHECKING:  # the module of `Progress` loads the compiled kernels
    from binwright_optimizer.incumbent import Progress

REPLY_S = 0.03
"""Kept back from the caller's deadline for the way home, beside what each pod takes."""

REPLY_S_PER_POD, REPLY_S_PER_POD_SPELT_OUT = 6e-6, 16e-6
"""Spelling, sending and parsing a decision took 4 to 6 us per pod where what nodes have in common is spelt
once (100,000 pods, 44 MB), and up to 16 us where it is not (8,152 pods, 5 MB, two busy cores)."""

LEAST_S_PER_POD = 3e-6
"""Naming and verifying a decision took 2 to 3 us per pod on the same problem. A call with less time left than
that is refused at once rather than worked on in vain, so that it does not delay the next one."""

LATE_S, LATE_SHARE, MOST_LATE_SHARE = 0.05, 0.05, 0.25
"""Seconds, or share of its time, that a solve may be late by, whichever is more, and the most of its time
that is kept back for that: a caller that has stopped waiting gets no decision at all."""

OnProgress = Callable[[decision_pb2.Progress], None]


class Solver(Protocol):
    """`binwright_optimizer.solve.solve`, or a stand-in for it."""

    def __call__(
        self,
        problem: Problem,
        params: SolveParams,
        stop: Stop | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Decision:
        """The verified decision on ``problem``."""
        ...


class UntilAbandoned(Deadline):
    """A deadline that ends a solve with `AbandonedError` once nobody waits for its answer.

    A solver that is told to stop still turns its incumbent into a decision and verifies it, which
    takes a second for 10,000 pods. Where the answer would be thrown away, the next look at the
    clock ends all of it instead.
    """

    def is_cancelled(self) -> bool:
        """False; raises AbandonedError once ``cancel`` is set."""
        if super().is_cancelled():
            raise AbandonedError("the caller gave up during the search")
        return False

    def remaining_s(self) -> float:
        """Seconds left; raises AbandonedError once ``cancel`` is set."""
        self.is_cancelled()
        return super().remaining_s()


def answer(
    request: AnySolveRequest,
    solver: Solver,
    limits: RequestLimits,
    cancel: threading.Event,
    *,
    ends_at: float | None = None,
    wants_incumbent: bool = False,
    on_progress: OnProgress | None = None,
    clock: Callable[[], float] = time.monotonic,
    today: Callable[[], datetime.date] = datetime.date.today,
) -> tuple[Problem, Decision]:
    """The problem of a request and the decision on it.

    Parameters
    ----------
    cancel
        Set from any thread once the caller gives up.
    ends_at
        Time on ``clock`` at which the caller stops waiting; None if never.
    wants_incumbent
        Whether a cancelled search should return what it has, rather than raise.
    on_progress
        Called from this thread with each step of the search.
    today
        The day by which prices are old or not.

    Raises
    ------
    InvalidProblemError
        If the request is wrong.
    TooLateError
        If too little of the caller's time is left once the request is understood.
    AbandonedError
        If the caller gave up before the search began, or during it unless ``wants_incumbent``.
    """
    if cancel.is_set():
        raise AbandonedError("the caller gave up before its turn came")
    problem, params = request_to_problem(request, limits)
    if cancel.is_set():
        raise AbandonedError("the caller gave up before the search began")
    seconds = params.deadline_s
    if ends_at is not None:
        pods = sum(workload.replicas for workload in problem.workloads)
        each_s = REPLY_S_PER_POD if request.params.wants_node_shapes else REPLY_S_PER_POD_SPELT_OUT
        left = ends_at - clock() - REPLY_S - each_s * pods
        if left <= LEAST_S_PER_POD * pods:
            raise TooLateError("the deadline leaves no time to solve and to answer")
        late_s = min(max(LATE_S, LATE_SHARE * left), MOST_LATE_SHARE * left)
        seconds = min(seconds, left - late_s)

    def report(progress: Progress) -> None:
        assert on_progress is not None
        on_progress(progress_to_message(progress))

    stop = Deadline if wants_incumbent else UntilAbandoned
    decision = solver(
        problem,
        replace(params, deadline_s=seconds),
        stop(seconds, cancel, clock),
        report if on_progress is not None else None,
    )
    given = request.params
    stale = stale_price_warnings(
        decision.node_claims,
        problem.catalog,
        today(),
        given.max_price_age_days if given.HasField("max_price_age_days") else MAX_AGE_DAYS,
        given.max_spot_price_age_days if given.HasField("max_spot_price_age_days") else MAX_SPOT_AGE_DAYS,
    )
    unsold = unsold_pool_warnings(problem.node_pools, problem.catalog, len(request.problem.catalog.sold_out))
    return problem, replace(decision, warnings=decision.warnings + unsold + stale)

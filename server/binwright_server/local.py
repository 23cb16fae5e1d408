"""Solving and verifying in process: the server's answers without a server."""

from __future__ import annotations

import functools
import threading

from binwright.v1 import decision_pb2, problem_pb2
from binwright_optimizer.errors import InvalidProblemError

from binwright_server.answer import OnProgress, Solver, answer
from binwright_server.convert import (
    AnySolveRequest,
    decision_from_message,
    decision_to_message,
    problem_from_message,
    request_to_problem,
)
from binwright_server.limits import RequestLimits


def solve_locally(
    request: AnySolveRequest,
    on_progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    solver: Solver | None = None,
    limits: RequestLimits = RequestLimits(),
) -> decision_pb2.Decision:
    """The decision on a request, as `ProvisioningService.Solve` would give it.

    Parameters
    ----------
    on_progress
        Called from the calling thread with each step of the search.
    cancel
        Set from another thread to end the search; the best decision so far is returned.
    solver
        The optimizer's own unless given.

    Raises
    ------
    InvalidProblemError
        If the request is wrong.
    """
    if solver is None and on_progress is not None:
        on_progress(decision_pb2.Progress(phase="loading kernels"))
    problem, decision = answer(
        request,
        solver or _optimizer(),
        limits,
        cancel if cancel is not None else threading.Event(),
        wants_incumbent=True,
        on_progress=on_progress,
    )
    apart = request.params.wants_node_shapes
    return decision_to_message(problem, decision, wants_node_shapes=apart)


def verify_locally(
    question: problem_pb2.Problem | AnySolveRequest, decision: decision_pb2.Decision
) -> list[str]:
    """What is wrong with a decision on a problem or request; empty if nothing is.

    Raises
    ------
    InvalidProblemError
        If the problem itself is wrong; a wrong decision is a finding.
    """
    from binwright_optimizer.verify import verify

    if isinstance(question, problem_pb2.Problem):
        problem = problem_from_message(question)
    else:
        problem, _ = request_to_problem(question)
    try:
        held = decision_from_message(problem, decision)
    except InvalidProblemError as error:
        return [str(violation) for violation in error.violations]
    return list(verify(problem, held))


@functools.cache
def _optimizer() -> Solver:
    # Imported on first use: it loads the solver libraries and compiled kernels, which reading
    # and checking a problem does not need. Kernels that are not compiled yet are compiled here,
    # before the clock of a solve starts: once per installation, in most of a minute.
    from binwright_optimizer.memory import Memory
    from binwright_optimizer.solve import solve
    from binwright_optimizer.warmup import warm_up

    warm_up()
    return functools.partial(solve, memory=Memory())

"""A real server in a thread, requests that show what matters, and solvers that stand in."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from binwright.v1 import problem_pb2, provisioning_service_pb2
from binwright_optimizer.incumbent import Progress
from binwright_optimizer.model import (
    Certificate,
    Decision,
    NodeClaim,
    PodRange,
    Problem,
    Refusal,
    Resources,
    SolutionStatus,
    StopReason,
    Unschedulable,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.stopping import Stop
from binwright_server.answer import Solver
from binwright_server.config import ServerConfig
from binwright_server.errors import AbandonedError
from binwright_server.serve import Server

T = TypeVar("T")


def solve_request(
    pods: int = 1, cpu: str = "1", deadline_s: float | None = None
) -> provisioning_service_pb2.SolveRequest:
    """One workload ``web`` on an inline catalogue that sells ``small`` (4 CPU, 0.10 $/h)."""
    request = provisioning_service_pb2.SolveRequest()
    workload = request.problem.workloads.add(name="web", replicas=pods)
    workload.template.containers.add(name="main", requests={"cpu": cpu})
    small = request.problem.catalog.inline.instance_types.add(name="small", allocatable={"cpu": "4"})
    small.offerings.add(region="r1", zone="r1-a", capacity_type="on-demand", price_microusd_per_hour=100_000)
    if deadline_s is not None:
        request.params.deadline.FromMilliseconds(round(deadline_s * 1e3))
    return request


def as_stream(
    request: provisioning_service_pb2.SolveRequest,
) -> provisioning_service_pb2.SolveStreamRequest:
    """The same question, streamed."""
    return provisioning_service_pb2.SolveStreamRequest(problem=request.problem, params=request.params)


def pod_template(problem: problem_pb2.Problem, name: str = "more") -> problem_pb2.PodTemplate:
    """Template of a further single pod of the problem."""
    return problem.workloads.add(name=name).template


def one_pod_per_node(
    problem: Problem,
    params: SolveParams,
    stop: Stop | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Decision:
    """A feasible decision that nobody would want: each pod alone on the first type that holds it.

    Pods that fit no type are unschedulable. The bound is zero, and the certificate says so.
    """
    pool = problem.node_pools[0]
    claims: list[NodeClaim] = []
    refused: list[Unschedulable] = []
    for w, workload in enumerate(problem.workloads):
        room = [t for t in problem.catalog.instance_types if t.offerings]
        chosen = next((t for t in room if workload.template.requests.fits_in(t.allocatable)), None)
        if chosen is None:
            refusal = Refusal("cpu", len(room), "needs more than any instance type has")
            if workload.replicas:
                refused.append(Unschedulable(PodRange(w, 0, workload.replicas), (refusal,)))
            continue
        offering = chosen.offerings[0]
        claims += [
            NodeClaim(
                name=f"{pool.name}-{len(claims) + ordinal}",
                node_pool=pool.name,
                instance_type=chosen.name,
                region=offering.region,
                zone=offering.zone,
                capacity_type=offering.capacity_type,
                price_microusd_per_hour=offering.price_microusd_per_hour,
                labels=chosen.labels,
                requests=workload.template.requests + Resources.of({"pods": 1}),
                allocatable=chosen.allocatable,
                daemon_overhead=Resources(),
                pods=(PodRange(w, ordinal, 1),),
            )
            for ordinal in range(workload.replicas)
        ]
    cost = sum(claim.price_microusd_per_hour for claim in claims)
    if on_progress is not None:
        on_progress(Progress("start", 0.0, None, 0, 0))
        on_progress(Progress("greedy", 0.001, cost, 0, len(claims)))
    placed, missing = bool(claims), bool(refused)
    return Decision(
        status=(SolutionStatus.PARTIAL if placed else SolutionStatus.NONE)
        if missing
        else SolutionStatus.COMPLETE,
        stop_reason=StopReason.EXHAUSTED,
        cost_microusd_per_hour=cost,
        bound_microusd_per_hour=0,
        node_claims=tuple(claims),
        existing_placements=(),
        unschedulable=tuple(refused),
        certificate=Certificate(20, (0,) * len(problem.workloads)),
    )


class SlowSolver:
    """Solves until it is told to stop, as an anytime solver with a hard problem does.

    Parameters
    ----------
    heartbeat_s
        Between two looks at the clock; with each it reports progress.
    """

    def __init__(self, heartbeat_s: float = 0.005) -> None:
        self._heartbeat_s = heartbeat_s
        self.started = threading.Semaphore(0)
        self.deadlines_s: list[float] = []
        self.was_cancelled: list[bool] = []

    def __call__(
        self,
        problem: Problem,
        params: SolveParams,
        stop: Stop | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Decision:
        assert stop is not None
        self.deadlines_s.append(params.deadline_s)
        self.started.release()
        try:
            while stop.remaining_s() > 0:
                time.sleep(min(self._heartbeat_s, max(0.0, stop.remaining_s())))
                if on_progress is not None:
                    on_progress(Progress("search", stop.elapsed_s(), 10, 5, 1))
        except AbandonedError:
            self.was_cancelled.append(True)
            raise
        self.was_cancelled.append(stop.is_cancelled())
        return one_pod_per_node(problem, params, stop)


class ServerThread:
    """A `Server` whose event loop runs in a thread, so that tests stay synchronous."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self._loop = loop

    @property
    def address(self) -> str:
        return self.server.address

    def call(self, coroutine: Coroutine[Any, Any, T], timeout: float = 30) -> T:
        """What ``coroutine`` returns, run in the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)


@contextmanager
def serving(
    solver: Solver = one_pod_per_node,
    config: ServerConfig | None = None,
    warm_up: Callable[[], object] = lambda: None,
    start: bool = True,
) -> Iterator[ServerThread]:
    """A server on a free port of the loopback interface."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test-server")
    thread.start()
    try:

        async def build() -> Server:
            return Server(config or ServerConfig(address="127.0.0.1:0", workers=2), solver, warm_up)

        running = ServerThread(asyncio.run_coroutine_threadsafe(build(), loop).result(30), loop)
        try:
            if start:
                running.call(running.server.start())
            yield running
        finally:
            running.call(running.server.close(0))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


def wait_until(condition: Callable[[], bool], within_s: float) -> float:
    """Seconds until ``condition`` held; fails if that takes longer than ``within_s``."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < within_s, f"did not happen within {within_s} s"
        time.sleep(0.001)
    return time.monotonic() - start

"""Solve and SolveStream over a real connection."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import grpc
import pytest
from binwright.v1 import decision_pb2, provisioning_service_pb2, provisioning_service_pb2_grpc
from binwright_clients.aio import AioClient
from binwright_clients.client import Client
from binwright_clients.rpc_errors import (
    CallCancelledError,
    DeadlineExceededError,
    ServerBusyError,
    ServerFaultError,
)
from binwright_optimizer.errors import InvalidProblemError
from binwright_server.config import ServerConfig
from harness import SlowSolver, as_stream, one_pod_per_node, serving, solve_request, wait_until


def config(**settings: object) -> ServerConfig:
    return ServerConfig(**({"address": "127.0.0.1:0", "workers": 1} | settings))


def test_decision_names_every_pod_and_its_cost() -> None:
    with serving() as server, Client(server.address) as client:
        decision = client.solve(solve_request(pods=3), timeout=30)
    assert [list(claim.pods) for claim in decision.node_claims] == [["web-0"], ["web-1"], ["web-2"]]
    assert decision.hourly_cost_usd == 0.3
    assert decision.monthly_cost_usd == pytest.approx(219)
    assert decision.status == decision_pb2.SOLUTION_STATUS_COMPLETE


def test_pods_that_fit_nowhere_are_part_of_the_answer() -> None:
    with serving() as server, Client(server.address) as client:
        decision = client.solve(solve_request(pods=2, cpu="64"), timeout=30)
    assert [pod.pod for pod in decision.unschedulable_pods] == ["web-0", "web-1"]
    assert decision.unschedulable_pods[0].reasons[0].constraint == "cpu"


def test_stream_ends_with_the_decision_after_progress() -> None:
    with serving() as server, Client(server.address) as client:
        events = list(client.solve_stream(as_stream(solve_request()), timeout=30))
    assert [event.WhichOneof("event") for event in events] == ["progress", "progress", "decision"]
    first, second = events[0].progress, events[1].progress
    assert not first.HasField("hourly_cost_usd")
    assert not first.HasField("gap")
    assert (second.hourly_cost_usd, second.gap) == (0.1, 1.0)


def test_stream_of_a_wrong_request_is_refused_like_a_call() -> None:
    with (
        serving() as server,
        Client(server.address) as client,
        pytest.raises(InvalidProblemError, match="workloads"),
    ):
        list(client.solve_stream(provisioning_service_pb2.SolveStreamRequest(), timeout=30))


def test_aio_client_solves_and_streams() -> None:
    async def ask(address: str) -> tuple[decision_pb2.Decision, list[str | None], str]:
        async with AioClient(address, timeout=30) as client:
            decision = await client.solve(solve_request())
            stream = client.solve_stream(as_stream(solve_request()))
            kinds = [event.WhichOneof("event") async for event in stream]
            return decision, kinds, await client.check_health()

    with serving() as server:
        decision, kinds, health = asyncio.run(ask(server.address))
    assert decision.hourly_cost_usd == 0.1
    assert kinds == ["progress", "progress", "decision"]
    assert health == "SERVING"


def test_deadline_of_the_call_caps_the_solve_and_the_incumbent_comes_back_in_time() -> None:
    """At least once in ten: a machine that stands still for 15 ms may make a call late."""
    solver = SlowSolver()
    decisions = []
    with serving(solver) as server, Client(server.address) as client:
        client.check_health(timeout=30)  # connect first
        for _ in range(10):
            with suppress(DeadlineExceededError):
                decisions.append(client.solve(solve_request(deadline_s=60), timeout=0.4))
                break
    assert [decision.hourly_cost_usd for decision in decisions] == [0.1]
    assert all(seconds < 0.4 for seconds in solver.deadlines_s)


def test_deadline_that_leaves_no_time_is_deadline_exceeded() -> None:
    with serving() as server, Client(server.address) as client:
        client.check_health(timeout=30)
        with pytest.raises(DeadlineExceededError):
            client.solve(solve_request(), timeout=0.005)


def test_deadline_of_the_request_is_kept_without_a_deadline_of_the_call() -> None:
    solver = SlowSolver()
    with serving(solver) as server, Client(server.address) as client:
        client.solve(solve_request(deadline_s=0.05))
    assert solver.deadlines_s == [0.05]
    assert solver.was_cancelled == [False]


def test_cancelled_call_frees_its_worker() -> None:
    """The best of three, as the machine may be busy."""
    solver = SlowSolver()
    seconds = []
    with serving(solver, config()) as server, grpc.insecure_channel(server.address) as channel:
        stub = provisioning_service_pb2_grpc.ProvisioningServiceStub(channel)
        for _ in range(3):
            call = stub.Solve.future(solve_request(deadline_s=60))
            assert solver.started.acquire(timeout=30)
            call.cancel()
            seconds.append(wait_until(lambda: server.server.workers.running == 0, within_s=5))
    assert min(seconds) < 0.1
    assert solver.was_cancelled == [True] * 3


def test_closing_a_stream_frees_its_worker() -> None:
    solver = SlowSolver()
    with serving(solver, config()) as server, Client(server.address) as client:
        stream = client.solve_stream(as_stream(solve_request(deadline_s=60)))
        assert next(stream).WhichOneof("event") == "progress"
        stream.close()
        wait_until(lambda: server.server.workers.running == 0, within_s=60)
    assert solver.was_cancelled == [True]


def test_cancelling_an_aio_task_frees_its_worker() -> None:
    solver = SlowSolver()

    async def give_up(address: str) -> None:
        async with AioClient(address) as client:
            task = asyncio.create_task(client.solve(solve_request(deadline_s=60)))
            await asyncio.to_thread(solver.started.acquire, timeout=30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    with serving(solver, config()) as server:
        asyncio.run(give_up(server.address))
        wait_until(lambda: server.server.workers.running == 0, within_s=60)


def test_client_that_vanishes_frees_its_worker() -> None:
    solver = SlowSolver()
    with serving(solver, config()) as server:
        channel = grpc.insecure_channel(server.address)
        stub = provisioning_service_pb2_grpc.ProvisioningServiceStub(channel)
        call = stub.Solve.future(solve_request(deadline_s=60))
        assert solver.started.acquire(timeout=30)
        channel.close()
        wait_until(lambda: server.server.workers.running == 0, within_s=60)
        assert call.code() is grpc.StatusCode.CANCELLED


def test_abandoned_call_that_waits_is_never_solved() -> None:
    solver = SlowSolver()
    with serving(solver, config(max_queue=1)) as server, grpc.insecure_channel(server.address) as channel:
        stub = provisioning_service_pb2_grpc.ProvisioningServiceStub(channel)
        first = stub.Solve.future(solve_request(deadline_s=60))
        assert solver.started.acquire(timeout=30)
        second = stub.Solve.future(solve_request(deadline_s=60))
        wait_until(lambda: server.server.workers.waiting == 1, within_s=30)
        second.cancel()
        wait_until(lambda: server.server.workers.waiting == 0, within_s=60)
        first.cancel()
        wait_until(lambda: server.server.workers.running == 0, within_s=60)
    assert len(solver.deadlines_s) == 1


def test_abandoned_call_does_not_delay_the_next() -> None:
    solver = SlowSolver()
    with serving(solver, config()) as server, Client(server.address) as client:
        with pytest.raises(DeadlineExceededError):
            # An rpc deadline shorter than the solver notices: the client hears from its own clock.
            client.solve(solve_request(deadline_s=60), timeout=0.008)
        # The only worker would be taken for 60 s if the abandoned solve went on.
        client.solve(solve_request(deadline_s=0.05), timeout=30)


def test_full_queue_is_resource_exhausted_and_recovers() -> None:
    solver = SlowSolver()
    with serving(solver, config(max_queue=1)) as server, Client(server.address) as client:
        with grpc.insecure_channel(server.address) as channel:
            stub = provisioning_service_pb2_grpc.ProvisioningServiceStub(channel)
            calls = [stub.Solve.future(solve_request(deadline_s=60)) for _ in range(2)]
            wait_until(lambda: server.server.workers.waiting == 1, within_s=30)
            with pytest.raises(ServerBusyError, match="1 worker"):
                client.solve(solve_request(), timeout=30)
            for call in calls:
                call.cancel()
            wait_until(lambda: server.server.workers.running == 0, within_s=60)
        assert client.solve(solve_request(deadline_s=0.02), timeout=30).node_claims


def test_exception_in_the_solver_is_internal_with_an_id_and_the_server_stays_up() -> None:
    has_failed = threading.Event()

    def flaky(problem, params, stop=None, on_progress=None):  # type: ignore[no-untyped-def]
        if not has_failed.is_set():
            has_failed.set()
            raise ZeroDivisionError("secret of the house")
        return one_pod_per_node(problem, params, stop, on_progress)

    with serving(flaky) as server, Client(server.address) as client:
        with pytest.raises(ServerFaultError, match=r"internal error [0-9a-f]{12}") as caught:
            client.solve(solve_request(), timeout=30)
        assert "secret" not in str(caught.value)
        assert client.solve(solve_request(), timeout=30).node_claims


def test_message_above_the_limit_is_refused_and_the_server_stays_up() -> None:
    with serving(config=config(max_message_mib=1)) as server, Client(server.address) as client:
        large = solve_request()
        large.problem.workloads[0].template.labels["x"] = "y" * (2 * 2**20)
        with pytest.raises(ServerBusyError, match="larger than max"):
            client.solve(large, timeout=30)
        assert client.solve(solve_request(), timeout=30).node_claims


def test_bytes_that_are_no_message_are_an_invalid_argument_and_the_server_stays_up() -> None:
    with serving() as server, Client(server.address) as client:
        with grpc.insecure_channel(server.address) as channel:
            raw = channel.unary_unary("/binwright.v1.ProvisioningService/Solve")
            with pytest.raises(grpc.RpcError) as caught:
                raw(b"\xff\xff\xff not a message", timeout=30)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "cannot be decoded" in caught.value.details()
        assert client.solve(solve_request(), timeout=30).node_claims


def test_server_that_stops_ends_calls_after_the_grace_period() -> None:
    solver = SlowSolver()
    with serving(solver) as server, grpc.insecure_channel(server.address) as channel:
        stub = provisioning_service_pb2_grpc.ProvisioningServiceStub(channel)
        call = stub.Solve.future(solve_request(deadline_s=60))
        assert solver.started.acquire(timeout=30)
        server.call(server.server.close(0.1), timeout=30)  # the call would last for 60 s
        assert call.exception() is not None
    assert solver.was_cancelled == [True]


def test_server_that_drains_lets_a_call_end() -> None:
    solver = SlowSolver()
    with serving(solver) as server, grpc.insecure_channel(server.address) as channel:
        stub = provisioning_service_pb2_grpc.ProvisioningServiceStub(channel)
        call = stub.Solve.future(solve_request(deadline_s=0.3))
        assert solver.started.acquire(timeout=30)
        server.call(server.server.close(30))
        assert call.result().decision.node_claims
    assert solver.was_cancelled == [False]


def test_client_side_cancellation_is_its_own_exception() -> None:
    solver = SlowSolver()
    with serving(solver) as server:
        client = Client(server.address)
        outcome: list[BaseException] = []

        def ask() -> None:
            try:
                client.solve(solve_request(deadline_s=60))
            except CallCancelledError as error:
                outcome.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        assert solver.started.acquire(timeout=30)
        client.close()
        thread.join(30)
    assert len(outcome) == 1

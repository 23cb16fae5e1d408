"""The Cluster Autoscaler expander through a server, and within its caller's time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import grpc
import pytest
from autoscaler import (
    scale_up,
    t4_options,
)
from binwright.vendor.autoscaler import expander_pb2, expander_pb2_grpc
from binwright_optimizer.solve import solve
from binwright_server.errors import TooLateError
from binwright_server.expansion.scanned import ScannedRequest
from binwright_server.expansion.service import ExpanderService
from harness import ServerThread, SlowSolver, serving


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with serving(solve) as running:
        yield running


def test_server_answers_with_one_option(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        answer = expander_pb2_grpc.ExpanderStub(channel).BestOptions(scale_up(t4_options()), timeout=30)
    assert [(o.nodeGroupId, o.nodeCount) for o in answer.options] == [("small", 2)]
    assert answer.options[0].debug.startswith("binwright: cheapest mix for 2 pods")


def test_server_says_what_is_wrong_and_goes_on(server: ServerThread) -> None:
    request = scale_up(t4_options())
    request.options[0].podBytes.append(b"\xff")
    with grpc.insecure_channel(server.address) as channel:
        stub = expander_pb2_grpc.ExpanderStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.BestOptions(request, timeout=30)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "options[0].podBytes[2]: is no serialized Pod" in caught.value.details()
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/grpcplugin.Expander/BestOptions")(b"\xff\xff", timeout=30)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert stub.BestOptions(scale_up(t4_options()), timeout=30).options


def test_short_deadline_is_answered_without_a_mix(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        grpc.channel_ready_future(channel).result(30)
        answer = expander_pb2_grpc.ExpanderStub(channel).BestOptions(scale_up(t4_options()), timeout=0.1)
    assert [o.nodeGroupId for o in answer.options] == ["small"]
    assert answer.options[0].debug.startswith("binwright: no cheapest mix and no bound for 2 pods")


class Inline:
    """Workers that work at once."""

    async def run(self, work: Callable[[threading.Event], expander_pb2.BestOptionsResponse]) -> object:
        return work(threading.Event())


class Late:
    """The context of a call whose caller has just ceased to wait."""

    def time_remaining(self) -> float:
        return 0.0


def test_deadline_that_has_passed_is_an_error_not_an_empty_answer() -> None:
    """An empty answer would mean that nothing is to be scaled up."""
    service = ExpanderService(solve, cast("Any", Inline()))
    request = ScannedRequest.of(scale_up(t4_options()).SerializeToString())
    with pytest.raises(TooLateError, match="the deadline has passed"):
        asyncio.run(service.best_options(request, cast("Any", Late())))


def test_expander_does_not_wait_behind_batch_solves() -> None:
    from binwright_clients.client import Client
    from harness import solve_request

    slow = SlowSolver()

    def solver(problem, params, stop=None, on_progress=None):  # type: ignore[no-untyped-def]
        is_batch = problem.node_pools[0].name == "default"
        return (slow if is_batch else solve)(problem, params, stop, on_progress)

    with serving(solver) as server, Client(server.address) as client:
        threads = [
            threading.Thread(target=lambda: client.solve(solve_request(deadline_s=4), timeout=30))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for _ in range(2):
            assert slow.started.acquire(timeout=30)
        with grpc.insecure_channel(server.address) as channel:
            answer = expander_pb2_grpc.ExpanderStub(channel).BestOptions(scale_up(t4_options()), timeout=3)
        assert answer.options
        ends_at = time.monotonic() + 3
        while server.server.workers.waiting < 2 and time.monotonic() < ends_at:
            time.sleep(0.01)  # the answer may be there before the last solve is
        assert server.server.workers.waiting == 2
        for thread in threads:
            thread.join(30)

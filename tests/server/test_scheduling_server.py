"""SchedulingService over a connection."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from binwright.v1 import scheduling_service_pb2, scheduling_service_pb2_grpc
from binwright_optimizer.solve import solve
from clusters import template, two_half_empty_nodes
from harness import ServerThread, serving


@pytest.fixture
def server() -> Iterator[ServerThread]:
    with serving(solve) as running:
        yield running


def test_server_plans_in_the_background_and_streams_the_plan(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
        response = stub.UpdateCluster(two_half_empty_nodes().update, timeout=30)
        assert (response.nodes, response.pods) == (2, 2)
        plans = stub.WatchPlan(scheduling_service_pb2.WatchPlanRequest(), timeout=30)
        plan = next(iter(plans)).plan
        assert {node.name: node.is_kept for node in plan.nodes} == {"a": False, "b": True}
        assert (plan.current_hourly_cost_usd, plan.hourly_cost_usd, plan.lower_bound_usd) == (0.2, 0.1, 0.1)
        plans.cancel()
        question = scheduling_service_pb2.PrioritizeRequest(pod=template("1"), node_names=["a", "b"])
        scores = stub.Prioritize(question, timeout=30)
        assert (scores.plan, scores.scores[0] < 40, scores.scores[1] >= 70) == (1, True, True)


def test_batches_answer_each_question_as_alone(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
        stub.UpdateCluster(two_half_empty_nodes().update, timeout=30)
        pods = [template("1"), template("3"), template("9")]
        filters = [scheduling_service_pb2.FilterRequest(pod=pod) for pod in pods]
        batch = stub.FilterBatch(scheduling_service_pb2.FilterBatchRequest(requests=filters), timeout=30)
        assert list(batch.responses) == [stub.Filter(question, timeout=30) for question in filters]
        ranks = [scheduling_service_pb2.PrioritizeRequest(pod=pod) for pod in pods]
        scored = stub.PrioritizeBatch(
            scheduling_service_pb2.PrioritizeBatchRequest(requests=ranks), timeout=30
        )
        assert [list(r.node_names) for r in scored.responses] == [["a", "b"]] * 3


def test_server_says_that_it_needs_a_snapshot(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Filter(scheduling_service_pb2.FilterRequest(pod=template()), timeout=30)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION

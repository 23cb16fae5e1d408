"""The latency benchmark: a real server under small calls and abandoned large ones."""

from __future__ import annotations

import pytest
from binwright.v1 import decision_pb2
from binwright_benchmarks.latency import measure, small_request


def test_the_small_question_is_fifty_pods_in_five_classes() -> None:
    workloads = small_request().problem.workloads
    assert len(workloads) == 5
    assert sum(workload.replicas for workload in workloads) == 50


@pytest.mark.slow
def test_a_server_answers_small_calls_and_survives_abandoned_large_ones() -> None:
    """The minimums hold all fifty pods.

    10 x 0.340 + 5 x 0.504 + 5 x 0.752 + 3 x 0.624 + 20 x 0.1496 = 14.544 $/h.
    """
    found = measure(small_calls=300, large_calls=5)
    assert found.last.stop_reason == decision_pb2.STOP_REASON_OPTIMAL
    assert found.last.hourly_cost_microusd == 14_544_000
    assert len(found.large_s) == len(found.next_s) == 5
    assert max(found.large_s) < 5.0  # came back at all, long before any other limit
    if found.memory_bytes:
        before, after = found.memory_bytes
        assert after < 1.1 * before

"""The warm start benchmark changes what it says and counts what was not reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from binwright_benchmarks.registry import SharedData
from binwright_benchmarks.warm_start import Pair, changed, measure_pair, rows
from binwright_optimizer.model import Problem
from builders import instance_type, pod, problem


def replicas(question: Problem) -> list[int]:
    return [workload.replicas for workload in question.workloads]


def test_about_the_share_of_the_pods_changes_and_equally_each_time() -> None:
    """Of 100 workloads of 50 pods each twentieth pod goes or comes: hardly any workload keeps its size."""
    question = problem(
        [pod(f"w{k}", cpu=1, replicas=50) for k in range(100)], [instance_type("n", cpu=4, price=1)]
    )
    second = changed(question, 0.05, seed=1)
    moved = sum(
        abs(a.replicas - b.replicas) for a, b in zip(question.workloads, second.workloads, strict=True)
    )
    assert 80 <= moved <= 250
    assert replicas(second) == replicas(changed(question, 0.05, seed=1))
    assert replicas(changed(question, 0.0, seed=1)) == replicas(question)


def test_a_gap_that_was_not_reached_counts_with_the_limit() -> None:
    measured = [
        Pair("i", 0, 0.01, 10, (2.0, None), (0.5, 1.0), 0.002, 0.001),
        Pair("i", 1, 0.01, 10, (4.0, None), (0.7, 3.0), 0.004, 0.001),
    ]
    assert rows(measured, 20.0) == [
        ("i", "1%", "3.00 s", "0.60 s", "20.00 s (2 of 2 not)", "2.00 s", "0.300%", "0.100%")
    ]


@pytest.mark.parametrize("share", [0.05])
def test_a_pair_is_measured_on_the_same_question(share: float) -> None:
    pair = measure_pair("micro-1k-25c-5t", 3000, share, SharedData(Path("/nowhere")), 0.5)
    assert 900 < pair.pods < 1_100
    assert 0 <= pair.warm_gap < 0.2
    assert 0 <= pair.cold_gap < 0.2

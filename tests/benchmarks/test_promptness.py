"""The benchmark of promptness, on a question that takes a moment."""

from __future__ import annotations

import ast
import itertools
import time
from pathlib import Path

import binwright_optimizer
from binwright_benchmarks.promptness import (
    LEAST_CANCEL_S,
    MOST_CANCEL_S,
    STAGES,
    Cancelled,
    Lateness,
    Promptness,
    cancelled,
    first_answer_s,
    lateness,
    moments,
    rows,
    stage_rows,
)
from builders import lumpy

MEASURED = Promptness(
    "some",
    1_200,
    (0.03, 0.05, 0.04),
    (Lateness(0.1, 0.02, 0.5), Lateness(0.1, -0.01, 0.4), Lateness(1.0, -0.1, 0.1)),
    (Cancelled(0.01, "dives", 0.004), Cancelled(0.5, "dives", 0.002), Cancelled(1.5, "proof", 0.011)),
)


def test_a_row_tells_medians_and_worst_cases() -> None:
    (row,) = rows([MEASURED])
    assert row == ("some", "1,200", "40 ms", "50 ms", "20 ms", "-100 ms", "4 ms", "11 ms")


def test_stages_are_functions_that_there_are() -> None:
    """Renaming one would put what is cancelled in it under another stage, and nobody would see."""
    package = Path(binwright_optimizer.__file__).parent
    trees = (ast.parse(path.read_text("utf-8")) for path in package.rglob("*.py"))
    names = {node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert not {name for name, _ in STAGES} - names


def test_stages_are_told_apart_the_slowest_first() -> None:
    assert list(stage_rows([MEASURED])) == [
        ("proof", "1", "11 ms", "11 ms"),
        ("dives", "2", "4 ms", "4 ms"),
    ]


def test_cancellations_come_early_and_late_and_are_the_same_for_a_seed() -> None:
    drawn = moments(200, 1)
    assert drawn == moments(200, 1)
    assert all(LEAST_CANCEL_S <= at_s <= MOST_CANCEL_S for at_s in drawn)
    assert sum(at_s < 0.1 for at_s in drawn) > 50
    assert sum(at_s > 0.5 for at_s in drawn) > 20


def test_a_first_answer_a_deadline_and_a_cancelled_solve_are_timed_by_the_clock_given() -> None:
    question = lumpy()
    ticks = itertools.count()
    assert first_answer_s(question, lambda: float(next(ticks))) == 1.0
    late = lateness(question, 0.05, 0, time.perf_counter)
    assert late.deadline_s == 0.05
    assert late.late_s > -0.05
    found = cancelled(question, 0.0, time.perf_counter)
    assert found is not None
    assert found.ended_s >= 0.0

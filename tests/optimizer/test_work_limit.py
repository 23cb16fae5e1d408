"""Under a work limit the same question gets the same answer, however fast the machine is just then."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from binwright_optimizer.model import Decision, Problem, StopReason
from binwright_optimizer.params import SolveParams
from binwright_optimizer.pricing import sweep as sweeps
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.verify import verify
from binwright_optimizer.work import Work, WorkLimit
from builders import lumpy
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mixed_problems import mixed_problems
from test_solve_random import is_solvable


class RestlessClock:
    """Seconds that pass at another speed between any two looks, as on a busy machine."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.now = 0.0

    def __call__(self) -> float:
        self.now += self._random.expovariate(1.0) * self._random.choice((0.0001, 0.01, 3.0))
        return self.now


def solved(question: Problem, limit: int, clock: RestlessClock) -> Decision:
    """The decision without its timings, on a day-long deadline by that clock."""
    params = SolveParams(deadline_s=86_400.0, work_limit=limit, seed=3)
    decision = solve(replace(question), params, Deadline(1e9, clock=clock))
    return replace(decision, timings=())


@pytest.mark.parametrize("limit", [1, 3_000, 30_000, 300_000])
def test_the_same_limit_gives_the_same_decision_whatever_the_clock_does(limit: int) -> None:
    first = solved(lumpy(), limit, RestlessClock(1))
    assert first == solved(lumpy(), limit, RestlessClock(2))
    assert verify(lumpy(), first) == ()


@given(mixed_problems(), st.integers(1, 40_000))
@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_problem_is_decided_alike_by_slow_and_fast_machines(question: Problem, limit: int) -> None:
    assume(is_solvable(question))
    first = solved(question, limit, RestlessClock(1))
    assert first == solved(question, limit, RestlessClock(2))
    assert verify(question, first) == ()


def test_two_threads_decide_as_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "WORTH_SHARING", 0)
    shared = solved(lumpy(), 200_000, RestlessClock(1))
    monkeypatch.setattr(sweeps, "WORTH_SHARING", 2**62)
    assert solved(lumpy(), 200_000, RestlessClock(1)) == shared


def test_a_search_that_used_up_its_work_says_so() -> None:
    assert solved(lumpy(), 1, RestlessClock(1)).stop_reason is StopReason.WORK_LIMIT


def test_a_deadline_ends_a_search_whose_work_is_not_used_up() -> None:
    clock = RestlessClock(1)
    params = SolveParams(work_limit=10**12)
    decision = solve(lumpy(), params, Deadline(clock.now + 5.0, clock=clock))
    assert decision.stop_reason is StopReason.DEADLINE


def test_work_stands_for_time_a_million_units_to_the_second() -> None:
    work = Work(Deadline(1e6))
    limit = WorkLimit(work, 5_000_000)
    work.add(2e6)
    assert (limit.remaining_s(), limit.elapsed_s()) == (3.0, 2.0)
    work.add(4e6)
    assert limit.remaining_s() == -1.0
    assert not limit.is_cancelled()


def test_more_work_closes_more_of_the_gap() -> None:
    gaps = [solved(lumpy(), limit, RestlessClock(1)).gap for limit in (1, 3_000, 100_000)]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > gaps[-1]


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="work_limit"):
        SolveParams(work_limit=limit)

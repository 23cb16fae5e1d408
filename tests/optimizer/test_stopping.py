"""Deadlines and cancellation, with clocks that tests move by hand."""

from __future__ import annotations

import threading
import time

import pytest
from binwright_optimizer.params import SolveParams
from binwright_optimizer.stopping import Deadline, Halt, Reserved


class Clock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_deadline_counts_down_from_its_construction() -> None:
    clock = Clock()
    deadline = Deadline(5.0, clock=clock)
    assert (deadline.remaining_s(), deadline.elapsed_s()) == (5.0, 0.0)
    clock.now += 2.0
    assert (deadline.remaining_s(), deadline.elapsed_s()) == (3.0, 2.0)
    clock.now += 4.0
    assert (deadline.remaining_s(), deadline.elapsed_s()) == (-1.0, 6.0)
    assert not deadline.is_cancelled()


def test_cancelling_leaves_no_time_whatever_the_clock_says() -> None:
    cancel = threading.Event()
    deadline = Deadline(5.0, cancel, Clock())
    cancel.set()
    assert deadline.is_cancelled()
    assert deadline.remaining_s() == 0.0


def test_a_reserve_ends_the_search_earlier_and_hides_nothing_else() -> None:
    clock, cancel = Clock(), threading.Event()
    reserved = Reserved(Deadline(5.0, cancel, clock), 2.0)
    clock.now += 1.0
    assert (reserved.remaining_s(), reserved.elapsed_s()) == (2.0, 1.0)
    assert not reserved.is_cancelled()
    clock.now += 2.5
    assert reserved.remaining_s() == -0.5
    cancel.set()
    assert reserved.is_cancelled()
    assert reserved.remaining_s() <= 0


def raised_within(halt: Halt, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not halt.flag[0] and time.monotonic() < end:
        time.sleep(0.001)
    return bool(halt.flag[0])


def test_the_flag_is_raised_once_a_deadline_passes() -> None:
    clock = Clock()
    halt = Halt(Deadline(1.0, clock=clock), period_s=0.001)
    halt.watch()
    try:
        assert not raised_within(halt, 0.01)
        clock.now += 2.0
        assert raised_within(halt, 5.0)
    finally:
        halt.close()


def test_the_flag_is_raised_on_cancellation() -> None:
    cancel = threading.Event()
    halt = Halt(Deadline(1e6, cancel), period_s=0.001)
    halt.watch()
    cancel.set()
    assert raised_within(halt, 5.0)
    halt.close()


def test_the_flag_is_raised_when_asking_the_stop_fails() -> None:
    class Broken(Deadline):
        def remaining_s(self) -> float:
            raise KeyboardInterrupt

    halt = Halt(Broken(1.0), period_s=0.001)
    halt.watch()
    assert raised_within(halt, 5.0)
    halt.close()
    assert halt.abandoned[0]


def test_a_solve_whose_time_is_up_is_not_abandoned() -> None:
    """Its first answer is made all the same."""
    halt = Halt(Deadline(1e-6), period_s=0.001)
    halt.watch()
    assert raised_within(halt, 5.0)
    halt.close()
    assert not halt.abandoned[0]


def test_closing_ends_the_watching_thread_and_watching_twice_starts_one() -> None:
    def watchers() -> int:
        return sum(t.name == "binwright-halt" for t in threading.enumerate())

    before = watchers()
    halt = Halt(Deadline(1e6), period_s=0.001)
    halt.watch()
    halt.watch()
    assert watchers() == before + 1
    halt.close()
    assert watchers() == before
    assert not halt.flag[0]


def test_a_halt_that_never_watched_closes_at_once() -> None:
    Halt(Deadline(1e6)).close()


@pytest.mark.parametrize("seconds", [0.0, -1.0, 86_401.0, float("nan"), float("inf")])
def test_a_deadline_outside_a_day_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="deadline_s"):
        SolveParams(deadline_s=seconds)


@pytest.mark.parametrize("gap", [-0.1, 1.0, float("nan")])
def test_a_gap_outside_zero_to_one_is_refused(gap: float) -> None:
    with pytest.raises(ValueError, match="gap"):
        SolveParams(gap=gap)

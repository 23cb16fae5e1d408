"""A caller that gives up ends the solve at its next look at the stop, whatever the solve is doing then."""

from __future__ import annotations

import random
import threading
import time

import pytest
from binwright_optimizer.model import Problem
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.verify import verify
from builders import instance_type, pod, problem

GENEROUS_S = 20.0
"""Far above what any stage takes between two looks, so that a busy machine breaks no test."""


class GaveUpError(Exception):
    """Nobody waits for the answer any more."""


class Patient(Deadline):
    """A stop that raises once it is cancelled, or has been asked so many times by the thread that made it."""

    def __init__(self, cancel: threading.Event | None = None, most: int | None = None) -> None:
        super().__init__(1e6, cancel)
        self.asked = 0
        self.most = most
        self.owner = threading.get_ident()

    def is_cancelled(self) -> bool:
        if threading.get_ident() == self.owner:
            self.asked += 1
        if super().is_cancelled() or (self.most is not None and self.asked > self.most):
            raise GaveUpError
        return False

    def remaining_s(self) -> float:
        self.is_cancelled()
        return super().remaining_s()


def lumpy() -> Problem:
    """Thirty classes and forty types that do not divide evenly: work for a long time, in every stage."""
    pods = [
        pod(f"w{k}", cpu=1 + (7 * k % 30) / 13, memory_gib=1 + (11 * k % 30) / 7, replicas=3 + k)
        for k in range(30)
    ]
    kinds = [
        instance_type(f"t{k}", cpu=7 + 3.3 * k, memory_gib=9 + 5.7 * k, price=1.000001 + 0.9 * k)
        for k in range(40)
    ]
    return problem(pods, kinds)


def watchers() -> set[threading.Thread]:
    """Threads that watch a stop for kernels; other tests may have left some."""
    return {thread for thread in threading.enumerate() if thread.name == "binwright-halt"}


def test_a_stop_that_raises_at_any_look_ends_the_solve_and_leaves_no_thread() -> None:
    """Under a work limit every solve looks as often: at each of some looks the caller is gone."""
    question, params, before = lumpy(), SolveParams(work_limit=60_000), watchers()
    whole = Patient()
    solve(question, params, whole)
    assert whole.asked > 100
    for most in sorted(random.Random(3).sample(range(whole.asked), 12)):
        with pytest.raises(GaveUpError):
            solve(question, params, Patient(most=most))
        assert watchers() <= before


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.2, 0.7])
def test_a_solve_abandoned_from_another_thread_ends(after_s: float) -> None:
    question, cancel, ended, before = lumpy(), threading.Event(), threading.Event(), watchers()

    def run() -> None:
        try:
            solve(question, SolveParams(), Patient(cancel))
        except GaveUpError:
            ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(after_s)
    cancel.set()
    thread.join(GENEROUS_S)
    assert ended.is_set()
    assert watchers() <= before


def test_who_cancels_but_waits_gets_the_incumbent() -> None:
    question, cancel = lumpy(), threading.Event()
    threading.Timer(0.1, cancel.set).start()
    began = time.monotonic()
    decision = solve(question, SolveParams(deadline_s=600.0), Deadline(600.0, cancel))
    assert time.monotonic() - began < GENEROUS_S
    assert verify(question, decision) == ()

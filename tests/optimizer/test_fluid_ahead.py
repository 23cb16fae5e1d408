"""The fluid relaxation beside the first answer: the same as by itself, and never in the way."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from binwright_optimizer.heuristics.greedy import cheapest_alone
from binwright_optimizer.instance import build_instance
from binwright_optimizer.params import SolveParams
from binwright_optimizer.search import Search, fluid_ahead
from binwright_optimizer.search.fluid_ahead import WORTH_A_THREAD, FluidAhead
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.work import Work
from builders import instance_type, pod, problem
from solver_parts import candidate_names, pricing_of

NOBODY = np.zeros(0, dtype=np.intp)


def many_classes():
    """Fifty classes of pods between lean and fat, and forty kinds of nodes: worth a thread."""
    pods = [pod(f"p{n}", cpu=1 + n % 7, memory_gib=1 + n // 7, replicas=5) for n in range(50)]
    kinds = [
        instance_type(
            f"n{n}", cpu=8 + 2 * (n % 8), memory_gib=16 + 8 * (n // 8), price=0.4 + 0.05 * (n % 8) + n / 40
        )
        for n in range(40)
    ]
    return problem(pods, kinds)


def ahead_of(instance, work: Work | None = None) -> FluidAhead:
    pricing = pricing_of(instance)
    if work is not None:
        pricing.work = work
    return FluidAhead(instance, pricing, Deadline(60.0), cheapest_alone(instance)[1], None)


def test_each_class_names_the_candidate_that_is_cheapest_for_it_alone() -> None:
    """4 of 8 cpu is half a node of $1; 6 of 12 GiB is half a node of $1.5, less than all of the other."""
    kinds = [
        instance_type("cpu", cpu=8, memory_gib=6, price=1),
        instance_type("mem", cpu=8, memory_gib=12, price=1.5),
    ]
    pods = [pod("c", cpu=4, memory_gib=1, replicas=9), pod("m", cpu=1, memory_gib=6, replicas=9)]
    instance = build_instance(problem(pods, kinds))
    prices, candidates = cheapest_alone(instance)
    assert prices.tolist() == pytest.approx([0.5, 0.75])
    assert [candidate_names(instance)[j] for j in candidates] == ["cpu", "mem"]


def test_it_says_the_same_whether_a_thread_solves_it_or_not() -> None:
    instance = build_instance(many_classes())
    assert instance.n_classes * instance.n_candidates >= WORTH_A_THREAD
    beside, alone = ahead_of(instance), ahead_of(instance)
    beside.begin()
    first, second = beside.result(NOBODY), alone.result(NOBODY)
    assert first.prices.tolist() == second.prices.tolist()
    assert first.candidates.tolist() == second.candidates.tolist()
    assert first.pods.tolist() == second.pods.tolist()


def test_the_work_of_the_thread_is_counted() -> None:
    instance = build_instance(many_classes())
    work = Work()
    ahead = ahead_of(instance, work)
    ahead.begin()
    ahead.result(NOBODY)
    assert work.units > 0.0


def test_counted_work_is_done_by_one_thread() -> None:
    """Two would count in any order, and the answer would depend on it."""
    ahead = ahead_of(build_instance(many_classes()), Work(deadline=Deadline(60.0)))
    ahead.begin()
    assert ahead._thread is None
    assert ahead.result(NOBODY).prices.all()


def test_a_failure_of_the_thread_is_one_of_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("in the thread")

    monkeypatch.setattr(fluid_ahead, "solve_fluid", fail)
    with pytest.raises(ZeroDivisionError, match="in the thread"):
        solve(many_classes(), SolveParams(deadline_s=5.0))


def test_no_thread_outlives_its_search() -> None:
    """A cover whose time is over at once leaves the relaxation unsolved, not running."""
    solve(many_classes(), SolveParams(deadline_s=0.001))
    assert not [t for t in threading.enumerate() if t.name == "binwright-fluid"]


def test_a_process_without_another_thread_solves_it_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "binwright-fluid":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    ahead = ahead_of(build_instance(many_classes()))
    ahead.begin()
    assert ahead.result(NOBODY).prices.all()
    ahead.close()


def test_where_time_ends_with_the_first_answer_the_relaxation_that_is_there_gives_the_bound() -> None:
    """The greedy answer is late; the second thread has long been done."""
    instance = build_instance(many_classes())
    search = Search(instance, SolveParams(deadline_s=60.0), Deadline(60.0))
    greedy = search.state.greedy.cover

    def slow(*arguments):
        found = greedy(*arguments)
        assert search.state._ahead is not None
        search.state._ahead.close()
        search.state.halt.flag[0] = 1
        return found

    search.state.greedy.cover = slow  # type: ignore[method-assign]
    found = search.run()
    assert found.simple is not None
    assert found.proof.bound.dollars == pytest.approx(float(instance.demand @ found.simple.pods))

"""Sweeps on two threads: whoever does the work, the answers are the same."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np
import pytest
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.pricing import sweep as sweeps
from builders import instance_type, pod, problem
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from solver_parts import converged_generation, pricing_of
from tiny_problems import tiny_problems

ALWAYS, NEVER = 0, 2**62
"""Work from which a sweep is shared."""


def lumpy() -> Instance:
    """Twelve classes and ten types that do not divide evenly, so that searches differ in length."""
    pods = [
        pod(f"w{k}", cpu=1 + (7 * k % 12) / 5, memory_gib=1 + (5 * k % 12) / 3, replicas=3 + k)
        for k in range(12)
    ]
    kinds = [
        instance_type(f"t{k}", cpu=7 + 3.3 * k, memory_gib=9 + 5.7 * k, price=1 + 0.9 * k) for k in range(10)
    ]
    return build_instance(problem(pods, kinds))


class InThisThread:
    """An executor without threads; counts what it is given, and does it at once."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, task, *arguments) -> Future:
        self.submitted += 1
        done: Future = Future()
        done.set_result(task(*arguments))
        return done


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> InThisThread:
    """The helper pool replaced by this thread."""
    executor = InThisThread()
    monkeypatch.setattr(sweeps, "_HELPER", executor)
    return executor


def swept(instance: Instance, rounds: int = 4) -> list[list]:
    """Everything that some sweeps at falling prices leave behind."""
    pricing = pricing_of(instance)
    costs = instance.price * 1e-6
    found = []
    for k in range(rounds):
        values = instance.requests[:, 1] / 4000.0 * (1.0 - 0.1 * k)
        bounds = np.empty(instance.n_candidates)
        priced = pricing.price(values, costs, bounds)
        left_behind = (priced.candidates, priced.patterns, bounds, pricing.multipliers)
        found.append([array.tolist() for array in left_behind])
    return found


def generated(instance: Instance) -> list:
    """What column generation ends with."""
    generation = converged_generation(instance)
    candidates, patterns = generation.pool.arrays()
    return [
        generation.rounds,
        generation.bound.dollars,
        generation.bound.duals.pods.tolist(),
        candidates.tolist(),
        patterns.tolist(),
    ]


@pytest.mark.parametrize("run", [swept, generated])
def test_a_shared_sweep_answers_as_one_thread_does(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "WORTH_SHARING", NEVER)
    alone = run(lumpy())
    monkeypatch.setattr(sweeps, "WORTH_SHARING", ALWAYS)
    assert run(lumpy()) == alone


@pytest.mark.parametrize("run", [swept, generated])
def test_without_the_helper_pool_the_answers_are_the_same(
    run, helper: InThisThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "WORTH_SHARING", ALWAYS)
    in_turn = run(lumpy())
    assert helper.submitted
    monkeypatch.undo()
    monkeypatch.setattr(sweeps, "WORTH_SHARING", ALWAYS)
    assert run(lumpy()) == in_turn


def test_the_same_sweeps_are_shared_each_time(helper: InThisThread) -> None:
    """Whether a sweep is shared depends on counted work, not on a clock."""
    first = generated(lumpy())
    shared, helper.submitted = helper.submitted, 0
    assert generated(lumpy()) == first
    assert helper.submitted == shared


@given(tiny_problems(), st.lists(st.integers(0, 12), min_size=3, max_size=3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_halves_of_any_sweep_add_up_to_the_whole(tiny, worth: list[int]) -> None:
    instance = build_instance(tiny)
    assume(instance.n_classes)
    values, costs = np.array(worth[: instance.n_classes], dtype=np.float64), instance.price * 1e-6
    outcomes = []
    for least in (NEVER, ALWAYS):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sweeps, "WORTH_SHARING", least)
            bounds = np.empty(instance.n_candidates)
            priced = pricing_of(instance).price(values, costs, bounds)
        outcomes.append([priced.candidates.tolist(), priced.patterns.tolist(), bounds.tolist()])
    assert outcomes[0] == outcomes[1]


def test_candidates_asked_for_are_shared_without_touching_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "WORTH_SHARING", ALWAYS)
    instance = lumpy()
    asked = np.array([7, 2, 5, 0], dtype=np.intp)
    bounds = np.full(instance.n_candidates, -1.0)
    priced = pricing_of(instance).price(
        np.full(instance.n_classes, 5.0), instance.price * 1e-6, bounds, candidates=asked
    )
    assert priced.candidates.tolist() == asked.tolist()
    assert np.flatnonzero(bounds >= 0).tolist() == sorted(asked.tolist())

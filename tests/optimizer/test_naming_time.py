"""The time kept for naming and verifying a decision: by its size, and by how long that took before."""

from __future__ import annotations

import time

import numpy as np
import pytest
from binwright_optimizer import proof
from binwright_optimizer.columns.bound import Bound
from binwright_optimizer.columns.rows import Duals
from binwright_optimizer.columns.tree import Part
from binwright_optimizer.instance import build_instance
from binwright_optimizer.naming import (
    FIRST_SLOWNESS,
    FIRST_UNDER_RULES,
    KIND_S,
    LEARNT_SHARE,
    MOST_RISE,
    NODE_S,
    OFFERING_S,
    RANGE_S,
    WORKLOAD_S,
    Slowness,
    naming_s,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.proof import (
    LEAST_PROOF_S,
    LEAST_SEARCH_S,
    MOST_SHARE,
    SECOND_PROOF_S,
    Prover,
)
from binwright_optimizer.search import Found
from binwright_optimizer.stopping import Deadline, Keeping
from builders import instance_type, pod, problem
from solver_parts import packing_of


def test_time_is_reckoned_by_nodes_kinds_of_nodes_and_ranges() -> None:
    """Three nodes with both classes, two with one: five nodes, two kinds, 3 x 2 + 2 ranges."""
    pods = [pod("a", cpu=1, replicas=8), pod("b", cpu=2, replicas=3)]
    instance = build_instance(problem(pods, [instance_type("node", cpu=8, memory_gib=64, price=1)]))
    one, two = (instance.requests[:, instance.resources.index("cpu")] // 1000).tolist()
    both = [2, 1] if (one, two) == (1, 2) else [1, 2]
    single = [1, 0] if (one, two) == (1, 2) else [0, 1]
    packing = packing_of(instance, (0, 3, both), (0, 2, single))
    of_packing = 5 * NODE_S + 2 * KIND_S + 8 * RANGE_S
    of_question = 2 * WORKLOAD_S + 7 * OFFERING_S
    assert naming_s(packing, workloads=2, offerings=7) == pytest.approx(of_packing + of_question)


def test_a_slow_decision_counts_at_once_and_a_fast_one_by_and_by() -> None:
    slowness = Slowness()
    slowness.learn(has_rules=False, expected_s=0.1, measured_s=0.2)
    assert slowness.of(has_rules=False) == pytest.approx(2.0)
    slowness.learn(has_rules=False, expected_s=0.1, measured_s=0.1)
    assert slowness.of(has_rules=False) == pytest.approx(2.0 - LEARNT_SHARE)


def test_one_standstill_raises_it_by_a_factor_at_most() -> None:
    slowness = Slowness()
    slowness.learn(has_rules=False, expected_s=0.1, measured_s=100.0)
    assert slowness.of(has_rules=False) == pytest.approx(MOST_RISE * FIRST_SLOWNESS)


def test_small_decisions_and_those_of_the_other_sort_teach_nothing() -> None:
    slowness = Slowness()
    slowness.learn(has_rules=True, expected_s=1e-5, measured_s=1.0)
    slowness.learn(has_rules=False, expected_s=0.1, measured_s=0.3)
    assert slowness.of(has_rules=True) == FIRST_UNDER_RULES


def test_a_stop_keeps_what_it_is_told_to_keep_just_then() -> None:
    kept = [2.0]
    stop = Keeping(Deadline(5.0, clock=lambda: 0.0), lambda: kept[0])
    assert stop.remaining_s() == 3.0
    kept[0] = 4.5
    assert stop.remaining_s() == 0.5
    assert (stop.elapsed_s(), stop.is_cancelled()) == (0.0, False)


def test_an_answer_too_large_for_all_the_time_there_is_ends_the_search_soon() -> None:
    """100,000 nodes of one pod take 0.8 s to be named, a third of that on the fastest machine."""
    instance = build_instance(
        problem([pod("a", cpu=1, replicas=100_000)], [instance_type("node", cpu=1, memory_gib=1, price=1)])
    )
    stop = Deadline(0.1, clock=lambda: 0.0)
    prover = Prover(instance, SolveParams(deadline_s=0.1), stop)
    assert prover.reserve_s() <= MOST_SHARE * 0.1  # the search has its share until there is an answer
    prover.note(packing_of(instance, (0, 100_000, [1])))
    assert prover.reserve_s() == pytest.approx(0.1 - LEAST_SEARCH_S)


def test_a_search_without_time_for_its_least_has_its_share() -> None:
    """Of 20 ms, half are kept: no more than for any other answer."""
    instance = build_instance(
        problem([pod("a", cpu=1, replicas=100_000)], [instance_type("node", cpu=1, memory_gib=1, price=1)])
    )
    prover = Prover(instance, SolveParams(deadline_s=0.02), Deadline(0.02, clock=lambda: 0.0))
    prover.note(packing_of(instance, (0, 100_000, [1])))
    assert prover.reserve_s() == pytest.approx(MOST_SHARE * 0.02)


def test_answers_that_can_be_named_in_time_leave_the_search_its_share() -> None:
    """Half of the pods left out: another search proves the bound of those placed. 60 s are time enough."""
    instance = build_instance(
        problem([pod("a", cpu=1, replicas=100_000)], [instance_type("node", cpu=1, memory_gib=1, price=1)])
    )
    for seconds, nodes in ((0.1, 50_000), (60.0, 100_000)):
        stop = Deadline(seconds, clock=lambda: 0.0)
        prover = Prover(instance, SolveParams(deadline_s=seconds), stop)
        prover.note(packing_of(instance, (0, nodes, [1])))
        assert prover.reserve_s() <= MOST_SHARE * seconds


def test_a_proof_that_begins_late_is_given_less() -> None:
    """One pod: nothing to name. In time it has all that is left, near the end 35 ms, 30 ms after it 10."""
    instance = build_instance(
        problem([pod("a", cpu=1)], [instance_type("node", cpu=1, memory_gib=1, price=1)])
    )
    now = [0.0]
    prover = Prover(instance, SolveParams(deadline_s=0.1), Deadline(0.1, clock=lambda: now[0]))
    assert prover.proof_s() == pytest.approx(0.1, abs=0.002)
    now[0] = 0.09
    assert prover.proof_s() == LEAST_PROOF_S
    now[0] = 0.13
    assert prover.proof_s() == SECOND_PROOF_S


def test_solutions_are_split_into_as_many_parts_as_can_be_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10 s, 0.8 s are kept for the proof, and the whole takes 0.3 s: two parts would take most of it."""

    def slow(*_: object, time_limit_s: float, **__: object) -> int:
        time.sleep(min(0.3, time_limit_s))
        return 0

    instance = build_instance(
        problem([pod("a", cpu=1)], [instance_type("node", cpu=1, memory_gib=1, price=1)])
    )
    prover = Prover(instance, SolveParams(deadline_s=10.0), Deadline(10.0, clock=lambda: 0.0))
    monkeypatch.setattr(proof, "prove_bound", slow)
    nothing = Duals(np.zeros(1), np.zeros(0), np.zeros(0), np.zeros(0))
    assert prover.most_parts(Bound(0.0, nothing)) == 1


def one_pod_prover(now: list[float], seconds: float = 10.0) -> Prover:
    instance = build_instance(
        problem([pod("a", cpu=1)], [instance_type("node", cpu=1, memory_gib=1, price=1)])
    )
    return Prover(instance, SolveParams(deadline_s=seconds), Deadline(seconds, clock=lambda: now[0]))


def bound_of(dollars: float) -> Bound:
    return Bound(dollars, Duals(np.ones(1), np.zeros(0), np.zeros(0), np.zeros(0)))


def test_a_proof_that_is_over_at_once_leaves_the_search_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10 s, 0.8 s are kept for the proof until a trial after 6.5 s tells that less will do."""
    now = [0.0]
    prover = one_pod_prover(now)
    monkeypatch.setattr(proof, "prove_bound", lambda *_, **__: 1)
    prover.note_bound(bound_of(1.0))
    assert prover.reserve_s() == pytest.approx(0.8, abs=0.01), "too early to be tried"
    now[0] = 7.0
    prover.note_bound(bound_of(1.0))
    assert prover.reserve_s() == pytest.approx(LEAST_PROOF_S, abs=0.01)


def test_a_proof_that_is_cut_short_keeps_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, time_limit_s: float, **__: object) -> int:
        time.sleep(time_limit_s)
        return 1

    now = [0.0]
    prover = one_pod_prover(now)
    monkeypatch.setattr(proof, "prove_bound", slow)
    before = prover.reserve_s()
    now[0] = 7.0
    prover.note_bound(bound_of(1.0))
    assert prover.reserve_s() == before


def test_what_a_trial_proved_stands_where_the_last_proof_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial proves the pod's $1; later proofs come to nothing."""
    now = [0.0]
    prover = one_pod_prover(now)
    now[0] = 7.0
    prover.note_bound(bound_of(1.0))
    monkeypatch.setattr(proof, "prove_bound", lambda *_, **__: 0)
    found = Found(packing_of(prover._instance, (0, 1, [1])), Part(bound_of(1.0), {}, {}), True, ())
    assert prover.prove(found, [1], 1_000_000)[1] == 1_000_000
    assert prover.prove(found, [0], 0)[1] == 0, "it was of all pods"


def test_a_search_that_is_over_tries_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bound is about to be proven anyway, in the time that a trial would take."""

    def refuse(*_: object, **__: object) -> int:
        raise AssertionError("a proof was tried")

    now = [0.0]
    prover = one_pod_prover(now)
    monkeypatch.setattr(proof, "prove_bound", refuse)
    now[0] = 9.5
    prover.note_bound(bound_of(1.0))
    assert prover.reserve_s() == pytest.approx(0.8, abs=0.01)

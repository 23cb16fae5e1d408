"""A question like one before begins where that ended, and is answered as rightly as any other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from binwright_optimizer.columns.known import MOST_BRANCHES, Known
from binwright_optimizer.heuristics.greedy import cheapest_alone
from binwright_optimizer.incumbent import Progress
from binwright_optimizer.instance import Instance, build_instance
from binwright_optimizer.memory import MOST_STARTS, Memory, WarmStart, classes_of
from binwright_optimizer.model import (
    Decision,
    InstanceType,
    LabelSelector,
    Problem,
    StopReason,
    TopologySpread,
    labels,
)
from binwright_optimizer.params import SolveParams
from binwright_optimizer.search import Search, fluid_ahead
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.verify import verify
from binwright_optimizer.work import Work, WorkLimit
from builders import instance_type, lumpy, microusd, node_pool, offering, pod, problem
from hypothesis import HealthCheck, assume, given, settings
from mixed_problems import mixed_problems
from solver_parts import candidate, candidate_names, greedy_of
from test_solve_random import is_solvable

NODE = instance_type("node", cpu=8, memory_gib=32, price=1)
LARGE = instance_type("large", cpu=16, memory_gib=64, price=1.9)


def asked(web: int, batch: int, types: list[InstanceType]) -> Problem:
    """Web pods of 2 cpu, batch pods of 3 cpu."""
    pods = [
        pod("web", cpu=2, memory_gib=1, replicas=web),
        pod("batch", cpu=3, memory_gib=1, replicas=batch),
    ]
    return problem([p for p in pods if p.replicas], types)


def known_of(instance: Instance, *nodes: tuple[str, int, dict[int, int]]) -> Known:
    """Columns by type, number of nodes and pods by milli-CPU; prices are a tenth of a dollar a core."""
    cpu = instance.resources.index("cpu")
    patterns = np.zeros((len(nodes), instance.n_classes), dtype=np.int32)
    for p, (_, _, held) in enumerate(nodes):
        for amount, count in held.items():
            patterns[p, np.flatnonzero(instance.requests[:, cpu] == amount)] = count
    return Known(
        np.array([candidate(instance, name) for name, _, _ in nodes], dtype=np.intp),
        patterns,
        np.array([count for _, count, _ in nodes], dtype=np.int64),
        instance.requests[:, cpu] / 10_000.0,
    )


def by_cpu(instance: Instance, known: Known) -> list[tuple[int, dict[int, int], int]]:
    """Columns as candidate, pods by milli-CPU and nodes."""
    cpu = instance.requests[:, instance.resources.index("cpu")]
    return [
        (int(j), {int(cpu[i]): int(pattern[i]) for i in np.flatnonzero(pattern)}, int(nodes))
        for j, pattern, nodes in zip(known.candidates, known.patterns, known.nodes, strict=True)
    ]


def test_classes_are_recognised_by_what_their_pods_ask_for() -> None:
    """In the new question batch comes first and there are more of both; columns and prices follow."""
    before = build_instance(asked(8, 4, [NODE]))
    start = WarmStart.of(before, known_of(before, ("node", 3, {2000: 1, 3000: 2})))
    pods = [pod("other", cpu=3, memory_gib=1, replicas=9), pod("more", cpu=2, memory_gib=1, replicas=9)]
    after = build_instance(problem(pods, [NODE]))
    known = start.known_in(after, classes_of(after))
    assert by_cpu(after, known) == [(0, {2000: 1, 3000: 2}, 3)]
    assert sorted(known.prices.tolist()) == [0.2, 0.3]
    assert start.likeness(after, classes_of(after)) == 1.0


def test_columns_that_no_longer_fit_are_dropped() -> None:
    """A node that used to have 8 cores has 6: four pods of 2 do not fit it, three still do."""
    before = build_instance(asked(8, 4, [NODE]))
    known = known_of(before, ("node", 1, {2000: 4}), ("node", 2, {2000: 3}))
    smaller = instance_type("node", cpu=6, memory_gib=32, price=1)
    after = build_instance(asked(8, 4, [smaller]))
    assert by_cpu(after, WarmStart.of(before, known).known_in(after, classes_of(after))) == [
        (0, {2000: 3}, 2)
    ]


def test_pods_and_types_that_are_gone_leave_the_columns() -> None:
    """Nobody asks for batch pods any more, for two web pods only, and the large type is sold out."""
    before = build_instance(asked(8, 4, [NODE, LARGE]))
    assert candidate_names(before) == ["large", "node"]
    known = known_of(before, ("large", 1, {2000: 8}), ("node", 1, {2000: 4}), ("node", 1, {3000: 2}))
    after = build_instance(asked(2, 0, [NODE]))
    assert by_cpu(after, WarmStart.of(before, known).known_in(after, classes_of(after))) == [
        (0, {2000: 2}, 1)
    ]


def test_classes_that_are_new_have_no_price_yet() -> None:
    """Half of the pods are new, and the question still counts as alike."""
    before = build_instance(asked(8, 0, [NODE]))
    start = WarmStart.of(before, known_of(before, ("node", 2, {2000: 4})))
    after = build_instance(asked(8, 8, [NODE]))
    assert sorted(start.known_in(after, classes_of(after)).prices.tolist()) == [0.0, 0.2]
    assert start.likeness(after, classes_of(after)) == 0.5


def test_what_is_left_beside_the_nodes_of_the_answer_is_covered() -> None:
    """Two nodes of four web pods were bought; for twelve pods a third is."""
    instance = build_instance(asked(12, 0, [NODE]))
    known = known_of(instance, ("node", 2, {2000: 4}))
    candidates, counts, patterns = known.answer(instance, greedy_of(instance), known.prices)
    assert counts.sum() == 3
    assert (counts @ patterns).tolist() == [12]
    assert set(candidates.tolist()) == {0}


def test_an_answer_keeps_within_limits_that_became_tighter() -> None:
    """Of three nodes that were bought, a pool of at most two nodes may keep two."""
    instance = build_instance(
        problem([pod("web", cpu=2, memory_gib=1, replicas=12)], [NODE], [node_pool(max_nodes=2)])
    )
    known = known_of(instance, ("node", 3, {2000: 4}))
    _, counts, _ = known.answer(instance, greedy_of(instance), known.prices)
    assert counts.sum() == 2


def solved(question: Problem, memory: Memory | None) -> tuple[Decision, list[Progress]]:
    steps: list[Progress] = []
    params = SolveParams(deadline_s=5.0, gap=0.005)
    return solve(question, params, on_progress=steps.append, memory=memory), steps


def with_more(question: Problem, name: str, replicas: int) -> Problem:
    workloads = tuple(
        replace(w, replicas=w.replicas + replicas) if w.name == name else w for w in question.workloads
    )
    return replace(question, workloads=workloads)


def test_a_changed_question_begins_with_a_better_bound_than_any_other() -> None:
    """The second question has one pod more: the dual prices of the first bound it from the start."""
    memory = Memory()
    solved(lumpy(), memory)
    assert len(memory) == 1
    second = with_more(lumpy(), "w3", 1)
    warm, steps = solved(second, memory)
    assert verify(second, warm) == ()
    (first_bound,) = [s.bound_microusd_per_hour for s in steps if s.phase == "warm start"][-1:]
    _, cold = solved(second, None)
    fluid = [s.bound_microusd_per_hour for s in cold if s.phase in ("volume", "fluid")][-1]
    assert first_bound > fluid


def test_a_question_unlike_all_others_begins_from_nothing() -> None:
    memory = Memory()
    solved(asked(8, 4, [NODE]), memory)
    _, steps = solved(lumpy(), memory)
    assert "warm start" not in {step.phase for step in steps}


def test_memory_keeps_the_last_questions_and_one_of_those_alike() -> None:
    memory = Memory()
    for size in range(MOST_STARTS + 4):
        instance = build_instance(problem([pod("p", cpu=1 + size / 8, replicas=2)], [NODE]))
        memory.keep(instance, known_of(instance, ("node", 1, {1000 + 125 * size: 1})))
    assert len(memory) == MOST_STARTS
    memory.keep(instance, known_of(instance, ("node", 1, {1000 + 125 * size: 2})))
    assert len(memory) == MOST_STARTS
    known = memory.recall(instance)
    assert known is not None
    assert known.patterns.tolist() == [[2]]


def test_under_a_work_limit_the_answer_does_not_depend_on_what_is_remembered() -> None:
    memory = Memory()
    params = SolveParams(deadline_s=3_600.0, work_limit=20_000)
    first = solve(lumpy(), params, memory=memory)
    again = solve(lumpy(), params, memory=memory)
    assert replace(first, timings=()) == replace(again, timings=())


@given(mixed_problems(), mixed_problems())
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_remembering_another_problem_never_makes_an_answer_wrong(one: Problem, other: Problem) -> None:
    """The other problem keeps its pods' names and labels, and half of its kinds: bounds and costs agree."""
    mixed = replace(other, workloads=(*one.workloads[:1], *other.workloads[1:]))
    assume(is_solvable(one) and is_solvable(mixed))
    memory = Memory()
    params = SolveParams(deadline_s=5.0)
    solve(one, params, memory=memory)
    warm, cold = solve(mixed, params, memory=memory), solve(mixed, params)
    assert verify(mixed, warm) == ()
    if cold.stop_reason is StopReason.OPTIMAL and not (cold.unschedulable or warm.unschedulable):
        assert warm.bound_microusd_per_hour <= cold.cost_microusd_per_hour
        assert warm.cost_microusd_per_hour >= cold.cost_microusd_per_hour
    assert microusd(0) <= warm.bound_microusd_per_hour <= warm.cost_microusd_per_hour


def test_pods_spread_over_zones_are_remembered_by_zone() -> None:
    """Two pods in each of two zones, asked twice: the second time every class is found again."""
    types = [instance_type("node", cpu=2, offerings=[offering(1.0, zone=zone) for zone in "ab"])]
    own = LabelSelector.of_labels({"app": "web"})
    web = pod("web", cpu=1, replicas=4)
    spread = (TopologySpread(labels.ZONE, 1, selector=own),)
    web = replace(web, template=replace(web.template, labels=(("app", "web"),), topology_spread=spread))
    memory = Memory()
    for _ in range(2):
        decision = solve(problem([web], types), SolveParams(deadline_s=10.0), memory=memory)
        assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour == microusd(2.0)


@pytest.mark.parametrize(("ended_with", "begins_with"), [(100, 100), (10_000, MOST_BRANCHES)])
def test_a_search_begins_as_closely_as_the_one_before_ended_within_reason(
    ended_with: int, begins_with: int
) -> None:
    question, work = build_instance(lumpy()), Work(Deadline(1e6))
    search = Search(question, SolveParams(), WorkLimit(work, 1), work=work)
    search.generation.look_as_closely_as(ended_with)
    search.run()
    memory = Memory()
    memory.keep(question, search.known())
    again = Search(question, SolveParams(), Deadline(1e6), known=memory.recall(question))
    assert again.generation.branches == begins_with


@pytest.fixture
def relaxed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """An entry for every fluid relaxation that was solved since."""
    inner, solved_ones = fluid_ahead.solve_fluid, []

    def noted(*arguments: Any) -> Any:
        solved_ones.append(arguments)
        return inner(*arguments)

    monkeypatch.setattr(fluid_ahead, "solve_fluid", noted)
    return solved_ones


@pytest.mark.parametrize("work_limit", [1, 1_000_000])
def test_the_fluid_relaxation_is_left_out_only_after_a_search_that_ended_near_its_bound(
    work_limit: int, relaxed: list[Any]
) -> None:
    """Twelve lumpy classes cut short at once are not: the next search would be stuck at their bound."""
    few, memory = lumpy(), Memory()
    question = replace(few, workloads=tuple(replace(w, replicas=20 * w.replicas) for w in few.workloads))
    solve(question, SolveParams(deadline_s=3_600.0, work_limit=work_limit), memory=memory)
    relaxed.clear()
    solved(question, memory)
    assert bool(relaxed) is (work_limit == 1)


def test_an_answer_that_is_worse_than_a_greedy_one_now_is_no_reason_to_leave_it_out(
    relaxed: list[Any],
) -> None:
    """A node for every pod."""
    question = build_instance(lumpy())
    alone = Known(
        cheapest_alone(question)[1],
        np.eye(question.n_classes, dtype=np.int32),
        question.demand,
        np.zeros(question.n_classes),
        is_close=True,
    )
    Search(question, SolveParams(), Deadline(1.0), known=alone).run()
    assert relaxed


def test_whether_a_search_ended_near_its_bound_is_remembered() -> None:
    """Twelve lumpy classes cut short at once are not; eight pods that fill two nodes to the brim are."""
    for question, is_close in ((lumpy(), False), (asked(8, 0, [NODE]), True)):
        memory = Memory()
        solve(question, SolveParams(deadline_s=3_600.0, work_limit=1), memory=memory)
        known = memory.recall(build_instance(question))
        assert known is not None
        assert known.is_close == is_close
        again, _ = solved(question, memory)
        assert verify(question, again) == ()

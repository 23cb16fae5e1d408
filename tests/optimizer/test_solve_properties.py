"""Properties of every answer, on problems small enough to enumerate."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import Catalog, Decision, Problem, SolutionStatus
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import placed_pods, verify
from builders import instance_type
from exhaustive import cheapest_cost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_problems import tiny_problems

THOROUGH = SolveParams(deadline_s=30.0)
SETTINGS = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


def solved(problem: Problem) -> Decision:
    decision = solve(problem, THOROUGH)
    assert verify(problem, decision) == ()
    return decision


@given(tiny_problems())
@SETTINGS
def test_cost_is_the_optimum_and_the_bound_is_below_it(problem: Problem) -> None:
    decision = solved(problem)
    optimum = cheapest_cost(problem, placed_pods(problem, decision))
    assert optimum is not None
    assert decision.bound_microusd_per_hour <= optimum
    assert decision.cost_microusd_per_hour == optimum


@given(tiny_problems())
@SETTINGS
def test_every_pod_is_placed_where_enumeration_can_place_every_pod(problem: Problem) -> None:
    decision = solved(problem)
    demand = [workload.replicas for workload in problem.workloads]
    if cheapest_cost(problem, demand) is None:
        assert decision.status is not SolutionStatus.COMPLETE
    else:
        assert decision.status is SolutionStatus.COMPLETE


@given(tiny_problems(), st.randoms(use_true_random=False))
@SETTINGS
def test_order_of_pods_and_types_is_irrelevant(problem: Problem, random) -> None:
    workloads, types = list(problem.workloads), list(problem.catalog.instance_types)
    random.shuffle(workloads)
    random.shuffle(types)
    shuffled = dataclasses.replace(
        problem, workloads=tuple(workloads), catalog=Catalog("shuffled", tuple(types))
    )
    first, second = solved(problem), solved(shuffled)
    assert first.cost_microusd_per_hour == second.cost_microusd_per_hour
    assert sum(placed_pods(problem, first)) == sum(placed_pods(shuffled, second))


@given(tiny_problems(), st.integers(1, 6), st.integers(1, 6), st.integers(1, 12))
@SETTINGS
def test_another_offering_never_raises_the_cost_of_placing_every_pod(
    problem: Problem, cpu: int, memory: int, price: int
) -> None:
    before = solved(problem)
    extra = instance_type("extra", cpu=cpu, memory_gib=memory, price=price, extra_labels={"size": "s"})
    types = (*problem.catalog.instance_types, extra)
    after = solved(dataclasses.replace(problem, catalog=Catalog("larger", types)))
    if before.status is SolutionStatus.COMPLETE:
        assert after.status is SolutionStatus.COMPLETE
        assert after.cost_microusd_per_hour <= before.cost_microusd_per_hour


@given(tiny_problems())
@settings(SETTINGS, max_examples=40)
def test_the_same_input_and_seed_give_the_same_answer(problem: Problem) -> None:
    first, second = solved(problem), solved(problem)
    assert dataclasses.replace(first, timings=()) == dataclasses.replace(second, timings=())

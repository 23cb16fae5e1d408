"""Many kinds of pods: groups tell what is cheap and answer first, knapsacks look at few of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from binwright_optimizer.heuristics.greedy import Remainder, cheapest_alone
from binwright_optimizer.heuristics.kernels.cover import LEAST_KEPT, NARROW_FROM, NODES_KEPT, narrow
from binwright_optimizer.incumbent import Progress
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import InstanceType, Problem
from binwright_optimizer.packing import Packing
from binwright_optimizer.params import SolveParams
from binwright_optimizer.search import fluid_ahead, groups
from binwright_optimizer.search.groups import MANY_CLASSES, MANY_LOOKS
from binwright_optimizer.solve import solve
from binwright_optimizer.stopping import Deadline
from binwright_optimizer.verify import verify
from builders import GIB, instance_type, microusd, pod, problem
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mixed_problems import mixed_problems
from solver_parts import greedy_of, pricing_of
from strategies import enforced_problems
from test_gpu_mig import mig_problems
from test_gpu_shares import share_problems, sharing
from test_solve_random import is_solvable

KINDS = [
    instance_type("lean", cpu=16, memory_gib=32, price=1),
    instance_type("even", cpu=16, memory_gib=64, price=1.3),
    instance_type("small", cpu=4, memory_gib=16, price=0.36),
]


CANDIDATES = 40
MANY_KINDS = -(-MANY_LOOKS // CANDIDATES)
TWO_GPUS = instance_type("gpu", cpu=8, gpu=2, price=2, gpu_model="t4")
CATALOGUE = [
    *(
        instance_type(f"n{n}", cpu=8 + n, memory_gib=90 - 2 * n, price=0.5 + 0.013 * n)
        for n in range(CANDIDATES)
    ),
    dataclasses.replace(TWO_GPUS, gpu_memory_bytes=16 * GIB),
]


def many_kinds(classes: int, kinds: Sequence[InstanceType] = KINDS, replicas: int = 1) -> Problem:
    """Pods of 0.5 to 3.5 cpu and 1 to 8 GiB, no two kinds of them alike."""
    pods = [
        pod(
            f"p{n}",
            cpu=(500 + n * 3000 // classes) / 1000,
            memory_gib=1 + (n * 37 % 197) * 7 / 197,
            replicas=replicas,
        )
        for n in range(classes)
    ]
    return problem(pods, kinds)


def first_phase(question: Problem) -> str:
    """Where the first answer came from."""
    told: list[Progress] = []
    decision = solve(question, SolveParams(deadline_s=0.5), on_progress=told.append)
    assert not decision.unschedulable
    return next(progress.phase for progress in told if progress.nodes)


def test_pods_that_all_differ_are_answered_by_groups_first() -> None:
    assert first_phase(many_kinds(MANY_KINDS, CATALOGUE)) == "groups"


def test_fewer_kinds_and_those_of_many_replicas_are_covered_greedily_first() -> None:
    assert first_phase(many_kinds(MANY_KINDS // 2, CATALOGUE)) == "greedy"
    assert first_phase(many_kinds(MANY_KINDS, CATALOGUE, replicas=groups.MOST_REPLICAS + 1)) == "greedy"


def test_shares_of_gpus_are_covered_greedily_first() -> None:
    """Groups leave out what the devices of a node hold."""
    plain = many_kinds(MANY_KINDS, CATALOGUE)
    question = dataclasses.replace(plain, workloads=(*plain.workloads, sharing("share", 300, replicas=3)))
    assert first_phase(question) == "greedy"


def test_many_classes_are_worth_about_as_much_in_groups() -> None:
    """Of mean pods: no more than class by class, and not a hundredth less."""
    instance = build_instance(many_kinds(MANY_CLASSES))
    alone = cheapest_alone(instance)[1]

    def bound(few) -> float:
        ahead = fluid_ahead.FluidAhead(instance, pricing_of(instance), Deadline(60.0), alone, few)
        fluid = ahead.result(np.unique(alone))
        return float(fluid.prices @ instance.demand) - fluid.paid

    whole, in_groups = bound(None), bound(groups.few_groups(instance))
    assert 0.99 * whole <= in_groups <= whole + 1e-9


def test_groups_are_made_where_there_are_many_classes_only() -> None:
    few = groups.few_groups(build_instance(many_kinds(MANY_CLASSES)))
    assert few is not None
    assert len(few.members) == groups.FEW_GROUPS
    assert groups.few_groups(build_instance(many_kinds(MANY_CLASSES - 1))) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(mixed_problems(), share_problems(), mig_problems(), enforced_problems()))
def test_answers_that_begin_with_groups_are_accepted(question: Problem) -> None:
    """Three kinds of pods are many here, and are put into two groups."""
    assume(is_solvable(question))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "MANY_CLASSES", 3)
        patch.setattr(groups, "MANY_LOOKS", 1)
        patch.setattr(groups, "MOST_REPLICAS", 1_000)
        patch.setattr(groups, "FEW_GROUPS", 2)
        decision = solve(question, SolveParams(work_limit=200_000))
    plain = solve(question, SolveParams(work_limit=200_000))
    assert not verify(question, decision)
    assert len(decision.unschedulable) == len(plain.unschedulable)


def narrowed(values: list[float], shares: list[float], mu: float) -> list[int]:
    """Items that a knapsack of one resource is narrowed to."""
    n = len(values)
    items, limits = np.arange(n), np.ones(n, dtype=np.int64)
    taken = np.array(shares)[:, None]
    kept = narrow(n, items, limits, taken, np.array(values), np.array([mu]), np.empty(n))
    assert taken[:kept, 0].tolist() == [shares[k] for k in items[:kept]]
    return items[:kept].tolist()


def test_a_knapsack_is_narrowed_to_the_most_efficient_items() -> None:
    """400 items worth as much as their room and 300 worth half: the first hundreds fill many nodes."""
    values = [0.1] * 400 + [0.05] * 300
    assert narrowed(values, [0.1] * 700, 1.0) == list(range(400))


def test_it_keeps_enough_items_for_several_nodes() -> None:
    """Of 1,000 items that take a hundredth each, those from the 701st on are three nodes full."""
    values = [0.01 * (1 + n / 1000) for n in range(1000)]
    kept = narrowed(values, [0.01] * 1000, 1.0)
    assert 300 <= len(kept) <= 320
    assert kept == list(range(1000 - len(kept), 1000))


def test_it_keeps_the_fewest_items_however_large_they_are() -> None:
    values = [0.9 * (1 + n / 1000) for n in range(1000)]
    assert LEAST_KEPT <= len(narrowed(values, [0.9] * 1000, 1.0)) <= 120


def test_it_keeps_all_where_nothing_tells_them_apart() -> None:
    assert len(narrowed([0.1] * 700, [0.1] * 700, 1.0)) == 700
    assert len(narrowed([0.1] * 700, [0.1] * 700, 0.0)) == 700


def test_it_keeps_the_few_items_that_take_what_the_others_leave() -> None:
    """700 pods of a hundredth of the cpu are a little more worth it than twenty with the GPU."""
    items, limits = np.arange(720), np.ones(720, dtype=np.int64)
    shares = np.array([[0.01, 0.0]] * 700 + [[0.01, 1.0]] * 20)
    values = np.array([0.011 + n * 1e-6 for n in range(700)] + [0.5] * 20)
    kept = narrow(720, items, limits, shares, values, np.array([1.0, 0.5]), np.empty(720))
    assert (items[:kept] >= 700).sum() >= NODES_KEPT


def test_pods_with_a_gpu_are_covered_by_the_nodes_that_are_worth_it() -> None:
    """Every tenth of 1,600 kinds takes a GPU: at 0.6 dollars each, not four for 9.6 of which it takes one."""
    pods = [
        pod(
            f"p{n}",
            cpu=(10 + n * 2_700 // 1_600 + (n * 7_919) % 500) / 1000,
            memory_gib=0.1 + (n * 37 % 197) * 5 / 197,
            gpu=int(n % 10 == 0),
        )
        for n in range(1_600)
    ]
    large = instance_type("large", cpu=48, memory_gib=192, gpu=4, price=9.6)
    instance = build_instance(
        problem(pods, [*KINDS, instance_type("gpu", cpu=8, memory_gib=32, gpu=1, price=0.6), large])
    )
    candidates, counts, _ = greedy_of(instance).cover(
        cheapest_alone(instance)[0], Remainder.whole(instance), 200
    )
    assert instance.price[candidates].max() < microusd(9.6)
    assert counts[instance.price[candidates] == microusd(0.6)].sum() <= 165


def test_a_cover_of_narrowed_knapsacks_places_every_pod() -> None:
    question = many_kinds(NARROW_FROM + 100)
    instance = build_instance(question)
    columns = greedy_of(instance).cover(cheapest_alone(instance)[0], Remainder.whole(instance), 200)
    packing = Packing.of(instance, *columns)
    assert not packing.left_out.any()
    assert (packing.patterns @ instance.requests <= instance.allocatable[packing.candidates]).all()


def test_a_cover_goes_on_when_time_is_up_and_ends_when_the_solve_is_abandoned() -> None:
    instance = build_instance(many_kinds(NARROW_FROM))
    greedy, values = greedy_of(instance), cheapest_alone(instance)[0]
    greedy.pricing.flag[0] = 1
    candidates, _, _ = greedy.cover(values, Remainder.whole(instance), 200)
    assert len(candidates)
    greedy.pricing.abandoned[0] = 1
    candidates, _, _ = greedy.cover(values, Remainder.whole(instance), 200)
    assert not len(candidates)

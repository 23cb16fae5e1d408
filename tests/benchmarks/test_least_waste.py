"""Cluster Autoscaler's loop: worked cases, and the estimator against its pod-by-pod original."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from binwright_benchmarks.baselines import BaselineResult, open_market, open_rules
from binwright_benchmarks.baselines.estimator import Option
from binwright_benchmarks.baselines.kernels.estimate import estimate
from binwright_benchmarks.baselines.least_waste import least_waste, waste
from binwright_optimizer.model import InstanceType, Problem, Workload
from builders import instance_type, microusd, node_pool, offering, pod, problem
from hypothesis import given, settings
from hypothesis import strategies as st
from nominal import AWS_GPU_TYPES

SEEDS = range(20)


def answer(question: Problem, seed: int = 0) -> BaselineResult:
    """What Cluster Autoscaler buys with ``--expander=least-waste``, not checked yet."""
    return open_rules(open_market(question), ["least-waste"])["least-waste"](seed)


def bought(result: BaselineResult) -> list[str]:
    """Names of the instance types bought, sorted."""
    return sorted(claim.instance_type for claim in result.checked().decision().node_claims)


def costs(question: Problem, seeds: Sequence[int] = SEEDS) -> set[int]:
    """Distinct costs over the seeds, in micro-dollars."""
    run = open_rules(open_market(question), ["least-waste"])["least-waste"]
    return {run(seed).checked().cost_microusd_per_hour for seed in seeds}


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        # Exact tie between g4dn.2xlarge (0.752) and g5.2xlarge (1.212), drawn at random.
        (pod(cpu=6, memory_gib=24, gpu=1), {0.752, 1.212}),
        # Two nodes of one group at a time: 2 g4dn.xlarge or 2 g5.xlarge, never one of each.
        (pod(cpu=2, memory_gib=13, gpu=1, replicas=2), {1.052, 2.012}),
        # p3.2xlarge (8 CPU, 61 GiB) wastes 0.680, g4dn.4xlarge (16 CPU, 64 GiB) 0.969.
        (pod(cpu=4, memory_gib=50, gpu=1), {3.06}),
        # 6 p3.2xlarge at 18.36 where 6 g4dn.4xlarge cost 7.224.
        (pod(cpu=3, memory_gib=50, gpu=1, replicas=6), {18.36}),
    ],
)
def test_worked_cases_cost_what_the_rule_makes_them_cost(pods: Workload, expected: set[float]) -> None:
    assert costs(problem([pods], AWS_GPU_TYPES)) == {microusd(dollars) for dollars in expected}


def test_spot_and_on_demand_of_one_type_tie_exactly() -> None:
    both = instance_type(
        "both", cpu=4, memory_gib=8, offerings=[offering(0.2), offering(0.06, capacity_type="spot")]
    )
    assert costs(problem([pod(cpu=3, memory_gib=6)], [both])) == {microusd(0.2), microusd(0.06)}


def test_a_tie_is_drawn_over_node_groups_not_over_types() -> None:
    """One type in three zones against one type in one zone: three draws in four."""
    zones = [offering(1.0, zone=zone) for zone in "abc"]
    wide = instance_type("wide", cpu=4, memory_gib=8, offerings=zones)
    narrow = instance_type("narrow", cpu=4, memory_gib=8, offerings=[offering(2.0)])
    question = problem([pod(cpu=3, memory_gib=6)], [wide, narrow])
    run = open_rules(open_market(question), ["least-waste"])["least-waste"]
    drawn = [run(seed).cost_microusd_per_hour == microusd(1.0) for seed in range(400)]
    assert 0.68 < sum(drawn) / len(drawn) < 0.82


def test_the_same_seed_draws_the_same() -> None:
    question = problem([pod(cpu=2, memory_gib=13, gpu=1, replicas=2)], AWS_GPU_TYPES)
    first, second = (open_rules(open_market(question), ["least-waste"])["least-waste"] for _ in range(2))
    assert [bought(first(seed)) for seed in range(8)] == [bought(second(seed)) for seed in range(8)]


def test_price_and_gpus_do_not_count() -> None:
    """A dearer node with eight idle GPUs wastes less CPU and memory than a plain one."""
    plain = instance_type("plain", cpu=8, memory_gib=32, price=0.3)
    gpus = instance_type("gpus", cpu=4, memory_gib=16, gpu=8, price=30.0)
    assert costs(problem([pod(cpu=4, memory_gib=16)], [plain, gpus])) == {microusd(30.0)}


def test_waste_is_measured_on_capacity_and_not_on_allocatable() -> None:
    """Both hold the pod; `roomy` has more allocatable left but less capacity, so it scores better."""
    from builders import resources

    roomy = instance_type("roomy", cpu=4, memory_gib=8, price=2.0, capacity=resources(4, 8))
    tight = instance_type("tight", cpu=3, memory_gib=6, price=1.0, capacity=resources(5, 10))
    assert costs(problem([pod(cpu=3, memory_gib=6)], [roomy, tight])) == {microusd(2.0)}


def test_one_group_grows_per_round_and_the_rest_waits_for_the_next() -> None:
    """Pods that only `arm` holds are not part of the first option, and get a group of their own."""
    x86 = instance_type("x86", cpu=4, memory_gib=8, price=1.0)
    arm = instance_type("arm", cpu=4, memory_gib=8, price=0.5, arch="arm64")
    pods = [
        pod("old", cpu=4, memory_gib=8, selector={"kubernetes.io/arch": "amd64"}),
        pod("new", cpu=4, memory_gib=8, selector={"kubernetes.io/arch": "arm64"}),
    ]
    assert costs(problem(pods, [x86, arm])) == {microusd(1.5)}


def test_limits_end_the_growth_and_leave_pods_pending() -> None:
    pools = [node_pool(max_nodes=3)]
    question = problem([pod(cpu=2, replicas=10)], [instance_type(cpu=4, memory_gib=1, price=1.0)], pools)
    result = answer(question).checked()
    assert (result.nodes, result.pods_placed, result.pods_unplaced) == (3, 6, 4)


def test_more_pods_than_one_scale_up_may_add_take_several_rounds() -> None:
    question = problem([pod(cpu=1, replicas=2500)], [instance_type(cpu=1, memory_gib=1, price=1.0)])
    result = answer(question).checked()
    assert (result.nodes, result.pods_unplaced) == (2500, 0)


def test_minimum_nodes_are_filled_before_anything_grows() -> None:
    pools = [node_pool(min_nodes=2)]
    kinds = [instance_type(cpu=4, memory_gib=4, price=1.0)]
    assert answer(problem([pod(cpu=2, replicas=4)], kinds, pools)).checked().nodes == 2
    assert answer(problem([pod(cpu=2, replicas=5)], kinds, pools)).checked().nodes == 3


def test_waste_of_a_node_without_memory_never_wins() -> None:
    odd = Option((0,), (1,), 1, 1, (1, 0), (4, 0))
    plain = Option((1,), (1,), 1, 1, (1, 1), (4, 4))
    assert waste(plain) == 1.5
    assert list(least_waste([odd, plain], 0)) == [plain]


# --- the estimator --------------------------------------------------------------------------------


def naive_estimate(
    order: Sequence[int],
    demand: Sequence[int],
    requests: Sequence[Sequence[int]],
    allocatable: Sequence[int],
    most_nodes: int,
) -> list[list[int]]:
    """The estimator pod by pod: all new nodes first to last, then a new one; counts per node."""
    free: list[list[int]] = []
    counts: list[list[int]] = []
    for i in order:
        for _ in range(demand[i]):
            fits = (
                n
                for n, room in enumerate(free)
                if all(q <= r for q, r in zip(requests[i], room, strict=True))
            )
            n = next(fits, -1)
            if n < 0:
                if len(free) == most_nodes:
                    break
                n = len(free)
                free.append(list(allocatable))
                counts.append([0] * len(demand))
            free[n] = [r - q for q, r in zip(requests[i], free[n], strict=True)]
            counts[n][i] += 1
    return counts


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 12), st.integers(0, 12), st.integers(0, 2), st.integers(0, 9)),
        min_size=1,
        max_size=7,
    ),
    st.permutations(range(7)),
    st.integers(1, 12),
)
def test_runs_of_classes_are_what_pod_by_pod_placement_gives(
    classes: list[tuple[int, int, int, int]], shuffled: list[int], most_nodes: int
) -> None:
    requests = np.array([shape[:3] for shape in classes], dtype=np.int64)
    demand = np.array([shape[3] for shape in classes], dtype=np.int64)
    allocatable = np.array([14, 13, 3], dtype=np.int64)
    order = np.array([i for i in shuffled if i < len(classes)], dtype=np.int64)
    counts = np.empty(4 * len(order) + 4, dtype=np.int64)
    patterns = np.empty((len(counts), len(classes)), dtype=np.int32)
    runs, nodes = estimate(order, demand, requests, allocatable, most_nodes, counts, patterns)
    found = np.repeat(patterns[:runs], counts[:runs], axis=0).tolist()
    expected = naive_estimate(
        order.tolist(), demand.tolist(), requests.tolist(), allocatable.tolist(), most_nodes
    )
    assert nodes == len(expected)
    assert found == expected


@pytest.fixture
def shapes() -> list[InstanceType]:
    return list(AWS_GPU_TYPES)


def test_classes_are_ordered_by_cpu_and_memory_share_of_the_node(shapes: list[InstanceType]) -> None:
    """First fit by the score: (3 CPU, 1 GiB) scores 0.8, (1, 3) scores 0.5, so 3+1 meet on one node.

    The node has 4 CPU and 12 GiB; in the other order the two small pods would share the first node.
    """
    node = instance_type(cpu=4, memory_gib=12, price=1.0)
    pods = [pod("small", cpu=1, memory_gib=3, replicas=2), pod("large", cpu=3, memory_gib=1)]
    result = answer(problem(pods, [node])).checked()
    assert sorted(result.filled.patterns.sum(axis=1).tolist()) == [1, 2]
    assert result.filled.patterns[0].tolist() == [1, 1]

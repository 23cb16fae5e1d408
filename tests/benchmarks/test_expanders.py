"""Cluster Autoscaler's other expanders: worked figures, and how a list of them is read."""

from __future__ import annotations

import pytest
from binwright_benchmarks.baselines import open_market, open_rules
from binwright_benchmarks.baselines.estimator import Option
from binwright_benchmarks.baselines.expanders import chain, least_nodes, most_pods, priority
from binwright_benchmarks.baselines.least_waste import least_waste
from binwright_benchmarks.baselines.price import (
    pod_usd,
    preferred_cpu_milli,
    price,
    price_score,
    suppressed_unfitness,
)
from binwright_optimizer.model import Problem
from builders import existing_node, instance_type, microusd, offering, pod, problem
from nominal import AWS_GPU_TYPES

GIB = 2**30


def costs(rule: str, question: Problem, seeds: int = 20) -> set[int]:
    """Distinct checked costs over the seeds, in micro-dollars."""
    run = open_rules(open_market(question), [rule])[rule]
    return {run(seed).checked().cost_microusd_per_hour for seed in range(seeds)}


def option(group: int, nodes: int, pods: int, *, cpu: int = 4000, price_usd: float = 1.0) -> Option:
    return Option((group,), (microusd(price_usd),), nodes, pods, (1000, GIB), (cpu, 16 * GIB))


# --- counts ---------------------------------------------------------------------------------------


def test_most_pods_takes_the_option_with_more_pods_however_many_nodes() -> None:
    few, many, same = option(0, 1, 5), option(1, 9, 6), option(2, 2, 6)
    assert list(most_pods([few, many, same], 0)) == [many, same]


def test_least_nodes_takes_the_option_with_fewer_nodes_however_few_pods() -> None:
    few, many = option(0, 1, 5), option(1, 9, 6)
    assert list(least_nodes([few, many], 0)) == [few]


def test_least_nodes_buys_the_largest_machines() -> None:
    """Two pods of 2 CPU, 13 GiB fit one g4dn.12xlarge or metal, where two xlarge cost 1.052."""
    two = problem([pod(cpu=2, memory_gib=13, gpu=1, replicas=2)], AWS_GPU_TYPES)
    assert costs("least-nodes", two) == {microusd(3.912), microusd(7.824)}


def test_most_pods_is_a_draw_where_every_type_holds_all_pods() -> None:
    """1 pod of 6 CPU, 24 GiB, one GPU: every type but the xlarge ones holds it."""
    one = problem([pod(cpu=6, memory_gib=24, gpu=1)], AWS_GPU_TYPES)
    prices = {0.752, 1.204, 2.176, 3.912, 4.352, 7.824, 1.212, 3.06}
    assert costs("most-pods", one, 200) == {microusd(usd) for usd in prices}


# --- price ----------------------------------------------------------------------------------------


def test_a_pod_is_priced_by_cores_memory_and_gpus() -> None:
    """2 CPU, 13 GiB, one GPU: 2 x 0.033174 + 13 x 0.004446 + 0.7 = 0.824146 dollars per hour."""
    assert pod_usd(2000, 13 * GIB, 1) == pytest.approx(0.824146)


def test_score_of_two_t4_nodes() -> None:
    """s = 0.5 x 0.033174 + 500/1024 x 0.004446 = 0.0187579; (1.052 + s) / (1.648292 + s) x 1000 = 642.307."""
    t4 = Option((0,), (526_000,), 2, 2, (4000, 26 * GIB), (4000, 16 * GIB), requested_gpus=2, has_gpu=True)
    assert price_score(t4, 0.526, 0) == pytest.approx(642.307, abs=1e-3)


@pytest.mark.parametrize(
    ("nodes", "cpu"),
    [(0, 1), (2, 1), (3, 2), (6, 2), (7, 4), (20, 4), (21, 8), (60, 8), (61, 16), (200, 16), (201, 32)],
)
def test_the_preferred_node_grows_with_the_cluster(nodes: int, cpu: int) -> None:
    assert preferred_cpu_milli(nodes) == 1000 * cpu


def test_unfitness_fades_with_the_number_of_nodes() -> None:
    """4 CPU where 1 is preferred: 4 for one node; for 16, 3 (1 - tanh 1) + 1 = 1.715218."""
    assert suppressed_unfitness(option(0, 1, 1), 0) == 4.0
    assert suppressed_unfitness(option(0, 16, 1), 0) == pytest.approx(1.715218, abs=1e-6)
    assert suppressed_unfitness(option(0, 1, 1), 7) == 1.0
    assert suppressed_unfitness(option(0, 1, 1, cpu=1000), 7) == 4.0  # too small is as unfit as too large


def test_a_small_cluster_pays_for_small_nodes_and_a_large_one_does_not() -> None:
    """8 pods of 1 CPU: 8 x 0.06 = 0.48 or one node of 8 CPU for 0.40.

    Empty cluster, 1 CPU preferred: unfitness 1 against 8. Beyond 200 nodes 32 CPU are preferred: the
    small ones score 31 (1 - tanh 7/15) + 1 = 18.5 times their ratio, the large one 4.
    """
    small = instance_type("small", cpu=1, memory_gib=4, price=0.06)
    large = instance_type("large", cpu=8, memory_gib=32, price=0.40)
    pods = [pod(cpu=1, memory_gib=2, replicas=8)]
    assert costs("price", problem(pods, [small, large])) == {microusd(0.48)}
    # All running nodes count, full ones too.
    full = [existing_node(f"n{k:03d}", cpu=0, memory_gib=0) for k in range(201)]
    many = problem(pods, [small, large], existing=full)
    assert costs("price", many) == {microusd(0.40)}


def test_gpu_nodes_are_compared_by_price_alone_and_only_when_needed() -> None:
    one = problem([pod(cpu=4, memory_gib=50, gpu=1)], AWS_GPU_TYPES)
    assert costs("price", one) == {microusd(1.204)}
    plain = instance_type("plain", cpu=4, memory_gib=16, price=5.0)
    free = instance_type("gpu", cpu=4, memory_gib=16, gpu=1, price=0.1)
    assert costs("price", problem([pod(cpu=1)], [plain, free])) == {microusd(5.0)}


def test_between_equal_scores_the_first_group_wins_and_the_cheaper_zone_before_it() -> None:
    zones = instance_type(
        "z", cpu=4, memory_gib=8, offerings=[offering(0.3, zone="a"), offering(0.2, zone="b")]
    )
    assert costs("price", problem([pod(cpu=1)], [zones])) == {microusd(0.2)}
    first, second = option(3, 1, 1), option(7, 1, 1)
    assert list(price([second, first], 0)) == [first]


# --- lists of expanders ---------------------------------------------------------------------------


def test_a_chain_lets_price_decide_between_equally_wasteful_groups() -> None:
    """g4dn.2xlarge (0.752) and g5.2xlarge (1.212) tie; spot and on demand of one type always do."""
    one = problem([pod(cpu=6, memory_gib=24, gpu=1)], AWS_GPU_TYPES)
    assert costs("least-waste", one) == {microusd(0.752), microusd(1.212)}
    assert costs("least-waste,price", one) == {microusd(0.752)}
    both = instance_type(cpu=4, memory_gib=8, offerings=[offering(0.2), offering(0.06, capacity_type="spot")])
    assert costs("least-waste,price", problem([pod(cpu=3)], [both])) == {microusd(0.06)}


def test_priority_prefers_spot_and_is_left_out_where_there_is_none() -> None:
    tight = instance_type("tight", cpu=3, memory_gib=6, price=0.1)
    roomy = instance_type("roomy", cpu=8, memory_gib=16, offerings=[offering(0.5, capacity_type="spot")])
    question = problem([pod(cpu=3, memory_gib=6)], [tight, roomy])
    assert costs("least-waste", question) == {microusd(0.1)}
    assert costs("priority,least-waste", question) == {microusd(0.5)}
    assert "priority,least-waste" not in open_rules(open_market(problem([pod(cpu=3)], [tight])))


def test_priority_drops_unnamed_groups_unless_none_is_named() -> None:
    names = {0: "pool/a/z/on-demand", 1: "pool/b/z/spot"}.__getitem__
    both = [Option((0, 1), (5, 3), 1, 1, (1, 1), (4, 4))]
    (kept,) = priority({10: ["spot"]}, names)(both, 0)
    assert (kept.groups, kept.prices) == ((1,), (3,))
    assert list(priority({10: ["nothing"]}, names)(both, 0)) == both
    assert priority({10: ["spot"], 20: ["^pool/a/"]}, names)(both, 0)[0].groups == (0,)


def test_a_chain_stops_at_one_group() -> None:
    seen: list[int] = []

    def note(options: list[Option], _nodes: int) -> list[Option]:
        seen.append(len(options))
        return options

    few, many = option(0, 1, 5), option(1, 2, 6)
    assert list(chain(most_pods, note, least_waste)([few, many], 0)) == [many]
    assert seen == []


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("price,least-waste", "nothing may follow"),
        ("cheapest", "no rule is called 'cheapest'; there are least-waste,"),
    ],
)
def test_a_wrong_list_is_refused(flag: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_rules(open_market(problem([pod(cpu=1)], AWS_GPU_TYPES)), [flag])

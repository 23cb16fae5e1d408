"""The home-made rule: cost-aware best fit."""

from __future__ import annotations

from binwright_benchmarks.baselines import best_fit, open_market
from binwright_optimizer.model import Problem
from builders import instance_type, microusd, node_pool, pod, problem
from nominal import AWS_GPU_TYPES


def cost(question: Problem) -> int:
    return best_fit(open_market(question)).checked().cost_microusd_per_hour


def test_worked_gpu_cases_cost_the_optimum() -> None:
    assert cost(problem([pod(cpu=2, memory_gib=13, gpu=1, replicas=2)], AWS_GPU_TYPES)) == microusd(1.052)
    assert cost(problem([pod(cpu=3, memory_gib=50, gpu=1, replicas=6)], AWS_GPU_TYPES)) == microusd(7.224)


def test_nodes_are_bought_by_price_per_pod() -> None:
    """Eight pods of 1 CPU: 0.10 for one each, or 0.32 for four; a node of 8 for 0.56 is cheapest."""
    kinds = [
        instance_type(name, cpu=cpu, memory_gib=cpu, price=price)
        for name, cpu, price in (("s", 1, 0.10), ("m", 4, 0.32), ("l", 8, 0.56))
    ]
    assert cost(problem([pod(cpu=1, replicas=8)], kinds)) == microusd(0.56)


def test_the_last_node_is_exchanged_for_a_smaller_one() -> None:
    """Nine pods of 1 CPU: one node of 8 and, for the last pod, the smallest there is."""
    kinds = [
        instance_type(name, cpu=cpu, memory_gib=cpu, price=price)
        for name, cpu, price in (("s", 1, 0.10), ("l", 8, 0.56))
    ]
    assert cost(problem([pod(cpu=1, replicas=9)], kinds)) == microusd(0.66)


def test_gpu_pods_are_placed_first_and_others_fill_their_nodes() -> None:
    gpu = instance_type("gpu", cpu=8, memory_gib=8, gpu=1, price=1.0)
    plain = instance_type("plain", cpu=8, memory_gib=8, price=0.4)
    pods = [pod("web", cpu=6), pod("model", cpu=2, gpu=1)]
    assert cost(problem(pods, [gpu, plain])) == microusd(1.0)


def test_limits_hold_after_the_exchange() -> None:
    pools = [node_pool(limits={"cpu": 10_000})]
    kinds = [
        instance_type("s", cpu=2, memory_gib=2, price=0.2),
        instance_type("l", cpu=8, memory_gib=8, price=0.5),
    ]
    result = best_fit(open_market(problem([pod(cpu=2, replicas=6)], kinds, pools))).checked()
    assert (result.pods_placed, result.pods_unplaced) == (5, 1)

"""The original Karpenter scheduler: its worked cases, and its imitation held against it."""

from __future__ import annotations

import pytest
from availability import require
from binwright_benchmarks.baselines import karpenter, open_market
from binwright_benchmarks.peers.karpenter import Karpenter
from binwright_benchmarks.peers.side_by_side import mix
from binwright_benchmarks.registry import BenchmarkInstance, SharedData, instances
from binwright_optimizer.model import Problem
from builders import daemon_set, instance_type, microusd, node_pool, offering, pod, problem, resources
from transcript import Transcript

pytestmark = pytest.mark.interop

NO_DATA = SharedData(None)
SAME = [*instances("worked-*"), *instances("micro-1k-*"), *instances("reference-pools")]
"""Instances on which original and imitation buy the same nodes, pod for pod."""


@pytest.fixture(autouse=True)
def _program() -> None:
    require("karpenter-peer")


def bought(question: Problem) -> tuple[dict[str, int], int]:
    """Nodes by instance type, and their cost."""
    result = Karpenter(open_market(question)).run(0).result
    kinds: dict[str, int] = {}
    for (_, kind, _), count in mix(result).items():
        kinds[kind] = kinds.get(kind, 0) + count
    return kinds, result.cost_microusd_per_hour


def test_karpenter_buys_one_large_gpu_node_for_two_t4_pods(transcript: Transcript) -> None:
    """Two pods of 1 GPU, 2 CPU, 13 GiB: 3.912 $/h, where two g4dn.xlarge cost 1.052 $/h."""
    (case,) = instances("worked-t4-pair")
    transcript.ask("nodes for two pods of 1 T4, 2 CPU and 13 GiB each")
    kinds, cost = bought(case.build(0, NO_DATA))
    transcript.saw(f"bought {kinds} for {cost / 1e6:.3f} $/h")
    assert kinds == {"g4dn.12xlarge": 1}
    assert cost == microusd(3.912)


@pytest.mark.parametrize("case", SAME, ids=lambda case: case.name)
def test_the_imitation_buys_what_karpenter_buys(case: BenchmarkInstance) -> None:
    market = open_market(case.build(0, NO_DATA))
    original = Karpenter(market).run(0).result
    imitation = karpenter(market).checked()
    assert mix(original) == mix(imitation)
    assert original.pods_unplaced == imitation.pods_unplaced


def test_daemons_and_flat_overhead_take_room_of_a_node() -> None:
    """A pod of 3 CPU beside daemons of 1 CPU: not on 4 CPU less 0.5 of the pool's overhead."""
    small = instance_type("small", cpu=4, memory_gib=16, price=1.0)
    large = instance_type("large", cpu=8, memory_gib=32, price=2.0)
    daemons = [daemon_set("agent", cpu=1)]
    alone = problem([pod(cpu=3)], [small, large], daemons=daemons)
    assert bought(alone)[0] == {"small": 1}
    heavy = [node_pool("pool", overhead=resources(cpu=0.5))]
    assert bought(problem([pod(cpu=3)], [small, large], heavy, daemons=daemons))[0] == {"large": 1}


def test_spot_goes_before_on_demand() -> None:
    sold = [offering(0.5), offering(0.4, capacity_type="spot")]
    node = instance_type("n", cpu=4, memory_gib=8, offerings=sold)
    assert bought(problem([pod(cpu=2)], [node]))[1] == microusd(0.4)

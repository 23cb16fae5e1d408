"""Karpenter-like provisioning: worked cases, and the compiled packing against a plain original."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from binwright_benchmarks.baselines import BaselineResult, karpenter, open_market
from binwright_optimizer.model import Problem, Resources
from binwright_optimizer.model.nodeclasses import NodeClass
from builders import (
    daemon_set,
    existing_node,
    instance_type,
    microusd,
    node_pool,
    offering,
    pod,
    problem,
    requires,
    resources,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from nominal import AWS_GPU_TYPES


def run(question: Problem) -> BaselineResult:
    return karpenter(open_market(question)).checked()


def bought(question: Problem) -> list[str]:
    return sorted(claim.instance_type for claim in run(question).decision().node_claims)


def test_two_t4_pods_grow_one_claim_to_four_gpus() -> None:
    """3.912 $/h for one g4dn.12xlarge, where two g4dn.xlarge cost 1.052 $/h."""
    question = problem([pod(cpu=2, memory_gib=13, gpu=1, replicas=2)], AWS_GPU_TYPES)
    assert bought(question) == ["g4dn.12xlarge"]
    assert run(question).cost_microusd_per_hour == microusd(3.912)


def test_node_classes_change_what_claims_hold() -> None:
    """30 small pods on nodes of 10 slots: three claims; with maxPods 110 a single one holds them all."""
    node = dataclasses.replace(instance_type(cpu=8, memory_gib=64, pods=10, price=1.0), cloud="aws")
    pods = [pod("web", cpu=0.1, memory_gib=0.1, replicas=30)]
    assert len(bought(problem(pods, [node]))) == 3
    dense = dataclasses.replace(node_pool(), node_class=NodeClass(max_pods=110))
    assert len(bought(problem(pods, [node], [dense]))) == 1


def test_five_t4_pods_grow_one_claim_to_a_metal_node() -> None:
    """The claim keeps all five: g4dn.metal with eight GPUs survives, at 7.824 against 2.63 $/h."""
    question = problem([pod(cpu=2, memory_gib=13, gpu=1, replicas=5)], AWS_GPU_TYPES)
    assert bought(question) == ["g4dn.metal"]


def test_price_is_consulted_only_among_survivors() -> None:
    """One pod of 4 CPU, 50 GiB and a GPU: the cheapest survivor is g4dn.4xlarge at 1.204."""
    assert bought(problem([pod(cpu=4, memory_gib=50, gpu=1)], AWS_GPU_TYPES)) == ["g4dn.4xlarge"]


def test_pods_go_to_the_claim_with_the_fewest_pods() -> None:
    """Queue 6, 5, 1, 1 on nodes of 8: claims (6), (5); the small ones go one to each."""
    node = instance_type(cpu=8, memory_gib=64, price=1.0)
    pods = [pod("a", cpu=6), pod("b", cpu=5), pod("c", cpu=1, replicas=2)]
    result = run(problem(pods, [node]))
    assert sorted(result.filled.patterns.sum(axis=1).tolist()) == [2, 2]


def test_spot_is_bought_whenever_it_is_allowed() -> None:
    """A reserved offering goes first, then spot, though on-demand may be cheaper than neither."""
    sold = [offering(0.5), offering(0.4, capacity_type="spot")]
    node = instance_type("n", cpu=4, memory_gib=8, offerings=sold)
    assert run(problem([pod(cpu=2)], [node])).cost_microusd_per_hour == microusd(0.4)
    held = instance_type(
        "n", cpu=4, memory_gib=8, offerings=[*sold, offering(0.45, capacity_type="reserved")]
    )
    assert run(problem([pod(cpu=2)], [held])).cost_microusd_per_hour == microusd(0.45)


def test_spot_dearer_than_the_cheapest_on_demand_is_dropped() -> None:
    cheap = instance_type("cheap", cpu=4, memory_gib=8, price=0.3)
    spot = instance_type("spot", cpu=8, memory_gib=8, offerings=[offering(0.4, capacity_type="spot")])
    assert bought(problem([pod(cpu=2)], [cheap, spot])) == ["cheap"]


def test_gpu_types_are_dropped_at_launch_unless_nothing_else_survives() -> None:
    gpu = instance_type("gpu", cpu=4, memory_gib=8, gpu=1, price=0.1)
    plain = instance_type("plain", cpu=4, memory_gib=8, price=0.2)
    assert bought(problem([pod(cpu=2)], [gpu, plain])) == ["plain"]
    assert bought(problem([pod(cpu=2)], [gpu])) == ["gpu"]


def test_a_network_interface_does_not_make_a_type_exotic() -> None:
    """Of two that hold the pod the cheaper is bought, though only the dearer has no pod-eni."""
    interfaces = {"vpc.amazonaws.com/pod-eni": 38}
    r5 = instance_type("r5", cpu=8, memory_gib=64, price=0.504, **interfaces)
    i3 = instance_type("i3", cpu=8, memory_gib=61, price=0.624)
    assert bought(problem([pod(cpu=6, memory_gib=52)], [r5, i3])) == ["r5"]


def test_heavier_pools_come_first_and_equal_weights_in_reverse_order_of_names() -> None:
    kinds = [instance_type("n", cpu=4, memory_gib=8, price=1.0)]
    pools = [node_pool("alpha"), node_pool("zulu"), node_pool("mike")]
    chosen = run(problem([pod(cpu=2)], kinds, pools)).decision().node_claims[0].node_pool
    assert chosen == "zulu"
    weighted = [node_pool("alpha", weight=10), node_pool("zulu"), node_pool("mike", weight=5)]
    chosen = run(problem([pod(cpu=2)], kinds, weighted)).decision().node_claims[0].node_pool
    assert chosen == "alpha"


def test_limits_are_charged_with_the_largest_surviving_type() -> None:
    """A limit of 20 CPU and types of 4 and 16: the first claim is charged 16, so that the second is
    opened with the small type only, is charged 4, and nothing is left for a third."""
    small = instance_type("small", cpu=4, memory_gib=64, price=1.0)
    large = instance_type("large", cpu=16, memory_gib=4, price=3.0)
    pools = [node_pool(limits={"cpu": 20_000})]
    question = problem([pod(cpu=4, memory_gib=1, replicas=7)], [small, large], pools)
    result = run(question)
    assert sorted(c.instance_type for c in result.decision().node_claims) == ["large", "small"]
    assert (result.pods_placed, result.pods_unplaced) == (5, 2)


def test_running_nodes_are_filled_first_by_name() -> None:
    nodes = [existing_node("b", cpu=4), existing_node("a", cpu=4)]
    result = run(problem([pod(cpu=3)], [instance_type(cpu=8, memory_gib=8, price=1.0)], existing=nodes))
    assert [p.node for p in result.decision().existing_placements] == ["a"]
    assert result.cost_microusd_per_hour == 0


def test_a_selector_narrows_the_claim_for_the_pods_that_follow() -> None:
    zones = [offering(1.0, zone="a"), offering(1.0, zone="b")]
    node = instance_type(cpu=8, memory_gib=8, offerings=zones)
    pods = [
        pod(zone, cpu=1, needs=[requires("topology.kubernetes.io/zone", "In", zone)]) for zone in ("a", "b")
    ]
    assert run(problem(pods, [node])).nodes == 2


def test_daemons_take_their_share_of_every_node() -> None:
    node = instance_type(cpu=4, memory_gib=8, price=1.0)
    pods = [pod(cpu=2, replicas=2)]
    assert run(problem(pods, [node])).nodes == 1
    assert run(problem(pods, [node], daemons=[daemon_set(cpu=0.5)])).nodes == 2


# --- against a plain original ---------------------------------------------------------------------


@dataclass
class Claim:
    types: set[int]
    load: Resources
    pods: list[int] = field(default_factory=list)


def plain_packing(pods: Sequence[Resources], types: Sequence[Resources]) -> list[list[int]]:
    """Karpenter's loop for one NodePool without limits, pod by pod; pods of each claim.

    ``pods`` come in the order of the queue.
    """
    claims: list[Claim] = []
    for index, request in enumerate(pods):
        claims.sort(key=lambda claim: len(claim.pods))  # stable, on the list as the last round left it
        for claim in claims:
            load = claim.load + request
            left = {t for t in claim.types if load.fits_in(types[t])}
            if left:
                claim.types, claim.load = left, load
                claim.pods.append(index)
                break
        else:
            left = {t for t, room in enumerate(types) if request.fits_in(room)}
            if left:
                claims.append(Claim(left, request, [index]))
    return [claim.pods for claim in claims]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2)), min_size=1, max_size=30),
    st.lists(
        st.tuples(st.integers(4, 24), st.integers(4, 24), st.integers(0, 4)),
        min_size=1,
        max_size=5,
        unique=True,
    ),
)
def test_claims_hold_the_pods_that_a_plain_loop_puts_there(
    shapes: list[tuple[int, int, int]], sizes: list[tuple[int, int, int]]
) -> None:
    workloads = [pod(f"p{k:02d}", cpu=c, memory_gib=m, gpu=g) for k, (c, m, g) in enumerate(shapes)]
    kinds = [
        instance_type(f"t{k}", cpu=c, memory_gib=m, gpu=g, price=1.0 + k) for k, (c, m, g) in enumerate(sizes)
    ]
    queue = sorted(shapes, key=lambda shape: (-shape[0], -shape[1]))
    packed = plain_packing([resources(*s) for s in queue], [resources(*s) for s in sizes])
    expected = sorted(sorted(queue[index] for index in claim) for claim in packed)

    result = run(problem(workloads, kinds))
    found = sorted(
        sorted(shapes[r.workload] for r in claim.pods for _ in range(r.count))
        for claim in result.decision().node_claims
    )
    assert found == expected


@pytest.mark.parametrize("replicas", [1, 300])
def test_many_claims_outgrow_the_first_arrays(replicas: int) -> None:
    question = problem([pod(cpu=3, replicas=replicas)], [instance_type(cpu=4, memory_gib=1, price=1.0)])
    assert run(question).nodes == replicas

"""NodePool limits and minimums, and scarce offerings, become rows over candidates."""

from __future__ import annotations

import pytest
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.instance import NODES, LimitRow, MinimumRow, build_instance
from builders import GIB, existing_node, instance_type, node_pool, pod, problem, requires, resources
from solver_parts import candidate

NODE = instance_type("node", cpu=8, memory_gib=8, price=1)
PODS = [pod(cpu=1, replicas=40)]


def test_limits_less_the_capacity_of_existing_nodes_are_the_room() -> None:
    """Limit 20 cpu and 4 nodes; one existing node of 8 cpu capacity leaves 12 cpu and 3 nodes."""
    pool = node_pool("p", limits={"cpu": 20_000, "nodes": 4})
    old = existing_node("old", cpu=1, capacity=resources(cpu=8), pool="p")
    instance = build_instance(problem(PODS, [NODE], [pool], existing=[old]))
    assert instance.limits == (LimitRow(0, "cpu", 12_000), LimitRow(0, NODES, 3))
    assert instance.limit_use[candidate(instance, "node")].tolist() == [8_000, 1]
    existing = [j for j in range(instance.n_candidates) if instance.row_of[j] < 0]
    assert instance.limit_use[existing].tolist() == [[0, 0]]


def test_room_is_never_negative() -> None:
    pool = node_pool("p", limits={"cpu": 1_000})
    old = existing_node("old", cpu=1, capacity=resources(cpu=8), pool="p")
    instance = build_instance(problem(PODS, [NODE], [pool], existing=[old]))
    assert instance.limits == (LimitRow(0, "cpu", 0),)


def test_limits_count_capacity_and_not_allocatable() -> None:
    node = instance_type("node", cpu=7, price=1, capacity=resources(cpu=8))
    instance = build_instance(problem(PODS, [node], [node_pool("p", limits={"cpu": 16_000})]))
    assert instance.limit_use.tolist() == [[8_000]]


def test_the_smaller_of_max_nodes_and_the_limit_on_nodes_counts() -> None:
    for limits, max_nodes, room in (({"nodes": 5}, 3, 3), ({"nodes": 2}, 3, 2), ({}, 3, 3)):
        pool = node_pool("p", limits=limits, max_nodes=max_nodes)
        assert build_instance(problem(PODS, [NODE], [pool])).limits == (LimitRow(0, NODES, room),)


def test_a_scarce_offering_is_one_row_that_pools_share() -> None:
    node = instance_type("node", cpu=8, memory_gib=8, price=1, available=3)
    pools = [node_pool("p"), node_pool("q", taints=["team=x:NoSchedule"])]
    pods = [*PODS, pod("x", memory_gib=1, replicas=9, tolerations=["team=x:NoSchedule"])]
    instance = build_instance(problem(pods, [node], pools))
    assert instance.limits == (LimitRow(-1, NODES, 3, shelf_row=0),)
    assert instance.limit_use.tolist() == [[1]] * instance.n_candidates


def test_an_offering_of_which_none_is_left_cannot_be_bought() -> None:
    node = instance_type("node", cpu=8, price=1, available=0)
    assert build_instance(problem(PODS, [node])).n_candidates == 0


def test_a_minimum_counts_what_existing_nodes_do_not_meet() -> None:
    old = existing_node("old", cpu=1, pool="p")
    for minimum, expected in ((3, (MinimumRow(0, 2),)), (1, ())):
        pools = [node_pool("p", min_nodes=minimum)]
        assert build_instance(problem(PODS, [NODE], pools, existing=[old])).minimums == expected


def refused(*, pools, types) -> str:
    with pytest.raises(InvalidProblemError) as caught:
        build_instance(problem(PODS, types, pools))
    return caught.value.violations[0].field


def test_a_minimum_above_the_maximum_is_refused() -> None:
    pools = [node_pool("fine"), node_pool("p", min_nodes=3, max_nodes=2)]
    assert refused(pools=pools, types=[NODE]) == "node_pools[1].min_nodes"


def test_a_minimum_beyond_a_limit_on_capacity_is_refused() -> None:
    """Two nodes of 8 cpu exceed a limit of 15 cpu."""
    pools = [node_pool("p", min_nodes=2, limits={"cpu": 15_000})]
    assert refused(pools=pools, types=[NODE]) == "node_pools[0].min_nodes"


def test_a_minimum_of_a_pool_that_sells_nothing_is_refused() -> None:
    pools = [node_pool("p", requires("disk", "In", "tape"), min_nodes=1, node_labels={"disk": "ssd"})]
    assert refused(pools=pools, types=[NODE]) == "node_pools[0].min_nodes"


def test_a_minimum_beyond_the_supply_is_refused() -> None:
    types = [
        instance_type("a", cpu=8, price=1, available=1),
        instance_type("b", cpu=8, price=1, available=1),
    ]
    assert refused(pools=[node_pool("p", min_nodes=3)], types=types) == "node_pools[0].min_nodes"
    build_instance(problem(PODS, types, [node_pool("p", min_nodes=2)]))


def test_minimums_that_share_too_small_a_supply_are_refused() -> None:
    """Each pool could buy the one node there is, but not both."""
    types = [instance_type("a", cpu=8, price=1, available=1)]
    pools = [node_pool("p", min_nodes=1), node_pool("q", min_nodes=1)]
    assert refused(pools=pools, types=types) == "node_pools[1].min_nodes"


def test_a_minimum_that_two_limits_forbid_together_is_refused() -> None:
    """Of 2 cpu and 2 GiB, two nodes (1 cpu, 8 GiB) break one limit, and (8 cpu, 1 GiB) the other."""
    types = [
        instance_type("wide", cpu=8, memory_gib=1, price=1),
        instance_type("tall", cpu=1, memory_gib=8, price=1),
    ]
    pools = [node_pool("p", min_nodes=2, limits={"cpu": 2_000, "memory": 2 * GIB})]
    assert refused(pools=pools, types=types) == "node_pools[0].min_nodes"


def test_a_minimum_that_only_the_dearer_type_can_meet_is_accepted() -> None:
    """Limit 10 cpu: of the cheap type with 8 cpu one fits, of the dear one with 4 cpu two."""
    types = [instance_type("cheap", cpu=8, price=1), instance_type("dear", cpu=4, price=2)]
    pools = [node_pool("p", min_nodes=2, limits={"cpu": 10_000})]
    assert build_instance(problem(PODS, types, pools)).minimums == (MinimumRow(0, 2),)

"""Pods equal for scheduling become one class with a count, and candidates likewise."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.instance import UNLIMITED, build_instance
from binwright_optimizer.model import ExistingNode, PodTemplate, Resources, Workload, labels
from builders import (
    GIB,
    daemon_set,
    existing_node,
    instance_type,
    node_pool,
    offering,
    pod,
    problem,
    requires,
    resources,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from solver_parts import candidate, candidate_names
from tiny_problems import tiny_problems

NODE = instance_type("node", cpu=8, memory_gib=8, price=1)


def test_equal_pods_of_several_workloads_are_one_class() -> None:
    """Two workloads of 2 and 3 equal pods: one class of 5."""
    instance = build_instance(problem([pod("a", cpu=1, replicas=2), pod("b", cpu=1, replicas=3)], [NODE]))
    assert instance.demand.tolist() == [5]
    assert instance.class_of.tolist() == [0, 0]
    assert instance.resources == ("pods", "cpu")
    assert instance.requests.tolist() == [[1, 1000]]


def test_classes_are_in_the_same_order_whatever_the_order_of_pods() -> None:
    """Larger requests come first, so that classes are (2 cpu) x 3 and (1 cpu) x 5."""
    pods = [pod("a", cpu=1, replicas=2), pod("big", cpu=2, replicas=3), pod("b", cpu=1, replicas=3)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        instance = build_instance(problem([pods[k] for k in order], [NODE]))
        assert instance.demand.tolist() == [3, 5]
        assert instance.requests.tolist() == [[1, 2000], [1, 1000]]
        assert instance.class_of.tolist() == [[1, 0, 1][k] for k in order]


def test_priority_separates_pods_that_are_equal_otherwise() -> None:
    instance = build_instance(problem([pod("a", cpu=1), pod("b", cpu=1, priority=5)], [NODE]))
    assert instance.demand.tolist() == [1, 1]
    assert instance.priority.tolist() == [5, 0]
    assert instance.class_of.tolist() == [1, 0]


def test_selectors_that_no_offering_can_tell_apart_do_not_separate_pods() -> None:
    """Every node is amd64, so that asking for amd64 changes nothing."""
    pods = [pod("a", cpu=1), pod("b", cpu=1, selector={labels.ARCH: "amd64"})]
    assert build_instance(problem(pods, [NODE])).demand.tolist() == [2]


def test_a_workload_without_replicas_has_no_class() -> None:
    instance = build_instance(problem([pod("a", cpu=1, replicas=0), pod("b", cpu=2)], [NODE]))
    assert instance.demand.tolist() == [1]
    assert instance.class_of.tolist() == [-1, 0]


def test_a_pod_that_fits_nowhere_has_no_class() -> None:
    instance = build_instance(problem([pod("a", cpu=9), pod("b", cpu=2)], [NODE]))
    assert instance.demand.tolist() == [1]
    assert instance.class_of.tolist() == [-1, 0]


def test_zones_merge_where_no_pod_cares() -> None:
    """Three zones at one price are one candidate; the cheapest zone stands for dearer ones."""
    zones = [offering(1.0, zone="a"), offering(0.9, zone="b"), offering(1.0, zone="c")]
    instance = build_instance(problem([pod(cpu=1)], [instance_type("node", cpu=8, offerings=zones)]))
    assert instance.n_candidates == 1
    assert instance.price.tolist() == [900_000]


def test_zones_split_where_a_pod_cares() -> None:
    """The pod bound to zone c keeps that zone on the shelf beside the cheapest one."""
    zones = [offering(1.0, zone="a"), offering(0.9, zone="b"), offering(1.0, zone="c")]
    pods = [pod("any", cpu=1), pod("bound", cpu=1, selector={labels.ZONE: "c"})]
    instance = build_instance(problem(pods, [instance_type("node", cpu=8, offerings=zones)]))
    assert sorted(instance.price.tolist()) == [900_000, 1_000_000]
    both = instance.compatible.all(axis=0)
    assert instance.price[both].tolist() == [1_000_000]


def test_between_equal_candidates_the_heavier_node_pool_wins() -> None:
    pools = [node_pool("light"), node_pool("heavy", weight=7)]
    instance = build_instance(problem([pod(cpu=1)], [NODE], pools))
    assert instance.pool_of.tolist() == [1]


def test_existing_nodes_with_equal_room_are_one_candidate() -> None:
    """Two nodes of 2 cpu and one of 3: candidates with supply 2 and 1, at no price."""
    nodes = [existing_node("n1", cpu=2), existing_node("n2", cpu=3), existing_node("n3", cpu=2)]
    instance = build_instance(problem([pod(cpu=1, replicas=9)], existing=nodes))
    found = {instance.existing_of[j]: int(instance.supply[j]) for j in range(instance.n_candidates)}
    assert found == {(0, 2): 2, (1,): 1}
    assert instance.price.tolist() == [0, 0]


def test_existing_nodes_that_pods_tell_apart_stay_apart() -> None:
    nodes = [existing_node("n1", cpu=2), existing_node("n2", cpu=2, taints=["team=x:NoSchedule"])]
    pods = [pod("a", cpu=1), pod("b", cpu=1, tolerations=["team=x:NoSchedule"])]
    instance = build_instance(problem(pods, existing=nodes))
    assert sorted(instance.existing_of) == [(0,), (1,)]


def test_an_existing_node_without_pod_slots_left_holds_nothing() -> None:
    """Its capacity names pod slots and its free amounts do not: none is left."""
    full = ExistingNode("full", resources(cpu=4), capacity=resources(cpu=8, pods=10))
    instance = build_instance(problem([pod(cpu=1)], existing=[full]))
    assert instance.n_classes == 0
    assert instance.n_candidates == 0


def test_a_pod_may_name_an_existing_node_by_hostname() -> None:
    nodes = [existing_node("n1", cpu=2), existing_node("n2", cpu=2)]
    instance = build_instance(problem([pod(cpu=1, selector={labels.HOSTNAME: "n2"})], existing=nodes))
    assert instance.existing_of == ((1,),)


def test_a_type_that_names_no_pod_slots_does_not_limit_them() -> None:
    """Amounts are clipped to what all pods want together: 100 slots."""
    unlimited = instance_type("free", cpu=8, price=1)
    limited = instance_type("tight", cpu=8, pods=3, price=0.5)
    instance = build_instance(problem([pod(replicas=100)], [unlimited, limited]))
    slots = {j: int(instance.allocatable[j, 0]) for j in range(instance.n_candidates)}
    assert slots == {candidate(instance, "free"): 100, candidate(instance, "tight"): 3}


def test_daemons_take_their_requests_and_one_slot_off_every_node_they_land_on() -> None:
    """8 cpu less 0.5 of the pool's overhead less 1 of the daemon; 10 slots less one."""
    pool = node_pool("p", overhead=resources(cpu=0.5))
    node = instance_type("node", cpu=8, pods=10, price=1)
    elsewhere = daemon_set("arm", cpu=3, selector={labels.ARCH: "arm64"})
    daemons = [daemon_set("log", cpu=1), elsewhere]
    instance = build_instance(problem([pod(cpu=1, replicas=50)], [node], [pool], daemons=daemons))
    assert instance.allocatable.tolist() == [[9, 6500]]
    overhead = instance.origin.shelved[0].overhead_on(int(instance.row_of[0]))
    assert overhead == Resources.of({"cpu": 1500, "pods": 1})


def test_a_daemon_stays_off_pools_whose_taint_it_does_not_tolerate() -> None:
    pool = node_pool("p", taints=["team=x:NoSchedule"])
    pods = [pod(cpu=1, replicas=50, tolerations=["team=x:NoSchedule"])]
    instance = build_instance(problem(pods, [NODE], [pool], daemons=[daemon_set(cpu=1)]))
    assert instance.allocatable[0, 1] == 8000
    tolerant = daemon_set(cpu=1, tolerations=["team=x:NoSchedule"])
    instance = build_instance(problem(pods, [NODE], [pool], daemons=[tolerant]))
    assert instance.allocatable[0, 1] == 7000


def test_a_node_too_small_for_its_daemons_cannot_be_bought() -> None:
    """The daemon wants 2 GiB that no pod asks for: only the large node has them."""
    small = instance_type("small", cpu=8, memory_gib=1, price=1)
    large = instance_type("large", cpu=8, memory_gib=4, price=2)
    daemons = [daemon_set(memory_gib=2)]
    instance = build_instance(problem([pod(cpu=1)], [small, large], daemons=daemons))
    assert candidate_names(instance) == ["large"]


def test_resources_that_no_pod_requests_are_left_out() -> None:
    node = instance_type("node", cpu=8, memory_gib=8, gpu=1, price=1)
    assert build_instance(problem([pod(cpu=1)], [node])).resources == ("pods", "cpu")


def test_total_demand_beyond_62_bits_is_refused() -> None:
    """2,000 pods of 2**53 bytes each are 1.8e19 bytes, above 2**62 = 4.6e18."""
    huge = Workload("huge", PodTemplate(Resources.of({"memory": 2**53})), replicas=2_000)
    with pytest.raises(InvalidProblemError, match="total demand for memory is too large"):
        build_instance(problem([huge], [NODE]))


def test_total_demand_just_below_62_bits_is_accepted() -> None:
    """511 pods of 2**53 bytes are below 2**62 bytes."""
    huge = Workload("huge", PodTemplate(Resources.of({"memory": 2**53})), replicas=511)
    node = instance_type("node", capacity=None, price=1, memory_gib=2**53 // GIB)
    instance = build_instance(problem([huge], [node]))
    assert instance.demand.tolist() == [511]


@given(tiny_problems())
@settings(max_examples=25, deadline=None, derandomize=True)
def test_every_array_of_an_instance_is_read_only(tiny) -> None:
    instance = build_instance(tiny)
    arrays = [getattr(instance, name) for name in instance.__dataclass_fields__]
    arrays = [array for array in arrays if isinstance(array, np.ndarray)]
    assert len(arrays) == 13
    assert not any(array.flags.writeable for array in arrays)


@given(tiny_problems(), st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None, derandomize=True)
def test_instances_do_not_depend_on_the_order_of_pods(tiny, random) -> None:
    workloads = list(tiny.workloads)
    random.shuffle(workloads)
    first = build_instance(tiny)
    second = build_instance(dataclasses.replace(tiny, workloads=tuple(workloads)))
    for name in ("requests", "demand", "price", "allocatable", "compatible", "limit_use", "supply"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name


def test_unlimited_supply_is_marked_as_such() -> None:
    assert build_instance(problem([pod(cpu=1)], [NODE])).supply.tolist() == [UNLIMITED]


def test_a_pool_label_that_contradicts_a_type_excludes_the_type() -> None:
    """The pool stamps size=l on its nodes; types labelled size=s cannot be its nodes."""
    kinds = [
        instance_type("s", cpu=8, price=1, extra_labels={"size": "s"}),
        instance_type("l", cpu=8, price=2, extra_labels={"size": "l"}),
    ]
    pools = [node_pool("p", node_labels={"size": "l"})]
    assert candidate_names(build_instance(problem([pod(cpu=1)], kinds, pools))) == ["l"]


def test_a_pool_label_that_contradicts_the_pools_own_requirement_sells_nothing() -> None:
    pools = [node_pool("p", requires("team", "In", "b"), node_labels={"team": "a"})]
    assert build_instance(problem([pod(cpu=1)], [NODE], pools)).n_candidates == 0

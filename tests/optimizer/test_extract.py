"""From patterns back to names: every pod exactly once, on nodes described in full."""

from __future__ import annotations

import collections

from binwright_optimizer.alternatives import MAX_ALTERNATIVES
from binwright_optimizer.extract import extract
from binwright_optimizer.heuristics.greedy import Remainder, fluid_prices
from binwright_optimizer.instance import build_instance
from binwright_optimizer.model import (
    Alternative,
    CapacityType,
    ExistingPlacement,
    PodRange,
    Resources,
    labels,
)
from binwright_optimizer.packing import Packing
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
from solver_parts import candidate, greedy_of, packing_of
from tiny_problems import tiny_problems

NODE = instance_type("node", cpu=8, memory_gib=8, price=1)


def test_ranges_split_across_nodes_and_workloads_of_one_class() -> None:
    """Workloads of 3, 0, 4 and 1 equal pods on nodes of 5 and 2: five, two, and one left over."""
    workloads = [
        pod("a", cpu=1, replicas=3),
        pod("none", cpu=1, replicas=0),
        pod("b", cpu=1, replicas=4),
        pod("c", cpu=1),
    ]
    instance = build_instance(problem(workloads, [NODE]))
    placed = extract(instance, packing_of(instance, (0, 1, [5]), (0, 1, [2])))
    assert [claim.pods for claim in placed.node_claims] == [
        (PodRange(0, 0, 3), PodRange(2, 0, 2)),
        (PodRange(2, 2, 2),),
    ]
    assert placed.left_out == (PodRange(3, 0, 1),)


def test_equal_nodes_get_pods_in_turn() -> None:
    instance = build_instance(problem([pod("a", cpu=1, replicas=6)], [NODE]))
    placed = extract(instance, packing_of(instance, (0, 3, [2])))
    assert [claim.pods for claim in placed.node_claims] == [
        (PodRange(0, 0, 2),),
        (PodRange(0, 2, 2),),
        (PodRange(0, 4, 2),),
    ]
    assert [claim.name for claim in placed.node_claims] == ["default-00001", "default-00002", "default-00003"]


def test_pods_that_no_candidate_holds_are_left_out_beside_others() -> None:
    instance = build_instance(problem([pod("huge", cpu=99, replicas=2), pod("a", cpu=1, replicas=3)], [NODE]))
    placed = extract(instance, packing_of(instance, (0, 1, [1])))
    assert placed.left_out == (PodRange(0, 0, 2), PodRange(1, 1, 2))


def test_each_existing_node_of_a_group_is_named_once() -> None:
    nodes = [existing_node("n1", cpu=2), existing_node("n2", cpu=2), existing_node("n3", cpu=2)]
    instance = build_instance(problem([pod("a", cpu=1, replicas=3)], existing=nodes))
    placed = extract(instance, packing_of(instance, (0, 1, [2]), (0, 1, [1])))
    assert placed.existing == (
        ExistingPlacement("n1", (PodRange(0, 0, 2),)),
        ExistingPlacement("n2", (PodRange(0, 2, 1),)),
    )
    assert placed.node_claims == ()


def test_a_node_claim_describes_its_node_in_full() -> None:
    """Two pods of (1 cpu, 2 GiB) on a node of 8 cpu whose daemon takes 1 cpu and a slot."""
    kind = instance_type(
        "m.large",
        cpu=8,
        memory_gib=16,
        pods=20,
        offerings=[offering(0.25, zone="z2", capacity_type="spot", region="r9")],
        extra_labels={"disk": "ssd"},
    )
    pool = node_pool("web", requires("team", "In", "blue", "red"), node_labels={"tier": "front"})
    pods = [pod("a", cpu=1, memory_gib=2, replicas=2, selector={"team": "red"})]
    question = problem(pods, [kind], [pool], daemons=[daemon_set(cpu=1)])
    instance = build_instance(question)
    (claim,) = extract(instance, packing_of(instance, (0, 1, [2]))).node_claims
    assert (claim.name, claim.node_pool, claim.instance_type) == ("web-00001", "web", "m.large")
    assert (claim.region, claim.zone, claim.capacity_type) == ("r9", "z2", CapacityType.SPOT)
    assert claim.price_microusd_per_hour == 250_000
    assert claim.requests == Resources.of({"cpu": 2000, "memory": 4 * GIB, "pods": 2})
    assert claim.allocatable == resources(cpu=8, memory_gib=16, pods=20)
    assert claim.daemon_overhead == Resources.of({"cpu": 1000, "pods": 1})
    assert dict(claim.labels) == {
        labels.INSTANCE_TYPE: "m.large",
        labels.ARCH: "amd64",
        labels.OS: "linux",
        labels.REGION: "r9",
        labels.ZONE: "z2",
        labels.CAPACITY_TYPE: "spot",
        labels.NODE_POOL: "web",
        "disk": "ssd",
        "team": "red",
        "tier": "front",
    }
    assert claim.labels == tuple(sorted(claim.labels))


def test_alternatives_hold_the_same_pods_in_the_same_zone_cheapest_first() -> None:
    """Of the others, ``tiny`` is too small, ``far`` in another zone, ``gone`` sold out."""
    kinds = [
        instance_type("chosen", cpu=4, price=1),
        instance_type("dear", cpu=8, price=3),
        instance_type("next", cpu=4, price=2),
        instance_type("tiny", cpu=1, price=2),
        instance_type("far", cpu=8, offerings=[offering(2, zone="elsewhere")]),
        instance_type("gone", cpu=8, price=2, available=0),
    ]
    instance = build_instance(problem([pod("a", cpu=2, replicas=2)], kinds))
    packing = packing_of(instance, (candidate(instance, "chosen"), 1, [2]))
    (claim,) = extract(instance, packing).node_claims
    assert claim.alternatives == (
        Alternative("chosen", 1_000_000),
        Alternative("next", 2_000_000),
        Alternative("dear", 3_000_000),
    )


def test_alternatives_respect_what_the_pods_on_the_node_select() -> None:
    kinds = [
        instance_type("chosen", cpu=4, price=1, extra_labels={"disk": "ssd"}),
        instance_type("plain", cpu=4, price=2, extra_labels={"disk": "hdd"}),
        instance_type("fast", cpu=4, price=3, extra_labels={"disk": "ssd"}),
    ]
    pods = [pod("picky", cpu=2, selector={"disk": "ssd"}), pod("any", cpu=1)]
    instance = build_instance(problem(pods, kinds))
    chosen = candidate(instance, "chosen")
    both = extract(instance, packing_of(instance, (chosen, 1, [1, 1]))).node_claims[0]
    one = extract(instance, packing_of(instance, (chosen, 1, [0, 1]))).node_claims[0]
    assert [a.instance_type for a in both.alternatives] == ["chosen", "fast"]
    assert [a.instance_type for a in one.alternatives] == ["chosen", "plain", "fast"]


def test_alternatives_are_cut_at_a_fixed_number() -> None:
    kinds = [instance_type(f"t{n:02d}", cpu=4, price=1 + n) for n in range(MAX_ALTERNATIVES + 5)]
    instance = build_instance(problem([pod("a", cpu=2)], kinds))
    (claim,) = extract(instance, packing_of(instance, (0, 1, [1]))).node_claims
    assert len(claim.alternatives) == MAX_ALTERNATIVES


@given(tiny_problems())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_every_pod_is_named_exactly_once(tiny) -> None:
    instance = build_instance(tiny)
    packing = Packing.of(
        instance,
        *greedy_of(instance).cover(fluid_prices(instance), Remainder.whole(instance), 2_000),
    )
    placed = extract(instance, packing)
    ranges = list(placed.left_out)
    for holder in (*placed.node_claims, *placed.existing):
        ranges += holder.pods
    named = collections.Counter((r.workload, r.first + k) for r in ranges for k in range(r.count))
    wanted = {(w, k) for w, workload in enumerate(tiny.workloads) for k in range(workload.replicas)}
    assert set(named) == wanted
    assert set(named.values()) <= {1}

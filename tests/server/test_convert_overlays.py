"""Rules in messages: what changes the catalogue, and what rounds or selects how."""

from __future__ import annotations

from collections.abc import Callable

from binwright.v1 import constraints_pb2, problem_pb2
from binwright_optimizer.model import CapacityType, SpotPolicy
from binwright_server.convert import problem_from_message
from harness import solve_request


def read(change: Callable[[problem_pb2.Problem], object]):  # type: ignore[no-untyped-def]
    message = solve_request().problem
    change(message)
    return problem_from_message(message)


def test_an_overlay_changes_price_and_capacity_of_what_it_matches() -> None:
    """0.10 $/h less 10 % is 0.09 $/h, and the type gains two licences."""
    problem = read(
        lambda m: m.node_overlays.add(name="o", price_adjustment="-10%", capacity={"example.com/seat": "2"})
    )
    [small] = problem.catalog.instance_types
    assert small.offerings[0].price_microusd_per_hour == 90_000
    assert small.offerings[0].source.name == "NodeOverlay o"
    assert small.allocatable["example.com/seat"] == small.capacity["example.com/seat"] == 2


def test_the_heaviest_overlay_decides_about_the_price_and_others_still_add_capacity() -> None:
    def change(message: problem_pb2.Problem) -> None:
        message.node_overlays.add(name="a", weight=1, price="5", capacity={"example.com/seat": "2"})
        message.node_overlays.add(name="b", weight=9, price="0.25")

    [small] = read(change).catalog.instance_types
    assert small.offerings[0].price_microusd_per_hour == 250_000
    assert small.allocatable["example.com/seat"] == 2


def test_reservations_are_read_beside_the_catalogue() -> None:
    """Two blocks in a zone and one for any zone: the catalogue stays as it is."""

    def change(message: problem_pb2.Problem) -> None:
        for name, count, zone in (("r", 2, "r1-a"), ("s", 3, "r1-a"), ("t", 4, "")):
            message.reservations.add(name=name, instance_type="small", region="r1", zone=zone, count=count)

    problem = read(change)
    assert [(held.name, held.count, held.zone) for held in problem.reservations] == [
        ("r", 2, "r1-a"),
        ("s", 3, "r1-a"),
        ("t", 4, ""),
    ]
    assert all(held.capacity_type is CapacityType.RESERVED for held in problem.reservations)


def test_equal_overlays_and_reservations_give_the_same_catalogue_object() -> None:
    """Solvers keep what they derive from a catalogue by its identity."""

    def change(message: problem_pb2.Problem) -> None:
        message.node_overlays.add(name="o", price="1")
        message.reservations.add(name="r", instance_type="small", region="r1", zone="r1-a", count=1)

    assert read(change).catalog is read(change).catalog


def test_shares_of_pods_round_in_favour_of_the_promise() -> None:
    """30 % of 5 replicas: at least 2 on demand, at most 1 in a pool."""

    def change(message: problem_pb2.Problem) -> None:
        message.workloads[0].spot.min_on_demand = "30%"
        message.workloads[0].spot.max_per_pool = "30%"

    policy = read(change).workloads[0].spot
    assert isinstance(policy, SpotPolicy)
    assert policy.min_on_demand is not None
    assert policy.max_per_pool is not None
    assert (policy.min_on_demand.at_least(5), policy.max_per_pool.at_most(5)) == (2, 1)


def test_a_selector_that_is_not_given_selects_nothing_and_an_empty_one_everything() -> None:
    def change(message: problem_pb2.Problem) -> None:
        caps = message.workloads[0].template.topology_spread_constraints
        caps.add(topology_key="a", max_skew=1, when_unsatisfiable="DoNotSchedule")
        caps.add(
            topology_key="b",
            max_skew=1,
            when_unsatisfiable="DoNotSchedule",
            label_selector=constraints_pb2.LabelSelector(),
        )

    nothing, everything = read(change).workloads[0].template.topology_spread
    assert not nothing.selects({}, {"app": "web"})
    assert everything.selects({}, {"app": "web"})


def test_reserved_capacity_is_used_without_being_asked_for() -> None:
    """Pods that are silent may be on demand or on what is held; without reservations, on demand only."""

    def on_embedded(message: problem_pb2.Problem) -> None:
        message.catalog.embedded.cloud = "aws"
        message.catalog.embedded.regions.append("us-east-1")

    def with_reservation(message: problem_pb2.Problem) -> None:
        on_embedded(message)
        message.reservations.add(
            name="r", instance_type="m5.large", region="us-east-1", zone="us-east-1a", count=1
        )

    for change, expected in ((on_embedded, {"on-demand"}), (with_reservation, {"on-demand", "reserved"})):
        chosen = {r.key: set(r.values) for r in read(change).workloads[0].template.node_selector}
        assert chosen["karpenter.sh/capacity-type"] == expected

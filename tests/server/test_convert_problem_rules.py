"""Rules of whole problems in messages: each wrong field is refused with its path."""

from __future__ import annotations

import dataclasses

import pytest
from binwright.v1 import problem_pb2, provisioning_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import Policies
from binwright_server.convert import problem_to_message, request_to_problem
from google.protobuf import json_format
from harness import solve_request

Request = provisioning_service_pb2.SolveRequest


SMALL = {"instance_type": "small", "region": "r1", "zone": "r1-a", "count": "2"}


IN_B = [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["b"]}]


def violations(request: Request) -> list[tuple[str, str]]:
    with pytest.raises(InvalidProblemError) as caught:
        request_to_problem(request)
    return [(violation.field, violation.description) for violation in caught.value.violations]


WRONG_PROBLEMS: list[tuple[str, str, dict[str, object]]] = [
    ("gangs[0].min_members", "must be at least 1", {"gangs": [{"name": "g", "min_members": -1}]}),
    ("gangs[0].name", "must not be empty", {"gangs": [{}]}),
    (
        "gangs[1].name",
        "is already the name of gangs[0]",
        {"gangs": [{"name": "g"}, {"name": "g", "namespace": "default"}]},
    ),
    ("gangs[0].topology[0].topology_key", "must name", {"gangs": [{"name": "g", "topology": [{}]}]}),
    (
        "gangs[0].topology",
        "is named twice",
        {"gangs": [{"name": "g", "topology": [{"topology_key": "z"}, {"topology_key": "z"}]}]},
    ),
    (
        "workloads[1].gang",
        "is no gang of namespace default",
        {"workloads": [{"name": "x", "gang": "g", "template": {"containers": [{}]}}]},
    ),
    ("namespaces[0].name", "must not be empty", {"namespaces": [{}]}),
    ("namespaces[1].name", "is already the name", {"namespaces": [{"name": "a"}, {"name": "a"}]}),
    ("node_overlays[0]", "changes nothing", {"node_overlays": [{"name": "o"}]}),
    ("node_overlays[0].price", "is not a price", {"node_overlays": [{"name": "o", "price": "cheap"}]}),
    (
        "node_overlays[0].price_adjustment",
        "goes without a price",
        {"node_overlays": [{"name": "o", "price": "1", "price_adjustment": "+1"}]},
    ),
    (
        "node_overlays[0].price_adjustment",
        "must begin with + or -",
        {"node_overlays": [{"name": "o", "price_adjustment": "10%"}]},
    ),
    (
        "node_overlays[0].price_adjustment",
        "must be -100% or more",
        {"node_overlays": [{"name": "o", "price_adjustment": "-101%"}]},
    ),
    (
        "node_overlays[0].capacity[cpu]",
        "extended resources only",
        {"node_overlays": [{"name": "o", "capacity": {"cpu": "1"}}]},
    ),
    (
        "node_overlays[0].weight",
        "must be in 0..10000",
        {"node_overlays": [{"name": "o", "price": "1", "weight": -1}]},
    ),
    (
        "node_overlays[0].requirements",
        "sells nothing that matches",
        {"node_overlays": [{"name": "o", "price": "1", "requirements": IN_B}]},
    ),
    (
        "node_overlays[1].weight",
        "of the same weight prices small otherwise",
        {"node_overlays": [{"name": "a", "price": "1"}, {"name": "b", "price": "2"}]},
    ),
    (
        "node_overlays[1].weight",
        "another amount of x.y/z",
        {
            "node_overlays": [
                {"name": "a", "capacity": {"x.y/z": "1"}},
                {"name": "b", "capacity": {"x.y/z": "2"}},
            ]
        },
    ),
    (
        "reservations[0].instance_type",
        "has no such instance type",
        {"reservations": [SMALL | {"name": "r", "instance_type": "smal"}]},
    ),
    ("reservations[0].zone", "is not sold there", {"reservations": [SMALL | {"name": "r", "zone": "r1-z"}]}),
    (
        "reservations[0].region",
        "is not sold there",
        {"reservations": [SMALL | {"name": "r", "region": "r2"}]},
    ),
    (
        "reservations[0].capacity_type",
        "must be empty or one of reserved, on-demand",
        {"reservations": [SMALL | {"name": "r", "capacity_type": "spot"}]},
    ),
    ("reservations[0].count", "must be in 0..", {"reservations": [SMALL | {"name": "r", "count": "-1"}]}),
    (
        "savings_plans[0].name",
        "is already the name of a reservation",
        {"reservations": [SMALL | {"name": "r"}], "savings_plans": [{"name": "r"}]},
    ),
    (
        "savings_plans[0].discount_ppm",
        "must be in 0..",
        {"savings_plans": [{"name": "s", "discount_ppm": 1_000_000}]},
    ),
    (
        "savings_plans[0].microusd_per_hour",
        "must be in 0..",
        {"savings_plans": [{"name": "s", "microusd_per_hour": "-1"}]},
    ),
    (
        "savings_plans[0].requirements[0]",
        "on-demand nodes only",
        {
            "savings_plans": [
                {"name": "s", "requirements": [{"key": "karpenter.sh/capacity-type", "operator": "Exists"}]}
            ]
        },
    ),
    (
        "policies.preference_policy",
        "must be empty or one of Respect, Ignore",
        {"policies": {"preference_policy": "x"}},
    ),
    ("policies.microusd_per_weight_hour", "must be in 0..", {"policies": {"microusd_per_weight_hour": "-1"}}),
    ("policies.restart_cost_microusd", "must be in 0..", {"policies": {"restart_cost_microusd": "-1"}}),
    (
        "policies.spot.min_on_demand",
        "must be a number of pods",
        {"policies": {"spot": {"min_on_demand": "half"}}},
    ),
    ("policies.spot.max_per_pool", "must be at most 100%", {"policies": {"spot": {"max_per_pool": "101%"}}}),
    (
        "policies.spot.loss.share",
        "must say how much",
        {"policies": {"spot": {"loss": {"probability_ppm": 1}}}},
    ),
    (
        "policies.spot.loss.probability_ppm",
        "must be in 1..",
        {"policies": {"spot": {"loss": {"share": "1"}}}},
    ),
    (
        "policies.spot.loss.window_seconds",
        "must be from a second",
        {"policies": {"spot": {"loss": {"share": "1", "probability_ppm": 1, "window_seconds": "-1"}}}},
    ),
    (
        "node_pools[0].gpu_sharing.strategy",
        "must be empty or one of fraction",
        {"node_pools": [{"name": "p", "gpu_sharing": {"strategy": "slices"}}]},
    ),
    (
        "node_pools[0].gpu_sharing.replicas",
        "must be in 2..48 for mps",
        {"node_pools": [{"name": "p", "gpu_sharing": {"strategy": "mps"}}]},
    ),
    (
        "node_pools[0].gpu_sharing.replicas",
        "not with exclusive",
        {"node_pools": [{"name": "p", "gpu_sharing": {"strategy": "exclusive", "replicas": 2}}]},
    ),
    (
        "node_pools[0].attach_limits[0].driver",
        "must name a CSI driver",
        {"node_pools": [{"name": "p", "attach_limits": [{"count": 1}]}]},
    ),
    (
        "node_pools[0].attach_limits[0].count",
        "must not be negative",
        {"node_pools": [{"name": "p", "attach_limits": [{"driver": "d", "count": -1}]}]},
    ),
    (
        "existing_nodes[0].attach_limits[1].driver",
        "is already the driver",
        {"existing_nodes": [{"name": "n", "attach_limits": [{"driver": "d"}, {"driver": "d"}]}]},
    ),
    (
        "existing_nodes[0].pods[0].count",
        "must be at least 1",
        {"existing_nodes": [{"name": "n", "pods": [{"count": 0, "template": {"containers": [{}]}}]}]},
    ),
    (
        "existing_nodes[0].pods[0].gang",
        "is no gang",
        {"existing_nodes": [{"name": "n", "pods": [{"gang": "g", "template": {"containers": [{}]}}]}]},
    ),
    (
        "existing_nodes[0].pods[0].template.host_ports[0].port",
        "must be in",
        {"existing_nodes": [{"name": "n", "pods": [{"template": {"containers": [{}], "host_ports": [{}]}}]}]},
    ),
]


@pytest.mark.parametrize(
    ("field", "description", "problem"), WRONG_PROBLEMS, ids=[f"{f}-{d}" for f, d, _ in WRONG_PROBLEMS]
)
def test_wrong_rule_of_a_problem_is_refused_with_its_path(
    field: str, description: str, problem: dict[str, object]
) -> None:
    request = solve_request()
    request.problem.MergeFrom(json_format.ParseDict(problem, problem_pb2.Problem()))
    [(path, text)] = violations(request)
    assert path == field
    assert description in text


def reserving(region: str, *regions: str) -> Request:
    """A reservation in a region, and a catalogue of these."""
    request = solve_request()
    small = request.problem.catalog.inline.instance_types[0]
    sold = small.offerings.pop()
    for name in regions:
        small.offerings.add().CopyFrom(sold)
        small.offerings[-1].region = name
    request.problem.reservations.add(name="r", instance_type="small", region=region, zone="r1-a", count=1)
    return request


@pytest.mark.parametrize("only", ["", "r7"])
def test_a_reservation_without_a_region_is_in_the_only_one_of_the_catalogue(only: str) -> None:
    problem, _ = request_to_problem(reserving("", only))
    assert [reservation.region for reservation in problem.reservations] == [only]


@pytest.mark.parametrize(
    ("asked", "description"),
    [
        (reserving("", "r1", "r2"), "must be given, as catalogue inline has several: r1, r2"),
        (reserving("local", ""), "catalogue inline names no regions: leave it out"),
    ],
)
def test_a_region_that_does_not_go_with_the_catalogue_is_refused_with_what_does(
    asked: Request, description: str
) -> None:
    asked.problem.catalog.inline.name = "inline"
    assert violations(asked) == [("reservations[0].region", description)]


@pytest.mark.parametrize(
    ("capacity_type", "rate", "description"),
    [("spot", 1_000_001, "must be in 0.."), ("on-demand", 5, "spot offerings only")],
)
def test_wrong_interruption_rate_is_refused(capacity_type: str, rate: int, description: str) -> None:
    request = solve_request()
    sold = request.problem.catalog.inline.instance_types[0].offerings[0]
    sold.capacity_type, sold.interruption_ppm_per_month = capacity_type, rate
    [(path, text)] = violations(request)
    assert path == "catalog.inline.instance_types[0].offerings[0].interruption_ppm_per_month"
    assert description in text


def test_a_weight_point_has_a_price_unless_the_request_says_zero() -> None:
    request = solve_request()
    assert request_to_problem(request)[0].policies.weight_price == 10
    request.problem.policies.gpu_node_policy = "Never"
    assert request_to_problem(request)[0].policies.weight_price == 10
    request.problem.policies.microusd_per_weight_hour = 0
    problem, _ = request_to_problem(request)
    assert problem.policies.weight_price == 0
    sent = problem_to_message(dataclasses.replace(problem, policies=Policies()))
    assert sent.policies.HasField("microusd_per_weight_hour")

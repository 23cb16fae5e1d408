"""Rules in messages: each wrong field is refused with its path, and what changes the catalogue does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from binwright.v1 import constraints_pb2, problem_pb2, provisioning_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import CapacityType, SpotPolicy
from binwright_server.convert import problem_from_message, request_to_problem
from google.protobuf import json_format
from harness import solve_request

Request = provisioning_service_pb2.SolveRequest
T = "workloads[0].template"

APP = {"match_labels": {"app": "web"}}
NUMERIC = {"match_expressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}
CLASH = {"match_labels": {"a": "x"}, "match_expressions": [{"key": "a", "operator": "DoesNotExist"}]}


def spread(**changes: object) -> dict[str, object]:
    one = {
        "topology_key": "zone",
        "max_skew": 1,
        "when_unsatisfiable": "DoNotSchedule",
        "label_selector": APP,
    }
    return {"topology_spread_constraints": [one | changes]}


def near(**changes: object) -> dict[str, object]:
    return {"pod_affinity": {"required": [{"topology_key": "zone", "label_selector": APP} | changes]}}


WRONG_TEMPLATES: list[tuple[str, str, dict[str, object]]] = [
    ("topology_spread_constraints[0].max_skew", "must be at least 1", spread(max_skew=0)),
    ("topology_spread_constraints[0].max_skew", "must be at least 1", spread(max_skew=-2)),
    ("topology_spread_constraints[0].topology_key", "must name a node label", spread(topology_key="")),
    (
        "topology_spread_constraints[0].when_unsatisfiable",
        "must be one of DoNotSchedule, ScheduleAnyway",
        spread(when_unsatisfiable="Never"),
    ),
    ("topology_spread_constraints[0].when_unsatisfiable", "must be one of", spread(when_unsatisfiable="")),
    ("topology_spread_constraints[0].min_domains", "must be at least 1", spread(min_domains=0)),
    (
        "topology_spread_constraints[0].min_domains",
        "DoNotSchedule only",
        spread(min_domains=2, when_unsatisfiable="ScheduleAnyway"),
    ),
    (
        "topology_spread_constraints[0].node_affinity_policy",
        "must be empty or one of Honor, Ignore",
        spread(node_affinity_policy="honor"),
    ),
    (
        "topology_spread_constraints[0].node_taints_policy",
        "must be empty or one of",
        spread(node_taints_policy="x"),
    ),
    ("topology_spread_constraints[0].match_label_keys", "must not be empty", spread(match_label_keys=[""])),
    (
        "topology_spread_constraints[0].label_selector.match_expressions[0].operator",
        "must be one of In, NotIn",
        spread(label_selector=NUMERIC),
    ),
    ("topology_spread_constraints[0].label_selector", "contradict each other", spread(label_selector=CLASH)),
    (
        'topology_spread_constraints[0].label_selector.match_labels[""]',
        "needs a key",
        spread(label_selector={"match_labels": {"": "x"}}),
    ),
    (
        "topology_spread_constraints[0].label_selector.match_expressions[0].values",
        "takes at least one",
        spread(label_selector={"match_expressions": [{"key": "a", "operator": "In"}]}),
    ),
    (
        "topology_spread_constraints[0]",
        "contradict each other",
        spread(match_label_keys=["app"]) | {"labels": {"app": "db"}},
    ),
    (
        "topology_spread_constraints[1].topology_key",
        "is already the topology_key",
        {
            "topology_spread_constraints": [
                *spread()["topology_spread_constraints"],
                *spread(max_skew=3)["topology_spread_constraints"],
            ]
        },
    ),  # type: ignore[misc]
    ("pod_affinity.required[0].topology_key", "must name a node label", near(topology_key="")),
    ("pod_affinity.required[0].namespaces", "must not be empty", near(namespaces=[""])),
    ("pod_affinity.required[0].namespace_selector", "contradict", near(namespace_selector=CLASH)),
    (
        "pod_affinity.required[0].mismatch_label_keys",
        "is among the keys to match",
        near(match_label_keys=["v"], mismatch_label_keys=["v"]),
    ),
    (
        "pod_anti_affinity.required[0].match_label_keys",
        "label selector only",
        {"pod_anti_affinity": {"required": [{"topology_key": "z", "match_label_keys": ["v"]}]}},
    ),
    (
        "pod_affinity.preferred[0].weight",
        "must be in 1..100",
        {"pod_affinity": {"preferred": [{"weight": 0, "pod_affinity_term": {"topology_key": "z"}}]}},
    ),
    ("node_caps[0].label_selector", "which pods are counted", {"node_caps": [{"max_pods": 1}]}),
    (
        "node_caps[0].max_pods",
        "must not be negative",
        {"node_caps": [{"label_selector": APP, "max_pods": -1}]},
    ),
    (
        "node_caps[0].max_pods",
        "counts the pod itself",
        {"node_caps": [{"label_selector": APP}], "labels": {"app": "web"}},
    ),
    ("host_ports[0].port", "must be in 1..65535", {"host_ports": [{"port": 0}]}),
    (
        "host_ports[0].protocol",
        "must be empty or one of TCP, UDP, SCTP",
        {"host_ports": [{"port": 1, "protocol": "tcp"}]},
    ),
    (
        "host_ports[1]",
        "clashes with another host port",
        {"host_ports": [{"port": 80}, {"port": 80, "host_ip": "10.0.0.1"}]},
    ),
    ("volumes[1].name", "is already the name", {"volumes": [{"name": "data"}, {"name": "data"}]}),
    ("volumes[0].topology", "an empty term", {"volumes": [{"topology": [{}]}]}),
    ("preemption_policy", "must be empty or one of", {"preemption_policy": "never"}),
    ("restart_cost_microusd", "must be in 0..", {"restart_cost_microusd": "-1"}),
    ("termination_grace_period_seconds", "must not be negative", {"termination_grace_period_seconds": -1}),
    ("gpu_share", "where the pod requests none", {"gpu_share": {"milli": 500}}),
    (
        "gpu_share.milli",
        "must be in 1..1000",
        {"gpu_share": {"milli": 2000}, "containers": [{"requests": {"nvidia.com/gpu": "1"}}]},
    ),
    (
        "gpu_share.memory_bytes",
        "must be in 0..",
        {"gpu_share": {"memory_bytes": "-1"}, "containers": [{"requests": {"nvidia.com/gpu": "1"}}]},
    ),
    ("device_claims[0].requests[0]", "at least one alternative", {"device_claims": [{"requests": [{}]}]}),
    (
        "device_claims[0].requests[0].first_available[0].count",
        "must be in 0..32",
        {"device_claims": [{"requests": [{"first_available": [{"name": "r", "count": 33}]}]}]},
    ),
    (
        "device_claims[0].requests[0].first_available[0].conditions[0].comparison",
        "must be one of ==",
        {
            "device_claims": [
                {
                    "requests": [
                        {
                            "first_available": [
                                {
                                    "name": "r",
                                    "conditions": [
                                        {"property": "driver", "comparison": "~", "values": [{"text": "x"}]}
                                    ],
                                }
                            ]
                        }
                    ]
                }
            ]
        },
    ),
    (
        "device_claims[0].requests[0].first_available[0].conditions[0].values[0]",
        "must hold a text",
        {
            "device_claims": [
                {
                    "requests": [
                        {
                            "first_available": [
                                {
                                    "name": "r",
                                    "conditions": [
                                        {"property": "driver", "comparison": "==", "values": [{}]}
                                    ],
                                }
                            ]
                        }
                    ]
                }
            ]
        },
    ),
    (
        'containers[1].requests["nvidia.com/mig-9g.99gb"]',
        "no GPU offers this MIG profile",
        {"containers": [{"requests": {"nvidia.com/mig-9g.99gb": "1"}}]},
    ),
]


def violations(request: Request) -> list[tuple[str, str]]:
    with pytest.raises(InvalidProblemError) as caught:
        request_to_problem(request)
    return [(violation.field, violation.description) for violation in caught.value.violations]


@pytest.mark.parametrize(
    ("field", "description", "template"), WRONG_TEMPLATES, ids=[f"{f}-{d}" for f, d, _ in WRONG_TEMPLATES]
)
def test_wrong_rule_of_a_pod_is_refused_with_its_path(
    field: str, description: str, template: dict[str, object]
) -> None:
    request = solve_request()
    request.problem.workloads[0].template.MergeFrom(
        json_format.ParseDict(template, problem_pb2.PodTemplate())
    )
    [(path, text)] = violations(request)
    assert path == f"{T}.{field}"
    assert description in text


SMALL = {"instance_type": "small", "region": "r1", "zone": "r1-a", "count": "2"}
IN_B = [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["b"]}]
WRONG_PROBLEMS: list[tuple[str, str, dict[str, object]]] = [
    ("gangs[0].min_members", "is above the 0 pod(s)", {"gangs": [{"name": "g", "min_members": 1}]}),
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
        "reservations[0].capacity_type",
        "must be empty or one of reserved, on-demand",
        {"reservations": [SMALL | {"name": "r", "capacity_type": "spot"}]},
    ),
    ("reservations[0].count", "must be in 0..", {"reservations": [SMALL | {"name": "r", "count": "-1"}]}),
    (
        "reservations[1].price_microusd_per_hour",
        "same type and zone costs 0",
        {"reservations": [SMALL | {"name": "r"}, SMALL | {"name": "s", "price_microusd_per_hour": "5"}]},
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


def test_capacity_reserved_in_a_zone_becomes_a_free_offering_with_its_count() -> None:
    """Two reservations of 2 and 3 nodes are one offering of 5; one for any zone stays as it is."""

    def change(message: problem_pb2.Problem) -> None:
        for name, count, zone in (("r", 2, "r1-a"), ("s", 3, "r1-a"), ("t", 4, "")):
            message.reservations.add(name=name, instance_type="small", region="r1", zone=zone, count=count)

    problem = read(change)
    [small] = problem.catalog.instance_types
    held = small.offerings[-1]
    assert (held.capacity_type, held.price_microusd_per_hour, held.available) == (CapacityType.RESERVED, 0, 5)
    assert [reservation.name for reservation in problem.reservations] == ["t"]


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

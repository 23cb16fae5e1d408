"""Rules of pods in messages: each wrong field is refused with its path."""

from __future__ import annotations

import pytest
from binwright.v1 import problem_pb2, provisioning_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_server.convert import request_to_problem
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


def in_values(key: str, *values: str) -> dict[str, object]:
    return {"match_expressions": [{"key": key, "operator": "In", "values": list(values)}]}


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
        "topology_spread_constraints[0].match_label_keys[0]",
        "exists in both match_label_keys and label_selector",
        spread(match_label_keys=["app"]) | {"labels": {"app": "web"}},
    ),
    (
        "topology_spread_constraints[0].match_label_keys[0]",
        "exists in both",
        spread(match_label_keys=["app"], label_selector=in_values("app", "db")) | {"labels": {"app": "web"}},
    ),
    (
        "pod_affinity.required[0].match_label_keys[0]",
        "exists in both",
        near(match_label_keys=["app"], label_selector=in_values("app", "web", "db"))
        | {"labels": {"app": "web"}},
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
        "device_claims[0].requests[0].first_available[0].selectors[1]",
        "is not understood at character 3",
        {
            "device_claims": [
                {"requests": [{"first_available": [{"name": "r", "selectors": ["true", "1 + 1"]}]}]}
            ]
        },
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


def test_what_an_api_server_writes_for_a_key_to_match_is_taken() -> None:
    """Pods of clusters name the key, and carry the expression with their own value."""
    request = solve_request()
    template = spread(match_label_keys=["app"], label_selector=in_values("app", "web"))
    request.problem.workloads[0].template.MergeFrom(
        json_format.ParseDict(template | {"labels": {"app": "web"}}, problem_pb2.PodTemplate())
    )
    problem, _ = request_to_problem(request)
    [constraint] = problem.workloads[0].template.topology_spread
    assert str(constraint.effective_selector({"app": "web"})) == "app In [web]"

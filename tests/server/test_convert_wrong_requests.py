"""Messages to problems: each way to be refused, with the path of the field."""

from __future__ import annotations

import pytest
from binwright.v1 import problem_pb2
from binwright_optimizer.model.resources import MAX_AMOUNT
from binwright_server.convert import request_to_problem
from binwright_server.limits import RequestLimits
from harness import solve_request
from request_parts import (
    Change,
    Request,
    embed,
    first_container,
    first_template,
    pool,
    require,
    requirement,
    small,
    violations_of,
)


def collide_across_namespaces(request: Request) -> None:
    """Pod ``b`` of namespace ``a`` and pod ``a/b`` would both be ``a/b`` in the decision."""
    request.problem.workloads[0].name = "b"
    request.problem.workloads[0].namespace = "a"
    request.problem.workloads.add(name="a/b", template=first_template(request))


T = "workloads[0].template"


C = f"{T}.containers[0]"


I = "catalog.inline.instance_types[0]"  # noqa: E741 - short on purpose: it prefixes a table


WRONG_FIELDS: list[tuple[str, str, Change]] = [
    # what is sold out
    (
        "catalog.sold_out[0].instance_type",
        "must not be empty",
        lambda r: r.problem.catalog.sold_out.add(zone="z"),
    ),
    (
        "catalog.sold_out[0].capacity_type",
        "must be empty or one of on-demand, spot, reserved",
        lambda r: r.problem.catalog.sold_out.add(instance_type="m", capacity_type="cheap"),
    ),
    # quantities
    (f'{C}.requests["cpu"]', "is not a quantity", lambda r: first_container(r).requests.update(cpu="two")),
    (f'{C}.requests["cpu"]', "is not a quantity", lambda r: first_container(r).requests.update(cpu="")),
    (f'{C}.requests["cpu"]', "is not a quantity", lambda r: first_container(r).requests.update(cpu="NaN")),
    (f'{C}.requests["cpu"]', "is not a quantity", lambda r: first_container(r).requests.update(cpu="inf")),
    (f'{C}.requests["cpu"]', "must not be negative", lambda r: first_container(r).requests.update(cpu="-1")),
    (f'{C}.requests["memory"]', "is too large", lambda r: first_container(r).requests.update(memory="9e99")),
    (
        f'{C}.requests["nvidia.com/gpu"]',
        "whole number",
        lambda r: first_container(r).requests.update({"nvidia.com/gpu": "500m"}),
    ),
    (f'{C}.requests["pods"]', "cannot be requested", lambda r: first_container(r).requests.update(pods="1")),
    (f'{C}.requests[""]', "needs a name", lambda r: first_container(r).requests.update({"": "1"})),
    (
        f'{C}.requests["cpu"]',
        "at most the limit, 500m",
        lambda r: first_container(r).limits.update(cpu="500m"),
    ),
    (f'{C}.limits["cpu"]', "is not a quantity", lambda r: first_container(r).limits.update(cpu="1 0")),
    (f'{T}.overhead["cpu"]', "is not a quantity", lambda r: first_template(r).overhead.update(cpu="x")),
    (f'{T}.resources["cpu"]', "is not a quantity", lambda r: first_template(r).resources.update(cpu="x")),
    (
        f'{T}.init_containers[0].requests["a\\"b"]',
        "is not a quantity",
        lambda r: first_template(r).init_containers.add(requests={'a"b': "x"}),
    ),
    (
        T,
        "effective request is too large",
        lambda r: first_template(r).containers.extend(
            [problem_pb2.Container(requests={"memory": str(MAX_AMOUNT)})] * 2
        ),
    ),
    (
        T,
        "effective request of memory is too large",
        lambda r: (
            first_container(r).requests.update(memory=str(MAX_AMOUNT)),
            first_template(r).overhead.update(memory="1"),
        ),
    ),
    # pod templates
    (f"{T}.containers", "at least one container", lambda r: first_template(r).ClearField("containers")),
    (f"{C}.restart_policy", "only init", lambda r: setattr(first_container(r), "restart_policy", "Always")),
    (
        f"{T}.init_containers[0].restart_policy",
        "must be Always or empty",
        lambda r: first_template(r).init_containers.add(restart_policy="OnFailure"),
    ),
    (f'{T}.node_selector[""]', "needs a key", lambda r: first_template(r).node_selector.update({"": "x"})),
    (f'{T}.labels[""]', "needs a key", lambda r: first_template(r).labels.update({"": "x"})),
    (
        f"{T}.tolerations[0].operator",
        "must be Equal, Exists or empty",
        lambda r: first_template(r).tolerations.add(key="a", operator="Like"),
    ),
    (
        f"{T}.tolerations[0].effect",
        "NoSchedule",
        lambda r: first_template(r).tolerations.add(key="a", effect="Never"),
    ),
    (f"{T}.tolerations[0].key", "must use operator Exists", lambda r: first_template(r).tolerations.add()),
    (
        f"{T}.tolerations[0].value",
        "takes no value",
        lambda r: first_template(r).tolerations.add(key="a", operator="Exists", value="b"),
    ),
    # requirements
    (
        f"{T}.node_affinity.required[0].match_expressions[0].operator",
        "must be one of In, NotIn",
        lambda r: require(r, requirement("a", "in", "b")),
    ),
    (
        f"{T}.node_affinity.required[0].match_expressions[0].key",
        "needs a label key",
        lambda r: require(r, requirement("", "In", "b")),
    ),
    (
        f"{T}.node_affinity.required[0].match_expressions[0].values",
        "at least one",
        lambda r: require(r, requirement("a", "In")),
    ),
    (
        f"{T}.node_affinity.required[0].match_expressions[0].values",
        "one integer",
        lambda r: require(r, requirement("a", "Gt", "many")),
    ),
    (
        f"{T}.node_affinity.required[0].match_expressions[0].min_values",
        "NodePools only",
        lambda r: require(r, requirement("a", "In", "b", min_values=1)),
    ),
    (f"{T}.node_affinity.required[0]", "matches no node", lambda r: require(r)),
    (
        f"{T}.node_affinity.preferred[0].weight",
        "1..100",
        lambda r: first_template(r).node_affinity.preferred.add(weight=101),
    ),
    (
        f"{T}.node_affinity.preferred[0].preference.match_expressions[0].operator",
        "must be one of",
        lambda r: first_template(r).node_affinity.preferred.add(
            weight=1, preference=problem_pb2.NodeSelectorTerm(match_expressions=[requirement("a", "x")])
        ),
    ),
    # workloads
    ("workloads", "the problem is empty", lambda r: r.problem.ClearField("workloads")),
    ("workloads[0].name", "must not be empty", lambda r: r.problem.workloads[0].ClearField("name")),
    (
        "workloads[0].replicas",
        "must not be negative",
        lambda r: setattr(r.problem.workloads[0], "replicas", -1),
    ),
    (
        "workloads[0].pod_names",
        "each of the 1 replica",
        lambda r: r.problem.workloads[0].pod_names.extend("ab"),
    ),
    ("workloads[0].pod_names[0]", "must not be empty", lambda r: r.problem.workloads[0].pod_names.append("")),
    (
        "workloads[1].name",
        "already the name of workloads[0]",
        lambda r: r.problem.workloads.add().CopyFrom(r.problem.workloads[0]),
    ),
    (
        "workloads[1].name",
        "name of a pod of workloads[0]",
        lambda r: r.problem.workloads.add(name="web", kind="Job", template=first_template(r)),
    ),
    (
        "workloads[1].name",
        "name of a pod of workloads[0]",
        lambda r: (
            setattr(r.problem.workloads[0], "replicas", 2),
            r.problem.workloads.add(name="web-1", template=first_template(r)),
        ),
    ),
    (
        "workloads[1].name",
        "name of a pod of workloads[0]",
        lambda r: (
            setattr(r.problem.workloads[0], "replicas", 2),
            r.problem.workloads.add(name="web", kind="Job", replicas=3, template=first_template(r)),
        ),
    ),
    (
        "workloads[0].pod_names[1]",
        "name of a pod of workloads[0]",
        lambda r: (
            setattr(r.problem.workloads[0], "replicas", 2),
            r.problem.workloads[0].pod_names.extend(["a", "a"]),
        ),
    ),
    (
        "workloads[1].name",
        "name of a pod of workloads[0]",
        collide_across_namespaces,
    ),
    ("workloads", "too many pods", lambda r: setattr(r.problem.workloads[0], "replicas", 2**62)),
    (
        "workloads",
        "total demand for memory is too large",
        lambda r: (
            setattr(r.problem.workloads[0], "replicas", 1000),
            first_container(r).requests.update(memory=str(MAX_AMOUNT)),
        ),
    ),
    # NodePools
    ("node_pools[0].name", "must not be empty", lambda r: pool(r, name="")),
    ("node_pools[1].name", "already the name of node_pools[0]", lambda r: (pool(r), pool(r))),
    ("node_pools[0].weight", "0..100", lambda r: pool(r, weight=101)),
    ("node_pools[0].min_nodes", "0..", lambda r: pool(r, min_nodes=-1)),
    ("node_pools[0].min_nodes", "0..", lambda r: pool(r, min_nodes=2**31 - 1)),
    ("node_pools[0].max_nodes", "must not be negative", lambda r: pool(r, max_nodes=-1)),
    ("node_pools[0].min_nodes", "at most max_nodes, 2", lambda r: pool(r, min_nodes=3, max_nodes=2)),
    ('node_pools[0].limits["cpu"]', "is not a quantity", lambda r: pool(r, limits={"cpu": "?"})),
    ('node_pools[0].daemon_overhead["cpu"]', "negative", lambda r: pool(r, daemon_overhead={"cpu": "-1"})),
    ("node_pools[0].taints[0].effect", "NoSchedule", lambda r: pool(r, taints=[problem_pb2.Taint(key="a")])),
    (
        "node_pools[0].startup_taints[0].key",
        "needs a key",
        lambda r: pool(r, startup_taints=[problem_pb2.Taint(effect="NoExecute")]),
    ),
    (
        "node_pools[0].requirements",
        "contradict each other",
        lambda r: pool(r, requirements=[requirement("a", "Exists"), requirement("a", "DoesNotExist")]),
    ),
    (
        "node_pools[0].labels",
        "contradict each other",
        lambda r: pool(r, labels={"a": "b"}, requirements=[requirement("a", "In", "c")]),
    ),
    (
        "node_pools[0].requirements[0].min_values",
        "more values than are listed",
        lambda r: pool(r, requirements=[requirement("a", "In", "b", min_values=2)]),
    ),
    (
        "node_pools[0].requirements[0].min_values",
        "must not be negative",
        lambda r: pool(r, requirements=[requirement("a", "In", "b", min_values=-2)]),
    ),
    # nodes and daemons
    ("existing_nodes[0].name", "must not be empty", lambda r: r.problem.existing_nodes.add()),
    (
        "existing_nodes[1].name",
        "already the name",
        lambda r: (r.problem.existing_nodes.add(name="n"), r.problem.existing_nodes.add(name="n")),
    ),
    (
        'existing_nodes[0].free["cpu"]',
        "above the capacity, 1",
        lambda r: r.problem.existing_nodes.add(name="n", free={"cpu": "2"}, capacity={"cpu": "1"}),
    ),
    (
        'existing_nodes[0].capacity["cpu"]',
        "is not a quantity",
        lambda r: r.problem.existing_nodes.add(name="n", capacity={"cpu": "x"}),
    ),
    (
        "existing_nodes[0].taints[0].effect",
        "must be one of",
        lambda r: r.problem.existing_nodes.add(name="n", taints=[problem_pb2.Taint(key="a", effect="x")]),
    ),
    (
        "daemon_sets[0].name",
        "must not be empty",
        lambda r: r.problem.daemon_sets.add(template=first_template(r)),
    ),
    (
        "daemon_sets[1].name",
        "already the name of daemon_sets[0]",
        lambda r: [r.problem.daemon_sets.add(name="d", template=first_template(r)) for _ in range(2)],
    ),
    (
        "daemon_sets[0].template.containers",
        "at least one container",
        lambda r: r.problem.daemon_sets.add(name="d"),
    ),
    # catalogues
    ("catalog", "must name an embedded catalogue", lambda r: r.problem.ClearField("catalog")),
    ("catalog.embedded.cloud", "must be one of aws", lambda r: embed(r, cloud="AWS")),
    ("catalog.embedded.regions", "at least one region", lambda r: embed(r, regions=())),
    ("catalog.embedded.regions[1]", "us-east-1", lambda r: embed(r, regions=("us-east-1", "us-east-l"))),
    (
        "catalog.embedded.instance_types[1]",
        "unknown instance type",
        lambda r: embed(r, instance_types=["c5.large", "g4nd.*"]),
    ),
    ("catalog.embedded.exclude[0]", "unknown instance type", lambda r: embed(r, exclude=["g4nd.*"])),
    (
        "catalog.embedded.exclude",
        "is excluded",
        lambda r: embed(r, instance_types=["c5.large"], exclude=["c5.*"]),
    ),
    (f"{I}.name", "must not be empty", lambda r: small(r).ClearField("name")),
    (
        "catalog.inline.instance_types[1].name",
        "already the name of instance_types[0]",
        lambda r: r.problem.catalog.inline.instance_types.add().CopyFrom(small(r)),
    ),
    (f"{I}.allocatable", "at least one resource", lambda r: small(r).ClearField("allocatable")),
    (f'{I}.allocatable["cpu"]', "is not a quantity", lambda r: small(r).allocatable.update(cpu="x")),
    (f'{I}.allocatable["cpu"]', "above the capacity, 2", lambda r: small(r).capacity.update(cpu="2")),
    (f'{I}.allocatable["pods"]', "at least 1", lambda r: small(r).allocatable.update(pods="0")),
    (f'{I}.capacity["cpu"]', "is not a quantity", lambda r: small(r).capacity.update(cpu="x")),
    (f"{I}.gpu.count", "must not be negative", lambda r: setattr(small(r).gpu, "count", -1)),
    (f"{I}.gpu.memory_bytes", "must not be negative", lambda r: setattr(small(r).gpu, "memory_bytes", -1)),
    (
        f'{I}.labels["kubernetes.io/arch"]',
        "contradicts the instance type's amd64",
        lambda r: small(r).labels.update({"kubernetes.io/arch": "arm64"}),
    ),
    (
        f'{I}.labels["topology.kubernetes.io/zone"]',
        "given by each offering",
        lambda r: small(r).labels.update({"topology.kubernetes.io/zone": "a"}),
    ),
    (
        f"{I}.offerings[0].price_microusd_per_hour",
        "must be in 0..",
        lambda r: setattr(small(r).offerings[0], "price_microusd_per_hour", -1),
    ),
    (
        f"{I}.offerings[0].price_microusd_per_hour",
        "must be in 0..",
        lambda r: setattr(small(r).offerings[0], "price_microusd_per_hour", 2**62),
    ),
    (
        f"{I}.offerings[0].available",
        "must be in 0..",
        lambda r: setattr(small(r).offerings[0], "available", -1),
    ),
    (
        f"{I}.offerings[0].capacity_type",
        "must be one of on-demand, spot, reserved",
        lambda r: setattr(small(r).offerings[0], "capacity_type", "cheap"),
    ),
    (
        f"{I}.offerings[1]",
        "same region, zone and capacity type as offerings[0]",
        lambda r: small(r).offerings.add().CopyFrom(small(r).offerings[0]),
    ),
    # parameters
    ("params.deadline", "must be above 0 s", lambda r: r.params.deadline.FromSeconds(0)),
    ("params.deadline", "must be above 0 s", lambda r: r.params.deadline.FromSeconds(-5)),
    ("params.deadline", "at most 86400 s", lambda r: setattr(r.params.deadline, "seconds", 2**62)),
    ("params.deadline", "must be above 0 s", lambda r: setattr(r.params.deadline, "nanos", 2**31 - 1)),
    ("params.gap", "below 1", lambda r: setattr(r.params, "gap", 1.0)),
    ("params.gap", "at least 0", lambda r: setattr(r.params, "gap", -0.1)),
    ("params.gap", "at least 0", lambda r: setattr(r.params, "gap", float("nan"))),
    ("params.seed", "must be in 0..", lambda r: setattr(r.params, "seed", -1)),
    ("params.work_limit", "must be at least 1", lambda r: setattr(r.params, "work_limit", 0)),
    (
        "params.capacity_types[1]",
        "on-demand, spot",
        lambda r: r.params.capacity_types.extend(["spot", "Spot"]),
    ),
]


@pytest.mark.parametrize(
    ("field", "description", "change"), WRONG_FIELDS, ids=[f"{f}-{d}" for f, d, _ in WRONG_FIELDS]
)
def test_wrong_field_is_named_with_its_path(field: str, description: str, change: Change) -> None:
    request = solve_request()
    change(request)
    found = violations_of(request)
    assert [path for path, _, _ in found] == [field]
    assert description in found[0][2]


def test_violation_carries_the_value_as_the_user_wrote_it() -> None:
    assert violations_of(solve_request(cpu="2 cores"))[0][1] == "2 cores"


def test_all_violations_of_a_request_come_together() -> None:
    request = solve_request(cpu="x")
    request.problem.workloads.add(name="second")
    pool(request, weight=-1)
    request.params.gap = 7
    assert {field for field, _, _ in violations_of(request)} == {
        'workloads[0].template.containers[0].requests["cpu"]',
        "workloads[1].template.containers",
        "node_pools[0].weight",
        "params.gap",
    }


def test_empty_request_names_what_is_missing() -> None:
    assert {field for field, _, _ in violations_of(Request())} == {"catalog", "workloads"}


def test_wrong_template_shared_by_many_pods_is_reported_for_each_up_to_a_limit() -> None:
    request = solve_request(cpu="x")
    for k in range(5_000):
        request.problem.workloads.add(name=f"p{k}").template.CopyFrom(first_template(request))
    found = violations_of(request)
    assert found[1][0].startswith("workloads[1].")
    assert found[-1] == ("", "4001", "further violations are not listed")


def test_fewer_pods_than_the_limit_are_accepted() -> None:
    limits = RequestLimits(max_pods=10)
    assert request_to_problem(solve_request(pods=10), limits)
    assert "at most 10" in violations_of(solve_request(pods=11), limits)[0][2]

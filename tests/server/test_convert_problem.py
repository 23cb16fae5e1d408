"""Messages to problems: what is understood, and each way to be refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from binwright.v1 import problem_pb2, provisioning_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import (
    CapacityType,
    Operator,
    PodTemplate,
    Requirement,
    Resources,
    Taint,
    TaintEffect,
    Toleration,
    labels,
)
from binwright_optimizer.model.resources import MAX_AMOUNT
from binwright_server.convert import params_from_message, problem_from_message, request_to_problem, templates
from binwright_server.convert.templates import template_from_message
from binwright_server.convert.violations import Violations
from binwright_server.limits import RequestLimits
from harness import pod_template, solve_request

Request = provisioning_service_pb2.SolveRequest
Change = Callable[[Request], object]


def violations_of(request: Request, limits: RequestLimits = RequestLimits()) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidProblemError) as caught:
        request_to_problem(request, limits)
    return [(v.field, v.value, v.description) for v in caught.value.violations]


def first_template(request: Request) -> problem_pb2.PodTemplate:
    return request.problem.workloads[0].template


def first_container(request: Request) -> problem_pb2.Container:
    return first_template(request).containers[0]


def requirement(key: str, operator: str, *values: str, min_values: int = 0) -> problem_pb2.Requirement:
    return problem_pb2.Requirement(key=key, operator=operator, values=values, min_values=min_values)


def require(request: Request, *requirements: problem_pb2.Requirement) -> None:
    first_template(request).node_affinity.required.add(match_expressions=requirements)


def pool(request: Request, **fields: object) -> problem_pb2.NodePool:
    return request.problem.node_pools.add(**({"name": "pool"} | fields))  # type: ignore[arg-type]


def small(request: Request):  # type: ignore[no-untyped-def]
    return request.problem.catalog.inline.instance_types[0]


def embed(
    request: Request, cloud: str = "aws", regions: tuple[str, ...] = ("us-east-1",), **more: object
) -> None:
    embedded = request.problem.catalog.embedded
    embedded.cloud = cloud
    embedded.regions.extend(regions)
    for name, values in more.items():
        getattr(embedded, name).extend(values)


def collide_across_namespaces(request: Request) -> None:
    """Pod ``b`` of namespace ``a`` and pod ``a/b`` would both be ``a/b`` in the decision."""
    request.problem.workloads[0].name = "b"
    request.problem.workloads[0].namespace = "a"
    request.problem.workloads.add(name="a/b", template=first_template(request))


T = "workloads[0].template"
C = f"{T}.containers[0]"
I = "catalog.inline.instance_types[0]"  # noqa: E741 - short on purpose: it prefixes a table

WRONG_FIELDS: list[tuple[str, str, Change]] = [
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
        f"{T}.node_affinity.required[0].match_expressions",
        "contradict each other",
        lambda r: require(r, requirement("a", "In", "b"), requirement("a", "NotIn", "b")),
    ),
    (
        f"{T}.node_affinity.required",
        "contradict each other",
        lambda r: (first_template(r).node_selector.update(a="b"), require(r, requirement("a", "In", "c"))),
    ),
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


def test_defaults_of_the_server_stand_where_the_request_is_silent() -> None:
    limits = RequestLimits(default_deadline_s=3, default_gap=0.25)
    params = params_from_message(provisioning_service_pb2.SolveParams(), limits)
    assert (params.deadline_s, params.gap, params.seed) == (3, 0.25, 0)
    explicit = provisioning_service_pb2.SolveParams(gap=0.0, seed=7)
    explicit.deadline.FromMilliseconds(1_500)
    params = params_from_message(explicit, limits)
    assert (params.deadline_s, params.gap, params.seed) == (1.5, 0.0, 7)


def test_params_alone_raise_what_is_wrong_with_them() -> None:
    wrong = provisioning_service_pb2.SolveParams(seed=-1, capacity_types=["free"])
    with pytest.raises(InvalidProblemError, match=r"params\.seed.*params\.capacity_types\[0\]"):
        params_from_message(wrong, RequestLimits())


def test_effective_request_counts_init_containers_sidecars_overhead_and_limits() -> None:
    """KEP-753: max(main + sidecar, sidecar + init) + overhead; a limit stands in for a request.

    CPU: main 1 + sidecar 0.2 = 1.2; init 2 beside the sidecar = 2.2; overhead 0.1: 2.3 in all.
    Memory: main's limit 1Gi, which no request names.
    """
    request = solve_request()
    template = first_template(request)
    template.containers[0].limits.update(cpu="2", memory="1Gi")
    template.init_containers.add(requests={"cpu": "200m"}, restart_policy="Always")
    template.init_containers.add(requests={"cpu": "2"})
    template.overhead["cpu"] = "100m"
    problem, _ = request_to_problem(request)
    assert problem.workloads[0].template.requests == Resources.of({"cpu": 2_300, "memory": 2**30})


def test_everything_about_a_pod_reaches_the_domain() -> None:
    request = solve_request()
    template = first_template(request)
    template.node_selector["disk"] = "ssd"
    require(request, requirement("gen", "Gte", "5"), requirement("team", "NotIn", "b", "a"))
    template.node_affinity.preferred.add(weight=7).preference.match_expressions.append(
        requirement("rack", "Exists")
    )
    template.node_affinity.preferred.add(weight=1)  # empty: no preference at all
    template.tolerations.add(operator="Exists")
    template.tolerations.add(key="gpu", value="yes", effect="NoExecute")
    template.labels.update(b="2", a="1")
    template.priority = -3
    template.do_not_disrupt = True
    problem, _ = request_to_problem(request)
    read = problem.workloads[0].template
    assert read.node_selector == (Requirement("disk", Operator.IN, ("ssd",)),)
    assert read.node_affinity == (
        (Requirement("gen", Operator.GTE, ("5",)), Requirement("team", Operator.NOT_IN, ("a", "b"))),
    )
    assert [(p.weight, p.term) for p in read.preferred_affinity] == [
        (7, (Requirement("rack", Operator.EXISTS),))
    ]
    assert read.tolerations == (
        Toleration(exists=True),
        Toleration("gpu", "yes", effect=TaintEffect.NO_EXECUTE),
    )
    assert read.labels == (("a", "1"), ("b", "2"))
    assert (read.priority, read.do_not_disrupt) == (-3, True)


def test_term_that_the_selector_rules_out_is_fine_beside_one_that_it_does_not() -> None:
    request = solve_request()
    first_template(request).node_selector["zone"] = "a"
    require(request, requirement("zone", "In", "b"))
    require(request, requirement("zone", "In", "a", "b"))
    problem, _ = request_to_problem(request)
    assert len(problem.workloads[0].template.node_affinity) == 2


def test_node_pool_reaches_the_domain() -> None:
    request = solve_request()
    pool(
        request,
        labels={"team": "x"},
        taints=[problem_pb2.Taint(key="a", value="b", effect="NoSchedule")],
        weight=5,
        limits={"cpu": "0", "memory": "1Gi"},
        min_nodes=1,
        max_nodes=1,
        requirements=[requirement("a", "In", "b", "c", min_values=2)],
        daemon_overhead={"cpu": "100m"},
    )
    problem, _ = request_to_problem(request)
    read = problem.node_pools[0]
    assert read.limits == (("cpu", 0), ("memory", 2**30))
    assert read.taints == (Taint("a", "b", TaintEffect.NO_SCHEDULE),)
    assert (read.min_nodes, read.max_nodes, read.weight) == (1, 1, 5)
    assert read.requirements[0].min_values == 2
    assert read.overhead == Resources.of({"cpu": 100})


def test_unset_maximum_of_a_node_pool_is_no_maximum() -> None:
    request = solve_request()
    pool(request)
    assert request_to_problem(request)[0].node_pools[0].max_nodes is None


def test_capacity_types_of_the_request_restrict_every_node_pool() -> None:
    request = solve_request()
    pool(request, name="one")
    pool(request, name="two", requirements=[requirement(labels.CAPACITY_TYPE, "In", "on-demand")])
    request.params.capacity_types.append("spot")
    problem, _ = request_to_problem(request)
    policy = Requirement(labels.CAPACITY_TYPE, Operator.IN, ("spot",))
    assert all(pool.requirements[-1] == policy for pool in problem.node_pools)


def test_silent_pods_on_an_embedded_catalogue_get_amd64_and_on_demand() -> None:
    request = solve_request()
    embed(request, instance_types=["c5.large"])
    more = pod_template(request.problem)
    more.containers.add()
    more.node_selector[labels.ARCH] = "arm64"
    problem, _ = request_to_problem(request)
    assert problem.node_pools[0].name == "default"
    silent, choosy = (w.template.node_selector for w in problem.workloads)
    assert {r.key: r.values for r in silent} == {
        labels.ARCH: ("amd64",),
        labels.CAPACITY_TYPE: ("on-demand",),
    }
    assert {r.key: r.values for r in choosy} == {
        labels.ARCH: ("arm64",),
        labels.CAPACITY_TYPE: ("on-demand",),
    }


def test_capacity_types_of_the_request_replace_the_default_of_silent_pods() -> None:
    request = solve_request()
    embed(request, instance_types=["c5.large"])
    request.params.capacity_types.append("spot")
    problem, _ = request_to_problem(request)
    assert [r.key for r in problem.workloads[0].template.node_selector] == [labels.ARCH]
    assert problem.node_pools[0].requirements[-1].values == ("spot",)


def test_pods_get_no_defaults_once_node_pools_are_named_or_the_catalogue_is_inline() -> None:
    named, inline = solve_request(), solve_request()
    embed(named, instance_types=["c5.large"])
    pool(named)
    for request in (named, inline):
        assert request_to_problem(request)[0].workloads[0].template.node_selector == ()


def test_daemons_get_no_defaults() -> None:
    request = solve_request()
    embed(request, instance_types=["c5.large"])
    request.problem.daemon_sets.add(name="agent").template.CopyFrom(first_template(request))
    assert request_to_problem(request)[0].daemon_sets[0].template.node_selector == ()


def test_inline_types_carry_the_labels_that_pods_select_by() -> None:
    request = solve_request()
    kind = small(request)
    kind.gpu.model, kind.gpu.count = "t4", 1
    kind.arch = "arm64"
    kind.labels["rack"] = "7"
    catalog = request_to_problem(request)[0].catalog
    assert dict(catalog.instance_types[0].labels) == {
        labels.ARCH: "arm64",
        labels.OS: "linux",
        labels.INSTANCE_TYPE: "small",
        labels.GPU_MODEL: "t4",
        "rack": "7",
    }
    assert catalog.instance_types[0].capacity == catalog.instance_types[0].allocatable


def test_capacity_that_names_some_resources_leaves_the_others_at_allocatable() -> None:
    request = solve_request()
    small(request).allocatable["memory"] = "7Gi"
    small(request).capacity["memory"] = "8Gi"
    kind = request_to_problem(request)[0].catalog.instance_types[0]
    assert kind.capacity == Resources.of({"cpu": 4_000, "memory": 8 * 2**30})


def test_same_inline_catalogue_becomes_the_same_object() -> None:
    first, second, other = solve_request(), solve_request(pods=9), solve_request()
    small(other).allocatable["cpu"] = "8"
    catalogs = [request_to_problem(request)[0].catalog for request in (first, second, other)]
    assert catalogs[0] is catalogs[1]
    assert catalogs[0] is not catalogs[2]
    assert catalogs[0].digest != catalogs[2].digest


def test_wrong_inline_catalogue_is_refused_every_time() -> None:
    for _ in range(2):
        request = solve_request()
        small(request).offerings[0].price_microusd_per_hour = -7
        assert len(violations_of(request)) == 1


def test_equal_templates_become_one_object() -> None:
    request = solve_request()
    pod_template(request.problem).CopyFrom(first_template(request))
    first, second = request_to_problem(request)[0].workloads
    assert first.template is second.template


def test_pods_of_different_namespaces_may_share_a_name() -> None:
    request = solve_request()
    request.problem.workloads.add(name="web", namespace="other", template=first_template(request))
    names = [w.pod_name(0) for w in request_to_problem(request)[0].workloads]
    assert names == ["web", "other/web"]


def test_name_that_only_looks_like_a_replica_is_accepted() -> None:
    request = solve_request(pods=2)
    for name in ("web-2", "web-01", "web-x", "web-", "api-0"):
        request.problem.workloads.add(name=name, template=first_template(request))
    assert len(request_to_problem(request)[0].workloads) == 6


def test_workload_without_replicas_is_accepted() -> None:
    assert request_to_problem(solve_request(pods=0))[0].workloads[0].replicas == 0


def test_existing_node_takes_its_node_pool_from_its_label() -> None:
    request = solve_request()
    request.problem.existing_nodes.add(name="n", free={"cpu": "1"}, labels={labels.NODE_POOL: "p"})
    assert request_to_problem(request)[0].existing_nodes[0].node_pool == "p"


def test_free_pod_slots_of_a_node_are_limited_only_where_they_are_named() -> None:
    """A full node holds slots in its capacity and none free; an unlimited one does not."""
    request = solve_request()
    nodes = request.problem.existing_nodes
    nodes.add(name="full", free={"pods": "0"})
    nodes.add(name="unlimited", free={"cpu": "1"})
    nodes.add(name="capacity-only", free={"cpu": "1"}, capacity={"cpu": "1", "pods": "9"})
    full, unlimited, capacity_only = request_to_problem(request)[0].existing_nodes
    assert (full.free["pods"], full.capacity["pods"]) == (0, 1)
    assert (unlimited.free["pods"], unlimited.capacity["pods"]) == (0, 0)
    assert capacity_only.free["pods"] == MAX_AMOUNT


def test_problem_alone_is_read_with_a_capacity_type_policy() -> None:
    problem = problem_from_message(solve_request().problem, (CapacityType.SPOT,))
    assert problem.node_pools[0].requirements[-1].values == ("spot",)


def test_each_of_the_templates_that_many_pods_share_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three thousand single pods of 300 kinds, and the workload that was there: 301 readings."""
    readings = 0

    def counted(message: problem_pb2.PodTemplate, out: Violations) -> PodTemplate:
        nonlocal readings
        readings += 1
        return template_from_message(message, out)

    monkeypatch.setattr(templates, "template_from_message", counted)
    request = solve_request()
    for k in range(3_000):
        pod_template(request.problem, f"p{k}").containers.add(requests={"cpu": f"{k % 300}m"})
    problem, _ = request_to_problem(request)
    assert len(problem.workloads) == 3_001
    assert len({id(w.template) for w in problem.workloads}) == readings == 301


def test_a_shared_name_among_a_hundred_thousand_is_found() -> None:
    """Comparing each name with all before it would take minutes and run into the suite's time limit."""
    request = solve_request(pods=100_000)
    names = request.problem.workloads[0].pod_names
    names.extend(f"n{k}" for k in range(100_000))
    problem, _ = request_to_problem(request)
    assert problem.workloads[0].replicas == len(set(problem.workloads[0].names)) == 100_000
    names[99_999] = "n500"
    ((field, value, _),) = violations_of(request)
    assert (field, value) == ("workloads[0].pod_names[99999]", "n500")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("node.kubernetes.io/instance-type", "m5.huge"),
        ("topology.kubernetes.io/region", "mars"),
        ("topology.kubernetes.io/zone", "mars-1a"),
    ],
)
def test_node_pool_that_asks_for_what_nobody_sells_is_refused_by_name(key: str, value: str) -> None:
    request = solve_request()
    pool = request.problem.node_pools.add(name="odd")
    pool.requirements.add(key=key, operator="In", values=[value])
    with pytest.raises(InvalidProblemError) as refused:
        request_to_problem(request)
    (violation,) = refused.value.violations
    assert violation.field.endswith(".requirements[0].values")
    assert violation.value == value
    assert "odd" in violation.description

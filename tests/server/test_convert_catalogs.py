"""Messages to problems: catalogues, what of them may be bought, and what silent pods get."""

from __future__ import annotations

import pytest
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import (
    CapacityType,
    Operator,
    Requirement,
    Resources,
    labels,
)
from binwright_server.convert import problem_from_message, request_to_problem
from harness import pod_template, solve_request
from request_parts import embed, first_template, pool, requirement, small, violations_of


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


def test_problem_alone_is_read_with_a_capacity_type_policy() -> None:
    problem = problem_from_message(solve_request().problem, (CapacityType.SPOT,))
    assert problem.node_pools[0].requirements[-1].values == ("spot",)


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

"""Messages to problems: what is understood of pods, NodePools and nodes."""

from __future__ import annotations

import pytest
from binwright.v1 import problem_pb2, provisioning_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model import (
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
from binwright_server.convert import params_from_message, request_to_problem, templates
from binwright_server.convert.templates import template_from_message
from binwright_server.convert.violations import Violations
from binwright_server.limits import RequestLimits
from harness import pod_template, solve_request
from request_parts import first_template, pool, require, requirement, violations_of


def test_defaults_of_the_server_stand_where_the_request_is_silent() -> None:
    limits = RequestLimits(default_deadline_s=3, default_gap=0.25)
    params = params_from_message(provisioning_service_pb2.SolveParams(), limits)
    assert (params.deadline_s, params.gap, params.seed, params.work_limit) == (3, 0.25, 0, None)
    explicit = provisioning_service_pb2.SolveParams(gap=0.0, seed=7, work_limit=900)
    explicit.deadline.FromMilliseconds(1_500)
    params = params_from_message(explicit, limits)
    assert (params.deadline_s, params.gap, params.seed, params.work_limit) == (1.5, 0.0, 7, 900)


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

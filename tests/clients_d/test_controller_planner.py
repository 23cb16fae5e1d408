"""From an observed cluster to a plan, with a stand-in for the optimizer."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from binwright.v1 import decision_pb2, provisioning_service_pb2
from binwright_clients.cli.main import main
from binwright_clients.cli.question import build_question
from binwright_clients.cluster.errors import UnreachableError
from binwright_clients.controller.observation import Observation, Offered, observe
from binwright_clients.controller.planner import Asked, OptimizingPlanner
from binwright_clients.controller.tally import Figures
from binwright_clients.errors import InputError
from binwright_clients.sources import Source
from binwright_optimizer.errors import InvalidProblemError, Violation
from binwright_server.local import solve_locally
from click.testing import CliRunner
from kube_double import node, node_class, node_pool, pod


def ask_for(source: Source) -> Asked:
    question = build_question((), snapshot=source)
    return Asked(question.request, dict(question.node_classes), "aws", question.origins)


NODE_CLASS = {"apiVersion": "karpenter.k8s.aws/v1", "kind": "EC2NodeClass", **node_class()}


def cluster(*pods: str) -> Observation:
    waiting = [{"apiVersion": "v1", "kind": "Pod", **pod(name)} for name in pods]
    pool = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", **node_pool()}
    return observe([{"apiVersion": "v1", "kind": "Node", **node("n1")}, pool, NODE_CLASS, *waiting])


def test_a_decision_becomes_claims_reasons_and_placements() -> None:
    decision = decision_pb2.Decision(hourly_cost_usd=0.34, lower_bound_usd=0.34)
    decision.hourly_cost_microusd, decision.lower_bound_microusd, decision.gap = 340_000, 289_000, 0.15
    claim = decision.node_claims.add(
        name="general-00000", node_pool="general", instance_type="c5.2xlarge", zone="z", pods=["a"]
    )
    claim.capacity_type, claim.hourly_price_usd = "on-demand", 0.34
    decision.node_claims.add(name="general-00001", node_pool="general", instance_type="c5.2xlarge")
    refused = decision.unschedulable_pods.add(pod="b", nearest_miss="n1 lacks 2 CPU")
    refused.reasons.add(constraint="cpu", refused=3, message="requests cpu 10")
    decision.existing_placements.add(node="n1", pods=["c", "somebody-elses"])
    seen = cluster("a", "b", "c")
    plan = OptimizingPlanner(ask_for, lambda _request: decision, print)(seen, seen.pending.values(), ())
    (planned,) = plan.claims  # not the node without pods, which only a minimum asks for
    assert [each.name for each in planned.pods] == ["a"]
    assert planned.instance_type == "c5.2xlarge"
    assert [(each.name, why) for each, why in plan.unplaced] == [
        ("b", "requests cpu 10 (3); nearest: n1 lacks 2 CPU")
    ]
    assert [(each.name, where) for each, where in plan.on_existing] == [("c", "n1")]
    assert plan.figures == Figures(340_000, 289_000, 0.15)


TOLERATED = [{"key": "team", "operator": "Exists"}]


def pool_of(name: str, *types: str, zones: tuple[str, ...] = ("us-east-1a",)) -> dict[str, Any]:
    pool = node_pool(name)
    pool["spec"]["template"]["spec"]["requirements"] = [
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": list(types)},
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": list(zones)},
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
    ]
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", **pool}


def waiting_beside(*pools: dict[str, Any]) -> Observation:
    """A pod of 6 CPU that tolerates every NodePool."""
    large = {"apiVersion": "v1", "kind": "Pod", **pod("a", cpu="6", tolerations=TOLERATED)}
    return observe([large, *pools, NODE_CLASS])


def test_what_is_sold_out_stays_so_though_a_pool_allows_nothing_else() -> None:
    """c5.2xlarge (8 CPU, 0.34 $/h) is cheaper than m5.2xlarge (0.384 $/h), and sold out in us-east-1a.

    NodePool "one" allows nothing else; NodePool "two" must take m5.2xlarge all the same.
    """
    sold_out = [Offered("c5.2xlarge", "us-east-1a", "on-demand")]
    seen = waiting_beside(pool_of("one", "c5.2xlarge"), pool_of("two", "c5.2xlarge", "m5.2xlarge"))
    plan = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), sold_out)
    assert [claim.instance_type for claim in plan.claims] == ["m5.2xlarge"]
    assert [warning.split(":")[0] for warning in plan.warnings if "NodePool" in warning] == [
        "NodePool one can buy nothing"
    ]


def cordoned(name: str) -> dict[str, Any]:
    found = node(name, pool="one")
    found["spec"]["unschedulable"] = True
    return {"apiVersion": "v1", "kind": "Node", **found}


def test_a_cordoned_node_takes_no_pod_and_counts_against_the_limit_of_its_pool() -> None:
    """NodePool "one" has one node, cordoned and empty: at most one is allowed, and the pod waits; or two."""
    found = {}
    for most in ("1", "2"):
        pool = pool_of("one", "c5.2xlarge")
        pool["spec"]["limits"] = {"nodes": most}
        seen = waiting_beside(pool, cordoned("n1"))
        plan = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), ())
        found[most] = (len(plan.claims), len(plan.unplaced), len(plan.on_existing))
    assert found == {"1": (0, 1, 0), "2": (1, 0, 0)}


def test_pods_on_cordoned_nodes_keep_others_away() -> None:
    """web-1, on the cordoned n1 in us-east-1a, allows no other web in its zone: b is where web-2 can be."""
    apart = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "topology.kubernetes.io/zone"}
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}}
    pods = [pod("web-1", on="n1", affinity=rule), pod("web-2", cpu="6", affinity=rule)]
    for each in pods:
        each["metadata"]["labels"] = {"app": "web"}
    waiting = [{"apiVersion": "v1", "kind": "Pod", **each} for each in pods]
    both = pool_of("one", "c5.2xlarge", zones=("us-east-1a", "us-east-1b"))
    seen = observe([cordoned("n1"), both, NODE_CLASS, *waiting])
    (claim,) = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), ()).claims
    assert claim.offered == {Offered("c5.2xlarge", "us-east-1b", "on-demand")}


def test_a_type_that_is_sold_out_in_one_zone_is_bought_in_another() -> None:
    """The claim that failed was for us-east-1a; us-east-1b sells the same type at the same price."""
    sold_out = [Offered("c5.2xlarge", "us-east-1a", "on-demand")]
    seen = waiting_beside(pool_of("one", "c5.2xlarge", zones=("us-east-1a", "us-east-1b")))
    (claim,) = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), sold_out).claims
    assert claim.offered == {Offered("c5.2xlarge", "us-east-1b", "on-demand")}


def test_pods_wait_with_a_reason_while_all_that_may_be_bought_is_sold_out() -> None:
    sold_out = [Offered("c5.2xlarge", "us-east-1a", "on-demand")]
    seen = waiting_beside(pool_of("one", "c5.2xlarge"))
    plan = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), sold_out)
    assert plan.claims == ()
    ((waits, why),) = plan.unplaced
    assert waits.name == "a"
    assert why
    assert any("NodePool one can buy nothing" in warning for warning in plan.warnings)


def test_a_problem_that_is_wrong_without_exclusions_is_an_error() -> None:
    def solve(_request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
        raise InvalidProblemError.of("catalog.embedded.regions[0]", "mars", "is wrong")

    seen = cluster("a")
    with pytest.raises(InvalidProblemError):
        OptimizingPlanner(ask_for, solve, print)(seen, seen.pending.values(), ())


def test_a_pod_that_contradicts_itself_gets_a_reason_and_the_others_their_nodes() -> None:
    """Pod b asks for zones a and b at once; pod a is placed all the same."""
    zone_b = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-east-1b"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [zone_b]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    selector = {"topology.kubernetes.io/zone": "us-east-1a"}
    torn = pod("b", nodeSelector=selector, affinity=affinity, tolerations=TOLERATED)
    large = {"apiVersion": "v1", "kind": "Pod", **pod("a", cpu="6", tolerations=TOLERATED)}
    both = pool_of("one", "c5.2xlarge", zones=("us-east-1a", "us-east-1b"))
    seen = observe([{"apiVersion": "v1", "kind": "Pod", **torn}, large, both, NODE_CLASS])
    plan = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), ())
    assert [[each.name for each in claim.pods] for claim in plan.claims] == [["a"]]
    ((told, why),) = plan.unplaced
    assert told.name == "b"
    assert "node affinity topology.kubernetes.io/zone In [us-east-1b] does not match" in why


def test_more_mistakes_than_a_server_lists_are_left_out_round_by_round() -> None:
    """The server names one pod at a time, and says that there are more."""

    def solve(request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
        if len(request.problem.workloads) > 1:
            wrong = [
                Violation("workloads[0].template.labels", "x", "is wrong"),
                Violation("", "1", "and more"),
            ]
            raise InvalidProblemError(wrong)
        return decision_pb2.Decision()

    seen = cluster("a", "b", "c")
    plan = OptimizingPlanner(ask_for, solve, lambda _remark: None)(seen, seen.pending.values(), ())
    assert [(each.name, why) for each, why in plan.unplaced] == [
        (name, "is left out: template.labels: is wrong (got 'x')") for name in ("a", "b")
    ]


def test_a_wrong_node_pool_is_told_beside_more_mistakes_than_a_server_lists() -> None:
    """Of three pods one is named with the NodePool ``wrong``, and that there are more."""

    def solve(request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
        pools = [pool.name for pool in request.problem.node_pools]
        wrong = (
            [Violation(f"node_pools[{pools.index('wrong')}]", "x", "is wrong")] if "wrong" in pools else []
        )
        if len(request.problem.workloads) > 1:
            wrong += [
                Violation("workloads[0].template.labels", "x", "is wrong"),
                Violation("", "1", "and more"),
            ]
        if wrong:
            raise InvalidProblemError(wrong)
        return decision_pb2.Decision()

    remarks: list[str] = []
    seen = observe([*cluster("a", "b", "c").objects, pool_of("wrong", "c5.2xlarge")])
    plan = OptimizingPlanner(ask_for, solve, remarks.append)(seen, seen.pending.values(), ())
    assert [each.name for each, _ in plan.unplaced] == ["a", "b"]
    assert [remark for remark in remarks if remark.startswith("NodePool wrong is left out")]


def unsold_pool(name: str) -> dict[str, object]:
    requirement = {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["c5.gigantic"]}
    pool = node_pool()
    pool["metadata"]["name"] = name
    pool["spec"]["template"]["spec"]["requirements"] = [requirement]
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", **pool}


def solve_here(request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
    request.params.deadline.FromSeconds(1)
    return solve_locally(request, lambda _progress: None, threading.Event())


@pytest.mark.parametrize("sold_out", [[], [Offered("m5.large")]])
def test_a_node_pool_that_no_type_satisfies_is_told_and_the_others_go_on(
    sold_out: list[Offered],
) -> None:
    """Of three NodePools two ask for types that nobody sells; a pod of 6 CPU gets its node from the third."""
    good = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", **node_pool()}
    tolerated = [{"key": "team", "operator": "Exists"}]
    large = {"apiVersion": "v1", "kind": "Pod", **pod("a", cpu="6", tolerations=tolerated)}
    seen = observe([good, large, unsold_pool("wrong"), unsold_pool("worse"), NODE_CLASS])
    remarks: list[str] = []
    plan = OptimizingPlanner(ask_for, solve_here, remarks.append)(seen, seen.pending.values(), sold_out)
    assert [claim.manifest["metadata"]["labels"]["karpenter.sh/nodepool"] for claim in plan.claims] == [
        "general"
    ]
    assert sorted(remark.split(":")[0] for remark in remarks) == [
        "NodePool worse is left out",
        "NodePool wrong is left out",
    ]
    assert all("sells nothing with this node.kubernetes.io/instance-type" in remark for remark in remarks)
    assert all("c5.gigantic" in remark for remark in remarks)


def test_pods_are_told_why_where_no_node_pool_can_be_used() -> None:
    pods = [item for item in cluster("a").objects if item["kind"] != "NodePool"]
    seen = observe([*pods, unsold_pool("wrong")])
    plan = OptimizingPlanner(ask_for, solve_here, lambda _remark: None)(seen, seen.pending.values(), ())
    ((pod_told, why),) = plan.unplaced
    assert (pod_told.name, plan.claims) == ("a", ())
    assert why.startswith("there is no NodePool that nodes are made from; NodePool wrong is left out: ")


def test_a_node_pool_without_its_node_class_takes_no_part_and_pods_are_told() -> None:
    """c5.2xlarge is cheaper than m5.2xlarge; the NodePool that sells it has no EC2NodeClass.

    A pod of 6 CPU gets the dearer node. One of 100 CPU fits neither, and hears of the NodePool that was
    not asked.
    """
    cheap = pool_of("cheap", "c5.2xlarge")
    cheap["spec"]["template"]["spec"]["nodeClassRef"]["name"] = "gone"
    seen = waiting_beside(cheap, pool_of("dear", "m5.2xlarge"))
    plan = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), ())
    assert [claim.instance_type for claim in plan.claims] == ["m5.2xlarge"]
    huge = {"apiVersion": "v1", "kind": "Pod", **pod("huge", cpu="100", tolerations=TOLERATED)}
    seen = observe([huge, cheap, pool_of("dear", "m5.2xlarge"), NODE_CLASS])
    plan = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), ())
    ((_, why),) = plan.unplaced
    assert why.endswith("; NodePool cheap is left out: EC2NodeClass gone is not there")


def test_pods_wait_with_a_reason_while_the_only_node_pool_has_no_node_class() -> None:
    seen = observe([item for item in cluster("a").objects if item["kind"] != "EC2NodeClass"])
    plan = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), ())
    ((_, why),) = plan.unplaced
    assert why == (
        "there is no NodePool that nodes are made from; "
        "NodePool general is left out: EC2NodeClass default is not there"
    )


def test_what_a_decision_warns_of_comes_with_the_plan() -> None:
    decision = decision_pb2.Decision(warnings=["on-demand prices are up to 126 days old"])
    seen = cluster("a")
    plan = OptimizingPlanner(ask_for, lambda _request: decision, print)(seen, seen.pending.values(), ())
    assert plan.warnings == ("on-demand prices are up to 126 days old",)


def test_a_server_that_is_down_is_an_error_of_the_round() -> None:
    def solve(_request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
        raise UnreachableError("server 127.0.0.1:1: connection refused")

    seen = cluster("a")
    with pytest.raises(UnreachableError):
        OptimizingPlanner(ask_for, solve, print)(seen, seen.pending.values(), ())


def test_a_gang_that_is_short_and_an_unknown_mig_profile_do_not_hold_up_other_pods() -> None:
    """The pod of 6 CPU gets its node; the two members that wait for a third, and the odd one, get reasons."""
    large = {"apiVersion": "v1", "kind": "Pod", **pod("a", cpu="6", tolerations=TOLERATED)}
    odd = {"apiVersion": "v1", "kind": "Pod", **pod("odd", tolerations=TOLERATED)}
    odd["spec"]["containers"][0]["resources"]["limits"] = {"nvidia.com/mig-9g.99gb": "1"}
    group = {
        "apiVersion": "scheduling.x-k8s.io/v1alpha1",
        "kind": "PodGroup",
        "metadata": {"name": "ring", "namespace": "default"},
        "spec": {"minMember": 3},
    }
    members = [{"apiVersion": "v1", "kind": "Pod", **pod(f"r{n}", tolerations=TOLERATED)} for n in range(2)]
    for each in members:
        each["metadata"]["labels"] = {"scheduling.x-k8s.io/pod-group": "ring"}
    pool = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", **node_pool()}
    seen = observe([large, odd, group, *members, pool, NODE_CLASS])
    plan = OptimizingPlanner(ask_for, solve_here, print)(seen, seen.pending.values(), ())
    assert [[each.name for each in claim.pods] for claim in plan.claims] == [["a"]]
    told = {each.name: why for each, why in plan.unplaced}
    assert told["r0"].startswith("gang ring needs at least 3 members and has only 2")
    assert "no GPU offers this MIG profile" in told["odd"]


def test_objects_that_cannot_be_read_are_left_out_one_round_after_the_other() -> None:
    seen = cluster("a", "b")
    for item in seen.objects:
        if item["metadata"]["name"] == "b":
            item["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "lots"
    told: list[str] = []
    requests: list[provisioning_service_pb2.SolveRequest] = []

    def solve(request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
        requests.append(request)
        return decision_pb2.Decision()

    OptimizingPlanner(ask_for, solve, told.append)(seen, seen.pending.values(), ())
    assert [workload.name for workload in requests[0].problem.workloads] == ["a"]
    assert len(told) == 1
    assert "Pod default/b" in told[0]


def test_the_only_pod_that_waits_gets_a_reason_if_it_cannot_be_read() -> None:
    seen = cluster("a")
    for item in seen.objects:
        if item["kind"] == "Pod":
            item["spec"]["containers"] = []

    def never(_request: provisioning_service_pb2.SolveRequest) -> decision_pb2.Decision:
        raise AssertionError("there is nothing to ask")

    plan = OptimizingPlanner(ask_for, never, lambda _remark: None)(seen, seen.pending.values(), ())
    ((told, why),) = plan.unplaced
    assert (told.name, plan.claims) == ("a", ())
    assert "spec.containers" in why


def test_a_wrong_catalogue_among_readable_objects_is_an_error() -> None:
    def refuse(_source: Source) -> Asked:
        raise InputError.of("catalog.csv", "is empty")

    seen = cluster("a")
    with pytest.raises(InputError, match=r"catalog\.csv: is empty"):
        OptimizingPlanner(refuse, solve_here, print)(seen, seen.pending.values(), ())


def test_a_wrong_catalogue_ends_the_controller_at_once(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["controller", "--catalog", str(tmp_path / "gone.json")])
    assert result.exit_code == 2
    assert "gone.json" in result.stderr

"""SchedulingService: state, filtering, plan and scores."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from dataclasses import replace

import grpc
import numpy as np
import pytest
from binwright.v1 import problem_pb2, scheduling_service_pb2, scheduling_service_pb2_grpc
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model.resources import MAX_AMOUNT, PODS
from binwright_optimizer.model.taints import untolerated
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_server.convert.scheduling import ClusterReader, plan_from_message, plan_to_message
from binwright_server.errors import NoStateError
from binwright_server.scheduling.plan import Plan, PlanningProblem, numbered
from binwright_server.scheduling.service import SchedulingService
from binwright_server.scheduling.state import ClusterState, request_of
from clusters import GPU, SMALL, Cluster, delta, template
from harness import ServerThread, serving
from hypothesis import given, settings
from hypothesis import strategies as st


class Asked:
    """A service asked in process."""

    def __init__(self, *updates: Cluster) -> None:
        self.state = ClusterState()
        self.service = SchedulingService(self.state)
        for update in updates:
            self.put(update)

    def put(self, update: Cluster) -> scheduling_service_pb2.UpdateClusterResponse:
        return asyncio.run(self.service.UpdateCluster(update.update, None))  # type: ignore[arg-type]

    def filter(
        self, pod: problem_pb2.PodTemplate, *names: str, own_name: str = ""
    ) -> tuple[list[str], dict[str, list[str]]]:
        """Names that passed, and those refused by constraint."""
        request = scheduling_service_pb2.FilterRequest(pod=pod, node_names=names)
        request.name.name = own_name
        response = asyncio.run(self.service.Filter(request, None))  # type: ignore[arg-type]
        candidates = names or tuple(response.node_names)
        refused: dict[str, list[str]] = {}
        for reason in response.refused:
            names_of_it = [candidates[position] for position in reason.positions]
            refused[reason.constraint] = sorted([*refused.get(reason.constraint, []), *names_of_it])
        return [candidates[p] for p in response.passed], refused

    def scores(self, pod: problem_pb2.PodTemplate, *names: str) -> dict[str, int]:
        request = scheduling_service_pb2.PrioritizeRequest(pod=pod, node_names=names)
        response = asyncio.run(self.service.Prioritize(request, None))  # type: ignore[arg-type]
        return dict(zip(names or response.node_names, response.scores, strict=True))

    def plan(self) -> Plan:
        """Plan and let the plan come into force."""
        planning = PlanningProblem(self.state.nodes, self.state.pods, self.state.namespaces)
        plan = numbered(planning.plan(solve(planning.problem(), SolveParams(deadline_s=5.0))), 1)
        asyncio.run(self.service.put_plan(plan))
        return plan


# --- filtering ------------------------------------------------------------------------------------


def test_node_without_room_is_refused_by_the_resource_that_is_short() -> None:
    asked = Asked(Cluster().node("a").node("b").pod("big", "a", template("3500m")))
    assert asked.filter(template("1")) == (["b"], {"cpu": ["a"]})


def test_pod_slots_are_counted() -> None:
    asked = Asked(Cluster().node("a", {"cpu": "4", "memory": "8Gi", "pods": "1"}).pod("only", "a"))
    assert asked.filter(template("100m")) == ([], {"pods": ["a"]})


def test_taints_selectors_and_cordons_are_held() -> None:
    cluster = Cluster().node("a", taint="gpu").node("b", labels={"disk": "ssd"}).node("c")
    asked = Asked(cluster.node("d", labels={"disk": "ssd"}, unschedulable=True))
    assert asked.filter(template(selector={"disk": "ssd"})) == (
        ["b"],
        {"taint": ["a", "d"], "node-affinity": ["c"]},
    )
    assert asked.filter(template(tolerates="gpu"))[0] == ["a", "b", "c"]


def test_reasons_tell_what_removing_pods_would_not_help() -> None:
    asked = Asked(Cluster().node("a", taint="x").node("full").pod("p", "full", template("4")))
    request = scheduling_service_pb2.FilterRequest(pod=template("2"))
    response = asyncio.run(asked.service.Filter(request, None))  # type: ignore[arg-type]
    assert [(r.constraint, r.is_unresolvable) for r in response.refused] == [("taint", True), ("cpu", False)]
    request.pod.CopyFrom(template("9"))
    response = asyncio.run(asked.service.Filter(request, None))  # type: ignore[arg-type]
    assert {(r.constraint, r.is_unresolvable) for r in response.refused} == {("taint", True), ("cpu", True)}


def test_unknown_node_is_refused_by_name_and_scores_nothing() -> None:
    asked = Asked(Cluster().node("a"))
    assert asked.filter(template(), "nowhere", "a") == (["a"], {"unknown-node": ["nowhere"]})
    assert asked.scores(template(), "nowhere", "a")["nowhere"] == 0


def test_pod_that_is_counted_already_is_not_counted_twice() -> None:
    asked = Asked(Cluster().node("a").pod("mine", "a", template("3")))
    assert asked.filter(template("3"), "a")[0] == []
    assert asked.filter(template("3"), "a", own_name="mine")[0] == ["a"]


def test_resource_that_no_node_has_is_named() -> None:
    asked = Asked(Cluster().node("a"))
    assert asked.filter(template(gpus=1)) == ([], {"nvidia.com/gpu": ["a"]})


def test_node_without_pod_slots_told_has_slots_without_limit() -> None:
    asked = Asked(Cluster().node("a", {"cpu": "64"}).node("b", {"cpu": "64", "pods": "110"}))
    assert asked.filter(template("1", "0"))[0] == ["a", "b"]


def test_wrong_pod_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidProblemError, match=r'pod\.containers\[0\]\.requests\["cpu"\]'):
        Asked(Cluster().node("a")).filter(template("much"))


# --- state ----------------------------------------------------------------------------------------


def test_no_snapshot_is_said_instead_of_a_wrong_answer() -> None:
    with pytest.raises(NoStateError, match="send a snapshot"):
        Asked().filter(template())
    with pytest.raises(NoStateError, match="a delta on snapshot 'e1', but the last one here is none"):
        Asked(delta().node("a"))
    with pytest.raises(NoStateError, match="the last one here is 'e1'"):
        Asked(Cluster("e1").node("a"), delta("e2").node("b"))


def test_deltas_change_the_room() -> None:
    asked = Asked(Cluster().node("a").pod("p", "a", template("3")))
    assert asked.filter(template("3"))[0] == []
    asked.put(delta().without_pod("p"))
    assert asked.filter(template("3"))[0] == ["a"]
    asked.put(delta().pod("q", pod=template("3")))
    assert asked.filter(template("3"))[0] == ["a"]
    asked.put(delta().pod("q", "a", template("3")))
    assert asked.filter(template("3"))[0] == []
    asked.put(delta().without_node("a"))
    assert asked.filter(template("3"), "a")[1] == {"unknown-node": ["a"]}


def test_pod_may_come_before_its_node() -> None:
    asked = Asked(Cluster().pod("early", "a", template("3")))
    asked.put(delta().node("a"))
    assert asked.filter(template("2"))[0] == []


def test_older_versions_are_ignored() -> None:
    asked = Asked(Cluster().node("a", version="9").pod("p", "a", template("3"), version="8"))
    response = asked.put(delta().node("a", {"cpu": "1"}, version="7").pod("p", pod=template(), version="7"))
    assert (response.nodes, response.pods, response.ignored) == (1, 1, 2)
    assert asked.filter(template("1"))[0] == ["a"]
    response = asked.put(delta().pod("p", "a", template("4"), version="7", uid="another"))
    assert response.ignored == 0, "a pod of the same name with another uid is another pod"


def test_snapshot_replaces_everything() -> None:
    asked = Asked(Cluster().node("a").pod("p", "a"), Cluster("e2").node("b"))
    assert asked.filter(template())[0] == ["b"]
    assert (len(asked.state.nodes), len(asked.state.pods)) == (1, 0)


def test_nodes_that_come_with_a_question_are_enough_for_an_answer() -> None:
    request = scheduling_service_pb2.FilterRequest(pod=template("2"))
    request.nodes.extend(Cluster().node("a", {"cpu": "1", "memory": "8Gi"}).node("b").update.nodes)
    response = asyncio.run(SchedulingService(ClusterState()).Filter(request, None))  # type: ignore[arg-type]
    assert list(response.passed) == [1]


def with_nodes(asked: Asked, pod: problem_pb2.PodTemplate, nodes: Cluster, *names: str) -> list[int]:
    """Positions that pass among the nodes that a question brings along, or among names."""
    request = scheduling_service_pb2.FilterRequest(pod=pod, node_names=names, nodes=nodes.update.nodes)
    return list(asyncio.run(asked.service.Filter(request, None)).passed)  # type: ignore[arg-type]


def test_nodes_that_come_with_a_question_are_nobody_elses() -> None:
    """A bare node of the name of a fed one counts for its own question, with the pods held on it."""
    asked = Asked(Cluster().node("a", labels={"disk": "ssd"}).pod("p", "a", template("3")))
    bare = Cluster().node("a", {"cpu": "5", "memory": "8Gi"})
    assert with_nodes(asked, template("2"), bare) == [0]
    assert with_nodes(asked, template("3"), bare) == []
    assert asked.filter(template("2")) == ([], {"cpu": ["a"]})
    assert asked.filter(template("1", selector={"disk": "ssd"}))[0] == ["a"]
    assert with_nodes(asked, template("1"), Cluster().node("b"), "b", "a", "c") == [0, 1]
    assert asked.filter(template("1"))[0] == ["a"]


def test_nodes_that_come_with_a_question_and_are_older_do_not_count() -> None:
    asked = Asked(Cluster().node("a", version="7"))
    assert with_nodes(asked, template("3"), Cluster().node("a", {"cpu": "1"}, version="6")) == [0]


def test_question_with_nodes_leaves_a_server_that_holds_no_cluster_as_it_was() -> None:
    asked = Asked()
    assert with_nodes(asked, template("2"), Cluster().node("a")) == [0]
    with pytest.raises(NoStateError, match="holds no cluster yet"):
        asked.filter(template("2"), "a")


def test_nodes_that_the_filter_refuses_score_nothing() -> None:
    """The plan keeps both; a is full but for the pod that is counted there, and b is tainted."""
    asked = Asked(Cluster().node("a").node("b", taint="x").node("c").pod("big", "a", template("4")))
    asked.plan()
    scores = asked.scores(template("4"), "a", "b", "c", "nowhere")
    assert (scores["a"], scores["b"], scores["nowhere"]) == (0, 0, 0)
    assert scores["c"] > 0
    itself = scheduling_service_pb2.PrioritizeRequest(pod=template("4"), node_names=["a"])
    itself.name.name = "big"
    response = asyncio.run(asked.service.Prioritize(itself, None))  # type: ignore[arg-type]
    assert response.scores[0] > 0, "its own room is free to the pod itself"


def test_scores_of_nodes_that_come_with_a_question_follow_the_plan() -> None:
    asked = Asked(two_half_empty_nodes())
    asked.plan()
    request = scheduling_service_pb2.PrioritizeRequest(pod=template("1"))
    request.nodes.extend(two_half_empty_nodes().node("new").update.nodes)
    response = asyncio.run(asked.service.Prioritize(request, None))  # type: ignore[arg-type]
    given_up, kept, new = response.scores
    assert (response.plan, given_up < 40, kept >= 70, 40 <= new < 70) == (1, True, True, True)
    assert sorted(asked.state.nodes) == ["a", "b"]


NAMES = ("a", "b", "c", "d")
TEMPLATES = (
    template("1"),
    template("2", selector={"zone": "z1"}),
    template("500m", gpus=1, tolerates="gpu"),
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(("node", "gone", "pod", "ended")),
        st.sampled_from(NAMES),
        st.integers(0, 5),
        st.integers(0, 2),
    ),
    max_size=30,
)


@given(CHANGES)
@settings(max_examples=150, deadline=None)
def test_arrays_and_verdicts_agree_with_the_domain_model_after_any_changes(
    changes: list[tuple[str, str, int, int]],
) -> None:
    asked = Asked(Cluster())
    for kind, name, number, variant in changes:
        change = delta()
        if kind == "node":
            labels = {"zone": f"z{variant}"}
            change.node(name, (SMALL, GPU)[number % 2], labels, ("", "gpu")[number // 3], price=number)
        elif kind == "gone":
            change.without_node(name)
        elif kind == "pod":
            change.pod(f"p{number}", name if variant else "", TEMPLATES[variant])
        else:
            change.without_pod(f"p{number}")
        asked.put(change)
        asked.filter(TEMPLATES[number % 3], *NAMES)  # views are refreshed between changes, too
    state, table = asked.state, asked.state.table
    reader = ClusterReader()
    for name in NAMES:
        node = state.nodes.get(name)
        if node is None:
            continue
        free = dict(node.allocatable.amounts)
        for pod in state.pods.values():
            if pod.node == name:
                for resource, amount in request_of(pod):
                    free[resource] = free.get(resource, 0) - amount
        row = table.row_of[name]
        assert {r: table.free[row, c] for r, c in table.resources.items() if r in free} == free
        for message in TEMPLATES:
            _, pod_template = reader.template(message)
            labels = dict(node.labels)
            fits = (
                untolerated(node.taints, pod_template.tolerations) is None
                and all(r.admits(labels.get(r.key)) for r in pod_template.node_selector)
                and all(free.get(r, 0) >= amount for r, amount in (*pod_template.requests, (PODS, 1)))
            )
            assert (asked.filter(message, name)[0] == [name]) is fits
    plan = PlanningProblem(state.nodes, state.pods, state.namespaces)
    assert plan.is_empty or plan.problem().workloads


def test_many_nodes_come_and_go_without_filling_the_memory() -> None:
    asked = Asked(Cluster().node("stays"))
    for k in range(0, 4000, 200):
        come, go = delta(), delta()
        for n in range(k, k + 200):
            come.node(f"n{n}")
            go.without_node(f"n{n}")
        asked.put(come)
        asked.put(go)
    table = asked.state.table
    assert table.capacity <= 512
    assert len(table._columns["kubernetes.io/hostname"].values) <= 2 * 512 + 1100
    assert asked.filter(template(selector={"kubernetes.io/hostname": "stays"}))[0] == ["stays"]


# --- plan and scores ------------------------------------------------------------------------------


def two_half_empty_nodes() -> Cluster:
    """Two equal nodes with a pod each, which one of them could hold."""
    return Cluster().node("a").node("b").pod("p", "a", template("1")).pod("q", "b", template("2"))


def test_plan_keeps_the_fuller_of_two_nodes_that_one_could_replace() -> None:
    plan = Asked(two_half_empty_nodes()).plan()
    assert {node.name: node.is_kept for node in plan.nodes} == {"a": False, "b": True}
    assert (plan.current_cost, plan.cost, plan.bound) == (200_000, 100_000, 100_000)


def test_node_that_the_plan_keeps_scores_above_one_that_it_gives_up() -> None:
    asked = Asked(two_half_empty_nodes())
    asked.plan()
    scores = asked.scores(template("1"))
    assert scores["a"] < 40 <= 70 <= scores["b"]


def test_new_node_counts_as_kept() -> None:
    asked = Asked(two_half_empty_nodes())
    asked.plan()
    asked.put(delta().node("new"))
    assert 40 <= asked.scores(template("1"))["new"] < 70


def test_cpu_pod_scores_low_on_a_node_with_a_free_gpu() -> None:
    asked = Asked(Cluster().node("cpu").node("gpu", GPU))
    assert asked.scores(template("1"))["gpu"] < 10 < asked.scores(template("1"))["cpu"]
    assert asked.scores(template("1", gpus=1), "gpu")["gpu"] >= 40
    asked.put(delta().pod("trainer", "gpu", template("1", gpus=1)))
    assert asked.scores(template("1"))["gpu"] >= 40, "with the GPU taken its CPUs are as good as any"


def test_placement_that_uses_up_room_that_the_plan_needs_scores_lower() -> None:
    """Three pods of 4 CPUs need both nodes: two on ``wide`` (8 CPUs), one on ``odd`` (6 CPUs).

    One more CPU on ``wide`` leaves room for one of them instead of two; on ``odd`` it costs nothing.
    """
    cluster = Cluster().node("wide", {**SMALL, "cpu": "8"}).node("odd", {**SMALL, "cpu": "6"})
    for k in range(3):
        cluster.pod(f"pending-{k}", pod=template("4"))
    asked = Asked(cluster)
    assert all(node.is_kept for node in asked.plan().nodes)
    scores = asked.scores(template("1"))
    assert 40 <= scores["wide"] < scores["odd"] - 5 < 70


def test_fuller_node_scores_higher_where_nothing_else_tells() -> None:
    asked = Asked(Cluster().node("a").node("b").pod("p", "b", template("2")))
    scores = asked.scores(template("1"))
    assert scores["b"] > scores["a"]


def test_pods_that_must_stay_keep_their_node_and_bind_its_room() -> None:
    pinned = template("1")
    pinned.do_not_disrupt = True
    asked = Asked(Cluster().node("a").node("b").pod("p", "a", pinned).pod("q", "b", template("2")))
    plan = asked.plan()
    assert {node.name: node.is_kept for node in plan.nodes} == {"a": True, "b": False}
    assert plan.cost == 100_000


def test_daemons_take_room_but_keep_no_node() -> None:
    cluster = Cluster().node("a").node("b").pod("p", "a", template("1")).pod("q", "b", template("2"))
    for name in ("a", "b"):
        cluster.pod(f"daemon-{name}", name, template("1"), is_daemon=True)
    assert sum(node.is_kept for node in Asked(cluster).plan().nodes) == 1
    cluster.pod("r", "a", template("1"))
    assert sum(node.is_kept for node in Asked(cluster).plan().nodes) == 2


def test_taints_of_nodes_are_part_of_the_plan() -> None:
    cluster = Cluster().node("cheap", taint="gpu", price=10).node("dear", price=1000).pod("p", "dear")
    assert {n.name: n.is_kept for n in Asked(cluster).plan().nodes} == {"cheap": False, "dear": True}
    cluster = Cluster().node("cheap", taint="gpu", price=10).node("dear", price=1000)
    cluster.pod("p", "dear", template(tolerates="gpu"))
    assert {n.name: n.is_kept for n in Asked(cluster).plan().nodes} == {"cheap": True, "dear": False}


def test_plan_on_old_prices_of_a_catalogue_says_so() -> None:
    """The first node has a price of its own, the second that of the catalogue, of July 2026."""
    cluster = Cluster().node("told").pod("p", "told")
    sold = {"node.kubernetes.io/instance-type": "m5.xlarge", "topology.kubernetes.io/region": "us-east-1"}
    asked = Asked(cluster)
    assert asked.plan().warnings == ()
    asked.put(delta().node("sold", labels=sold, price=None))
    planning = PlanningProblem(asked.state.nodes, asked.state.pods, asked.state.namespaces)
    decision = solve(planning.problem(), SolveParams(deadline_s=5.0))
    (warning,) = planning.plan(decision, datetime.date(2027, 7, 20)).warnings
    assert warning.startswith("on-demand prices are up to 365 days old")
    assert planning.plan(decision, datetime.date(2026, 7, 21)).warnings == ()


def test_plan_crosses_the_wire_unchanged() -> None:
    plan = replace(Asked(two_half_empty_nodes()).plan(), warnings=("prices are old",))
    held = plan_from_message(plan_to_message(plan), ClusterReader())
    assert (held.nodes, held.warnings) == (plan.nodes, plan.warnings)
    assert (held.cost, held.bound, held.number) == (plan.cost, plan.bound, plan.number)
    assert [k.groups for k in held.kinds] == [k.groups for k in plan.kinds]
    assert np.allclose([k.worth_microusd for k in held.kinds], [k.worth_microusd for k in plan.kinds])


def test_placement_by_scores_converges_to_the_plan() -> None:
    """Six nodes hold a pod each that two nodes could hold. Pods that are recreated one by one go where
    filter and scores send them; emptied nodes are the ones that the plan gives up."""
    cluster = Cluster()
    for k in range(6):
        cluster.node(f"n{k}").pod(f"p{k}", f"n{k}", template("1300m", "5Gi"))
    asked = Asked(cluster)
    plan = asked.plan()
    kept = {node.name for node in plan.nodes if node.is_kept}
    assert len(kept) == 2
    for key in sorted(asked.state.pods):
        pod = asked.state.pods[key]
        if pod.node in kept:
            continue
        asked.put(delta().without_pod(key[1]))
        possible, _ = asked.filter(template("1300m", "5Gi"))
        scores = asked.scores(template("1300m", "5Gi"), *possible)
        best = max(possible, key=lambda name: (scores[name], name))
        asked.put(delta().pod(key[1], best, template("1300m", "5Gi")))
    assert {pod.node for pod in asked.state.pods.values()} == kept


# --- over a connection ----------------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[ServerThread]:
    with serving(solve) as running:
        yield running


def test_server_plans_in_the_background_and_streams_the_plan(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
        response = stub.UpdateCluster(two_half_empty_nodes().update, timeout=30)
        assert (response.nodes, response.pods) == (2, 2)
        plans = stub.WatchPlan(scheduling_service_pb2.WatchPlanRequest(), timeout=30)
        plan = next(iter(plans)).plan
        assert {node.name: node.is_kept for node in plan.nodes} == {"a": False, "b": True}
        assert (plan.current_hourly_cost_usd, plan.hourly_cost_usd, plan.lower_bound_usd) == (0.2, 0.1, 0.1)
        plans.cancel()
        question = scheduling_service_pb2.PrioritizeRequest(pod=template("1"), node_names=["a", "b"])
        scores = stub.Prioritize(question, timeout=30)
        assert (scores.plan, scores.scores[0] < 40, scores.scores[1] >= 70) == (1, True, True)


def test_batches_answer_each_question_as_alone(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
        stub.UpdateCluster(two_half_empty_nodes().update, timeout=30)
        pods = [template("1"), template("3"), template("9")]
        filters = [scheduling_service_pb2.FilterRequest(pod=pod) for pod in pods]
        batch = stub.FilterBatch(scheduling_service_pb2.FilterBatchRequest(requests=filters), timeout=30)
        assert list(batch.responses) == [stub.Filter(question, timeout=30) for question in filters]
        ranks = [scheduling_service_pb2.PrioritizeRequest(pod=pod) for pod in pods]
        scored = stub.PrioritizeBatch(
            scheduling_service_pb2.PrioritizeBatchRequest(requests=ranks), timeout=30
        )
        assert [list(r.node_names) for r in scored.responses] == [["a", "b"]] * 3


def test_server_says_that_it_needs_a_snapshot(server: ServerThread) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = scheduling_service_pb2_grpc.SchedulingServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Filter(scheduling_service_pb2.FilterRequest(pod=template()), timeout=30)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_update_or_refused(data: bytes) -> None:
    try:
        message = scheduling_service_pb2.UpdateClusterRequest.FromString(data)
    except Exception:
        return
    try:
        ClusterState().apply(ClusterReader().update(message))
    except (InvalidProblemError, NoStateError):
        return


def test_amounts_of_nodes_stay_exact() -> None:
    most = str(MAX_AMOUNT)
    asked = Asked(Cluster().node("a", {"cpu": "1", "memory": most}).pod("p", "a", template("1m", most)))
    assert asked.filter(template("1m", "1"))[1] == {"memory": ["a"]}

"""SchedulingService: which nodes may take a pod."""

from __future__ import annotations

import asyncio

import pytest
from asked import Asked
from binwright.v1 import problem_pb2, scheduling_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from binwright_optimizer.model.resources import MAX_AMOUNT
from binwright_server.errors import NoStateError
from binwright_server.scheduling.service import SchedulingService
from binwright_server.scheduling.state import ClusterState
from clusters import Cluster, template, two_half_empty_nodes


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


def test_amounts_of_nodes_stay_exact() -> None:
    most = str(MAX_AMOUNT)
    asked = Asked(Cluster().node("a", {"cpu": "1", "memory": most}).pod("p", "a", template("1m", most)))
    assert asked.filter(template("1m", "1"))[1] == {"memory": ["a"]}


# --- nodes that come with a question --------------------------------------------------------------


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


def test_scores_of_nodes_that_come_with_a_question_follow_the_plan() -> None:
    asked = Asked(two_half_empty_nodes())
    asked.plan()
    request = scheduling_service_pb2.PrioritizeRequest(pod=template("1"))
    request.nodes.extend(two_half_empty_nodes().node("new").update.nodes)
    response = asyncio.run(asked.service.Prioritize(request, None))  # type: ignore[arg-type]
    given_up, kept, new = response.scores
    assert (response.plan, given_up < 40, kept >= 70, 40 <= new < 70) == (1, True, True, True)
    assert sorted(asked.state.nodes) == ["a", "b"]

"""SchedulingService: host ports, in filtering, scores and plans."""

from __future__ import annotations

import asyncio

from asked import Asked
from binwright.v1 import scheduling_service_pb2
from clusters import SMALL, Cluster, delta, template
from ruled_pods import taking, zones


def test_node_whose_port_is_taken_is_refused_and_scores_nothing() -> None:
    asked = Asked(zones("a", "b").pod("proxy", "a", taking("80", "443")))
    assert asked.filter(taking("80")) == (["b"], {"host-port": ["a"]})
    scores = asked.scores(taking("80"))
    assert scores["a"] == 0 < scores["b"]
    assert asked.filter(taking("80/UDP"))[0] == ["a", "b"]
    assert asked.filter(taking("8080"))[0] == ["a", "b"]
    assert asked.filter(template())[0] == ["a", "b"]
    asked.put(delta().without_pod("proxy"))
    assert asked.filter(taking("80"))[0] == ["a", "b"]


def test_the_same_port_of_another_address_is_free_and_that_of_all_addresses_is_not() -> None:
    asked = Asked(zones("a", "b").pod("proxy", "a", taking("10.0.0.1:80")))
    assert asked.filter(taking("10.0.0.2:80"))[0] == ["a", "b"]
    assert asked.filter(taking("10.0.0.1:80"))[0] == ["b"]
    assert asked.filter(taking("80"))[0] == ["b"]


def test_port_that_a_pod_holds_itself_is_free_for_it() -> None:
    asked = Asked(zones("a", "b").pod("proxy", "a", taking("80", "443")))
    assert asked.filter(taking("80", "443"), "a", "b", own_name="proxy")[0] == ["a", "b"]


def test_ports_follow_nodes_that_go_and_come_back() -> None:
    asked = Asked(zones("a", "b").pod("proxy", "a", taking("80")))
    asked.put(delta().without_node("a"))
    asked.put(delta().node("c"))  # takes the row of the other
    assert asked.filter(taking("80"))[0] == ["b", "c"]
    asked.put(delta().node("a"))
    assert asked.filter(taking("80"))[0] == ["b", "c"]


def test_ports_are_those_of_the_node_of_that_name_where_a_question_brings_it_along() -> None:
    asked = Asked(zones("a").pod("proxy", "a", taking("80")))
    request = scheduling_service_pb2.FilterRequest(pod=taking("80"))
    for name in ("new", "a"):
        request.nodes.add(name=name, allocatable=SMALL).labels["changed"] = "yes"
    response = asyncio.run(asked.service.Filter(request, None))  # type: ignore[arg-type]
    assert list(response.passed) == [0]


def test_plan_gives_each_pod_that_takes_a_port_a_node_of_its_own() -> None:
    """Three pods of 1 CPU fit on one node of 4; with the same port they need three, with others one."""
    cluster, others = Cluster(), Cluster()
    for name in "abcd":
        cluster.node(name)
        others.node(name)
    for k in range(3):
        cluster.pod(f"proxy-{k}", "", taking("80"))
        others.pod(f"proxy-{k}", "", taking(str(80 + k)))
    assert sum(node.is_kept for node in Asked(cluster).plan().nodes) == 3
    assert sum(node.is_kept for node in Asked(others).plan().nodes) == 1


def test_plan_leaves_ports_to_pods_that_must_not_move() -> None:
    stuck = taking("80")
    stuck.do_not_disrupt = True
    plan = Asked(zones("a", "b").pod("old", "a", stuck).pod("proxy", "", taking("80"))).plan()
    assert {node.name for node in plan.nodes if node.is_kept} == {"a", "b"}

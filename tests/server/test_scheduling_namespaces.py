"""SchedulingService: rules between pods that choose namespaces, by name or by label."""

from __future__ import annotations

import asyncio

import pytest
from asked import Asked
from binwright.v1 import scheduling_service_pb2
from binwright_optimizer.errors import InvalidProblemError
from clusters import delta
from ruled_pods import HOST, apart, apart_by_team, labelled, zones


def test_rules_hold_within_the_namespace_that_they_mean() -> None:
    cluster = zones("a", "b").pod("db-0", "a", labelled({"app": "db"}))
    cluster.update.pods[0].namespace = "other"
    asked = Asked(cluster)
    assert asked.filter(apart(HOST))[0] == ["a", "b"]
    everywhere = apart(HOST)
    everywhere.pod_anti_affinity.required[0].namespace_selector.SetInParent()
    assert asked.filter(everywhere)[0] == ["b"]


def test_namespaces_are_chosen_by_the_labels_that_they_have_at_the_moment() -> None:
    cluster = zones("a", "b").pod("db-0", "a", labelled({"app": "db"}))
    cluster.update.pods[0].namespace = "other"
    asked = Asked(cluster)
    assert asked.filter(apart_by_team("x"))[0] == ["a", "b"]
    asked.put(delta().namespace("other", {"team": "x"}))
    assert asked.filter(apart_by_team("x")) == (["b"], {"pod-anti-affinity": ["a"]})
    assert asked.filter(apart_by_team("y"))[0] == ["a", "b"]
    asked.put(delta().namespace("other", {"team": "y"}))
    assert asked.filter(apart_by_team("x"))[0] == ["a", "b"]
    assert asked.filter(apart_by_team("y"))[0] == ["b"]
    asked.put(delta().without_namespace("other"))
    assert asked.filter(apart_by_team("y"))[0] == ["a", "b"]


def test_every_namespace_has_its_name_for_a_label() -> None:
    cluster = zones("a", "b").pod("db-0", "a", labelled({"app": "db"}))
    cluster.update.pods[0].namespace = "other"
    by_name = apart(HOST)
    chosen = by_name.pod_anti_affinity.required[0].namespace_selector
    chosen.match_labels["kubernetes.io/metadata.name"] = "other"
    assert Asked(cluster).filter(by_name)[0] == ["b"]


def test_namespaces_by_name_and_by_label_are_both_meant() -> None:
    cluster = zones("a", "b", "c")
    for name, namespace in (("a", "other"), ("b", "third")):
        cluster.pod("db-0", name, labelled({"app": "db"}))
        cluster.update.pods[-1].namespace = namespace
    both = apart_by_team("x")
    both.pod_anti_affinity.required[0].namespaces.append("other")
    assert Asked(cluster.namespace("third", {"team": "x"})).filter(both)[0] == ["c"]


def test_placed_pod_keeps_away_pods_of_the_namespaces_that_it_chooses() -> None:
    asked = Asked(zones("a", "b").pod("db-0", "a", apart_by_team("x")))
    assert asked.filter(labelled({"app": "db"}))[0] == ["a", "b"]
    asked.put(delta().namespace("default", {"team": "x"}))
    assert asked.filter(labelled({"app": "db"}))[0] == ["b"]


def test_ratings_that_are_held_end_with_the_labels_of_a_namespace() -> None:
    asked = Asked(zones("a", "b").pod("db-0", "a", apart_by_team("x")))
    question = scheduling_service_pb2.RateNodesQuestion(pod=labelled({"app": "db"}))

    def rated() -> scheduling_service_pb2.NodeRatings:
        request = scheduling_service_pb2.RateNodesRequest(questions=[question])
        response = asyncio.run(asked.service.RateNodes(request, None))  # type: ignore[arg-type]
        question.version = response.ratings[0].version
        return response.ratings[0]

    assert not rated().refused
    assert rated().is_unchanged
    asked.put(delta().namespace("default", {"team": "x"}))
    assert [list(refused.positions) for refused in rated().refused] == [[0]]


def test_heartbeats_and_namespaces_without_labels_make_no_new_plan() -> None:
    asked = Asked(zones("a").namespace("shop", {"team": "x"}))
    changes = asked.state.changes
    asked.put(delta().namespace("shop", {"team": "x"}).namespace("new", {}).without_namespace("never-there"))
    assert asked.state.changes == changes


def test_a_namespace_without_a_name_is_refused_by_its_field() -> None:
    with pytest.raises(InvalidProblemError, match=r"namespaces\[0\]\.name"):
        Asked(zones("a").namespace("", {"team": "x"}))

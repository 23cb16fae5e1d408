"""The extender webhook: rules about other pods lower scores; whether to refuse is left to kube-scheduler."""

from __future__ import annotations

from typing import Any

import pytest
from binwright.v1 import problem_pb2
from binwright_clients.extender.objects import read_template
from clusters import Cluster
from extender_harness import extending, node_json, pod_json, put
from harness import serving

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
HOSTS = {"topologyKey": "kubernetes.io/hostname"}
NOISY = {"matchLabels": {"tier": "noisy"}}

RULES = {
    "podAntiAffinity": {
        REQUIRED: [{**HOSTS, "labelSelector": {"matchLabels": {"app": "db"}}}],
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {}}],
    }
}

in_either_form = pytest.mark.parametrize("are_whole", [False, True], ids=["names", "whole-nodes"])


def expect_node_a_to_score_nothing_and_both_to_pass(
    on_a: problem_pb2.PodTemplate, asking: dict[str, Any], *, are_whole: bool
) -> None:
    """Nodes a and b are equal but for the pod on a, which the asking pod must not join.

    The filter of kube-scheduler has just passed both nodes, on a picture that is ahead of ours.
    """
    body = {"Pod": asking, "NodeNames": ["a", "b"]}
    if are_whole:
        body = {"Pod": asking, "Nodes": {"items": [node_json("a"), node_json("b")]}}
    with serving() as server, extending(server.address) as webhook:
        put(server.address, Cluster().node("a").node("b").pod("placed", "a", on_a))
        _, scored = webhook.post("prioritize", body)  # the first question of all
        _, passed = webhook.post("filter", body)
    scores = {entry["Host"]: entry["Score"] for entry in scored}
    assert scores["a"] == 0
    assert scores["b"] >= 4
    names = passed["NodeNames"]
    if are_whole:
        names = [node["metadata"]["name"] for node in passed["Nodes"]["items"]]
    assert (names, passed["FailedNodes"]) == (["a", "b"], {})


@in_either_form
def test_node_of_a_pod_to_keep_away_from_scores_nothing_and_is_left_to_kube_scheduler(
    are_whole: bool,
) -> None:
    db = pod_json("db-1", affinity=RULES)
    db["metadata"]["labels"] = {"app": "db"}
    expect_node_a_to_score_nothing_and_both_to_pass(read_template(db), db, are_whole=are_whole)


def test_the_first_question_of_all_already_knows_which_labels_others_look_at() -> None:
    """A database on node a avoids pods of the tier "noisy"; nobody has asked the webhook anything before."""
    shy = pod_json("db-0", affinity={"podAntiAffinity": {REQUIRED: [{**HOSTS, "labelSelector": NOISY}]}})
    noisy = pod_json("noisy")
    noisy["metadata"]["labels"] = {"tier": "noisy", "other": "x"}
    expect_node_a_to_score_nothing_and_both_to_pass(read_template(shy), noisy, are_whole=False)


def listening(name: str, port: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A pod whose only container has a port."""
    requests = {"requests": {"cpu": "1"}}
    return pod_json(name, containers=[{"name": "main", "resources": requests, "ports": [port]}], **spec)


@in_either_form
def test_node_whose_host_port_is_taken_scores_nothing_and_is_left_to_kube_scheduler(are_whole: bool) -> None:
    """On a host network every port of a container is one of the node."""
    exporter = listening("exporter", {"containerPort": 9100}, hostNetwork=True)
    asking = listening("asking", {"hostPort": 9100, "hostIP": "10.0.0.1"})
    expect_node_a_to_score_nothing_and_both_to_pass(read_template(exporter), asking, are_whole=are_whole)


@in_either_form
def test_host_port_of_a_sidecar_is_taken_like_that_of_a_container(are_whole: bool) -> None:
    proxy = {"name": "proxy", "restartPolicy": "Always", "ports": [{"hostPort": 80}]}
    meshed = pod_json("meshed", initContainers=[proxy])
    asking = listening("asking", {"hostPort": 80})
    expect_node_a_to_score_nothing_and_both_to_pass(read_template(meshed), asking, are_whole=are_whole)

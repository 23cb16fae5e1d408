"""The extender webhook: what kube-scheduler asks, and what it is told."""

from __future__ import annotations

import gzip
import json

import pytest
from binwright_clients.extender.configuration import scheduler_configuration
from extender_harness import Webhook, extending, node_json, pod_json
from harness import serving


def test_filter_by_names_says_who_passes_and_who_fails_why(webhook: Webhook) -> None:
    assert webhook.filter(pod_json(), ["a", "b", "tainted", "nowhere"]) == {
        "Nodes": None,
        "NodeNames": ["a"],
        "FailedNodes": {
            "b": "Insufficient cpu: the pod asks for 1",
            "nowhere": "this server does not know the node",
        },
        "FailedAndUnresolvableNodes": {"tainted": "node(s) had untolerated taint {x:NoSchedule}"},
        "Error": "",
    }


@pytest.mark.parametrize("keys", [("Pod", "NodeNames"), ("pod", "nodeNames"), ("pod", "nodenames")])
def test_keys_are_read_in_any_case(webhook: Webhook, keys: tuple[str, str]) -> None:
    status, answer = webhook.post("filter", {keys[0]: pod_json(), keys[1]: ["a", "b"]})
    assert (status, answer["NodeNames"]) == (200, ["a"])


def test_prioritize_scores_from_0_to_10(webhook: Webhook) -> None:
    status, answer = webhook.post("prioritize", {"Pod": pod_json(), "NodeNames": ["a", "nowhere"]})
    assert status == 200
    scores = {entry["Host"]: entry["Score"] for entry in answer}
    assert scores.keys() == {"a", "nowhere"}
    assert 4 <= scores["a"] <= 10
    assert scores["nowhere"] == 0


def test_compressed_questions_are_read(webhook: Webhook) -> None:
    body = gzip.compress(json.dumps({"Pod": pod_json(), "NodeNames": ["a", "b"]}).encode())
    assert webhook.post("filter", body, "gzip")[1]["NodeNames"] == ["a"]


def test_unknown_nodes_are_told_once(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    for names in (["a", "gone"], ["gone", "b"], ["a", "gone", "lost"]):
        webhook.filter(pod_json(), names)
    told = [r.getMessage() for r in caplog.records if "does not know" in r.getMessage()]
    assert told == ["the server does not know node gone", "the server does not know node lost"]


def test_no_candidates_is_an_empty_answer(webhook: Webhook) -> None:
    assert webhook.filter(pod_json(), [])["NodeNames"] == []
    assert webhook.post("prioritize", {"Pod": pod_json(), "NodeNames": []}) == (200, [])
    assert webhook.post("preempt", {"Pod": pod_json(), "NodeNameToMetaVictims": {}}) == (
        200,
        {"NodeNameToMetaVictims": {}},
    )


def test_whole_nodes_are_taken_and_those_that_pass_come_back_whole() -> None:
    """``nodeCacheCapable: false``: nobody feeds the server, the questions bring the nodes."""
    nodes = [node_json("big", "8"), node_json("small", "500m"), node_json("cordoned", unschedulable=True)]
    with serving() as server, extending(server.address) as webhook:
        status, answer = webhook.post("filter", {"Pod": pod_json(), "Nodes": {"items": nodes}})
        assert status == 200
        assert answer["Nodes"]["items"] == [nodes[0]]
        assert answer["NodeNames"] is None
        assert answer["FailedAndUnresolvableNodes"].keys() == {"small", "cordoned"}
        status, scores = webhook.post("prioritize", {"Pod": pod_json(), "Nodes": {"items": nodes}})
        assert (status, {entry["Host"] for entry in scores}) == (200, {"big", "small", "cordoned"})


def test_preempt_drops_nodes_that_could_not_take_the_pod_even_when_emptied(webhook: Webhook) -> None:
    victims = {
        "b": {"Pods": [{"UID": "u1"}, {"UID": "u2"}], "NumPDBViolations": 1},
        "tainted": {"Pods": [{"UID": "u3"}], "NumPDBViolations": 0},
    }
    asked = {"Pod": pod_json(), "NodeNameToMetaVictims": victims, "NodeNameToVictims": None}
    assert webhook.post("preempt", asked) == (200, {"NodeNameToMetaVictims": {"b": victims["b"]}})
    whole = {"b": {"Pods": [{"metadata": {"uid": "u1"}}], "NumPDBViolations": 0}}
    assert webhook.post("preempt", {"pod": pod_json(), "nodeNameToVictims": whole}) == (
        200,
        {"NodeNameToMetaVictims": {"b": {"Pods": [{"UID": "u1"}], "NumPDBViolations": 0}}},
    )


def test_pod_of_a_daemon_set_is_not_refused_for_naming_its_node(webhook: Webhook) -> None:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}
    affinity = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    }
    assert webhook.filter(pod_json(affinity=affinity), ["a"])["NodeNames"] == ["a"]


def test_configuration_names_the_verbs_that_are_served(webhook: Webhook) -> None:
    configuration = scheduler_configuration("https://extender:8888/", "/ca.crt")
    (extender,) = configuration["extenders"]
    assert extender["urlPrefix"] == "https://extender:8888"
    assert (extender["enableHTTPS"], extender["tlsConfig"]) == (True, {"caFile": "/ca.crt"})
    for verb in ("filterVerb", "prioritizeVerb", "preemptVerb"):
        assert webhook.post(extender[verb], b"{")[0] in (200, 400)
    assert "tlsConfig" not in scheduler_configuration("http://x")["extenders"][0]

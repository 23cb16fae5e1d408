"""The extender webhook: what kube-scheduler sends and reads, and what happens when things go wrong."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from binwright.v1 import scheduling_service_pb2 as api
from binwright.v1 import scheduling_service_pb2_grpc
from binwright_clients.errors import InputError
from binwright_clients.extender import app as app_module
from binwright_clients.extender.arguments import (
    ArgumentsReader,
    MalformedArgumentsError,
    read_preemption,
)
from binwright_clients.extender.backend import Backend
from binwright_clients.extender.configuration import scheduler_configuration
from binwright_clients.extender.objects import read_node, read_pod, read_template
from binwright_clients.rpc_errors import RpcError, SnapshotNeededError
from binwright_server.config import ServerConfig
from clusters import Cluster, template
from extender_harness import Webhook, extending, node_json, pod_json
from harness import ServerThread, serving, wait_until
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with serving() as running:
        update = Cluster().node("a").node("b").node("tainted", taint="x").pod("full", "b", template("4"))
        put(running.address, update)
        yield running


@pytest.fixture(scope="module")
def webhook(server: ServerThread) -> Iterator[Webhook]:
    with extending(server.address) as running:
        yield running


def put(address: str, update: Cluster) -> None:
    with grpc.insecure_channel(address) as channel:
        scheduling_service_pb2_grpc.SchedulingServiceStub(channel).UpdateCluster(update.update, timeout=30)


# --- the verbs ------------------------------------------------------------------------------------


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


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
HOSTS = {"topologyKey": "kubernetes.io/hostname"}
NOISY = {"matchLabels": {"tier": "noisy"}}

RULES = {
    "podAntiAffinity": {
        "requiredDuringSchedulingIgnoredDuringExecution": [
            {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "db"}}}
        ],
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {}}],
    }
}


@pytest.mark.parametrize("are_whole", [False, True], ids=["names", "whole-nodes"])
def test_node_of_a_pod_to_keep_away_from_scores_nothing_and_is_left_to_kube_scheduler(
    are_whole: bool,
) -> None:
    """Its own filter has just passed both nodes, on a picture that is ahead of ours."""
    db = pod_json("db-1", affinity=RULES)
    db["metadata"]["labels"] = {"app": "db"}
    cluster = Cluster().node("a").node("b").pod("db-0", "a", read_template(db))
    body = {"Pod": db, "NodeNames": ["a", "b"]}
    if are_whole:
        body = {"Pod": db, "Nodes": {"items": [node_json("a"), node_json("b")]}}
    with serving() as server, extending(server.address) as webhook:
        put(server.address, cluster)
        _, passed = webhook.post("filter", body)
        _, scored = webhook.post("prioritize", body)
    names = (
        [node["metadata"]["name"] for node in passed["Nodes"]["items"]] if are_whole else passed["NodeNames"]
    )
    assert names == ["a", "b"]
    scores = {entry["Host"]: entry["Score"] for entry in scored}
    assert scores["a"] == 0
    assert scores["b"] >= 4


def test_the_first_question_of_all_already_knows_which_labels_others_look_at() -> None:
    """A database on node a avoids pods of the tier "noisy"; nobody has asked the webhook anything before."""
    shy = pod_json("db-0", affinity={"podAntiAffinity": {REQUIRED: [{**HOSTS, "labelSelector": NOISY}]}})
    noisy = pod_json("noisy")
    noisy["metadata"]["labels"] = {"tier": "noisy", "other": "x"}
    with serving() as server, extending(server.address) as webhook:
        put(server.address, Cluster().node("a").node("b").pod("db-0", "a", read_template(shy)))
        _, scored = webhook.post("prioritize", {"Pod": noisy, "NodeNames": ["a", "b"]})
    scores = {entry["Host"]: entry["Score"] for entry in scored}
    assert scores["a"] == 0
    assert scores["b"] >= 4


@pytest.mark.parametrize("are_whole", [False, True], ids=["names", "whole-nodes"])
def test_node_whose_host_port_is_taken_scores_nothing_and_is_left_to_kube_scheduler(are_whole: bool) -> None:
    """On a host network every port of a container is one of the node."""
    requests = {"requests": {"cpu": "1"}}
    containers = [{"name": "main", "resources": requests, "ports": [{"containerPort": 9100}]}]
    exporter = pod_json("exporter", containers=containers, hostNetwork=True)
    containers = [
        {"name": "main", "resources": requests, "ports": [{"hostPort": 9100, "hostIP": "10.0.0.1"}]}
    ]
    asking = pod_json("asking", containers=containers)
    cluster = Cluster().node("a").node("b").pod("exporter", "a", read_template(exporter))
    body = {"Pod": asking, "NodeNames": ["a", "b"]}
    if are_whole:
        body = {"Pod": asking, "Nodes": {"items": [node_json("a"), node_json("b")]}}
    with serving() as server, extending(server.address) as webhook:
        put(server.address, cluster)
        _, passed = webhook.post("filter", body)
        _, scored = webhook.post("prioritize", body)
    assert passed["FailedNodes"] == {}
    scores = {entry["Host"]: entry["Score"] for entry in scored}
    assert scores["a"] == 0
    assert scores["b"] >= 4


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


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(b"{}" * 99, mtime=0)[:-12], b""])
def test_a_body_that_cannot_be_unpacked_is_told_in_the_protocols_form(
    webhook: Webhook, caplog: pytest.LogCaptureFixture, encoding: str, body: bytes
) -> None:
    status, answer = webhook.post("filter", body, encoding)
    assert (status, answer["NodeNames"]) == (200, None)
    assert answer["Error"].startswith("binwright: ")
    status, answer = webhook.post("prioritize", body, encoding)
    assert status == 400
    assert answer["Error"].startswith("binwright: ")
    assert webhook.filter(pod_json(), ["a"])["NodeNames"] == ["a"], "the next question is answered"
    assert not [record for record in caplog.records if record.exc_info], "a line, no traceback"


def test_a_caller_that_stays_is_answered_after_a_body_that_cannot_be_unpacked(webhook: Webhook) -> None:
    """kube-scheduler keeps its connections; the broken one is closed, and its next question opens another."""
    good = json.dumps({"Pod": pod_json(), "NodeNames": ["a"]})
    connection = http.client.HTTPConnection("127.0.0.1", webhook.port, timeout=30)
    with closing(connection):
        for body, headers in (("no gzip at all", {"Content-Encoding": "gzip"}), (good, {}), (good, {})):
            connection.request("POST", "/filter", body, headers)
            answer = json.loads(connection.getresponse().read())
            assert (answer["NodeNames"] == ["a"]) == (body == good)


def test_a_body_that_is_too_large_is_told_in_the_protocols_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "MAX_BODY_BYTES", 2**20)
    with serving() as server, extending(server.address) as webhook:
        body = json.dumps({"Pod": pod_json(), "NodeNames": ["a"], "Note": "x" * 2**20}).encode()
        assert webhook.post("filter", body)[1]["Error"] == "binwright: the body is larger than 1 MiB"
        assert webhook.post("filter", gzip.compress(body), "gzip")[1]["Error"].endswith("larger than 1 MiB")


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


# --- wrong input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[]", "the body must be a JSON object"),
        (b"[" * 100_000, "is not JSON"),
        ({"NodeNames": ["a"]}, "Pod is missing"),
        ({"Pod": pod_json()}, "neither NodeNames nor Nodes is set"),
        ({"Pod": pod_json(), "NodeNames": "a"}, "NodeNames must be a list of names"),
        ({"Pod": pod_json(), "NodeNames": [1]}, "NodeNames must be a list of names"),
        ({"Pod": pod_json(), "Nodes": {"items": [3]}}, "Nodes must be a NodeList"),
        ({"Pod": {"spec": {"containers": 5}}, "NodeNames": ["a"]}, "spec.containers: must be a list"),
        ({"Pod": pod_json(cpu="much"), "NodeNames": ["a"]}, "requests[cpu]: is not a quantity"),
        ({"Pod": pod_json("\ud800"), "NodeNames": ["a"]}, "surrogates not allowed"),
        (
            {"Pod": pod_json(), "Nodes": {"items": [{"metadata": {}}]}},
            "Node: metadata.name: must not be empty",
        ),
    ],
)
def test_malformed_arguments_are_one_error_in_the_protocols_form(
    webhook: Webhook, body: object, message: str
) -> None:
    status, answer = webhook.post("filter", body)
    assert status == 200
    assert answer["Error"].startswith("binwright: ")
    assert message in answer["Error"]
    assert answer["NodeNames"] is None
    status, answer = webhook.post("prioritize", body)
    assert (status, message in answer["Error"]) == (400, True)
    assert webhook.filter(pod_json(), ["a"])["NodeNames"] == ["a"], "the next call is served"


def test_malformed_preemption_is_refused(webhook: Webhook) -> None:
    for pod, nothing in ((pod_json(cpu="lots"), {}), (pod_json(), []), (pod_json(), 0)):
        status, _ = webhook.post("preempt", {"Pod": pod, "NodeNameToMetaVictims": nothing})
        assert status == 400, "without victims, too"
    for victims in (5, {"b": 5}, {"b": {"Pods": 5}}, {"b": {"Pods": [{}]}}, {"b": {"Pods": [{"UID": 5}]}}):
        status, _ = webhook.post("preempt", {"Pod": pod_json(), "NodeNameToMetaVictims": victims})
        assert status == 400, victims


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("metadata", "spec", "containers", "name", "resources", "requests", "cpu", "Pods")
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(("Pod", "Nodes", "NodeNames", "NodeNameToVictims")), JSON_VALUES))
@settings(max_examples=300, deadline=None)
def test_any_json_is_understood_or_refused(body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    for read in (ArgumentsReader().read, read_preemption):
        try:
            arguments = read(data)
        except MalformedArgumentsError:
            continue
        for reader in (read_template, read_pod, read_node):
            try:
                reader(arguments.pod)
            except InputError:
                continue


@given(st.lists(st.text(min_size=1, max_size=30), max_size=60), st.text(max_size=20), st.booleans())
@settings(max_examples=200, deadline=None)
def test_remembered_lists_are_read_as_json_reads_them(
    names: list[str], annotation: str, is_first: bool
) -> None:
    names = [f"{k}-{name}" * 3 for k, name in enumerate(names)]
    pod = pod_json()
    pod["metadata"]["annotations"] = {"x": annotation, "y": json.dumps({"NodeNames": names})}
    pod["spec"]["NodeNames"] = names[1:] * 3 if annotation else None
    body = {"NodeNames": names, "Pod": pod} if is_first else {"Pod": pod, "NodeNames": names}
    data = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    reader = ArgumentsReader()
    for _ in range(2):
        arguments = reader.read(data)
        assert (arguments.candidates and arguments.candidates.names, arguments.pod) == (tuple(names), pod)


# --- servers that come and go -----------------------------------------------------------------------


def test_server_without_a_snapshot_is_an_error_and_no_wrong_answer() -> None:
    with serving() as server, extending(server.address, budget_s=0.3) as webhook:
        answer = webhook.filter(pod_json(), ["a"])
        assert answer["NodeNames"] is None
        assert "send a snapshot" in answer["Error"]
        assert "binwright extender --watch does that" in answer["Error"]
        status, answer = webhook.post("prioritize", {"Pod": pod_json(), "NodeNames": ["a"]})
        assert (status, "send a snapshot" in answer["Error"]) == (503, True)


def test_server_that_stays_away_is_an_error_once_the_budget_is_spent() -> None:
    with extending("127.0.0.1:1", budget_s=0.3) as webhook:
        for _ in range(2):  # the second is answered at once, from what the first came to
            error = webhook.filter(pod_json(), ["a"])["Error"]
            assert "has not answered within 0.3 s: " in error
            assert "Connection refused" in error


def test_one_budget_is_spent_on_a_server_that_is_away_until_it_answers_again(tmp_path: Path) -> None:
    """Questions that might take an hour fail at once after the first that has waited in vain."""
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    question = api.FilterRequest(pod=template(), node_names=["a"])

    async def answers(backend: Backend) -> bool:
        try:
            return list((await backend.filter(question)).passed) == [0]
        except RpcError:
            return False

    async def asked() -> None:
        async with Backend(config.address, budget_s=0.2) as backend, asyncio.timeout(60):
            assert not await answers(backend)
            backend.budget_s = 3600.0
            for _ in range(20):
                assert not await answers(backend)
            with serving(config=config):
                await asyncio.to_thread(put, config.address, Cluster().node("a"))
                while not await answers(backend):
                    await asyncio.sleep(0.05)

    asyncio.run(asked())


def test_one_budget_is_spent_on_a_server_without_a_cluster_until_it_is_told_of_one(tmp_path: Path) -> None:
    """Questions by name fail at once meanwhile; those that bring their nodes are answered all the same."""
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    by_name = api.FilterRequest(pod=template(), node_names=["a"])
    whole = api.FilterRequest(pod=template(), nodes=Cluster().node("a").update.nodes)

    async def answers(backend: Backend) -> bool:
        try:
            return list((await backend.filter(by_name)).passed) == [0]
        except SnapshotNeededError:
            return False

    async def asked() -> None:
        async with Backend(config.address, budget_s=0.2) as backend, asyncio.timeout(60):
            assert not await answers(backend)
            backend.budget_s = 3600.0
            for _ in range(20):
                assert not await answers(backend)
                assert list((await backend.filter(whole)).passed) == [0]
            await asyncio.to_thread(put, config.address, Cluster().node("a"))
            while not await answers(backend):
                await asyncio.sleep(0.05)

    with serving(config=config):
        asyncio.run(asked())


def test_calls_under_way_outlive_a_restart_of_the_server(tmp_path: Path) -> None:
    """The server is stopped and started again under load: every answer is right, none is an error."""
    config = ServerConfig(address=f"unix:{tmp_path}/s", workers=1)
    update = Cluster().node("a").node("b").pod("full", "b", template("4"))
    answers: list[dict[str, Any]] = []
    stop = threading.Event()

    def ask(webhook: Webhook) -> None:
        while not stop.is_set():
            answers.append(webhook.filter(pod_json(), ["a", "b"]))

    def wait_for_answers(count: int) -> None:
        wanted = len(answers) + count
        wait_until(lambda: len(answers) >= wanted, within_s=120)

    with extending(config.address, budget_s=120) as webhook:
        threads = [threading.Thread(target=ask, args=(webhook,)) for _ in range(8)]
        for _ in range(3):
            with serving(config=config):
                put(config.address, update)
                for thread in threads:
                    if not thread.ident:
                        thread.start()
                wait_for_answers(20)
        with serving(config=config):
            put(config.address, update)
            wait_for_answers(20)
            stop.set()
            for thread in threads:
                thread.join(120)
    assert {(tuple(a["NodeNames"] or ()), a["Error"]) for a in answers} == {(("a",), "")}


# --- configuration ----------------------------------------------------------------------------------


def test_configuration_names_the_verbs_that_are_served(webhook: Webhook) -> None:
    configuration = scheduler_configuration("https://extender:8888/", "/ca.crt")
    (extender,) = configuration["extenders"]
    assert extender["urlPrefix"] == "https://extender:8888"
    assert (extender["enableHTTPS"], extender["tlsConfig"]) == (True, {"caFile": "/ca.crt"})
    for verb in ("filterVerb", "prioritizeVerb", "preemptVerb"):
        assert webhook.post(extender[verb], b"{")[0] in (200, 400)
    assert "tlsConfig" not in scheduler_configuration("http://x")["extenders"][0]

"""The extender webhook: whatever is sent, the answer is in kube-scheduler's form and the next is served."""

from __future__ import annotations

import gzip
import http.client
import json
from contextlib import closing
from typing import Any

import pytest
from binwright_clients.errors import InputError
from binwright_clients.extender import app as app_module
from binwright_clients.extender.arguments import (
    ArgumentsReader,
    MalformedArgumentsError,
    read_preemption,
)
from binwright_clients.extender.objects import read_node, read_pod, read_template
from extender_harness import Webhook, extending, pod_json
from harness import serving
from hypothesis import given, settings
from hypothesis import strategies as st


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

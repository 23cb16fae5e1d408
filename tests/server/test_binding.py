"""The verb bind: Bindings through the API server, never a pod on two nodes, errors in the protocol's form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from binwright_clients.cluster.api import ClusterApi, Response
from binwright_clients.cluster.errors import ConflictError, NotFoundError, UnreachableError
from binwright_clients.extender.arguments import BindingArguments
from binwright_clients.extender.binding import Binder
from binwright_clients.extender.configuration import scheduler_configuration
from extender_harness import extending, pod_json

WEB = BindingArguments("web", "default", "uid-web", "n1")
PATH = "/api/v1/namespaces/default/pods/web"


@dataclass
class Answer:
    """An HTTP answer."""

    status: int
    body: dict[str, Any]
    date: str = ""

    def read(self) -> bytes:
        return json.dumps(self.body).encode()

    def lines(self) -> Iterator[bytes]:
        raise AssertionError("nothing is watched")

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class ApiServer:
    """Binds pods as a real one does: the pod of the right uid, and once.

    ``lost`` answers and ``unsent`` requests come to nothing, in this order.
    """

    pods: dict[str, dict[str, Any]] = field(default_factory=lambda: {PATH: pod_json()})
    lost: int = 0
    unsent: int = 0
    posts: int = 0

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],  # noqa: ARG002
        timeout_s: float,  # noqa: ARG002
    ) -> Response:
        pod = self.pods.get(path.removesuffix("/binding"))
        if pod is None:
            return Answer(404, {"message": "pods not found"})
        if method == "GET":
            return Answer(200, pod)
        self.posts += 1
        if self.unsent:
            self.unsent -= 1
            raise UnreachableError("no route")
        assert body is not None
        binding = json.loads(body)
        assert binding["kind"] == "Binding"
        if binding["metadata"]["uid"] != pod["metadata"]["uid"]:
            return Answer(409, {"message": "the UID in the precondition does not match"})
        if pod["spec"].get("nodeName"):
            return Answer(409, {"message": f"pod web is already assigned to node {pod['spec']['nodeName']}"})
        pod["spec"]["nodeName"] = binding["target"]["name"]
        if self.lost:
            self.lost -= 1
            raise UnreachableError("the answer broke off")
        return Answer(201, {"kind": "Status", "status": "Success"})

    def node(self) -> str:
        return str(self.pods[PATH]["spec"].get("nodeName", ""))


def binder(server: ApiServer, budget_s: float = 4.0) -> Binder:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    return Binder(ClusterApi(server, "test"), budget_s, clock=lambda: now[0], sleep=sleep)


def test_pod_is_bound_to_the_node() -> None:
    server = ApiServer()
    binder(server).bind(WEB)
    assert (server.node(), server.posts) == ("n1", 1)


def test_lost_answer_is_asked_for_again_and_the_pod_is_bound_once() -> None:
    server = ApiServer(lost=1)
    binder(server).bind(WEB)
    assert (server.node(), server.posts) == ("n1", 2)


def test_server_that_comes_back_in_time_is_waited_for() -> None:
    server = ApiServer(unsent=5)
    binder(server).bind(WEB)
    assert (server.node(), server.posts) == ("n1", 6)


def test_server_that_stays_away_is_an_error_within_the_budget() -> None:
    server = ApiServer(unsent=1000)
    with pytest.raises(UnreachableError):
        binder(server, budget_s=1.0).bind(WEB)
    assert server.posts == 5


def test_pod_on_another_node_stays_there() -> None:
    server = ApiServer({PATH: pod_json(nodeName="n2")})
    with pytest.raises(ConflictError, match="already assigned to node n2"):
        binder(server).bind(WEB)
    assert server.node() == "n2"


def test_pod_that_took_the_place_of_the_one_meant_is_not_bound() -> None:
    other = pod_json()
    other["metadata"]["uid"] = "uid-another"
    server = ApiServer({PATH: other})
    with pytest.raises(ConflictError):
        binder(server).bind(WEB)
    other["spec"]["nodeName"] = "n1"  # bound where we would have put it, but not by us
    with pytest.raises(ConflictError):
        binder(server).bind(WEB)


def test_pod_that_is_gone_is_an_error() -> None:
    with pytest.raises(NotFoundError):
        binder(ApiServer({})).bind(WEB)


ARGUMENTS = {"PodName": "web", "PodNamespace": "default", "PodUID": "uid-web", "Node": "n1"}


@pytest.mark.parametrize("spell", [str, str.lower])
def test_webhook_binds_and_says_so_in_the_protocols_form(spell: Callable[[str], str]) -> None:
    server = ApiServer()
    with extending("127.0.0.1:1", binder=binder(server)) as webhook:
        assert webhook.post("bind", {spell(key): value for key, value in ARGUMENTS.items()}) == (
            200,
            {"Error": ""},
        )
        assert server.node() == "n1"
        status, answer = webhook.post("bind", {**ARGUMENTS, "Node": "n2"})
        assert (status, "already assigned to node n1" in answer["Error"]) == (200, True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"PodName": ""}, "PodName is missing"),
        ({"Node": None}, "Node is missing"),
        ({"PodUID": 5}, "PodUID is missing or no text"),
        ({"PodNamespace": "../../nodes"}, "PodNamespace must be a name"),
    ],
)
def test_malformed_bindings_are_an_error_and_ask_the_api_server_nothing(
    change: dict[str, Any], message: str
) -> None:
    server = ApiServer()
    with extending("127.0.0.1:1", binder=binder(server)) as webhook:
        status, answer = webhook.post("bind", {**ARGUMENTS, **change})
        assert (status, message in answer["Error"]) == (200, True)
    assert server.posts == 0


def test_verb_is_offered_and_configured_only_when_asked_for() -> None:
    assert "bindVerb" not in scheduler_configuration("http://x")["extenders"][0]
    assert scheduler_configuration("http://x", binds=True)["extenders"][0]["bindVerb"] == "bind"
    with extending("127.0.0.1:1") as webhook, pytest.raises(json.JSONDecodeError):
        webhook.post("bind", ARGUMENTS)  # 404 in plain text

"""Ratings of all nodes: what the server sends, what the extender keeps, and that both stay the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from binwright.v1 import problem_pb2, scheduling_service_pb2
from binwright_clients.extender.ratings import MOST_QUESTIONS, Ratings, RatingsSource
from binwright_clients.rpc_errors import DeadlineExceededError
from binwright_optimizer.errors import InvalidProblemError
from binwright_server.errors import NoStateError
from binwright_server.scheduling.service import SchedulingService
from binwright_server.scheduling.state import ClusterState
from clusters import GPU, Cluster, delta, template
from hypothesis import given
from hypothesis import strategies as st

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


class Server:
    """A service in process, in the place of the backend; counts what it is asked."""

    def __init__(self, cluster: Cluster) -> None:
        self.restart(cluster)
        self.requests: list[scheduling_service_pb2.RateNodesRequest] = []
        self.responses: list[scheduling_service_pb2.RateNodesResponse] = []
        self.is_open = asyncio.Event()
        self.is_open.set()

    def restart(self, *clusters: Cluster) -> None:
        self.service = SchedulingService(ClusterState())
        for cluster in clusters:
            self.apply(cluster)

    def apply(self, cluster: Cluster) -> None:
        update = self.service._update_reader.update(cluster.update)
        self.service.state.apply(update)

    async def no_connection(self) -> str:
        return ""

    async def rate(
        self, request: scheduling_service_pb2.RateNodesRequest
    ) -> scheduling_service_pb2.RateNodesResponse:
        await self.is_open.wait()
        self.requests.append(request)
        response = await self.service.RateNodes(request, None)  # type: ignore[arg-type]
        self.responses.append(response)
        return response


def source(server: Server, budget_s: float = 30.0) -> RatingsSource:
    return RatingsSource(server, budget_s)  # type: ignore[arg-type]


def named(name: str = "") -> scheduling_service_pb2.PodName:
    return scheduling_service_pb2.PodName(name=name)


def told(found: Ratings) -> dict[str, tuple[str, int]]:
    """Reason, empty if there is none, and score by node."""
    reasons = ["", *(message for message, _ in found.reasons)]
    return {
        name: (reasons[found.reason_of[position]], found.scores[position])
        for name, position in found.names.position_of.items()
    }


async def truth(server: Server, pod: problem_pb2.PodTemplate, name: str) -> dict[str, tuple[str, int]]:
    """The same by Filter and Prioritize."""
    filtering = scheduling_service_pb2.FilterRequest(pod=pod, name=named(name))
    verdict = await server.service.Filter(filtering, None)  # type: ignore[arg-type]
    ranking = scheduling_service_pb2.PrioritizeRequest(pod=pod, name=named(name))
    scores = (await server.service.Prioritize(ranking, None)).scores  # type: ignore[arg-type]
    reasons = {p: refused.message for refused in verdict.refused for p in refused.positions}
    return {
        node: (reasons.get(position, ""), scores[position])
        for position, node in enumerate(verdict.node_names)
    }


NODES = ("a", "b", "c", "d")
PODS = ("p", "q", "r")
KINDS = (template("1"), template("3"), template("2", gpus=1), template(selector={"disk": "ssd"}))
CHANGES = st.one_of(
    st.tuples(st.just("node"), st.sampled_from(NODES), st.booleans()),
    st.tuples(st.just("pod"), st.sampled_from(PODS), st.sampled_from(NODES)),
    st.tuples(st.just("no node"), st.sampled_from(NODES), st.none()),
    st.tuples(st.just("no pod"), st.sampled_from(PODS), st.none()),
    st.tuples(st.just("snapshot"), st.sampled_from(NODES), st.none()),
    st.tuples(st.just("restart"), st.sampled_from(NODES), st.none()),
)


def change(server: Server, what: tuple[str, str, Any]) -> None:
    kind, name, more = what
    if kind == "node":
        allocatable = GPU if more else {"cpu": "4", "memory": "8Gi", "pods": "3"}
        server.apply(delta().node(name, allocatable, {"disk": "ssd"} if more else None))
    elif kind == "pod":
        server.apply(delta().pod(name, more, KINDS[PODS.index(name)]))
    elif kind == "no node":
        server.apply(delta().without_node(name))
    elif kind == "no pod":
        server.apply(delta().without_pod(name))
    elif kind == "snapshot":
        server.apply(Cluster().node(name).node("e"))
    else:
        server.restart(Cluster().node(name))


@given(st.lists(st.tuples(CHANGES, st.integers(0, 3), st.sampled_from(("", *PODS))), max_size=12))
def test_ratings_are_what_filtering_and_ranking_say_whatever_changes(
    steps: list[tuple[tuple[str, str, Any], int, str]],
) -> None:
    """One source asks all along, so that whatever it keeps for too long shows."""

    async def ask() -> None:
        server = Server(Cluster().node("a").node("b"))
        ratings = source(server)
        for what, kind, name in steps:
            change(server, what)
            for asked in (KINDS[kind], KINDS[0]):
                found = await ratings.ratings(asked, named(name))
                assert told(found) == await truth(server, asked, name)

    run(ask())


def test_server_says_in_a_few_bytes_that_nothing_changed() -> None:
    async def ask() -> None:
        server = Server(Cluster().node("a").node("b"))
        ratings = source(server)
        first = await ratings.ratings(template(), named())
        assert await ratings.ratings(template(), named()) is first
        again = server.responses[1]
        assert (list(again.node_names), again.ratings[0].is_unchanged) == ([], True)
        assert (again.ratings[0].scores, list(again.ratings[0].refused)) == (b"", [])

    run(ask())


def test_names_are_sent_again_only_when_a_node_came_or_went() -> None:
    async def ask() -> None:
        server = Server(Cluster().node("a").node("b"))
        ratings = source(server)
        await ratings.ratings(template(), named())
        server.apply(delta().pod("full", "a", template("4")))
        changed = await ratings.ratings(template(), named())
        assert told(changed)["a"][0] == "Insufficient cpu: the pod asks for 1"
        server.apply(delta().node("c"))
        await ratings.ratings(template(), named())
        assert [list(r.node_names) for r in server.responses] == [["a", "b"], [], ["a", "b", "c"]]

    run(ask())


def test_pod_that_is_counted_already_is_rated_for_itself_alone() -> None:
    async def ask() -> None:
        server = Server(Cluster().node("a").pod("mine", "a", template("3")))
        ratings = source(server)
        own = await ratings.ratings(template("3"), named("mine"))
        other = await ratings.ratings(template("3"), named("another"))
        assert (own.version, told(own)["a"][0]) == (b"", "")
        assert told(other)["a"][0] == "Insufficient cpu: the pod asks for 3"

    run(ask())


def test_questions_that_come_together_travel_together() -> None:
    async def ask() -> None:
        server = Server(Cluster().node("a"))
        server.is_open.clear()
        ratings = source(server)
        asked = [asyncio.ensure_future(ratings.ratings(template(), named(f"p{k}"))) for k in range(50)]
        await asyncio.sleep(0)
        server.is_open.set()
        found = await asyncio.gather(*asked)
        assert [len(request.questions) for request in server.requests] == [1, 1, MOST_QUESTIONS, 16]
        assert {told(f)["a"][0] for f in found} == {""}

    run(ask())


def test_pod_that_is_not_understood_fails_alone() -> None:
    async def ask() -> None:
        server = Server(Cluster().node("a"))
        server.is_open.clear()
        ratings = source(server)
        pods = [template(), template(), template(), template("much"), template("2")]
        asked = [asyncio.ensure_future(ratings.ratings(pod, named())) for pod in pods]
        await asyncio.sleep(0)
        server.is_open.set()
        *_, wrong, right = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(wrong, InvalidProblemError)
        assert "questions[0].pod" in str(wrong)
        assert isinstance(right, Ratings)

    run(ask())


def test_question_ends_with_its_own_time_and_the_next_is_answered() -> None:
    async def ask() -> None:
        server = Server(Cluster().node("a"))
        server.is_open.clear()
        ratings = source(server, budget_s=0.05)
        asked = [ratings.ratings(template(), named(f"p{k}")) for k in range(5)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(error) for error in found} == {DeadlineExceededError}
        server.is_open.set()
        ratings = source(server)
        assert told(await ratings.ratings(template(), named()))["a"][0] == ""

    run(ask())


class OutOfOrder(Server):
    """Holds each answer back until it is released, so that a later one may arrive first."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.releases: list[asyncio.Event] = []

    async def rate(
        self, request: scheduling_service_pb2.RateNodesRequest
    ) -> scheduling_service_pb2.RateNodesResponse:
        release = asyncio.Event()
        self.releases.append(release)
        response = await super().rate(request)
        await release.wait()
        return response

    async def asked(self, count: int) -> None:
        """Wait until so many requests have come."""
        while len(self.releases) < count:
            await asyncio.sleep(0)


def test_answer_of_an_older_state_does_not_hide_which_labels_count() -> None:
    """A database that avoids the tier "noisy" comes to node a between two questions.

    The later question is answered first; it was asked without the label, and says that the label counts. The
    older answer, which knows of no such label, arrives at the same moment and must not make it forgotten.
    """
    shy = template("1")
    term = shy.pod_anti_affinity.required.add(topology_key="kubernetes.io/hostname")
    term.label_selector.match_labels["tier"] = "noisy"
    noisy = template("1")
    noisy.labels["tier"] = "noisy"

    async def ask() -> None:
        server = OutOfOrder(Cluster().node("a").node("b"))
        ratings = source(server)
        older = asyncio.ensure_future(ratings.ratings(template("2"), named("other")))
        await server.asked(1)
        server.apply(delta().pod("db-0", "a", shy))
        later = asyncio.ensure_future(ratings.ratings(noisy, named("noisy")))
        await server.asked(2)
        server.releases[1].set()
        server.releases[0].set()
        await older
        await server.asked(3)
        assert dict(server.requests[2].questions[0].pod.labels) == {"tier": "noisy"}
        server.releases[2].set()
        assert {node: score > 0 for node, (_, score) in told(await later).items()} == {"a": False, "b": True}
        following = asyncio.ensure_future(ratings.ratings(noisy, named("noisy")))
        await server.asked(4)
        assert dict(server.requests[3].questions[0].pod.labels) == {"tier": "noisy"}, "asked right at once"
        server.releases[3].set()
        await following

    run(asyncio.wait_for(ask(), 10))


def test_server_without_a_snapshot_rates_nothing() -> None:
    service = SchedulingService(ClusterState())
    request = scheduling_service_pb2.RateNodesRequest()
    with pytest.raises(NoStateError):
        run(service.RateNodes(request, None))  # type: ignore[arg-type]

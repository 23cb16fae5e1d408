"""Several feeds that tell one server about the same cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
from binwright.v1 import scheduling_service_pb2 as api
from binwright_clients.cluster.api import ClusterApi, ObjectList
from binwright_clients.cluster.errors import UnreachableError
from binwright_clients.extender import feed as feed_module
from binwright_clients.extender.backend import Backend
from binwright_clients.extender.cluster import Changed, Listed
from binwright_clients.extender.feed import Feed
from binwright_clients.extender.run import Listening, run_extender
from binwright_clients.rpc_errors import SnapshotNeededError
from binwright_server.errors import NoStateError
from binwright_server.scheduling.feeders import LEASE_S, FeederLease
from binwright_server.scheduling.service import SchedulingService
from binwright_server.scheduling.state import ClusterState
from extender_harness import node_json, pod_json
from grpc import StatusCode


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(feed_module, "GATHER_S", 0.0)


class World:
    """A service with a clock of its own, and what it was sent by each feed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.state = ClusterState()
        self.service = SchedulingService(self.state, lease=FeederLease(lambda: self.now))
        self.snapshots: list[str] = []

    def backend(self, name: str) -> Any:
        """A connection of one feed, as errors come over it."""
        world = self

        class Connection:
            async def update(self, request: api.UpdateClusterRequest, _: float) -> api.UpdateClusterResponse:
                try:
                    response = await world.service.UpdateCluster(request, None)  # type: ignore[arg-type]
                except NoStateError as error:
                    raise SnapshotNeededError(str(error), StatusCode.FAILED_PRECONDITION) from error
                if request.is_snapshot and not response.is_standing_by:
                    world.snapshots.append(name)
                return response

        return Connection()


@asynccontextmanager
async def feeding(world: World, name: str, *nodes: str) -> AsyncIterator[Feed]:
    """A feed of a cluster with these nodes, while it runs."""
    feed = Feed(world.backend(name))
    feed.put(Listed("nodes", tuple(node_json(node) for node in nodes)))
    feed.put(Listed("pods", ()))
    feed.put(Listed("namespaces", ()))
    task = asyncio.create_task(feed.run())
    try:
        yield feed
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(is_so: Callable[[], bool]) -> None:
    """Give the feeds time until it is so."""
    async with asyncio.timeout(20):
        while not is_so():
            await asyncio.sleep(0.005)


async def heartbeats(world: World, rounds: int = 20) -> None:
    """Let all feeds send while less time passes than makes a feed silent."""
    for _ in range(rounds):
        world.now += LEASE_S / 4
        await asyncio.sleep(0.05)


def test_one_of_two_feeds_counts_and_the_other_takes_over_when_it_falls_silent() -> None:
    async def told() -> World:
        world = World()
        async with AsyncExitStack() as stack:
            first_stack = await stack.enter_async_context(AsyncExitStack())
            first = await first_stack.enter_async_context(feeding(world, "first", "a"))
            await until(lambda: bool(world.snapshots))
            second = await stack.enter_async_context(feeding(world, "second", "a"))
            await heartbeats(world)
            for feed in (first, second):
                feed.put(Changed("nodes", node_json("b"), False))
            await until(lambda: "b" in world.state.nodes)
            await heartbeats(world, 4)
            assert world.snapshots == ["first"], "no feed makes the other send everything again"
            await first_stack.aclose()
            second.put(Changed("nodes", node_json("c"), False))
            await asyncio.sleep(0.1)
            assert sorted(world.state.nodes) == ["a", "b"], "not yet: the first may be heard again"
            world.now += LEASE_S
            await until(lambda: "c" in world.state.nodes)
        return world

    world = asyncio.run(told())
    assert world.snapshots == ["first", "second"]


def test_objects_that_become_unreadable_are_deleted_instead_of_staying_as_they_were(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def told() -> World:
        world = World()
        async with feeding(world, "first", "a", "b") as feed:
            feed.put(Changed("pods", pod_json("p"), False))
            await until(lambda: ("default", "p") in world.state.pods)
            feed.put(Changed("nodes", node_json("a", cpu="lots"), False))
            feed.put(Changed("pods", pod_json("p", cpu="lots"), False))
            await until(lambda: "a" not in world.state.nodes and not world.state.pods)
        return world

    world = asyncio.run(told())
    assert list(world.state.nodes) == ["b"]
    assert len(world.snapshots) == 1, "a deletion is enough"
    assert [record.getMessage().split(" is left out")[0] for record in caplog.records] == [
        "node a",
        "pod default/p",
    ]


def test_rules_that_plans_pass_over_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Sidecars take ports of their node, too; this one by a protocol that no reader of ours knows."""
    proxy = {"name": "proxy", "restartPolicy": "Always", "ports": [{"hostPort": 80, "protocol": "New"}]}

    async def told() -> None:
        world = World()
        async with feeding(world, "first", "a") as feed:
            for name in ("p", "q"):
                feed.put(Changed("pods", pod_json(name, initContainers=[proxy]), False))
            feed.put(Changed("pods", pod_json("plain"), False))
            await until(lambda: len(world.state.pods) == 3)

    asyncio.run(told())
    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert "(pod default/p for one) carry host ports that cannot be read" in record.getMessage()


def test_pod_whose_rules_make_no_sense_takes_its_room_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    """The API server takes a selector that no labels can satisfy."""
    never = [{"key": "app", "operator": operator} for operator in ("Exists", "DoesNotExist")]
    spread = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    spread["labelSelector"] = {"matchExpressions": never}

    async def told() -> World:
        world = World()
        async with feeding(world, "first", "a") as feed:
            pod = pod_json("p", nodeName="a", topologySpreadConstraints=[spread])
            feed.put(Changed("pods", pod, False))
            await until(lambda: bool(world.state.pods))
        return world

    world = asyncio.run(told())
    assert [pod.node for pod in world.state.pods.values()] == ["a"]
    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert "carry topologySpreadConstraints" in record.getMessage()


def test_feed_that_comes_back_stands_by() -> None:
    lease_clock = [0.0]
    lease = FeederLease(lambda: lease_clock[0])
    assert lease.is_given("a")
    assert not lease.is_given("b")
    lease_clock[0] = LEASE_S
    assert lease.is_given("b")
    assert not lease.is_given("a")
    lease_clock[0] = 1.9 * LEASE_S
    assert lease.is_given("b")
    lease_clock[0] = 2.5 * LEASE_S
    assert not lease.is_given("a")


def test_updates_without_a_name_are_taken_from_anybody() -> None:
    world = World()
    for epoch in ("e1", "e2"):
        request = api.UpdateClusterRequest(is_snapshot=True, epoch=epoch)
        request.nodes.add(name=epoch, allocatable={"cpu": "1"})
        response = asyncio.run(world.service.UpdateCluster(request, None))  # type: ignore[arg-type]
        assert not response.is_standing_by
    assert sorted(world.state.nodes) == ["e2"]


def test_labels_of_namespaces_are_told_as_they_change() -> None:
    def labelled(team: str) -> dict[str, Any]:
        return {"metadata": {"name": "shop", "labels": {"team": team}}, "status": {"phase": "Active"}}

    async def told() -> None:
        world = World()
        async with feeding(world, "first", "a") as feed:
            feed.put(Changed("namespaces", labelled("x"), False))
            await until(lambda: world.state.namespaces.labels("shop").get("team") == "x")
            feed.put(Changed("namespaces", labelled("y"), False))
            await until(lambda: world.state.namespaces.labels("shop").get("team") == "y")
            feed.put(Listed("namespaces", (labelled("z"),)))
            await until(lambda: world.state.namespaces.labels("shop").get("team") == "z")
            feed.put(Changed("namespaces", labelled("z"), True))
            await until(lambda: "team" not in world.state.namespaces.labels("shop"))

    asyncio.run(told())


def test_pods_that_are_being_deleted_are_told_as_such() -> None:
    going = pod_json("p", nodeName="a")
    going["metadata"]["deletionTimestamp"] = "2026-11-30T12:00:00Z"

    async def told() -> None:
        world = World()
        async with feeding(world, "first", "a") as feed:
            feed.put(Changed("pods", pod_json("p", nodeName="a"), False))
            await until(lambda: ("default", "p") in world.state.pods)
            assert not world.state.pods["default", "p"].is_ending
            feed.put(Changed("pods", going, False))
            await until(lambda: world.state.pods["default", "p"].is_ending)

    asyncio.run(told())


def test_nothing_is_told_before_all_kinds_are_listed() -> None:
    """Without the labels of namespaces a rule could be taken for one that binds nobody."""

    async def told() -> World:
        world = World()
        feed = Feed(world.backend("first"))
        task = asyncio.create_task(feed.run())
        feed.put(Listed("nodes", (node_json("a"),)))
        feed.put(Listed("pods", ()))
        await asyncio.sleep(0.2)
        assert not world.snapshots
        feed.put(Listed("namespaces", ()))
        await until(lambda: bool(world.snapshots))
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return world

    assert asyncio.run(told()).state.nodes.keys() == {"a"}


def test_objects_that_no_api_server_would_send_are_left_out_and_the_feed_goes_on() -> None:
    """A text that is none, a phase that is a list, metadata that are none; node b is told all the same."""
    half = node_json("half")
    half["metadata"]["labels"]["a"] = "\ud800"
    odd = pod_json("odd")
    odd["status"]["phase"] = []

    async def told() -> World:
        world = World()
        async with feeding(world, "first", "a") as feed:
            feed.put(Changed("nodes", half, False))
            feed.put(Changed("nodes", {"metadata": ["x"]}, False))
            feed.put(Changed("pods", odd, False))
            feed.put(Changed("nodes", node_json("b"), False))
            await until(lambda: "b" in world.state.nodes)
        return world

    assert asyncio.run(told()).state.nodes.keys() == {"a", "b"}


class Away(ClusterApi):
    """An API server that does not answer."""

    def __init__(self) -> None:
        self.name = "away"

    def list(self, path: str, **_: Any) -> ObjectList:
        raise UnreachableError(f"{path}: nobody answers")


def test_extender_ends_when_its_feed_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Going on, it would answer from an old picture for ever; whoever runs it starts it again."""

    async def broken(_: Feed) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(Feed, "run", broken)
    serving = run_extender(lambda: Backend("127.0.0.1:1"), Listening("127.0.0.1", 0), Away())
    with pytest.raises(ZeroDivisionError):
        asyncio.run(asyncio.wait_for(serving, 30))

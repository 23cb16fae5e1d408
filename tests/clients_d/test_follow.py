"""Following a kind across outages, and what is told of them."""

from __future__ import annotations

import itertools
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from binwright_clients.cluster import follow as follow_module
from binwright_clients.cluster.access import open_cluster
from binwright_clients.cluster.api import ClusterApi, ObjectList, WatchEvent
from binwright_clients.cluster.errors import ClusterError, ForbiddenError, UnreachableError
from binwright_clients.cluster.follow import Follower, pause_s
from binwright_clients.cluster.kinds import NODES
from binwright_clients.cluster.outage import Outage
from binwright_clients.extender.cluster import Changed, ClusterWatch, Event, Listed
from hypothesis import given
from hypothesis import strategies as st
from kube_double import KubeDouble, kube_double, node, pod, write_kubeconfig

LOGGER = "binwright_clients.extender.cluster"
FOLLOWING = "binwright_clients.cluster.follow"


@pytest.fixture
def double() -> Iterator[KubeDouble]:
    with kube_double() as running:
        running.put("nodes", node("n1"))
        running.put("pods", pod("web-1", on="n1"))
        yield running


@pytest.fixture
def api(double: KubeDouble, tmp_path: Path) -> ClusterApi:
    return open_cluster(write_kubeconfig(double, tmp_path / "kubeconfig"))


def until(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    ends_at = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < ends_at, "did not happen in time"
        time.sleep(0.02)


@given(st.integers(1, 2_000), st.floats(0, 1, exclude_max=True))
def test_pauses_double_up_to_half_a_minute_and_are_drawn(failures: int, drawn: float) -> None:
    longest = min(30.0, 0.5 * 2.0 ** min(failures - 1, 10))
    assert longest / 2 <= pause_s(failures, lambda: drawn) <= longest
    assert pause_s(failures, lambda: 0.0) <= pause_s(failures + 1, lambda: 0.0)


def test_an_outage_of_several_parts_begins_and_ends_once() -> None:
    told: list[str] = []
    seconds = itertools.count()
    outage = Outage(
        lambda error: told.append(str(error)),
        lambda length_s: told.append(f"after {length_s:.0f}"),
        clock=lambda: float(next(seconds)),
    )
    outage.well("nodes")
    for part in ("nodes", "pods", "nodes", "pods"):
        outage.failed(part, UnreachableError(f"no answer to {part}"))
    outage.well("nodes")
    assert told == ["no answer to nodes"]
    outage.well("pods")
    assert told == ["no answer to nodes", "after 1"]
    outage.failed("pods", UnreachableError("gone"))
    outage.failed("pods", ForbiddenError("back, but closed"))
    outage.failed("pods", ForbiddenError("still closed"))
    assert told[2:] == ["gone", "back, but closed"]


def test_the_extender_follows_nodes_pods_and_namespaces(api: ClusterApi, double: KubeDouble) -> None:
    events: list[Event] = []
    watch = ClusterWatch(api, events.append)
    watch.start()
    kinds = {"nodes", "pods", "namespaces"}
    until(lambda: {event.kind for event in events if isinstance(event, Listed)} == kinds)
    double.put("pods", pod("web-2", on="n1"))
    until(lambda: any(isinstance(e, Changed) and e.item["metadata"]["name"] == "web-2" for e in events))
    double.remove("pods", "web-2", "default")
    until(lambda: any(isinstance(e, Changed) and e.is_gone for e in events))
    double.put("namespaces", {"metadata": {"name": "shop"}})
    until(lambda: any(isinstance(e, Changed) and e.kind == "namespaces" for e in events))
    watch.close()


def test_a_mistake_with_one_object_is_told_and_the_kind_is_listed_anew(
    api: ClusterApi, double: KubeDouble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else its thread would end without a word, and whoever asks be told of the cluster as it was then."""
    monkeypatch.setattr(follow_module, "pause_s", lambda _failures: 0.02)
    listed: list[ObjectList] = []
    seen: list[str] = []
    failures: list[ClusterError] = []

    def changed(event: WatchEvent) -> None:
        name = event.object["metadata"]["name"]
        seen.append(name)
        if name == "odd":
            raise ZeroDivisionError("a mistake of ours")

    follower = Follower(api, NODES, listed=listed.append, changed=changed, failed=failures.append)
    follower.start()
    until(lambda: len(listed) == 1)
    double.put("nodes", node("odd"))
    until(lambda: len(listed) == 2)
    double.put("nodes", node("n2"))
    until(lambda: "n2" in seen)
    follower.stop()
    assert {item["metadata"]["name"] for item in listed[1].items} == {"n1", "odd"}
    assert [str(error) for error in failures] == [
        "test: following nodes failed: ZeroDivisionError('a mistake of ours')"
    ]
    assert [record.exc_info is not None for record in caplog.records if record.name == FOLLOWING] == [True]


def test_an_outage_of_the_api_server_is_two_lines_of_log(
    api: ClusterApi, double: KubeDouble, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some ten tries of three threads fail meanwhile, none of which urllib3 repeats or speaks of."""
    tries = threading.Semaphore(0)

    def brief(_failures: int) -> float:
        tries.release()
        return 0.02

    monkeypatch.setattr(follow_module, "pause_s", brief)
    caplog.set_level(logging.INFO)
    double.token = "changed"
    watch = ClusterWatch(api, lambda _event: None)
    watch.start()
    for _ in range(10):
        assert tries.acquire(timeout=30)
    double.token = "right"

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == LOGGER]

    until(lambda: len(lines()) == 2)
    watch.close()
    began, ended = lines()
    assert began.startswith("the cluster is not followed, trying again: test: GET /api/v1/")
    assert ended.startswith("the cluster is followed again after ")
    assert not [record for record in caplog.records if record.name.startswith("urllib3")]


def test_a_server_that_vanishes_without_a_word_is_noticed_within_a_minute(
    api: ClusterApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux asks after 30 s of silence, three times 10 s apart, and ends the connection then."""
    opened: list[socket.socket] = []
    connect = urllib3.util.connection.create_connection

    def connected(*address: Any, **options: Any) -> socket.socket:
        opened.append(connect(*address, **options))
        return opened[-1]

    monkeypatch.setattr(urllib3.util.connection, "create_connection", connected)
    api.get(NODES.path)
    (used,) = opened
    assert used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    if sys.platform == "linux":
        settings = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        assert [used.getsockopt(socket.IPPROTO_TCP, name) for name in settings] == [30, 10, 3]

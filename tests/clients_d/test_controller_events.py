"""Events are written beside the rounds."""

from __future__ import annotations

import threading
from typing import Any, cast

from binwright_clients.cluster.api import ClusterApi
from binwright_clients.cluster.errors import UnreachableError
from binwright_clients.controller.claims import DECISION_ANNOTATION
from binwright_clients.controller.cycle import Outcome
from binwright_clients.controller.event_writer import EventWriter
from binwright_clients.controller.observation import PendingPod
from binwright_clients.controller.reports import Reports
from controller_world import planned

Json = dict[str, Any]


class SlowServer:
    """Answers once it is let; ``fails`` of the first requests come to nothing."""

    def __init__(self, fails: int = 0) -> None:
        self.let = threading.Event()
        self.fails = fails
        self.written: list[str] = []

    def create(self, path: str, body: Json) -> Json:
        assert path == f"/api/v1/namespaces/{body['metadata']['namespace']}/events"
        self.let.wait(30.0)
        if self.fails:
            self.fails -= 1
            raise UnreachableError("no route")
        self.written.append(body["reason"])
        return body


def event(reason: str) -> Json:
    return {"metadata": {"namespace": "default"}, "reason": reason}


def test_a_decision_does_not_wait_for_its_events() -> None:
    """Two NodeClaims are told while the first event is still on its way; all six events come in the end."""
    server = SlowServer()
    told: list[str] = []
    writer = EventWriter(cast(ClusterApi, server), told.append)
    writer.start()
    records: list[Json] = []
    reports = Reports(records.append, writer.write, "one")
    for names in ("ab", "cd"):
        claim = planned([PendingPod(name, "default", name) for name in names])
        claim.manifest["metadata"]["annotations"][DECISION_ANNOTATION] = "d"
        reports.claim(claim, Outcome.CREATED, uid="u")
    assert [record["event"] for record in records] == ["node-claim-created"] * 2
    assert server.written == []
    server.let.set()
    writer.stop()
    assert server.written == ["Decided", "Nominated", "Nominated"] * 2
    assert told == []


def test_events_that_cannot_be_written_are_told_once_and_those_beyond_the_most_are_dropped() -> None:
    server = SlowServer(fails=2)
    told: list[str] = []
    writer = EventWriter(cast(ClusterApi, server), told.append, most=3)
    for k in range(5):
        writer.write(event(f"e{k}"))
    assert told == ["events are dropped: 3 wait to be written"]
    server.let.set()
    writer.start()
    writer.stop()
    assert server.written == ["e2"]
    assert told[1:] == ["an event was not written: no route"]

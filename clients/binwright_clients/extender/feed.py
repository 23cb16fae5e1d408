"""Keeps a server's picture of the cluster current: a snapshot, then what changed.

The feed keeps the messages of all objects, so that a server that was restarted gets a snapshot at once. Where
several feed one server, it listens to one of them; the others keep their messages current and stand by.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from binwright.v1 import problem_pb2
from binwright.v1 import scheduling_service_pb2 as api
from binwright_optimizer.errors import BinwrightError, InvalidProblemError

from binwright_clients.errors import InputError
from binwright_clients.extender.backend import Backend
from binwright_clients.extender.cluster import Changed, Event
from binwright_clients.extender.objects import (
    has_ended,
    read_namespace,
    read_node,
    read_pod,
    rules_unplanned,
)
from binwright_clients.rpc_errors import SnapshotNeededError

GATHER_S = 0.02
"""Changes are sent together; kube-scheduler binds a pod at a time and asks for the next at once."""

HEARTBEAT_S = 0.5
"""Without changes, an empty delta asks whether the server still holds the snapshot."""

SEND_S = 30.0
PAUSE_S = 0.2

_READ: dict[str, Callable[[Any], Message]] = {
    "nodes": read_node,
    "pods": read_pod,
    "namespaces": read_namespace,
}
"""Kinds that an update has, with what reads an object of each."""

_log = logging.getLogger(__name__)


_INDEXED = re.compile(r"^(nodes|pods|namespaces)\[(\d+)\]")
"""Objects in the paths of a server's complaints."""

Key = tuple[str, str]
"""Namespace and name; the namespace of nodes and namespaces is empty."""

Message = api.ClusterNode | api.ClusterPod | problem_pb2.Namespace


class Pending:
    """What changed since the last update: the latest of each object by kind, None if it is gone.

    The latest only, as an update says what is gone before it says what is there.
    """

    def __init__(self) -> None:
        self.changes: dict[str, dict[Key, Message | None]] = {kind: {} for kind in _READ}

    def request(self, epoch: str) -> api.UpdateClusterRequest:
        """The delta on a snapshot."""
        gone = {
            kind: [key for key, message in found.items() if message is None]
            for kind, found in self.changes.items()
        }
        return api.UpdateClusterRequest(
            epoch=epoch,
            nodes=self._there("nodes"),
            pods=self._there("pods"),
            namespaces=self._there("namespaces"),
            deleted_nodes=[name for _, name in gone["nodes"]],
            deleted_pods=[api.PodName(name=name, namespace=namespace) for namespace, name in gone["pods"]],
            deleted_namespaces=[name for _, name in gone["namespaces"]],
        )

    def _there(self, kind: str) -> list[Any]:
        return [message for message in self.changes[kind].values() if message is not None]


class Feed:
    """Takes events from any thread and tells the server; to be made in the running loop.

    Objects that cannot be read, or that the server refuses, are left out, and said so once.
    """

    def __init__(self, backend: Backend, clock: Callable[[], float] = time.monotonic) -> None:
        self._backend = backend
        self._clock = clock
        self._agreed_s = float("nan")
        """When the server last held what we know, or what the extender knows that we stand by for."""
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._held: dict[str, dict[Key, Any]] = {kind: {} for kind in _READ}
        self._listed: set[str] = set()
        self._pending = Pending()
        self._epoch = ""
        self._name = secrets.token_hex(8)
        self._stands_by = False
        self._told: set[str] = set()
        self._unplanned: set[str] = set()
        """Rules that pods carry and that plans pass over; told once each."""

    def put(self, event: Event) -> None:
        """Take an event, from any thread; once the loop is closed there is nobody to be told."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def unlisted(self) -> tuple[str, ...]:
        """Kinds that have not been listed yet: nothing is sent before all are."""
        return tuple(kind for kind in _READ if kind not in self._listed)

    def nodes(self) -> int:
        """Number of nodes known, without those left out."""
        return len(self._held["nodes"])

    def age_s(self) -> float:
        """Seconds since the server last held what we know; NaN before it ever did."""
        return self._clock() - self._agreed_s

    async def run(self) -> None:
        """Feed until cancelled."""
        while True:
            await self._gather()
            if self._listed != _READ.keys():
                continue
            request = self._request()
            began_s = self._clock()
            try:
                response = await self._backend.update(request, SEND_S)
            except SnapshotNeededError:
                self._epoch = ""  # a restarted server, or it is our turn; the next round sends all
                self._stands_by = False
            except InvalidProblemError as error:
                self._epoch = ""
                if not self._leave_out(request, error):
                    _log.error("the server refuses the cluster's state: %s", error)
                    await asyncio.sleep(PAUSE_S)
            except BinwrightError as error:
                self._epoch = ""
                _log.warning("the server does not take the cluster's state: %s", error)
                await asyncio.sleep(PAUSE_S)
            else:
                self._pending = Pending()
                self._agreed_s = began_s
                if response.is_standing_by and not self._stands_by:
                    _log.info("another extender tells the server about the cluster; this one stands by")
                self._stands_by = response.is_standing_by
                self._epoch = "" if self._stands_by else request.epoch
                if request.is_snapshot and not self._stands_by:
                    _log.info("the server holds %d nodes and %d pods", response.nodes, response.pods)

    async def _gather(self) -> None:
        """Wait for an event, unless a snapshot is due, and take what else has come."""
        if self._stands_by:
            await asyncio.sleep(HEARTBEAT_S)
        elif self._epoch or self._listed != _READ.keys():
            try:
                event = await asyncio.wait_for(self._events.get(), HEARTBEAT_S)
            except TimeoutError:
                return
            self._take(event)
            await asyncio.sleep(GATHER_S)
        while not self._events.empty():
            self._take(self._events.get_nowait())

    def _request(self) -> api.UpdateClusterRequest:
        """What is due: what changed, everything, or the question whether it is our turn."""
        if self._stands_by:
            return api.UpdateClusterRequest(feeder=self._name)
        request = self._pending.request(self._epoch) if self._epoch else self._snapshot()
        request.feeder = self._name
        return request

    def _snapshot(self) -> api.UpdateClusterRequest:
        return api.UpdateClusterRequest(
            is_snapshot=True,
            epoch=secrets.token_hex(8),
            nodes=self._held["nodes"].values(),
            pods=self._held["pods"].values(),
            namespaces=self._held["namespaces"].values(),
        )

    def _leave_out(self, request: api.UpdateClusterRequest, error: InvalidProblemError) -> bool:
        """Forget the objects that the server refuses; whether there were any."""
        found = False
        for violation in error.violations:
            match = _INDEXED.match(violation.field)
            if match is None:
                continue
            found = True
            kind = match[1]
            refused = getattr(request, kind)[int(match[2])]
            namespace = (refused.namespace or "default") if kind == "pods" else ""
            self._held[kind].pop((namespace, refused.name), None)
            self._tell_once(_shown(kind, (namespace, refused.name)), violation)
        return found

    def _take(self, event: Event) -> None:
        """Note an event; a listing calls for a snapshot."""
        if isinstance(event, Changed):
            self._put(event.kind, event.item, event.is_gone)
            return
        self._listed.add(event.kind)
        self._epoch = ""
        self._held[event.kind].clear()
        for item in event.items:
            self._put(event.kind, item, False)

    def _put(self, kind: str, item: dict[str, Any], is_gone: bool) -> None:
        metadata = item.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        name, namespace = str(metadata.get("name", "")), str(metadata.get("namespace", "") or "default")
        key = (namespace if kind == "pods" else "", name)
        message: Message | None = None  # also of what cannot be read: it is not what it was before
        try:
            if not is_gone and not (kind == "pods" and has_ended(item)):
                message = _READ[kind](item)
        except (InputError, UnicodeEncodeError) as error:  # half of a surrogate pair is no text for protobuf
            self._tell_once(_shown(kind, key), error)
        self._pending.changes[kind][key] = message
        if message is None:
            self._held[kind].pop(key, None)
            return
        self._held[kind][key] = message
        if isinstance(message, api.ClusterPod):
            self._tell_unplanned(_shown(kind, key), rules_unplanned(item, message.template))

    def _tell_unplanned(self, pod: str, rules: Iterable[str]) -> None:
        """Say that scores follow a plan that does not know some rules of the cluster's pods."""
        for rule in rules:
            if rule not in self._unplanned:
                self._unplanned.add(rule)
                _log.warning(
                    "pods of this cluster (%s for one) carry %s: kube-scheduler holds them to it, but the"
                    " plan that scores follow does not know it, and may keep fewer nodes than they need",
                    pod,
                    rule,
                )

    def _tell_once(self, what: str, reason: object) -> None:
        if what not in self._told:
            self._told.add(what)
            _log.warning("%s is left out: %s", what, reason)


def _shown(kind: str, key: Key) -> str:
    """The object in words.

    >>> _shown("pods", ("default", "web")), _shown("nodes", ("", "n1"))
    ('pod default/web', 'node n1')
    """
    return f"{kind.removesuffix('s')} {'/'.join(filter(None, key))}"

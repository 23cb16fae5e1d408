"""A live cluster's nodes and pods: listed once, then watched.

Objects are read as JSON straight from the API server: the client's model classes would take a hundred
times as long.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

WATCH_S = 240
"""A watch ends after this long and is resumed: a dead connection is noticed by then."""

PAUSE_S = 1.0
"""Rest after a failure."""

_GONE = 410
_CHANGES = frozenset({"ADDED", "MODIFIED", "DELETED"})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """All objects of a kind, which replace those before."""

    kind: str
    items: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """One object that came, changed or went."""

    kind: str
    item: dict[str, Any]
    is_gone: bool


Event = Listed | Changed


class ResourceExpiredError(Exception):
    """The API server no longer knows what came after the version that a watch resumes from."""


class ClusterWatch:
    """Watches nodes and pods in a thread each and hands over what happens.

    Parameters
    ----------
    api
        ``kubernetes.client.CoreV1Api``.
    put
        Called from the threads with each event.
    """

    def __init__(self, api: Any, put: Callable[[Event], None]) -> None:
        self._put = put
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._follow, args=arguments, name=f"watch-{arguments[0]}", daemon=True)
            for arguments in (("nodes", api.list_node), ("pods", api.list_pod_for_all_namespaces))
        ]

    def start(self) -> None:
        """Begin to watch."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End; threads that wait for the API server end with the process."""
        self._stop.set()

    def _follow(self, kind: str, call: Callable[..., Any]) -> None:
        while not self._stop.is_set():
            try:
                version = self._list(kind, call)
                while not self._stop.is_set():
                    version = self._watch(kind, call, version)
            except ResourceExpiredError:
                _log.info("%s: listing again: the watch is too old", kind)
            except Exception as error:
                # Whatever the API server, the network or the client's code did: the watch goes on.
                _log.warning("%s: %s: %s; trying again", kind, type(error).__name__, _first_line(error))
                self._stop.wait(PAUSE_S)

    def _list(self, kind: str, call: Callable[..., Any]) -> str:
        body = json.loads(call(_preload_content=False).data)
        self._put(Listed(kind, tuple(body.get("items") or ())))
        return str((body.get("metadata") or {}).get("resourceVersion", ""))

    def _watch(self, kind: str, call: Callable[..., Any], version: str) -> str:
        """Hand over changes until the watch ends; the version it came to."""
        response = call(
            watch=True,
            resource_version=version,
            allow_watch_bookmarks=True,
            timeout_seconds=WATCH_S,
            _preload_content=False,
            _request_timeout=(10, WATCH_S + 30),
        )
        try:
            for line in _lines(response):
                event = json.loads(line)
                item = event.get("object") or {}
                if event.get("type") == "ERROR":
                    if item.get("code") == _GONE:
                        raise ResourceExpiredError
                    raise ConnectionError(f"the API server ends the watch: {item.get('message')}")
                version = str((item.get("metadata") or {}).get("resourceVersion", version))
                if event.get("type") in _CHANGES:
                    self._put(Changed(kind, item, event["type"] == "DELETED"))
        finally:
            response.release_conn()
        return version


def core_api(kubeconfig: str | None, context: str | None) -> Any:
    """The core API of the cluster that a kubeconfig names, or that we run in.

    Raises
    ------
    kubernetes.config.ConfigException
        If there is neither.
    """
    from kubernetes import client
    from kubernetes import config as untyped_config

    config: Any = untyped_config
    if kubeconfig is None and context is None:
        try:
            config.load_incluster_config()
            return client.CoreV1Api()
        except config.ConfigException:
            pass  # not in a cluster: the user's kubeconfig it is, which tells if there is none either
    return client.CoreV1Api(config.new_client_from_config(kubeconfig, context))


def _lines(response: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(amt=None, decode_content=False):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line.strip())


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]

"""Pods that wait, kept up to date by a watch."""

from __future__ import annotations

import threading
from collections.abc import Callable

from binwright_clients.cluster.api import ClusterApi
from binwright_clients.cluster.errors import ClusterError, GoneError
from binwright_clients.cluster.kinds import PODS
from binwright_clients.controller.observation import pending_pod

UNBOUND = f"spec.nodeName=,{PODS.field_selector}"
"""Selects pods without a node; a pod that gets one leaves the watch as if it were deleted."""

WATCH_S = 300
"""A watch is renewed after this long, as client-go does."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class PendingFeed:
    """Lists unbound pods, then follows their changes in a thread of its own.

    Parameters
    ----------
    on_error
        Called when the API server cannot be watched; the feed tries again after a pause that doubles.
    on_change
        Called after every change.
    """

    def __init__(
        self, api: ClusterApi, on_error: Callable[[ClusterError], None], on_change: Callable[[], None]
    ) -> None:
        self._api = api
        self._on_error = on_error
        self._on_change = on_change
        self._waiting: dict[str, str] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="pending-pods", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End; the thread may linger in a read until the process ends."""
        self._stopping.set()

    def waiting(self) -> frozenset[str]:
        """UIDs of the pods that wait for a node."""
        with self._lock:
            return frozenset(self._waiting)

    def _follow(self) -> None:
        pause_s = FIRST_PAUSE_S
        version = ""
        while not self._stopping.is_set():
            try:
                if not version:
                    version = self._list()
                version = self._watch(version)
                pause_s = FIRST_PAUSE_S
            except GoneError:
                version = ""
                self._stopping.wait(FIRST_PAUSE_S)
            except ClusterError as error:
                self._on_error(error)
                self._stopping.wait(pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)
                # What was missed meanwhile is not known.
                version = ""

    def _list(self) -> str:
        found = self._api.list(PODS.path, field_selector=UNBOUND)
        pending = [pod for item in found.items if (pod := pending_pod(item)) is not None]
        with self._lock:
            self._waiting = {pod.uid: pod.name for pod in pending}
        self._on_change()
        return found.resource_version

    def _watch(self, version: str) -> str:
        for event in self._api.watch(PODS.path, version, timeout_s=WATCH_S, field_selector=UNBOUND):
            metadata = event.object.get("metadata") or {}
            version = str(metadata.get("resourceVersion") or version)
            if self._stopping.is_set():
                break
            if event.type == "BOOKMARK":
                continue
            pod = pending_pod(event.object)
            with self._lock:
                if pod is not None and event.type != "DELETED":
                    self._waiting[pod.uid] = pod.name
                else:
                    self._waiting.pop(str(metadata.get("uid")), None)
            self._on_change()
        return version

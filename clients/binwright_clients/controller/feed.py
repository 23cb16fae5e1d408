"""Pods that wait, kept up to date by a watch."""

from __future__ import annotations

import threading
from collections.abc import Callable

from binwright_clients.cluster.api import ClusterApi, ObjectList, WatchEvent
from binwright_clients.cluster.errors import ClusterError
from binwright_clients.cluster.follow import Follower
from binwright_clients.cluster.kinds import PODS, Kind
from binwright_clients.controller.observation import pending_pod

UNBOUND = f"spec.nodeName=,{PODS.field_selector}"
"""Selects pods without a node; a pod that gets one leaves the watch as if it were deleted."""

UNBOUND_PODS = Kind(PODS.name, PODS.group, PODS.version, PODS.resource, field_selector=UNBOUND)


class PendingFeed:
    """Lists unbound pods, then follows their changes in a thread of its own.

    Parameters
    ----------
    on_error
        Called when the API server cannot be watched; the feed tries again after a pause.
    on_change
        Called after every change.
    on_watch
        Called when the API server has taken up a watch.
    """

    def __init__(
        self,
        api: ClusterApi,
        on_error: Callable[[ClusterError], None],
        on_change: Callable[[], None],
        on_watch: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_change = on_change
        self._waiting: dict[str, str] = {}
        self._lock = threading.Lock()
        self._follower = Follower(
            api, UNBOUND_PODS, listed=self._listed, changed=self._changed, failed=on_error, watching=on_watch
        )

    def start(self) -> None:
        """Begin to follow."""
        self._follower.start()

    def stop(self) -> None:
        """End; the thread may linger in a read until the process ends."""
        self._follower.stop()

    def waiting(self) -> frozenset[str]:
        """UIDs of the pods that wait for a node."""
        with self._lock:
            return frozenset(self._waiting)

    def _listed(self, found: ObjectList) -> None:
        pending = [pod for item in found.items if (pod := pending_pod(item)) is not None]
        with self._lock:
            self._waiting = {pod.uid: pod.name for pod in pending}
        self._on_change()

    def _changed(self, event: WatchEvent) -> None:
        pod = pending_pod(event.object)
        with self._lock:
            if pod is not None and event.type != "DELETED":
                self._waiting[pod.uid] = pod.name
            else:
                self._waiting.pop(str((event.object.get("metadata") or {}).get("uid")), None)
        self._on_change()

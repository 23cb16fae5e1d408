"""A cluster's objects, listed once and then kept by watches: one thread for each kind.

A cluster of 100,000 pods is a gigabyte of JSON; read anew for every batch it would cost more than the solve.
What a watch has told may be a moment old. `cluster_port` reads what must not be old (NodeClaims, pods without
a node) anew and asks here for the rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from binwright_clients.cluster.api import ClusterApi, Json
from binwright_clients.cluster.errors import ClusterError, ForbiddenError, GoneError, NotFoundError
from binwright_clients.cluster.kinds import Kind
from binwright_clients.snapshot.trim import trimmed

WATCH_S = 300
"""A watch is renewed after this long, as client-go does."""

RESYNC_S = 900.0
"""A kind is listed anew after this long, should a watch ever have lost something."""

ABSENT_S = 60.0
"""A kind that is not installed is looked for again this often."""

SYNC_S = 60.0
"""How long a question waits for kinds that are being listed."""

HINT = "binwright controller --print-rbac prints what is needed"

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0


class KindCache:
    """The objects of one kind.

    Parameters
    ----------
    changed
        Notified after every change, under its lock.
    """

    def __init__(
        self,
        api: ClusterApi,
        kind: Kind,
        changed: threading.Condition,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind = kind
        self._api = api
        self._changed = changed
        self._clock = clock
        self._objects: dict[str, Json] = {}
        self._listed_s = 0.0
        self.is_synced = False
        self.error: ClusterError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name=f"watch-{kind.resource}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End; the thread may linger in a read until the process ends."""
        self._stopping.set()

    def objects(self) -> list[Json]:
        """The objects, by namespace and name; to be called under the lock."""
        return [self._objects[key] for key in sorted(self._objects)]

    def _follow(self) -> None:
        pause_s = FIRST_PAUSE_S
        version = ""
        while not self._stopping.is_set():
            try:
                if not version or self._clock() - self._listed_s >= RESYNC_S:
                    version = self._list()
                version = self._watch(version)
                pause_s = FIRST_PAUSE_S
            except GoneError:
                # What was known stays good until the list that follows at once.
                version = ""
                self._stopping.wait(FIRST_PAUSE_S)
            except NotFoundError as error:
                if self.kind.is_core:
                    self._fail(error)
                else:
                    self._replace({})
                version = ""
                self._stopping.wait(ABSENT_S)
            except ClusterError as error:
                # What was missed meanwhile is not known.
                self._fail(error)
                version = ""
                self._stopping.wait(pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def _list(self) -> str:
        began = self._clock()
        found = self._api.list(self.kind.path, field_selector=self.kind.field_selector)
        self._replace({_key(item): trimmed(item) for item in found.items})
        self._listed_s = began
        return found.resource_version

    def _watch(self, version: str) -> str:
        events = self._api.watch(
            self.kind.path, version, timeout_s=WATCH_S, field_selector=self.kind.field_selector
        )
        for event in events:
            version = str((event.object.get("metadata") or {}).get("resourceVersion") or version)
            if self._stopping.is_set():
                break
            if event.type == "BOOKMARK":
                continue
            key = _key(event.object)
            kept = None if event.type == "DELETED" else trimmed(event.object)
            with self._changed:
                if kept is None:
                    self._objects.pop(key, None)
                else:
                    self._objects[key] = kept
                self._changed.notify_all()
        return version

    def _replace(self, objects: dict[str, Json]) -> None:
        with self._changed:
            self._objects, self.is_synced, self.error = objects, True, None
            self._changed.notify_all()

    def _fail(self, error: ClusterError) -> None:
        with self._changed:
            self.is_synced, self.error = False, error
            self._changed.notify_all()


class ClusterCache:
    """The objects of several kinds."""

    def __init__(self, api: ClusterApi, kinds: Iterable[Kind]) -> None:
        self._name = api.name
        self.changed = threading.Condition()
        self._caches = [KindCache(api, kind, self.changed) for kind in kinds]

    def start(self) -> None:
        """Begin to follow."""
        for cache in self._caches:
            cache.start()

    def stop(self) -> None:
        """End."""
        for cache in self._caches:
            cache.stop()

    def objects(self, timeout_s: float = SYNC_S) -> tuple[Json, ...]:
        """All objects, as far as the watches have told.

        Parameters
        ----------
        timeout_s
            How long kinds that are being listed are waited for; one that failed is not waited for.

        Raises
        ------
        ForbiddenError
            If kinds may not be read; it names every one.
        ClusterError
            If a kind cannot be read, or not in time.
        """
        with self.changed:
            self.changed.wait_for(
                lambda: all(cache.is_synced or cache.error is not None for cache in self._caches), timeout_s
            )
            missing = [cache for cache in self._caches if not cache.is_synced]
            if not missing:
                return tuple(item for cache in self._caches for item in cache.objects())
        forbidden = [cache.kind.resource for cache in missing if isinstance(cache.error, ForbiddenError)]
        if forbidden:
            raise ForbiddenError(
                f"{self._name}: no permission to list and watch {', '.join(forbidden)}; {HINT}"
            )
        for cache in missing:
            if cache.error is not None:
                raise cache.error
        names = ", ".join(cache.kind.resource for cache in missing)
        raise ClusterError(f"{self._name}: {names} could not be listed within {timeout_s:g} s")


def _key(item: Json) -> str:
    metadata = item.get("metadata") or {}
    return f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}"

"""A cluster's objects, listed once and then kept by watches: one thread for each kind.

A cluster of 100,000 pods is a gigabyte of JSON; read anew for every batch it would cost more than the solve.
What a watch has told may be a moment old. `cluster_port` reads what must not be old (NodeClaims, pods without
a node) anew and asks here for the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from binwright_clients.cluster.api import ClusterApi, Json, ObjectList, WatchEvent
from binwright_clients.cluster.errors import ClusterError, ForbiddenError
from binwright_clients.cluster.follow import Follower
from binwright_clients.cluster.kinds import Kind
from binwright_clients.snapshot.trim import trimmed

SYNC_S = 60.0
"""How long a question waits for kinds that are being listed."""

HINT = "binwright controller --print-rbac prints what is needed"


class KindCache:
    """The objects of one kind.

    Parameters
    ----------
    changed
        Notified after every change, under its lock.
    """

    def __init__(self, api: ClusterApi, kind: Kind, changed: threading.Condition) -> None:
        self.kind = kind
        self._changed = changed
        self._objects: dict[str, Json] = {}
        self.is_synced = False
        self.error: ClusterError | None = None
        self._follower = Follower(api, kind, listed=self._replace, changed=self._apply, failed=self._fail)

    def start(self) -> None:
        """Begin to follow."""
        self._follower.start()

    def stop(self) -> None:
        """End."""
        self._follower.stop()

    def objects(self) -> list[Json]:
        """The objects, by namespace and name; to be called under the lock."""
        return [self._objects[key] for key in sorted(self._objects)]

    def _apply(self, event: WatchEvent) -> None:
        key = _key(event.object)
        kept = None if event.type == "DELETED" else trimmed(event.object)
        with self._changed:
            if kept is None:
                self._objects.pop(key, None)
            else:
                self._objects[key] = kept
            self._changed.notify_all()

    def _replace(self, found: ObjectList) -> None:
        objects = {_key(item): trimmed(item) for item in found.items}
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

    def unlisted(self) -> tuple[str, ...]:
        """Kinds that are not known at the moment."""
        with self.changed:
            unknown = (cache.kind.resource for cache in self._caches if not cache.is_synced)
            return tuple(dict.fromkeys(unknown))  # several groups have a kind of one name

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

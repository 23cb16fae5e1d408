"""The live cluster as `cycle` sees it.

Which pods wait, and which NodeClaims are on their way for them, is read anew for every look, both at one
version of the store and after everything written before: on that rests that no pod gets two nodes. Everything
else, bound pods and nodes above all, comes from watches (`cache`), which may be a moment behind: what they
tell of too late costs room at worst, and never a second node for the same pods.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from binwright_clients.cluster.api import ClusterApi, Json
from binwright_clients.cluster.errors import ClusterError, ForbiddenError, NotFoundError
from binwright_clients.cluster.kinds import NODE_CLAIMS, PODS
from binwright_clients.controller.cache import HINT, ClusterCache
from binwright_clients.controller.claims import PlannedClaim
from binwright_clients.controller.feed import UNBOUND_PODS
from binwright_clients.controller.observation import Observation, observe
from binwright_clients.snapshot.take import list_at
from binwright_clients.snapshot.trim import trimmed

CATCH_UP_S = 10.0
"""How long the watch of pods has to tell of what happened before a look."""


class LiveCluster:
    """Looks, writes NodeClaims.

    Parameters
    ----------
    cache
        Keeps the kinds of a snapshot; the caller starts it.
    waiting
        UIDs of the pods that wait, from the watch.
    may_write
        Whether we lead.
    """

    def __init__(
        self,
        api: ClusterApi,
        cache: ClusterCache,
        waiting: Callable[[], frozenset[str]],
        may_write: Callable[[], bool],
        catch_up_s: float = CATCH_UP_S,
    ) -> None:
        self._api = api
        self._cache = cache
        self.waiting = waiting
        self.may_write = may_write
        self._catch_up_s = catch_up_s

    def observe(self) -> Observation:
        """Pods that wait and NodeClaims at one moment, the rest as told; raises ClusterError."""
        claims, version = self._claims()
        found, _ = list_at(self._api, UNBOUND_PODS, version)
        unbound = {_uid(item): trimmed(item) for item in found.items}
        return observe([*merged(self._caught_up(unbound, found.resource_version), unbound), *claims])

    def create_claim(self, claim: PlannedClaim) -> str:
        """Create a NodeClaim and return its UID; raises ClusterError."""
        created = self._api.create(NODE_CLAIMS.path, claim.manifest)
        return str((created.get("metadata") or {}).get("uid") or "")

    def _claims(self) -> tuple[list[Json], str]:
        try:
            found = self._api.list(NODE_CLAIMS.path)
        except NotFoundError:  # Karpenter is not installed
            return [], ""
        except ForbiddenError as error:
            raise ForbiddenError(
                f"{self._api.name}: no permission to list {NODE_CLAIMS.resource}; {HINT}"
            ) from error
        return [trimmed(item) for item in found.items], found.resource_version

    def _caught_up(self, unbound: Mapping[str, Json], version: str) -> list[Json]:
        """What the watches told, once they know of every pod that was bound or gone at a version.

        A pod that they show without a node and that was not among the ``unbound`` had one by then; without
        it the room on that node would be sold twice. One that has the name of an ``unbound`` pod had made
        room for it. Pods that came later are the next look's.
        """
        ends_at = time.monotonic() + self._catch_up_s
        names = {_name(item) for item in unbound.values()}
        while True:
            objects, behind = [], 0
            for item in self._cache.objects():
                is_pod = item.get("kind") == PODS.name
                if not is_pod or _uid(item) in unbound or (_node_of(item) and _name(item) not in names):
                    objects.append(item)
                elif not _is_later(item, version):
                    behind += 1
            left = ends_at - time.monotonic()
            if not behind:
                return objects
            if left <= 0:
                raise ClusterError(f"{self._api.name}: the watch of pods is {behind} pod(s) behind")
            with self._cache.changed:
                self._cache.changed.wait(min(left, 0.1))


def merged(objects: Iterable[Json], unbound: Mapping[str, Json]) -> list[Json]:
    """The objects with pods as they are now.

    Parameters
    ----------
    objects
        What watches told: older than ``unbound``, or newer.
    unbound
        Pods without a node, by UID.

    Examples
    --------
    >>> told = [{"kind": "Pod", "metadata": {"uid": "a"}, "spec": {"nodeName": "n1"}}, {"kind": "Node"}]
    >>> [item["kind"] for item in merged(told, {"a": {"kind": "Pod"}, "b": {"kind": "Pod"}})]
    ['Pod', 'Node', 'Pod']
    """
    told = list(objects)
    known = {_uid(item) for item in told if item.get("kind") == PODS.name}
    current = [
        unbound.get(_uid(item), item) if item.get("kind") == PODS.name and not _node_of(item) else item
        for item in told
    ]
    return current + [item for uid, item in unbound.items() if uid not in known]


def _uid(item: Json) -> str:
    return str((item.get("metadata") or {}).get("uid") or "")


def _name(item: Json) -> tuple[str, str]:
    metadata = item.get("metadata") or {}
    return str(metadata.get("namespace") or "default"), str(metadata.get("name"))


def _node_of(item: Json) -> str:
    return str((item.get("spec") or {}).get("nodeName") or "")


def _is_later(item: Json, version: str) -> bool:
    """Whether an object changed after a version; versions of one store are numbers that grow."""
    own = str((item.get("metadata") or {}).get("resourceVersion") or "")
    return own.isdecimal() and version.isdecimal() and int(own) > int(version)

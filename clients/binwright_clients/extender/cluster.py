"""A live cluster's nodes, pods and namespaces: listed once, then watched."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from binwright_clients.cluster.api import ClusterApi, ObjectList, WatchEvent
from binwright_clients.cluster.errors import ClusterError
from binwright_clients.cluster.follow import Follower
from binwright_clients.cluster.kinds import NAMESPACES, NODES, PODS, Kind
from binwright_clients.cluster.outage import Outage

WATCHED_KINDS = (NODES, PODS, NAMESPACES)
"""What the server's picture of the cluster is made of."""

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


class ClusterWatch:
    """Follows each kind in a thread of its own and hands over what happens.

    Parameters
    ----------
    put
        Called from the threads with each event.
    """

    def __init__(self, api: ClusterApi, put: Callable[[Event], None]) -> None:
        self._put = put
        self._outage = Outage(
            lambda error: _log.warning("the cluster is not followed, trying again: %s", error),
            lambda length_s: _log.info("the cluster is followed again after %.0f s", length_s),
        )
        self.unfollowed_s = self._outage.lasts_s
        """For how long some of it has not been followed."""
        self._followers = [self._follower(api, kind) for kind in WATCHED_KINDS]

    def start(self) -> None:
        """Begin to watch."""
        for follower in self._followers:
            follower.start()

    def close(self) -> None:
        """End; threads that wait for the API server end with the process."""
        for follower in self._followers:
            follower.stop()

    def _follower(self, api: ClusterApi, kind: Kind) -> Follower:
        name = kind.resource

        def listed(found: ObjectList) -> None:
            self._put(Listed(name, found.items))

        def changed(event: WatchEvent) -> None:
            self._put(Changed(name, event.object, event.type == "DELETED"))

        failed: Callable[[ClusterError], None] = partial(self._outage.failed, name)
        well = partial(self._outage.well, name)
        return Follower(api, kind, listed=listed, changed=changed, failed=failed, watching=well)

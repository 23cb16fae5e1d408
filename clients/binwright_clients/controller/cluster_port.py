"""The live cluster as `cycle` sees it."""

from __future__ import annotations

from collections.abc import Callable

from binwright_clients.cluster.api import ClusterApi
from binwright_clients.cluster.kinds import NODE_CLAIMS, SNAPSHOT_KINDS
from binwright_clients.controller.claims import PlannedClaim
from binwright_clients.controller.observation import Observation, observe
from binwright_clients.snapshot.take import take_snapshot


class LiveCluster:
    """Reads snapshots, writes NodeClaims.

    Parameters
    ----------
    waiting
        UIDs of the pods that wait, from the watch.
    may_write
        Whether we lead.
    """

    def __init__(
        self, api: ClusterApi, waiting: Callable[[], frozenset[str]], may_write: Callable[[], bool]
    ) -> None:
        self._api = api
        self.waiting = waiting
        self.may_write = may_write

    def observe(self) -> Observation:
        """Everything at one moment, NodeClaims too; raises ClusterError."""
        return observe(take_snapshot(self._api, (*SNAPSHOT_KINDS, NODE_CLAIMS)).objects)

    def create_claim(self, claim: PlannedClaim) -> str:
        """Create a NodeClaim and return its UID; raises ClusterError."""
        created = self._api.create(NODE_CLAIMS.path, claim.manifest)
        return str((created.get("metadata") or {}).get("uid") or "")

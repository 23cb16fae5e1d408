"""Tells what the controller does: one record a step, and events in the cluster."""

from __future__ import annotations

import datetime
from collections.abc import Callable

from binwright_clients.cluster.api import Json
from binwright_clients.controller.claims import DECISION_ANNOTATION, PlannedClaim
from binwright_clients.controller.cycle import Outcome
from binwright_clients.controller.events import (
    created_event,
    left_out_event,
    nominated_event,
    unplaced_event,
)
from binwright_clients.controller.observation import LeftOutPool, PendingPod

MAX_POD_EVENTS = 200
"""Events about pods of one NodeClaim: a node holds 250 at most, and events are a courtesy."""


class Reports:
    """A `cycle.Reporter`.

    Parameters
    ----------
    record
        Takes each record: a mapping with ``event`` and what belongs to it.
    emit
        Takes events for the cluster, and returns at once.
    """

    def __init__(self, record: Callable[[Json], None], emit: Callable[[Json], None], identity: str) -> None:
        self._record = record
        self._emit = emit
        self._identity = identity

    def claim(self, claim: PlannedClaim, outcome: Outcome, *, uid: str = "", message: str = "") -> None:
        """A NodeClaim was handled."""
        self._record(
            {
                "event": f"node-claim-{outcome}",
                "node_claim": claim.name,
                "decision": claim.manifest["metadata"]["annotations"][DECISION_ANNOTATION],
                "reason": message or claim.reason,
                "pods": [pod.decision_name for pod in claim.pods],
            }
        )
        if outcome is Outcome.CREATED:
            now = datetime.datetime.now(datetime.UTC)
            self._emit(created_event(claim, uid, now, self._identity))
            for pod in claim.pods[:MAX_POD_EVENTS]:
                self._emit(nominated_event(pod, claim, now, self._identity))

    def unplaced(self, pod: PendingPod, reason: str) -> None:
        """A pod has no possible node."""
        self._record({"event": "pod-unschedulable", "pod": pod.decision_name, "reason": reason})
        self._emit(unplaced_event(pod, reason, datetime.datetime.now(datetime.UTC), self._identity))

    def left_out(self, pool: LeftOutPool) -> None:
        """No nodes are made from a NodePool for now."""
        self._record({"event": "node-pool-left-out", "node_pool": pool.name, "reason": pool.reason})
        self._emit(left_out_event(pool, datetime.datetime.now(datetime.UTC), self._identity))

    def awaited(self, claim: str, stage: str) -> None:
        """A NodeClaim is on its way."""
        self._record({"event": "waiting-for-node-claim", "node_claim": claim, "reason": stage})

    def remark(self, message: str) -> None:
        """Anything else worth a line."""
        self._record({"event": "remark", "reason": message})

"""Kubernetes events: what ``kubectl describe`` shows of our decisions."""

from __future__ import annotations

import datetime
import hashlib

from binwright_clients.cluster.api import Json
from binwright_clients.controller.claims import PlannedClaim
from binwright_clients.controller.observation import LeftOutPool, PendingPod

COMPONENT = "binwright-controller"
MAX_MESSAGE = 1_024
"""Longest message the API server takes."""

CLUSTER_NAMESPACE = "default"
"""Where events about objects without a namespace go."""


def nominated_event(pod: PendingPod, claim: PlannedClaim, now: datetime.datetime, identity: str) -> Json:
    """A pod will get a node."""
    about = {"kind": "Pod", "apiVersion": "v1", "name": pod.name, "namespace": pod.namespace, "uid": pod.uid}
    message = f"NodeClaim {claim.name}: {claim.reason}"
    return _event(about, pod.namespace, "Nominated", "Normal", message, now, identity)


def unplaced_event(pod: PendingPod, reason: str, now: datetime.datetime, identity: str) -> Json:
    """No node that could be bought would hold a pod."""
    about = {"kind": "Pod", "apiVersion": "v1", "name": pod.name, "namespace": pod.namespace, "uid": pod.uid}
    return _event(about, pod.namespace, "NoNodeWouldHelp", "Warning", reason, now, identity)


def created_event(claim: PlannedClaim, uid: str, now: datetime.datetime, identity: str) -> Json:
    """A NodeClaim was created, at this cost, with this bound; kubectl finds events by UID."""
    about = {"kind": "NodeClaim", "apiVersion": "karpenter.sh/v1", "name": claim.name, "uid": uid}
    return _event(about, CLUSTER_NAMESPACE, "Decided", "Normal", claim.reason, now, identity)


def left_out_event(pool: LeftOutPool, now: datetime.datetime, identity: str) -> Json:
    """No nodes are made from a NodePool for now."""
    about = {"kind": "NodePool", "apiVersion": "karpenter.sh/v1", "name": pool.name, "uid": pool.uid}
    message = f"left out of decisions: {pool.reason}"
    return _event(about, CLUSTER_NAMESPACE, "LeftOut", "Warning", message, now, identity)


def _event(
    about: Json,
    namespace: str,
    reason: str,
    event_type: str,
    message: str,
    now: datetime.datetime,
    identity: str,
) -> Json:
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    key = f"{about.get('uid') or about['name']} {reason} {message} {stamp}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{about['name'][:200]}.{hashlib.sha256(key.encode()).hexdigest()[:16]}",
            "namespace": namespace,
        },
        "involvedObject": about,
        "reason": reason,
        "message": message if len(message) <= MAX_MESSAGE else message[: MAX_MESSAGE - 3] + "...",
        "type": event_type,
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": identity,
    }

"""What the controller needs to know of a cluster, out of its objects."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

from binwright_optimizer.model import labels

from binwright_clients.cluster.api import Json
from binwright_clients.controller.room import rooms
from binwright_clients.karpenter.nodeclasses import EC2_GROUP, node_class_of
from binwright_clients.kubernetes.fields import at, mapping
from binwright_clients.kubernetes.gangs import named_gang
from binwright_clients.kubernetes.workloads import is_finished

NOMINATED_ANNOTATION = "binwright.dev/nominated-pods"
"""On a NodeClaim: UIDs of the pods it is for, as a JSON list."""

MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGER = "binwright"
"""Label and value of our NodeClaims."""


@dataclass(frozen=True, slots=True)
class PendingPod:
    """A pod for which kube-scheduler found no node.

    Parameters
    ----------
    gang
        Name of the gang that it says it belongs to; empty if none.
    """

    uid: str
    namespace: str
    name: str
    gang: str = ""

    @property
    def decision_name(self) -> str:
        """What decisions call it."""
        return self.name if self.namespace == "default" else f"{self.namespace}/{self.name}"


class Offered(NamedTuple):
    """What a NodeClaim may be launched as; an empty zone or capacity type leaves it open."""

    instance_type: str
    zone: str = ""
    capacity_type: str = ""

    def __str__(self) -> str:
        """For people."""
        where = f" in {self.zone}" if self.zone else ""
        return f"{self.instance_type}{where}{', ' if self.capacity_type else ''}{self.capacity_type}"


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A NodeClaim.

    Parameters
    ----------
    pods
        UIDs of the pods it is for; none where it is not ours.
    created_s
        Seconds since the epoch, as the API server says.
    is_deleting
        Karpenter gives it up, for want of capacity perhaps, or the node is being removed.
    is_launched
        A machine exists.
    ready_s
        Since when its node is initialised; None before.
    instance_type
        The one chosen.
    offered
        All that it may be launched as.
    node_name
        Its Node; empty before that has registered.
    is_ours
        Whether we created it, rather than Karpenter itself or somebody else.
    crowded_out
        Those of ``pods`` that its node, ready by now, no longer has room for.
    """

    name: str
    pods: frozenset[str]
    created_s: float
    is_deleting: bool = False
    is_launched: bool = False
    ready_s: float | None = None
    instance_type: str = ""
    offered: frozenset[Offered] = frozenset()
    node_name: str = ""
    is_ours: bool = True
    crowded_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LeftOutPool:
    """A NodePool that nodes would be made from if it were ready, and why it is not."""

    name: str
    uid: str
    reason: str

    def __str__(self) -> str:
        """For people."""
        return f"NodePool {self.name} is left out: {self.reason}"


@dataclass(frozen=True, slots=True)
class Observation:
    """A cluster at one moment.

    Parameters
    ----------
    objects
        Everything, NodeClaims included.
    pending
        Pods that wait, by UID.
    claims
        NodeClaims, ours and others'.
    node_pools
        NodePools that nodes may be made from, by name.
    left_out
        NodePools that Karpenter makes no nodes from for now.
    """

    objects: tuple[Json, ...]
    pending: Mapping[str, PendingPod]
    claims: tuple[ClaimView, ...]
    node_pools: Mapping[str, Json]
    left_out: tuple[LeftOutPool, ...] = ()


def observe(objects: Iterable[Json]) -> Observation:
    """The view of a cluster's objects."""
    kept = tuple(objects)
    pending = (pending_pod(item) for item in kept if item.get("kind") == "Pod")
    claims = [item for item in kept if item.get("kind") == "NodeClaim"]
    pools = {str(at(item, "metadata", "name")): item for item in kept if is_for_demand(item)}
    classes = {str(at(item, "metadata", "name")): item for item in kept if item.get("kind") == "EC2NodeClass"}
    unready = {name: reason for name, pool in pools.items() if (reason := why_unready(pool, classes))}
    return Observation(
        objects=kept,
        pending={pod.uid: pod for pod in pending if pod is not None},
        claims=_with_crowded_out(tuple(claim_view(item) for item in claims), kept),
        node_pools={name: pool for name, pool in pools.items() if name not in unready},
        left_out=tuple(
            LeftOutPool(name, str(at(pools[name], "metadata", "uid") or ""), reason)
            for name, reason in sorted(unready.items())
        ),
    )


def pending_pod(pod: Json) -> PendingPod | None:
    """The pod if it waits for a node that does not exist; Karpenter's ``IsProvisionable``.

    Not those bound, deleted or ended, those about to preempt others, those of daemons and static
    ones, and those that kube-scheduler has not looked at yet or that are gated.
    """
    metadata, spec, status = (mapping(pod.get(part)) for part in ("metadata", "spec", "status"))
    uid, name = metadata.get("uid"), metadata.get("name")
    if not uid or not name or spec.get("nodeName") or metadata.get("deletionTimestamp"):
        return None
    if status.get("nominatedNodeName") or is_finished(pod):
        return None
    owners = metadata.get("ownerReferences") or []
    if any(mapping(owner).get("kind") in ("DaemonSet", "Node") for owner in owners):
        return None
    is_refused = any(
        mapping(condition).get("type") == "PodScheduled"
        and condition.get("status") == "False"
        and condition.get("reason") == "Unschedulable"
        for condition in status.get("conditions") or []
    )
    if not is_refused:
        return None
    told = mapping(metadata.get("annotations"))
    gang, _ = named_gang(spec, mapping(metadata.get("labels")), told.get)
    return PendingPod(str(uid), str(metadata.get("namespace") or "default"), str(name), gang)


def claim_view(claim: Json) -> ClaimView:
    """Our view of a NodeClaim."""
    metadata, status = mapping(claim.get("metadata")), mapping(claim.get("status"))
    is_ours = _is_ours(claim)
    return ClaimView(
        name=str(metadata.get("name")),
        pods=frozenset(_nominated(metadata)) if is_ours else frozenset(),
        created_s=seconds_of(metadata.get("creationTimestamp")) or 0.0,
        is_deleting=bool(metadata.get("deletionTimestamp")),
        is_launched=bool(status.get("providerID")),
        ready_s=_true_since(status, "Initialized"),
        instance_type=instance_type_of(claim),
        offered=offered_by(claim),
        node_name=str(status.get("nodeName") or ""),
        is_ours=is_ours,
    )


def _with_crowded_out(claims: tuple[ClaimView, ...], objects: tuple[Json, ...]) -> tuple[ClaimView, ...]:
    """The claims, with the pods that found their node taken by others."""
    awaited = {
        uid: claim.node_name
        for uid, claim in latest_by_pod(claims).items()
        if claim.ready_s is not None and claim.node_name
    }
    crowded = {name: room.crowded_out() for name, room in rooms(objects, awaited).items()}
    return tuple(
        replace(claim, crowded_out=crowded[claim.node_name]) if crowded.get(claim.node_name) else claim
        for claim in claims
    )


def latest_by_pod(claims: Iterable[ClaimView]) -> dict[str, ClaimView]:
    """The claim that a pod waits for, by UID: of several, the earlier ones came to nothing for it."""
    by_age = sorted(claims, key=lambda claim: (claim.created_s, claim.name))
    return {uid: claim for claim in by_age for uid in claim.pods}


def _is_ours(claim: Json) -> bool:
    """Whether a NodeClaim is ours."""
    return bool(mapping(at(claim, "metadata", "labels")).get(MANAGED_BY) == MANAGER)


def is_for_demand(item: Json) -> bool:
    """Whether an object is a NodePool that nodes are made from on demand: neither static nor deleted."""
    if item.get("kind") != "NodePool" or at(item, "metadata", "deletionTimestamp"):
        return False
    return at(item, "spec", "replicas") is None


def why_unready(pool: Json, ec2_node_classes: Mapping[str, Json]) -> str:
    """Why Karpenter makes no nodes from a NodePool for now; empty if it does.

    Karpenter uses none whose condition ``Ready`` is anything but true; we go by it where there is one.
    Whether the EC2NodeClass is there is looked at beside, as conditions are those of a moment ago, and
    nobody keeps them current while Karpenter is down.

    Examples
    --------
    >>> reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "gpu"}
    >>> pool = {"spec": {"template": {"spec": {"nodeClassRef": reference}}}}
    >>> why_unready(pool, {}), why_unready(pool, {"gpu": {}})
    ('EC2NodeClass gpu is not there', '')
    """
    reference = node_class_of(mapping(at(pool, "spec", "template", "spec", "nodeClassRef")))
    if reference is not None and (reference.group, reference.kind) == (EC2_GROUP, "EC2NodeClass"):
        found = ec2_node_classes.get(reference.name)
        if found is None:
            return f"EC2NodeClass {reference.name} is not there"
        if at(found, "metadata", "deletionTimestamp"):
            return f"EC2NodeClass {reference.name} is being deleted"
    conditions = [mapping(condition) for condition in at(pool, "status", "conditions") or []]
    if all(each.get("status") == "True" for each in conditions if each.get("type") == "Ready"):
        return ""
    told = [each for each in conditions if each.get("type") != "Ready" and each.get("status") != "True"]
    why = "; ".join(f"{each.get('type')}: {each.get('message') or each.get('reason')}" for each in told)
    return f"Karpenter does not take it for ready{f' ({why})' if why else ''}"


def _nominated(metadata: Mapping[str, Any]) -> list[str]:
    """UIDs of the pods that a NodeClaim says it is for."""
    text = mapping(metadata.get("annotations")).get(NOMINATED_ANNOTATION, "[]")
    try:
        uids = json.loads(text)
    except (TypeError, ValueError):
        return []  # somebody edited it; the pods are solved again, and names keep nodes apart
    return [str(uid) for uid in uids] if isinstance(uids, list) else []


def instance_type_of(claim: Json) -> str:
    """The first instance type that a NodeClaim names; empty if it names none."""
    return next(iter(_named(claim, labels.INSTANCE_TYPE)), "")


def offered_by(claim: Json) -> frozenset[Offered]:
    """All that a NodeClaim may be launched as; nothing if it names no instance type."""
    zones = _named(claim, labels.ZONE) or ("",)
    bought = _named(claim, labels.CAPACITY_TYPE) or ("",)
    return frozenset(map(Offered._make, product(_named(claim, labels.INSTANCE_TYPE), zones, bought)))


def _named(claim: Json, key: str) -> tuple[str, ...]:
    """Values of a label that a NodeClaim allows."""
    for requirement in at(claim, "spec", "requirements") or []:
        if mapping(requirement).get("key") == key:
            return tuple(map(str, requirement.get("values") or ()))
    return ()


def _true_since(status: Mapping[str, Any], condition_type: str) -> float | None:
    for condition in status.get("conditions") or []:
        if mapping(condition).get("type") == condition_type and condition.get("status") == "True":
            return seconds_of(condition.get("lastTransitionTime")) or 0.0
    return None


def seconds_of(timestamp: object) -> float | None:
    """Seconds since the epoch of a Kubernetes timestamp; None if it is none.

    >>> seconds_of("1970-01-01T00:01:00Z")
    60.0
    """
    try:
        return datetime.datetime.fromisoformat(str(timestamp).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None

"""The objects of the question where pods should go, out of what was seen of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from binwright_optimizer.model.quantity import format_quantity

from binwright_clients.cluster.api import Json
from binwright_clients.controller.fields import at, mapping
from binwright_clients.controller.observation import (
    Observation,
    is_made_by_us,
    latest_by_pod,
    nominated_pods,
)
from binwright_clients.controller.room import amounts_of, is_over, requests_of
from binwright_clients.kubernetes.nodeclaims import NodesOfClaims, single_values


def problem_objects(observation: Observation, pods: Iterable[str]) -> Iterator[Json]:
    """The objects of the question where ``pods`` (UIDs) are to go.

    A machine that is launched but has no Node yet takes part as the node it will be. Bound pods take their
    room and their part in the rules of others, and so do those that will be: on the node that was bought for
    them, or that they preempt others on. Other pods that wait are somebody else's business.
    """
    wanted = frozenset(pods)
    nodes = NodesOfClaims(item for item in observation.objects if item.get("kind") == "Node")
    claims = [item for item in observation.objects if item.get("kind") == "NodeClaim"]
    coming = [claim for claim in claims if not nodes.name_of(claim) and _is_coming(claim)]
    node_of = {str(at(claim, "metadata", "name")): nodes.name_of(claim) for claim in claims}
    node_of |= {name: _coming_name(name) for claim in coming if (name := str(at(claim, "metadata", "name")))}
    expected = {
        uid: node_of.get(claim.name, "")
        for uid, claim in latest_by_pod(observation.claims).items()
        if not claim.is_deleting and uid not in claim.crowded_out
    }
    pods_of = _pods_of(coming, observation.objects)
    yield from (_coming_node(claim, there) for claim, there in zip(coming, pods_of, strict=True))
    for item in observation.objects:
        kind = item.get("kind")
        if kind == "Pod":
            uid = at(item, "metadata", "uid")
            if at(item, "spec", "nodeName") or uid in wanted:
                yield item
            elif place := _place_of(item, expected):
                yield {**item, "spec": {**item["spec"], "nodeName": place}}
        elif kind == "NodePool":
            if at(item, "metadata", "name") in observation.node_pools:
                yield item
        elif kind != "NodeClaim" or not is_made_by_us(item) or nodes.name_of(item):
            yield item


def _place_of(pod: Json, expected: Mapping[str, str]) -> str:
    """The node that a pod without one will have; empty if that is not known."""
    if is_over(pod) or at(pod, "metadata", "deletionTimestamp"):
        return ""
    return str(at(pod, "status", "nominatedNodeName") or expected.get(at(pod, "metadata", "uid"), ""))


def _is_coming(claim: Json) -> bool:
    """Whether a claim of ours has a machine, and we know how large that is.

    What claims of others hold is read as it is from a file: they do not say which pods they are for; those
    still wait and may find room there.
    """
    is_there = at(claim, "status", "providerID") and at(claim, "status", "allocatable")
    return bool(is_made_by_us(claim) and is_there and not at(claim, "metadata", "deletionTimestamp"))


def _pods_of(claims: Iterable[Json], objects: Iterable[Json]) -> list[list[Json]]:
    """The pods that each claim is for, as far as they are still there."""
    uids = [frozenset(nominated_pods(mapping(claim.get("metadata")))) for claim in claims]
    named = frozenset().union(*uids)
    pods = (item for item in objects if named and item.get("kind") == "Pod")
    known = {uid: pod for pod in pods if (uid := at(pod, "metadata", "uid")) in named}
    return [[known[uid] for uid in sorted(of_claim & known.keys())] for of_claim in uids]


def _coming_name(claim: str) -> str:
    return f"nodeclaim-{claim}"


def _coming_node(claim: Json, pods: Iterable[Json]) -> Json:
    """The Node that a launched NodeClaim will be, without the room for daemons.

    Parameters
    ----------
    pods
        Those it is for: each counts for itself, here or wherever it runs by now. Only of pods that are gone
        the room is kept, as nothing tells it from that of daemons any more.
    """
    metadata, spec, status = (mapping(claim.get(part)) for part in ("metadata", "spec", "status"))
    kept = amounts_of(mapping(at(spec, "resources", "requests")))
    for pod in pods:
        kept = kept.minus(requests_of(pod) or amounts_of({}))
    allocatable = mapping(status.get("allocatable"))
    free = amounts_of(allocatable).minus(kept)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": _coming_name(str(metadata.get("name"))),
            "labels": {**single_values(spec), **mapping(metadata.get("labels"))},
        },
        "spec": {"taints": spec.get("taints") or []},
        "status": {
            "allocatable": {resource: format_quantity(free[resource], resource) for resource in allocatable},
            "capacity": status.get("capacity") or allocatable,
        },
    }

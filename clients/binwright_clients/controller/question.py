"""The objects of the question where pods should go, out of what was seen of a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from binwright_clients.cluster.api import Json
from binwright_clients.controller.observation import Observation, latest_by_pod
from binwright_clients.kubernetes.fields import at
from binwright_clients.kubernetes.nodeclaims import NodesOfClaims, coming_name
from binwright_clients.kubernetes.workloads import is_finished


def problem_objects(observation: Observation, pods: Iterable[str]) -> Iterator[Json]:
    """The objects of the question where ``pods`` (UIDs) are to go.

    Bound pods take their room and their part in the rules of others, and so do those that will be: on the
    node that was bought for them, there or coming, or that they preempt others on. Other pods that wait are
    somebody else's business. Room that was bought for pods that are gone is anybody's.
    """
    wanted = frozenset(pods)
    nodes = NodesOfClaims(item for item in observation.objects if item.get("kind") == "Node")
    node_of = {
        name: nodes.name_of(item) or coming_name(name)
        for item in observation.objects
        if item.get("kind") == "NodeClaim" and (name := str(at(item, "metadata", "name")))
    }
    expected = {
        uid: node_of.get(claim.name, "")
        for uid, claim in latest_by_pod(observation.claims).items()
        if not claim.is_deleting and uid not in claim.crowded_out
    }
    for item in observation.objects:
        kind = item.get("kind")
        if kind == "Pod":
            if at(item, "spec", "nodeName") or at(item, "metadata", "uid") in wanted:
                yield item
            elif place := _place_of(item, expected):
                yield {**item, "spec": {**item["spec"], "nodeName": place}}
        elif kind != "NodePool" or at(item, "metadata", "name") in observation.node_pools:
            yield item


def _place_of(pod: Json, expected: Mapping[str, str]) -> str:
    """The node that a pod without one will have; empty if that is not known."""
    if is_finished(pod) or at(pod, "metadata", "deletionTimestamp"):
        return ""
    return str(at(pod, "status", "nominatedNodeName") or expected.get(at(pod, "metadata", "uid"), ""))

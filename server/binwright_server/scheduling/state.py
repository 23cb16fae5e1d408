"""The cluster's objects, kept current by snapshots and deltas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from binwright_optimizer.model import Resources
from binwright_optimizer.model.resources import PODS

from binwright_server.errors import NoStateError
from binwright_server.scheduling.namespaces import Namespaces
from binwright_server.scheduling.neighbours import Neighbours
from binwright_server.scheduling.records import ClusterUpdate, NodeRecord, PodKey, PodRecord
from binwright_server.scheduling.table import UNKNOWN, NodeTable

_SLOT = Resources.of({PODS: 1})


class ClusterState:
    """Nodes and pods, and the nodes as arrays."""

    def __init__(self) -> None:
        self.table = NodeTable()
        self.nodes: dict[str, NodeRecord] = {}
        self.pods: dict[PodKey, PodRecord] = {}
        self.namespaces = Namespaces()
        self.neighbours = Neighbours(self.namespaces)
        self.changes = 0
        """Counts up with every snapshot and with everything that matters to plans."""
        self._pods_on: dict[str, dict[PodKey, PodRecord]] = {}
        self._epoch: str | None = None
        self._wants_snapshot = False

    @property
    def has_snapshot(self) -> bool:
        """Whether there is anything to answer from."""
        return self._epoch is not None

    def want_snapshot(self) -> None:
        """Refuse the next delta, so that whoever sends it sends a snapshot; questions are still answered."""
        if self._epoch is not None:
            self._wants_snapshot = True

    def check(self) -> None:
        """Raise NoStateError if there is nothing to answer from."""
        if not self.has_snapshot:
            raise NoStateError("this server holds no cluster yet: send a snapshot with UpdateCluster")

    def apply(self, update: ClusterUpdate) -> int:
        """Take an update; returns how many of its objects were stale and ignored.

        Raises
        ------
        NoStateError
            If it is a delta on another snapshot than the last one.
        """
        if update.is_snapshot:
            fresh = ClusterState()
            # Views and plans hold on to the table by its clock; a new one must not look older.
            fresh.table.clock = self.table.clock + 1
            self.table, self.nodes, self.pods = fresh.table, fresh.nodes, fresh.pods
            self._pods_on, self.neighbours = fresh._pods_on, fresh.neighbours
            self.namespaces = fresh.namespaces
            self._epoch = update.epoch
            self._wants_snapshot = False
            self.changes += 1
        elif update.epoch != self._epoch or self._wants_snapshot:
            held = "none" if self._epoch is None or self._wants_snapshot else f"{self._epoch!r}"
            raise NoStateError(
                f"a delta on snapshot {update.epoch!r}, but the last one here is {held}: send a snapshot"
            )
        self._change_namespaces(update)
        for name in update.deleted_nodes:
            self._remove_node(name)
        for key in update.deleted_pods:
            self._remove_pod(key)
        ignored = self._put_nodes(update.nodes)
        for pod in update.pods:
            ignored += not self._put_pod(pod)
        return ignored

    def _change_namespaces(self, update: ClusterUpdate) -> None:
        gone = [self.namespaces.remove(name) for name in update.deleted_namespaces]
        come = [self.namespaces.put(namespace) for namespace in update.namespaces]
        if any(gone) or any(come):
            self.neighbours.note_namespaces()
            self.table.clock += 1  # ratings that were told before may not hold
            self.changes += 1

    def _put_nodes(self, nodes: Iterable[NodeRecord]) -> int:
        """Add or change nodes; returns how many were stale."""
        ignored = 0
        for node in nodes:
            held = self.nodes.get(node.name)
            if held is not None and _is_stale(node.version, held.version):
                ignored += 1
            elif held is not None and replace(node, version=held.version) == held:
                self.nodes[node.name] = node  # a heartbeat of the kubelet
            else:
                self.nodes[node.name] = node
                pods = self._pods_on.get(node.name, {}).values()
                self.table.put(node, _sum(pods))
                if held is None:
                    self.neighbours.put(self.table.row_of[node.name], pods)
                self.changes += 1
        return ignored

    def overlaid(self, nodes: Iterable[NodeRecord], names: Iterable[str] = ()) -> NodeTable:
        """The nodes of one question as arrays, with the pods that are held here on them.

        Nothing is kept of them: whoever asks does not speak for the cluster. The table is the state's own
        where the question knows no more than the state does.

        Parameters
        ----------
        nodes
            Nodes that the question brings along, in place of those held unless they are older.
        names
            Further nodes that it is about, as they are held.
        """
        shown: dict[str, NodeRecord] = {}
        for node in nodes:
            held = self.nodes.get(node.name)
            is_old = held is not None and _is_stale(node.version, held.version)
            shown[node.name] = held if held is not None and is_old else node
        if all(self.nodes.get(name) == node for name, node in shown.items()):
            return self.table
        for name in names:
            if name in self.nodes:
                shown.setdefault(name, self.nodes[name])
        table = NodeTable()
        for node in shown.values():
            table.put(node, _sum(self._pods_on.get(node.name, {}).values()))
        return table

    def pods_on(self, node: str) -> tuple[PodRecord, ...]:
        """Pods of a node."""
        return tuple(self._pods_on.get(node, {}).values())

    def placed(self) -> Iterator[tuple[int, PodRecord]]:
        """All pods on nodes that are here, with the rows of these."""
        for node, pods in self._pods_on.items():
            row = self.table.row_of[node]
            if row != UNKNOWN:
                for pod in pods.values():
                    yield row, pod

    def _put_pod(self, pod: PodRecord) -> bool:
        held = self.pods.get(pod.key)
        if held is not None and held.uid == pod.uid and _is_stale(pod.version, held.version):
            return False
        if held is not None:
            if (held.node, held.kind, held.uid, held.is_daemon, held.labels, held.is_ending) == (
                pod.node,
                pod.kind,
                pod.uid,
                pod.is_daemon,
                pod.labels,
                pod.is_ending,
            ):
                self.pods[pod.key] = pod
                if pod.node:
                    self._pods_on[pod.node][pod.key] = pod
                return True
            self._remove_pod(pod.key)
        self.changes += 1
        self.pods[pod.key] = pod
        if pod.node:
            self._pods_on.setdefault(pod.node, {})[pod.key] = pod
            row = self.table.row_of[pod.node]
            if row != UNKNOWN:  # else counted once its node is here
                self.table.take(row, request_of(pod))
                self.neighbours.take(row, pod)
        return True

    def _remove_pod(self, key: PodKey) -> None:
        pod = self.pods.pop(key, None)
        if pod is None:
            return
        self.changes += 1
        if not pod.node:
            return
        on_node = self._pods_on[pod.node]
        del on_node[key]
        if not on_node:
            del self._pods_on[pod.node]
        row = self.table.row_of[pod.node]
        if row != UNKNOWN:
            self.table.take(row, request_of(pod), -1)
            self.neighbours.take(row, pod, -1)

    def _remove_node(self, name: str) -> None:
        if self.nodes.pop(name, None) is not None:
            self.neighbours.clear(self.table.row_of[name])
            self.table.remove(name)
            self.changes += 1


def request_of(pod: PodRecord) -> Resources:
    """What a pod takes of its node, its slot included."""
    return pod.template.requests + _SLOT


def _sum(pods: Iterable[PodRecord]) -> Resources:
    total: dict[str, int] = {}
    for pod in pods:
        for name, amount in request_of(pod):
            total[name] = total.get(name, 0) + amount
    return Resources(tuple(sorted(total.items())))


def _is_stale(version: int | None, held: int | None) -> bool:
    return version is not None and held is not None and version < held

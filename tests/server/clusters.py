"""Small clusters as messages of the scheduling API."""

from __future__ import annotations

from collections.abc import Mapping

from binwright.v1 import problem_pb2, scheduling_service_pb2

SMALL = {"cpu": "4", "memory": "16Gi", "pods": "10"}
GPU = {"cpu": "8", "memory": "32Gi", "nvidia.com/gpu": "1", "pods": "10"}


def template(
    cpu: str = "1",
    memory: str = "1Gi",
    gpus: int = 0,
    selector: Mapping[str, str] | None = None,
    tolerates: str = "",
) -> problem_pb2.PodTemplate:
    """A pod template with one container."""
    message = problem_pb2.PodTemplate(node_selector=selector or {})
    requests = {"cpu": cpu, "memory": memory}
    if gpus:
        requests["nvidia.com/gpu"] = str(gpus)
    message.containers.add(requests=requests)
    if tolerates:
        message.tolerations.add(key=tolerates, operator="Exists")
    return message


class Cluster:
    """An update that is put together node by node and pod by pod."""

    def __init__(self, epoch: str = "e1", is_snapshot: bool = True) -> None:
        self.update = scheduling_service_pb2.UpdateClusterRequest(is_snapshot=is_snapshot, epoch=epoch)

    def node(
        self,
        name: str,
        allocatable: Mapping[str, str] = SMALL,
        labels: Mapping[str, str] | None = None,
        taint: str = "",
        price: int | None = 100_000,
        version: str = "",
        unschedulable: bool = False,
    ) -> Cluster:
        """Add a node; a price of 100,000 micro-dollars an hour, or None for the catalogue's."""
        message = self.update.nodes.add(
            name=name,
            allocatable=allocatable,
            labels={"kubernetes.io/hostname": name, **(labels or {})},
            price_microusd_per_hour=price,
            resource_version=version,
            unschedulable=unschedulable,
        )
        if taint:
            message.taints.add(key=taint, effect="NoSchedule")
        return self

    def pod(
        self,
        name: str,
        node: str = "",
        pod: problem_pb2.PodTemplate | None = None,
        version: str = "",
        uid: str = "",
        is_daemon: bool = False,
        is_ending: bool = False,
    ) -> Cluster:
        """Add a pod, by default one that asks for 1 CPU and 1 GiB."""
        self.update.pods.add(
            name=name,
            node=node,
            template=pod or template(),
            resource_version=version,
            uid=uid,
            is_daemon=is_daemon,
            is_ending=is_ending,
        )
        return self

    def namespace(self, name: str, labels: Mapping[str, str]) -> Cluster:
        """Add a namespace with labels, or change them."""
        self.update.namespaces.add(name=name, labels=labels)
        return self

    def without_namespace(self, name: str) -> Cluster:
        """Delete a namespace."""
        self.update.deleted_namespaces.append(name)
        return self

    def without_node(self, name: str) -> Cluster:
        """Delete a node."""
        self.update.deleted_nodes.append(name)
        return self

    def without_pod(self, name: str) -> Cluster:
        """Delete a pod."""
        self.update.deleted_pods.add(name=name)
        return self


def delta(epoch: str = "e1") -> Cluster:
    """A change on a snapshot."""
    return Cluster(epoch, is_snapshot=False)


def two_half_empty_nodes() -> Cluster:
    """Two equal nodes with a pod each, which one of them could hold."""
    return Cluster().node("a").node("b").pod("p", "a", template("1")).pod("q", "b", template("2"))

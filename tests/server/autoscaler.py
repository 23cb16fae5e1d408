"""Cluster Autoscaler's questions as it writes them: serialized pods and template nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from binwright.vendor.autoscaler import expander_pb2
from binwright.vendor.kubernetes import core_v1_pb2

GIB = 2**30


def k8s_pod(name: str, cpu: str = "1", memory: str = "1Gi", gpus: int = 0) -> core_v1_pb2.Pod:
    """A pod with one container."""
    pod = core_v1_pb2.Pod()
    pod.metadata.name, pod.metadata.namespace, pod.metadata.uid = name, "default", f"uid-{name}"
    requests = pod.spec.containers.add(name="main").resources.requests
    requests["cpu"].string, requests["memory"].string = cpu, memory
    if gpus:
        requests["nvidia.com/gpu"].string = str(gpus)
    return pod


def k8s_node(
    instance_type: str = "",
    allocatable: Mapping[str, str] | None = None,
    region: str = "us-east-1",
    price: str = "",
    labels: Mapping[str, str] | None = None,
) -> core_v1_pb2.Node:
    """A template node."""
    node = core_v1_pb2.Node()
    node.metadata.name = f"template-{instance_type}"
    if instance_type:
        node.metadata.labels["node.kubernetes.io/instance-type"] = instance_type
    if region:
        node.metadata.labels["topology.kubernetes.io/region"] = region
    node.metadata.labels.update(labels or {})
    if price:
        node.metadata.annotations["binwright.dev/hourly-price"] = price
    amounts = allocatable or {"cpu": "4", "memory": "16Gi", "pods": "110"}
    for name, amount in amounts.items():
        node.status.allocatable[name].string = amount
        node.status.capacity[name].string = amount
    return node


G4DN_XLARGE = {"cpu": "3920m", "memory": "14Gi", "nvidia.com/gpu": "1", "pods": "29"}
G4DN_12XLARGE = {"cpu": "47810m", "memory": "180Gi", "nvidia.com/gpu": "4", "pods": "234"}
C5_LARGE = {"cpu": "1930m", "memory": "3Gi", "pods": "29"}

Options = Mapping[str, tuple[int, core_v1_pb2.Node | None, Sequence[core_v1_pb2.Pod]]]
"""Nodes to add, template node and pods helped, by node group."""


def scale_up(options: Options, version: str = "1.35") -> expander_pb2.BestOptionsRequest:
    """The request as a version of Cluster Autoscaler writes it.

    Versions up to 1.33 fill the old fields, 1.34 all, and 1.35 the new ones only.
    """
    request = expander_pb2.BestOptionsRequest()
    for group, (count, node, pods) in options.items():
        option = request.options.add(nodeGroupId=group, nodeCount=count, debug=f"{group} of {count}")
        data = [pod.SerializeToString(deterministic=True) for pod in pods]
        if version <= "1.34":
            option.pod.extend(data)
        if version >= "1.34":
            option.podBytes.extend(data)
        if node is not None:
            if version <= "1.34":
                request.nodeMap[group] = node.SerializeToString(deterministic=True)
            if version >= "1.34":
                request.nodeBytesMap[group] = node.SerializeToString(deterministic=True)
    return request


T4_PODS = [k8s_pod(f"t4-{k}", "2", "13Gi", gpus=1) for k in range(2)]


def t4_options() -> Options:
    """Two T4 pods: two small nodes at 0.526 $/h, or one of 3.912 $/h that least-nodes would take."""
    return {
        "large": (1, k8s_node("g4dn.12xlarge", G4DN_12XLARGE), T4_PODS),
        "small": (2, k8s_node("g4dn.xlarge", G4DN_XLARGE), T4_PODS),
    }


FOUR_CPUS = {"cpu": "4", "memory": "16Gi", "pods": "110"}
CHEAP, DEAR = (k8s_node("own", FOUR_CPUS, price=price) for price in ("0.10", "0.20"))

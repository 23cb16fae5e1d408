"""The real Karpenter in a real cluster: its CRDs, its kwok provider selling our catalogue, NodePools."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from binwright_benchmarks.peers.components import module_folder
from binwright_optimizer.model import Catalog, InstanceType, Resources
from binwright_optimizer.model.resources import CPU, MEMORY
from cluster import Cluster
from kubernetes import client, dynamic
from kubernetes.utils import create_from_dict
from processes import Process, free_ports

GROUP, VERSION = "karpenter.sh", "v1"
KWOK_OVERHEAD = Resources.of({CPU: 100, MEMORY: 10 * 2**20})
"""What Karpenter's kwok provider takes off every node's capacity (kwok/cloudprovider/helpers.go)."""

Json = dict[str, Any]


def install_crds(api: client.ApiClient) -> None:
    """The CustomResourceDefinitions of Karpenter and of its kwok provider, as they are released."""
    folder = module_folder("karpenter", "sigs.k8s.io/karpenter")
    for crds in ("pkg/apis/crds", "kwok/apis/crds"):
        for file in sorted((folder / crds).glob("*.yaml")):
            create_from_dict(api, yaml.safe_load(file.read_text()))
    wait(lambda: _serves_node_claims(api), "the API server to serve NodeClaims")


def install_karpenter(cluster: Cluster, catalog: Catalog, **environment: str) -> Process:
    """Karpenter with its CRDs, selling exactly what the catalogue sells."""
    with cluster.api() as api:
        install_crds(api)
    file = cluster.folder / "instance-types.json"
    file.write_text(json.dumps([_kwok_type(kind) for kind in catalog.instance_types]))
    metrics, health = free_ports(2)
    return cluster.run(
        "karpenter-kwok",
        f"--instance-types-file-path={file}",
        KUBECONFIG=str(cluster.kubeconfig),
        DISABLE_LEADER_ELECTION="true",
        SYSTEM_NAMESPACE="kube-system",
        METRICS_PORT=str(metrics),
        HEALTH_PROBE_PORT=str(health),
        **environment,
    )


def _kwok_type(kind: InstanceType) -> Json:
    """An instance type in the words of Karpenter's kwok provider, with our allocatable amounts."""
    amounts = kind.allocatable + KWOK_OVERHEAD
    return {
        "name": kind.name,
        "architecture": kind.arch,
        "operatingSystems": [kind.os],
        "resources": {name: f"{amount}m" if name == CPU else str(amount) for name, amount in amounts},
        "offerings": [
            {
                "Price": offering.price_microusd_per_hour / 1e6,
                "Available": True,
                "Requirements": [
                    {"key": key, "operator": "In", "values": [value]}
                    for key, value in (
                        ("karpenter.sh/capacity-type", offering.capacity_type.value),
                        ("topology.kubernetes.io/zone", offering.zone),
                    )
                ],
            }
            for offering in kind.offerings
        ],
    }


def node_pool(name: str, *requirements: Json, taints: Sequence[Json] = ()) -> Json:
    """A NodePool of kwok nodes that are never consolidated while the test looks."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never"},
            "template": {
                "spec": {
                    "nodeClassRef": {
                        "group": "karpenter.kwok.sh",
                        "kind": "KWOKNodeClass",
                        "name": "default",
                    },
                    "expireAfter": "Never",
                    "requirements": list(requirements),
                    **({"taints": list(taints)} if taints else {}),
                }
            },
        },
    }


def node_class() -> Json:
    """The kwok provider's node class."""
    return {
        "apiVersion": "karpenter.kwok.sh/v1alpha1",
        "kind": "KWOKNodeClass",
        "metadata": {"name": "default"},
        "spec": {},
    }


def pod(name: str, requests: dict[str, str], **spec: Any) -> Json:
    """A pod with one container."""
    limits = {key: value for key, value in requests.items() if "/" in key}
    container = {
        "name": "main",
        "image": "none.invalid/main",
        "resources": {"requests": requests} | ({"limits": limits} if limits else {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], "automountServiceAccountToken": False, **spec},
    }


def apply(api: client.ApiClient, manifests: Iterable[Json]) -> None:
    """Create objects of any kind."""
    known = dynamic.DynamicClient(api)
    for manifest in manifests:
        kind = known.resources.get(api_version=manifest["apiVersion"], kind=manifest["kind"])
        kind.create(body=manifest, namespace=manifest["metadata"].get("namespace"))


def node_claims(api: client.ApiClient) -> list[Json]:
    """NodeClaims as they stand."""
    found = client.CustomObjectsApi(api).list_cluster_custom_object(GROUP, VERSION, "nodeclaims")
    return list(found["items"])


def condition(claim: Json, kind: str) -> bool:
    """Whether a condition of a NodeClaim is true."""
    conditions = claim.get("status", {}).get("conditions", [])
    return any(c["type"] == kind and c["status"] == "True" for c in conditions)


def bound_pods(api: client.ApiClient) -> dict[str, str]:
    """Node of each pod in the default namespace that has one."""
    pods = client.CoreV1Api(api).list_namespaced_pod("default").items
    return {pod.metadata.name: pod.spec.node_name for pod in pods if pod.spec.node_name}


def start_scheduler(cluster: Cluster, config: Path | None = None) -> Process:
    """kube-scheduler as the administrator, with a configuration or its defaults."""
    (port,) = free_ports(1)
    reached = f"--kubeconfig={cluster.kubeconfig}" if config is None else f"--config={config}"
    arguments = [
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={cluster.folder}",
        "--leader-elect=false",
        reached,
        f"--authentication-kubeconfig={cluster.kubeconfig}",
        f"--authorization-kubeconfig={cluster.kubeconfig}",
    ]
    return cluster.run("kube-scheduler", *arguments)


def wait(is_so: Callable[[], bool], what: str, limit_s: float = 90.0, every_s: float = 0.5) -> None:
    """Look, twice a second for instance, until it is so."""
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline, f"waited {limit_s:g} s in vain for {what}"
        time.sleep(every_s)


def _serves_node_claims(api: client.ApiClient) -> bool:
    try:
        node_claims(api)
    except client.ApiException as error:
        if error.status != 404:
            raise
        return False
    return True

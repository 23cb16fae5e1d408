"""NodeClaims of ``binwright solve -o karpenter`` against Karpenter's real CRDs and controllers."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from availability import require
from binwright_optimizer.catalog import embedded_catalog
from cluster import Cluster
from karpenter_cluster import (
    apply,
    bound_pods,
    condition,
    install_karpenter,
    node_claims,
    node_class,
    node_pool,
    pod,
    start_scheduler,
    wait,
)
from kubernetes import client
from transcript import Transcript

pytestmark = pytest.mark.interop

TYPES = ("g4dn.*", "m5.*", "c5.*")
REGION = "us-east-1"
LABELS = ("node.kubernetes.io/instance-type", "topology.kubernetes.io/zone", "karpenter.sh/capacity-type")
ON_DEMAND = {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}
T4_PAIR = [pod(f"t4-{n}", {"cpu": "2", "memory": "13Gi", "nvidia.com/gpu": "1"}) for n in range(2)]
WEB = [pod(f"web-{n:02}", {"cpu": "1500m", "memory": "2Gi"}) for n in range(30)]


@pytest.fixture
def shop(cluster: Cluster) -> Cluster:
    """A cluster whose Karpenter sells a part of us-east-1 on demand."""
    require("karpenter-kwok")
    cluster.start_kwok()
    start_scheduler(cluster)
    install_karpenter(cluster, embedded_catalog("aws", (REGION,), TYPES))
    with cluster.api() as api:
        apply(api, [node_class(), node_pool("default", ON_DEMAND)])
    return cluster


def solved(folder: Path, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """NodeClaims that the command line writes for these pods and the cluster's NodePool."""
    (folder / "pods.yaml").write_text(yaml.safe_dump_all(pods))
    (folder / "pools.yaml").write_text(yaml.safe_dump(node_pool("default", ON_DEMAND)))
    command = [str(Path(sys.executable).with_name("binwright")), "solve", "-f", "pods.yaml"]
    command += [
        "--nodepools",
        "pools.yaml",
        "--catalog",
        "aws",
        "--region",
        REGION,
        "-o",
        "karpenter",
        "--quiet",
    ]
    command += [word for name in TYPES for word in ("--instance-types", name)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def mix(api: client.ApiClient) -> Counter[str]:
    """Instance types of the nodes."""
    nodes = client.CoreV1Api(api).list_node().items
    return Counter(node.metadata.labels["node.kubernetes.io/instance-type"] for node in nodes)


def test_karpenter_turns_our_claims_into_nodes_that_hold_every_pod(
    shop: Cluster, tmp_path: Path, transcript: Transcript
) -> None:
    """Karpenter launches exactly the type, zone and capacity type chosen, and buys nothing beside."""
    pods = [*T4_PAIR, *WEB]
    manifests = solved(tmp_path, pods)
    wanted = {
        m["metadata"]["name"]: tuple(
            next(r["values"][0] for r in m["spec"]["requirements"] if r["key"] == key) for key in LABELS
        )
        for m in manifests
    }
    transcript.ask(
        f"binwright: nodes for {len(pods)} pods; Karpenter: launch these {len(manifests)} NodeClaims"
    )
    transcript.quote("One of the NodeClaims:", yaml.safe_dump(manifests[0], sort_keys=False))
    with shop.api() as api:
        apply(api, manifests)
        wait(lambda: all(condition(c, "Initialized") for c in node_claims(api)), "nodes to be initialised")
        launched = {
            c["metadata"]["name"]: tuple(c["metadata"]["labels"].get(key, "") for key in LABELS)
            for c in node_claims(api)
        }
        transcript.saw(f"Karpenter launched and registered {launched}")
        assert launched == wanted
        transcript.ask(f"kube-scheduler: bind the {len(pods)} pods")
        apply(api, pods)
        wait(lambda: len(bound_pods(api)) == len(pods), "every pod to be bound")
        transcript.saw(
            f"kube-scheduler bound them to {len(set(bound_pods(api).values()))} nodes: {dict(mix(api))}"
        )
        assert len(node_claims(api)) == len(manifests)
        assert mix(api)["g4dn.xlarge"] == 2


def test_karpenter_alone_buys_one_large_node_for_two_t4_pods(shop: Cluster, transcript: Transcript) -> None:
    """The same cluster without us: g4dn.12xlarge at 3.912 $/h, where two g4dn.xlarge cost 1.052 $/h."""
    transcript.ask("Karpenter: provision for two pending pods of 1 GPU, 2 CPU, 13 GiB")
    with shop.api() as api:
        apply(api, T4_PAIR)
        wait(lambda: len(bound_pods(api)) == 2, "both pods to be bound")
        transcript.saw(f"Karpenter bought {dict(mix(api))}")
        assert mix(api) == Counter({"g4dn.12xlarge": 1})

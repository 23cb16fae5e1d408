"""``binwright controller`` with its shipped permissions, Karpenter's real CRDs and controllers, kwok nodes.

Karpenter's own provisioner is kept waiting by a longer batch window, so that what is bought is ours.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from availability import require
from binwright_optimizer.catalog import embedded_catalog
from cluster import Cluster
from commands import BINWRIGHT, binwright, install_account
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
from processes import Process
from transcript import Transcript

pytestmark = pytest.mark.interop

TYPES = ("g4dn.*", "m5.*", "c5.*")
REGION = "us-east-1"
TYPE, ZONE, CAPACITY = (
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "karpenter.sh/capacity-type",
)
ON_DEMAND = {"key": CAPACITY, "operator": "In", "values": ["on-demand"]}
SOLD = embedded_catalog("aws", (REGION,), TYPES)
T4_TYPES = [kind.name for kind in SOLD.instance_types if kind.gpu_count]
T4_TAINT = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
POOLS = [
    node_pool("default", ON_DEMAND, {"key": TYPE, "operator": "NotIn", "values": T4_TYPES}),
    node_pool("gpu", ON_DEMAND, {"key": TYPE, "operator": "In", "values": T4_TYPES}, taints=[T4_TAINT]),
]
"""GPU nodes are tainted, lest kube-scheduler fill them with pods that need no GPU."""
TOLERATING = {"tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}]}
PODS = [
    *(pod(f"t4-{n}", {"cpu": "2", "memory": "13Gi", "nvidia.com/gpu": "1"}, **TOLERATING) for n in range(2)),
    *(pod(f"web-{n:02}", {"cpu": "1500m", "memory": "2Gi"}) for n in range(20)),
]
AS_DOCUMENTED = {"BATCH_IDLE_DURATION": "15s", "BATCH_MAX_DURATION": "60s"}
"""What the README tells users to set, so that Karpenter's own provisioner comes second."""
SILENT = {"BATCH_IDLE_DURATION": "10m", "BATCH_MAX_DURATION": "10m"}


@pytest.fixture
def shop(cluster: Cluster) -> Cluster:
    """A cluster with Karpenter as we document it, NodePools, and the controller's account."""
    return open_shop(cluster, AS_DOCUMENTED)


@pytest.fixture
def quiet_shop(cluster: Cluster) -> Cluster:
    """The same, with a Karpenter that never buys for pods itself."""
    return open_shop(cluster, SILENT)


def open_shop(cluster: Cluster, window: dict[str, str]) -> Cluster:
    """Start everything but the controller."""
    require("karpenter-kwok")
    cluster.start_kwok()
    start_scheduler(cluster)
    install_karpenter(cluster, SOLD, **window)
    with cluster.api() as api:
        apply(api, [node_class(), *POOLS])
        install_account(cluster, api, binwright(cluster.folder, "controller", "--print-rbac"))
        wait(lambda: pools_are_ready(api), "the NodePools to be ready")
    return cluster


def pools_are_ready(api: client.ApiClient) -> bool:
    """Whether Karpenter has accepted the NodePools."""
    pools = client.CustomObjectsApi(api).list_cluster_custom_object("karpenter.sh", "v1", "nodepools")
    return all(condition(pool, "Ready") for pool in pools["items"])


def start_controller(cluster: Cluster, log: str, *options: str) -> Process:
    """The controller as its service account."""
    account = cluster.folder / "kubeconfig-binwright-controller"
    sold = [word for name in TYPES for word in ("--instance-types", name)]
    return cluster.adopt(
        BINWRIGHT, "controller", "--kubeconfig", str(account), "--catalog", "aws", "--region", REGION,
        *sold, "--deadline", "3s", "-o", "json", *options, log=log,
    )  # fmt: skip


def records(process: Process) -> list[dict[str, Any]]:
    """What the controller has told."""
    return [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]


def required(claim: dict[str, Any], key: str) -> list[str]:
    """Values that a NodeClaim requires of a label."""
    return next(list(r["values"]) for r in claim["spec"]["requirements"] if r["key"] == key)


def types(claims: list[dict[str, Any]]) -> Counter[str]:
    """Instance types that claims ask for first."""
    return Counter(required(claim, TYPE)[0] for claim in claims)


def optimum(folder: Path) -> Counter[str]:
    """Instance types that ``binwright solve`` buys for the same pods."""
    (folder / "pods.yaml").write_text(yaml.safe_dump_all(PODS))
    (folder / "pools.yaml").write_text(yaml.safe_dump_all(POOLS))
    sold = [word for name in TYPES for word in ("--instance-types", name)]
    written = binwright(
        folder, "solve", "-f", "pods.yaml", "--nodepools", "pools.yaml", "--catalog", "aws",
        "--region", REGION, *sold, "-o", "karpenter", "--quiet",
    )  # fmt: skip
    return types(list(yaml.safe_load_all(written)))


def test_pending_pods_get_the_cheapest_nodes_through_karpenter(
    shop: Cluster, tmp_path: Path, transcript: Transcript
) -> None:
    """Exact types, zones and capacity types are launched; two T4 pods cost 1.052 $/h and not 3.912."""
    process = start_controller(shop, "controller.log", "--apply")
    with shop.api() as api:
        wait(lambda: any(r["event"] == "leading" for r in records(process)), "the controller to lead")
        transcript.ask(f"the controller: nodes for {len(PODS)} pending pods")
        apply(api, PODS)
        wait(lambda: len(bound_pods(api)) == len(PODS), "every pod to be bound")
        claims = node_claims(api)
        for record in records(process):
            transcript.saw(f"the controller: {json.dumps(record)}")
        for claim in claims:
            own = claim["metadata"]["labels"]
            assert own[TYPE] == required(claim, TYPE)[0]
            assert [own[ZONE]] == required(claim, ZONE)
            assert [own[CAPACITY]] == required(claim, CAPACITY)
        transcript.saw(f"Karpenter launched {dict(types(claims))}; every pod is bound")
        time.sleep(20)  # past Karpenter's own window
        assert len(node_claims(api)) == len(claims)
        assert types(claims) == optimum(tmp_path)
        assert types(claims)["g4dn.xlarge"] == 2
        events = client.CoreV1Api(api).list_event_for_all_namespaces().items
        ours = [event for event in events if event.source.component == "binwright-controller" or
                (event.reporting_component or "").startswith("binwright")]  # fmt: skip
        transcript.quote("Some of its events:", "\n".join(f"{e.reason}: {e.message}" for e in ours[:6]))
        assert ours


def test_a_killed_controller_buys_nothing_twice(
    quiet_shop: Cluster, tmp_path: Path, transcript: Transcript
) -> None:
    """Killed as soon as its first NodeClaim exists; the next one completes the decision and no more."""
    first = start_controller(quiet_shop, "controller-1.log", "--apply")
    with quiet_shop.api() as api:
        wait(lambda: any(r["event"] == "leading" for r in records(first)), "the controller to lead")
        apply(api, PODS)
        wait(lambda: bool(node_claims(api)), "the first NodeClaim", every_s=0.01)
        first.kill()
        transcript.ask(f"the controller: die, with {len(node_claims(api))} NodeClaims created")
        second = start_controller(quiet_shop, "controller-2.log", "--apply")
        wait(lambda: any(r["event"] == "leading" for r in records(second)), "the next one to lead")
        transcript.saw("the next one leads, once the Lease of the first has run out")
        wait(lambda: len(bound_pods(api)) == len(PODS), "every pod to be bound")
        time.sleep(10)  # a second decision would come within a batch window
        claims = node_claims(api)
        transcript.saw(f"the next one: {dict(types(claims))} in all")
        assert types(claims) == optimum(tmp_path)


def test_a_dry_run_says_what_it_would_create_and_creates_nothing(
    quiet_shop: Cluster, transcript: Transcript
) -> None:
    process = start_controller(quiet_shop, "controller.log")
    with quiet_shop.api() as api:
        apply(api, PODS)
        wait(lambda: len(records(process)) >= 2, "the controller to say something")
        time.sleep(5)
        for record in records(process):
            transcript.saw(f"the controller: {json.dumps(record)}")
        assert not node_claims(api)
        assert any("g4dn.xlarge" in json.dumps(record) for record in records(process))

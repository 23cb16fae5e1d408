"""A live cluster, read with the shipped permissions, gives the same decision from its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from availability import require
from cluster import Cluster
from commands import binwright, install_account
from karpenter_cluster import apply, bound_pods, install_crds, node_pool, pod, start_scheduler, wait
from kubernetes import client
from kubernetes.config import new_client_from_config
from transcript import Transcript

pytestmark = pytest.mark.interop

ON_DEMAND = {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}
SELL = ("--catalog", "aws", "--region", "us-east-1", "--instance-types", "m5.*", "--instance-types", "g4dn.*")
VOLATILE = ("timings",)
"""Parts of a decision that tell how it was found, not what it is."""


def node(name: str) -> dict[str, Any]:
    """A node of 4 CPU that kwok keeps ready."""
    amounts = {"cpu": "4", "memory": "16Gi", "pods": "58"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux"}},
        "status": {"capacity": amounts, "allocatable": amounts},
    }


def test_a_snapshot_solved_elsewhere_gives_the_same_decision(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, transcript: Transcript
) -> None:
    """Twenty pods run on three nodes, eight more and two with GPUs wait."""
    require("karpenter-kwok")  # its module brings the CRDs
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    cluster.start_kwok()
    start_scheduler(cluster)
    with cluster.api() as api:
        install_crds(api)
        apply(api, [node_pool("default", ON_DEMAND), *(node(f"n{n}") for n in range(3))])
        small = [pod(f"small-{n:02}", {"cpu": "500m", "memory": "1Gi"}) for n in range(20)]
        apply(api, small)
        wait(lambda: len(bound_pods(api)) == len(small), "the first pods to be bound")
        waiting = [pod(f"large-{n}", {"cpu": "3", "memory": "4Gi"}) for n in range(8)]
        waiting += [pod(f"t4-{n}", {"cpu": "2", "memory": "13Gi", "nvidia.com/gpu": "1"}) for n in range(2)]
        apply(api, waiting)
        account = install_account(cluster, api, binwright(elsewhere, "snapshot", "--print-rbac"))
    with (
        new_client_from_config(str(account)) as reader,
        pytest.raises(client.ApiException, match="Forbidden"),
    ):
        apply(reader, [pod("forbidden", {"cpu": "1"})])
    transcript.saw("the API server refused a pod from the snapshot's account, which may only list")

    transcript.ask("binwright: a snapshot, and a decision, of the live cluster with that account")
    reach = ("--kubeconfig", str(account))
    binwright(elsewhere, "snapshot", *reach, "--save", "cluster.json", "--quiet")
    live = json.loads(binwright(elsewhere, "solve", "--cluster", *reach, *SELL, "-o", "json", "--quiet"))
    cluster.stop()
    transcript.ask("binwright: a decision from the file, after the cluster was stopped")
    again = json.loads(binwright(elsewhere, "solve", "-f", "cluster.json", *SELL, "-o", "json", "--quiet"))
    for decision in (live, again):
        claims = [claim["instance_type"] for claim in decision["node_claims"]]
        transcript.saw(f"decided {decision['hourly_cost_usd']} $/h, {claims}")
        for part in VOLATILE:
            decision.pop(part)
    assert len(live["node_claims"]) >= 2
    assert not live["unschedulable_pods"]
    assert again == live


def test_a_snapshot_of_an_unreachable_cluster_is_one_clear_error(cluster: Cluster, tmp_path: Path) -> None:
    cluster.stop()
    with pytest.raises(AssertionError, match=r"binwright snapshot") as refused:
        binwright(tmp_path, "snapshot", "--kubeconfig", str(cluster.kubeconfig), "--save", "x.json")
    assert "Traceback" not in str(refused.value)
    assert cluster.url.removeprefix("https://") in str(refused.value)

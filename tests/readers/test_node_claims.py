"""NodeClaims of manifests: machines that are launched and are no Nodes yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from binwright_clients.inputs import Inputs, read_inputs

Json = dict[str, Any]
Read = Callable[..., Inputs]

ZONE = "topology.kubernetes.io/zone"


def node_claim(name: str = "web-1", node: str = "", *, launched: bool = True, **metadata: Any) -> Json:
    """A claim of NodePool ``general`` for 4 CPU, of which the daemons have not taken theirs yet."""
    status: Json = {"allocatable": {"cpu": "3920m", "memory": "14Gi", "pods": "58"}, "capacity": {"cpu": "4"}}
    if launched:
        status["providerID"] = "aws:///us-east-1a/i-1"
    if node:
        status["nodeName"] = node
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {"name": name, "labels": {"karpenter.sh/nodepool": "general"}, **metadata},
        "spec": {
            "requirements": [
                {"key": ZONE, "operator": "In", "values": ["us-east-1a"]},
                {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["a", "b"]},
            ],
            "taints": [{"key": "team", "value": "web", "effect": "NoSchedule"}],
            "startupTaints": [{"key": "cni", "effect": "NoExecute"}],
        },
        "status": status,
    }


def daemon(name: str, cpu: str, **spec: Any) -> Json:
    container = {"name": "main", "image": "i", "resources": {"requests": {"cpu": cpu}}}
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}},
        },
    }


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read(*objects: Json) -> Inputs:
        pod = {"name": "main", "image": "i", "resources": {"requests": {"cpu": "1"}}}
        waiting = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [pod]},
        }  # fmt: skip
        (tmp_path / "cluster.yaml").write_text(yaml.safe_dump_all([waiting, *objects]))
        return read_inputs([str(tmp_path / "cluster.yaml")])

    return read


TOLERATES_TEAM = {"tolerations": [{"key": "team", "operator": "Exists"}]}
IN_ZONE_B = {"nodeSelector": {ZONE: "us-east-1b"}}
NOT_IN_ZONE_A = {
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": ZONE, "operator": "NotIn", "values": ["us-east-1a"]}]}
                ]
            }
        }
    }
}


def test_a_launched_claim_is_the_node_that_it_will_be_less_its_daemons(read: Read) -> None:
    """Of four daemons one tolerates the team's taint and is kept out of the zone by nothing."""
    inputs = read(
        node_claim(),
        daemon("agent", "120m", **TOLERATES_TEAM),
        daemon("stranger", "1"),
        daemon("elsewhere", "1", **TOLERATES_TEAM, **IN_ZONE_B),
        daemon("averse", "1", **TOLERATES_TEAM, **NOT_IN_ZONE_A),
    )
    [node] = inputs.problem.existing_nodes
    assert node.name == "nodeclaim-web-1"
    assert dict(node.labels) == {ZONE: "us-east-1a", "karpenter.sh/nodepool": "general"}
    assert [(taint.key, taint.value, taint.effect) for taint in node.taints] == [
        ("team", "web", "NoSchedule")
    ]
    assert dict(node.free) == {"cpu": "3800m", "memory": "14Gi", "pods": "57"}
    assert dict(node.capacity) == {"cpu": "4"}
    assert inputs.notes == ()


def test_a_claim_whose_node_is_there_counts_once(read: Read) -> None:
    node = {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"},
        "status": {"allocatable": {"cpu": "4"}},
    }  # fmt: skip
    inputs = read(node, node_claim(node="n1"))
    assert [found.name for found in inputs.problem.existing_nodes] == ["n1"]


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        (node_claim(launched=False), "is not launched yet: its room is not counted"),
        (node_claim(deletionTimestamp="2026-01-01T00:00:00Z"), "is being deleted: skipped"),
    ],
)
def test_a_claim_without_a_machine_to_stay_is_told_of(read: Read, claim: Json, why: str) -> None:
    inputs = read(claim)
    assert not inputs.problem.existing_nodes
    [note] = inputs.notes
    assert note.endswith(f"document 2 (NodeClaim web-1): {why}")


NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def coming_up(name: str = "n1", **spec: Any) -> Json:
    """A Node whose CNI plugin and whose GPU driver are not there yet."""
    taints = [NOT_READY, {"key": "cni", "effect": "NoExecute"}, {"key": "team", "effect": "NoSchedule"}]
    amounts = {"cpu": "3900m", "pods": "58", "nvidia.com/gpu": "0"}
    return {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name},
        "spec": {"taints": taints, **spec}, "status": {"allocatable": amounts, "capacity": amounts},
    }  # fmt: skip


def test_a_node_that_comes_up_counts_as_it_will_be(read: Read) -> None:
    """Taints that will go do not count; the kubelet's 3,900m do, and the claim's GPU, not announced yet."""
    claim = node_claim(node="n1")
    claim["status"]["allocatable"]["nvidia.com/gpu"] = "1"
    [node] = read(coming_up(), claim).problem.existing_nodes
    assert node.name == "n1"
    assert [taint.key for taint in node.taints] == ["team"]
    assert dict(node.free) == {"cpu": "3900m", "memory": "14Gi", "pods": "58", "nvidia.com/gpu": "1"}
    claim["status"]["conditions"] = [{"type": "Initialized", "status": "True"}]
    [node] = read(coming_up(), claim).problem.existing_nodes
    assert [taint.key for taint in node.taints] == ["node.kubernetes.io/not-ready", "cni", "team"]
    assert dict(node.free) == {"cpu": "3900m", "pods": "58", "nvidia.com/gpu": "0"}


def test_a_node_that_is_not_registered_yet_is_known_by_its_machine(read: Read) -> None:
    """It has neither the labels nor the taints of its claim yet, and counts once, with both."""
    there = coming_up(providerID="aws:///us-east-1a/i-1")
    there["spec"]["taints"] = [NOT_READY, {"key": "karpenter.sh/unregistered", "effect": "NoExecute"}]
    [node] = read(there, node_claim()).problem.existing_nodes
    assert node.name == "n1"
    assert dict(node.labels) == {ZONE: "us-east-1a", "karpenter.sh/nodepool": "general"}
    assert [(taint.key, taint.value) for taint in node.taints] == [("team", "web")]

"""NodeClaim manifests: golden text and the choices that matter to Karpenter."""

from __future__ import annotations

import yaml
from binwright.v1 import decision_pb2, problem_pb2
from binwright_clients.karpenter.nodeclaims import (
    MAX_INSTANCE_TYPES,
    node_claim_manifests,
)
from binwright_clients.karpenter.nodeclasses import NodeClassRef
from golden_files import expect_golden
from handmade_decisions import add_claims, mixed_decision


def gpu_pool() -> problem_pb2.NodePool:
    pool = problem_pb2.NodePool(name="gpu-compute")
    pool.labels["workload"] = "gpu"
    pool.taints.add(key="workload", value="gpu", effect="NoSchedule")
    pool.startup_taints.add(key="node.cilium.io/agent-not-ready", effect="NoExecute")
    return pool


def requirement(manifest: dict[str, object], key: str) -> list[str]:
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    return next(list(r["values"]) for r in spec["requirements"] if r["key"] == key)


def test_a_node_claim_looks_as_it_did() -> None:
    decision = mixed_decision()
    del decision.node_claims[1:]
    classes = {"gpu-compute": NodeClassRef("karpenter.k8s.aws", "EC2NodeClass", "gpu")}
    manifests = list(node_claim_manifests(decision, [gpu_pool()], classes))
    expect_golden("nodeclaim.yaml", yaml.safe_dump_all(manifests, sort_keys=False))


def test_names_differ_between_decisions_for_other_pods_and_not_for_the_same() -> None:
    """Applied twice, a decision buys once; the next one's claims do not meet its own."""
    decision = decision_pb2.Decision()
    decision.node_claims.add(name="default-00001", node_pool="default", pods=["web-1", "web-0"])
    decision.node_claims.add(name="default-00002", node_pool="default", pods=["web-2"])
    following = decision_pb2.Decision()
    following.node_claims.add(name="default-00001", node_pool="default", pods=["web-3"])
    again = decision_pb2.Decision()
    again.node_claims.add(name="default-00007", node_pool="default", pods=["web-0", "web-1"])

    def names(of: decision_pb2.Decision) -> list[str]:
        return [str(manifest["metadata"]["name"]) for manifest in node_claim_manifests(of)]  # type: ignore[index]

    assert len({*names(decision), *names(following)}) == 3
    assert names(again) == names(decision)[:1]


def test_the_chosen_type_comes_first_and_alternatives_follow() -> None:
    manifest = next(node_claim_manifests(mixed_decision()))
    assert requirement(manifest, "node.kubernetes.io/instance-type") == ["g4dn.2xlarge", "g4dn.4xlarge"]


def test_zone_and_capacity_type_are_exact() -> None:
    manifest = list(node_claim_manifests(mixed_decision()))[-1]
    assert requirement(manifest, "topology.kubernetes.io/zone") == ["us-east-1a"]
    assert requirement(manifest, "karpenter.sh/capacity-type") == ["spot"]


def test_requests_count_pods_and_daemons() -> None:
    """6 CPU of pods and 100m of daemons; 20 GiB and 128 MiB."""
    manifest = next(node_claim_manifests(mixed_decision()))
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    assert spec["resources"]["requests"]["cpu"] == "6100m"
    assert spec["resources"]["requests"]["memory"] == "20608Mi"


def test_a_pool_without_a_node_class_gets_the_default_of_its_cloud() -> None:
    manifest = next(node_claim_manifests(mixed_decision(), cloud="azure"))
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    assert spec["nodeClassRef"] == {"group": "karpenter.azure.com", "kind": "AKSNodeClass", "name": "default"}


def test_no_more_types_are_listed_than_karpenter_looks_at() -> None:
    decision = decision_pb2.Decision()
    add_claims(decision, "p", "t0", 1)
    decision.node_claims[0].instance_types.extend(
        decision_pb2.RankedInstanceType(name=f"t{k}") for k in range(1, 200)
    )
    types = requirement(next(node_claim_manifests(decision)), "node.kubernetes.io/instance-type")
    assert len(types) == MAX_INSTANCE_TYPES
    assert types[0] == "t0"

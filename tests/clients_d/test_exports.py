"""Decisions as other programs' files: valid by their schemas, and saying what was decided."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
from binwright.v1 import problem_pb2
from binwright_clients.clusterautoscaler.deployment import autoscaler_manifests
from binwright_clients.eksctl import cluster_config
from binwright_clients.errors import InputError
from binwright_clients.karpenter.nodeclaims import node_claim_manifests
from binwright_clients.node_groups import node_groups
from binwright_clients.terraform.azure import pool_name
from binwright_clients.terraform.configuration import terraform_configuration
from decided import TWO_AND_ONE, decided, gpu_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from published_schemas import expect_kubernetes, expect_node_claim, expect_valid

RESOURCES = {
    "aws": "aws_eks_node_group",
    "gcp": "google_container_node_pool",
    "azure": "azurerm_kubernetes_cluster_node_pool",
}


def test_eksctl_config_is_valid_and_has_zones_for_the_control_plane() -> None:
    groups = node_groups(TWO_AND_ONE, gpu_problem())
    config: Any = cluster_config(groups, "prod", ("us-east-1a", "us-east-1b", "us-east-1c"))
    expect_valid(config, "eksctl_v1alpha5.json")
    assert config["metadata"] == {"name": "prod", "region": "us-east-1"}
    assert config["availabilityZones"] == ["us-east-1a", "us-east-1b"]
    gpu, batch = config["managedNodeGroups"]
    assert gpu["taints"] == [
        {"key": "workload", "effect": "NoSchedule", "value": "gpu"},
        {"key": "node.cilium.io/agent-not-ready", "effect": "NoExecute"},
    ]
    assert (gpu["spot"], batch["spot"], batch["instanceTypes"]) == (False, True, ["c5.2xlarge"])


def test_eksctl_refuses_a_decision_over_two_regions() -> None:
    decision = decided(
        ("p", "m5.large", "us-east-1a", "on-demand"), ("p", "m5.large", "eu-west-1a", "on-demand")
    )
    with pytest.raises(InputError, match=r"eu-west-1, us-east-1; solve for one --region"):
        cluster_config(node_groups(decision, problem_pb2.Problem()), "prod")


@pytest.mark.parametrize(
    ("cloud", "instance_type", "zone"),
    [
        ("aws", "g4dn.xlarge", "us-east-1a"),
        ("gcp", "g2-standard-8", "us-central1-a"),
        ("azure", "Standard_NC4as_T4_v3", "eastus-2"),
    ],
)
def test_terraform_of_each_cloud_is_valid(cloud: str, instance_type: str, zone: str) -> None:
    decision = decided(("gpu", instance_type, zone, "on-demand"), ("web", instance_type, zone, "spot"))
    groups = node_groups(decision, gpu_problem())
    configuration: Any = terraform_configuration(groups, cloud, "prod")
    resources = configuration["resource"][RESOURCES[cloud]]
    assert len(resources) == 2
    for resource in resources.values():
        expect_valid(resource, "terraform_node_groups.json", RESOURCES[cloud])
    assert configuration["variable"]["cluster_name"]["default"] == "prod"
    used = set(re.findall(r"var\.(\w+)", json.dumps(configuration)))
    assert used == set(configuration["variable"])


def test_a_machine_with_an_attached_gpu_is_asked_for_in_two_parts() -> None:
    """The catalogue's n1-standard-8+t4x1 is a machine type and a guest accelerator."""
    decision = decided(
        ("gpu", "n1-standard-8+t4x1", "us-central1-a", "on-demand"),
        labels={"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"},
    )
    decision.node_claims[0].allocatable["nvidia.com/gpu"] = "1"
    (group,) = node_groups(decision, problem_pb2.Problem())
    configuration: Any = terraform_configuration([group], "gcp", "prod")
    (pool,) = configuration["resource"]["google_container_node_pool"].values()
    assert pool["node_config"]["machine_type"] == "n1-standard-8"
    assert pool["node_config"]["guest_accelerator"] == [{"type": "nvidia-tesla-t4", "count": 1}]


def test_spot_on_azure_bears_the_taint_that_aks_puts_on_it() -> None:
    (group,) = node_groups(decided(("web", "Standard_D4s_v5", "eastus-1", "spot")), problem_pb2.Problem())
    configuration: Any = terraform_configuration([group], "azure", "prod")
    (pool,) = configuration["resource"]["azurerm_kubernetes_cluster_node_pool"].values()
    assert pool["node_taints"] == ["kubernetes.azure.com/scalesetpriority=spot:NoSchedule"]
    assert (pool["priority"], pool["zones"]) == ("Spot", ["1"])


def test_gpu_groups_on_eks_get_an_image_with_drivers() -> None:
    configuration: Any = terraform_configuration(node_groups(TWO_AND_ONE, gpu_problem()), "aws", "prod")
    gpu, batch = configuration["resource"]["aws_eks_node_group"].values()
    assert (gpu["ami_type"], batch["ami_type"]) == ("AL2023_x86_64_NVIDIA", "AL2023_x86_64_STANDARD")


def autoscaler_command(expander_url: str = "") -> list[str]:
    groups = node_groups(TWO_AND_ONE, gpu_problem())
    manifests: Any = autoscaler_manifests(groups, "prod", expander_url)
    for manifest in manifests:
        expect_kubernetes(manifest)
    command: list[str] = manifests[-1]["spec"]["template"]["spec"]["containers"][0]["command"]
    return command


def test_autoscaler_manifests_are_valid_and_set_up_as_the_reference() -> None:
    command = autoscaler_command()
    assert "--expander=least-waste" in command
    assert "--balance-similar-node-groups" in command
    assert "--startup-taint=node.cilium.io/agent-not-ready" in command
    assert any(flag.endswith("k8s.io/cluster-autoscaler/prod") for flag in command)


def test_autoscaler_asks_our_expander_first_over_tls() -> None:
    command = autoscaler_command("binwright.default.svc:50051")
    assert "--expander=grpc,least-waste" in command
    assert "--grpc-expander-url=binwright.default.svc:50051" in command
    assert "--grpc-expander-cert=/etc/binwright-expander/ca.crt" in command


def test_node_claims_fit_karpenter_s_crd() -> None:
    for manifest in node_claim_manifests(TWO_AND_ONE, gpu_problem().node_pools):
        expect_node_claim(manifest)


def test_a_label_that_only_the_node_pool_requires_comes_with_the_claim() -> None:
    """The pool allows teams a and b; the decision chose a. The type's own labels are the provider's."""
    problem = gpu_problem()
    for key in ("team", "karpenter.k8s.aws/instance-category"):
        problem.node_pools[0].requirements.add(key=key, operator="In", values=["a", "b"])
    decision = decided(
        ("gpu", "g4dn.xlarge", "us-east-1b", "on-demand"), labels={"karpenter.k8s.aws/instance-category": "g"}
    )
    manifest: Any = next(node_claim_manifests(decision, problem.node_pools))
    assert manifest["metadata"]["labels"] == {
        "karpenter.sh/nodepool": "gpu",
        "team": "a",
        "workload": "gpu",
    }


def test_the_crd_check_can_fail() -> None:
    manifest: Any = next(node_claim_manifests(TWO_AND_ONE))
    manifest["spec"]["requirement"] = []
    with pytest.raises(jsonschema.ValidationError, match="requirement"):
        expect_node_claim(manifest)


_names = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,60}[a-z0-9]", fullmatch=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            _names,
            st.sampled_from(["m5.large", "g4dn.xlarge", "u7i-12tb.224xlarge"]),
            st.sampled_from(["us-east-1a", "us-east-1b"]),
            st.sampled_from(["on-demand", "spot", "reserved"]),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_decision_is_written_whole_and_valid(claims: list[tuple[str, str, str, str]]) -> None:
    decision = decided(*claims)
    groups = node_groups(decision, problem_pb2.Problem())
    assert sum(group.desired for group in groups) == len(claims)
    config: Any = cluster_config(groups, "prod")
    expect_valid(config, "eksctl_v1alpha5.json")
    names = [group["name"] for group in config["managedNodeGroups"]]
    assert len(set(names)) == len(names)
    assert len({pool_name(group) for group in groups}) == len(groups)
    for cloud, kind in RESOURCES.items():
        configuration: Any = terraform_configuration(groups, cloud, "prod")
        assert len(configuration["resource"][kind]) == len(groups)
        assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name) for name in configuration["resource"][kind])
        for resource in configuration["resource"][kind].values():
            expect_valid(resource, "terraform_node_groups.json", kind)

"""Decisions as other programs' files: valid by their schemas, and saying what was decided."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from binwright.v1 import decision_pb2, problem_pb2
from binwright_clients.cli.main import main
from binwright_clients.cli.output import print_yaml
from binwright_clients.clusterautoscaler.deployment import autoscaler_manifests
from binwright_clients.eksctl import cluster_config
from binwright_clients.errors import InputError
from binwright_clients.karpenter.nodeclaims import node_claim_manifests
from binwright_clients.node_groups import NodeGroup, disk_gib, fitted_name, node_groups
from binwright_clients.terraform.azure import pool_name
from binwright_clients.terraform.configuration import terraform_configuration
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from published_schemas import expect_kubernetes, expect_node_claim, expect_valid

RESOURCES = {
    "aws": "aws_eks_node_group",
    "gcp": "google_container_node_pool",
    "azure": "azurerm_kubernetes_cluster_node_pool",
}


def decided(
    *claims: tuple[str, str, str, str], labels: dict[str, str] | None = None
) -> decision_pb2.Decision:
    """A decision of claims given as (NodePool, instance type, zone, capacity type)."""
    decision = decision_pb2.Decision()
    for number, (pool, instance_type, zone, capacity_type) in enumerate(claims):
        claim = decision.node_claims.add(
            name=f"{pool}-{number}",
            node_pool=pool,
            instance_type=instance_type,
            region=zone[:-1],
            zone=zone,
            capacity_type=capacity_type,
            price_microusd_per_hour=100_000,
        )
        claim.labels.update({"kubernetes.io/arch": "amd64", "team": "a", **(labels or {})})
        claim.requests.update({"cpu": "1", "pods": "1"})
        claim.allocatable.update({"cpu": "4", "ephemeral-storage": "17Gi", "pods": "58"})
        claim.capacity.update({"cpu": "4", "memory": "16Gi", "pods": "58"})
        if instance_type.startswith("g"):
            claim.allocatable["nvidia.com/gpu"] = "1"
    return decision


def gpu_problem() -> problem_pb2.Problem:
    problem = problem_pb2.Problem()
    pool = problem.node_pools.add(name="gpu", min_nodes=1, max_nodes=3)
    pool.labels["workload"] = "gpu"
    pool.taints.add(key="workload", value="gpu", effect="NoSchedule")
    pool.startup_taints.add(key="node.cilium.io/agent-not-ready", effect="NoExecute")
    workload = problem.workloads.add(name="train")
    workload.template.node_selector["team"] = "a"
    return problem


TWO_AND_ONE = decided(
    ("gpu", "g4dn.xlarge", "us-east-1b", "on-demand"),
    ("gpu", "g4dn.xlarge", "us-east-1b", "on-demand"),
    ("batch", "c5.2xlarge", "us-east-1b", "spot"),
)


def test_equal_nodes_become_one_group_with_its_pool_s_bounds() -> None:
    """Two GPU nodes of a pool with 1 to 3 nodes; the spot pool without bounds may double."""
    gpu, batch = node_groups(TWO_AND_ONE, gpu_problem())
    assert (gpu.name, gpu.min_size, gpu.desired, gpu.max_size) == (
        "gpu-g4dn-xlarge-us-east-1b-on-demand",
        1,
        2,
        3,
    )
    assert (batch.name, batch.min_size, batch.desired, batch.max_size) == (
        "batch-c5-2xlarge-us-east-1b-spot",
        0,
        1,
        2,
    )


@pytest.mark.parametrize(
    ("most", "standing", "largest"),
    [
        (None, 0, [4, 2, 2]),  # all double
        (6, 0, [3, 2, 1]),  # 4 nodes and 2 to spare: one each for the first two groups
        (6, 1, [3, 1, 1]),
        (4, 0, [2, 1, 1]),
        (100, 0, [4, 2, 2]),
    ],
)
def test_groups_of_a_node_pool_keep_to_its_limit_together(
    most: int | None, standing: int, largest: list[int]
) -> None:
    problem = problem_pb2.Problem()
    problem.node_pools.add(name="web", max_nodes=most)
    for number in range(standing):
        problem.existing_nodes.add(name=f"n{number}", node_pool="web")
    zones = ("us-east-1a", "us-east-1a", "us-east-1b", "us-east-1c")
    groups = node_groups(decided(*(("web", "c5.2xlarge", zone, "on-demand") for zone in zones)), problem)
    assert [group.max_size for group in groups] == largest


@pytest.mark.parametrize(
    ("limits", "standing", "largest"),
    [
        ({"cpu": "24"}, 0, [3, 2, 1]),  # 16 of 24 CPU are bought: two nodes more
        ({"cpu": "24"}, 1, [3, 1, 1]),
        ({"cpu": "24", "memory": "80Gi"}, 0, [3, 1, 1]),  # the memory of one node more
        ({"cpu": "16"}, 0, [2, 1, 1]),
        ({"nvidia.com/gpu": "0"}, 0, [4, 2, 2]),  # they have none
    ],
)
def test_groups_of_a_node_pool_keep_to_its_limits_on_resources_together(
    limits: dict[str, str], standing: int, largest: list[int]
) -> None:
    """Four nodes of 4 CPU and 16 GiB in three groups."""
    problem = problem_pb2.Problem()
    problem.node_pools.add(name="web", limits=limits)
    for number in range(standing):
        problem.existing_nodes.add(
            name=f"n{number}", node_pool="web", capacity={"cpu": "4", "memory": "16Gi"}
        )
    zones = ("us-east-1a", "us-east-1a", "us-east-1b", "us-east-1c")
    groups = node_groups(decided(*(("web", "c5.2xlarge", zone, "on-demand") for zone in zones)), problem)
    assert [group.max_size for group in groups] == largest


def test_a_minimum_that_standing_nodes_meet_binds_no_group() -> None:
    problem = gpu_problem()
    problem.existing_nodes.add(name="n1", node_pool="gpu")
    gpu, _ = node_groups(TWO_AND_ONE, problem)
    assert gpu.min_size == 0


def test_a_group_has_labels_of_its_pool_and_those_pods_ask_for_but_none_the_cloud_sets() -> None:
    gpu, batch = node_groups(TWO_AND_ONE, gpu_problem())
    assert dict(gpu.labels) == {
        "karpenter.sh/capacity-type": "on-demand",
        "karpenter.sh/nodepool": "gpu",
        "team": "a",
        "workload": "gpu",
    }
    assert "workload" not in dict(batch.labels)


def test_the_disk_leaves_what_the_decision_counted_on() -> None:
    """450 GiB for pods: (450 + 1) / 0.9 = 501.1 GiB."""
    group = NodeGroup("g", "p", "m5.large", "r", "z", "spot", 1, 1, 0, 2, disk_bytes=450 * 2**30)
    assert disk_gib(group, 80) == 502


def test_names_that_are_cut_stay_distinct() -> None:
    names = {fitted_name(f"{'very-' * 20}{k}", 40) for k in range(50)}
    assert len(names) == 50
    assert all(len(name) <= 40 for name in names)


def test_pools_whose_names_differ_by_a_dot_stay_two_groups() -> None:
    decision = decided(("a.b", "m5.large", "us-east-1a", "spot"), ("a-b", "m5.large", "us-east-1a", "spot"))
    first, second = node_groups(decision, problem_pb2.Problem())
    assert first.name != second.name


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


def test_printed_yaml_has_no_anchors(capsys: pytest.CaptureFixture[str]) -> None:
    """The same list in two places; permissions have such."""
    verbs = ["get", "list"]
    print_yaml({"rules": [{"verbs": verbs}, {"verbs": verbs}]})
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed) == {"rules": [{"verbs": verbs}, {"verbs": verbs}]}
    assert "id001" not in printed


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


def test_a_claim_lives_as_long_as_its_node_pool_says(tmp_path: Path) -> None:
    manifests = tmp_path / "pool.yaml"
    pool = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "p"},
        "spec": {
            "template": {
                "spec": {
                    "expireAfter": "Never",
                    "terminationGracePeriod": "1h",
                    "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "c"},
                    "requirements": [
                        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]}
                    ],
                }
            }
        },
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "1"}}}]},
    }
    manifests.write_text(yaml.safe_dump_all([pool, pod]))
    result = CliRunner().invoke(main, ["solve", "-f", str(manifests), "-o", "karpenter", "--deadline", "1s"])
    assert result.exit_code == 0, result.output
    claim = yaml.safe_load(result.stdout)
    expect_node_claim(claim)
    assert (claim["spec"]["expireAfter"], claim["spec"]["terminationGracePeriod"]) == ("Never", "1h")


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


def test_the_command_writes_terraform_json_and_nothing_else(tmp_path: Path) -> None:
    pods = tmp_path / "pods.csv"
    pods.write_text("name,replicas,cpu_milli,memory_mib\nweb,2,1000,1024\n")
    result = CliRunner().invoke(
        main, ["solve", "-f", str(pods), "-o", "terraform", "--cluster-name", "prod", "--deadline", "1s"]
    )
    assert result.exit_code == 0, result.output
    configuration = json.loads(result.stdout)
    assert list(configuration["resource"]) == ["aws_eks_node_group"]


def test_the_command_writes_one_eksctl_document(tmp_path: Path) -> None:
    pods = tmp_path / "pods.csv"
    pods.write_text("name,replicas,cpu_milli,memory_mib\nweb,2,1000,1024\n")
    result = CliRunner().invoke(main, ["solve", "-f", str(pods), "-o", "eksctl", "--deadline", "1s"])
    assert result.exit_code == 0, result.output
    config = yaml.safe_load(result.stdout)
    expect_valid(config, "eksctl_v1alpha5.json")
    assert len(config["availabilityZones"]) == 2


@pytest.mark.parametrize("is_quiet", [False, True])
@pytest.mark.parametrize("output", ["karpenter", "eksctl", "terraform", "clusterautoscaler"])
def test_old_prices_are_told_in_the_file_and_aloud_unless_quiet(
    output: str, is_quiet: bool, tmp_path: Path
) -> None:
    """A file that is kept must say so itself: whoever applies it later was not there."""
    pods = tmp_path / "pods.csv"
    pods.write_text("name,replicas,cpu_milli,memory_mib\nweb,2,1000,1024\n")
    arguments = ["solve", "-f", str(pods), "-o", output, "--deadline", "1s", "--max-price-age", "0"]
    result = CliRunner().invoke(main, [*arguments, *(["-q"] if is_quiet else [])])
    assert result.exit_code == 0, result.output
    told = "warning: on-demand prices are up to"
    assert (told in result.stderr) is not is_quiet
    if output == "terraform":
        (comment,) = json.loads(result.stdout)["//"]
        assert comment.startswith(told)
    else:
        assert result.stdout.startswith(f"# {told}")
        assert all(isinstance(document, dict) for document in yaml.safe_load_all(result.stdout))


POOL = """
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: dense}
spec:
  template:
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: dense}
      requirements: [{key: node.kubernetes.io/instance-type, operator: In, values: [i3.2xlarge]}]
---
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: dense}
spec:
  amiFamily: AL2023
  instanceStorePolicy: RAID0
  kubelet: {maxPods: 110, kubeReserved: {memory: 1Gi}}
"""


@pytest.mark.parametrize(
    ("output", "left_out"),
    [
        ("eksctl", "kubelet.kubeReserved, instanceStorePolicy"),
        ("terraform", "kubelet.maxPods, kubelet.kubeReserved, instanceStorePolicy"),
    ],
)
def test_node_groups_have_what_they_can_say_of_a_node_class_and_name_the_rest(
    output: str, left_out: str, tmp_path: Path
) -> None:
    """100 pods on one node of 110 slots; local disks hold their files, so that no volume need be as large."""
    (tmp_path / "pods.csv").write_text("name,replicas,cpu_milli,memory_mib\nweb,100,10,10\n")
    (tmp_path / "pool.yaml").write_text(POOL)
    arguments = ["solve", "-f", str(tmp_path / "pods.csv"), "--nodepools", str(tmp_path / "pool.yaml")]
    result = CliRunner().invoke(main, [*arguments, "-o", output, "--deadline", "1s", "-q"])
    assert result.exit_code == 0, result.output
    told = f"warning: {left_out} of NodePool dense's EC2NodeClass is counted on and not in this file"
    assert told in result.stdout
    if output == "eksctl":
        config = yaml.safe_load(result.stdout)
        expect_valid(config, "eksctl_v1alpha5.json")
        (group,) = config["managedNodeGroups"]
        assert (group["desiredCapacity"], group["maxPodsPerNode"], group["volumeSize"]) == (1, 110, 80)
    else:
        (group,) = json.loads(result.stdout)["resource"]["aws_eks_node_group"].values()
        assert (group["scaling_config"]["desired_size"], group["disk_size"]) == (1, 80)


@pytest.mark.parametrize("output", ["eksctl", "clusterautoscaler"])
def test_an_aws_format_is_refused_before_the_solve_on_another_cloud(output: str, tmp_path: Path) -> None:
    pods = tmp_path / "pods.csv"
    pods.write_text("name,replicas,cpu_milli,memory_mib\nweb,2,1000,1024\n")
    result = CliRunner().invoke(main, ["solve", "-f", str(pods), "--catalog", "gcp", "-o", output])
    assert result.exit_code == 2
    assert f"-o {output}: is for EKS, but the catalogue is of gcp" in result.stderr


@pytest.mark.parametrize("output", ["karpenter", "eksctl", "terraform", "clusterautoscaler"])
def test_pods_without_a_place_are_told_even_where_quiet_was_asked_for(output: str, tmp_path: Path) -> None:
    pods = tmp_path / "pods.csv"
    pods.write_text("name,replicas,cpu_milli,memory_mib\nweb,2,1000,1024\nhuge,5,9000000,1024\n")
    result = CliRunner().invoke(main, ["solve", "-q", "-f", str(pods), "-o", output, "--deadline", "1s"])
    assert result.exit_code == 0, result.output
    first, *reasons = result.stderr.splitlines()
    assert first == "warning: no place on what this buys for 5 pods:"
    assert [line.split(":")[0] for line in reasons[:3]] == ["  huge-0", "  huge-1", "  huge-2"]
    assert all("cpu" in line for line in reasons[:3])
    assert reasons[3:] == ["  ... and 2 more: see -o table or -o json"]

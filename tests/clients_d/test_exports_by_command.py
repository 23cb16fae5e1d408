"""``binwright solve`` writes other programs' files: one document, and what it cannot say is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from binwright_clients.cli.main import main
from binwright_clients.cli.output import print_yaml
from click.testing import CliRunner
from published_schemas import expect_node_claim, expect_valid


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


def test_printed_yaml_has_no_anchors(capsys: pytest.CaptureFixture[str]) -> None:
    """The same list in two places; permissions have such."""
    verbs = ["get", "list"]
    print_yaml({"rules": [{"verbs": verbs}, {"verbs": verbs}]})
    printed = capsys.readouterr().out
    assert yaml.safe_load(printed) == {"rules": [{"verbs": verbs}, {"verbs": verbs}]}
    assert "id001" not in printed


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

"""EC2NodeClasses of manifests: what NodePools take from them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from binwright.v1 import node_class_pb2
from binwright_clients.errors import InputError
from binwright_clients.inputs import Inputs, read_inputs

Json = dict[str, Any]
Read = Callable[..., Inputs]


def node_class(spec: Json, name: str = "default", **status: Any) -> Json:
    """An EC2NodeClass with the image family AL2023 unless the spec names one."""
    family = {} if "amiFamily" in spec or "amiSelectorTerms" in spec else {"amiFamily": "AL2023"}
    return {
        "apiVersion": "karpenter.k8s.aws/v1",
        "kind": "EC2NodeClass",
        "metadata": {"name": name},
        "spec": {"role": "nodes", **family, **spec},
        "status": status,
    }


def node_pool(name: str = "general", of: str = "default", **spec: Any) -> Json:
    reference = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": of}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"nodeClassRef": reference, "requirements": [], **spec}}},
    }


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads objects from a file given for NodePools."""

    def read(*objects: Json) -> Inputs:
        (tmp_path / "pods.csv").write_text("name,resource:d\np,1\n")
        (tmp_path / "pools.yaml").write_text(yaml.safe_dump_all(objects))
        return read_inputs([str(tmp_path / "pods.csv")], nodepools=[str(tmp_path / "pools.yaml")])

    return read


def test_each_node_pool_takes_the_node_class_it_names(read: Read) -> None:
    kubelet = {
        "maxPods": 110,
        "podsPerCore": 10,
        "kubeReserved": {"cpu": "200m", "memory": "1Gi", "pid": "1000"},
        "systemReserved": {"ephemeral-storage": "2Gi"},
        "evictionHard": {"memory.available": "5%", "nodefs.inodesFree": "10%"},
        "evictionSoft": {"memory.available": "1Gi"},
        "evictionSoftGracePeriod": {"memory.available": "1m"},
        "clusterDNS": ["10.0.0.10"],
    }
    dense = node_class({"kubelet": kubelet, "instanceStorePolicy": "RAID0"}, "dense")
    inputs = read(node_pool("a", "dense"), node_pool("b"), node_pool("c", "elsewhere"), dense, node_class({}))
    a, b, c = inputs.problem.node_pools
    assert a.node_class == node_class_pb2.NodeClass(
        ami_family="AL2023",
        max_pods=110,
        pods_per_core=10,
        kube_reserved={"cpu": "200m", "memory": "1Gi"},
        system_reserved={"ephemeral-storage": "2Gi"},
        eviction_hard={"memory.available": "5%"},
        uses_local_disks=True,
    )
    assert b.node_class == node_class_pb2.NodeClass(ami_family="AL2023")
    assert not c.HasField("node_class")
    (note,) = inputs.notes
    assert "(NodePool c): EC2NodeClass elsewhere is not there" in note


def test_node_pools_alone_need_no_node_class(read: Read) -> None:
    assert not read(node_pool("gpu", of="gone")).notes


def test_kubelet_settings_of_a_beta_node_pool_are_read(read: Read) -> None:
    pool = node_pool(kubelet={"maxPods": 20})
    pool["apiVersion"] = "karpenter.sh/v1beta1"
    pool["spec"]["template"]["spec"]["nodeClassRef"] = {
        "apiVersion": "karpenter.k8s.aws/v1beta1",
        "kind": "EC2NodeClass",
        "name": "default",
    }
    [read_pool] = read(pool).problem.node_pools
    assert read_pool.node_class == node_class_pb2.NodeClass(max_pods=20)


@pytest.mark.parametrize(
    ("spec", "family"),
    [
        ({"amiSelectorTerms": [{"alias": "bottlerocket@latest"}]}, "Bottlerocket"),
        ({"amiSelectorTerms": [{"alias": "al2@v20250101"}]}, "AL2"),
        ({"amiSelectorTerms": [{"alias": "al2023@latest"}], "amiFamily": "Custom"}, "Custom"),
        ({"amiSelectorTerms": [{"id": "ami-1"}]}, "Custom"),
    ],
)
def test_the_image_family_is_the_one_named_or_that_of_the_alias(read: Read, spec: Json, family: str) -> None:
    [pool] = read(node_pool(), node_class(spec)).problem.node_pools
    assert pool.node_class.ami_family == family


def disk(device: str, size: str, **more: Any) -> Json:
    return {"deviceName": device, "ebs": {"volumeSize": size, "volumeType": "gp3"}, **more}


@pytest.mark.parametrize(
    ("family", "disks", "size"),
    [
        ("AL2023", [disk("/dev/xvda", "100Gi")], "100Gi"),
        ("AL2023", [disk("/dev/xvdb", "100Gi")], ""),  # no disk of the pods' files
        ("AL2023", [disk("/dev/xvda", "50Gi"), disk("/dev/sdf", "200Gi", rootVolume=True)], "200Gi"),
        ("Bottlerocket", [disk("/dev/xvda", "4Gi"), disk("/dev/xvdb", "80Gi")], "80Gi"),
        ("Custom", [disk("/dev/xvda", "30Gi"), disk("/dev/xvdz", "60G")], "60G"),
        ("Windows2022", [disk("/dev/sda1", "120Gi")], "120Gi"),
        ("AL2023", [{"deviceName": "/dev/xvda", "ebs": {"snapshotID": "snap-1"}}], ""),
    ],
)
def test_the_disk_of_the_pods_files_is_the_one_that_karpenter_takes(
    read: Read, family: str, disks: list[Json], size: str
) -> None:
    spec = {"amiFamily": family, "blockDeviceMappings": disks}
    [pool] = read(node_pool(), node_class(spec)).problem.node_pools
    assert pool.node_class.root_disk == size


def test_nodes_are_bought_only_in_zones_of_the_subnets_that_karpenter_found(read: Read) -> None:
    subnets = [{"id": "subnet-2", "zone": "us-east-1b"}, {"id": "subnet-1", "zone": "us-east-1a"}]
    [pool] = read(node_pool(), node_class({}, subnets=subnets)).problem.node_pools
    [zones] = pool.requirements
    assert (zones.key, zones.operator) == ("topology.kubernetes.io/zone", "In")
    assert list(zones.values) == ["us-east-1a", "us-east-1b"]


def test_a_pool_that_buys_where_its_node_class_has_no_subnet_is_a_mistake(read: Read) -> None:
    elsewhere = [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-east-1f"]}]
    with pytest.raises(InputError) as caught:
        read(node_pool(requirements=elsewhere), node_class({}, subnets=[{"zone": "us-east-1a"}]))
    [problem] = caught.value.problems
    assert "document 1 (NodePool general): spec.template.spec.nodeClassRef.name: the subnets" in str(problem)
    assert "are in us-east-1a only, where the pool buys nothing (got 'default')" in str(problem)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"kubelet": {"maxPod": 110}}, "spec.kubelet.maxPod: unknown field; did you mean 'maxPods'?"),
        ({"kubelet": {"maxPods": "110"}}, "spec.kubelet.maxPods: must be a whole number (got '110')"),
        ({"kubelet": {"maxPods": -1}}, "spec.kubelet.maxPods: must be from 0 to"),
        ({"kubelet": {"kubeReserved": {"gpu": "1"}}}, "spec.kubelet.kubeReserved[gpu]"),
        ({"kubelet": {"systemReserved": {"cpu": "much"}}}, "spec.kubelet.systemReserved[cpu]"),
        ({"kubelet": {"evictionHard": {"memory.free": "5%"}}}, "must be one of memory.available"),
        ({"kubelet": {"evictionHard": {"memory.available": "105%"}}}, "from 0% to 100%"),
        ({"instanceStorePolicy": "RAID1"}, "spec.instanceStorePolicy: must be RAID0 (got 'RAID1')"),
        ({"amiFamily": "Debian"}, "spec.amiFamily: must be one of AL2, AL2023"),
        ({"blockDeviceMappings": [disk("/dev/xvda", "big")]}, "spec.blockDeviceMappings[0].ebs.volumeSize"),
        ({"blockDeviceMappings": [disk("/dev/xvda", "0")]}, "must be more than nothing"),
    ],
)
def test_a_mistake_names_file_document_and_field(read: Read, spec: Json, words: str) -> None:
    with pytest.raises(InputError) as caught:
        read(node_pool(), node_class(spec))
    [problem] = caught.value.problems
    assert "pools.yaml, document 2 (EC2NodeClass default)" in str(problem)
    assert words in str(problem)


def test_what_is_not_read_and_may_matter_is_said(read: Read) -> None:
    spec = {"userData": "#!/bin/sh", "networkInterfaces": [{"interfaceType": "efa-only"}], "kubelets": {}}
    notes = read(node_pool(), node_class(spec)).notes
    assert len(notes) == 3
    for field in spec:
        assert any(f"document 2 (EC2NodeClass default): spec.{field}: " in note for note in notes)


@pytest.mark.parametrize(
    ("group", "kind"), [("karpenter.azure.com", "AKSNodeClass"), ("karpenter.k8s.gcp", "GCENodeClass")]
)
def test_node_classes_of_other_clouds_are_said_not_to_be_read(read: Read, group: str, kind: str) -> None:
    pool = node_pool(nodeClassRef={"group": group, "kind": kind, "name": "spare"})
    [note] = read(pool).notes
    assert f"document 1 (NodePool general): {kind} spare is not read: pod slots" in note


def test_prices_of_windows_nodes_are_said_to_be_those_of_linux(read: Read) -> None:
    [note] = read(node_pool(), node_class({"amiFamily": "Windows2025"})).notes
    assert "prices and labels are those of Linux nodes" in note

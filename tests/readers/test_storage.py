"""Volumes in manifests: where claims can be attached, attach limits, and StatefulSets with bound claims."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from binwright_clients.inputs import Inputs
from google.protobuf import json_format

Read = Callable[..., Inputs]
Mistakes = Callable[..., str]
ZONE = "topology.kubernetes.io/zone"


def documents(*bodies: dict[str, Any]) -> str:
    return yaml.safe_dump_all(bodies)


def claim(name: str = "data", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], **spec},
    }


def volume(name: str, zone: str, key: str = ZONE, **spec: Any) -> dict[str, Any]:
    expressions = [{"key": key, "operator": "In", "values": [zone]}]
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": expressions}]}}
    body = {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": name}, "nodeAffinity": affinity, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": body}


def storage_class(name: str, *zones: str, **more: Any) -> dict[str, Any]:
    body = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "ebs.csi.aws.com",
        **more,
    }
    if zones:
        expressions = [{"key": "topology.ebs.csi.aws.com/zone", "values": list(zones)}]
        body["allowedTopologies"] = [{"matchLabelExpressions": expressions}]
    return body


def pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]
    body = {"containers": [{"name": "c"}], "volumes": volumes, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body}


def volumes_of(inputs: Inputs, workload: int = 0) -> list[dict[str, Any]]:
    return [
        json_format.MessageToDict(found, preserving_proto_field_name=True)
        for found in inputs.problem.workloads[workload].template.volumes
    ]


def in_zone(*zones: str) -> list[dict[str, Any]]:
    return [{"match_expressions": [{"key": ZONE, "operator": "In", "values": list(zones)}]}]


@pytest.mark.parametrize("key", [ZONE, "topology.ebs.csi.aws.com/zone", "topology.gke.io/zone"])
def test_bound_claim_is_where_its_volume_is(read: Read, key: str) -> None:
    """Drivers name zones by labels of their own, which a node that is not bought yet does not bear."""
    inputs = read(documents(pod(), claim(volumeName="pv"), volume("pv", "a", key)))
    assert volumes_of(inputs) == [
        {"name": "data", "driver": "ebs.csi.aws.com", "topology": in_zone("a"), "single_node": True}
    ]
    assert inputs.notes == ()


def test_volume_finds_its_claim_by_reference_too(read: Read) -> None:
    bound = volume("pv", "b", claimRef={"namespace": "default", "name": "data"})
    assert volumes_of(read(documents(pod(), claim(), bound)))[0]["topology"] == in_zone("b")


def test_old_volume_names_zones_in_its_labels(read: Read) -> None:
    old = volume("pv", "x")
    del old["spec"]["nodeAffinity"], old["spec"]["csi"]
    old["spec"]["awsElasticBlockStore"] = {"volumeID": "v"}
    old["metadata"]["labels"] = {"failure-domain.beta.kubernetes.io/zone": "b__a"}
    [found] = volumes_of(read(documents(pod(), claim(volumeName="pv"), old)))
    assert (found["driver"], found["topology"]) == ("ebs.csi.aws.com", in_zone("a", "b"))


def test_unbound_claim_goes_where_its_storage_class_allows(read: Read) -> None:
    inputs = read(documents(pod(), claim(storageClassName="fast"), storage_class("fast", "b", "a")))
    assert volumes_of(inputs)[0]["topology"] == in_zone("a", "b")


def test_claim_without_class_takes_the_default_one(read: Read) -> None:
    default = storage_class("std", "a")
    default["metadata"]["annotations"] = {"storageclass.kubernetes.io/is-default-class": "true"}
    assert volumes_of(read(documents(pod(), claim(), default)))[0]["driver"] == "ebs.csi.aws.com"


@pytest.mark.parametrize(
    ("modes", "flags"),
    [
        (["ReadWriteOnce"], {"single_node": True}),
        (["ReadWriteOncePod"], {"single_node": True, "exclusive": True}),
        (["ReadWriteMany"], {}),
        (["ReadWriteOnce", "ReadOnlyMany"], {}),
    ],
)
def test_access_modes_say_who_may_share(read: Read, modes: list[str], flags: dict[str, bool]) -> None:
    [found] = volumes_of(read(documents(pod(), claim(accessModes=modes))))
    assert {key: value for key, value in found.items() if key != "name"} == flags


def test_ephemeral_volume_is_the_pods_own(read: Read) -> None:
    own = {"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "fast"}}}}
    inputs = read(documents(pod(volumes=[own]), storage_class("fast")))
    assert volumes_of(inputs) == [{"driver": "ebs.csi.aws.com"}]


def test_claim_and_class_that_are_missing_are_said(read: Read) -> None:
    inputs = read(documents(pod()))
    assert volumes_of(inputs) == [{"name": "data"}]
    [note] = inputs.notes
    assert note.endswith("PersistentVolumeClaim 'data' is not among the inputs: its zone is not known")
    [note] = read(documents(pod(), claim(storageClassName="gone")), "b.yaml").notes
    assert note.endswith("StorageClass 'gone' is not among the inputs: its zones are not known")


def stateful_set(replicas: int = 3) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "c"}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "fast"}}],
        },
    }


def test_replicas_without_bound_claims_stay_one_workload(read: Read) -> None:
    inputs = read(documents(stateful_set(), storage_class("fast", "a")))
    [workload] = inputs.problem.workloads
    assert (workload.replicas, list(workload.pod_names)) == (3, [])
    assert volumes_of(inputs) == [{"driver": "ebs.csi.aws.com", "topology": in_zone("a")}]


def test_replicas_whose_volumes_are_in_two_zones_are_two_workloads(read: Read) -> None:
    bodies = [stateful_set(), storage_class("fast")]
    for ordinal, zone in ((0, "a"), (1, "b"), (2, "a")):
        bodies.append(claim(f"data-db-{ordinal}", volumeName=f"pv-{ordinal}"))
        bodies.append(volume(f"pv-{ordinal}", zone))
    inputs = read(documents(*bodies))
    assert [(w.name, w.replicas, list(w.pod_names)) for w in inputs.problem.workloads] == [
        ("db", 2, ["db-0", "db-2"]),
        ("db-part-2", 1, ["db-1"]),
    ]
    assert volumes_of(inputs)[0]["topology"] == in_zone("a")
    assert volumes_of(inputs, 1)[0]["topology"] == in_zone("b")
    assert "split into 2 workloads by the places of its volumes" in inputs.notes[0]


def node() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "n1"},
        "status": {"allocatable": {"cpu": "4", "pods": "9"}},
    }


def csi_node(count: int) -> dict[str, Any]:
    driver = {"name": "ebs.csi.aws.com", "nodeID": "i", "allocatable": {"count": count}}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSINode",
        "metadata": {"name": "n1"},
        "spec": {"drivers": [driver]},
    }


def test_attach_limit_of_a_node_is_less_by_what_its_pods_attach(read: Read) -> None:
    """Two pods share one claim: 25 - 1 = 24 are left."""
    running = [pod(f"r{n}", nodeName="n1") for n in range(2)]
    inputs = read(
        documents(node(), csi_node(25), *running, claim(volumeName="pv"), volume("pv", "a"), pod("new"))
    )
    [limit] = inputs.problem.existing_nodes[0].attach_limits
    assert (limit.driver, limit.count) == ("ebs.csi.aws.com", 24)


def test_negative_attach_limit_is_refused(mistakes: Mistakes) -> None:
    text = mistakes(documents(node(), csi_node(-1), pod("new")))
    assert "(CSINode n1): spec.drivers[0].allocatable.count: must not be negative (got '-1')" in text


def test_wrong_operator_of_a_volume_is_told_where_it_is(mistakes: Mistakes) -> None:
    wrong = volume("pv", "a")
    term = wrong["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]
    term["matchExpressions"][0]["operator"] = "is"
    text = mistakes(documents(pod(), claim(volumeName="pv"), wrong))
    assert (
        "(PersistentVolume pv): spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0]" in text
    )


def test_more_replicas_than_can_be_named_are_refused_before_they_are(mistakes: Mistakes) -> None:
    text = mistakes(documents(stateful_set(2_000_000_000), storage_class("fast"), claim("data-db-0")))
    assert "spec.replicas: must be at most 1000000 where its replicas are told apart" in text

"""Device claims in manifests: ResourceClaims, their templates and DeviceClasses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from binwright_clients.inputs import Inputs
from google.protobuf import json_format

Read = Callable[..., Inputs]
Mistakes = Callable[..., str]
M = 'device.capacity["gpu.nvidia.com"].memory'


def claim_body(kind: str = "ResourceClaimTemplate", **request: Any) -> dict[str, Any]:
    exactly = {"deviceClassName": "gpu", **request}
    devices = {"devices": {"requests": [{"name": "r", "exactly": exactly}]}}
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "two"},
        "spec": {"spec": devices} if kind == "ResourceClaimTemplate" else devices,
    }


GPU_CLASS = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "DeviceClass",
    "metadata": {"name": "gpu"},
    "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.nvidia.com'"}}]},
}


def pod(field: str = "resourceClaimTemplateName", **more: Any) -> dict[str, Any]:
    claims = [{"name": "gpus", field: "two", **more}]
    spec = {"containers": [{"name": "c"}], "resourceClaims": claims}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def claims_of(inputs: Inputs) -> list[dict[str, Any]]:
    return [
        json_format.MessageToDict(found, preserving_proto_field_name=True)
        for found in inputs.problem.workloads[0].template.device_claims
    ]


DRIVER = "device.driver == 'gpu.nvidia.com'"


def test_claim_template_with_its_class_is_carried(read: Read) -> None:
    large = f"{M}.compareTo(quantity('40Gi')) >= 0"
    wanted = claim_body(count=2, selectors=[{"cel": {"expression": large}}])
    assert claims_of(read(yaml.safe_dump_all([pod(), wanted, GPU_CLASS]))) == [
        {
            "title": "gpus",
            "requests": [
                {
                    "first_available": [
                        {"name": "r", "device_class": "gpu", "selectors": [DRIVER, large], "count": 2}
                    ]
                }
            ],
        }
    ]


def test_claim_that_pods_share_keeps_its_name_and_all_devices_are_zero(read: Read) -> None:
    shared = claim_body("ResourceClaim", allocationMode="All")
    [claim] = claims_of(read(yaml.safe_dump_all([pod("resourceClaimName"), shared, GPU_CLASS])))
    assert claim["name"] == "two"
    assert claim["requests"][0]["first_available"][0]["count"] == 0


def test_alternatives_and_equal_attributes_are_carried(read: Read) -> None:
    body = claim_body()
    alternatives = [
        {"name": "a", "deviceClassName": "gpu"},
        {"name": "b", "deviceClassName": "gpu", "count": 2},
    ]
    devices = {
        "requests": [{"name": "r", "firstAvailable": alternatives}],
        "constraints": [{"matchAttribute": "gpu.nvidia.com/parentUUID"}],
    }
    body["spec"]["spec"]["devices"] = devices
    [claim] = claims_of(read(yaml.safe_dump_all([pod(), body, GPU_CLASS])))
    assert [sub["count"] for sub in claim["requests"][0]["first_available"]] == [1, 2]
    assert claim["match_attributes"] == ["gpu.nvidia.com/parentUUID"]


def test_constraints_on_some_requests_are_carried_as_devices_of_a_node_are_alike(read: Read) -> None:
    body = claim_body()
    body["spec"]["spec"]["devices"]["constraints"] = [
        {"matchAttribute": "gpu.nvidia.com/productName", "requests": ["r"]}
    ]
    [claim] = claims_of(read(yaml.safe_dump_all([pod(), body, GPU_CLASS])))
    assert claim["match_attributes"] == ["gpu.nvidia.com/productName"]


def test_admin_access_is_carried(read: Read) -> None:
    [claim] = claims_of(read(yaml.safe_dump_all([pod(), claim_body(adminAccess=True), GPU_CLASS])))
    assert claim["requests"][0]["first_available"][0]["admin_access"]


def test_an_allocated_claim_tells_its_node(read: Read) -> None:
    shared = claim_body("ResourceClaim")
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}]}
    shared["status"] = {"allocation": {"nodeSelector": {"nodeSelectorTerms": [term]}}}
    [claim] = claims_of(read(yaml.safe_dump_all([pod("resourceClaimName"), shared, GPU_CLASS])))
    assert claim["node"] == "node-1"


def test_classes_that_drivers_bring_along_are_known(read: Read) -> None:
    inputs = read(yaml.safe_dump_all([pod(), claim_body(deviceClassName="gpu.nvidia.com")]))
    [note] = inputs.notes
    assert note.endswith(
        "DeviceClass 'gpu.nvidia.com' is not among the inputs: taken as its driver defines it"
    )
    [claim] = claims_of(inputs)
    [selector] = claim["requests"][0]["first_available"][0]["selectors"]
    assert 'type == "gpu"' in selector


def test_containers_name_claims_of_their_pod(read: Read, mistakes: Mistakes) -> None:
    body = pod()
    body["spec"]["containers"][0]["resources"] = {"claims": [{"name": "gpus", "request": "r"}]}
    assert claims_of(read(yaml.safe_dump_all([body, claim_body(), GPU_CLASS])))
    body["spec"]["containers"][0]["resources"]["claims"][0]["name"] = "other"
    told = mistakes(yaml.safe_dump_all([body, claim_body(), GPU_CLASS]))
    assert "spec.containers[0].resources.claims[0].name: names no claim of spec.resourceClaims" in told


def test_requests_of_earlier_versions_are_understood(read: Read) -> None:
    body = claim_body()
    body["apiVersion"] = "resource.k8s.io/v1beta1"
    body["spec"]["spec"]["devices"]["requests"] = [{"name": "r", "deviceClassName": "gpu", "count": 3}]
    [claim] = claims_of(read(yaml.safe_dump_all([pod(), body, GPU_CLASS])))
    assert claim["requests"][0]["first_available"][0]["count"] == 3


UNKNOWN_CLASS = "DeviceClass gpu is not among the inputs, and is none that Binwright knows"
OR_KNOWN = [{"name": "a", "deviceClassName": "gpu.nvidia.com"}, {"name": "b", "deviceClassName": "gpu"}]


def first_available(*alternatives: dict[str, Any]) -> dict[str, Any]:
    body = claim_body()
    body["spec"]["spec"]["devices"]["requests"] = [{"name": "r", "firstAvailable": list(alternatives)}]
    return body


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([pod()], "ResourceClaimTemplate two is not among the inputs"),
        ([pod("resourceClaimName")], "ResourceClaim two is not among the inputs"),
        ([pod(), claim_body()], UNKNOWN_CLASS),
        ([pod("resourceClaimName"), claim_body("ResourceClaim")], UNKNOWN_CLASS),
        ([pod(), first_available(*OR_KNOWN)], UNKNOWN_CLASS),
    ],
)
def test_what_a_claim_names_and_is_not_there_is_carried_as_its_reason(
    read: Read, bodies: list[dict[str, Any]], expected: str
) -> None:
    [claim] = claims_of(read(yaml.safe_dump_all(bodies)))
    assert claim["missing"] == expected


def test_a_claim_made_from_a_template_that_is_gone_since_then_is_the_pods(read: Read) -> None:
    body, made = pod(), claim_body("ResourceClaim", count=3)
    made["metadata"] = {"name": "p-gpus-x7"}
    body["status"] = {"resourceClaimStatuses": [{"name": "gpus", "resourceClaimName": "p-gpus-x7"}]}
    [claim] = claims_of(read(yaml.safe_dump_all([body, made, GPU_CLASS])))
    assert claim["name"] == "p-gpus-x7"
    assert "missing" not in claim
    assert claim["requests"][0]["first_available"][0]["count"] == 3


def test_the_class_of_an_allocated_claim_is_not_looked_for(read: Read) -> None:
    shared = claim_body("ResourceClaim")
    shared["status"] = {"allocation": {"devices": {}}}
    [claim] = claims_of(read(yaml.safe_dump_all([pod("resourceClaimName"), shared])))
    assert "missing" not in claim


def constrained(constraint: dict[str, Any]) -> dict[str, Any]:
    body = claim_body()
    body["spec"]["spec"]["devices"]["constraints"] = [constraint]
    return body


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([pod(resourceClaimName="x")], "spec.resourceClaims[0]: needs resourceClaimName or"),
        (
            [pod(), claim_body(count=0), GPU_CLASS],
            "spec.spec.devices.requests[0].exactly.count: must be at least 1",
        ),
        ([pod(), claim_body(count=33), GPU_CLASS], "exactly.count: must be in 0..32"),
        ([pod(), claim_body(allocationMode="Some"), GPU_CLASS], "allocationMode: must be ExactCount or All"),
        ([pod(), claim_body(deviceClassName=""), GPU_CLASS], "deviceClassName: must name a DeviceClass"),
        (
            [pod(), claim_body(allocationMode="All", count=2), GPU_CLASS],
            "goes with allocationMode ExactCount",
        ),
        (
            [pod(), claim_body(selectors=[{"cel": {"expression": "size(device.driver) > 1"}}]), GPU_CLASS],
            "exactly.selectors[0].cel.expression: 'size' is not understood at character 1",
        ),
        (
            [pod(), claim_body(), {**GPU_CLASS, "spec": {"selectors": [{"cel": {"expression": "1"}}]}}],
            "spec.selectors[0].cel.expression: a number is no truth value",
        ),
        (
            [pod(), claim_body(capacity={"requests": {"memory": "1Gi"}}), GPU_CLASS],
            "exactly.capacity: is not understood: devices are claimed as a whole",
        ),
        (
            [pod(), constrained({"distinctAttribute": "a/b"}), GPU_CLASS],
            "devices.constraints[0].distinctAttribute: is not understood: only matchAttribute is",
        ),
        (
            [pod(), constrained({"matchAttribute": "a/b", "requests": ["x"]}), GPU_CLASS],
            "devices.constraints[0].requests[0]: names no request of the claim",
        ),
        ([pod(), constrained({"requests": ["r"]}), GPU_CLASS], "matchAttribute: must name an attribute"),
    ],
)
def test_wrong_claims_are_refused_by_name(
    mistakes: Mistakes, bodies: list[dict[str, Any]], expected: str
) -> None:
    assert expected in mistakes(yaml.safe_dump_all(bodies))


def device_slice(*types: str, driver: str = "gpu.nvidia.com", generation: int = 1, node: str = "n1") -> Any:
    devices = [
        {"name": f"d{k}", "attributes": {"type": {"string": kind}} if kind else {}}
        for k, kind in enumerate(types)
    ]
    pool = {"name": node, "generation": generation, "resourceSliceCount": 1}
    spec = {"driver": driver, "pool": pool, "nodeName": node, "devices": devices}
    metadata = {"name": f"{driver}-{generation}-{len(types)}"}
    return {"apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice", "metadata": metadata, "spec": spec}


def running_node(**allocatable: str) -> dict[str, Any]:
    amounts = {"cpu": "8", "memory": "32Gi", "pods": "110", **allocatable}
    status = {"allocatable": amounts, "capacity": amounts}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": status}


def free_on(read: Read, *bodies: dict[str, Any]) -> dict[str, str]:
    asked = [pod(), claim_body(), GPU_CLASS]
    [node] = read(yaml.safe_dump_all([*asked, running_node(), *bodies])).problem.existing_nodes
    assert dict(node.free).keys() == dict(node.capacity).keys()
    return dict(node.free)


def test_devices_that_drivers_publish_are_those_of_the_node(read: Read) -> None:
    """Two GPUs, a MIG device, and an accelerator of AWS, which has no type."""
    free = free_on(
        read, device_slice("gpu", "gpu", "mig"), device_slice("", driver="neuron.aws.com"), device_slice("x")
    )
    assert free["nvidia.com/gpu"] == "2"
    assert free["aws.amazon.com/neuron"] == "1"


def test_slices_of_an_earlier_generation_and_of_other_drivers_do_not_count(read: Read) -> None:
    old, new = device_slice("gpu", "gpu"), device_slice("gpu", generation=2)
    assert free_on(read, old, new)["nvidia.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in free_on(read, device_slice("gpu", driver="dra.example.com"))


def test_devices_that_a_device_plugin_advertises_are_not_counted_twice(read: Read) -> None:
    node = running_node(**{"nvidia.com/gpu": "4"})
    bodies = [pod(), claim_body(), GPU_CLASS, node, device_slice("gpu", "gpu")]
    [node] = read(yaml.safe_dump_all(bodies)).problem.existing_nodes
    assert node.free["nvidia.com/gpu"] == "4"


PROFILE = 'device.attributes["gpu.nvidia.com"].profile'


def mig_claim(profile: str = "1g.5gb", kind: str = "ResourceClaimTemplate", **request: Any) -> dict[str, Any]:
    cel = {"expression": f'{PROFILE} == "{profile}"'}
    selectors = request.pop("selectors", [{"cel": cel}])
    return claim_body(kind, deviceClassName="mig.nvidia.com", selectors=selectors, **request)


def test_mig_devices_are_requests_for_their_profile(read: Read) -> None:
    template = read(yaml.safe_dump_all([pod(), mig_claim(count=2)])).problem.workloads[0].template
    assert not template.device_claims
    assert [dict(c.requests) for c in template.containers if c.name == "claim gpus"] == [
        {"nvidia.com/mig-1g.5gb": "2"}
    ]


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([pod(), mig_claim("9g.9gb")], "requests[0]: no GPU offers the MIG profile 9g.9gb"),
        ([pod(), mig_claim(allocationMode="All")], "templates with an exact count only"),
        ([pod("resourceClaimName"), mig_claim(kind="ResourceClaim")], "templates with an exact count only"),
        ([pod(), mig_claim(selectors=[])], "driver, type and one profile may be asked for"),
        (
            [pod(), mig_claim(selectors=[{"cel": {"expression": f'{PROFILE} in ["1g.5gb"]'}}])],
            "driver, type and one profile may be asked for, joined by &&",
        ),
    ],
)
def test_other_claims_of_mig_devices_are_refused_by_name(
    mistakes: Mistakes, bodies: list[dict[str, Any]], expected: str
) -> None:
    assert expected in mistakes(yaml.safe_dump_all(bodies))

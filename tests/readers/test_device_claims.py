"""Device claims in manifests, and the part of CEL that their selectors are read in."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import yaml
from binwright_clients.inputs import Inputs
from binwright_clients.kubernetes.cel import parse_selector
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

Read = Callable[..., Inputs]
Mistakes = Callable[..., str]
D = 'device.attributes["gpu.nvidia.com"]'
M = 'device.capacity["gpu.nvidia.com"].memory'


@pytest.mark.parametrize(
    ("expression", "conditions"),
    [
        ("device.driver == 'gpu.nvidia.com'", ["driver == 'gpu.nvidia.com'"]),
        (f'{D}.type == "gpu"', ["gpu.nvidia.com/type == 'gpu'"]),
        (f"{D}.type != 'mig'", ["gpu.nvidia.com/type != 'mig'"]),
        (f"{D}.index >= 2", ["gpu.nvidia.com/index >= 2"]),
        (f"{D}.type in ['gpu', 'mig']", ["gpu.nvidia.com/type in 'gpu', 'mig'"]),
        (f"{D}.ecc", ["gpu.nvidia.com/ecc == True"]),
        (f"!{D}.ecc", ["gpu.nvidia.com/ecc == False"]),
        (f"{D}.ecc == false", ["gpu.nvidia.com/ecc == False"]),
        (f'{M} == quantity("1Ki")', ["gpu.nvidia.com/memory == 1024"]),
        (f'{M}.compareTo(quantity("1Ki")) >= 0', ["gpu.nvidia.com/memory >= 1024"]),
        (f"{M}.isGreaterThan(quantity('1Ki'))", ["gpu.nvidia.com/memory > 1024"]),
        (f"{M}.isLessThan(quantity('1Ki'))", ["gpu.nvidia.com/memory < 1024"]),
        (
            f"device.driver == 'a' && ({D}.type == 'x' && {D}.n < 3)",
            ["driver == 'a'", "gpu.nvidia.com/type == 'x'", "gpu.nvidia.com/n < 3"],
        ),
        (f"({D}.type == 'a && b')", ["gpu.nvidia.com/type == 'a && b'"]),
        (f"{D}.type == ')('", ["gpu.nvidia.com/type == ')('"]),
    ],
)
def test_understood_selectors(expression: str, conditions: list[str]) -> None:
    assert [str(condition) for condition in parse_selector(expression)] == conditions


@pytest.mark.parametrize(
    ("expression", "description"),
    [
        ("", "is not understood"),
        ("device.driver == 'a' || device.driver == 'b'", "|| is not understood"),
        (f"{D}.name.matches('.*')", "only comparisons with constants are"),
        (f"{D}.type < 'b'", "compares numbers only"),
        (f"{D}.type == other", "'other' is no text, number or truth value"),
        (f"{D}.version.compareTo(semver('1.0.0')) > 0", "is not understood"),
        (f"{M} > 5", "compare a capacity with quantity"),
        (f"{M} == quantity('lots')", "is not a quantity"),
        ("size(device.attributes) > 1", "is not understood"),
        (f"!{D}.index > 2", "! goes before a truth value only"),
        ("x" * 20_000, "is longer than"),
    ],
)
def test_other_selectors_are_refused_by_name(expression: str, description: str) -> None:
    with pytest.raises(ValueError, match=description.replace("|", "\\|").replace("(", "\\(")):
        parse_selector(expression)


@given(st.text("()[]&|!<>='\"d.evicatrubs 10", max_size=60))
def test_any_text_is_understood_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert parse_selector(text)


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


DRIVER = {"property": "driver", "comparison": "==", "values": [{"text": "gpu.nvidia.com"}]}


def test_claim_template_with_its_class_is_carried(read: Read) -> None:
    wanted = claim_body(count=2, selectors=[{"cel": {"expression": f"{M}.compareTo(quantity('40Gi')) >= 0"}}])
    assert claims_of(read(yaml.safe_dump_all([pod(), wanted, GPU_CLASS]))) == [
        {
            "requests": [
                {
                    "first_available": [
                        {
                            "name": "r",
                            "device_class": "gpu",
                            "conditions": [
                                DRIVER,
                                {
                                    "property": "capacity",
                                    "name": "gpu.nvidia.com/memory",
                                    "comparison": ">=",
                                    "values": [{"number": str(40 * 2**30)}],
                                },
                            ],
                            "count": 2,
                        }
                    ]
                }
            ]
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


def test_requests_of_earlier_versions_are_understood(read: Read) -> None:
    body = claim_body()
    body["apiVersion"] = "resource.k8s.io/v1beta1"
    body["spec"]["spec"]["devices"]["requests"] = [{"name": "r", "deviceClassName": "gpu", "count": 3}]
    [claim] = claims_of(read(yaml.safe_dump_all([pod(), body, GPU_CLASS])))
    assert claim["requests"][0]["first_available"][0]["count"] == 3


@pytest.mark.parametrize(
    ("bodies", "expected"),
    [
        ([pod()], "ResourceClaimTemplate 'two' is not among the inputs: its devices are not known"),
        ([pod(), claim_body()], "DeviceClass 'gpu' is not among the inputs: its selectors are not known"),
        ([pod(), claim_body(adminAccess=True), GPU_CLASS], "adminAccess of a device request is not read"),
    ],
)
def test_what_is_missing_or_not_read_is_said(read: Read, bodies: list[dict[str, Any]], expected: str) -> None:
    [note] = read(yaml.safe_dump_all(bodies)).notes
    assert note.endswith(expected)


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
            [pod(), claim_body(selectors=[{"cel": {"expression": "true || false"}}]), GPU_CLASS],
            "exactly.selectors[0].cel.expression: || is not understood: only comparisons joined by && are",
        ),
    ],
)
def test_wrong_claims_are_refused_by_name(
    mistakes: Mistakes, bodies: list[dict[str, Any]], expected: str
) -> None:
    assert expected in mistakes(yaml.safe_dump_all(bodies))

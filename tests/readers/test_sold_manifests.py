"""What is sold or held, in manifests: NodeOverlays, GPU sharing of NodePools, reservations, policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from binwright_clients.inputs import Inputs
from google.protobuf import json_format

Read = Callable[..., Inputs]
Mistakes = Callable[..., str]
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p"},
    "spec": {"containers": [{"name": "c"}]},
}


def own(kind: str, name: str = "x", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "binwright.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def overlay(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "karpenter.sh/v1alpha1",
        "kind": "NodeOverlay",
        "metadata": {"name": "o"},
        "spec": spec,
    }


def pool(**annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {
            "name": "gpu",
            "annotations": {f"binwright.dev/{k.replace('_', '-')}": v for k, v in annotations.items()},
        },
        "spec": {"template": {"spec": {"requirements": [{"key": "a", "operator": "Exists"}]}}},
    }


def as_dict(message: Any) -> dict[str, Any]:
    found: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return found


def test_node_overlay_is_carried(read: Read) -> None:
    requirement = {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]}
    body = overlay(weight=5, requirements=[requirement], priceAdjustment="-10%", capacity={"x.y/z": 2})
    [message] = read(yaml.safe_dump_all([POD, body])).problem.node_overlays
    assert as_dict(message) == {
        "name": "o",
        "weight": 5,
        "requirements": [requirement],
        "price_adjustment": "-10%",
        "capacity": {"x.y/z": "2"},
    }


def test_gpu_sharing_and_attach_limits_of_a_node_pool_are_carried(read: Read) -> None:
    limits = "ebs.csi.aws.com=25, efs.csi.aws.com=9"
    body = pool(gpu_sharing="time-slicing", gpu_replicas="4", mig="false", attach_limits=limits)
    [message] = read(yaml.safe_dump_all([POD, body])).problem.node_pools
    assert as_dict(message.gpu_sharing) == {"strategy": "time-slicing", "replicas": 4, "mig": False}
    assert [(limit.driver, limit.count) for limit in message.attach_limits] == [
        ("ebs.csi.aws.com", 25),
        ("efs.csi.aws.com", 9),
    ]


def test_commitments_and_policies_are_carried(read: Read) -> None:
    bodies = [
        POD,
        own("Reservation", instanceType="p5.48xlarge", region="us-east-1", zone="us-east-1a", count=4),
        own("SavingsPlan", commitment="12.50", discount="28%"),
        own(
            "Policies",
            preferencePolicy="Ignore",
            dollarsPerWeightPoint="0.001",
            restartCost="0.05",
            minValuesPolicy="BestEffort",
            gpuNodePolicy="Never",
            spot={"minOnDemand": "30%", "maxPerSpotPool": 2, "maxLoss": "20%", "maxLossProbability": "1%"},
        ),
    ]
    problem = read(yaml.safe_dump_all(bodies)).problem
    assert as_dict(problem.reservations[0]) == {
        "name": "x",
        "instance_type": "p5.48xlarge",
        "region": "us-east-1",
        "zone": "us-east-1a",
        "count": "4",
    }
    assert as_dict(problem.savings_plans[0]) == {
        "name": "x",
        "microusd_per_hour": "12500000",
        "discount_ppm": 280_000,
    }
    assert as_dict(problem.policies) == {
        "preference_policy": "Ignore",
        "microusd_per_weight_hour": "1000",
        "restart_cost_microusd": "50000",
        "min_values_policy": "BestEffort",
        "gpu_node_policy": "Never",
        "spot": {
            "min_on_demand": "30%",
            "max_per_pool": "2",
            "loss": {"share": "20%", "probability_ppm": 10_000, "window_seconds": "3600"},
        },
    }


R = {"instanceType": "t", "region": "r", "count": 1}
S = {"commitment": "1", "discount": "10%"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (overlay(price="1", priceAdjustment="+1"), "spec.priceAdjustment: goes without a price"),
        (overlay(price="free"), "(NodeOverlay o): spec.price: is not a price in dollars such as 0.526"),
        (overlay(price="1", weight=0), "spec.weight: must be from 1 to 10000 (got '0')"),
        (
            overlay(priceAdjustment="10%"),
            "spec.priceAdjustment: must begin with + or -, such as +10% or -0.5",
        ),
        (overlay(priceAdjustment="-101%"), "spec.priceAdjustment: must be -100% or more (got '-101%')"),
        (overlay(priceAdjustment="+x%"), "spec.priceAdjustment: is no percentage such as"),
        (overlay(priceAdjustment="+x"), "spec.priceAdjustment: is not a price in dollars"),
        (overlay(price=1), "spec.price: must be a string; put it in quotes (got '1')"),
        (overlay(prize="1"), "spec.prize: unknown field; did you mean 'price'?"),
        (
            pool(gpu_sharing="time-slice"),
            "must be one of fraction, exclusive, time-slicing, mps; did you mean",
        ),
        (pool(gpu_sharing="mps", gpu_replicas="1"), "gpu-replicas]: must be in 2..48 for mps (got '1')"),
        (pool(gpu_sharing="mps"), "gpu-sharing]: must be in 2..48 for mps (got '1')"),
        (pool(gpu_replicas="4"), "goes with time-slicing and mps, not with fraction (got '4')"),
        (pool(mig="yes"), "mig]: must be true or false (got 'yes')"),
        (pool(attach_limits="ebs=x"), "must look like ebs.csi.aws.com=25"),
        (pool(attach_limits="a=1,a=2"), "names a twice"),
        (own("Reservation", **(R | {"count": -1})), "(Reservation x): spec.count: must be from 0"),
        (own("Reservation", **(R | {"instanceType": ""})), "spec.instanceType: must be given"),
        (
            own("Reservation", **R, capacityType="spot"),
            "spec.capacityType: must be one of reserved, on-demand",
        ),
        (own("Reservation", **R, price="-1"), "spec.price: must be a price of zero or more dollars"),
        (own("SavingsPlan", **(S | {"discount": "100%"})), "spec.discount: must be a percentage below 100%"),
        (own("SavingsPlan", **(S | {"discount": "5"})), "spec.discount: must be a percentage"),
        (own("SavingsPlan", discount="5%"), "spec.commitment: must be given"),
        (
            own("Policies", gpuNodePolicy="never"),
            "spec.gpuNodePolicy: must be one of IfCheaper, Never; did you",
        ),
        (
            own("Policies", spot={"maxLoss": "1"}),
            "spec.spot.maxLoss: maxLoss and maxLossProbability go together",
        ),
        (own("Policies", spot={"minOnDemand": "all"}), "spec.spot.minOnDemand: must be a number of pods"),
        (
            own("Policies", spot={"maxLoss": 1, "maxLossProbability": "1%", "maxLossWindow": "x"}),
            "spec.spot.maxLossWindow: is no duration",
        ),
        (own("Policy"), None),
    ],
)
def test_wrong_manifests_are_refused_by_name(
    read: Read, mistakes: Mistakes, body: dict[str, Any], expected: str | None
) -> None:
    text = yaml.safe_dump_all([POD, body])
    if expected is None:
        assert "skipped: kind Policy" in read(text).notes[0]
    else:
        assert expected in mistakes(text)


def test_second_policies_are_refused(mistakes: Mistakes) -> None:
    text = mistakes(yaml.safe_dump_all([POD, own("Policies", "a"), own("Policies", "b")]))
    assert "document 3 (Policies b): kind: only one is read, and document 2 (Policies a) is one" in text

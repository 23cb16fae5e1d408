"""Decisions made by hand, for tests of what is printed."""

from __future__ import annotations

from collections.abc import Mapping

from binwright.v1 import decision_pb2


def add_claims(
    decision: decision_pb2.Decision,
    node_pool: str,
    instance_type: str,
    price_microusd: int,
    *,
    count: int = 1,
    pods_each: int = 2,
    capacity_type: str = "on-demand",
    zone: str = "us-east-1a",
    requests: Mapping[str, str] | None = None,
    allocatable: Mapping[str, str] | None = None,
) -> None:
    """Append equal NodeClaims and count their price into the cost."""
    for _ in range(count):
        number = len(decision.node_claims)
        claim = decision.node_claims.add(
            name=f"{node_pool}-{number:04d}",
            node_pool=node_pool,
            instance_type=instance_type,
            region="us-east-1",
            zone=zone,
            capacity_type=capacity_type,
            price_microusd_per_hour=price_microusd,
            hourly_price_usd=price_microusd / 1e6,
            pods=[f"pod-{number}-{k}" for k in range(pods_each)],
        )
        claim.labels["kubernetes.io/arch"] = "amd64"
        claim.labels["kubernetes.io/os"] = "linux"
        claim.requests.update(requests or {"cpu": "6", "memory": "10Gi", "pods": str(pods_each)})
        claim.allocatable.update(allocatable or {"cpu": "7910m", "memory": "14Gi", "pods": "58"})
        claim.daemon_overhead.update({"cpu": "100m", "memory": "128Mi"})
        claim.instance_types.add(name=instance_type, hourly_price_usd=price_microusd / 1e6)
        decision.hourly_cost_microusd += price_microusd
    decision.hourly_cost_usd = decision.hourly_cost_microusd / 1e6
    decision.monthly_cost_usd = decision.hourly_cost_usd * 730


def mixed_decision() -> decision_pb2.Decision:
    """Three node pools with GPUs, an existing node, and pods refused for two kinds of reasons."""
    decision = decision_pb2.Decision(
        status=decision_pb2.SOLUTION_STATUS_PARTIAL, stop_reason=decision_pb2.STOP_REASON_DEADLINE
    )
    gpu = {"cpu": "6", "memory": "20Gi", "nvidia.com/gpu": "1", "pods": "2"}
    gpu_room = {"cpu": "7910m", "memory": "29Gi", "nvidia.com/gpu": "1", "pods": "58"}
    add_claims(decision, "gpu-compute", "g4dn.2xlarge", 752_000, count=12, requests=gpu, allocatable=gpu_room)
    add_claims(decision, "memory-optimized", "r5.2xlarge", 504_000, count=3, zone="us-east-1b")
    add_claims(decision, "spot", "c5.2xlarge", 134_100, count=40, capacity_type="spot")
    decision.node_claims[0].instance_types.add(name="g4dn.4xlarge", hourly_price_usd=1.204)
    decision.lower_bound_microusd = 15_800_000
    decision.lower_bound_usd = 15.8
    decision.gap = (decision.hourly_cost_microusd - 15_800_000) / decision.hourly_cost_microusd
    decision.existing_placements.add(node="ip-10-0-0-1.ec2.internal", pods=["web-1", "web-2", "api/x", "y"])
    for k in range(5):
        pod = decision.unschedulable_pods.add(
            pod=f"big-{k}",
            workload="Deployment default/big",
            nearest_miss="u-24tb1.metal in us-east-1a lacks 452 CPU",
        )
        pod.reasons.add(constraint="cpu", refused=4512, message="requests 900 CPU; the largest node has 448")
    pod = decision.unschedulable_pods.add(pod="ml/train", workload="Job ml/train")
    pod.reasons.add(constraint="taint", refused=12, message="does not tolerate workload=gpu:NoSchedule")
    decision.warnings.append("preferred node affinity of 3 workloads only breaks ties")
    decision.timings.add(phase="columns", seconds=8.5)
    decision.timings.add(phase="verify", seconds=0.25)
    decision.version = "0.1.0"
    return decision

"""Small decisions as messages, for tests of the files that are written of them."""

from __future__ import annotations

from binwright.v1 import decision_pb2, problem_pb2


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

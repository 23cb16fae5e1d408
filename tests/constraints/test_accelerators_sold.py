"""Accelerators of the clouds' catalogues: Neuron, Gaudi and AMD beside NVIDIA, by their resource names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from binwright_optimizer.accelerators import accelerator_uses
from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import CapacityType, Catalog, GpuNodePolicy, Policies, Problem, labels
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from builders import node_pool, pod, requires

NEURON, NEURON_CORE = "aws.amazon.com/neuron", "aws.amazon.com/neuroncore"
POOL = node_pool("p", requires(labels.CAPACITY_TYPE, "In", "on-demand"), requires(labels.ARCH, "In", "amd64"))


def cheapest(catalog: Catalog, resource: str, count: int) -> int:
    """Least on-demand price of a node with so many devices."""
    return min(
        o.price_microusd_per_hour
        for kind in catalog.instance_types
        if kind.arch == "amd64" and kind.allocatable[resource] >= count
        for o in kind.offerings
        if o.capacity_type is CapacityType.ON_DEMAND
    )


@pytest.mark.parametrize(
    ("cloud", "region", "resource", "count", "model"),
    [
        ("aws", "us-east-1", NEURON, 1, "inferentia"),
        ("aws", "us-east-1", NEURON, 12, "inferentia"),
        ("aws", "us-east-1", NEURON_CORE, 2, "inferentia"),
        ("aws", "us-east-1", "habana.ai/gaudi", 8, "gaudi"),
        ("aws", "us-east-1", "amd.com/gpu", 2, "radeon-pro-v520"),
        ("azure", "eastus", "amd.com/gpu", 1, "radeon-pro-v710"),
        ("gcp", "us-central1", "nvidia.com/gpu", 1, ""),
    ],
)
def test_a_pod_gets_the_cheapest_node_with_its_devices(
    cloud: str, region: str, resource: str, count: int, model: str
) -> None:
    """One small pod that asks for devices: the cheapest node that has them, proven."""
    catalog = embedded_catalog(cloud, (region,))
    asking = pod(cpu=0.1, memory_gib=0.25, **{resource: count})
    decision = solve(Problem((asking,), (POOL,), catalog), SolveParams(deadline_s=20.0))
    (claim,) = decision.node_claims
    (kind,) = (kind for kind in catalog.instance_types if kind.name == claim.instance_type)
    assert decision.cost_microusd_per_hour == decision.bound_microusd_per_hour
    assert decision.cost_microusd_per_hour == cheapest(catalog, resource, count)
    assert kind.gpu_model.startswith(model)


def test_cores_of_a_neuron_device_are_parts_of_it() -> None:
    """Two of the four cores of the cheapest Inferentia node are half of its device."""
    catalog = embedded_catalog("aws", ("us-east-1",))
    problem = Problem((pod(cpu=1, memory_gib=1, **{NEURON_CORE: 2}),), (POOL,), catalog)
    decision = solve(problem, SolveParams(deadline_s=20.0))
    (use,) = accelerator_uses(problem, decision.node_claims)
    assert (use.resource, use.bought, use.used_milli) == (NEURON, 1, 500)


def test_pods_without_devices_keep_off_nodes_that_have_some_if_told_to() -> None:
    """A pod of one core beside a Neuron pod: on its node for nothing, or on a node of its own."""
    catalog = embedded_catalog("aws", ("us-east-1",))
    pods = (pod("plain", cpu=1, memory_gib=1), pod("neuron", cpu=1, memory_gib=1, **{NEURON: 1}))
    shared = solve(Problem(pods, (POOL,), catalog), SolveParams(deadline_s=20.0))
    assert len(shared.node_claims) == 1
    never = replace(Problem(pods, (POOL,), catalog), policies=Policies(gpu_nodes=GpuNodePolicy.NEVER))
    apart = solve(never, SolveParams(deadline_s=20.0))
    assert len(apart.node_claims) == 2
    assert apart.cost_microusd_per_hour > shared.cost_microusd_per_hour

"""Accelerators bought and not used: how many, which are stranded, and what they cost."""

from __future__ import annotations

from dataclasses import replace

from binwright_optimizer.accelerators import AcceleratorUse, accelerator_uses
from binwright_optimizer.model import GpuShare, Problem
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from builders import instance_type, microusd, pod, problem

FOUR = instance_type("four", cpu=16, memory_gib=64, gpu=4, price=4.0)
PLAIN = instance_type("plain", cpu=16, memory_gib=64, price=1.0)


def uses_of(wanted: Problem) -> tuple[AcceleratorUse, ...]:
    decision = solve(wanted, SolveParams(deadline_s=10.0))
    return accelerator_uses(wanted, decision.node_claims)


def test_devices_beside_a_full_cpu_are_stranded() -> None:
    """Two pods fill the cores of a node of four GPUs: two GPUs cost half of the $3 beyond a plain node."""
    (use,) = uses_of(problem([pod(cpu=8, memory_gib=8, gpu=1, replicas=2)], [FOUR, PLAIN]))
    assert use == AcceleratorUse("nvidia.com/gpu", 4, 2_000, 2_000, microusd(1.5), microusd(1.5))


def test_devices_that_another_pod_could_use_are_unused_only() -> None:
    """One pod leaves eight cores for another."""
    (use,) = uses_of(problem([pod(cpu=8, memory_gib=8, gpu=1)], [FOUR, PLAIN]))
    assert use == AcceleratorUse("nvidia.com/gpu", 4, 1_000, 0, microusd(2.25), 0)


def test_without_a_plain_node_of_that_size_the_whole_price_counts() -> None:
    (use,) = uses_of(problem([pod(cpu=8, memory_gib=8, gpu=1, replicas=2)], [FOUR]))
    assert use.stranded_microusd == microusd(2.0)


def test_shares_count_in_thousandths() -> None:
    """Three pods of a quarter of a GPU use 750 thousandths of four devices."""
    asking = pod(cpu=1, memory_gib=1, gpu=1, replicas=3)
    asking = replace(asking, template=replace(asking.template, gpu_share=GpuShare(250)))
    (use,) = uses_of(problem([asking], [FOUR]))
    assert (use.bought, use.used_milli) == (4, 750)


def test_other_accelerators_are_counted_by_their_own_resource() -> None:
    """A node of two Neuron devices with a pod that asks for both."""
    node = instance_type("inf", cpu=8, price=2.0, **{"aws.amazon.com/neuron": 2})
    (use,) = uses_of(problem([pod(cpu=1, **{"aws.amazon.com/neuron": 2})], [node, PLAIN]))
    assert use == AcceleratorUse("aws.amazon.com/neuron", 2, 2_000)


def test_nodes_without_accelerators_are_not_counted() -> None:
    assert uses_of(problem([pod(cpu=1)], [PLAIN])) == ()

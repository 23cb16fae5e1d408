"""Accelerators bought and not used: how many, which are stranded, and what they cost."""

from __future__ import annotations

from dataclasses import replace

from binwright_optimizer.accelerators import AcceleratorUse, accelerator_uses
from binwright_optimizer.model import GpuShare, InstanceType, Problem, Workload
from binwright_optimizer.params import SolveParams
from binwright_optimizer.solve import solve
from binwright_optimizer.verify import verify
from builders import GIB, instance_type, microusd, pod, problem

FOUR = instance_type("four", cpu=16, memory_gib=64, gpu=4, price=4.0)
PLAIN = instance_type("plain", cpu=16, memory_gib=64, price=1.0)


def uses_of(wanted: Problem) -> tuple[AcceleratorUse, ...]:
    decision = solve(wanted, SolveParams(deadline_s=10.0))
    assert not verify(wanted, decision)
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


def sharing(name: str, share: GpuShare, replicas: int = 1) -> Workload:
    asking = pod(name, cpu=1, memory_gib=1, gpu=1, replicas=replicas)
    return replace(asking, template=replace(asking.template, gpu_share=share))


def with_memory(gpu: int, memory_gib: int) -> InstanceType:
    """A node of so many GPUs, for 4 $/h where a plain one costs 1 $/h."""
    kind = instance_type("gpus", cpu=16, memory_gib=64, gpu=gpu, price=4.0, gpu_model="l40s")
    return replace(kind, gpu_memory_bytes=memory_gib * GIB)


def test_a_share_by_memory_alone_uses_its_part_of_the_memory() -> None:
    """40 of 48 GiB are 834 thousandths, rounded up: 166 are unused, of 3 $/h beyond a plain node."""
    asking = sharing("p", GpuShare(1, 40 * GIB))
    (use,) = uses_of(problem([asking], [with_memory(1, 48), PLAIN]))
    assert use == AcceleratorUse("nvidia.com/gpu", 1, 834, 0, microusd(3.0) * 166 // 1_000, 0)


def test_the_larger_of_compute_and_memory_counts_and_a_device_is_used_at_most_as_a_whole() -> None:
    """On a GPU of 24 GiB, 600 thousandths with 6 GiB (250) and 18 GiB with 100 thousandths (750): all of it.

    Three pods of a third of the memory, 334 thousandths each, are all of a GPU as well.
    """
    two = [sharing("a", GpuShare(600, 6 * GIB)), sharing("b", GpuShare(100, 18 * GIB))]
    (use,) = uses_of(problem(two, [with_memory(1, 24)]))
    assert (use.bought, use.used_milli, use.unused_microusd) == (1, 1_000, 0)
    (use,) = uses_of(problem([sharing("c", GpuShare(1, 8 * GIB), 3)], [with_memory(1, 24)]))
    assert (use.bought, use.used_milli, use.unused_microusd) == (1, 1_000, 0)


def test_what_is_beyond_a_whole_device_is_no_use_of_another() -> None:
    """Two GPUs of 24 GiB: c has no room beside a (1,100 thousandths) or b (30 GiB), so a and b are on one.

    They are 600 and 750 thousandths, all of it; c is 500 of the other, and 500 of 2,000 of 4 $/h are unused.
    """
    asking = {"a": GpuShare(600, 6 * GIB), "b": GpuShare(100, 18 * GIB), "c": GpuShare(500, 12 * GIB)}
    (use,) = uses_of(problem([sharing(*item) for item in asking.items()], [with_memory(2, 24)]))
    assert (use.bought, use.used_milli, use.unused_microusd) == (2, 1_500, microusd(1.0))


def test_other_accelerators_are_counted_by_their_own_resource() -> None:
    """A node of two Neuron devices with a pod that asks for both."""
    node = instance_type("inf", cpu=8, price=2.0, **{"aws.amazon.com/neuron": 2})
    (use,) = uses_of(problem([pod(cpu=1, **{"aws.amazon.com/neuron": 2})], [node, PLAIN]))
    assert use == AcceleratorUse("aws.amazon.com/neuron", 2, 2_000)


def test_nodes_without_accelerators_are_not_counted() -> None:
    assert uses_of(problem([pod(cpu=1)], [PLAIN])) == ()

"""What comes closest to holding a pod that has no place: devices first, and what is lacking of them."""

from __future__ import annotations

import dataclasses

from binwright_optimizer.model import (
    GpuSharing,
    InstanceType,
    SharingStrategy,
)
from binwright_optimizer.model import labels as known_labels
from builders import GIB, existing_node, instance_type, node_pool, pod
from test_explain import SMALL, nearest, reasons, sharing


def gpu_type(name: str, model: str, memory_gib: int = 0, gpu: int = 1, cpu: float = 4) -> InstanceType:
    kind = instance_type(name, cpu=cpu, gpu=gpu, gpu_model=model, price=1)
    return dataclasses.replace(kind, gpu_memory_bytes=memory_gib * GIB)


def test_devices_come_first_in_the_nearest_miss() -> None:
    """``plain`` has all of the 8 CPUs and no GPU; ``half`` has one of two GPUs and 1 CPU, and is nearer."""
    plain, half = instance_type("plain", cpu=8, price=1), gpu_type("half", "t4", cpu=1)
    assert nearest(pod(cpu=8, gpu=2), plain, half) == "half has cpu 1 of 8, nvidia.com/gpu 1 of 2"


def test_a_share_larger_than_any_gpu_names_the_gpu_with_most_memory() -> None:
    """40 GiB are asked of one GPU: ``two`` has 48 in sum, ``large`` 32 on its only one."""
    types = SMALL, gpu_type("two", "l4", 24, gpu=2), gpu_type("large", "v100-32gb", 32)
    assert nearest(sharing(1, 40 * GIB), *types) == "large has 32Gi of 40Gi of GPU memory on each GPU"


def test_shares_of_more_gpus_than_a_node_has() -> None:
    types = gpu_type("one", "t4", 16), gpu_type("two", "t4", 16, gpu=2)
    assert nearest(sharing(500, gpus=3), SMALL, *types) == "two has nvidia.com/gpu 2 of 3"


def test_a_share_beyond_what_an_mps_client_gets() -> None:
    """Four clients have a quarter each, of which a half is asked: ``small`` with no GPU is further away."""
    pool = dataclasses.replace(node_pool(), gpu_sharing=GpuSharing(SharingStrategy.MPS, replicas=4))
    told = "one has MPS clients with 250 thousandths of a GPU and 4Gi of its memory"
    assert nearest(sharing(500), SMALL, gpu_type("one", "t4", 16), pool=pool) == told


def test_a_mig_profile_that_no_gpu_has_names_the_model_with_the_one_most_alike() -> None:
    """To 9g.99gb, 7g.40gb is alike by 7/9 * 40/99, 4g.24gb of the A30 by 4/9 * 24/99; a T4 is not cut."""
    types = SMALL, gpu_type("t", "t4"), gpu_type("a30", "a30"), gpu_type("a100", "a100-40gb")
    told = "a100 has a100-40gb GPUs, whose MIG profile closest to 9g.99gb is 7g.40gb"
    assert nearest(pod(cpu=1, **{"nvidia.com/mig-9g.99gb": 1}), *types) == told
    told = "t has t4 GPUs, which MIG does not cut"
    assert nearest(pod(cpu=1, **{"nvidia.com/mig-9g.99gb": 1}), *types[:2]) == told
    assert (
        nearest(pod(cpu=1, **{"nvidia.com/mig-9g.99gb": 1}), SMALL)
        == "small has nvidia.com/mig-9g.99gb 0 of 1"
    )


def test_gpus_that_only_a_setting_keeps_from_being_cut_are_nearest() -> None:
    """The A100 would have the profile; the A30 has others, and ``small`` has no GPU."""
    pool = dataclasses.replace(node_pool(), gpu_sharing=GpuSharing(mig=False))
    types = SMALL, gpu_type("a30", "a30"), gpu_type("a100", "a100-40gb")
    told = "a100 has a100-40gb GPUs, not cut into MIG profile 1g.5gb (mig false)"
    assert nearest(pod(cpu=1, **{"nvidia.com/mig-1g.5gb": 1}), *types, pool=pool) == told


def test_gpus_of_running_nodes_are_no_nearer_than_those_that_can_be_cut() -> None:
    """The running A100 stays whole; the one to be bought holds seven of the eight instances asked."""
    node = existing_node("n", cpu=8, gpu=1, node_labels={known_labels.GPU_MODEL: "a100-40gb"})
    asking = pod(cpu=1, **{"nvidia.com/mig-1g.5gb": 8})
    told = "a100 (on-demand) in zone-a of NodePool default has nvidia.com/mig-1g.5gb 7 of 8"
    assert reasons(asking, [gpu_type("a100", "a100-40gb")], existing=[node]).nearest_miss == told
    told = "node n has a100-40gb GPUs, not cut anew into MIG profile 1g.5gb"
    assert reasons(asking, [SMALL], existing=[node]).nearest_miss == told


def test_no_nearest_miss_is_told_where_some_place_holds_such_a_pod() -> None:
    """``large`` holds 8 CPUs and its NodePool may add none: that ``small`` has 4 of 8 is beside the point."""
    found = reasons(pod(cpu=8), pools=[node_pool("p", max_nodes=0)])
    assert found.nearest_miss == ""
    assert {r.constraint for r in found.refusals} == {"cpu", "limit"}

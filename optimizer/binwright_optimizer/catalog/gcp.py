"""GCP machine types as GKE nodes.

Capacity and allocatable follow ``pkg/utils/utils.go`` of github.com/cloudpilot-ai/karpenter-provider-gcp,
which quotes https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes:

- memory capacity: nominal less 7 % for the kernel;
- kept: `RESERVED_MEMORY` and 100 MiB for eviction, `reserved.KUBELET_CPU` (1,060 milli-CPU on
  shared-core E2) and 100 milli-CPU for kube-proxy, which runs as a mirror pod beside the DaemonSets;
- disk: 10 % for eviction, and for the system half the boot disk, or 35 % + 6 GiB, or 100 GiB,
  whichever is least; 50, 75 or 100 GiB of 1, 2 or more local SSDs;
- pods: 110, the default of GKE Standard.

An N1 machine with GPUs attached is a type of its own here, named ``n1-standard-8+t4x1``. Its nodes bear the
machine type in ``node.kubernetes.io/instance-type`` and the GPU in ``cloud.google.com/gke-accelerator``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from binwright_optimizer.model import labels
from binwright_optimizer.model.gpus import gpu_model_with_memory
from binwright_optimizer.model.offerings import InstanceType
from binwright_optimizer.model.reserved import KUBELET_CPU, Tiers, tiered_share
from binwright_optimizer.model.resources import (
    CPU,
    EPHEMERAL_STORAGE,
    MEMORY,
    NVIDIA_GPU,
    PODS,
    Resources,
)

MIB = 2**20
GIB = 2**30
MAX_PODS = 110
BOOT_DISK_GIB = 100
"""GKE's default boot disk."""

LOCAL_SSD_GIB = 375
KUBE_PROXY_CPU_MILLI = 100
SHARED_CORE_CPU_MILLI = 1_060

RESERVED_MEMORY: Tiers = (
    (4 * 1024, 2_500),
    (8 * 1024, 2_000),
    (16 * 1024, 1_000),
    (128 * 1024, 600),
    (None, 200),
)
"""MiB: 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112, 2 % above."""

_LABEL = "karpenter.k8s.gcp/instance-"
_FAMILY = re.compile(r"^([a-z]+)(\d+)")
_ACCELERATORS = {
    "a100-40gb": "nvidia-tesla-a100",
    "a100-80gb": "nvidia-a100-80gb",
    "b200": "nvidia-b200",
    "h100-80gb": "nvidia-h100-80gb",
    "h200": "nvidia-h200-141gb",
    "l4": "nvidia-l4",
    "p100": "nvidia-tesla-p100",
    "p4": "nvidia-tesla-p4",
    "rtx-pro-6000": "nvidia-rtx-pro-6000",
    "t4": "nvidia-tesla-t4",
    "v100-16gb": "nvidia-tesla-v100",
}
"""What ``cloud.google.com/gke-accelerator`` says, by canonical model."""


def memory_capacity_bytes(nominal_mib: int) -> int:
    """Memory the node reports, before anything is kept.

    >>> memory_capacity_bytes(15_360) // MIB
    14284
    """
    nominal = nominal_mib * MIB
    return nominal - nominal * 7 // 100


def allocatable_memory_bytes(nominal_mib: int) -> int:
    """What pods may use of the memory; 0 where GKE would keep it all.

    >>> allocatable_memory_bytes(15_360) // MIB  # 14,284 less 2,560 and 100
    11624
    """
    kept_mib = 255 if nominal_mib <= 1024 else tiered_share(nominal_mib, RESERVED_MEMORY)
    return max(0, memory_capacity_bytes(nominal_mib) - (kept_mib + 100) * MIB)


def allocatable_cpu_milli(vcpu: int, shared_core: bool = False) -> int:
    """What pods may use of the processors, milli-CPU.

    >>> allocatable_cpu_milli(4), allocatable_cpu_milli(2, shared_core=True)
    (3820, 840)
    """
    kept = SHARED_CORE_CPU_MILLI if shared_core else tiered_share(1_000 * vcpu, KUBELET_CPU)
    return 1_000 * vcpu - kept - KUBE_PROXY_CPU_MILLI


def disk_gib(local_ssd_gib: int) -> tuple[int, int]:
    """Capacity and allocatable of ephemeral storage, GiB.

    Parameters
    ----------
    local_ssd_gib
        Local SSDs that come with the machine, which GKE then uses; 0 means the boot disk is used.

    Examples
    --------
    >>> disk_gib(0), disk_gib(750)
    ((100, 49), (750, 600))
    """
    if not local_ssd_gib:
        system = min(BOOT_DISK_GIB // 2, BOOT_DISK_GIB * 35 // 100 + 6, 100)
        return BOOT_DISK_GIB, BOOT_DISK_GIB - BOOT_DISK_GIB // 10 - system
    disks = local_ssd_gib // LOCAL_SSD_GIB
    system = 25 + 25 * min(max(disks, 1), 3)
    return local_ssd_gib, local_ssd_gib - local_ssd_gib // 10 - system


def instance_type(row: Mapping[str, str]) -> InstanceType:
    """The type of one row of ``gcp_instance_types.csv.gz``, without offerings."""
    vcpu, nominal = int(row["vcpu"]), int(row["memory_mib"])
    disk, allocatable_disk = disk_gib(int(row["local_ssd_gib"] or 0))
    gpu_model, gpu_count, gpu_memory_bytes = "", int(row["gpu_count"] or 0), 0
    if gpu_count:
        memory_mib = int(row["gpu_memory_mib"] or 0)
        model = gpu_model_with_memory(row["gpu_name"], memory_mib)
        gpu_model, gpu_memory_bytes = model.name, (memory_mib or model.memory_gib * 1024) * MIB
    shared = {PODS: MAX_PODS, NVIDIA_GPU: gpu_count}
    capacity = {
        CPU: 1_000 * vcpu,
        MEMORY: memory_capacity_bytes(nominal),
        EPHEMERAL_STORAGE: disk * GIB,
    }
    allocatable = {
        CPU: allocatable_cpu_milli(vcpu, row["shared_cpu"] == "1"),
        MEMORY: allocatable_memory_bytes(nominal),
        EPHEMERAL_STORAGE: allocatable_disk * GIB,
    }
    return InstanceType(
        name=row["instance_type"],
        cloud="gcp",
        arch=row["arch"],
        capacity=Resources.of(capacity | shared),
        allocatable=Resources.of(allocatable | shared),
        labels=tuple(sorted(_labels(row, gpu_model).items())),
        offerings=(),
        gpu_model=gpu_model,
        gpu_count=gpu_count,
        gpu_memory_bytes=gpu_memory_bytes,
    )


def _labels(row: Mapping[str, str], gpu_model: str) -> dict[str, str]:
    machine_type = row["machine_type"]
    found = {
        labels.ARCH: row["arch"],
        labels.OS: "linux",
        labels.INSTANCE_TYPE: machine_type,
        labels.CLOUD: "gcp",
        "cloud.google.com/machine-family": row["family"],
        "cloud.google.com/gke-cpu-scaling-level": row["vcpu"],
        "cloud.google.com/gke-memory-gb-scaling-level": str(int(row["memory_mib"]) // 1024),
        _LABEL + "family": row["family"],
        _LABEL + "cpu": row["vcpu"],
        _LABEL + "memory": row["memory_mib"],
    }
    scheme = _FAMILY.match(machine_type)
    if scheme:
        found[_LABEL + "category"], found[_LABEL + "generation"] = scheme[1], scheme[2]
    # n1-standard-8 and e2-medium, and c3-standard-8-lssd with something after the size.
    parts = machine_type.split("-")
    found[_LABEL + "shape"] = parts[1]
    found[_LABEL + "size"] = parts[2] if len(parts) > 2 else parts[1]
    if gpu_model:
        accelerator = _ACCELERATORS[gpu_model]
        if machine_type.startswith("a3-megagpu"):
            accelerator = "nvidia-h100-mega-80gb"
        found[labels.GPU_MODEL] = gpu_model
        found["cloud.google.com/gke-accelerator"] = accelerator
        found[_LABEL + "gpu-name"] = accelerator
        found[_LABEL + "gpu-count"] = row["gpu_count"]
    if machine_type.endswith("-metal"):
        found[labels.BARE_METAL] = "true"
    if row["shared_cpu"] == "1":
        found[labels.BURSTABLE] = "true"
    return found

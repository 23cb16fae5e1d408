"""Azure VM sizes as AKS nodes.

Capacity and allocatable follow ``pkg/providers/instancetype/instancetype.go`` of
github.com/Azure/karpenter-provider-azure, which follows
https://learn.microsoft.com/azure/aks/concepts-clusters-workloads#resource-reservations:

- memory capacity: whole nominal GiB less 7.5 % for the hypervisor;
- kept: `RESERVED_CPU`, `RESERVED_MEMORY`, and 750 MiB for eviction;
- disk: 128 GB of OS disk, AKS's default, less the kubelet's 10 % for eviction (Karpenter's model counts
  the whole disk; the node does not offer it);
- pods: 250, the default of Azure CNI Overlay, which is AKS's default network; kubenet has 110 and Azure CNI
  with node subnets 30.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from binwright_optimizer.model import labels
from binwright_optimizer.model.gpus import gpu_model_with_memory
from binwright_optimizer.model.offerings import InstanceType
from binwright_optimizer.model.reserved import Tiers, tiered_share
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
MAX_PODS = 250
OS_DISK_BYTES = 128 * 10**9
EVICTION_MEMORY_MIB = 750

RESERVED_CPU: Tiers = ((1_000, 600), (2_000, 400), (4_000, 200), (None, 100))
"""Milli-CPU: 6 % of the first core, 4 % of the second, 2 % of the next two, 1 % above."""

RESERVED_MEMORY: Tiers = (
    (4 * 1024, 2_500),
    (8 * 1024, 2_000),
    (16 * 1024, 1_000),
    (128 * 1024, 600),
    (None, 200),
)
"""MiB: 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8, 6 % of the next 112, 2 % above."""

_LABEL = "karpenter.azure.com/sku-"
_SKU = re.compile(
    r"^[A-Za-z]+_(?P<series>[A-Z]+)\d+(?:-\d+)?(?P<features>[a-zPC]*)(?:_\w*?)??(?:_v(?P<version>\d+))?(?:_Promo)?$"
)
"""https://learn.microsoft.com/azure/virtual-machines/vm-naming-conventions: ``Standard_NC4as_T4_v3``."""

_BOARD = re.compile(r"^([a-z]*-)*(?P<board>[a-z]+\d+[a-z]?)(-\d+gb)?$")
"""The board in a canonical model: what Azure calls it, in capitals."""


def memory_capacity_bytes(nominal_mib: int) -> int:
    """Memory the node reports, before anything is kept.

    >>> memory_capacity_bytes(16_384) // MIB
    15155
    """
    visible = nominal_mib // 1024 * GIB
    return visible - -(-visible * 75 // 1_000)


def allocatable_memory_bytes(nominal_mib: int) -> int:
    """What pods may use of the memory; 0 where AKS would keep it all.

    >>> allocatable_memory_bytes(16_384) // MIB  # 15,155 less 2,662 and 750
    11743
    """
    kept_mib = tiered_share(nominal_mib, RESERVED_MEMORY) + EVICTION_MEMORY_MIB
    return max(0, memory_capacity_bytes(nominal_mib) - kept_mib * MIB)


def allocatable_cpu_milli(vcpu: int) -> int:
    """What pods may use of the processors, milli-CPU.

    >>> allocatable_cpu_milli(4)
    3860
    """
    return 1_000 * vcpu - tiered_share(1_000 * vcpu, RESERVED_CPU)


def instance_type(row: Mapping[str, str]) -> InstanceType:
    """The type of one row of ``azure_instance_types.csv.gz``, without offerings."""
    vcpu, nominal = int(row["vcpu"]), int(row["memory_mib"])
    gpu_model, gpu_count, gpu_memory_bytes, manufacturer = "", int(row["gpu_count"] or 0), 0, ""
    if gpu_count:
        memory_mib = int(row["gpu_memory_mib"] or 0)
        model = gpu_model_with_memory(row["gpu_name"], memory_mib)
        gpu_model, manufacturer = model.name, model.manufacturer
        gpu_memory_bytes = (memory_mib or model.memory_gib * 1024) * MIB
    shared = {PODS: MAX_PODS}
    if gpu_count:
        shared[NVIDIA_GPU if manufacturer == "nvidia" else f"{manufacturer}.com/gpu"] = gpu_count
    capacity = {
        CPU: 1_000 * vcpu,
        MEMORY: memory_capacity_bytes(nominal),
        EPHEMERAL_STORAGE: OS_DISK_BYTES,
    }
    allocatable = {
        CPU: allocatable_cpu_milli(vcpu),
        MEMORY: allocatable_memory_bytes(nominal),
        EPHEMERAL_STORAGE: OS_DISK_BYTES - OS_DISK_BYTES // 10,
    }
    return InstanceType(
        name=row["instance_type"],
        cloud="azure",
        arch=row["arch"],
        capacity=Resources.of(capacity | shared),
        allocatable=Resources.of(allocatable | shared),
        labels=tuple(sorted(_labels(row, gpu_model, manufacturer).items())),
        offerings=(),
        gpu_model=gpu_model,
        gpu_count=gpu_count,
        gpu_memory_bytes=gpu_memory_bytes,
    )


def _labels(row: Mapping[str, str], gpu_model: str, manufacturer: str) -> dict[str, str]:
    found = {
        labels.ARCH: row["arch"],
        labels.OS: "linux",
        labels.INSTANCE_TYPE: row["instance_type"],
        labels.CLOUD: "azure",
        _LABEL + "name": row["instance_type"],
        _LABEL + "cpu": row["vcpu"],
        _LABEL + "memory": row["memory_mib"],
        _LABEL + "gpu-count": row["gpu_count"] or "0",
        "kubernetes.azure.com/sku-cpu": row["vcpu"],
        "kubernetes.azure.com/sku-memory": row["memory_mib"],
    }
    sku = _SKU.match(row["instance_type"])
    if sku:
        found[_LABEL + "family"] = sku["series"][0]
        version = f"_v{sku['version']}" if sku["version"] else ""
        found[_LABEL + "series"] = sku["series"] + sku["features"] + version
        found[_LABEL + "version"] = sku["version"] or "1"
        # From DSv2 back, S follows the family; later the feature s means premium storage.
        premium = "s" in sku["features"] or sku["series"].endswith("S")
        found[_LABEL + "storage-premium-capable"] = "true" if premium else "false"
    if gpu_model:
        found[labels.GPU_MODEL] = gpu_model
        found[_LABEL + "gpu-manufacturer"] = manufacturer
        board = _BOARD.match(gpu_model)
        if board:
            found[_LABEL + "gpu-name"] = board["board"].upper()
        found["kubernetes.azure.com/accelerator"] = manufacturer
        found["accelerator"] = manufacturer
    if row["burstable"] == "1":
        found[labels.BURSTABLE] = "true"
    return found

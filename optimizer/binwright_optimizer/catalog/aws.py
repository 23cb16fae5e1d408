"""AWS instance types as EKS nodes of the AL2023 image that Karpenter launches.

Capacity and allocatable follow ``pkg/providers/instancetype/types.go`` of
github.com/aws/karpenter-provider-aws (v1.14), which is what Karpenter believes of a type before it has
seen a node of it:

- memory capacity: nominal MiB (64 less on arm64) less 7.5 %, rounded up, for the hypervisor;
- pods: ENIs of the default network card x (IPv4 addresses of one - 1) + 2;
- kept: what `model.nodeclasses` says of an EC2NodeClass that says nothing. Those that set ``kubelet`` or
  disks change these amounts for their NodePools.
"""

from __future__ import annotations

from collections.abc import Mapping

from binwright_optimizer.model import labels
from binwright_optimizer.model.gpus import gpu_model_with_memory
from binwright_optimizer.model.nodeclasses import (
    EVICTION_MEMORY_BYTES,
    KUBELET_DISK_BYTES,
    MIB,
    ROOT_DISK_BYTES,
    kubelet_memory_bytes,
)
from binwright_optimizer.model.offerings import InstanceType
from binwright_optimizer.model.reserved import KUBELET_CPU, tiered_share
from binwright_optimizer.model.resources import (
    CPU,
    EPHEMERAL_STORAGE,
    MEMORY,
    NVIDIA_GPU,
    PODS,
    Resources,
)

ARM64_UNSEEN_MIB = 64
"""Memory that arm64 machines never show to the guest."""

_LABEL = "karpenter.k8s.aws/instance-"
_LABELLED_COLUMNS = (
    ("category", "category"),
    ("family", "family"),
    ("generation", "generation"),
    ("size", "size"),
    ("cpu", "vcpu"),
    ("cpu-manufacturer", "cpu_manufacturer"),
    ("cpu-sustained-clock-speed-mhz", "cpu_clock_mhz"),
    ("memory", "memory_mib"),
    ("gpu-name", "gpu_name"),
    ("gpu-manufacturer", "gpu_manufacturer"),
    ("gpu-memory", "gpu_memory_mib"),
    ("accelerator-name", "accelerator_name"),
    ("accelerator-manufacturer", "accelerator_manufacturer"),
    ("local-nvme", "local_nvme_gb"),
    ("hypervisor", "hypervisor"),
    ("network-bandwidth", "network_mbps"),
    ("ebs-bandwidth", "ebs_mbps"),
)
_EXTENDED_COLUMNS = (
    (NVIDIA_GPU, "nvidia_gpu"),
    ("amd.com/gpu", "amd_gpu"),
    ("aws.amazon.com/neuron", "neuron"),
    ("aws.amazon.com/neuroncore", "neuroncore"),
    ("habana.ai/gaudi", "gaudi"),
    ("vpc.amazonaws.com/efa", "efa"),
    ("vpc.amazonaws.com/pod-eni", "pod_eni"),
)


def memory_capacity_mib(nominal_mib: int, arch: str) -> int:
    """Memory the node reports, before anything is kept, MiB.

    >>> memory_capacity_mib(32_768, "amd64")
    30310
    """
    visible = nominal_mib - (ARM64_UNSEEN_MIB if arch == "arm64" else 0)
    return visible - -(-visible * 75 // 1_000)


def allocatable_memory_mib(nominal_mib: int, arch: str, pods: int) -> int:
    """What pods may use of the memory, MiB; 0 where the kubelet would keep it all.

    >>> allocatable_memory_mib(32_768, "amd64", pods=29)
    29636
    """
    kept_mib = (kubelet_memory_bytes(pods) + EVICTION_MEMORY_BYTES) // MIB
    return max(0, memory_capacity_mib(nominal_mib, arch) - kept_mib)


def allocatable_cpu_milli(vcpu: int) -> int:
    """What pods may use of the processors, milli-CPU.

    >>> allocatable_cpu_milli(8)
    7910
    """
    return 1_000 * vcpu - tiered_share(1_000 * vcpu, KUBELET_CPU)


def instance_type(row: Mapping[str, str]) -> InstanceType:
    """The type of one row of ``aws_instance_types.csv.gz``, without offerings."""
    arch = row["arch"]
    vcpu, nominal, pods = int(row["vcpu"]), int(row["memory_mib"]), int(row["max_pods"])
    extended = {name: int(row[column]) for name, column in _EXTENDED_COLUMNS if row[column]}
    capacity = {
        CPU: 1_000 * vcpu,
        MEMORY: memory_capacity_mib(nominal, arch) * MIB,
        EPHEMERAL_STORAGE: ROOT_DISK_BYTES,
        PODS: pods,
    }
    allocatable = {
        CPU: allocatable_cpu_milli(vcpu),
        MEMORY: allocatable_memory_mib(nominal, arch, pods) * MIB,
        EPHEMERAL_STORAGE: ROOT_DISK_BYTES - ROOT_DISK_BYTES // 10 - KUBELET_DISK_BYTES,
        PODS: pods,
    }
    gpu_model, gpu_count, gpu_memory_bytes = _accelerator(row)
    return InstanceType(
        name=row["instance_type"],
        cloud="aws",
        arch=arch,
        capacity=Resources.of(capacity | extended),
        allocatable=Resources.of(allocatable | extended),
        labels=tuple(sorted(_labels(row, gpu_model).items())),
        offerings=(),
        gpu_model=gpu_model,
        gpu_count=gpu_count,
        gpu_memory_bytes=gpu_memory_bytes,
    )


def _accelerator(row: Mapping[str, str]) -> tuple[str, int, int]:
    """Canonical model, devices, and bytes of one; nothing where no whole device is sold (g6f)."""
    count = int(row["gpu_count"] or 0) or int(row["accelerator_count"] or 0)
    if not count:
        return "", 0, 0
    memory_mib = int(row["gpu_memory_mib"] or 0)
    model = gpu_model_with_memory(row["gpu_name"] or row["accelerator_name"], memory_mib)
    return model.name, count, (memory_mib or model.memory_gib * 1024) * MIB


def _labels(row: Mapping[str, str], gpu_model: str) -> dict[str, str]:
    found = {_LABEL + name: row[column] for name, column in _LABELLED_COLUMNS if row[column]}
    found[labels.ARCH] = row["arch"]
    found[labels.OS] = "linux"
    found[labels.INSTANCE_TYPE] = row["instance_type"]
    found[labels.CLOUD] = "aws"
    if row["gpu_name"]:
        found[_LABEL + "gpu-count"] = row["gpu_count"]
    if row["accelerator_name"]:
        found[_LABEL + "accelerator-count"] = row["accelerator_count"]
    if row["is_flex"]:
        found[_LABEL + "capability-flex"] = "true" if row["is_flex"] == "1" else "false"
    if gpu_model:
        found[labels.GPU_MODEL] = gpu_model
    if row["bare_metal"] == "1":
        found[labels.BARE_METAL] = "true"
    if row["burstable"] == "1":
        found[labels.BURSTABLE] = "true"
    return found

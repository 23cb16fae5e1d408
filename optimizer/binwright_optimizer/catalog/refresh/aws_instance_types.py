"""EC2's description of an instance type to a row of ``aws_instance_types.csv.gz``.

The rules are those by which Karpenter labels its nodes (``computeRequirements`` and
``computeCapacity`` in pkg/providers/instancetype/types.go of aws/karpenter-provider-aws), so that a
refreshed type and an embedded one are the same type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
_FAMILY = re.compile(r"^(?P<category>[a-z]+)(-[0-9]+tb)?(?P<generation>[0-9]+)?")

Description = Mapping[str, Any]


def row_of(described: Description) -> dict[str, str] | None:
    """The row; None for a type that cannot be a Kubernetes node (macOS, no network limits).

    Columns that EC2 does not tell (``pod_eni``) are empty.
    """
    architectures = described.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    arch = next((_ARCHITECTURES[name] for name in architectures if name in _ARCHITECTURES), None)
    pods = _max_pods(described.get("NetworkInfo", {}))
    if arch is None or pods is None:
        return None
    name: str = described["InstanceType"]
    family, _, size = name.partition(".")
    parts = _FAMILY.match(family)
    processor = described["ProcessorInfo"]
    storage = described.get("InstanceStorageInfo", {})
    has_nvme = storage.get("NvmeSupport") in ("required", "supported")
    row = {
        "instance_type": name,
        "family": family,
        "size": size,
        "generation": (parts["generation"] or "") if parts else "",
        "category": parts["category"] if parts else "",
        "arch": arch,
        "vcpu": str(described["VCpuInfo"]["DefaultVCpus"]),
        "memory_mib": str(described["MemoryInfo"]["SizeInMiB"]),
        "cpu_manufacturer": _manufacturer(processor.get("Manufacturer", "")),
        "cpu_clock_mhz": _thousands(processor.get("SustainedClockSpeedInGhz")),
        "local_nvme_gb": str(storage.get("TotalSizeInGB", "")) if has_nvme else "",
        "network_mbps": _network_mbps(described["NetworkInfo"]),
        "ebs_mbps": str(
            described.get("EbsInfo", {}).get("EbsOptimizedInfo", {}).get("MaximumBandwidthInMbps", "")
        ),
        "hypervisor": described.get("Hypervisor", ""),
        "is_flex": "1" if family.endswith("-flex") else "0",
        "efa": str(described["NetworkInfo"].get("EfaInfo", {}).get("MaximumEfaInterfaces", 0)),
        "pod_eni": "",
        "max_pods": str(pods),
        "bare_metal": "1" if described.get("BareMetal") else "0",
        "burstable": "1" if described.get("BurstablePerformanceSupported") else "0",
    }
    return row | _accelerators(described)


def _max_pods(network: Description) -> int | None:
    """Interfaces of the default network card x (addresses of one - 1) + 2."""
    addresses = network.get("Ipv4AddressesPerInterface")
    if not addresses:
        return None
    index = network.get("DefaultNetworkCardIndex", 0)
    interfaces = next(
        (
            card["MaximumNetworkInterfaces"]
            for card in network.get("NetworkCards", [])
            if card.get("NetworkCardIndex") == index
        ),
        network.get("MaximumNetworkInterfaces"),
    )
    return int(interfaces) * (int(addresses) - 1) + 2 if interfaces else None


def _network_mbps(network: Description) -> str:
    """Sum of the cards' baseline bandwidths; empty if EC2 does not tell them."""
    baselines = [card.get("BaselineBandwidthInGbps") for card in network.get("NetworkCards", [])]
    if not baselines or None in baselines:
        return ""
    return _thousands(sum(baselines))


def _accelerators(described: Description) -> dict[str, str]:
    columns = dict.fromkeys(
        (
            "gpu_count", "gpu_name", "gpu_manufacturer", "gpu_memory_mib",
            "accelerator_name", "accelerator_count", "accelerator_manufacturer",
            "nvidia_gpu", "amd_gpu", "neuron", "neuroncore", "gaudi",
        ),
        "",
    )  # fmt: skip
    columns |= dict.fromkeys(("gpu_count", "accelerator_count", "nvidia_gpu", "amd_gpu"), "0")
    columns |= dict.fromkeys(("neuron", "neuroncore"), "0")
    for gpu in described.get("GpuInfo", {}).get("Gpus", []):
        maker, count = _manufacturer(gpu.get("Manufacturer", "")), int(gpu.get("Count", 0))
        if maker == "habana":
            columns |= {
                "accelerator_name": "gaudi",
                "accelerator_count": str(count),
                "accelerator_manufacturer": maker,
                "gaudi": str(count),
            }
            continue
        columns |= {
            "gpu_count": str(count),
            "gpu_name": gpu.get("Name", "").lower().replace(" ", "-"),
            "gpu_manufacturer": maker,
            "gpu_memory_mib": str(gpu.get("MemoryInfo", {}).get("SizeInMiB", "")),
        }
        if maker in ("nvidia", "amd"):
            columns[f"{maker}_gpu"] = str(count)
    devices = described.get("NeuronInfo", {}).get("NeuronDevices", [])
    if not devices:
        devices = described.get("InferenceAcceleratorInfo", {}).get("Accelerators", [])
    for device in devices:
        maker, count = _manufacturer(device.get("Manufacturer", "aws")), int(device.get("Count", 0))
        columns |= {
            "accelerator_name": device.get("Name", "").lower().replace(" ", "-"),
            "accelerator_count": str(count),
            "accelerator_manufacturer": maker,
        }
        if maker == "aws":
            columns["neuron"] = str(count)
            # First-generation Inferentia, which EC2 describes without cores, has four.
            columns["neuroncore"] = str(count * int(device.get("CoreInfo", {}).get("Count", 4)))
    return columns


def _manufacturer(name: str) -> str:
    lowered = name.lower()
    return "aws" if lowered.startswith(("aws", "amazon")) else lowered.partition(" ")[0]


def _thousands(value: float | None) -> str:
    return "" if value is None else str(round(value * 1_000))

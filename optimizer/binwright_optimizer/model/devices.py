"""Devices as DRA drivers publish them: what selectors of claims can look at before a node exists.

Attributes and capacities of ResourceSlices, by maker's driver: NVIDIA's
(https://github.com/kubernetes-sigs/dra-driver-nvidia-gpu), AMD's (https://github.com/ROCm/k8s-gpu-dra-driver,
docs/driver-attributes.md) and AWS Neuron's
(https://awsdocs-neuron.readthedocs-hosted.com/en/latest/containers/neuron-dra.html). What only a running
node can tell (driver version, UUID, PCI address) is not there: a selector that asks for it admits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from binwright_optimizer.model.cel import Version
from binwright_optimizer.model.gpus import WHOLE_DEVICES
from binwright_optimizer.model.offerings import InstanceType

AttributeValue = str | int | bool | Version
"""Value of a device attribute."""

MIB = 2**20
LONGEST_TEXT = 64
"""Characters of an attribute, as in Kubernetes (DeviceAttributeMaxValueLength)."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device of a node; all devices of a node are alike.

    Parameters
    ----------
    attributes, capacity
        By qualified name, such as ``gpu.nvidia.com/productName``; capacities in whole units (bytes).
    """

    driver: str
    attributes: Mapping[str, AttributeValue]
    capacity: Mapping[str, int]

    def __hash__(self) -> int:
        return hash((self.driver, tuple(sorted(self.attributes)), tuple(sorted(self.capacity.items()))))


DRIVERS = {
    "nvidia": "gpu.nvidia.com",
    "amd": "gpu.amd.com",
    "habana": "gaudi.intel.com",
    "aws": "neuron.aws.com",
}
"""DRA driver of each maker."""


@dataclass(frozen=True, slots=True)
class _NvidiaFacts:
    """What NVML says of a board: its name, and the bytes it has (MiB; 0: as many as nominally)."""

    product_name: str
    architecture: str
    compute: tuple[int, int]
    memory_mib: int = 0


_NVIDIA: Mapping[str, _NvidiaFacts] = {
    "k80": _NvidiaFacts("Tesla K80", "Kepler", (3, 7), 11_441),
    "m60": _NvidiaFacts("Tesla M60", "Maxwell", (5, 2)),
    "p4": _NvidiaFacts("Tesla P4", "Pascal", (6, 1), 7_680),
    "p40": _NvidiaFacts("Tesla P40", "Pascal", (6, 1)),
    "p100": _NvidiaFacts("Tesla P100-PCIE-16GB", "Pascal", (6, 0)),
    "v100-16gb": _NvidiaFacts("Tesla V100-SXM2-16GB", "Volta", (7, 0)),
    "v100-32gb": _NvidiaFacts("Tesla V100-SXM2-32GB", "Volta", (7, 0)),
    "t4": _NvidiaFacts("Tesla T4", "Turing", (7, 5), 15_360),
    "t4g": _NvidiaFacts("NVIDIA T4G", "Turing", (7, 5), 15_360),
    "a2": _NvidiaFacts("NVIDIA A2", "Ampere", (8, 6), 15_356),
    "a10": _NvidiaFacts("NVIDIA A10", "Ampere", (8, 6), 23_028),
    "a10g": _NvidiaFacts("NVIDIA A10G", "Ampere", (8, 6), 23_028),
    "a16": _NvidiaFacts("NVIDIA A16", "Ampere", (8, 6), 15_356),
    "a30": _NvidiaFacts("NVIDIA A30", "Ampere", (8, 0)),
    "a40": _NvidiaFacts("NVIDIA A40", "Ampere", (8, 6), 46_068),
    "a100-40gb": _NvidiaFacts("NVIDIA A100-SXM4-40GB", "Ampere", (8, 0)),
    "a100-80gb": _NvidiaFacts("NVIDIA A100-SXM4-80GB", "Ampere", (8, 0)),
    "a800-40gb": _NvidiaFacts("NVIDIA A800-SXM4-40GB", "Ampere", (8, 0)),
    "a800-80gb": _NvidiaFacts("NVIDIA A800-SXM4-80GB", "Ampere", (8, 0)),
    "l4": _NvidiaFacts("NVIDIA L4", "Ada Lovelace", (8, 9), 23_034),
    "l20": _NvidiaFacts("NVIDIA L20", "Ada Lovelace", (8, 9), 46_068),
    "l40": _NvidiaFacts("NVIDIA L40", "Ada Lovelace", (8, 9), 46_068),
    "l40s": _NvidiaFacts("NVIDIA L40S", "Ada Lovelace", (8, 9), 46_068),
    "h20": _NvidiaFacts("NVIDIA H20", "Hopper", (9, 0), 97_871),
    "h100-80gb": _NvidiaFacts("NVIDIA H100 80GB HBM3", "Hopper", (9, 0), 81_559),
    "h100-94gb": _NvidiaFacts("NVIDIA H100 NVL", "Hopper", (9, 0), 95_830),
    "h200": _NvidiaFacts("NVIDIA H200", "Hopper", (9, 0), 143_771),
    "h800": _NvidiaFacts("NVIDIA H800", "Hopper", (9, 0), 81_559),
    "b200": _NvidiaFacts("NVIDIA B200", "Blackwell", (10, 0)),
    "b300": _NvidiaFacts("NVIDIA B300 SXM6 AC", "Blackwell", (10, 3)),
    "rtx-3090": _NvidiaFacts("NVIDIA GeForce RTX 3090", "Ampere", (8, 6)),
    "rtx-4090": _NvidiaFacts("NVIDIA GeForce RTX 4090", "Ada Lovelace", (8, 9)),
    "rtx-5090": _NvidiaFacts("NVIDIA GeForce RTX 5090", "Blackwell", (12, 0)),
    "rtx-a6000": _NvidiaFacts("NVIDIA RTX A6000", "Ampere", (8, 6)),
    "rtx-pro-4500": _NvidiaFacts("NVIDIA RTX PRO 4500 Blackwell", "Blackwell", (12, 0)),
    "rtx-pro-6000": _NvidiaFacts("NVIDIA RTX PRO 6000 Blackwell Server Edition", "Blackwell", (12, 0)),
}
"""Names and memory as ``nvidia-smi`` prints them on cloud machines; architectures and compute capabilities
from https://developer.nvidia.com/cuda-gpus. Parts of boards (``a10-4gb``) have other names: left out."""

_PCIE_BOARDS = {"v100-16gb": "Tesla V100-PCIE-16GB", "a100-80gb": "NVIDIA A100 80GB PCIe"}
"""What Azure's NC series has instead of SXM boards."""


def device_of(instance_type: InstanceType, manufacturer: str) -> Device | None:
    """The device that an instance type has, as its maker's DRA driver shows it; None without a driver."""
    driver = DRIVERS.get(manufacturer)
    if driver is None:
        return None
    attributes: dict[str, AttributeValue] = {}
    memory = instance_type.gpu_memory_bytes
    match manufacturer:
        case "nvidia":
            attributes["type"] = "gpu"
            facts = _NVIDIA.get(instance_type.gpu_model)
            if facts is not None:
                is_pcie = instance_type.cloud == "azure" and instance_type.name.startswith("Standard_NC")
                board = _PCIE_BOARDS.get(instance_type.gpu_model) if is_pcie else None
                attributes["productName"] = board or facts.product_name
                attributes["architecture"] = facts.architecture
                attributes["cudaComputeCapability"] = Version(*facts.compute, 0)
                memory = min(memory, facts.memory_mib * MIB or memory)
        case "amd":
            attributes["type"] = "amdgpu"
        case "aws":
            attributes["instanceType"] = instance_type.name[:LONGEST_TEXT]
            memory = 0  # its driver publishes none
    return Device(
        driver,
        {f"{driver}/{name}": value for name, value in attributes.items()},
        {f"{driver}/memory": memory} if memory else {},
    )


def counted_by(instance_type: InstanceType) -> str:
    """The resource that counts the devices of an instance type; empty without any."""
    return next((name for name in WHOLE_DEVICES if instance_type.allocatable[name]), "")


def shown_device(instance_type: InstanceType) -> Device | None:
    """The device of an instance type, its maker told by the resource that counts its devices."""
    resource = counted_by(instance_type)
    return device_of(instance_type, WHOLE_DEVICES[resource]) if resource else None

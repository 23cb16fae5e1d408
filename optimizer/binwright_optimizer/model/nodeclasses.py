"""EC2NodeClasses: what a NodePool's kubelet and disks leave to pods on an AWS instance type.

The catalogue states AWS types as Karpenter sees them under an EC2NodeClass that says nothing. One that does
changes pod slots, disks, and what is kept for system, kubelet and eviction, all as ``NewInstanceType`` in
``pkg/providers/instancetype/types.go`` of github.com/aws/karpenter-provider-aws (v1.14.1) has it:

- slots: ``maxPods``, else what the network interfaces allow (110 on Windows); at most ``podsPerCore`` a vCPU,
  which Bottlerocket ignores;
- disk: the local disks under ``instanceStorePolicy: RAID0``, else the root volume;
- kept for the kubelet: `KUBELET_CPU`, 11 MiB a pod + 255 MiB (the pods that the network interfaces allow,
  whatever ``maxPods`` says, but on Bottlerocket and Windows), 1 GiB of disk; ``kubeReserved`` replaces each;
- kept for the system: ``systemReserved``;
- kept against eviction: 100 MiB and a tenth of the disk; ``evictionHard`` replaces each, ``evictionSoft``
  changes nothing.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.offerings import InstanceType
from binwright_optimizer.model.quantity import format_quantity, parse_quantity
from binwright_optimizer.model.reserved import KUBELET_CPU, tiered_share
from binwright_optimizer.model.resources import CPU, EPHEMERAL_STORAGE, MAX_AMOUNT, MEMORY, PODS, Resources

MIB = 2**20
GIB = 2**30
ROOT_DISK_BYTES = 20 * GIB
"""Karpenter's default block device."""

EVICTION_MEMORY_BYTES = 100 * MIB
EVICTION_DISK_PERCENT = 10
KUBELET_DISK_BYTES = GIB

WINDOWS_ROOT_DISK_BYTES = 50 * GIB
SLOTS_WITHOUT_INTERFACES = 110
"""Pods of a node whose network interfaces do not limit them."""

RESERVABLE = (CPU, MEMORY, EPHEMERAL_STORAGE)
"""Resources that may be kept for kubelet and system; process ids, too, but no pod requests those."""

LOCAL_DISK_LABEL = "karpenter.k8s.aws/instance-local-nvme"
"""Size of all local disks together, 10^9 bytes."""

MOST_PODS = 2**31 - 1
_PERCENT = re.compile(r"^(\d{1,3}(?:\.\d{1,6})?)%$", re.ASCII)


class AmiFamily(StrEnum):
    """Karpenter's families of machine images."""

    AL2 = "AL2"
    AL2023 = "AL2023"
    BOTTLEROCKET = "Bottlerocket"
    WINDOWS_2019 = "Windows2019"
    WINDOWS_2022 = "Windows2022"
    WINDOWS_2025 = "Windows2025"
    CUSTOM = "Custom"

    @property
    def is_windows(self) -> bool:
        """Whether nodes run Windows."""
        return self.value.startswith("Windows")

    @property
    def keeps_by_interfaces(self) -> bool:
        """Whether the kubelet's memory follows the pods that network interfaces allow, not the slots."""
        return self is not AmiFamily.BOTTLEROCKET and not self.is_windows


@dataclass(frozen=True, slots=True)
class EvictionThreshold:
    """Below how much free the kubelet evicts pods: bytes, or a percentage of the capacity."""

    amount: int = 0
    percent: float = 0.0

    @classmethod
    def parse(cls, text: str, resource: str) -> EvictionThreshold:
        """The threshold that ``500Mi`` or ``5%`` spells; ``100%`` switches it off, as in the kubelet.

        Raises
        ------
        ValueError
            If it is neither, or a percentage above 100.

        Examples
        --------
        >>> EvictionThreshold.parse("7.5%", MEMORY).of(1_000), EvictionThreshold.parse("1Ki", MEMORY).of(9)
        (75, 1024)
        """
        if not text.endswith("%"):
            return cls(amount=parse_quantity(text, resource))
        match = _PERCENT.match(text)
        if match is None or float(match[1]) > 100:
            raise ValueError("must be a quantity such as 500Mi, or a percentage from 0% to 100%")
        percent = float(match[1])
        return cls(percent=0.0 if percent == 100 else percent)

    def text(self, resource: str) -> str:
        """What `parse` reads as an equal threshold."""
        return f"{self.percent:.6f}%" if self.percent else format_quantity(self.amount, resource)

    def of(self, capacity: int) -> int:
        """Bytes of a capacity, in Karpenter's own float64 arithmetic so that no byte differs."""
        return math.ceil(capacity / 100 * self.percent) if self.percent else self.amount


DEFAULT_EVICTION = {
    MEMORY: EvictionThreshold(amount=EVICTION_MEMORY_BYTES),
    EPHEMERAL_STORAGE: EvictionThreshold(percent=EVICTION_DISK_PERCENT),
}


@dataclass(frozen=True, slots=True)
class NodeClass:
    """What an EC2NodeClass says about the room on its nodes.

    Parameters
    ----------
    max_pods, pods_per_core
        Pod slots of a node, and most of them for each vCPU (0: no bound); None where nothing is said.
    kube_reserved, system_reserved
        Pairs (resource, amount) kept for kubelet and system; zeros stay, as they replace a default.
    evicts_below
        Pairs (memory or ephemeral storage, threshold) of ``evictionHard``.
    root_disk_bytes
        Size of the volume that holds pods' files; None for the image family's default.
    uses_local_disks
        Whether local disks, where a type has any, take the place of that volume.
    """

    ami_family: AmiFamily = AmiFamily.AL2023
    max_pods: int | None = None
    pods_per_core: int = 0
    kube_reserved: tuple[tuple[str, int], ...] = ()
    system_reserved: tuple[tuple[str, int], ...] = ()
    evicts_below: tuple[tuple[str, EvictionThreshold], ...] = ()
    root_disk_bytes: int | None = None
    uses_local_disks: bool = False

    def __post_init__(self) -> None:
        for field in ("max_pods", "pods_per_core"):
            count = getattr(self, field)
            if count is not None and not 0 <= count <= MOST_PODS:
                raise WrongFieldError(field, count, f"must be in 0..{MOST_PODS}")
        for field in ("kube_reserved", "system_reserved"):
            for resource, amount in getattr(self, field):
                if resource not in RESERVABLE:
                    raise WrongFieldError(
                        f"{field}[{resource}]", amount, f"must be one of {', '.join(RESERVABLE)}"
                    )
        for resource, _ in self.evicts_below:
            if resource not in DEFAULT_EVICTION:
                known = " or ".join(DEFAULT_EVICTION)
                raise WrongFieldError(f"evicts_below[{resource}]", resource, f"must be {known}")
        if self.root_disk_bytes is not None and not 0 < self.root_disk_bytes <= MAX_AMOUNT:
            raise WrongFieldError("root_disk_bytes", self.root_disk_bytes, f"must be in 1..{MAX_AMOUNT}")

    def capacity(self, kind: InstanceType) -> Resources:
        """Raw amounts of a node of this type; the type's own if it is not of AWS."""
        if kind.cloud != "aws":
            return kind.capacity
        amounts = dict(kind.capacity)
        if PODS in amounts:
            # One that states no slots at all would not limit them.
            amounts[PODS] = max(1, self._slots(kind))
        if EPHEMERAL_STORAGE in amounts:
            amounts[EPHEMERAL_STORAGE] = self._disk(kind)
        return Resources.of(amounts)

    def allocatable(self, kind: InstanceType) -> Resources:
        """What pods and daemons may use of it; the type's own if it is not of AWS.

        What a type states beside the formula, measured amounts say, stays added to the result.
        """
        if kind.cloud != "aws":
            return kind.allocatable
        capacity, stated = self.capacity(kind), kind.allocatable
        plain, kept = PLAIN._kept(kind, kind.capacity), self._kept(kind, capacity)
        amounts = dict(stated)
        for resource in RESERVABLE:
            beside = stated[resource] - max(0, kind.capacity[resource] - plain[resource])
            left = capacity[resource] - kept[resource] + beside
            amounts[resource] = min(max(0, left), capacity[resource])
        if PODS in amounts:
            amounts[PODS] = self._slots(kind)
        return Resources.of(amounts)

    def _slots(self, kind: InstanceType) -> int:
        if self.max_pods is not None:
            slots = self.max_pods
        elif self.ami_family.is_windows:
            slots = SLOTS_WITHOUT_INTERFACES
        else:
            slots = kind.capacity[PODS]
        if self.pods_per_core and self.ami_family is not AmiFamily.BOTTLEROCKET:
            slots = min(slots, self.pods_per_core * kind.capacity[CPU] // 1_000)
        return slots

    def _disk(self, kind: InstanceType) -> int:
        local = dict(kind.labels).get(LOCAL_DISK_LABEL, "")
        if self.uses_local_disks and local.isdigit() and int(local):
            return int(local) * 10**9
        if self.root_disk_bytes is not None:
            return self.root_disk_bytes
        return WINDOWS_ROOT_DISK_BYTES if self.ami_family.is_windows else kind.capacity[EPHEMERAL_STORAGE]

    def _kept(self, kind: InstanceType, capacity: Resources) -> dict[str, int]:
        """What a node with this capacity keeps for itself, by resource."""
        pods = kind.capacity[PODS] if self.ami_family.keeps_by_interfaces else self._slots(kind)
        kept = {
            CPU: tiered_share(capacity[CPU], KUBELET_CPU),
            MEMORY: kubelet_memory_bytes(pods),
            EPHEMERAL_STORAGE: KUBELET_DISK_BYTES,
        } | dict(self.kube_reserved)
        for resource, amount in self.system_reserved:
            kept[resource] += amount
        for resource, threshold in (DEFAULT_EVICTION | dict(self.evicts_below)).items():
            kept[resource] += threshold.of(capacity[resource])
        return kept


def kubelet_memory_bytes(pods: int) -> int:
    """Memory kept for the kubelet of a node with so many pods.

    >>> kubelet_memory_bytes(29) // MIB
    574
    """
    return (11 * pods + 255) * MIB


PLAIN = NodeClass()
"""An EC2NodeClass that says nothing: what the catalogue states."""

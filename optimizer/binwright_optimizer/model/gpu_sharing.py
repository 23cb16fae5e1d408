"""Parts of a GPU: what a pod needs of each device, and how the nodes of a pool share theirs.

A pod that is content with a share still *requests* whole devices (``nvidia.com/gpu``), which is safe
where nothing is shared; its `GpuShare` says how much of each of them it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from binwright_optimizer.errors import WrongFieldError
from binwright_optimizer.model.resources import NVIDIA_GPU, Resources

WHOLE_GPU_MILLI = 1_000
"""Thousandths of one device."""
LEAST_MILLI = 1
"""Thousandths of a device for pods that share by memory alone."""


@dataclass(frozen=True, slots=True)
class GpuShare:
    """What a pod needs of each device it requests; distinct devices if it requests several.

    Parameters
    ----------
    milli
        Thousandths of a device's compute, 1 to 1,000. The shares on one device sum to at most 1,000. Pods
        that share by memory alone need one thousandth.
    memory_bytes
        Device memory; their sum is at most the device's. 0: as much of it as of the compute.
    """

    milli: int = WHOLE_GPU_MILLI
    memory_bytes: int = 0

    def __post_init__(self) -> None:
        if not LEAST_MILLI <= self.milli <= WHOLE_GPU_MILLI:
            raise WrongFieldError("milli", self.milli, f"must be in 1..{WHOLE_GPU_MILLI}")
        if not 0 <= self.memory_bytes <= 2**53:
            raise WrongFieldError("memory_bytes", self.memory_bytes, f"must be in 0..{2**53}")


class SharingStrategy(StrEnum):
    """How the GPUs of a node are given to pods.

    ``fraction``: by `GpuShare`, packed per device (KAI, HAMi, the open-gpu-share scheduler).
    ``exclusive``: one pod a device; shares count as whole devices.
    ``time-slicing``: each device is advertised ``replicas`` times, without isolation of memory.
    ``mps``: likewise, and each client gets at most 1/``replicas`` of the memory.
    """

    FRACTION = "fraction"
    EXCLUSIVE = "exclusive"
    TIME_SLICING = "time-slicing"
    MPS = "mps"


REPLICATED = (SharingStrategy.TIME_SLICING, SharingStrategy.MPS)
MOST_MPS_CLIENTS = 48
"""Clients that MPS gives one device (NVIDIA MPS documentation; 16 before Volta)."""


@dataclass(frozen=True, slots=True)
class GpuSharing:
    """How the nodes of a NodePool share their GPUs.

    Parameters
    ----------
    replicas
        Pods per device under ``time-slicing`` and ``mps`` (NVIDIA device plugin ``replicas``); each unit
        of ``nvidia.com/gpu`` that a pod requests is then one replica. 1 otherwise.
    mig
        Whether GPUs that can be cut by MIG are cut as pods ask for it (``mixed`` strategy: each GPU
        is whole or cut, and cut devices are resources ``nvidia.com/mig-<profile>``).
    """

    strategy: SharingStrategy = SharingStrategy.FRACTION
    replicas: int = 1
    mig: bool = True

    def __post_init__(self) -> None:
        if self.strategy in REPLICATED:
            most = MOST_MPS_CLIENTS if self.strategy is SharingStrategy.MPS else 1_000
            if not 2 <= self.replicas <= most:
                raise WrongFieldError("replicas", self.replicas, f"must be in 2..{most} for {self.strategy}")
        elif self.replicas != 1:
            raise WrongFieldError(
                "replicas", self.replicas, f"goes with {' and '.join(REPLICATED)}, not with {self.strategy}"
            )

    @property
    def is_replicated(self) -> bool:
        """Whether a unit of ``nvidia.com/gpu`` is a replica rather than a device."""
        return self.strategy in REPLICATED

    def advertised(self, allocatable: Resources) -> Resources:
        """What nodes advertise, given the allocatable amounts of their instance type.

        >>> slices = GpuSharing(SharingStrategy.TIME_SLICING, replicas=4)
        >>> slices.advertised(Resources.of({"cpu": 8000, "nvidia.com/gpu": 2}))["nvidia.com/gpu"]
        8
        """
        if not self.is_replicated or not allocatable[NVIDIA_GPU]:
            return allocatable
        return Resources.of({**dict(allocatable), NVIDIA_GPU: self.replicas * allocatable[NVIDIA_GPU]})

    def fits_replica(self, share: GpuShare, memory_bytes: int) -> bool:
        """Whether a replica of a device with this memory gives a pod the share it states.

        A client of MPS has 1/``replicas`` of threads and memory; time slices are not bounded in either.
        """
        if self.strategy is not SharingStrategy.MPS:
            return True
        has_memory = share.memory_bytes * self.replicas <= memory_bytes
        return has_memory and share.milli * self.replicas <= WHOLE_GPU_MILLI

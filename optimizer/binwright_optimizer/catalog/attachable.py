"""GPUs that Compute Engine attaches to N1 machines, and the machines each number of them allows.

Limits as published at https://cloud.google.com/compute/docs/gpus#n1-gpus; where they differ by zone,
the smaller one. K80 is not sold any more.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AttachableGpu:
    """One GPU model.

    Parameters
    ----------
    accelerator
        Its name at Google.
    short_name
        What it is called in the name of an instance type, ``n1-standard-8+t4x1``.
    model
        Canonical model.
    machine_limits
        Triples (number of GPUs, most vCPUs, most memory in GiB).
    """

    accelerator: str
    short_name: str
    model: str
    machine_limits: tuple[tuple[int, int, int], ...]


ATTACHABLE_GPUS: tuple[AttachableGpu, ...] = (
    AttachableGpu("nvidia-tesla-t4", "t4", "t4", ((1, 48, 312), (2, 48, 312), (4, 96, 624))),
    AttachableGpu("nvidia-tesla-p4", "p4", "p4", ((1, 24, 156), (2, 48, 312), (4, 96, 624))),
    AttachableGpu(
        "nvidia-tesla-v100",
        "v100",
        "v100-16gb",
        ((1, 12, 78), (2, 24, 156), (4, 48, 312), (8, 96, 624)),
    ),
    AttachableGpu("nvidia-tesla-p100", "p100", "p100", ((1, 16, 104), (2, 32, 208), (4, 64, 208))),
)

"""Shares of GPUs as schedulers for shared GPUs have them written: KAI's annotations, HAMi's resources.

https://github.com/kai-scheduler/KAI-Scheduler/tree/main/docs/gpu-sharing (``gpu-fraction``, ``gpu-memory`` in
MiB, ``gpu-fraction-num-devices``); https://project-hami.io/docs/userguide/NVIDIA-device/
(``nvidia.com/gpu`` devices, of each ``nvidia.com/gpumem`` MiB or ``nvidia.com/gpumem-percentage``, and
``nvidia.com/gpucores`` per cent).
"""

from __future__ import annotations

from fractions import Fraction

from binwright.v1 import problem_pb2
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.resources import NVIDIA_GPU

from binwright_clients.kubernetes.annotations import GPU_MEMORY, GPU_MILLI, Annotations
from binwright_clients.tables.cells import parse_number

KAI_FRACTION = "gpu-fraction"
KAI_MEMORY = "gpu-memory"
KAI_DEVICES = "gpu-fraction-num-devices"

HAMI_MEMORY = "nvidia.com/gpumem"
HAMI_MEMORY_PERCENT = "nvidia.com/gpumem-percentage"
HAMI_CORES = "nvidia.com/gpucores"

_MIB = 2**20


def read_gpu_shares(annotations: Annotations, message: problem_pb2.PodTemplate) -> None:
    """Bring other schedulers' shares into a template; ours, read before, take precedence.

    A KAI pod asks for no ``nvidia.com/gpu``: the devices that it shares are added. HAMi's resources
    become the share and are no requests any more.
    """
    _read_hami(message)
    _read_kai(annotations, message)
    if message.HasField("gpu_share") and not _requests_gpus(message):
        for key in (GPU_MILLI, GPU_MEMORY):
            if annotations.get(key):
                annotations.fail(key, f"is a share of a GPU where the pod requests no {NVIDIA_GPU}")


def _requests_gpus(message: problem_pb2.PodTemplate) -> bool:
    return any(
        NVIDIA_GPU in amounts
        for container in (*message.containers, *message.init_containers)
        for amounts in (container.requests, container.limits)
    )


def _read_kai(annotations: Annotations, message: problem_pb2.PodTemplate) -> None:
    fraction, memory = annotations.get(KAI_FRACTION), annotations.get(KAI_MEMORY)
    if not fraction and not memory:
        return
    if _requests_gpus(message):
        annotations.fail(KAI_FRACTION if fraction else KAI_MEMORY, f"goes without requests for {NVIDIA_GPU}")
        return
    milli = 0
    if fraction:
        try:
            share = parse_number(fraction)
        except ValueError:
            share = Fraction(0)
        if not 0 < share <= 1:
            annotations.fail(KAI_FRACTION, "must be above 0 and at most 1")
            return
        milli = max(1, -(-share.numerator * WHOLE_GPU_MILLI // share.denominator))
    mebibytes = annotations.count(KAI_MEMORY, 1, 2**33) if memory else None
    devices = annotations.count(KAI_DEVICES, 1, 1_000) or 1
    if not message.containers or (memory and mebibytes is None):
        return
    message.containers[0].requests[NVIDIA_GPU] = str(devices)
    if not message.HasField("gpu_share"):
        message.gpu_share.milli = milli
        message.gpu_share.memory_bytes = (mebibytes or 0) * _MIB


def _read_hami(message: problem_pb2.PodTemplate) -> None:
    memory = cores = percent = 0
    for container in (*message.containers, *message.init_containers):
        found = {**container.limits, **container.requests}
        memory = max(memory, int(found.get(HAMI_MEMORY, 0)))
        percent = max(percent, int(found.get(HAMI_MEMORY_PERCENT, 0)))
        cores = max(cores, int(found.get(HAMI_CORES, 0)))
        for resource in (HAMI_MEMORY, HAMI_MEMORY_PERCENT, HAMI_CORES):
            for amounts in (container.requests, container.limits):
                amounts.pop(resource, None)
    if not (memory or cores or percent) or message.HasField("gpu_share"):
        return
    if not _requests_gpus(message) and message.containers:
        # HAMi gives one device to a container that names only its memory or cores.
        message.containers[0].requests[NVIDIA_GPU] = "1"
    message.gpu_share.milli = min(WHOLE_GPU_MILLI, 10 * max(cores, percent))
    message.gpu_share.memory_bytes = memory * _MIB

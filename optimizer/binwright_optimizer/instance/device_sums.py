"""What pods take of the GPUs of a node in sum: resources of ours, beside those that Kubernetes counts.

Sums are whole GPUs, thousandths, memory, and compute of MIG. On a node with one shared GPU they say all;
where a node has several, or cuts them, `device_packing` decides about what is left open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.device_claims import SORT, ClaimedDevices, ClaimName
from binwright_optimizer.model import (
    PodTemplate,
    Resources,
    Workload,
)
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.mig import (
    MIG_MODELS,
    MigModel,
    mig_profile,
)
from binwright_optimizer.model.resources import NVIDIA_GPU

Int = NDArray[np.int64]

GPU_MILLI = "gpu-milli"
GPU_MEMORY = "gpu-memory"
GPU_COMPUTE = "gpu-compute"
GPU_BEYOND = "gpu-beyond-"
"""Resources of ours: thousandths and bytes over all GPUs of a node; thousandths of their compute where MIG
cuts them; and, by names that begin so, thousandths of shares beyond some size (`beyond`). No Kubernetes
resource is called so."""
GPU_THIRDS = "gpu-beyond-thirds"
"""Thousandths of shares, of which those above a third count as a half, and above two thirds as a whole."""
MOST_BEYOND = 3
"""Sums of shares beyond some size that a problem gets: each slows every search, and tightens every bound."""
MOST_MEMORY = 2**50
"""Device memory from which on amounts are not told apart."""


def asks_for_parts(template: PodTemplate) -> bool:
    """Whether a pod asks for less than whole GPUs."""
    has_share = template.gpu_share is not None and not template.device_claims
    return has_share or any(mig_profile(name) for name, _ in template.requests)


def is_sum(resource: str) -> bool:
    """Whether a resource is one of ours."""
    return resource in (GPU_MILLI, GPU_MEMORY, GPU_COMPUTE) or resource.startswith((GPU_BEYOND, SORT))


def beyond(size: int, limit: int) -> int:
    """What a share counts in the sum of those beyond ``limit`` thousandths, at most half a GPU.

    Shares below the limit count nothing, shares that leave no more than that count as a whole GPU, others
    as what they are; a GPU holds no more than 1,000 of it (a dual feasible function: S. Martello and P. Toth,
    Lower bounds and reduction procedures for the bin packing problem, 1990,
    doi:10.1016/0166-218X(90)90094-S). The plain sum would let the rests of several GPUs hold another share.

    >>> [beyond(size, 200) for size in (100, 200, 500, 800, 810)]
    [0, 200, 500, 800, 1000]
    """
    if size < limit:
        return 0
    return WHOLE_GPU_MILLI if size > WHOLE_GPU_MILLI - limit else size


def amounts_asked(
    workloads: Sequence[Workload], claimed: ClaimedDevices | None = None
) -> Callable[[PodTemplate], Resources]:
    """What pods request; with sums over GPUs, if any pod asks for parts of them, and what they claim."""
    templates = {id(w.template): w.template for w in workloads}.values()
    of_requests: Callable[[PodTemplate], Resources] = attrgetter("requests")
    if any(map(asks_for_parts, templates)):
        of_requests = partial(
            with_sums,
            cuts=any(mig_profile(name) for t in templates for name, _ in t.requests),
            limits=_limits(workloads),
        )
    if claimed is None or claimed.is_empty:
        return of_requests

    def asked(template: PodTemplate) -> Resources:
        lowered = claimed.lowered(template)
        return of_requests(lowered) + claimed.columns(template, with_sums(lowered, cuts=False)[GPU_MILLI])

    return asked


def asked_once(
    workloads: Sequence[Workload], claimed: ClaimedDevices, names: Iterable[ClaimName]
) -> dict[ClaimName, Resources]:
    """What each claim that pods share takes, once for all of them."""
    found: dict[ClaimName, Resources] = {}
    plain: Callable[[PodTemplate], Resources] | None = None
    for name in names:
        plain = plain or amounts_asked(workloads)  # a look at all of them, for the few that share claims
        requests, of_sorts = claimed.once(name)
        found[name] = plain(PodTemplate(requests)) + of_sorts
    return found


def _limits(workloads: Sequence[Workload]) -> tuple[int, ...]:
    """Limits for `beyond`: just above what the commonest shares over half a GPU leave."""
    pods: Counter[int] = Counter()
    for workload in workloads:
        share = workload.template.gpu_share
        if workload.template.device_claims:
            continue
        if share is not None and WHOLE_GPU_MILLI < 2 * share.milli < 2 * WHOLE_GPU_MILLI:
            left = WHOLE_GPU_MILLI - share.milli
            pods[left + 1] += workload.replicas * workload.template.requests[NVIDIA_GPU]
    common = sorted(pods, key=lambda limit: (-pods[limit], limit))[:MOST_BEYOND]
    return tuple(sorted(common))


def with_sums(template: PodTemplate, *, cuts: bool, limits: tuple[int, ...] = ()) -> Resources:
    """Requests of a pod with what it takes of a node's GPUs in sum.

    Parameters
    ----------
    cuts
        Whether any pod asks for MIG instances.
    limits
        Sizes beyond which shares are summed up by themselves.

    Examples
    --------
    >>> from binwright_optimizer.model import GpuShare
    >>> pod = PodTemplate(Resources.of({"nvidia.com/gpu": 2}), gpu_share=GpuShare(850, 2**30))
    >>> dict(with_sums(pod, cuts=False, limits=(200,)))
    {'gpu-beyond-200': 2000, 'gpu-beyond-thirds': 2000, 'gpu-memory': 2147483648, 'gpu-milli': 1700, \
'nvidia.com/gpu': 2}
    """
    gpus = template.requests[NVIDIA_GPU]
    share = template.gpu_share
    size = share.milli if share else WHOLE_GPU_MILLI
    milli = compute = gpus * size
    for name, count in template.requests:
        profile = mig_profile(name)
        if profile is not None:
            slices, sevenths = least_parts(profile)
            milli += count * slices
            compute += count * sevenths
    sums = {
        GPU_MILLI: milli,
        GPU_MEMORY: gpus * (share.memory_bytes if share else 0),
        GPU_COMPUTE: compute if cuts else 0,
        GPU_THIRDS: gpus * (min(2, 3 * size // WHOLE_GPU_MILLI) * WHOLE_GPU_MILLI // 2) if limits else 0,
        **{f"{GPU_BEYOND}{limit}": gpus * beyond(size, limit) for limit in limits},
    }
    return Resources.of({**dict(template.requests), **sums})


@cache
def least_parts(profile: str) -> tuple[int, int]:
    """Thousandths of a GPU's memory and compute that an instance takes at least, whatever the model.

    Profiles of one name differ between models: 1g.10gb is two of eight slices of an A100 with 40 GB.
    """
    of_memory, of_compute = [], []
    for model in MIG_MODELS.values():
        found = model.profile(profile)
        if found is not None:
            of_memory.append(WHOLE_GPU_MILLI * found.size // model.memory_slices)
            of_compute.append(WHOLE_GPU_MILLI * found.compute_slices // _compute_slices(model))
    return min(of_memory, default=0), min(of_compute, default=0)


def _compute_slices(model: MigModel) -> int:
    return max(profile.compute_slices for profile in model.profiles)

"""What pods lack, in the words of those who wrote their manifests; sums of ours have no name there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from binwright_optimizer.instance.attachments import ATTACHED
from binwright_optimizer.instance.device_sums import GPU_COMPUTE, GPU_MEMORY, GPU_MILLI
from binwright_optimizer.model import GpuShare, NodeSelectorTerm, PodTemplate, Share, SpotPolicy, Volume
from binwright_optimizer.model.gpu_sharing import LEAST_MILLI
from binwright_optimizer.model.mig import known_profiles, mig_models_with, mig_profile
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import MEMORY, NVIDIA_GPU

MOST_SIMILAR = 3
"""Known MIG profiles that are named where an unknown one is asked for."""
_SUMS = {
    GPU_MILLI: "thousandths of a GPU",
    GPU_MEMORY: "of GPU memory",
    GPU_COMPUTE: "thousandths of a GPU's compute",
}
"""Amounts that are summed over the GPUs of a node, after the number."""


def shortage(resource: str, have: int, need: int) -> str:
    """How much of a resource a place has of what a pod needs.

    Examples
    --------
    >>> shortage("cpu", 500, 2000), shortage("gpu-milli", 250, 500)
    ('cpu 500m of 2', '250 of 500 thousandths of a GPU')
    """
    if resource in _SUMS:
        return f"{_amount(have, resource)} of {_amount(need, resource)} {_SUMS[resource]}"
    return f"{_name(resource)} {_amount(have, resource)} of {_amount(need, resource)}"


def wanted_words(resource: str, need: int, most: int, template: PodTemplate) -> tuple[str, str]:
    """The constraint, and in full what a pod requests and no place that is refused has.

    Parameters
    ----------
    most
        The most that any place has.
    template
        The pod, which tells what a sum over GPUs comes from.

    Examples
    --------
    >>> from binwright_optimizer.model import Resources
    >>> pod = PodTemplate(Resources.of({"nvidia.com/gpu": 1}), gpu_share=GpuShare(500))
    >>> wanted_words("gpu-milli", 500, 250, pod)
    ('nvidia.com/gpu', 'requests nvidia.com/gpu 1 with gpu-milli 500: 500 thousandths of a GPU; \
the most any has is 250')
    """
    rest = "these have less" if most >= need else f"the most any has is {_amount(most, resource)}"
    profile = mig_profile(resource)
    if profile is not None and not most and not mig_models_with(profile):
        near = get_close_matches(profile, list(known_profiles()), MOST_SIMILAR)
        rest = "no GPU offers this MIG profile" + (f", similar are {', '.join(near)}" if near else "")
    if resource not in _SUMS:
        return _name(resource), f"requests {_name(resource)} {_amount(need, resource)}; {rest}"
    asked = [(name, count) for name, count in template.requests if _is_of_gpus(name)]
    requests = " and ".join(f"{name} {count}" for name, count in asked)
    if template.gpu_share is not None and template.requests[NVIDIA_GPU]:
        requests += f" with {share_words(template.gpu_share)}"
    constraint = asked[0][0] if asked else NVIDIA_GPU
    return constraint, f"requests {requests}: {_amount(need, resource)} {_SUMS[resource]}; {rest}"


def _is_of_gpus(resource: str) -> bool:
    return resource == NVIDIA_GPU or mig_profile(resource) is not None


def share_words(share: GpuShare) -> str:
    """What a pod needs of each GPU, by the names of its annotations.

    Examples
    --------
    >>> share_words(GpuShare(250, 2**30))
    'gpu-milli 250, gpu-memory 1Gi'
    >>> share_words(GpuShare(LEAST_MILLI, 2**30))  # by memory alone
    'gpu-memory 1Gi'
    """
    memory = [f"gpu-memory {format_quantity(share.memory_bytes, MEMORY)}"] if share.memory_bytes else []
    milli = [] if memory and share.milli == LEAST_MILLI else [f"gpu-milli {share.milli}"]
    return ", ".join([*milli, *memory])


def terms_words(terms: Iterable[NodeSelectorTerm]) -> str:
    """Terms of which a node meets one."""
    return " or ".join(" and ".join(map(str, term)) for term in terms)


def volume_words(volume: Volume) -> str:
    """A volume, and what binds its pods: where it can be attached, and to how many nodes or pods.

    Examples
    --------
    >>> volume_words(Volume("data", is_single_node=True)), volume_words(Volume())
    ('volume data (ReadWriteOnce)', 'volume (its own)')
    """
    words = f"volume {volume.name or '(its own)'}"
    bound = []
    if volume.is_exclusive:
        bound.append("ReadWriteOncePod")
    elif volume.is_single_node:
        bound.append("ReadWriteOnce")
    if volume.topology:
        bound.append(terms_words(volume.topology))
    return f"{words} ({', '.join(bound)})" if bound else words


def spot_words(policy: SpotPolicy) -> Iterator[tuple[str, str]]:
    """Field and words of each rule of a policy, by the names of its annotations.

    Examples
    --------
    >>> list(spot_words(SpotPolicy(min_on_demand=Share(ppm=500_000))))
    [('min_on_demand', 'min-on-demand 50%')]
    """
    if policy.min_on_demand is not None:
        yield "min_on_demand", f"min-on-demand {policy.min_on_demand}"
    if policy.max_per_pool is not None:
        yield "max_per_pool", f"max-per-spot-pool {policy.max_per_pool}"
    if policy.loss is not None:
        loss = policy.loss
        probability = Share(ppm=loss.probability_ppm)
        window = f"{loss.window_s // 3_600}h" if loss.window_s % 3_600 == 0 else f"{loss.window_s}s"
        yield (
            "loss",
            f"max-loss {loss.share}, max-loss-probability {probability}, max-loss-window {window}",
        )


def _name(resource: str) -> str:
    return f"volumes of {resource.removeprefix(ATTACHED)}" if resource.startswith(ATTACHED) else resource


def _amount(amount: int, resource: str) -> str:
    return format_quantity(amount, MEMORY if resource == GPU_MEMORY else resource)

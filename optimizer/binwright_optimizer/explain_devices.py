"""Why devices of nodes refuse a pod: shares they cannot give, profiles they do not offer, claims."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.candidates import Shelved
from binwright_optimizer.instance.device_claims import ClaimedDevices, NodeView
from binwright_optimizer.instance.device_sums import is_sum
from binwright_optimizer.instance.node_devices import NodeDevices
from binwright_optimizer.model import GpuSharing, InstanceType, PodTemplate, Workload
from binwright_optimizer.model.mig import mig_models_with, mig_profile
from binwright_optimizer.model.resources import NVIDIA_GPU


def asks_for_mig(template: PodTemplate) -> bool:
    """Whether a pod asks for MIG devices, be it of a profile that no GPU has."""
    return any(mig_profile(name) is not None for name, _ in template.requests)


def gpus_bought(
    part: Shelved, kinds: Sequence[InstanceType], sharing: GpuSharing, template: PodTemplate
) -> list[tuple[NodeDevices, str]]:
    """GPUs of what one variant may buy, and their model; empty where amounts tell all that is asked of them.

    Parameters
    ----------
    kinds
        Instance type of each row.
    """
    models = [kind.gpu_model for kind in kinds]
    if part.devices:
        return list(zip(part.devices, models, strict=True))
    if not asks_for_mig(template):
        return []
    of_kind = {id(kind): NodeDevices.of_type(kind, sharing) for kind in kinds}
    return [(of_kind[id(kind)], model) for kind, model in zip(kinds, models, strict=True)]


def device_masks(
    nodes: Iterable[tuple[NodeDevices, str]], template: PodTemplate, pool: str = ""
) -> dict[str, NDArray[np.bool_]]:
    """Rows whose GPUs suit a pod, by the reason why others do not.

    Parameters
    ----------
    nodes
        GPUs of each row, and their model.
    pool
        Name of the NodePool that buys them; empty for running nodes.
    """
    rows = list(nodes)
    masks: dict[str, NDArray[np.bool_]] = {}
    for position, (node, model) in enumerate(rows):
        for reason in _reasons(node, model, template, pool):
            if reason not in masks:
                masks[reason] = np.ones(len(rows), dtype=bool)
            masks[reason][position] = False
    return masks


def claim_masks(
    claimed: ClaimedDevices, views: Sequence[NodeView], workload: Workload, node: int = -1
) -> dict[str, NDArray[np.bool_]]:
    """Rows that meet each claim of a pod, by the reason why others do not.

    Parameters
    ----------
    node
        Number of the running node, if the only row is one.
    """
    reasons: dict[NodeView, list[str]] = {}
    masks: dict[str, NDArray[np.bool_]] = {}
    for position, view in enumerate(views if workload.template.device_claims else ()):
        if view not in reasons:
            reasons[view] = claimed.refusals(workload.template, workload.namespace, view, node)
        for reason in reasons[view]:
            if reason not in masks:
                masks[reason] = np.ones(len(views), dtype=bool)
            masks[reason][position] = False
    return masks


def _reasons(node: NodeDevices, model: str, template: PodTemplate, pool: str) -> Iterable[str]:
    if not node.count:
        return  # lacks GPUs altogether, which is told as such
    refusal = node.refusal(template)
    if refusal:
        yield refusal
    for resource, _ in template.requests:
        profile = mig_profile(resource)
        if profile is None or node.advertised[resource] or not mig_models_with(profile):
            continue  # what nobody offers is told once, by the resource
        if model not in mig_models_with(profile):
            yield f"{model or 'unnamed'} GPUs offer no MIG profile {profile}"
        elif node.mig is None:
            whose = f"NodePool {pool}" if pool else "running nodes"
            yield f"GPUs of {whose} are {uncut(node.sharing, profile, pool)}"


def uncut(sharing: GpuSharing, profile: str, pool: str) -> str:
    """What GPUs are that have a profile, by a setting of the NodePool that buys them or since they run."""
    if not pool:
        return f"not cut anew into MIG profile {profile}"
    setting = f"GPU sharing {sharing.strategy}" if sharing.is_replicated else "mig false"
    return f"not cut into MIG profile {profile} ({setting})"


def without_repetition(lacking: NDArray[np.bool_], resources: tuple[str, ...]) -> NDArray[np.bool_]:
    """Shortages without those of sums over GPUs where GPUs or parts are missing: bool array (row, r)."""
    told = np.zeros(len(lacking), dtype=bool)
    result = lacking.copy()
    for r, name in enumerate(resources):
        if name == NVIDIA_GPU or mig_profile(name) is not None:
            told |= lacking[:, r]
    for r, name in enumerate(resources):
        if is_sum(name):
            result[:, r] &= ~told
            told |= lacking[:, r]
    return result

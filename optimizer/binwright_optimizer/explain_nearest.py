"""The nearest miss: of places that hold no pod, the one that has most of what is asked, devices first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.explain_devices import uncut
from binwright_optimizer.explain_words import shortage
from binwright_optimizer.instance.attachments import ATTACHED
from binwright_optimizer.instance.device_sums import GPU_MEMORY, is_sum
from binwright_optimizer.instance.node_devices import NodeDevices
from binwright_optimizer.model import PodTemplate, SharingStrategy
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.mig import MIG_MODELS, mig_models_with, mig_profile
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import MEMORY, NVIDIA_GPU

OTHER_PROFILES, UNCUTTABLE, NO_GPU = 1.0, 2.0, 3.0
"""Distances of GPUs from a MIG profile: they are cut into others, or are not cut, or there are none."""
_PROFILE = re.compile(r"^(\d+)g\.(\d+)gb", re.ASCII)


@dataclass(frozen=True, slots=True)
class DeviceMiss:
    """How far the GPUs of a place are from what a pod asks of each of them.

    Parameters
    ----------
    distance
        0 where only a setting is in the way, less than 1 for the share that is missing, more where the GPU
        is of another sort; below 0 where amounts tell everything.
    words
        What they are; empty where amounts tell.
    """

    distance: float = -1.0
    words: str = ""


@dataclass(slots=True)
class NearestMiss:
    """The nearest of all rows considered; the first of several.

    Parameters
    ----------
    request
        What the pod takes: int64 array (r,).
    words
        The place and what it lacks; empty before any is considered.
    """

    resources: tuple[str, ...]
    request: NDArray[np.int64]
    words: str = ""
    _distance: tuple[float, ...] = field(default=(np.inf,))

    def consider(
        self,
        rows: NDArray[np.intp],
        room: NDArray[np.int64],
        lacking: NDArray[np.bool_],
        labels: Mapping[str, NDArray[np.bool_]],
        devices: Sequence[DeviceMiss],
        name: Callable[[int], str],
    ) -> None:
        """Compare some places by devices, then labels, then the largest share of a resource that they lack.

        Parameters
        ----------
        rows
            Those of the following that hold no pod.
        room, lacking
            int64 array, bool array (row, r).
        labels
            Whether each row has a label that it needs: bool array (row,), by key.
        devices
            One per row, or empty where amounts tell everything.
        name
            Name of a row by position.
        """
        if not len(rows):
            return
        missing = np.maximum(self.request - room[rows], 0) / np.maximum(self.request, 1)
        missing[~lacking[rows]] = 0.0
        is_device = np.array([_is_device(resource) for resource in self.resources], dtype=bool)
        device = missing[:, is_device].max(axis=1, initial=0.0)
        if devices:
            told = np.array([devices[row].distance for row in rows.tolist()])
            device = np.where(told >= 0.0, told, device)
        unlabelled = np.zeros(len(rows))
        for has in labels.values():
            unlabelled += ~has[rows]
        rest = missing[:, ~is_device].max(axis=1, initial=0.0)
        position = int(np.lexsort((rest, unlabelled, device))[0])
        distance = float(device[position]), float(unlabelled[position]), float(rest[position])
        if distance >= self._distance:
            return
        self._distance = distance
        row = int(rows[position])
        of_devices = devices[row].words if devices else ""
        lacks = [of_devices] if of_devices else []
        lacks += [
            shortage(self.resources[r], int(room[row, r]), int(self.request[r]))
            for r in np.flatnonzero(lacking[row]).tolist()
            if not (of_devices and is_device[r])
        ]
        lacks += [f"no label {key}" for key, has in labels.items() if not has[row]]
        self.words = f"{name(row)} has {', '.join(lacks)}"


def _is_device(resource: str) -> bool:
    """Whether it counts devices or their parts, as extended resources mostly do."""
    return is_sum(resource) or ("/" in resource and not resource.startswith(ATTACHED))


def device_misses(
    nodes: Sequence[tuple[NodeDevices, str]], template: PodTemplate, pool: str = ""
) -> list[DeviceMiss]:
    """How far the GPUs of each row are from what a pod asks of each GPU; empty if it asks nothing of them.

    Parameters
    ----------
    nodes
        GPUs of each row, and their model.
    pool
        Name of the NodePool that buys them; empty for running nodes.
    """
    profiles = [
        (name, profile) for name, _ in template.requests if (profile := mig_profile(name)) is not None
    ]
    if template.gpu_share is None and not profiles:
        return []
    known: dict[tuple[int, str], DeviceMiss] = {}  # rows of one instance type share their GPUs
    found = []
    for node, model in nodes:
        key = id(node), model
        if key not in known:
            misses = [_of_share(node, template)]
            misses += [_of_profile(node, model, p, pool) for name, p in profiles if not node.advertised[name]]
            known[key] = max(misses, key=lambda miss: miss.distance)
        found.append(known[key])
    return found


def _of_share(node: NodeDevices, template: PodTemplate) -> DeviceMiss:
    share, gpus = template.gpu_share, template.requests[NVIDIA_GPU]
    if not node.count or share is None or not node.refusal(template):
        return DeviceMiss()
    if node.sharing.strategy is SharingStrategy.MPS:
        milli, memory = WHOLE_GPU_MILLI // node.sharing.replicas, node.size // node.sharing.replicas
        part = min(milli / max(1, share.milli), memory / max(1, share.memory_bytes), 1.0)
        most = format_quantity(memory, MEMORY)
        return DeviceMiss(
            1.0 - part, f"MPS clients with {milli} thousandths of a GPU and {most} of its memory"
        )
    if gpus > node.count:
        return DeviceMiss(1.0 - node.count / gpus, shortage(NVIDIA_GPU, node.count, gpus))
    words = f"{shortage(GPU_MEMORY, node.memory, share.memory_bytes)} on each GPU"
    return DeviceMiss(1.0 - node.memory / share.memory_bytes, words)


def _of_profile(node: NodeDevices, model: str, profile: str, pool: str) -> DeviceMiss:
    if not node.count:
        return DeviceMiss(NO_GPU)
    if model not in MIG_MODELS:
        return DeviceMiss(UNCUTTABLE, f"{model or 'unnamed'} GPUs, which MIG does not cut")
    if model in mig_models_with(profile):
        if node.mig is not None:
            return DeviceMiss()
        # What runs stays as it is, while a setting can be changed.
        words = f"{model} GPUs, {uncut(node.sharing, profile, pool)}"
        return DeviceMiss(0.0 if pool else OTHER_PROFILES, words)
    closest = max(MIG_MODELS[model].profiles, key=lambda p: _likeness(p.name, profile)).name
    words = f"{model} GPUs, whose MIG profile closest to {profile} is {closest}"
    return DeviceMiss(OTHER_PROFILES + 1.0 - _likeness(closest, profile), words)


def _likeness(one: str, other: str) -> float:
    """How much alike two MIG profiles are in compute slices and memory, 1 if they are the same in both.

    Examples
    --------
    >>> _likeness("1g.10gb", "1g.5gb"), _likeness("3g.20gb", "6g.40gb"), _likeness("1g.5gb", "large")
    (0.5, 0.25, 0.0)
    """
    mine, theirs = _PROFILE.match(one), _PROFILE.match(other)
    if mine is None or theirs is None:
        return 0.0
    result = 1.0
    for a, b in zip(map(int, mine.groups()), map(int, theirs.groups()), strict=True):
        result *= min(a, b) / max(a, b, 1)
    return result

"""What packing pods onto devices needs to know of pods: needs, MIG tables, and which sums say it all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.device_claims import SORT
from binwright_optimizer.instance.device_packing import (
    COUNT,
    NEED_COUNT,
    NEED_MEMORY,
    NEED_MILLI,
)
from binwright_optimizer.instance.device_sums import GPU_MEMORY, GPU_MILLI, MOST_MEMORY, is_sum, least_parts
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.mig import (
    MIG_MODELS,
    RESOURCE_PREFIX,
    mig_models_with,
    mig_profile,
)
from binwright_optimizer.model.resources import NVIDIA_GPU

Int = NDArray[np.int64]


class Devices(NamedTuple):
    """What device packing needs, as arrays that kernels take.

    Attributes
    ----------
    need
        int64 array (i, 3): GPUs of one pod, thousandths and bytes of each (0: as of the compute).
    order
        int64 array (g,): classes that ask for GPUs, the largest pieces first.
    mig
        int64 array (i, f): MIG instances of one pod by profile ``f``, falling in size.
    room
        int64 array (j, 7): GPUs of a candidate (-1 where sums say all), thousandths and bytes free on each,
        bytes of a whole one, whether each is for one pod, MIG model or -1, row of ``claimed``.
    geometries, most
        int64 arrays (m, g, f), (m, f): instances in each maximal cut of a model; most of a profile alone.
    is_sum
        int64 array (r,): whether a resource counts GPUs, parts of them, or sums over them.
    claimed
        int64 array (s + 1, i): whole GPUs that claims of one pod take beside ``need`` on each sort of
        nodes, the first row of zeros.
    """

    need: Int
    order: Int
    mig: Int
    room: Int
    geometries: Int
    most: Int
    is_sum: Int
    claimed: Int

    @property
    def is_empty(self) -> bool:
        """Whether sums say all about every candidate."""
        return not len(self.need)

    def concerned(self) -> NDArray[np.bool_]:
        """Classes that cannot take the place of others by sums alone: bool array (i,)."""
        is_spread = (self.need[:, NEED_COUNT] > 1) & (self.need[:, NEED_MILLI] < WHOLE_GPU_MILLI)
        has_memory = bool(self.need[:, NEED_MEMORY].any())
        return is_spread | self.mig.any(axis=1) | ((self.need[:, NEED_COUNT] > 0) & has_memory)


def _none() -> Devices:
    rows, table = np.zeros(0, dtype=np.int64), np.zeros((0, 0), dtype=np.int64)
    cube = np.zeros((0, 0, 0), dtype=np.int64)
    return Devices(need=table, order=rows, mig=table, room=table, geometries=cube, most=table, is_sum=rows,
                   claimed=table)  # fmt: skip


NO_DEVICES = _none()
"""Sums say all."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the pods of a problem ask of GPUs.

    Parameters
    ----------
    shares
        Whether any asks for less than whole ones, or states the memory of a whole one.
    is_mixed
        Whether some shares state a memory and others do not.
    models
        Models that can be cut into a profile that is asked for.
    """

    shares: bool
    is_mixed: bool
    models: tuple[str, ...]
    profiles: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether anything is asked for that sums may not tell."""
        return self.shares or bool(self.profiles)

    @classmethod
    def by(cls, requests: Int, resources: tuple[str, ...]) -> Asked:
        """By pods with these requests: int64 array (kind, r)."""
        if GPU_MILLI not in resources:
            return cls(False, False, (), ())
        profiles = profiles_of(resources)
        need, _ = needs(requests, resources, profiles)
        is_share = (need[:, NEED_COUNT] > 0) & (need[:, NEED_MILLI] < WHOLE_GPU_MILLI)
        stated = need[is_share, NEED_MEMORY] > 0
        models = tuple(sorted({model for profile in profiles for model in mig_models_with(profile)}))
        return cls(bool(states_share(need).any()), bool(stated.any() and not stated.all()), models, profiles)


def states_share(need: Int) -> NDArray[np.bool_]:
    """Classes that share GPUs or state their memory, whole ones included: bool array (i,).

    Parameters
    ----------
    need
        As `Devices.need`.
    """
    is_part = (need[:, NEED_MILLI] < WHOLE_GPU_MILLI) | (need[:, NEED_MEMORY] > 0)
    return np.asarray((need[:, NEED_COUNT] > 0) & is_part)


def needs(requests: Int, resources: tuple[str, ...], profiles: tuple[str, ...]) -> tuple[Int, Int]:
    """`Devices.need` and `Devices.mig` of classes with these requests: the sums tell the shares.

    Parameters
    ----------
    requests
        int64 array (i, r).
    """
    column = {name: requests[:, r] for r, name in enumerate(resources)}
    nothing = np.zeros(len(requests), dtype=np.int64)
    gpus = column.get(NVIDIA_GPU, nothing)
    of_mig = np.stack([nothing, *(column[RESOURCE_PREFIX + p.replace("+", ".")] for p in profiles)])[1:].T
    cut = sum((of_mig[:, f] * least_parts(p)[0] for f, p in enumerate(profiles)), nothing)
    need = np.zeros((len(requests), 3), dtype=np.int64)
    need[:, NEED_COUNT] = gpus
    each = np.maximum(gpus, 1)
    need[:, NEED_MILLI] = (column.get(GPU_MILLI, nothing) - cut) // each
    need[:, NEED_MEMORY] = np.minimum(column.get(GPU_MEMORY, nothing) // each, MOST_MEMORY)
    return need, of_mig.astype(np.int64)


def mig_tables(models: tuple[str, ...], profiles: tuple[str, ...]) -> tuple[Int, Int]:
    """`Devices.geometries` and `Devices.most` over the profiles that pods ask for."""
    cuts = []
    for name in models:
        model = MIG_MODELS[name]
        index = [k for k, profile in enumerate(model.profiles) if profile.name in profiles]
        place = [profiles.index(model.profiles[k].name) for k in index]
        found = set()
        for geometry in model.geometries():
            row = [0] * len(profiles)
            for k, f in zip(index, place, strict=True):
                row[f] = geometry[k]
            found.add(tuple(row))
        cuts.append(sorted(_maximal(found), reverse=True))
    widest = max((len(rows) for rows in cuts), default=0)
    geometries = np.zeros((len(models), widest, len(profiles)), dtype=np.int64)
    for m, rows in enumerate(cuts):
        geometries[m, : len(rows)] = rows
    return geometries, geometries.max(axis=1, initial=0)


def _maximal(rows: set[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Rows that no other covers; a row of zeros covers nothing."""
    return [
        row
        for row in rows
        if any(row) and not any(o != row and all(a <= b for a, b in zip(row, o, strict=True)) for o in rows)
    ]


def profiles_of(resources: tuple[str, ...]) -> tuple[str, ...]:
    """MIG profiles among the resources that pods request, falling in size."""
    named = [profile for name in resources if (profile := mig_profile(name)) is not None]
    return tuple(sorted(named, key=lambda profile: (-least_parts(profile)[0], profile)))


def devices_of(requests: Int, resources: tuple[str, ...], room: Int, asked: Asked) -> Devices:
    """What device packing needs; `NO_DEVICES` where sums say all."""
    if not (room[:, COUNT] >= 0).any():
        return NO_DEVICES
    need, mig = needs(requests, resources, asked.profiles)
    claimed = claimed_beside(requests, resources, need)
    geometries, most = mig_tables(asked.models, asked.profiles)
    order = by_size(need, claimed)
    return Devices(
        need,
        order,
        np.ascontiguousarray(mig),
        np.ascontiguousarray(room),
        geometries,
        most,
        np.array([_is_of_gpus(name) for name in resources], dtype=np.int64),
        claimed,
    )


def claimed_beside(requests: Int, resources: tuple[str, ...], need: Int) -> Int:
    """`Devices.claimed`; classes that claim whole GPUs share none, which is noted in ``need``."""
    of_sorts = {int(name.removeprefix(SORT)): r for r, name in enumerate(resources) if name.startswith(SORT)}
    claimed = np.zeros((len(of_sorts) + 1, len(requests)), dtype=np.int64)
    for sort, r in of_sorts.items():
        beside = requests[:, r] - requests[:, resources.index(GPU_MILLI)]
        claimed[sort + 1] = np.maximum(beside, 0) // WHOLE_GPU_MILLI
    need[claimed.any(axis=0), NEED_MILLI] = WHOLE_GPU_MILLI
    return claimed


def _is_of_gpus(resource: str) -> bool:
    return resource == NVIDIA_GPU or is_sum(resource) or mig_profile(resource) is not None


def by_size(need: Int, claimed: Int) -> Int:
    """`Devices.order`."""
    order = np.lexsort((-need[:, NEED_COUNT], -need[:, NEED_MEMORY], -need[:, NEED_MILLI]))
    asks = (need[:, NEED_COUNT] > 0) | claimed.any(axis=0)
    return np.array([i for i in order if asks[i]], dtype=np.int64)

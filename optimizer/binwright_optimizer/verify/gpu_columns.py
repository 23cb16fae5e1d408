"""Devices in the bound: what holds for the sum over the devices of a node.

A node whose devices hold its pods one by one holds them in sum: thousandths, memory, compute slices.
The bound asks no more, so that it holds for every way of putting shares on devices and of cutting them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.model import (
    ExistingNode,
    NodePool,
    PodTemplate,
    Problem,
    Resources,
    SharingStrategy,
)
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.gpus import WHOLE_DEVICES
from binwright_optimizer.model.mig import MIG_MODELS, mig_profile
from binwright_optimizer.model.resources import NVIDIA_GPU
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.claim_columns import SORT, ClaimTables, claim_tables, own_claims
from binwright_optimizer.verify.gpu_devices import DeviceRoom, any_asks_for_mig, room_of_node, room_of_type

Int64Array = NDArray[np.int64]

MILLI = "thousandths of devices"
MEMORY = "memory of devices"
COMPUTE = "compute of devices"
LARGE = "devices with a share above a half"
MIDDLING = "half devices with a share above a third"
"""Sums over the devices of a node: thousandths, bytes, and thousandths by MIG's compute slices. The last two
say that no device holds two shares above a half, and not three above a third; each in halves of a device."""

PLENTY = 2**50
"""Room that no workload uses up."""


def amounts_needed(problem: Problem) -> Callable[[PodTemplate], Resources]:
    """What pods take of a node, with sums over devices if any asks for parts of them or claims some."""
    templates = templates_of(problem)
    cuts = any_asks_for_mig(templates)
    has_claims = any(template.device_claims for template in templates)
    if not cuts and not has_claims and not any(t.gpu_share is not None for t in templates):
        return attrgetter("requests")
    tables = claim_tables(problem) if has_claims else None
    return partial(with_device_amounts, cuts=cuts, tables=tables)


def with_device_amounts(template: PodTemplate, *, cuts: bool, tables: ClaimTables | None) -> Resources:
    """Requests with what the pod surely takes of a node's devices in sum; of compute, if any are cut."""
    amounts = dict(template.requests)
    milli = compute = memory = 0
    for name, count in template.requests:
        profile = mig_profile(name)
        if profile is not None:
            milli += count * _least_share(profile, of_compute=False)
            compute += count * _least_share(profile, of_compute=True)
    whole = sum(template.requests[name] for name in WHOLE_DEVICES if name != NVIDIA_GPU)
    gpus = template.requests[NVIDIA_GPU]
    share = None if template.device_claims else template.gpu_share
    if share is None:
        whole += gpus
    else:
        milli += gpus * share.milli
        compute += gpus * share.milli
        memory += gpus * share.memory_bytes
    if tables is not None:
        own = own_claims(template)  # those that pods share count once, wherever they are
        for column, devices in tables.columns(own):
            amounts[column] = milli + (whole + devices) * WHOLE_GPU_MILLI
        whole += tables.least(own)
    amounts[MILLI] = milli + whole * WHOLE_GPU_MILLI
    if cuts:
        amounts[COMPUTE] = compute + whole * WHOLE_GPU_MILLI
    amounts[MEMORY] = memory
    size = WHOLE_GPU_MILLI if share is None else share.milli
    amounts[LARGE] = 2 * whole if share is None else gpus * (2 if size > 500 else 1 if size == 500 else 0)
    amounts[MIDDLING] = 2 * whole if share is None else gpus * (2 if size > 666 else 1 if size > 333 else 0)
    return Resources.of(amounts)


@cache
def _least_share(profile: str, *, of_compute: bool) -> int:
    """Thousandths of a device that an instance takes at least, whatever the model; rounded down."""
    shares = []
    for model in MIG_MODELS.values():
        found = model.profile(profile)
        if found is not None:
            most_compute = max(p.compute_slices for p in model.profiles)
            part = (found.compute_slices, most_compute) if of_compute else (found.size, model.memory_slices)
            shares.append(WHOLE_GPU_MILLI * part[0] // part[1])
    return min(shares, default=0)


def sum_over_devices(name: str, room: DeviceRoom, otherwise: int) -> int:
    """Amount of a resource on all devices of a node, at least; ``otherwise`` if devices do not give it."""
    profile = mig_profile(name)
    if profile is not None:
        found = room.mig.profile(profile) if room.mig and not room.advertised[name] else None
        return found.most * room.count if found else otherwise
    is_shared = room.sharing.strategy is SharingStrategy.FRACTION
    if name in (MILLI, COMPUTE):
        if room.sharing.is_replicated:
            return PLENTY
        cut = sum(
            amount * _least_share(profile, of_compute=name == COMPUTE)
            for resource, amount in room.advertised
            if (profile := mig_profile(resource)) is not None
        )
        return room.milli * room.count + cut
    if name in (LARGE, MIDDLING):
        return PLENTY if room.sharing.is_replicated else 2 * room.count
    if name == MEMORY:
        return room.memory_bytes * room.count if is_shared else PLENTY
    if name == NVIDIA_GPU and is_shared and room.resource == NVIDIA_GPU:
        return PLENTY if room.count else 0
    return otherwise


def type_room(name: str, problem: Problem, pool: NodePool, stated: Int64Array) -> Int64Array:
    """Amounts of one resource on nodes to be bought, by instance type, given what the types state."""
    kinds = problem.catalog.instance_types
    if name.startswith(SORT):
        return np.array([_of_sort(name, problem, room_of_type(kind, pool)) for kind in kinds], np.int64)
    if not _is_of_devices(name):
        return stated
    result = stated.copy()
    for t, kind in enumerate(kinds):
        if any(resource in WHOLE_DEVICES or mig_profile(resource) for resource, _ in kind.allocatable):
            advertised = pool.gpu_sharing.advertised(kind.allocatable)
            result[t] = sum_over_devices(name, room_of_type(kind, pool), advertised[name])
    return result


def node_room(names: tuple[str, ...], problem: Problem, node: ExistingNode) -> dict[str, int]:
    """Amounts free on a running node, where they differ from what it states."""
    room = room_of_node(problem, node)
    of_devices = {
        name: sum_over_devices(name, room, node.free[name]) for name in names if _is_of_devices(name)
    }
    return of_devices | {name: _of_sort(name, problem, room) for name in names if name.startswith(SORT)}


def _of_sort(name: str, problem: Problem, room: DeviceRoom) -> int:
    """Thousandths of devices of a node, if it is of the sort that a column is about."""
    is_mine = room.claimable.resource and claim_tables(problem).is_of_sort(room.claimable, name)
    return sum_over_devices(MILLI, room, 0) if is_mine else PLENTY


def _is_of_devices(name: str) -> bool:
    return name in (MILLI, MEMORY, COMPUTE, LARGE, MIDDLING, NVIDIA_GPU) or mig_profile(name) is not None

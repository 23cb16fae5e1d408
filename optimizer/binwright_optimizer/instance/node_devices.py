"""The devices of a node as a pool runs it: what they give in sum, and what packing has to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.device_claims import SORT, ClaimedDevices, NodeView
from binwright_optimizer.instance.device_packing import (
    CLAIMED,
    COUNT,
    IS_EXCLUSIVE,
    MEMORY,
    MILLI,
    MODEL,
    SIZE,
)
from binwright_optimizer.instance.device_sums import (
    GPU_BEYOND,
    GPU_COMPUTE,
    GPU_MEMORY,
    GPU_MILLI,
    MOST_MEMORY,
    least_parts,
)
from binwright_optimizer.instance.devices import Asked
from binwright_optimizer.model import (
    GpuSharing,
    InstanceType,
    NodePool,
    PodTemplate,
    Problem,
    Resources,
    SharingStrategy,
    labels,
)
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.mig import (
    MIG_MODELS,
    MigModel,
    mig_profile,
)
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import MEMORY as MEMORY_RESOURCE
from binwright_optimizer.model.resources import NVIDIA_GPU

Int = NDArray[np.int64]

PLENTY = 2**40
"""Amount that no workload uses up."""


@dataclass(frozen=True, slots=True)
class NodeDevices:
    """The GPUs of one node that its new pods may use; see `Devices.room`.

    Parameters
    ----------
    requestable
        Units of ``nvidia.com/gpu`` left: devices, or their replicas.
    advertised
        Amounts the node states; MIG devices among them are not cut anew.
    """

    sharing: GpuSharing
    count: int
    milli: int
    memory: int
    size: int
    mig: MigModel | None
    requestable: int
    advertised: Resources

    @classmethod
    def of_type(cls, kind: InstanceType, sharing: GpuSharing, taken: int = 0) -> NodeDevices:
        """GPUs of a node to be bought, of which daemons take some."""
        mig = MIG_MODELS.get(kind.gpu_model) if sharing.mig and not sharing.is_replicated else None
        size = min(kind.gpu_memory_bytes, MOST_MEMORY)
        count = max(0, kind.allocatable[NVIDIA_GPU] - taken)
        advertised = sharing.advertised(kind.allocatable)
        left = max(0, advertised[NVIDIA_GPU] - taken)
        return cls(sharing, count, WHOLE_GPU_MILLI, size, size, mig, left, advertised)

    @classmethod
    def of_node(cls, number: int, problem: Problem, claimed: ClaimedDevices) -> NodeDevices:
        """GPUs of a running node that are surely free: those that no running pod requests.

        Which of them a running share is on is not told, unless there is only one.
        """
        node, free = problem.existing_nodes[number], claimed.free(number)
        pool = next((pool for pool in problem.node_pools if pool.name == node.node_pool), None)
        sharing = pool.gpu_sharing if pool else GpuSharing()
        name = dict(node.labels).get(labels.INSTANCE_TYPE)
        sizes = (kind.gpu_memory_bytes for kind in problem.catalog.instance_types if kind.name == name)
        size = min(next(sizes, 0), MOST_MEMORY)
        count, milli, memory = free[NVIDIA_GPU], WHOLE_GPU_MILLI, size
        running = [pods for pods in node.pods if pods.template.requests[NVIDIA_GPU]]
        shares = [pods.template.gpu_share for pods in running]
        is_one = node.capacity[NVIDIA_GPU] == 1 and not node.free[NVIDIA_GPU]
        # If none is told, somebody unknown has the device, or it does not work.
        if is_one and sharing.strategy is SharingStrategy.FRACTION and shares and all(shares):
            for pods, share in zip(running, shares, strict=True):
                assert share is not None
                milli -= pods.count * share.milli
                memory -= pods.count * (share.memory_bytes or -(-share.milli * size // WHOLE_GPU_MILLI))
            count = 1 if milli > 0 else 0
        return cls(sharing, count, milli, max(0, memory), size, None, free[NVIDIA_GPU], free)

    def amounts(self, resources: tuple[str, ...]) -> tuple[list[int], list[int]]:
        """Resources that its GPUs give, by position, and their amounts."""
        is_packed = self.sharing.strategy is SharingStrategy.FRACTION and GPU_MILLI in resources
        found: dict[int, int] = {}
        for r, name in enumerate(resources):
            profile = mig_profile(name)
            if name == NVIDIA_GPU:
                found[r] = (PLENTY if self.count else 0) if is_packed else self.requestable
            elif name in (GPU_MILLI, GPU_COMPUTE):
                found[r] = PLENTY if self.sharing.is_replicated else self.milli * self.count + self._cut(name)
            elif name.startswith(GPU_BEYOND):
                found[r] = PLENTY if self.sharing.is_replicated else WHOLE_GPU_MILLI * self.count
            elif name == GPU_MEMORY:
                found[r] = self.memory * self.count if is_packed else PLENTY
            elif profile is not None and self.mig is not None and not self.advertised[name]:
                mine = self.mig.profile(profile)
                found[r] = mine.most * self.count if mine else 0
        return list(found), list(found.values())

    def cuts(self, resource: str) -> bool:
        """Whether requests for a resource are met by cutting GPUs."""
        return mig_profile(resource) is not None and self.mig is not None and not self.advertised[resource]

    def _cut(self, name: str) -> int:
        """What instances that the node already has add to a sum."""
        total = 0
        for resource, amount in self.advertised:
            profile = mig_profile(resource)
            if profile is not None:
                total += amount * least_parts(profile)[name == GPU_COMPUTE]
        return total

    def refusal(self, template: PodTemplate) -> str:
        """Why no GPU of the node suits a pod, whatever else is on it; empty if one may."""
        gpus, share = template.requests[NVIDIA_GPU], template.gpu_share
        if not gpus or share is None:
            return ""
        if self.sharing.strategy is SharingStrategy.FRACTION and gpus > self.count:
            return f"needs shares of {gpus} GPUs"
        if self.sharing.is_replicated:
            return "" if self.sharing.fits_replica(share, self.size) else "needs more than an MPS client gets"
        is_too_small = share.memory_bytes > (self.memory if self.count else self.size)
        return (
            f"needs {format_quantity(share.memory_bytes, MEMORY_RESOURCE)} of GPU memory"
            if is_too_small
            else ""
        )

    def row(self, models: tuple[str, ...], asked: Asked, sort: int) -> tuple[int, ...]:
        """Its row of `Devices.room`."""
        is_cut = self.mig is not None and self.mig.gpu_model in models
        is_shared = self.sharing.strategy is SharingStrategy.FRACTION and asked.shares and self.count > 0
        is_told = not is_cut and not (is_shared and (self.count > 1 or asked.is_mixed))
        return TOLD_BY_SUMS if is_told or self.sharing.is_replicated else self.packing_row(models, sort)

    def packing_row(self, models: tuple[str, ...], sort: int = -1) -> tuple[int, ...]:
        """The same, whether sums tell or not; ``sort`` is the node's sort by claims."""
        row = [0] * len(TOLD_BY_SUMS)
        row[COUNT], row[MILLI], row[MEMORY], row[SIZE] = self.count, self.milli, self.memory, self.size
        row[IS_EXCLUSIVE] = self.sharing.strategy is SharingStrategy.EXCLUSIVE
        is_cut = self.mig is not None and self.mig.gpu_model in models
        row[MODEL] = models.index(self.mig.gpu_model) if is_cut and self.mig else -1
        row[CLAIMED] = sort + 1
        return tuple(row)


TOLD_BY_SUMS = (-1, 0, 0, 0, 0, -1, 0)
"""Row of a candidate whose devices hold whatever they hold in sum."""


def concerns(resources: tuple[str, ...], sharing: GpuSharing) -> bool:
    """Whether nodes of a pool have other amounts of these resources than their instance types."""
    return GPU_MILLI in resources or (sharing.is_replicated and NVIDIA_GPU in resources)


def node_amounts(problem: Problem, resources: tuple[str, ...], stated: Int, claimed: ClaimedDevices) -> Int:
    """Amounts free on running nodes by what is on their GPUs: int64 array (node, r)."""
    sorts = claimed.sort_columns
    if GPU_MILLI not in resources and not sorts:
        return stated
    result = stated.copy()
    for n in range(len(problem.existing_nodes)):
        devices = NodeDevices.of_node(n, problem, claimed)
        if GPU_MILLI in resources:
            columns, amounts = devices.amounts(resources)
            result[n, columns] = amounts
        view = claimed.view_of_node(n)
        of_gpus = devices.amounts((GPU_MILLI,))[1][0]
        room = of_gpus if view.resource == NVIDIA_GPU else WHOLE_GPU_MILLI * view.reach
        for name in sorts:
            result[n, resources.index(name)] = room if _is_of_sort(name, claimed, view) else PLENTY
    return result


def sort_rooms(
    kinds: Sequence[InstanceType], pool: NodePool, names: Sequence[str], claimed: ClaimedDevices
) -> Int:
    """Thousandths of devices by instance type and sort, before daemons: int64 array (t, s)."""
    rooms = np.full((len(kinds), len(names)), PLENTY, dtype=np.int64)
    for t, kind in enumerate(kinds):
        view = claimed.view_of_type(t, pool)
        for s, name in enumerate(names):
            if _is_of_sort(name, claimed, view):
                rooms[t, s] = WHOLE_GPU_MILLI * view.total
                if view.resource == NVIDIA_GPU:
                    rooms[t, s] = NodeDevices.of_type(kind, pool.gpu_sharing).amounts((GPU_MILLI,))[1][0]
    return rooms


def _is_of_sort(name: str, claimed: ClaimedDevices, view: NodeView) -> bool:
    return bool(view.resource) and name == f"{SORT}{claimed.sort(view)}"


def by_devices(devices: Sequence[NodeDevices]) -> Iterator[tuple[NodeDevices, list[int]]]:
    """Positions of equal devices; those of nodes without GPUs are left out."""
    positions: dict[int, list[int]] = {}
    for position, node in enumerate(devices):
        positions.setdefault(id(node), []).append(position)
    for mine in positions.values():
        node = devices[mine[0]]
        if node.count or node.requestable or any(mig_profile(name) for name, _ in node.advertised):
            yield node, mine


class TypeDevices:
    """`NodeDevices` of the instance types of a problem as its NodePools run them, made once each."""

    def __init__(self, kinds: tuple[InstanceType, ...]) -> None:
        self.kinds = kinds
        self._known: dict[tuple[int, GpuSharing, int], NodeDevices] = {}

    def of(self, t: int, sharing: GpuSharing, taken: int) -> NodeDevices:
        """Of type ``t``, ``taken`` of whose GPUs are daemons'."""
        key = t, sharing, taken
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = NodeDevices.of_type(self.kinds[t], sharing, taken)
        return found


def rooms(
    problem: Problem,
    bought: Iterable[tuple[NodeDevices, int]],
    resources: tuple[str, ...],
    asked: Asked,
    claimed: ClaimedDevices,
) -> Int:
    """`Devices.room` of every candidate: those bought, in order with their sorts, then the running nodes."""
    known: dict[tuple[int, int], tuple[int, ...]] = {}
    rows = []
    for node, sort in bought:
        row = known.get((id(node), sort))
        if row is None:
            row = known[id(node), sort] = node.row(asked.models, asked, sort)
        rows.append(row)
    for n in range(len(problem.existing_nodes)):
        if GPU_MILLI not in resources:
            rows.append(TOLD_BY_SUMS)
            continue
        sort = claimed.sort(claimed.view_of_node(n))
        rows.append(NodeDevices.of_node(n, problem, claimed).row(asked.models, asked, sort))
    return np.array(rows, dtype=np.int64).reshape(len(rows), len(TOLD_BY_SUMS))


def comparable(room: Int) -> Int:
    """Columns of which a better candidate has no less: int64 array (j, 8)."""
    is_told = room[:, COUNT] < 0
    result = np.where(is_told[:, None], PLENTY, room)
    result[:, IS_EXCLUSIVE] = np.where(is_told, PLENTY, 1 - room[:, IS_EXCLUSIVE])
    result[:, MODEL] = room[:, MODEL]
    result[:, SIZE] = -room[:, MODEL]  # one model is no better than another
    return np.column_stack([result, -room[:, CLAIMED]])

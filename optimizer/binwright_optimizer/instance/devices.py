"""Devices in the instance: what pods take of GPUs in sum, and what each node's devices are like.

Sums are resources: whole GPUs, thousandths, memory, and compute of MIG. On a node with one shared GPU
they say all; where a node has several, or cuts them, `device_packing` decides about what is left open.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from binwright_optimizer.instance.device_claims import SORT, ClaimedDevices, ClaimName, NodeView
from binwright_optimizer.instance.device_packing import (
    CLAIMED,
    COUNT,
    IS_EXCLUSIVE,
    MEMORY,
    MILLI,
    MODEL,
    NEED_COUNT,
    NEED_MEMORY,
    NEED_MILLI,
    SIZE,
)
from binwright_optimizer.model import (
    GpuSharing,
    InstanceType,
    NodePool,
    PodTemplate,
    Problem,
    Resources,
    SharingStrategy,
    Workload,
    labels,
)
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.mig import (
    MIG_MODELS,
    RESOURCE_PREFIX,
    MigModel,
    mig_models_with,
    mig_profile,
)
from binwright_optimizer.model.quantity import format_quantity
from binwright_optimizer.model.resources import MEMORY as MEMORY_RESOURCE
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

PLENTY = 2**40
"""Amount that no workload uses up."""
MOST_MEMORY = 2**50
"""Device memory from which on amounts are not told apart."""


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
    plain = amounts_asked(workloads)
    found = {}
    for name in names:
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
            slices, sevenths = _least_parts(profile)
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
def _least_parts(profile: str) -> tuple[int, int]:
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
        if is_one and sharing.strategy is SharingStrategy.FRACTION and all(shares):
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
                total += amount * _least_parts(profile)[name == GPU_COMPUTE]
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What the pods of a problem ask of GPUs.

    Parameters
    ----------
    shares
        Whether any asks for less than whole ones.
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
        return cls(bool(is_share.any()), bool(stated.any() and not stated.all()), models, profiles)


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
    cut = sum((of_mig[:, f] * _least_parts(p)[0] for f, p in enumerate(profiles)), nothing)
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
    return tuple(sorted(named, key=lambda profile: (-_least_parts(profile)[0], profile)))


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

"""What stands on each GPU of a node: shares, MIG instances and claimed devices.

A decision says on which devices the pods of a node are, wherever counting whole devices does not
settle that; here it is only added up. Units: shares in thousandths of a device, memory in bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from binwright_optimizer.model import (
    DeviceUse,
    ExistingNode,
    GpuShare,
    GpuSharing,
    InstanceType,
    NodePool,
    PodRange,
    PodTemplate,
    Problem,
    Resources,
    SharingStrategy,
    Workload,
    labels,
)
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.gpus import WHOLE_DEVICES
from binwright_optimizer.model.mig import MIG_MODELS, MigModel, MigProfile, mig_profile
from binwright_optimizer.model.resources import NVIDIA_GPU
from binwright_optimizer.verify.device_claims import (
    NOTHING,
    Claimable,
    claimable_of_node,
    claimable_of_type,
    claims_of_running,
    devices_taken,
    is_held_on,
)

PodName = tuple[int, int]
"""Workload and number of the replica."""
WHOLE = GpuShare()
"""What a pod has of a device that it does not share."""


@dataclass(frozen=True, slots=True)
class DeviceRoom:
    """The devices of one node that its new pods may use.

    Parameters
    ----------
    resource
        Name under which whole devices are requested; empty without devices.
    count
        Devices.
    milli, memory_bytes
        Left on each; memory 0 if it is not known.
    size_bytes
        Memory of a whole device.
    claimable
        What of it can be claimed.
    existing
        The running node; None for one to be bought.
    mig
        How a device may be cut, or None.
    """

    sharing: GpuSharing
    resource: str = ""
    count: int = 0
    milli: int = WHOLE_GPU_MILLI
    memory_bytes: int = 0
    size_bytes: int = 0
    claimable: Claimable = NOTHING
    existing: ExistingNode | None = None
    mig: MigModel | None = None
    advertised: Resources = Resources()

    def cut(self, resource: str) -> MigProfile | None:
        """The profile that a request for this resource has a device cut for, if any."""
        name = mig_profile(resource)
        if name is None or self.mig is None or self.advertised[resource]:
            return None
        return self.mig.profile(name)


def room_of_type(kind: InstanceType, pool: NodePool, overhead: Resources = Resources()) -> DeviceRoom:
    """Devices of a node to be bought; daemons take whole ones."""
    sharing = pool.gpu_sharing
    resource = next((name for name in WHOLE_DEVICES if kind.allocatable[name]), "")
    can_cut = sharing.mig and not sharing.is_replicated
    return DeviceRoom(
        sharing=sharing,
        resource=resource,
        count=max(0, kind.allocatable[resource] - overhead[resource]) if resource else 0,
        memory_bytes=kind.gpu_memory_bytes,
        size_bytes=kind.gpu_memory_bytes,
        claimable=claimable_of_type(kind, pool),
        mig=MIG_MODELS.get(kind.gpu_model) if can_cut else None,
        advertised=kind.allocatable,
    )


def room_of_node(problem: Problem, node: ExistingNode) -> DeviceRoom:
    """Devices of a running node that are surely free of the pods on it.

    Which device a running share is on is not known: devices that running pods request count as taken
    as a whole, unless the node has one only and it is told who shares it. Devices of a running node are
    not cut anew.
    """
    pool = next((pool for pool in problem.node_pools if pool.name == node.node_pool), None)
    sharing = pool.gpu_sharing if pool else GpuSharing()
    name = dict(node.labels).get(labels.INSTANCE_TYPE)
    kind = next((kind for kind in problem.catalog.instance_types if kind.name == name), None)
    resource = next((name for name in WHOLE_DEVICES if node.free[name] or node.capacity[name]), "")
    size = kind.gpu_memory_bytes if kind else 0
    claimed = sum(claims_of_running(problem, node).values())
    count = max(0, node.free[resource] - claimed) if resource else 0
    milli, memory = WHOLE_GPU_MILLI, size
    running = [pods for pods in node.pods if pods.template.requests[NVIDIA_GPU]]
    if (
        node.capacity[NVIDIA_GPU] == 1
        and not count
        and not claimed
        and sharing.strategy is SharingStrategy.FRACTION
        and running
        and all(pods.template.gpu_share for pods in running)
    ):
        for pods in running:
            share = pods.template.gpu_share
            assert share is not None
            milli -= pods.count * share.milli
            memory -= pods.count * (share.memory_bytes or -(-share.milli * size // WHOLE_GPU_MILLI))
        count = 1 if milli > 0 else 0
    return DeviceRoom(
        sharing,
        resource,
        count,
        milli,
        max(0, memory),
        size,
        claimable_of_node(problem, node),
        node,
        None,
        node.free,
    )


def asks_for_mig(template: PodTemplate) -> bool:
    """Whether such a pod requests MIG devices."""
    return any(mig_profile(resource) is not None for resource, _ in template.requests)


def any_asks_for_mig(templates: Iterable[PodTemplate]) -> bool:
    """Whether any of the pods requests MIG devices."""
    names = {name for template in templates for name, _ in template.requests.amounts}
    return any(mig_profile(name) is not None for name in names)


def asks_for_parts(template: PodTemplate, room: DeviceRoom) -> bool:
    """Whether counting devices does not say where such a pod stands on this node."""
    if template.device_claims:
        return True
    is_whole = template.gpu_share in (None, WHOLE)
    if not is_whole and room.sharing.strategy is SharingStrategy.FRACTION:
        return True
    return any(room.cut(name) for name, _ in template.requests)


def replica_refusal(share: GpuShare | None, room: DeviceRoom) -> str:
    """Why a replica of a device gives such a share of it too little; empty if it does not."""
    if share is None or room.sharing.fits_replica(share, room.size_bytes):
        return ""
    return (
        f"one of {room.sharing.replicas} MPS clients of a GPU with {room.size_bytes} bytes gets less than "
        f"the share stated ({share.milli}/1000, {share.memory_bytes} bytes)"
    )


def counted_requests(requests: Resources, uses: Sequence[DeviceUse], room: DeviceRoom) -> Resources:
    """Requests of a node's pods with GPUs counted by devices in use, where ``uses`` tells."""
    if not uses:
        return requests
    amounts = {name: amount for name, amount in requests if room.cut(name) is None}
    if room.resource:
        amounts[room.resource] = len({use.device for use in uses})
    return Resources.of(amounts)


@dataclass(frozen=True, slots=True)
class DeviceLoad:
    """What is on one device, without names.

    Parameters
    ----------
    milli
        Thousandths of it in use.
    memory_milli, memory_bytes
        Memory in use: as thousandths of the device's, and beside them in bytes.
    cut
        MIG instances: profile and first slice.
    """

    milli: int = 0
    memory_milli: int = 0
    memory_bytes: int = 0
    cut: tuple[tuple[str, int], ...] = ()


def device_loads(
    workloads: Sequence[Workload], uses: Sequence[DeviceUse], room: DeviceRoom
) -> dict[int, DeviceLoad]:
    """Loads by device. Pods of one claim have its devices together."""
    shared: set[tuple[int, str, str]] = set()
    sums: dict[int, list[int]] = {}
    cuts: dict[int, list[tuple[str, int]]] = {}
    has_fractions = room.sharing.strategy is SharingStrategy.FRACTION
    for use in uses:
        total = sums.setdefault(use.device, [0, 0, 0])
        workload = workloads[use.pods.workload]
        template, n = workload.template, use.pods.count
        if use.profile:
            cuts.setdefault(use.device, []).extend([(use.profile, use.start)] * n)
            continue
        name = _shared_name(template, use.claim) if use.claim else ""
        if name:
            if (use.device, workload.namespace, name) in shared:
                continue
            shared.add((use.device, workload.namespace, name))
            n = 1
        share = template.gpu_share
        if share is None or template.device_claims or not has_fractions:
            share = WHOLE
        total[0] += n * share.milli
        total[1] += 0 if share.memory_bytes else n * share.milli
        total[2] += n * share.memory_bytes
    return {
        device: DeviceLoad(milli, memory_milli, memory_bytes, tuple(cuts.get(device, ())))
        for device, (milli, memory_milli, memory_bytes) in sums.items()
    }


def _shared_name(template: PodTemplate, title: str) -> str:
    """Name of the claim that a pod calls so, if pods share it."""
    return next((claim.name for claim in template.device_claims if title and claim.label == title), "")


def device_findings(
    problem: Problem, pods: Iterable[PodRange], uses: Sequence[DeviceUse], room: DeviceRoom
) -> Iterator[str]:
    """Violations by what a decision puts on the devices of one node."""
    workloads, ranges = problem.workloads, list(pods)
    refused = {replica_refusal(workloads[r.workload].template.gpu_share, room) for r in ranges} - {""}
    yield from sorted(refused)
    if not uses and not any(asks_for_parts(workloads[r.workload].template, room) for r in ranges):
        return  # whole devices: amounts are compared elsewhere
    of_pod: dict[PodName, list[DeviceUse]] = {
        (r.workload, r.first + n): [] for r in ranges for n in range(r.count)
    }
    for use in uses:
        for n in range(use.pods.count):
            pod = (use.pods.workload, use.pods.first + n)
            if pod not in of_pod:
                yield f"pods {use.pods} use device {use.device} of a node they are not on"
                return
            of_pod[pod].append(use)
    for (w, ordinal), mine in sorted(of_pod.items()):
        wrong = _wrong_devices(problem, workloads[w], mine, room)
        if wrong:
            yield f"pod {workloads[w].pod_name(ordinal)} {wrong}"
    yield from _shared_apart(workloads, of_pod)
    yield from overfull(device_loads(workloads, uses, room), room)


def _shared_apart(
    workloads: Sequence[Workload], of_pod: Mapping[PodName, Sequence[DeviceUse]]
) -> Iterator[str]:
    """Claims that pods share and of which they have different devices."""
    devices: dict[tuple[str, str], set[frozenset[int]]] = {}
    for (w, _), mine in of_pod.items():
        for claim in workloads[w].template.device_claims:
            if claim.name:
                its = frozenset(use.device for use in mine if use.claim == claim.label)
                devices.setdefault((workloads[w].namespace, claim.name), set()).add(its)
    for (namespace, name), found in sorted(devices.items()):
        if len(found) > 1:
            yield f"pods that share claim {namespace}/{name} have different devices of it"


@dataclass(frozen=True, slots=True)
class DeviceContent:
    """All that decides which other nodes could hold the same pods on their devices.

    Parameters
    ----------
    loads
        Load by device; empty where whole devices are counted.
    shares
        Shares that its pods state.
    claims
        Whether any pod claims devices.
    """

    loads: tuple[tuple[int, DeviceLoad], ...]
    shares: frozenset[GpuShare | None]
    claims: bool

    @classmethod
    def of(
        cls,
        workloads: Sequence[Workload],
        pods: Sequence[PodRange],
        uses: Sequence[DeviceUse],
        room: DeviceRoom,
    ) -> DeviceContent:
        """What these pods use of a node's devices."""
        templates = [workloads[r.workload].template for r in pods]
        return cls(
            tuple(sorted(device_loads(workloads, uses, room).items(), key=lambda item: item[0])),
            frozenset(template.gpu_share for template in templates),
            any(template.device_claims for template in templates),
        )

    def fits(self, other: DeviceRoom, own: DeviceRoom) -> bool:
        """Whether another node holds it as it stands; with claims only one with the same devices."""
        if self.claims and other.claimable != own.claimable:
            return False
        if any(replica_refusal(share, other) for share in self.shares):
            return False
        return next(overfull(dict(self.loads), other), None) is None


def overfull(loads: Mapping[int, DeviceLoad], room: DeviceRoom) -> Iterator[str]:
    """What is wrong with the contents of each device."""
    for device, load in sorted(loads.items()):
        if not 0 <= device < room.count:
            yield f"device {device} is used, the node has {room.count} for new pods"
            continue
        if load.cut and load.milli:
            yield f"device {device} is both cut and used as a whole"
        for wrong in _wrong_cut(load.cut, room.mig):
            yield f"device {device} {wrong}"
        if load.milli > room.milli:
            yield f"device {device} holds shares of {load.milli}/1000, {room.milli} are there"
        if load.memory_bytes:
            # In exact integers: shares that state no memory take as much of it as of the compute.
            used = load.memory_bytes * WHOLE_GPU_MILLI + load.memory_milli * room.size_bytes
            if used > room.memory_bytes * WHOLE_GPU_MILLI:
                held = -(-used // WHOLE_GPU_MILLI)
                yield f"device {device} holds {held} bytes, {room.memory_bytes} are there"


def _wrong_devices(problem: Problem, workload: Workload, mine: Sequence[DeviceUse], room: DeviceRoom) -> str:
    """How the devices of one pod differ from what it asks for; empty if they do not."""
    template = workload.template
    whole = [use.device for use in mine if not use.profile]
    if len(set(whole)) < len(whole):
        return "uses a device twice"
    if room.mig is None and not template.device_claims and not any(use.profile or use.claim for use in mine):
        n = template.requests[room.resource] if room.resource else 0
        return f"uses {len(whole)} devices, asks for {n}" if len(whole) != n else ""
    wanted: Counter[str] = Counter()
    for name, amount in template.requests:
        profile = room.cut(name)
        if profile is not None:
            wanted[profile.name] += amount
    found = Counter(use.profile for use in mine if use.profile)
    if found != wanted:
        return f"has MIG instances {dict(found)}, asks for {dict(wanted)}"
    asked = Counter({"": template.requests[room.resource] if room.resource else 0})
    for claim in template.device_claims:
        if not is_held_on(problem, workload.namespace, claim, room.existing):
            # A claim that the node cannot meet at all is a finding of its own.
            asked[claim.label] += devices_taken(claim, room.claimable) or 0
    given = Counter(use.claim for use in mine if not use.profile)
    for title in sorted(asked.keys() | given.keys()):
        if given[title] != asked[title]:
            of = f" for claim {title}" if title else ""
            return f"uses {given[title]} devices{of}, asks for {asked[title]}"
    return ""


def _wrong_cut(cut: Sequence[tuple[str, int]], model: MigModel | None) -> Iterator[str]:
    taken = 0
    counts: Counter[str] = Counter()
    for name, start in cut:
        profile = model.profile(name) if model else None
        if profile is None:
            yield f"cannot be cut into {name}"
            continue
        counts[name] += 1
        slices = ((1 << profile.size) - 1) << max(0, start)
        if start not in profile.starts:
            yield f"has an instance {name} that begins at slice {start}"
        elif taken & slices:
            yield f"has instances that overlap from slice {start} on"
        elif counts[name] > profile.most:
            yield f"has {counts[name]} instances {name}, {profile.most} are allowed"
        taken |= slices

"""Accelerators of a decision: how many are used, which are stranded, and what unused ones cost.

What the amounts mean is in `AcceleratorUse`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from weakref import WeakKeyDictionary

from binwright_optimizer.model import (
    AcceleratorUse,
    CapacityType,
    Catalog,
    GpuShare,
    InstanceType,
    NodeClaim,
    Problem,
)
from binwright_optimizer.model.devices import counted_by
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.mig import mig_profile
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU, PODS
from binwright_optimizer.model.templates import templates_of

DEVICES = (NVIDIA_GPU, "amd.com/gpu", "aws.amazon.com/neuron", "habana.ai/gaudi", "google.com/tpu")
"""Resources that count whole accelerators."""
CORES = {"aws.amazon.com/neuron": "aws.amazon.com/neuroncore"}
"""Resources that count parts of them; pods ask for one or the other."""

_Place = tuple[str, str, CapacityType]
"""Region, zone and capacity type."""
_Asked = tuple[int, int, int]
"""CPU, memory and pod slots that one pod takes."""


@dataclass(slots=True)
class _Sums:
    """What the nodes looked at so far add to an `AcceleratorUse`."""

    bought: int = 0
    used_milli: int = 0
    stranded_milli: int = 0
    unused_microusd: int = 0
    stranded_microusd: int = 0


def accelerator_uses(problem: Problem, claims: Sequence[NodeClaim]) -> tuple[AcceleratorUse, ...]:
    """Use of every accelerator resource that is bought, by name."""
    bought = {claim.instance_type for claim in claims}
    kinds = {kind.name: kind for kind in problem.catalog.instance_types if kind.name in bought}
    devices_of: dict[str, tuple[tuple[str, int], ...]] = {}
    for kind in kinds.values():
        counted = tuple((name, kind.allocatable[name]) for name in DEVICES if kind.allocatable[name])
        if counted:
            devices_of[kind.name] = counted
    nodes = _Nodes(problem, kinds)
    sums: dict[str, _Sums] = {}
    for claim in claims:
        if claim.instance_type not in devices_of:
            continue
        for name, use in nodes.uses(claim, devices_of[claim.instance_type]):
            total = sums.setdefault(name, _Sums())
            total.bought += use.bought
            total.used_milli += use.used_milli
            total.stranded_milli += use.stranded_milli
            total.unused_microusd += use.unused_microusd
            total.stranded_microusd += use.stranded_microusd
    return tuple(AcceleratorUse(name, *astuple(sums[name])) for name in sorted(sums))


class _Nodes:
    """What single nodes add; those of one pattern add the same, unless their pods have parts of devices."""

    def __init__(self, problem: Problem, kinds: dict[str, InstanceType]) -> None:
        self._problem = problem
        self._kinds = kinds
        self._has_parts = any(t.gpu_share is not None for t in templates_of(problem))
        self._prices = _Prices(problem.catalog)
        self._askers: dict[str, list[_Asked]] = {}
        self._known: dict[tuple[object, ...], list[tuple[str, _Sums]]] = {}

    def uses(self, claim: NodeClaim, devices: Iterable[tuple[str, int]]) -> list[tuple[str, _Sums]]:
        """What a claim adds to each resource of which its type has so many devices."""
        kind = self._kinds[claim.instance_type]
        if claim.devices or self._has_parts:
            return [(name, self._use(claim, kind, name, count)) for name, count in devices]
        key = (
            kind.name, claim.region, claim.zone, claim.capacity_type.value, claim.price_microusd_per_hour,
            id(claim.allocatable), id(claim.requests), id(claim.daemon_overhead),
        )  # fmt: skip
        found = self._known.get(key)
        if found is None:
            found = [(name, self._use(claim, kind, name, count)) for name, count in devices]
            self._known[key] = found
        return found

    def _use(self, claim: NodeClaim, kind: InstanceType, name: str, devices: int) -> _Sums:
        whole = devices * WHOLE_GPU_MILLI
        used = min(_used_milli(self._problem, claim, kind, name), whole)
        use = _Sums(devices, used)
        unused = whole - used
        if unused:
            use.unused_microusd = self._prices.of_devices(kind, claim) * unused // whole
            if name not in self._askers:
                self._askers[name] = _askers(self._problem, name)
            if not _has_room(claim, self._askers[name]):
                use.stranded_milli, use.stranded_microusd = unused, use.unused_microusd
        return use


def _askers(problem: Problem, name: str) -> list[_Asked]:
    """What pods that ask for a device or a part of one ask for beside it, the smallest of them."""
    names = (name, CORES.get(name, name))
    templates = templates_of(problem)
    cut = (
        [t for t in templates if any(mig_profile(n) for n in t.requests.names())]
        if name == NVIDIA_GPU
        else []
    )
    whole = [t for t in templates if t.device_claims or any(t.requests[n] for n in names)]
    smallest: list[_Asked] = []
    for asked in sorted({(t.requests[CPU], t.requests[MEMORY], t.requests[PODS] + 1) for t in whole + cut}):
        if not any(all(s <= a for s, a in zip(other, asked, strict=True)) for other in smallest):
            smallest.append(asked)
    return smallest


def _used_milli(problem: Problem, claim: NodeClaim, kind: InstanceType, name: str) -> int:
    """Thousandths of devices that the pods of a claim have; where it says on which, at most all of each."""
    if claim.devices and name == counted_by(kind):
        on_device: Counter[int] = Counter()
        for use in claim.devices:
            share = problem.workloads[use.pods.workload].template.gpu_share
            is_whole = bool(use.profile or use.claim)
            on_device[use.device] += use.pods.count * _each(None if is_whole else share, kind)
        total = sum(min(WHOLE_GPU_MILLI, milli) for milli in on_device.values())
    else:
        total = 0
        for pods in claim.pods:
            template = problem.workloads[pods.workload].template
            share = template.gpu_share if name == NVIDIA_GPU else None
            total += pods.count * template.requests[name] * _each(share, kind)
    if name in CORES and kind.allocatable[CORES[name]]:
        resource = CORES[name]
        asked = sum(
            pods.count * problem.workloads[pods.workload].template.requests[resource] for pods in claim.pods
        )
        total += WHOLE_GPU_MILLI * asked * kind.allocatable[name] // kind.allocatable[resource]
    return total


def _each(share: GpuShare | None, kind: InstanceType) -> int:
    """Thousandths of a device that a pod with this share keeps others from: of its compute or its memory."""
    if share is None:
        return WHOLE_GPU_MILLI
    size = kind.gpu_memory_bytes
    of_memory = -(-WHOLE_GPU_MILLI * share.memory_bytes // size) if size else 0
    return min(WHOLE_GPU_MILLI, max(share.milli, of_memory))


def _has_room(claim: NodeClaim, askers: Iterable[_Asked]) -> bool:
    """Whether CPU, memory and pod slots of a node have room for another pod that asks for a device."""
    cpu, memory, slots = (
        claim.allocatable[name] - claim.requests[name] - claim.daemon_overhead[name]
        for name in (CPU, MEMORY, PODS)
    )
    limits_slots = PODS in claim.allocatable.names()
    return any(c <= cpu and m <= memory and (s <= slots or not limits_slots) for c, m, s in askers)


class _Prices:
    """What the accelerators of a node cost beyond its CPU and memory."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[tuple[str, str, str, str, int], int] = {}

    def of_devices(self, kind: InstanceType, claim: NodeClaim) -> int:
        """Micro-dollars per hour of all the devices of a claim's node."""
        price = claim.price_microusd_per_hour
        key = (kind.name, claim.region, claim.zone, claim.capacity_type.value, price)
        if key not in self._known:
            sold = _plain_sold(self._catalog).get((claim.region, claim.zone, claim.capacity_type), ())
            cpu, memory = kind.allocatable[CPU], kind.allocatable[MEMORY]
            # The first that is large enough is the cheapest.
            other = next((c for c, most_cpu, most in sold if most_cpu >= cpu and most >= memory), 0)
            self._known[key] = max(0, price - other)
        return self._known[key]


_plain: WeakKeyDictionary[Catalog, dict[_Place, list[tuple[int, int, int]]]] = WeakKeyDictionary()
_plain_lock = threading.Lock()


def _plain_sold(catalog: Catalog) -> dict[_Place, list[tuple[int, int, int]]]:
    """Price, CPU and memory of nodes without accelerators by place, the cheapest first; found out once."""
    with _plain_lock:
        sold = _plain.get(catalog)
    if sold is None:
        sold = {}
        for kind in catalog.instance_types:
            if any(kind.capacity[name] for name in DEVICES):
                continue
            cpu, memory = kind.allocatable[CPU], kind.allocatable[MEMORY]
            for o in kind.offerings:
                here = sold.setdefault((o.region, o.zone, o.capacity_type), [])
                here.append((o.price_microusd_per_hour, cpu, memory))
        for here in sold.values():
            here.sort()
        with _plain_lock:
            _plain[catalog] = sold
    return sold

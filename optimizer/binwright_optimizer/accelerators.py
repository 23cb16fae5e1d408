"""Accelerators of a decision: how many are used, which are stranded, and what unused ones cost.

What the amounts mean is in `AcceleratorUse`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from weakref import WeakKeyDictionary

from binwright_optimizer.model import (
    AcceleratorUse,
    CapacityType,
    Catalog,
    InstanceType,
    NodeClaim,
    PodTemplate,
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
    kinds = {kind.name: kind for kind in problem.catalog.instance_types}
    prices = _Prices(problem.catalog)
    askers: dict[str, list[PodTemplate]] = {}
    devices_of: dict[str, tuple[tuple[str, int], ...]] = {}
    sums: dict[str, _Sums] = {}
    is_full: dict[tuple[str, int, int, int], bool] = {}
    for claim in claims:
        kind = kinds[claim.instance_type]
        if kind.name not in devices_of:
            counted = ((name, kind.allocatable[name]) for name in DEVICES)
            devices_of[kind.name] = tuple((name, devices) for name, devices in counted if devices)
        for name, devices in devices_of[kind.name]:
            use = sums.setdefault(name, _Sums())
            used = min(_used_milli(problem, claim, kind, name), devices * WHOLE_GPU_MILLI)
            unused = devices * WHOLE_GPU_MILLI - used
            use.bought += devices
            use.used_milli += used
            if unused:
                cost = prices.of_devices(kind, claim) * unused // (devices * WHOLE_GPU_MILLI)
                use.unused_microusd += cost
                if name not in askers:
                    askers[name] = _askers(problem, name)
                room = name, id(claim.allocatable), id(claim.requests), id(claim.daemon_overhead)
                if room not in is_full:  # shared by claims of one pattern
                    is_full[room] = not _has_room(claim, askers[name])
                if is_full[room]:
                    use.stranded_milli += unused
                    use.stranded_microusd += cost
    return tuple(AcceleratorUse(name, *astuple(sums[name])) for name in sorted(sums))


def _askers(problem: Problem, name: str) -> list[PodTemplate]:
    """Distinct templates that ask for a device or a part of one."""
    names = (name, CORES.get(name, name))
    templates = templates_of(problem)
    cut = (
        [t for t in templates if any(mig_profile(n) for n in t.requests.names())]
        if name == NVIDIA_GPU
        else []
    )
    whole = [t for t in templates if t.device_claims or any(t.requests[n] for n in names)]
    return [*whole, *cut]


def _used_milli(problem: Problem, claim: NodeClaim, kind: InstanceType, name: str) -> int:
    """Thousandths of devices that the pods of a claim ask for; a device cut by MIG counts as a whole."""
    total = 0
    for pods in claim.pods:
        template = problem.workloads[pods.workload].template
        share = template.gpu_share if name == NVIDIA_GPU else None
        each = WHOLE_GPU_MILLI if share is None else share.milli
        total += pods.count * template.requests[name] * each
        cores = kind.allocatable[CORES[name]] if name in CORES else 0
        if cores:
            asked = pods.count * template.requests[CORES[name]]
            total += WHOLE_GPU_MILLI * asked * kind.allocatable[name] // cores
    if name == counted_by(kind):
        total += WHOLE_GPU_MILLI * len({use.device for use in claim.devices if use.claim})
    if name == NVIDIA_GPU:
        total += WHOLE_GPU_MILLI * len({use.device for use in claim.devices if use.profile})
    return total


def _has_room(claim: NodeClaim, askers: Iterable[PodTemplate]) -> bool:
    """Whether CPU, memory and pod slots of a node have room for another pod that asks for a device."""
    used = claim.requests + claim.daemon_overhead

    def fits(template: PodTemplate, name: str) -> bool:
        asked = template.requests[name] + (name == PODS)
        if name == PODS and PODS not in claim.allocatable.names():
            return True
        return used[name] + asked <= claim.allocatable[name]

    return any(all(fits(template, name) for name in (CPU, MEMORY, PODS)) for template in askers)


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

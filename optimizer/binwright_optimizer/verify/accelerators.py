"""What a decision says of the accelerators that it buys: how many are used, idle or stranded, at what cost.

What the amounts mean is in `AcceleratorUse`. Nodes that are alike are looked at once. Where a node says
which pods are on each device, used parts are added up device by device; elsewhere by what pods request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from binwright_optimizer.model import (
    AcceleratorUse,
    Decision,
    DeviceUse,
    GpuShare,
    InstanceType,
    NodeClaim,
    PodRange,
    PodTemplate,
    Problem,
    labels,
)
from binwright_optimizer.model.devices import counted_by
from binwright_optimizer.model.gpu_sharing import WHOLE_GPU_MILLI
from binwright_optimizer.model.mig import mig_profile
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU, PODS
from binwright_optimizer.model.templates import templates_of
from binwright_optimizer.verify.claims import Alike
from binwright_optimizer.verify.offerings import offering_columns

PARTS_OF = {
    NVIDIA_GPU: "",
    "amd.com/gpu": "",
    "aws.amazon.com/neuron": "aws.amazon.com/neuroncore",
    "habana.ai/gaudi": "",
    "google.com/tpu": "",
}
"""Resources that count accelerators, each with the one that counts their parts, if any."""
AMOUNTS = ("bought", "used_milli", "stranded_milli", "unused_microusd", "stranded_microusd")


def check_accelerators(problem: Problem, decision: Decision, alike: Iterable[Alike]) -> Iterator[str]:
    """Accelerators stated other than the nodes and pods have it.

    Parameters
    ----------
    alike
        The NodeClaims of the decision, those that state the same about the same kinds of pods together.
    """
    told = {use.resource: use for use in decision.accelerators}
    if len(told) < len(decision.accelerators):
        yield "accelerators of one resource are stated twice"
    due = _due(problem, alike)
    for name in sorted(told.keys() | due.keys()):
        stated, right = told.get(name, AcceleratorUse(name)), due.get(name, AcceleratorUse(name))
        for amount in AMOUNTS:
            if getattr(stated, amount) != getattr(right, amount):
                yield (
                    f"accelerators: {amount} of {name} is stated as {getattr(stated, amount)}, "
                    f"{getattr(right, amount)} is right"
                )


def _due(problem: Problem, alike: Iterable[Alike]) -> dict[str, AcceleratorUse]:
    """The right statement, by resource."""
    names_of: dict[str, list[str]] = {}
    kinds = {kind.name: kind for kind in problem.catalog.instance_types}
    askers: dict[str, list[PodTemplate]] = {}
    sums: dict[str, Counter[str]] = {}
    plain_price: dict[tuple[str, str, str, str], int] = {}
    is_full: dict[tuple[object, ...], bool] = {}
    for claim, nodes in alike:
        names = names_of.get(claim.instance_type)
        if names is None:
            stated = kinds.get(claim.instance_type)
            names = [name for name in PARTS_OF if stated is not None and stated.allocatable[name]]
            names_of[claim.instance_type] = names
        if not names:
            continue
        kind = kinds[claim.instance_type]
        where = kind.name, claim.region, claim.zone, claim.capacity_type.value
        if where not in plain_price:
            plain_price[where] = _plain_price(problem, kind, claim)
        beyond = max(0, claim.price_microusd_per_hour - plain_price[where])
        for name in names:
            all_milli = kind.allocatable[name] * WHOLE_GPU_MILLI
            idle = all_milli - min(all_milli, _used_milli(problem, kind, claim, name))
            cost = beyond * idle // all_milli
            total = sums.setdefault(name, Counter())
            total["bought"] += nodes * kind.allocatable[name]
            total["used_milli"] += nodes * (all_milli - idle)
            total["unused_microusd"] += nodes * cost
            shape = name, claim.allocatable, claim.requests, claim.daemon_overhead
            if idle and shape not in is_full:
                if name not in askers:
                    askers[name] = _askers(problem, name)
                is_full[shape] = not any(_joins(template, claim) for template in askers[name])
            if idle and is_full[shape]:
                total["stranded_milli"] += nodes * idle
                total["stranded_microusd"] += nodes * cost
    return {name: AcceleratorUse(name, *(total[key] for key in AMOUNTS)) for name, total in sums.items()}


def _askers(problem: Problem, name: str) -> list[PodTemplate]:
    """Templates whose pods take a device of the resource, or a part of one."""
    distinct = templates_of(problem)
    return [
        template
        for template in distinct
        if template.device_claims or any(_is_of(name, asked) for asked in template.requests.names())
    ]


def _is_of(name: str, asked: str) -> bool:
    """Whether a resource is one of accelerators, counts their parts, or is an instance cut from them."""
    return asked in (name, PARTS_OF[name]) or (name == NVIDIA_GPU and mig_profile(asked) is not None)


def _plain_price(problem: Problem, kind: InstanceType, claim: NodeClaim) -> int:
    """Price of the cheapest node without accelerators that has the CPU and memory of this type; else 0."""
    columns = offering_columns(problem.catalog)
    is_match = columns.allocatable(CPU) >= kind.allocatable[CPU]
    is_match &= columns.allocatable(MEMORY) >= kind.allocatable[MEMORY]
    for name in PARTS_OF:
        is_match &= columns.capacity(name) == 0
    is_there = is_match[columns.type_of]
    wanted = (
        (labels.REGION, claim.region),
        (labels.ZONE, claim.zone),
        (labels.CAPACITY_TYPE, claim.capacity_type.value),
    )
    for key, value in wanted:
        column = columns.label(key)
        is_value = np.array([known == value for known in column.values], dtype=bool)
        is_there &= is_value[column.codes]
    prices = columns.price[is_there]
    return int(prices.min()) if len(prices) else 0


def _used_milli(problem: Problem, kind: InstanceType, claim: NodeClaim, name: str) -> int:
    """Thousandths of a node's devices that its pods have."""
    is_listed = name == counted_by(kind) and bool(claim.devices)
    used = _on_devices(problem, kind, claim.devices) if is_listed else 0
    parts, asked = kind.allocatable[PARTS_OF[name]], 0
    for pods, template in _placed(problem, claim.pods):
        if not is_listed:
            share = template.gpu_share if name == NVIDIA_GPU else None
            used += pods.count * template.requests[name] * _kept(share, kind)
        if parts:
            asked += pods.count * template.requests[PARTS_OF[name]]
    return used + (WHOLE_GPU_MILLI * kind.allocatable[name] * asked // parts if parts else 0)


def _on_devices(problem: Problem, kind: InstanceType, uses: Iterable[DeviceUse]) -> int:
    """The same where it is said who is on which device; one that is cut or claimed is used as a whole."""
    on_device: Counter[int] = Counter()
    for use in uses:
        for pods, template in _placed(problem, [use.pods]):
            share = None if use.profile or use.claim else template.gpu_share
            on_device[use.device] += pods.count * _kept(share, kind)
    return sum(min(WHOLE_GPU_MILLI, milli) for milli in on_device.values())


def _kept(share: GpuShare | None, kind: InstanceType) -> int:
    """Thousandths of a device that one pod takes from others: by compute, or by memory where that is more."""
    if share is None:
        return WHOLE_GPU_MILLI
    milli, device = share.milli, kind.gpu_memory_bytes
    if device > 0:
        whole, rest = divmod(share.memory_bytes * WHOLE_GPU_MILLI, device)
        milli = max(milli, whole + (rest > 0))
    return min(milli, WHOLE_GPU_MILLI)


def _placed(problem: Problem, ranges: Iterable[PodRange]) -> Iterator[tuple[PodRange, PodTemplate]]:
    for pods in ranges:
        if 0 <= pods.workload < len(problem.workloads):
            yield pods, problem.workloads[pods.workload].template


def _joins(template: PodTemplate, claim: NodeClaim) -> bool:
    """Whether CPU, memory and pod slots of a node are enough for one more pod."""
    for name, asked in ((CPU, template.requests[CPU]), (MEMORY, template.requests[MEMORY]), (PODS, 1)):
        if name == PODS and PODS not in claim.allocatable.names():
            continue
        if claim.allocatable[name] - claim.requests[name] - claim.daemon_overhead[name] < asked:
            return False
    return True

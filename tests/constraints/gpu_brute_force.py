"""The cheapest nodes for a few pods that share GPUs, by trying every way to put them on devices.

Slow and plain on purpose, and sharing no code with the solver or the verifier. One pod of each workload; a
node is bought for each set of pods; labels, taints and running nodes are not read here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

from binwright_optimizer.model import (
    GpuSharing,
    InstanceType,
    NodePool,
    PodTemplate,
    Problem,
    SharingStrategy,
)
from binwright_optimizer.model.mig import MIG_MODELS, mig_profile
from claims_by_hand import takes

GPU = "nvidia.com/gpu"


def cheapest_nodes(problem: Problem) -> int | None:
    """Micro-dollars an hour of the cheapest nodes for all pods; None if some pod has no place."""
    pods = [workload.template for workload in problem.workloads for _ in range(workload.replicas)]
    everyone = (1 << len(pods)) - 1
    price: dict[int, int] = {}
    for chosen in range(1, everyone + 1):
        together = [pod for k, pod in enumerate(pods) if chosen >> k & 1]
        prices = [
            offering.price_microusd_per_hour
            for pool in problem.node_pools
            for kind in problem.catalog.instance_types
            for offering in kind.offerings
            if node_holds(kind, pool, together)
        ]
        if prices:
            price[chosen] = min(prices)
    best: dict[int, int] = {0: 0}
    for done in range(1, everyone + 1):
        first = done & -done
        costs = [
            price[part] + best[done ^ part]
            for part in range(1, done + 1)
            if part & first and part & done == part and part in price and done ^ part in best
        ]
        if costs:
            best[done] = min(costs)
    return best.get(everyone)


def node_holds(kind: InstanceType, pool: NodePool, pods: Sequence[PodTemplate]) -> bool:
    """Whether one node holds these pods."""
    names = {name for pod in pods for name, _ in pod.requests} - {GPU}
    for name in names:
        if mig_profile(name) is None and sum(pod.requests[name] for pod in pods) > kind.allocatable[name]:
            return False
    return gpus_hold(kind, pool.gpu_sharing, pods, kind.allocatable[GPU])


def gpus_hold(kind: InstanceType, sharing: GpuSharing, pods: Sequence[PodTemplate], count: int) -> bool:
    """Whether so many free GPUs of this type give pods what they ask of GPUs."""
    if sharing.is_replicated:
        if any(pod.device_claims for pod in pods):
            return False
        for pod in pods:
            if any(mig_profile(name) for name, _ in pod.requests):
                return False
            share = pod.gpu_share
            if share and sharing.strategy is SharingStrategy.MPS:
                least = Fraction(1, sharing.replicas)
                if Fraction(share.milli, 1000) > least or share.memory_bytes > kind.gpu_memory_bytes * least:
                    return False
        return sum(pod.requests[GPU] for pod in pods) <= count * sharing.replicas
    return _devices_hold(kind, sharing, pods, [[] for _ in range(count)])


Content = list[tuple[str, int, object]]
"""What is on a device: shares as ("share", milli, bytes or None), instances as (profile, start, size)."""


def _devices_hold(
    kind: InstanceType, sharing: GpuSharing, pods: Sequence[PodTemplate], devices: list[Content]
) -> bool:
    if not pods:
        return True
    for change in _ways(kind, sharing, pods[0], len(devices)):
        grown = [list(content) for content in devices]
        for device, thing in change:
            grown[device].append(thing)
        if all(_is_legal(kind, content) for content in grown) and _devices_hold(
            kind, sharing, pods[1:], grown
        ):
            return True
    return False


def _ways(
    kind: InstanceType, sharing: GpuSharing, pod: PodTemplate, count: int
) -> Iterator[list[tuple[int, tuple[str, int, object]]]]:
    """Every way to give a pod its devices and instances."""
    wants_parts = sharing.strategy is SharingStrategy.FRACTION and not pod.device_claims
    share = pod.gpu_share if wants_parts else None
    milli = share.milli if share else 1000
    memory = share.memory_bytes if share and share.memory_bytes else None
    stated = pod.gpu_share.memory_bytes if pod.gpu_share and not pod.device_claims else 0
    claimed = [takes(claim, kind, count, count) for claim in pod.device_claims]
    if None in claimed:
        return
    whole = pod.requests[GPU] + sum(number or 0 for number in claimed)
    if stated > kind.gpu_memory_bytes:
        return
    instances: list[list[tuple[int, tuple[str, int, object]]]] = []
    for name, amount in pod.requests:
        profile = mig_profile(name)
        if profile is None:
            continue
        model = MIG_MODELS.get(kind.gpu_model)
        found = model.profile(profile) if model and sharing.mig else None
        if found is None:
            return
        places = [(d, (profile, start, found.size)) for d in range(count) for start in found.starts]
        instances += [list(places)] * amount
    for chosen in itertools.combinations(range(count), whole):
        shares: list[tuple[int, tuple[str, int, object]]] = [(d, ("share", milli, memory)) for d in chosen]
        for cuts in itertools.product(*instances):
            yield [*shares, *cuts]


def _is_legal(kind: InstanceType, content: Content) -> bool:
    shares = [thing for thing in content if thing[0] == "share"]
    cuts = [thing for thing in content if thing[0] != "share"]
    if shares and cuts:
        return False
    taken: set[int] = set()
    for _, start, size in cuts:
        slices = set(range(start, start + int(str(size))))
        if slices & taken:
            return False
        taken |= slices
    if sum(profile.endswith("+me") for profile, _, _ in cuts) > 1:
        return False
    memory = Fraction(0)
    for _, milli, stated in shares:
        memory += (
            Fraction(int(str(stated)))
            if stated is not None
            else Fraction(milli * kind.gpu_memory_bytes, 1000)
        )
    return sum(milli for _, milli, _ in shares) <= 1000 and memory <= kind.gpu_memory_bytes

"""Resource amounts in exact integers, and Kubernetes' effective pod request.

Units: CPU in milli-CPU; memory, ephemeral storage and huge pages in bytes; everything
else (GPUs, pods, extended resources) in counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

CPU = "cpu"
MEMORY = "memory"
EPHEMERAL_STORAGE = "ephemeral-storage"
PODS = "pods"
NVIDIA_GPU = "nvidia.com/gpu"

MAX_AMOUNT = 2**53
"""Largest single amount accepted: 9 PB of memory. Keeps every sum over 500 nodes of one
pattern inside int64, and every amount exact as a float64."""


def is_byte_resource(name: str) -> bool:
    """Whether amounts of resource ``name`` are bytes."""
    return name in (MEMORY, EPHEMERAL_STORAGE) or name.startswith("hugepages-")


@dataclass(frozen=True, slots=True)
class Resources:
    """Immutable resource amounts; an absent name is zero and zeros are not stored.

    Parameters
    ----------
    amounts
        Pairs (resource name, integer amount), sorted by name, without zeros. Build with
        `Resources.of`, which brings any mapping to that form.
    """

    amounts: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, amounts: Mapping[str, int] | Iterable[tuple[str, int]]) -> Resources:
        """Canonical resources from a mapping or pairs; raises ValueError outside [0, MAX_AMOUNT]."""
        pairs = amounts.items() if isinstance(amounts, Mapping) else amounts
        kept = []
        for name, amount in pairs:
            if not 0 <= amount <= MAX_AMOUNT:
                raise ValueError(f"{name}: amount {amount} is outside 0..{MAX_AMOUNT}")
            if amount:
                kept.append((name, amount))
        return cls(tuple(sorted(kept)))

    def __getitem__(self, name: str) -> int:
        for known, amount in self.amounts:
            if known == name:
                return amount
        return 0

    def __iter__(self) -> Iterator[tuple[str, int]]:
        return iter(self.amounts)

    def __bool__(self) -> bool:
        return bool(self.amounts)

    def names(self) -> tuple[str, ...]:
        """Names with a positive amount, sorted."""
        return tuple(name for name, _ in self.amounts)

    def __add__(self, other: Resources) -> Resources:
        total = dict(self.amounts)
        for name, amount in other.amounts:
            total[name] = total.get(name, 0) + amount
        return Resources(tuple(sorted(total.items())))

    def minus(self, other: Resources) -> Resources:
        """What is left after taking ``other`` away; never below zero."""
        left = dict(self.amounts)
        for name, amount in other.amounts:
            left[name] = max(0, left.get(name, 0) - amount)
        return Resources.of(left)

    def times(self, count: int) -> Resources:
        """``count`` times these amounts."""
        return Resources(tuple((n, a * count) for n, a in self.amounts)) if count else Resources()

    def elementwise_max(self, other: Resources) -> Resources:
        """The larger amount of each name."""
        larger = dict(self.amounts)
        for name, amount in other.amounts:
            larger[name] = max(larger.get(name, 0), amount)
        return Resources(tuple(sorted(larger.items())))

    def fits_in(self, room: Resources) -> bool:
        """Whether every amount is at most that of ``room``."""
        available = dict(room.amounts)
        return all(amount <= available.get(name, 0) for name, amount in self.amounts)


@dataclass(frozen=True, slots=True)
class Container:
    """What the scheduler sees of a container: its requests, and whether it is a sidecar.

    ``is_sidecar`` marks an init container with ``restartPolicy: Always``, which keeps
    running beside the containers that start after it.
    """

    requests: Resources
    is_sidecar: bool = False


def effective_request(
    containers: Iterable[Container],
    init_containers: Iterable[Container] = (),
    overhead: Resources = Resources(),
    pod_level: Resources = Resources(),
) -> Resources:
    """Amounts the scheduler reserves for a pod, without the slot it takes (`PODS`).

    The rule of Kubernetes (KEP-753 sidecar containers, ``PodRequests`` in
    k8s.io/component-helpers): containers and sidecars run together; an ordinary init
    container runs beside the sidecars started before it; the larger of the two, resource
    by resource, counts. ``pod_level`` amounts (KEP-2837) take the place of that sum for
    the resources they name. Pod overhead comes on top.
    """
    running = Resources()
    for container in containers:
        running = running + container.requests
    sidecars = Resources()
    initialising = Resources()
    for container in init_containers:
        if container.is_sidecar:
            sidecars = sidecars + container.requests
            initialising = initialising.elementwise_max(sidecars)
        else:
            initialising = initialising.elementwise_max(sidecars + container.requests)
    total = dict((running + sidecars).elementwise_max(initialising).amounts)
    total.update(pod_level.amounts)
    return Resources.of(total) + overhead

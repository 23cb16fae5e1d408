"""Generated micro-services: many small classes with skewed replica counts."""

from __future__ import annotations

import random

from binwright_optimizer.model import PodTemplate, Resources, Toleration, Workload
from binwright_optimizer.model.resources import CPU, MEMORY

MIB = 2**20


def replica_counts(rng: random.Random, pods: int, classes: int) -> list[int]:
    """Counts that fall off like 1 / rank and add up to ``pods``; each class has at least one."""
    weights = [1.0 / (rank + 1) for rank in range(classes)]
    rng.shuffle(weights)
    spare = pods - classes
    counts = [1 + int(spare * weight / sum(weights)) for weight in weights]
    for index in rng.choices(range(classes), weights, k=pods - sum(counts)):
        counts[index] += 1
    return counts


def service_request(
    rng: random.Random, median_gib_per_core: float = 2.5, most_cpu_milli: int = 8000, most_gib: int = 48
) -> Resources:
    """Requests of one service: CPU around 400m, in the steps people write."""
    cpu = min(most_cpu_milli, max(50, round(rng.lognormvariate(6.0, 0.9) / 50) * 50))
    gib_per_core = rng.lognormvariate(0.0, 0.6) * median_gib_per_core
    memory = min(most_gib * 1024, max(64, round(cpu / 1000 * gib_per_core * 1024 / 64) * 64))
    return Resources.of({CPU: cpu, MEMORY: memory * MIB})


def measured_request(rng: random.Random) -> Resources:
    """Requests of one pod as measured use gives them, to the milli-CPU and MiB: around 400m."""
    cpu = min(8000, max(10, round(rng.lognormvariate(6.0, 0.9))))
    gib_per_core = rng.lognormvariate(0.0, 0.6) * 2.5
    memory = min(48 * 1024, max(32, round(cpu / 1000 * gib_per_core * 1024)))
    return Resources.of({CPU: cpu, MEMORY: memory * MIB})


def measured_pods(seed: int, pods: int) -> tuple[Workload, ...]:
    """As many workloads of one pod, no two of which ask for the same, as a vertical pod autoscaler makes."""
    rng = random.Random(f"measured pods {seed} {pods}")
    requests: dict[Resources, None] = {}
    while len(requests) < pods:
        requests[measured_request(rng)] = None
    return tuple(Workload(f"pod-{k:04d}", PodTemplate(request), 1) for k, request in enumerate(requests))


def services(
    seed: int, pods: int, classes: int, tolerations: tuple[Toleration, ...] = ()
) -> tuple[Workload, ...]:
    """Workloads of ``pods`` pods in ``classes`` classes: no two services ask for the same."""
    rng = random.Random(f"services {seed} {pods} {classes}")
    counts = replica_counts(rng, pods, classes)
    requests: dict[Resources, None] = {}
    while len(requests) < classes:
        requests[service_request(rng)] = None
    return tuple(
        Workload(f"service-{k:03d}", PodTemplate(request, tolerations=tolerations), count)
        for k, (request, count) in enumerate(zip(requests, counts, strict=True))
    )

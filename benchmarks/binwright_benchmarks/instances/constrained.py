"""Generated services with rules between their pods, on all that AWS sells on demand in a region.

Every service is spread over zones, some keep their replicas on different nodes, and a fifth of the pods ask
for GPUs: what production manifests combine, at the size of a small cluster.
"""

from __future__ import annotations

import random
from dataclasses import replace

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import (
    LabelSelector,
    PodAffinity,
    PodAffinityTerm,
    PodTemplate,
    PreferredPodTerm,
    Problem,
    Resources,
    TopologySpread,
    WhenUnsatisfiable,
    Workload,
    labels,
)
from binwright_optimizer.model.defaults import EMBEDDED_CATALOG_DEFAULTS, IMPLICIT_NODE_POOL, with_defaults
from binwright_optimizer.model.resources import CPU, MEMORY, NVIDIA_GPU

from binwright_benchmarks.questions import REGION
from binwright_benchmarks.registry import SharedData, register
from binwright_benchmarks.services import replica_counts, services

PODS, SERVICES = 2_000, 60
GPU_PODS, GPU_SERVICES = 400, 12
"""A fifth of the pods ask for GPUs."""
APART_SHARE = 0.3
"""Share of the services whose replicas keep to different nodes."""
MOST_APART = 40
"""Replicas up to which a service may keep them on different nodes."""
MOST_WEIGHT = 100
WEIGHT_MICROUSD = 10
"""Micro-dollars an hour of a point of weight: the default of the command line."""
GIB = 2**30


@register(
    "constrained-2000",
    f"2,000 pods: zone spread, apart by host, a fifth with GPUs; AWS {REGION}",
    is_seeded=True,
    deadline_s=2.0,
)
def constrained(seed: int, _data: SharedData) -> Problem:
    """Services and GPU services under zone spread and anti-affinity."""
    rng = random.Random(f"constrained {seed}")
    plain = services(seed, PODS - GPU_PODS, SERVICES)
    workloads = [*plain, *_gpu_services(rng)]
    return Problem(
        tuple(_ruled(workload, rng) for workload in workloads),
        (IMPLICIT_NODE_POOL,),
        embedded_catalog("aws", (REGION,)),
    )


@register(
    "constrained-2000-wishes",
    f"2,000 pods that prefer what those of constrained-2000 require; AWS {REGION}",
    is_seeded=True,
    deadline_s=2.0,
)
def wishing(seed: int, data: SharedData) -> Problem:
    """The same pods, all rules between them as wishes: after the search pods are moved for them."""
    problem = constrained(seed, data)
    policies = replace(problem.policies, microusd_per_weight_hour=WEIGHT_MICROUSD)
    return replace(problem, workloads=tuple(map(_preferring, problem.workloads)), policies=policies)


def _preferring(workload: Workload) -> Workload:
    template = workload.template
    spread = tuple(
        replace(constraint, when_unsatisfiable=WhenUnsatisfiable.SCHEDULE_ANYWAY)
        for constraint in template.topology_spread
    )
    apart = tuple(PreferredPodTerm(MOST_WEIGHT, term) for term in template.pod_anti_affinity.required)
    soft = replace(template, topology_spread=spread, pod_anti_affinity=PodAffinity(preferred=apart))
    return replace(workload, template=soft)


def _gpu_services(rng: random.Random) -> list[Workload]:
    """Services of one to four GPUs a pod, with what a GPU node has beside each of them."""
    counts = replica_counts(rng, GPU_PODS, GPU_SERVICES)
    found = []
    for k, count in enumerate(counts):
        gpus = rng.choice((1, 1, 1, 1, 2, 4))
        amounts = {
            CPU: gpus * rng.choice((1_000, 2_000, 3_000, 4_000, 6_000)),
            MEMORY: gpus * rng.choice((4, 8, 12, 16, 24)) * GIB,
            NVIDIA_GPU: gpus,
        }
        found.append(Workload(f"gpu-{k:02d}", PodTemplate(Resources.of(amounts)), count))
    return found


def _ruled(workload: Workload, rng: random.Random) -> Workload:
    """The workload spread over zones with a skew of one, maybe with its replicas on different nodes."""
    own = LabelSelector.of_labels({"app": workload.name})
    is_apart = workload.replicas <= MOST_APART and rng.random() < APART_SHARE
    template = replace(
        workload.template,
        labels=(("app", workload.name),),
        topology_spread=(TopologySpread(labels.ZONE, 1, selector=own),),
        pod_anti_affinity=PodAffinity((PodAffinityTerm(labels.HOSTNAME, own),) if is_apart else ()),
    )
    return replace(workload, template=with_defaults(template, EMBEDDED_CATALOG_DEFAULTS))

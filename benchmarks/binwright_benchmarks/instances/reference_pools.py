"""The five reference node pools: generated services, and the pods of the trace that they can hold."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path

from binwright_optimizer.model import PodTemplate, Problem, Resources, Toleration, Workload
from binwright_optimizer.model.resources import NVIDIA_GPU

from binwright_benchmarks.questions import problem_of, reference_node_pools
from binwright_benchmarks.reference import ALL_POOLS, ARRIVALS, trace_table
from binwright_benchmarks.registry import SharedData, register
from binwright_benchmarks.services import replica_counts, service_request

CLASSES = 40
PODS = 1_500
GPU_PODS = 30
ELSEWHERE = 0.5
"""Share of the classes that may also run on pools other than their own."""

MOST_CPU_MILLI = 6000
_MEDIAN_GIB_PER_CORE = {"general": 1.6, "memory": 6.0, "storage": 5.0, "batch": 1.6}
_MOST_GIB = {"general": 12, "memory": 48, "storage": 48, "batch": 12}
"""Every class fits a node of its own pool, so that whatever stays unplaced is due to the maxima."""


@register(
    "reference-pools", f"{PODS + GPU_PODS:,} generated pods on the five reference pools", is_seeded=True
)
def generated(seed: int, _data: SharedData) -> Problem:
    """Services that tolerate the taint of their own pool and half of them those of others."""
    pools = trace(0, _data)
    rng = random.Random(f"reference-pools {seed}")
    workloads = []
    for k, count in enumerate(replica_counts(rng, PODS, CLASSES)):
        home = rng.choice(tuple(_MEDIAN_GIB_PER_CORE))
        others = rng.sample(ALL_POOLS, rng.randint(1, 4)) if rng.random() < ELSEWHERE else []
        request = service_request(rng, _MEDIAN_GIB_PER_CORE[home], MOST_CPU_MILLI, _MOST_GIB[home])
        workloads.append(
            Workload(f"{home}-{k:02d}", PodTemplate(request, tolerations=_tolerating({home, *others})), count)
        )
    inference = Resources.of({"cpu": 3000, "memory": 12 * 2**30, NVIDIA_GPU: 1})
    workloads.append(
        Workload("inference", PodTemplate(inference, tolerations=_tolerating({"gpu"})), GPU_PODS)
    )
    return replace(pools, workloads=tuple(workloads))


@register("reference-pools-trace", f"the first {ARRIVALS} arrivals of the trace on the reference pools")
def trace(_seed: int, _data: SharedData) -> Problem:
    """Arrivals until the GPU pool is full, tolerating every pool."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "arrivals.csv"
        table.write_text(trace_table(), encoding="utf-8")
        return problem_of((str(table),), nodepools=(reference_node_pools(),))


def _tolerating(names: set[str]) -> tuple[Toleration, ...]:
    return tuple(Toleration(key="workload", value=name) for name in sorted(names))

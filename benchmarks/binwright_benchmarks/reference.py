"""Pods for the five reference node pools, as workload tables.

The largest node of these pools has 8 vCPU (7.9 allocatable) and one T4, and the GPU pool ends at 50
nodes. Every pod of the GPU trace without a GPU asks for 8 cores or more, and a GPU is never shared here, so
the pools hold 50 pods of the trace, each on a node of its own. `trace_table` is the shortest run of arrivals,
from the first on, that fills them; the others in it are left to the solver to explain.

That leaves nothing to choose. `services_table` has generated services for all five pools, of which half
tolerate more than one of them, so that a rule can choose well or badly; or all tolerate all, so that it
can choose freely.
"""

from __future__ import annotations

import random

from binwright_optimizer.model.resources import CPU, MEMORY

from binwright_benchmarks.questions import as_table, trace_rows
from binwright_benchmarks.services import MIB, replica_counts, service_request

POOLS = ("general", "memory", "gpu", "storage", "batch")
"""Values of the taint ``workload``, one for each pool."""

ARRIVALS = 115
"""Arrivals of which 50 fit a node of the GPU pool (a test counts them)."""

CLASSES = 40
GPU_PODS = 30
ELSEWHERE = 0.5
"""Share of the classes that tolerate the taints of some pools besides their own."""

MOST_CPU_MILLI = 6000
_MEDIAN_GIB_PER_CORE = {"general": 1.6, "memory": 6.0, "storage": 5.0, "batch": 1.6}
_MOST_GIB = {"general": 12, "memory": 48, "storage": 48, "batch": 12}
"""Every class fits a node of its own pool, so that whatever stays unplaced is due to the maxima."""


def trace_table() -> str:
    """CSV of the slice of the trace, each pod tolerating the taints of all five pools."""
    return as_table([{**row, "tolerations": _tolerations(POOLS)} for row in trace_rows()[:ARRIVALS]])


def services_table(seed: int, pods: int, *, is_open: bool = False) -> str:
    """CSV of ``pods`` pods of generated services and `GPU_PODS` pods that need a T4.

    Parameters
    ----------
    is_open
        Every pod tolerates the taints of all pools, so that nothing but the price of a node and the room
        on it decides.
    """
    rng = random.Random(f"reference-pools {seed}")
    rows = []
    for k, count in enumerate(replica_counts(rng, pods, CLASSES)):
        home = rng.choice(tuple(_MEDIAN_GIB_PER_CORE))
        others = rng.sample(POOLS, rng.randint(1, 4)) if rng.random() < ELSEWHERE else []
        request = service_request(rng, _MEDIAN_GIB_PER_CORE[home], MOST_CPU_MILLI, _MOST_GIB[home])
        memory_mib = request[MEMORY] // MIB
        tolerated = POOLS if is_open else (home, *others)
        rows.append(_row(f"{home}-{k:02d}", count, request[CPU], memory_mib, 0, tolerated))
    rows.append(_row("inference", GPU_PODS, 3000, 12 * 1024, 1, POOLS if is_open else ("gpu",)))
    return as_table(rows)


def _row(
    name: str, replicas: int, cpu_milli: int, memory_mib: int, gpu_count: int, tolerated: tuple[str, ...]
) -> dict[str, object]:
    return {
        "name": name,
        "replicas": replicas,
        "cpu_milli": cpu_milli,
        "memory_mib": memory_mib,
        "gpu_count": gpu_count,
        "tolerations": _tolerations(tolerated),
    }


def _tolerations(pools: tuple[str, ...]) -> str:
    return "|".join(f"workload={name}:NoSchedule" for name in dict.fromkeys(pools))

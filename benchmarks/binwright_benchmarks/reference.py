"""The slice of the GPU trace that the five reference node pools can hold.

The largest node of these pools has 8 vCPU (7.9 allocatable) and one T4, and the GPU pool ends at 50
nodes. Every pod of the trace without a GPU asks for 8 cores or more, and a GPU is never shared here, so the
pools hold 50 pods of the trace, each on a node of its own. The slice is the shortest run of arrivals, from
the first on, that fills them; the others in it are left to the solver to explain.
"""

from __future__ import annotations

from binwright_benchmarks.questions import as_table, trace_rows

ALL_POOLS = ("general", "memory", "gpu", "storage", "batch")
"""Values of the taint ``workload``, one for each pool."""

ARRIVALS = 115
"""Arrivals of which 50 fit a node of the GPU pool (a test counts them)."""

TOLERATIONS = "|".join(f"workload={name}:NoSchedule" for name in ALL_POOLS)


def trace_table() -> str:
    """CSV of the slice, each pod tolerating the taints of all five pools."""
    return as_table(trace_rows()[:ARRIVALS], tolerations=TOLERATIONS)

"""The five reference node pools: generated services, and the pods of the trace that they can hold."""

from __future__ import annotations

from binwright_optimizer.model import Problem

from binwright_benchmarks.questions import reference_node_pools, table_problem
from binwright_benchmarks.reference import ARRIVALS, GPU_PODS, services_table, trace_table
from binwright_benchmarks.registry import Build, SharedData, register

PODS = 800
TIGHT_PODS = 1_500


def _generated(pods: int, *, is_open: bool = False) -> Build:
    def build(seed: int, _data: SharedData) -> Problem:
        return table_problem(services_table(seed, pods, is_open=is_open), (reference_node_pools(),))

    return build


register(
    "reference-pools", f"{PODS + GPU_PODS:,} generated pods on the five reference node pools", is_seeded=True
)(_generated(PODS))
register(
    "reference-pools-tight",
    f"{TIGHT_PODS + GPU_PODS:,} such pods, for some seeds more than the pools' maxima hold",
    is_seeded=True,
)(_generated(TIGHT_PODS))
register(
    "reference-pools-open",
    f"{TIGHT_PODS + GPU_PODS:,} generated pods that tolerate all five pools",
    is_seeded=True,
)(_generated(TIGHT_PODS, is_open=True))


@register("reference-pools-trace", f"the first {ARRIVALS} arrivals of the trace on the reference pools")
def trace(_seed: int, _data: SharedData) -> Problem:
    """Arrivals until the GPU pool is full, tolerating every pool."""
    return table_problem(trace_table(), (reference_node_pools(),))

"""Resamples of the trace in which 5, 20 or 33 % of the GPU pods name the GPU models they accept.

A third is the share in production (README of the trace).
"""

from __future__ import annotations

from binwright_optimizer.model import Problem

from binwright_benchmarks.questions import trace_problem
from binwright_benchmarks.registry import Build, SharedData, register


def _variant(share: str) -> Build:
    name = f"traces/alibaba_gpu_v2023/openb_pod_list_gpuspec{share}.csv.gz"

    def build(_seed: int, data: SharedData) -> Problem:
        return trace_problem(data.file(name))

    return build


for _share in ("05", "20", "33"):
    register(
        f"gpu-trace-models-{_share}",
        f"a resample of the trace; {int(_share)} % of the GPU pods name their GPU models",
        deadline_s=10.0,
    )(_variant(_share))

"""The Alibaba GPU trace: all 8,152 pods at once, samples of 1,000, and resamples of 10,000."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from binwright_optimizer.model import Problem

from binwright_benchmarks.questions import shared_trace_problem, trace_problem, with_workloads
from binwright_benchmarks.registry import SharedData, register

SAMPLE = 1000
RESAMPLE = 10_000


@register("gpu-trace", "8,152 pods of the Alibaba GPU trace; AWS us-east-1 on demand", deadline_s=10.0)
def whole(_seed: int, _data: SharedData) -> Problem:
    """Every pod."""
    return trace_problem()


@register("gpu-trace-spot", "the same pods; on demand and spot (estimated prices)", deadline_s=10.0)
def whole_with_spot(_seed: int, _data: SharedData) -> Problem:
    """Every pod, with spot for sale."""
    return trace_problem(capacity_types=("on-demand", "spot"))


@register(
    "gpu-trace-shared", "8,152 pods of the trace with their shares of GPUs, packed per device", deadline_s=5.0
)
def whole_with_shares(_seed: int, _data: SharedData) -> Problem:
    """Every pod, with the shares that the trace states."""
    return shared_trace_problem()


@register("gpu-trace-1000", "1,000 pods of the trace drawn at random", is_seeded=True)
def sample(seed: int, _data: SharedData) -> Problem:
    """Pods drawn without replacement."""
    problem = whole(0, _data)
    drawn = random.Random(f"gpu-trace {seed}").sample(range(len(problem.workloads)), SAMPLE)
    return with_workloads(problem, drawn)


@register(
    "gpu-trace-10000", "10,000 pods drawn from the trace with replacement", is_seeded=True, deadline_s=10.0
)
def resample(seed: int, _data: SharedData) -> Problem:
    """Bootstrap: a pod drawn twice is a workload of two replicas."""
    problem = whole(0, _data)
    workloads = problem.workloads
    drawn = random.Random(f"gpu-trace resample {seed}").choices(range(len(workloads)), k=RESAMPLE)
    counts = Counter(drawn)
    chosen = tuple(replace(workloads[w], replicas=counts[w], names=()) for w in sorted(counts))
    return replace(problem, workloads=chosen)

"""The Alibaba GPU trace: all 8,152 pods at once, and random samples of 1,000."""

from __future__ import annotations

import random

from binwright_optimizer.model import Problem

from binwright_benchmarks.questions import trace_problem, with_workloads
from binwright_benchmarks.registry import SharedData, register

SAMPLE = 1000


@register("gpu-trace", "8,152 pods of the Alibaba GPU trace; AWS us-east-1 on demand", deadline_s=10.0)
def whole(_seed: int, _data: SharedData) -> Problem:
    """Every pod."""
    return trace_problem()


@register("gpu-trace-spot", "the same pods; on demand and spot (estimated prices)", deadline_s=10.0)
def whole_with_spot(_seed: int, _data: SharedData) -> Problem:
    """Every pod, with spot for sale."""
    return trace_problem(capacity_types=("on-demand", "spot"))


@register("gpu-trace-1000", "1,000 pods of the trace drawn at random", is_seeded=True)
def sample(seed: int, _data: SharedData) -> Problem:
    """Pods drawn without replacement."""
    problem = whole(0, _data)
    drawn = random.Random(f"gpu-trace {seed}").sample(range(len(problem.workloads)), SAMPLE)
    return with_workloads(problem, drawn)

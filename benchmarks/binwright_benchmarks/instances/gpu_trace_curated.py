"""The GPU trace on the few instance types that a team would have picked by hand."""

from __future__ import annotations

import random

from binwright_optimizer.model import Problem

from binwright_benchmarks.questions import trace_problem, with_workloads
from binwright_benchmarks.registry import SharedData, register

TYPES = ("g4dn.*", "g5.*", "c5.*", "m5.*", "p3.*")


@register("gpu-trace-curated-1000", f"1,000 pods of the trace on {' '.join(TYPES)}", is_seeded=True)
def sample(seed: int, _data: SharedData) -> Problem:
    """Pods drawn without replacement, as in ``gpu-trace-1000``."""
    problem = trace_problem(instance_types=TYPES)
    drawn = random.Random(f"gpu-trace {seed}").sample(range(len(problem.workloads)), 1000)
    return with_workloads(problem, drawn)

"""Compiles the baselines' kernels, or loads them from numba's cache.

Run as ``python -m binwright_benchmarks.warmup`` after set-up; otherwise the first baseline run pays for it.
"""

from __future__ import annotations

from binwright_benchmarks.baselines import open_market
from binwright_benchmarks.measure import run_baselines
from binwright_benchmarks.registry import SharedData, instances

SMALL = "worked-t4-pair"


def warm_up_baselines() -> None:
    """Run every baseline on two pods."""
    (instance,) = instances(SMALL)
    run_baselines(open_market(instance.build(0, SharedData())))


if __name__ == "__main__":
    warm_up_baselines()

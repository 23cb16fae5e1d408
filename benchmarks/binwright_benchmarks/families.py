"""Which instances the quality run measures, in groups, with the gaps we aim at."""

from __future__ import annotations

from dataclasses import dataclass

DEADLINES_S = (0.1, 1.0, 10.0)


@dataclass(frozen=True, slots=True)
class Group:
    """Instances for which one line of targets holds.

    Parameters
    ----------
    instances
        Names in the register.
    targets
        Largest p90 of the proven gap at each of `DEADLINES_S`; 1.0 asks for any feasible answer. Empty
        where nothing is aimed at.
    """

    name: str
    instances: tuple[str, ...]
    targets: tuple[float, ...] = ()


def _micro(size: str, classes: tuple[int, ...], ends: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"micro-{size}-{count}c-{end}" for count in classes for end in ends)


TABLE = (
    Group("1k GPU trace samples", ("gpu-trace-1000",), (0.005, 0.0005, 0.0001)),
    Group("1k micro-service, 4,359 offerings", _micro("1k", (25, 300), ("eu",)), (0.05, 0.01, 0.003)),
    Group(
        "10k (trace and generated)",
        ("gpu-trace-10000", *_micro("10k", (25, 300), ("5t", "cmr", "eu"))),
        (0.05, 0.002, 0.0003),
    ),
    Group("100k, 300 classes", _micro("100k", (300,), ("5t", "cmr", "eu")), (1.0, 0.02, 0.003)),
)
"""The families with targets."""

SAVINGS = (
    Group("Reference pools", ("reference-pools", "reference-pools-open", "reference-pools-tight")),
    Group("Curated pools", ("gpu-trace-curated-1000",)),
)
"""Measured for the comparison with other rules, beside those of `TABLE`."""

DIFFERENT = (Group("Pods that all differ", ("measured-1k-cmr", "measured-1k-eu", "measured-3k-eu")),)
"""As many classes as pods, without aims of their own."""

REST = (
    Group("Whole GPU trace", ("gpu-trace", "gpu-trace-spot")),
    Group(
        "GPU trace with models named", ("gpu-trace-models-05", "gpu-trace-models-20", "gpu-trace-models-33")
    ),
    Group("Public manifests", ("manifests",)),
    Group("1k micro-service, other markets", _micro("1k", (25, 300), ("5t", "cmr", "all"))),
    Group("10k micro-service, 12,574 offerings", _micro("10k", (25, 300), ("all",))),
    Group("100k, 25 classes", _micro("100k", (25,), ("5t", "cmr", "eu", "all"))),
    Group("100k, 300 classes, 12,574 offerings", _micro("100k", (300,), ("all",))),
    Group("Vector bin packing", ("vbp-panigrahy", "vbp-new", "vbp-triplet")),
    Group(
        "Variable bins with conflicts",
        ("vsbppc-set1-3t", "vsbppc-set1-5t", "vsbppc-set2-7t-concave", "vsbppc-set2-7t-convex"),
    ),
)
"""Everything else but the worked cases, which tests solve to the optimum."""

SMOKE = (
    Group("1k GPU trace samples", ("gpu-trace-1000",), (0.005, 0.0005, 0.0001)),
    Group("1k micro-service, 4,359 offerings", ("micro-1k-300c-eu",), (0.05, 0.01, 0.003)),
    Group("Reference pools", ("reference-pools",)),
)

CONSTRAINTS = (
    Group("2,000 pods under rules", ("constrained-2000",)),
    Group("2,000 pods, rules as wishes", ("constrained-2000-wishes",)),
    Group("GPU trace, shares per device", ("gpu-trace-shared",)),
    Group("Applications that interfere", ("tianchi-machines", "tianchi-aws")),
)
"""Rules between pods and shares of GPUs; their deadlines are 2, 5 and 30 s."""

SUITES = {
    "table": TABLE + SAVINGS + DIFFERENT,
    "all": TABLE + SAVINGS + DIFFERENT + REST,
    "smoke": SMOKE,
    "constraints": CONSTRAINTS,
}

MARKETS = {
    "reference pools, any pool will do": ("reference-pools-open",),
    "reference pools, pods choose among some": ("reference-pools", "reference-pools-tight"),
    "whole catalogue": (
        "gpu-trace-1000",
        "gpu-trace-10000",
        "gpu-trace",
        "manifests",
        "micro-*-eu",
        "micro-*-all",
        "measured-*-eu",
    ),
    "curated pools": ("gpu-trace-curated*", "micro-*-cmr", "micro-*-5t", "measured-*-cmr"),
}
"""Kinds of market for which savings are reported apart: globs of instances."""

MEMORY = _micro("100k", (300,), ("5t", "cmr", "eu", "all"))
"""Instances whose peak memory is measured, each in a process of its own."""

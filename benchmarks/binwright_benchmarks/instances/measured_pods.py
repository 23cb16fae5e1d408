"""Pods whose requests a vertical pod autoscaler has set: each is a class of its own."""

from __future__ import annotations

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import Problem

from binwright_benchmarks.instances.micro_services import MEANS, Means
from binwright_benchmarks.registry import Build, SharedData, register
from binwright_benchmarks.services import measured_pods

SIZES = {"1k": 1_000, "3k": 3_000}


def _family(pods: int, means: Means) -> Build:
    def build(seed: int, _data: SharedData) -> Problem:
        catalog = embedded_catalog("aws", (means.region,), means.types)
        return Problem(measured_pods(seed, pods), (means.pool,), catalog)

    return build


for _short, _pods in SIZES.items():
    for _end in ("cmr", "eu"):
        register(
            f"measured-{_short}-{_end}",
            f"{_pods:,} pods that all differ; {MEANS[_end].description}",
            is_seeded=True,
            deadline_s=5.0,
        )(_family(_pods, MEANS[_end]))

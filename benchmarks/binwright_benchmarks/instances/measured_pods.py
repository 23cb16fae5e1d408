"""Pods whose requests a vertical pod autoscaler has set: each is a class of its own."""

from __future__ import annotations

from binwright_optimizer.catalog import embedded_catalog
from binwright_optimizer.model import Problem

from binwright_benchmarks.instances.micro_services import MEANS, Means
from binwright_benchmarks.registry import Build, SharedData, register
from binwright_benchmarks.services import measured_pods

FAMILIES = {"1k-cmr": 1_000, "1k-eu": 1_000, "3k-eu": 3_000}
"""Pods, by size and market."""


def _family(pods: int, means: Means) -> Build:
    def build(seed: int, _data: SharedData) -> Problem:
        catalog = embedded_catalog("aws", (means.region,), means.types)
        return Problem(measured_pods(seed, pods), (means.pool,), catalog)

    return build


for _name, _pods in FAMILIES.items():
    _means = MEANS[_name.split("-")[1]]
    register(
        f"measured-{_name}",
        f"{_pods:,} pods that all differ; {_means.description}",
        is_seeded=True,
        deadline_s=5.0,
    )(_family(_pods, _means))
